/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_HEADER_NOTES_H
#define COF_CLI_HEADER_NOTES_H

/*
 * What verbs that show disks say of their headers.
 */

#include "cli.h"
#include "disk_headers.h"

/** struct header_notes - what is wrong with headers, and what mends it: one text each */
struct header_notes {
	char **texts; /* NULL-terminated, or NULL */
	size_t count;
};
void header_notes_done(struct header_notes *notes);

/** header_notes_add() - Fails: COF_E_NOMEM */
cof_result header_notes_add(struct header_notes *notes, struct cof_error *err, const char *format,
			    ...) __attribute__((format(printf, 3, 4)));

/**
 * header_notes_look() - look at the header of a disk of the vault, which is unlocked
 * @ret_word: "good", "damaged", "older", "other"; "" where the disk is not attached; static
 * Fails: COF_E_NOMEM; what else fails is a note
 */
cof_result header_notes_look(struct header_work *work, const char *name, struct header_notes *notes,
			     const char **ret_word, struct cof_error *err);

/** header_notes_say() - the notes as warnings on stdout, below a table */
void header_notes_say(const struct cli_call *call, const struct header_notes *notes);

#endif
