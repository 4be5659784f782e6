/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How an import ends: undone, or with the removal of what is old.
 */

#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_result.h"
#include "fault.h"
#include "file.h"
#include "key_place.h"
#include "name_list.h"
#include "passphrase.h"
#include "quantastor.h"
#include "quantastor_record.h"
#include "tabfile.h"

/* What ending the import of one disk knows. */
struct ending {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_set *set;
	const struct disk_finder *finder;
	struct record *record; /* of the import */
	struct quantastor_origin origin;
	const struct disk *disk; /* NULL: the vault has forgotten it */
	bool dry_run;
	struct disk_result *result;
};

void quantastor_end_done(struct quantastor_end *end)
{
	name_list_free(end->names);
	free(end->results);
	*end = (struct quantastor_end){ 0 };
}

/* Whether a key opens the disk's device; false where that is not there. */
static bool opens_device(const struct ending *ending, const struct slot_secret *key)
{
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	const struct device *device;

	return !cof_failed(disk_finder_find(ending->finder, ending->disk, &device, NULL)) &&
	       !cof_failed(luks_unlock(device->node, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL,
				       NULL));
}

/* ---- undo ---- */

/* The key file must open the disk by itself before the vault forgets the key. */
static cof_result check_file(const struct ending *ending, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *file = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	const char *name = ending->result->name;
	bool found;

	TRY(cof_explain(keyfile_read(ending->origin.key_file, &file, err), err,
			"put the key file back; or coffer import quantastor --done",
			"the vault keeps the key of %s", name));
	TRY(disk_key(ending->vault, name, &key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, name, "its record is gone from the vault");
	if (ct_equal(slot_secret_span(file), slot_secret_span(key)) || opens_device(ending, file))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, name,
			     "has a new key since, and %s does not open it any more",
			     ending->origin.key_file));
	cof_error_try(err, "coffer import quantastor --done, since there is no way back");
	return (cof_result){ COF_E_REFUSED };
}

/* crypttab_edit()'s change: the line of before, or none. A line that is not ours stays. */
static cof_result restore_line(struct crypttab *table, void *context, struct cof_error *err)
{
	const struct ending *ending = context;
	const struct quantastor_origin *origin = &ending->origin;
	struct crypttab_entry line;

	if (!crypttab_find(table, ending->disk->name, &line) ||
	    !disk_line_is_ours(ending->paths, ending->disk, &line))
		return COF_OK;
	if (!origin->has_line) {
		crypttab_remove(table, ending->disk->name);
		return COF_OK;
	}
	return crypttab_set(table, ending->disk->name, origin->line_source, origin->line_key,
			    origin->line_options, err);
}

/* The vault forgets the disk, in one transaction. */
static cof_result forget(const struct ending *ending, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *disk = NULL;
	_cleanup_(record_freep) struct record *copy = NULL;
	struct vault_write writes[3] = { { .record = ending->record, .remove = true } };
	size_t count = 1;
	bool found;

	TRY(vault_get(ending->vault, DISK_KIND, ending->result->name, &disk, &found, err));
	if (found)
		writes[count++] = (struct vault_write){ .record = disk, .remove = true };
	TRY(vault_get(ending->vault, DISK_HEADER_KIND, ending->result->name, &copy, &found, err));
	if (found)
		writes[count++] = (struct vault_write){ .record = copy, .remove = true };
	TRY(vault_commit(ending->vault, writes, count, err));
	disk_proof_remove(ending->paths, ending->result->name);
	return fault_point("import/forgotten", err);
}

