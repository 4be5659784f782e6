/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_NOTE_H
#define COF_VAULT_NOTE_H

/*
 * Notes: what `coffer status` shows of the last backup and the last drill, also of a locked vault.
 * They are in the clear and prove nothing: the audit log has the same, sealed.
 */

#include "vault.h"

#define NOTE_BACKUP "backup"
#define NOTE_DRILL  "drill"

/** note_put() - replace a note; the vault's revision stays. @note is borrowed. Fails: COF_E_BUSY,
 * COF_E_IO, COF_E_NOSPC */
cof_result note_put(struct vault *vault, const char *name, const struct json *note,
		    struct cof_error *err);
/** note_get() - @ret_note: caller owns; NULL where there is none, or nothing that can be read.
 * Fails: COF_E_IO, COF_E_FORMAT */
cof_result note_get(struct vault *vault, const char *name, struct json **ret_note,
		    struct cof_error *err);

/** struct note_stand - how far the keystore is when a note is made
 * @store:   its revision, which each of its transactions raises
 * @records: in their newest generation */
struct note_stand {
	uint64_t store;
	uint64_t records;
};
/** note_stand_read() - Fails: COF_E_FORMAT (no keystore), COF_E_IO */
cof_result note_stand_read(struct vault *vault, struct note_stand *ret_stand,
			   struct cof_error *err);

/** struct note_changes - what was written since a backup
 * @records: put or removed, each once however often
 * @header:  its copy: the slots, which are the unlock methods */
struct note_changes {
	uint64_t records;
	bool header;
};
/** note_changes_since() - since the backup that @note tells of; borrowed. With a note that has no
 * stand, @records is how far the vault's revision went. Fails: COF_E_FORMAT (no keystore),
 * COF_E_IO */
cof_result note_changes_since(struct vault *vault, const struct json *note,
			      struct note_changes *ret_changes, struct cof_error *err);

#endif
