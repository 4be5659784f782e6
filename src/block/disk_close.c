/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk close: never before it is proven that the disk could be opened again.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_audit.h"
#include "disk_owner.h"
#include "disk_result.h"
#include "usage.h"

/* What one `disk close` knows. */
struct closing {
	struct vault *vault; /* may be NULL or locked */
	const struct paths *paths;
	const struct disk_close_spec *spec;
	char **records;		    /* names of the disks in the vault */
	const struct disk_set *set; /* their facts; NULL where the vault does not tell */
};

/* The open volume whose plaintext is the device @name, or that lies on it. */
static cof_result find_by_device(const struct closing *closing, const char *name,
				 struct disk_open_state *state, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	_cleanup_free_ struct engine_volume *volumes = NULL;
	char map_name[128];
	size_t count;

	TRY(disk_device_find(name, &device, err));
	TRY(disk_state_on(closing->paths, device, state, err));
	if (state->open || state->dead)
		return COF_OK;
	TRY(disk_map_name(device->kname, map_name, sizeof(map_name), err));
	if (map_name[0])
		TRY(disk_state_of(closing->paths, map_name, state, err));
	if (state->open)
		return COF_OK;
	TRY(engine_list(closing->paths, &volumes, &count, err));
	for (size_t i = 0; i < count && !state->open; i++) {
		if (strcmp(volumes[i].device, device->node) == 0)
			TRY(disk_state_of(closing->paths, volumes[i].name, state, err));
	}
	return COF_OK;
}

/* Whether the vault has a record of the volume called @name. */
static bool has_record(const struct closing *closing, const char *name)
{
	for (char **record = closing->records; record && *record; record++) {
		if (strcmp(*record, name) == 0)
			return true;
	}
	return false;
}

