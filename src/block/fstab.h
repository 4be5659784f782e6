/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_FSTAB_H
#define COF_BLOCK_FSTAB_H

/*
 * /etc/fstab as bytes, pure: entries are found where they are, and an edit touches one field or
 * adds one line. Fields are parted by blanks and tabs, lines end at LF, as fstab(5) has it.
 */

#include "buffer.h"

/** struct fstab_entry - one line's fields, as written; borrowed from the text; empty where left
 * out */
struct fstab_entry {
	struct span spec;
	struct span file;
	struct span type;
	struct span options;
	struct span pass; /* its turn to be checked */
	size_t line;	  /* from 1 */
};

/**
 * fstab_next() - the next entry: a line with three fields or more that is no comment
 * @at:   offset of the line to look at first and @line its number less one; 0 and 0 at first
 * Returns false at the end.
 */
bool fstab_next(struct span text, size_t *at, size_t *line, struct fstab_entry *ret_entry);

/** fstab_is() - whether a field is this word, as written */
bool fstab_is(struct span field, const char *word);

/** fstab_decode() - a field with \040 and the like as the characters they stand for; false when
 * @out is too small */
bool fstab_decode(struct span field, char *out, size_t out_size_bytes);

/**
 * fstab_swap_set() - the swap entries that say one of @specs say @spec from then on; all other
 * bytes stay. Where no swap entry says @spec then, a line with @options is added at the end
 * @specs: decoded, NULL-terminated
 * @ret_after: appended
 * Fails: COF_E_NOMEM, COF_E_FORMAT (a NUL byte)
 */
cof_result fstab_swap_set(struct span before, char *const specs[], const char *spec,
			  const char *options, struct buffer *ret_after, struct cof_error *err);

#endif
