/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_NEAR_H
#define COF_BASE_NEAR_H

/*
 * What a misspelt word was meant to be, pure.
 */

#include <stdbool.h>
#include <stddef.h>

/** near_distance() - how many letters must be added, dropped, changed or swapped with their
 * neighbour to get from one word to the other; SIZE_MAX for words over 31 letters */
size_t near_distance(const char *a, const char *b);

/** near_is_nearer() - whether @candidate is what @typed may have been meant to be, and nearer than
 * *best, which starts as SIZE_MAX and is then updated */
bool near_is_nearer(const char *typed, const char *candidate, size_t *best);

#endif