/* The volume's name in what was typed: an open volume's node is gone once it is closed. */
static const char *name_in(const char *typed)
{
	static const char *const folders[] = { "/dev/mapper/", "/dev/coffer/" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (strncmp(typed, folders[i], strlen(folders[i])) == 0)
			return typed + strlen(folders[i]);
	return typed;
}

/* Finds what is to be closed; not open is an answer. */
static cof_result find_open(const struct closing *closing, const char *typed,
			    struct disk_open_state *state, struct cof_error *err)
{
	const char *name = name_in(typed);

	TRY(disk_state_of(closing->paths, name, state, err));
	if (state->open || state->dead || has_record(closing, name))
		return COF_OK;
	return find_by_device(closing, typed, state, err);
}

/* Fills in what it is that is not open: a disk of the vault, or a device that may be anything. */
static void describe_not_open(const struct closing *closing, const char *typed,
			      struct disk_result *result)
{
	_cleanup_(device_freep) struct device *device = NULL;
	const struct disk *disk = NULL;
	struct luks_info info = { 0 };
	bool is_luks;

	if (has_record(closing, name_in(typed))) {
		(void)snprintf(result->name, sizeof(result->name), "%s", name_in(typed));
		return;
	}
	if (cof_failed(device_find(typed, &device, NULL)))
		return;
	is_luks = !cof_failed(luks_read(device->node, NULL, &info, NULL));
	(void)snprintf(result->source, sizeof(result->source), "%s", device->node);
	(void)snprintf(result->uuid, sizeof(result->uuid), "%s", info.uuid);
	disk = closing->set ? disk_set_find(closing->set, NULL, info.uuid) : NULL;
	if (disk)
		(void)snprintf(result->name, sizeof(result->name), "%s", disk->name);
	else if (!is_luks)
		(void)snprintf(result->note, sizeof(result->note), "it has no LUKS header");
	else if (closing->set)
		(void)snprintf(result->note, sizeof(result->note), "and no disk of the vault");
	if (!is_luks)
		result->state = "";
}

/* The header on the device is the open volume's, opens with the stored key, and is the one of
 * which the vault has a copy. */
static cof_result prove_with_key(const struct closing *closing, const struct disk_open_state *state,
				 struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	struct luks_info info;
	bool found;

	TRY(disk_key(closing->vault, state->name, &key, &found, err));
	ENSURE(found, err, COF_E_REFUSED, state->name, "its key is not in the vault");
	TRY(luks_read(state->source, NULL, &info, err));
	ENSURE(strcmp(info.uuid, state->uuid) == 0, err, COF_E_REFUSED, state->source,
	       "has the header of another volume: its UUID is %s, the open volume's is %s",
	       info.uuid, state->uuid);
	TRY(luks_unlock(state->source, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL, err));
	TRY(disk_refresh_copy(closing->vault, closing->paths, state->name, state->source, key,
			      err));
	return COF_OK;
}

/* Without the vault's keys: the header is the one that the stored key opened. */
static cof_result prove_by_note(const struct closing *closing, const struct disk_open_state *state,
				struct disk_result *result, struct cof_error *err)
{
	bool holds = false;
	bool older = false;

	TRY(disk_proof_holds(closing->vault, closing->paths, state->name, state->source, &holds,
			     &older, err));
	if (holds && older)
		(void)snprintf(result->note, sizeof(result->note),
			       "the vault is older than it was when the disk was opened, with the "
			       "same key of this disk");
	if (holds)
		return COF_OK;
	if (older) {
		cof_ignore(cof_raise(err, COF_E_LOCKED, state->name,
				     "the vault is locked and older than it was when the disk was "
				     "opened: it may have another key of this disk"));
		cof_error_try(err, "coffer unlock, which tells where the newest copy is; or copy "
				   "the data elsewhere while the disk is open");
		return (cof_result){ COF_E_LOCKED };
	}
	cof_ignore(cof_raise(err, COF_E_LOCKED, state->name,
			     "the vault is locked, and nothing else proves that its key opens the "
			     "header that the disk has now"));
	cof_error_try(err, "coffer unlock, then the same again");
	return (cof_result){ COF_E_LOCKED };
}

/* The key that opened the volume is in no vault any more. */
static cof_result refuse_keyless(const struct closing *closing, const struct disk_open_state *state,
				 struct cof_error *err)
{
	if (closing->vault)
		cof_ignore(cof_raise(err, COF_E_REFUSED, state->name,
				     "was opened with a key from the vault, which has none any "
				     "more"));
	else
		cof_ignore(cof_raise(err, COF_E_REFUSED, state->name,
				     "was opened with a key from a vault, and there is none in %s",
				     closing->paths->vault_dir));
	if (!closing->vault && vault_copies_explain(closing->paths, err))
		return (cof_result){ COF_E_REFUSED };
	cof_error_try(err, "copy the data elsewhere while the disk is open; --force closes it all "
			   "the same");
	return (cof_result){ COF_E_REFUSED };
}

/* What belongs to a service is left to it: it proves and closes in its own order. */
static cof_result refuse_owned(const struct closing *closing, const struct disk_open_state *state,
			       struct cof_error *err)
{
	char command[DISK_OWNER_CHARS];

	if (closing->spec->force || !disk_owner_read(closing->paths, state->name, command))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, state->name, "belongs to a service"));
	cof_error_try(err, "%s; --force closes the volume alone, and proves nothing", command);
	return (cof_result){ COF_E_REFUSED };
}

/* Loss protection: a disk of the vault is closed only if it could be opened again. */
static cof_result prove(const struct closing *closing, const struct disk_open_state *state,
			struct disk_result *result, struct cof_error *err)
{
	cof_result proven;

	if (closing->spec->force ||
	    (!has_record(closing, state->name) && !disk_proof_exists(closing->paths, state->name)))
		return COF_OK;
	if (!has_record(closing, state->name))
		return refuse_keyless(closing, state, err);
	if (!vault_is_unlocked(closing->vault))
		return prove_by_note(closing, state, result, err);
	proven = prove_with_key(closing, state, err);
	if (!cof_failed(proven))
		return COF_OK;
	if (proven.code == COF_E_FORMAT || proven.code == COF_E_KEY)
		cof_error_try(err,
			      "coffer disk header repair %s, or copy the data elsewhere while the "
			      "disk is open; --force closes it all the same",
			      state->name);
	cof_ignore(cof_explain(proven, err,
			       "copy the data elsewhere while the disk is open; --force closes it "
			       "all the same",
			       "%s stays open: it could not be opened again", state->name));
	if (err)
		err->code = COF_E_REFUSED;
	return (cof_result){ COF_E_REFUSED };
}

