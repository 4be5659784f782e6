/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_CRYPTOC_H
#define COF_TAPE_CRYPTOC_H

/*
 * The crypto cache of Bareos' storage daemon (bareos-sd.PORT.cryptoc), pure: doc/format-bareos.md.
 * A cache without a KEK holds clear keys in base64, so all of it stays in locked memory.
 */

#include <time.h>

#include "secret.h"

#define CRYPTOC_NAME_BYTES 128 /* of a volume's name and of its key, the NUL included */

/** struct cryptoc - a cache that is whole, as bytes; { 0 } is an empty one
 * @bytes: borrowed from who opened it, or owned by who made it */
struct cryptoc {
	struct span bytes;
	size_t count;
};

/** struct cryptoc_entry - one volume; texts are borrowed, without NUL
 * @key: base64, wrapped or clear */
struct cryptoc_entry {
	struct span volume;
	struct span key;
	time_t added;
};

/**
 * cryptoc_open() - check all of a cache
 * @bytes:   of the file; borrowed for as long as the cache is used
 * @subject: the file, for errors
 * Fails: COF_E_FORMAT (not one, another version, cut off or longer, a name or key that cannot be)
 */
cof_result cryptoc_open(struct span bytes, const char *subject, struct cryptoc *ret_cache,
			struct cof_error *err);

/** cryptoc_at() - one of its entries, @index below its count */
struct cryptoc_entry cryptoc_at(const struct cryptoc *cache, size_t index);

/** cryptoc_find() - the entry of a volume; false when there is none */
bool cryptoc_find(const struct cryptoc *cache, struct span volume, size_t *ret_index);

/** cryptoc_check() - that a volume and its key can be in a cache.
 * Fails: COF_E_FORMAT (empty, too long, a character that cannot be) */
cof_result cryptoc_check(const struct cryptoc_entry *entry, const char *subject,
			 struct cof_error *err);

/** cryptoc_encode() - the file of these entries, which cryptoc_check() has taken.
 * Fails: COF_E_NOMEM (also for a cache over 64 MiB) */
cof_result cryptoc_encode(const struct cryptoc_entry entries[], size_t count,
			  struct secret **ret_bytes, struct cof_error *err);

/**
 * cryptoc_line() - the next line of what populates a cache: volume, tab, key
 * @text:    what is left of the text; moves on behind the line
 * @number:  of the line, for errors
 * @ret_found: false at the end; empty lines are passed over
 * Fails: COF_E_FORMAT (no tab, or as cryptoc_check())
 */
cof_result cryptoc_line(struct span *text, size_t *number, struct cryptoc_entry *ret_entry,
			bool *ret_found, struct cof_error *err);

#endif