/* A disk that another verb has changed is not as it was imported. */
static cof_result check_unchanged(const struct ending *ending, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *rotation = NULL;
	const struct disk *disk = ending->disk;
	bool found;

	ENSURE(strcmp(disk->uuid, ending->origin.uuid) == 0, err, COF_E_REFUSED, disk->name,
	       "has another header since: its UUID is %s, imported was %s", disk->uuid,
	       ending->origin.uuid);
	if (disk->key_file[0]) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, disk->name, "has its key in %s since",
				     disk->key_file));
		cof_error_try(err, "coffer key relocate %s --to vault", disk->name);
		return (cof_result){ COF_E_REFUSED };
	}
	TRY(vault_get(ending->vault, DISK_ROTATION_KIND, disk->name, &rotation, &found, err));
	ENSURE(!found, err, COF_E_REFUSED, disk->name,
	       "is getting a new key: coffer key rotate %s finishes that", disk->name);
	return COF_OK;
}

/* Undoes the import of one disk. */
static cof_result undo_one(struct ending *ending, struct cof_error *err)
{
	if (ending->disk) {
		TRY(check_unchanged(ending, err));
		TRY(check_file(ending, err));
	}
	if (ending->dry_run)
		return COF_OK;
	if (ending->disk)
		TRY(crypttab_edit(ending->paths->crypttab, restore_line, ending, err));
	TRY(fault_point("import/line-back", err));
	TRY(forget(ending, err));
	ending->result->changed = true;
	return COF_OK;
}

/* ---- done ---- */

/* No line of crypttab needs the key file any more. */
static cof_result check_lines(const struct ending *ending, struct cof_error *err)
{
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct crypttab_entry line;

	TRY(crypttab_load(ending->paths->crypttab, &crypttab, err));
	for (size_t i = 0; crypttab_at(crypttab, i, &line); i++) {
		if (strcmp(line.key, ending->origin.key_file) != 0)
			continue;
		cof_ignore(cof_raise(err, COF_E_REFUSED, ending->origin.key_file,
				     "is named in line %zu of %s still", line.line,
				     ending->paths->crypttab));
		cof_error_try(err, "coffer disk repair-crypttab, or change that line");
		return (cof_result){ COF_E_REFUSED };
	}
	return COF_OK;
}

