/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key relocate: a key gets another place, without a moment in which the place that the record names
 * does not have it.
 *
 * The record of the disk is the journal: "key_file" is where the key is now, "key_left" a file that
 * is still to be removed.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_life.h"
#include "disk_result.h"
#include "fault.h"
#include "file.h"
#include "key_place.h"
#include "mountpoint.h"
#include "passphrase.h"
#include "shell.h"

#define KEY_FILE_SUFFIX ".key"

/* What relocating one disk's key knows. */
struct relocating {
	struct vault *vault;
	const struct paths *paths;
	const struct key_relocate_spec *spec;
	const struct disk_set *set;
	const struct device *device;
	struct disk disk;
	struct record *record;
	struct slot_secret *key;
	struct volume_key *volume_key;
	char target[sizeof(((struct disk *)0)->key_file)]; /* the key file, "" for the vault */
	struct disk_result *result;
};

static void relocating_done(struct relocating *relocating)
{
	record_free(relocating->record);
	slot_secret_free(relocating->key);
	volume_key_free(relocating->volume_key);
}

/* ---- where key files may be ---- */

/* Whether the folder lies on the plaintext of a disk that is open now. */
static cof_result is_on_plaintext(const struct relocating *relocating, const struct disk *disk,
				  bool *ret_is, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *plaintext = NULL;
	struct disk_open_state state;

	*ret_is = false;
	TRY(disk_state_of(relocating->paths, disk->name, &state, err));
	if (!state.open || cof_failed(device_find(state.device, &plaintext, NULL)))
		return COF_OK;
	return disk_carries(plaintext, relocating->spec->folder, ret_is, err);
}

/* A key must not lie on the disk that it opens, nor on one that only a key file opens: then two
 * disks could come to hold each other's keys. */
static cof_result check_carriers(const struct relocating *relocating, struct cof_error *err)
{
	const struct disk *own = &relocating->disk;
	bool lies = false;

	if (!relocating->target[0])
		return COF_OK;
	TRY(disk_carries(relocating->device, relocating->spec->folder, &lies, err));
	for (size_t i = 0; i < relocating->set->count && !lies; i++) {
		const struct disk *disk = &relocating->set->items[i];
		bool is_own = strcmp(disk->name, own->name) == 0;

		if (!is_own && !disk->key_only)
			continue;
		TRY(is_on_plaintext(relocating, disk, &lies, err));
		ENSURE(!lies || is_own, err, COF_E_REFUSED, own->name,
		       "%s lies on %s, whose own key is in a file alone: should that be gone, so "
		       "would this key",
		       relocating->spec->folder, disk->name);
	}
	ENSURE(!lies, err, COF_E_REFUSED, own->name,
	       "%s lies on this very disk, which its key could not open then",
	       relocating->spec->folder);
	return COF_OK;
}

/* ---- the steps ---- */

/* That a key opens the device, and yields the volume key that all others yielded. */
static cof_result prove(struct relocating *relocating, const struct slot_secret *key,
			struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *proven = NULL;
	const char *node = relocating->device->node;

	TRY(luks_unlock(node, NULL, key, LUKS_ANY_SLOT, &proven, NULL, err));
	if (!relocating->volume_key)
		relocating->volume_key = TAKE(proven);
	else
		ENSURE(ct_equal(volume_key_span(proven), volume_key_span(relocating->volume_key)),
		       err, COF_E_FAILED, node,
		       "the key opens another volume key at its new place");
	return COF_OK;
}

/* Writes the record as it is to be. */
static cof_result save(struct relocating *relocating, bool forget_history, struct cof_error *err)
{
	struct vault_write write = { .record = relocating->record,
				     .forget_history = forget_history };

	json_free(TAKE(relocating->record->meta));
	relocating->record->meta = disk_to_meta(&relocating->disk);
	TRY(vault_commit(relocating->vault, &write, 1, err));
	relocating->result->changed = true;
	return COF_OK;
}

/* What is at the new place already must be this key: from a run that was stopped. */
static cof_result check_existing(const struct relocating *relocating, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *there = NULL;

	TRY(keyfile_read(relocating->target, &there, err));
	if (ct_equal(slot_secret_span(there), slot_secret_span(relocating->key)))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, relocating->target,
			     "exists already, and holds something else than this key"));
	cof_error_try(err, "move it away, once it is known what it opens");
	return (cof_result){ COF_E_REFUSED };
}

