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

#endif
