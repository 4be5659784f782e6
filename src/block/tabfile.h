/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_TABFILE_H
#define COF_BLOCK_TABFILE_H

/*
 * /etc/crypttab and /etc/fstab edited so that every byte that is not ours stays: comments, order,
 * spacing, unknown lines, a missing final newline. Pure but for the functions on files at the end;
 * fstab's text is fstab.h's.
 */

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

/** struct crypttab_entry - one line's fields; borrowed from the table; "" where left out */
struct crypttab_entry {
	const char *name;
	const char *source;
	const char *key;
	const char *options;
	size_t line; /* from 1 */
};

struct crypttab; /* a whole file */

/** crypttab_parse() - any bytes are a crypttab: what is no entry is kept as it is.
 * Fails: COF_E_NOMEM, COF_E_FORMAT (a NUL byte) */
cof_result crypttab_parse(struct span text, struct crypttab **ret_table, struct cof_error *err);
void crypttab_free(struct crypttab *table);
DEFINE_FREEP(struct crypttab, crypttab_freep, crypttab_free)

/** crypttab_at() - entry @index from 0; false past the last */
bool crypttab_at(const struct crypttab *table, size_t index, struct crypttab_entry *ret_entry);
/** crypttab_find() - by volume name; the first one as systemd takes it */
bool crypttab_find(const struct crypttab *table, const char *name,
		   struct crypttab_entry *ret_entry);
/**
 * crypttab_set() - the line for @name gets these fields; a new line goes to the end. The line is
 * left untouched when its fields are the same already. Options the user added stay when @options
 * is NULL. Fails: COF_E_NOMEM, COF_E_USAGE (a field with blanks)
 */
cof_result crypttab_set(struct crypttab *table, const char *name, const char *source,
			const char *key, const char *options, struct cof_error *err);
/** crypttab_remove() - the entries called @name; a comment above them stays */
void crypttab_remove(struct crypttab *table, const char *name);
/** crypttab_comment_out() - the entries called @name become comments, all their bytes behind "# ".
 * Fails: COF_E_NOMEM */
cof_result crypttab_comment_out(struct crypttab *table, const char *name, struct cof_error *err);
/** crypttab_format() - the whole file; equal to what was parsed when nothing was changed */
cof_result crypttab_format(const struct crypttab *table, struct buffer *ret_text,
			   struct cof_error *err);

/** struct tab_file - which file it is: its fault points' prefix, a new one's mode, and whether
 * it is coffer's own: then no copies are kept, and an empty one is taken away */
struct tab_file {
	const char *point;
	mode_t mode;
	bool own;
};
extern const struct tab_file tab_file_crypttab;
extern const struct tab_file tab_file_fstab;

/** tab_rewrite - what the file at @path is to hold; the same as @before leaves it alone */
typedef cof_result (*tab_rewrite)(const char *path, struct span before, void *context,
				  struct buffer *ret_after, struct cof_error *err);
/**
 * tab_edit() - read, rewrite, and replace a file under a lock; a missing file is an empty one
 * Keeps mode and owner; keeps a dated copy of the version before beside it (the last five); does
 * not write when nothing changed. Fails: COF_E_BUSY, COF_E_IO, COF_E_NOSPC and the rewrite's own
 */
cof_result tab_edit(const char *path, const struct tab_file *file, tab_rewrite rewrite,
		    void *context, struct cof_error *err);

/** crypttab_change - edits the table; false in *ret_changed leaves the file alone */
typedef cof_result (*crypttab_change)(struct crypttab *table, void *context, struct cof_error *err);

/**
 * crypttab_edit() - the same for crypttab, parsed. Fails: as tab_edit(), the change's own
 */
cof_result crypttab_edit(const char *path, crypttab_change change, void *context,
			 struct cof_error *err);
/** crypttab_load() - read a file; a missing one is empty */
cof_result crypttab_load(const char *path, struct crypttab **ret_table, struct cof_error *err);

#endif