/* Step 1: the key file, durable. */
static cof_result write_file(const struct relocating *relocating, struct cof_error *err)
{
	const char *target = relocating->target;

	TRY(file_sweep(relocating->spec->folder, path_base(target), err));
	if (path_exists(target)) {
		TRY(check_existing(relocating, err));
		TRY(file_sync_folder_of(target, err));
	} else {
		TRY(keyfile_write(target, slot_secret_span(relocating->key), "", err));
	}
	return fault_point("relocate/written", err);
}

/* Step 2: the key as it is read from the new place opens the device. */
static cof_result prove_file(struct relocating *relocating, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *there = NULL;

	TRY(keyfile_read(relocating->target, &there, err));
	TRY(prove(relocating, there, err));
	return fault_point("relocate/proven", err);
}

/* Step 3: the record names the new place. The vault has its copy before that is the only one. */
static cof_result note_place(struct relocating *relocating, struct cof_error *err)
{
	struct disk *disk = &relocating->disk;
	_cleanup_free_ char *mount = NULL;

	if (relocating->target[0])
		TRY(mount_of(relocating->spec->folder, &mount, err));
	if (!relocating->record->secret) {
		TRY(secret_copy(slot_secret_span(relocating->key), &relocating->record->secret,
				err));
		disk->key_only = false;
	}
	disk_leave_key_file(disk);
	memcpy(disk->key_file, relocating->target, sizeof(disk->key_file));
	(void)snprintf(disk->key_mount, sizeof(disk->key_mount), "%s", mount ? mount : "");
	TRY(save(relocating, false, err));
	return fault_point("relocate/noted", err);
}

/* The key as the new place has it now, proven before anything that is old goes. */
static cof_result prove_place(struct relocating *relocating, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	bool found;

	if (relocating->disk.key_file[0])
		TRY(key_place_read(&relocating->disk, &key, err));
	else
		TRY(disk_key(relocating->vault, relocating->disk.name, &key, &found, err));
	ENSURE(key, err, COF_E_CONFLICT, relocating->disk.name, "its record is gone");
	return prove(relocating, key, err);
}

/* crypttab_edit()'s change: the line of this disk, if it is ours. */
static cof_result set_line(struct crypttab *table, void *context, struct cof_error *err)
{
	const struct relocating *relocating = context;
	const struct disk *disk = &relocating->disk;
	const char *key = disk_line_key(relocating->paths, disk);
	_cleanup_free_ char *options = NULL;
	_cleanup_free_ char *source = NULL;
	struct crypttab_entry line;

	if (!crypttab_find(table, disk->name, &line) ||
	    !disk_line_is_ours(relocating->paths, disk, &line) || strcmp(line.key, key) == 0)
		return COF_OK;
	TRY(adopt_options(line.options, &options, err));
	TRY(path_format(&source, err, "%s", line.source));
	return crypttab_set(table, disk->name, source, key, options, err);
}

/* Step 4: crypttab names the new place. */
static cof_result edit_crypttab(struct relocating *relocating, struct cof_error *err)
{
	TRY(crypttab_edit(relocating->paths->crypttab, set_line, relocating, err));
	return fault_point("relocate/crypttab", err);
}

/* Adds a sentence to the result's note. */
static void __attribute__((format(printf, 2, 3)))
add_note(struct disk_result *result, const char *format, ...)
{
	size_t used = strlen(result->note);
	char text[sizeof(result->note)];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)snprintf(result->note + used, sizeof(result->note) - used, "%s%s", used ? "; " : "",
		       text);
}

/* Step 5: the key file of before goes. The record keeps the name of one whose medium is away. */
static cof_result remove_left(struct relocating *relocating, struct cof_error *err)
{
	struct disk *disk = &relocating->disk;
	char limits[KEY_PLACE_LIMITS_CHARS];

	if (!disk->key_left[0])
		return COF_OK;
	if (strcmp(disk->key_left, disk->key_file) != 0) {
		if (key_left_is_away(disk))
			return COF_OK;
		TRY(key_place_shred(disk->key_left, limits, err));
		if (limits[0])
			add_note(relocating->result,
				 "the old file is gone, but %s: coffer key rotate makes that "
				 "worthless",
				 limits);
		TRY(fault_point("relocate/shredded", err));
	}
	disk->key_left[0] = '\0';
	disk->left_mount[0] = '\0';
	TRY(save(relocating, false, err));
	return fault_point("relocate/removed", err);
}