/* The key in the vault opens the disk, as the device is now. */
static cof_result check_vault(const struct ending *ending, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	const char *name = ending->result->name;
	const struct device *device;
	bool found;

	ENSURE(ending->disk && ending->disk->ready, err, COF_E_REFUSED, name,
	       "is not in the vault: coffer import quantastor finishes that");
	TRY(cof_explain(disk_finder_find(ending->finder, ending->disk, &device, err), err,
			"attach the disk: the key file goes only when the vault's key opens it",
			"the key file of %s stays", name));
	TRY(disk_key(ending->vault, name, &key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, name, "its record is gone from the vault");
	TRY(cof_explain(luks_unlock(device->node, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL, err),
			err, NULL, "the key in the vault does not open %s (%s)", name,
			device->node));
	return check_lines(ending, err);
}

/* Overwrites and removes a file of before. */
static cof_result remove_file(const struct ending *ending, const char *path, struct cof_error *err)
{
	char limits[KEY_PLACE_LIMITS_CHARS];

	TRY(key_place_shred(path, limits, err));
	if (limits[0])
		(void)snprintf(ending->result->note, sizeof(ending->result->note),
			       "%s: coffer key rotate makes that worthless", limits);
	return fault_point("import/shredded", err);
}

/* Removes what is old of one disk. */
static cof_result finish_one(struct ending *ending, struct cof_error *err)
{
	struct vault_write write = { .record = ending->record };
	_cleanup_json_ struct json *before = NULL;

	TRY(check_vault(ending, err));
	if (ending->dry_run)
		return COF_OK;
	TRY(remove_file(ending, ending->origin.key_file, err));
	if (ending->origin.header_file[0])
		TRY(remove_file(ending, ending->origin.header_file, err));
	/* The origin borrows its texts from the meta of before. */
	ending->origin.done = true;
	before = TAKE(ending->record->meta);
	ending->record->meta = quantastor_origin_to_meta(&ending->origin);
	TRY(vault_commit(ending->vault, &write, 1, err));
	ending->result->changed = true;
	return fault_point("import/finished", err);
}

/* ---- both ---- */

/* What one ending does with each disk. */
typedef cof_result (*end_one)(struct ending *ending, struct cof_error *err);

/* Reads the record of an import; NULL where it is of another folder, or done. */
static cof_result load(struct ending *ending, const char *folder, const char *name,
		       struct cof_error *err)
{
	bool found;

	TRY(vault_get(ending->vault, DISK_IMPORT_KIND, name, &ending->record, &found, err));
	if (!found)
		return COF_OK;
	TRY(quantastor_origin_of(ending->record, &ending->origin, err));
	if (ending->origin.done || strcmp(ending->origin.folder, folder) != 0)
		record_free(TAKE(ending->record));
	ending->disk = disk_set_find(ending->set, name, NULL);
	return COF_OK;
}

/* One disk: its result is there also where nothing was to be done. */
static cof_result end_disk(struct ending *ending, const char *folder, const char *name, end_one end,
			   struct quantastor_end *ends, const char *event, struct cof_error *err)
{
	struct cof_error failure = { 0 };

	TRY(load(ending, folder, name, err));
	if (!ending->record)
		return COF_OK;
	ending->result = &ends->results[ends->count++];
	disk_result_start(ending->result, name);
	ending->result->state = ending->dry_run ? "planned" : "closed";
	if (cof_failed(end(ending, &failure)))
		disk_result_fail(ending->result, &failure);
	if (!ending->dry_run)
		disk_audit(ending->vault, ending->paths, event, ending->result, 1);
	return COF_OK;
}

/* Ends the import of every disk from a folder. */
static cof_result end_all(struct ending *shared, const char *folder, end_one end, const char *event,
			  struct quantastor_end *ret_end, struct cof_error *err)
{
	_cleanup_(quantastor_end_done) struct quantastor_end ends = { 0 };
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	_cleanup_fd_ int lock = -1;

	TRY(disk_format_lock(shared->paths, &lock, err));
	TRY(disk_set_load(shared->vault, &set, err));
	TRY(disk_finder_init(&finder, err));
	TRY(vault_names(shared->vault, DISK_IMPORT_KIND, &ends.names, err));
	ends.results = calloc(name_list_count(ends.names) + 1, sizeof(*ends.results));
	ENSURE(ends.results, err, COF_E_NOMEM, NULL, "no memory for the results");
	for (char **name = ends.names; *name; name++) {
		struct ending ending = *shared;
		cof_result ended;

		ending.set = &set;
		ending.finder = &finder;
		ended = end_disk(&ending, folder, *name, end, &ends, event, err);
		record_free(ending.record);
		TRY(ended);
	}

	*ret_end = ends;
	ends = (struct quantastor_end){ 0 };
	return disk_first_failure(ret_end->results, ret_end->count, err);
}

cof_result quantastor_undo(struct vault *vault, const struct paths *paths, const char *folder,
			   bool dry_run, struct quantastor_end *ret_end, struct cof_error *err)
{
	struct ending ending = { .vault = vault, .paths = paths, .dry_run = dry_run };

	return end_all(&ending, folder, undo_one, AUDIT_IMPORT_UNDO, ret_end, err);
}

/* Removes the folders once they are empty; what else is in them keeps them. */
static void remove_folders(const char *folder)
{
	static const char *const below[] = { "/keys", "/headers", "" };

	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		_cleanup_free_ char *path = NULL;

		if (!cof_failed(path_format(&path, NULL, "%s%s", folder, below[i])))
			(void)rmdir(path);
	}
}

cof_result quantastor_finish(struct vault *vault, const struct paths *paths, const char *folder,
			     bool dry_run, struct quantastor_end *ret_end, struct cof_error *err)
{
	struct ending ending = { .vault = vault, .paths = paths, .dry_run = dry_run };

	TRY(end_all(&ending, folder, finish_one, AUDIT_IMPORT_DONE, ret_end, err));
	if (!dry_run)
		remove_folders(folder);
	return COF_OK;
}
