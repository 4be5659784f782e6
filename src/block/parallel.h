/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_PARALLEL_H
#define COF_BLOCK_PARALLEL_H

#include <stddef.h>

/**
 * parallel_each() - run @work for every index from 0 to @count - 1 on a few threads
 * @work:    called once per index, from any thread; keeps its result in @context
 * @context: shared by all calls
 *
 * Returns when all are done. Where no thread can be made, the caller's does the work.
 */
void parallel_each(size_t count, void (*work)(size_t index, void *context), void *context);

#endif