/* Step 6: with --only the vault forgets the key, without it gets it back. */
static cof_result settle_copy(struct relocating *relocating, struct cof_error *err)
{
	struct disk *disk = &relocating->disk;
	bool only = relocating->spec->only;

	if (disk->key_only == only && (relocating->record->secret != NULL) == !only)
		return COF_OK;
	disk->key_only = only;
	secret_free(TAKE(relocating->record->secret));
	if (!only)
		TRY(secret_copy(slot_secret_span(relocating->key), &relocating->record->secret,
				err));
	TRY(save(relocating, only, err));
	return fault_point("relocate/settled", err);
}

/* ---- one disk ---- */

/* Finds the disk and its device. */
static cof_result find(struct relocating *relocating, const struct disk_finder *finder,
		       const char *typed, struct cof_error *err)
{
	struct disk_result *result = relocating->result;
	const struct disk *disk;
	char why_not[384];
	dev_t number;

	TRY(disk_lookup(relocating->set, typed, &disk, &number, err));
	(void)snprintf(result->name, sizeof(result->name), "%s", disk->name);
	(void)snprintf(result->uuid, sizeof(result->uuid), "%s", disk->uuid);
	ENSURE(disk->ready, err, COF_E_REFUSED, disk->name, "is %s: coffer disk %s finishes that",
	       disk_work_word(disk), disk_work_verb(disk));
	TRY(cof_explain(disk_finder_find(finder, disk, &relocating->device, err), err,
			"attach the disk: a key moves only when it is seen to open its disk",
			"the key of %s stays where it is", disk->name));
	ENSURE(!number || relocating->device->number == number, err, COF_E_REFUSED, disk->name,
	       "both %s and %s have its header", typed, relocating->device->node);
	ENSURE(disk_is_device(disk, relocating->device, why_not, sizeof(why_not)), err,
	       COF_E_REFUSED, disk->name, "%s is another device: %s", relocating->device->node,
	       why_not);
	(void)snprintf(result->source, sizeof(result->source), "%s", relocating->device->node);
	return COF_OK;
}

/* No rotation is under way, which would end with a key that is not at the new place. */
static cof_result check_rotation(const struct relocating *relocating, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *journal = NULL;
	bool found;

	TRY(vault_get(relocating->vault, DISK_ROTATION_KIND, relocating->disk.name, &journal,
		      &found, err));
	if (!found)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, relocating->disk.name,
			     "is getting a new key, which was not finished"));
	cof_error_try(err, "coffer key rotate %s", relocating->disk.name);
	return (cof_result){ COF_E_REFUSED };
}

/* The record has room for one file that is still to be removed. */
static cof_result check_left(const struct relocating *relocating, struct cof_error *err)
{
	const struct disk *disk = &relocating->disk;
	char word[SHELL_WORD_CHARS];

	if (!disk->key_file[0] || !key_left_is_away(disk) ||
	    strcmp(disk->key_file, relocating->target) == 0)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, disk->name,
			     "its key file of before, %s, is on a medium that is away",
			     disk->key_left));
	cof_error_try(err, "mount %s; or coffer key rotate %s, which makes that file worthless",
		      shell_word(disk->left_mount, word), disk->name);
	return (cof_result){ COF_E_REFUSED };
}