/* Refuses a volume that is mounted or held, before anything else is looked at. */
static cof_result refuse_in_use(const struct disk_open_state *state, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *plaintext = NULL;
	struct usage usage;

	TRY(device_find(state->device, &plaintext, err));
	TRY(usage_find(&block_roots_system, plaintext, &usage, err));
	if (!usage.text[0])
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_BUSY, state->name, "is in use and stays open"));
	cof_error_cause(err, "%s is %s%s", state->device, usage.text, usage.detail);
	cof_error_try(err, "%s", usage.remedy);
	return (cof_result){ COF_E_BUSY };
}

/* Closes one volume in the backend that it is open in. */
static cof_result close_one(const struct closing *closing, const char *typed,
			    struct disk_result *result, struct cof_error *err)
{
	struct disk_open_state state;

	TRY(find_open(closing, typed, &state, err));
	if (state.dead) {
		bool closes = !closing->spec->dry_run && !closing->spec->prove;

		(void)snprintf(result->name, sizeof(result->name), "%s", state.name);
		result->changed = true;
		result->did = closes ? NULL : "would be closed";
		if (!closes)
			return COF_OK;
		TRY(disk_explain_dead(&state, engine_close(closing->paths, state.name, err), err));
		disk_owner_remove(closing->paths, state.name);
		return COF_OK;
	}
	if (!state.open) {
		describe_not_open(closing, typed, result);
		return COF_OK;
	}
	disk_result_open(result, &state);
	if (!closing->spec->prove)
		TRY(refuse_in_use(&state, err));
	TRY(refuse_owned(closing, &state, err));
	TRY(prove(closing, &state, result, err));
	if (closing->spec->dry_run || closing->spec->prove) {
		result->state = "planned";
		result->did = "would be closed";
		return COF_OK;
	}
	if (strcmp(state.backend, "user") == 0)
		TRY(engine_close(closing->paths, state.name, err));
	else
		TRY(luks_deactivate(state.name, err));
	disk_proof_remove(closing->paths, state.name);
	disk_owner_remove(closing->paths, state.name);
	result->state = "closed";
	result->device[0] = '\0';
	result->changed = true;
	return COF_OK;
}

cof_result disk_close(struct vault *vault, const struct paths *paths, const char *const names[],
		      size_t count, const struct disk_close_spec *spec, struct progress *progress,
		      struct disk_result results[], struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **records = NULL;
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	struct closing closing = { .vault = vault, .paths = paths, .spec = spec };

	for (size_t i = 0; i < count; i++)
		disk_result_start(&results[i], names[i]);
	/* An unlocked vault tells whether a record is missing from its list. */
	if (vault && vault_is_unlocked(vault) && !spec->force) {
		TRY(disk_fail_all(disk_set_load(vault, &set, err), results, count, err));
		closing.set = &set;
	}
	if (vault)
		TRY(disk_fail_all(vault_names(vault, DISK_KIND, &records, err), results, count,
				  err));
	closing.records = records;
	/* One after the other: a volume may lie on another one of the list. */
	for (size_t i = 0; i < count; i++) {
		progress_step(progress, i, names[i], "closing");
		if (cof_failed(close_one(&closing, names[i], &results[i], &results[i].error)))
			results[i].state = results[i].device[0] ? "open" : "failed";
		progress_end(progress, i, results[i].name,
			     results[i].changed || results[i].device[0] ||
					     results[i].error.code != COF_E_NONE
				     ? results[i].state
				     : "not open");
	}
	if (!spec->dry_run && !spec->prove)
		disk_audit(vault, paths, AUDIT_DISK_CLOSE, results, count);
	return disk_first_failure(results, count, err);
}
