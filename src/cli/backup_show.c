/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backup_show.h"

#include <stdio.h>

#include "log.h"
#include "note.h"
#include "number.h"
#include "recovery.h"
#include "unlocking.h"

struct json *backup_json(const char *file, const struct backup_facts *facts,
			 const struct backup_content *content)
{
	struct json *json = json_new_object();
	char text[64];

	json_set_text(json, "file", file);
	json_set_text(json, "id", facts->id);
	json_set_text(json, "vault", cli_uuid_format(facts->uuid, text));
	json_set_uint(json, "epoch", facts->epoch);
	json_set_uint(json, "revision", facts->revision);
	json_set_text(json, "created", time_format(facts->created, text));
	json_set_uint(json, "size", facts->size_bytes);
	if (!content)
		return json;
	json_set_uint(json, "records", content->records);
	json_set_uint(json, "older", content->older);
	json_set_uint(json, "audit_files", content->audit_files);
	json_set_bool(json, "config", content->config);
	return json;
}

char *backup_line(const struct backup_facts *facts, char out[static BACKUP_LINE_CHARS])
{
	char uuid[37];
	char created[32];
	char size[16];

	(void)snprintf(out, BACKUP_LINE_CHARS, "vault %s, revision %llu, of %s, %s",
		       cli_uuid_format(facts->uuid, uuid), (unsigned long long)facts->revision,
		       time_format(facts->created, created), size_format(facts->size_bytes, size));
	return out;
}

/* A backup that a secret is to open. */
struct opening {
	const char *file;
	struct backup *backup;
};

/* A cli_try for it. */
static cof_result try_backup(const struct slot_secret *secret, void *context, struct cof_error *err)
{
	struct opening *opening = context;
	cof_result unlocked = backup_unlock(opening->backup, secret, err);

	if (unlocked.code != COF_E_KEY)
		return unlocked;
	return cof_explain(unlocked, err,
			   "again, minding the keyboard's layout and capitals; or a secret that "
			   "opened the vault when the backup was made",
			   "wrong %s for the backup %s",
			   recovery_looks_like(slot_secret_span(secret)) ? "recovery key"
									 : "passphrase",
			   opening->file);
}

cof_result backup_open_with(const struct cli_call *call, const char *file, struct backup *backup,
			    struct backup_content *ret_content, struct slot_secret **ret_secret,
			    struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	struct opening opening = { file, backup };

	TRY(cli_open_with(call, file, try_backup, &opening, &secret, err));
	TRY(cof_explain(backup_prove(backup, ret_content, err), err,
			"another backup, or the vault's mirrors", "the backup %s is not good",
			file));
	if (ret_secret)
		*ret_secret = TAKE(secret);
	return COF_OK;
}

void backup_tell_older(struct vault *vault)
{
	_cleanup_json_ struct json *note = NULL;

	if (!cof_failed(note_get(vault, NOTE_BACKUP, &note, NULL)) && note)
		log_notice("the last backup is from before this change: `coffer backup create "
			   "FILE` makes a new one");
}