/* Reads the record and the key, and proves that it opens the device. */
static cof_result load(struct relocating *relocating, struct cof_error *err)
{
	const char *name = relocating->result->name;
	bool found;

	TRY(vault_get(relocating->vault, DISK_KIND, name, &relocating->record, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, name, "its record is gone from the vault");
	TRY(disk_from_meta(relocating->record->meta, &relocating->disk, err));
	TRY(check_rotation(relocating, err));
	TRY(disk_record_key(relocating->record, &relocating->key, err));
	TRY(cof_explain(prove(relocating, relocating->key, err), err,
			"coffer key history, for older keys of this disk",
			"the key of %s stays where it is", name));
	if (!relocating->spec->folder)
		return check_left(relocating, err);
	ENSURE((size_t)snprintf(relocating->target, sizeof(relocating->target), "%s/%s%s",
				relocating->spec->folder, name,
				KEY_FILE_SUFFIX) < sizeof(relocating->target),
	       err, COF_E_USAGE, relocating->spec->folder,
	       "makes the key file's path longer than %zu bytes", sizeof(relocating->target) - 1);
	TRY(check_left(relocating, err));
	return check_carriers(relocating, err);
}

/* Says what a person should know of the key's new place. */
static void describe(const struct relocating *relocating)
{
	struct disk_result *result = relocating->result;
	const struct disk *disk = &relocating->disk;
	struct stat status;

	if (key_left_is_away(disk))
		add_note(result,
			 "%.120s is on a medium that is away, and may open the disk: coffer key "
			 "rotate makes it worthless",
			 disk->key_left);
	if (!relocating->target[0])
		return;
	add_note(result, "%s%s", relocating->target,
		 relocating->spec->only ? ", and no other copy in the vault"
					: ", and the vault has it as well");
	if (stat(relocating->target, &status) == 0 && (status.st_mode & 077) != 0)
		add_note(result, "others can read it: mount %.64s with umask=077", disk->key_mount);
	if (strcmp(disk->key_mount, "/") == 0)
		add_note(result, "it lies with the system: who takes the machine has it");
}

/* Gives one disk's key its place. */
static cof_result relocate_one(struct relocating *relocating, struct cof_error *err)
{
	struct disk *disk = &relocating->disk;
	bool moves;

	TRY(load(relocating, err));
	moves = strcmp(disk->key_file, relocating->target) != 0;
	if (relocating->spec->dry_run) {
		relocating->result->state = "planned";
		if (moves && path_exists(relocating->target))
			TRY(check_existing(relocating, err));
		describe(relocating);
		return COF_OK;
	}
	/* What a run to another place has left undone comes first: the record has room for one. */
	if (moves && disk->key_left[0]) {
		TRY(prove_place(relocating, err));
		TRY(edit_crypttab(relocating, err));
		TRY(remove_left(relocating, err));
	}
	if (moves && relocating->target[0]) {
		TRY(write_file(relocating, err));
		TRY(prove_file(relocating, err));
	}
	if (moves)
		TRY(note_place(relocating, err));
	TRY(prove_place(relocating, err));
	TRY(edit_crypttab(relocating, err));
	TRY(remove_left(relocating, err));
	TRY(settle_copy(relocating, err));
	describe(relocating);
	return fault_point("relocate/done", err);
}

cof_result key_relocate(struct vault *vault, const struct paths *paths, const char *const names[],
			size_t count, const struct key_relocate_spec *spec,
			struct progress *progress, struct disk_result results[],
			struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	_cleanup_fd_ int lock = -1;

	for (size_t i = 0; i < count; i++)
		disk_result_start(&results[i], names[i]);
	TRY(disk_fail_all(disk_format_lock(paths, &lock, err), results, count, err));
	TRY(disk_fail_all(key_relocate_check(paths, spec, err), results, count, err));
	TRY(disk_fail_all(disk_set_load(vault, &set, err), results, count, err));
	TRY(disk_fail_all(key_relocate_check_mounted(&set, spec, err), results, count, err));
	TRY(disk_fail_all(disk_finder_init(&finder, err), results, count, err));
	for (size_t i = 0; i < count; i++) {
		_cleanup_(relocating_done) struct relocating relocating = { .vault = vault,
									    .paths = paths,
									    .spec = spec,
									    .set = &set,
									    .result = &results[i] };
		struct cof_error failure = { 0 };
		cof_result done;

		progress_step(progress, i, names[i], "moving its key");
		done = find(&relocating, &finder, names[i], &failure);
		if (!cof_failed(done))
			done = relocate_one(&relocating, &failure);
		if (cof_failed(done))
			disk_result_fail(&results[i], &failure);
		if (!spec->dry_run)
			disk_audit(vault, paths, AUDIT_KEY_RELOCATE, &results[i], 1);
		progress_end(progress, i, results[i].name, results[i].state);
	}
	return disk_first_failure(results, count, err);
}
