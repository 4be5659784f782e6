/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_JOURNAL_H
#define COF_BASE_JOURNAL_H

/*
 * Entries of the systemd journal with fields of their own. Where no journald runs, nothing happens.
 */

#include <stddef.h>

#include "result.h"

#define JOURNAL_FIELDS_MAX 16

/** struct journal_field - one field; one whose value is NULL is left out */
struct journal_field {
	const char *name; /* capital letters, digits and underscores */
	const char *value;
};

/**
 * journal_send() - one entry
 * @fields: at most JOURNAL_FIELDS_MAX, MESSAGE among them
 * @bad:    as a warning, not as information
 *
 * Never waits and never fails: an entry that cannot be sent is lost.
 */
void journal_send(const struct journal_field fields[], size_t count, bool bad);

#endif
