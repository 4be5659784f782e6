/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "log.h"
#include "tape_use.h"
#include "unlocking.h"

#define RUN_FOLDER "/run/coffer/tape" /* of all vaults: a drive is the machine's */

void tape_use_done(struct tape_use *use)
{
	tape_job_done(&use->job);
	drive_close(use->drive);
}

const char *tape_root(const struct cli_call *call)
{
	return call->paths->root;
}

/* Locks the drive for this run. Who is not root cannot have the lock, which is root's. */
static cof_result lock_drive(const struct cli_call *call, bool shows, struct tape_use *use,
			     struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	bool cleared = false;
	cof_result begun;

	if (geteuid() != 0)
		return COF_OK;
	TRY(path_format(&folder, err, "%s" RUN_FOLDER, tape_root(call)));
	begun = tape_job_begin(use->drive, folder, &use->job, &cleared, err);
	if (begun.code == COF_E_BUSY && shows)
		return COF_OK;
	if (cleared && !call->quiet)
		log_notice("cleared a key that a command which was killed has left in %s",
			   use->drive->name);
	return begun;
}

cof_result tape_use_begin(const struct cli_call *call, const char *name, bool shows,
			  struct tape_use *ret_use, struct cof_error *err)
{
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;

	TRY(tape_find(tape_root(call), name, &use.place, err));
	TRY(drive_open(use.place.name, use.place.node, &use.drive, err));
	TRY(lock_drive(call, shows, &use, err));
	*ret_use = use;
	use = TAPE_USE_NONE;
	return COF_OK;
}

void tape_known_done(struct tape_known *known)
{
	vault_names_free(known->keys);
	vault_close(known->vault);
}

cof_result tape_known_load(struct cli_call *call, struct tape_known *known, struct cof_error *err)
{
	if (cli_is_given(call))
		TRY(cli_open_vault(call, true, &known->vault, err));
	else if (geteuid() == 0 && vault_exists(call->paths) &&
		 !cli_vault_by_agent(call, &known->vault))
		cof_ignore(vault_open(call->paths, &known->vault, NULL));
	if (known->vault)
		cof_ignore(vault_names(known->vault, TAPE_KEY_KIND, &known->keys, NULL));
	return COF_OK;
}

struct tape_owner tape_owner_of(const struct tape_known *known, const struct key_tag *tag)
{
	struct tape_owner owner = { 0 };

	for (char **key = known->keys; tag->ours && key && *key; key++)
		owner.known = owner.known || strncmp(*key, tag->id, strlen(tag->id)) == 0;
	if (owner.known && vault_is_unlocked(known->vault)) {
		_cleanup_(tape_key_freep) struct tape_key *key = NULL;
		char id[KEY_ID_CHARS + 1];
		bool found;

		if (cof_failed(tape_key_get(known->vault, tag->id, &key, id, owner.volume, &found,
					    NULL)))
			owner = (struct tape_owner){ .known = true };
	}
	return owner;
}

struct json *tape_tag_json(const struct key_tag *tag, const struct tape_owner *owner)
{
	struct json *json;

	if (!tag->found)
		return NULL;
	json = json_new_object();
	json_set_text(json, "tag", tag->text);
	json_set_bool(json, "ours", tag->ours);
	json_set_bool(json, "known", owner->known);
	json_set_known(json, "volume", owner->volume);
	return json;
}

char *tape_tag_words(const struct key_tag *tag, const struct tape_owner *owner,
		     char out[static TAPE_TAG_WORDS])
{
	if (!tag->found)
		(void)snprintf(out, TAPE_TAG_WORDS, "one without a name");
	else if (owner->volume[0])
		(void)snprintf(out, TAPE_TAG_WORDS, "%s, of volume %s", tag->text, owner->volume);
	else
		(void)snprintf(out, TAPE_TAG_WORDS, "%s, %s", tag->text,
			       owner->known ? "which the vault has"
			       : tag->ours  ? "which the vault does not have"
					    : "of another program");
	return out;
}

/* What next blocks are, by the drive's number. */
static const struct {
	const char *name;
	const char *words;
} nexts[] = {
	[NEXT_UNKNOWABLE] = { "unknown", "the drive cannot tell" },
	[NEXT_NOT_NOW] = { "not-now", "the drive cannot tell here before it has read" },
	[NEXT_NO_BLOCK] = { "none", "a filemark, or the end of the data" },
	[NEXT_CLEAR] = { "clear", "clear" },
	[NEXT_OTHER_ALGORITHM] = { "other-algorithm",
				   "encrypted in a way that the drive cannot decrypt" },
	[NEXT_DECRYPTABLE] = { "decryptable", "encrypted, with the key that the drive has" },
	[NEXT_WRONG_KEY] = { "wrong-key", "encrypted, with another key than the drive has" },
};

const char *tape_next_words(const struct tape_next *next)
{
	if (next->encryption >= sizeof(nexts) / sizeof(nexts[0]))
		return "something that is not defined";
	return nexts[next->encryption].words;
}

const char *tape_next_name(const struct tape_next *next)
{
	if (next->encryption >= sizeof(nexts) / sizeof(nexts[0]))
		return "undefined";
	return nexts[next->encryption].name;
}
