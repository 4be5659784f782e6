/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key rotate: a new key for a disk, without a moment in which the newest key in the vault does not
 * open it.
 *
 * The record of kind DISK_ROTATION_KIND is the journal. It holds the new key from before its
 * keyslot is made until the old keyslot is gone, and says in its meta
 *   "uuid"      of which header it speaks
 *   "replaced"  which generation of the disk's record held the old key; not there before the
 *               transaction in which that record got the new one
 */

#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_life.h"
#include "disk_result.h"
#include "fault.h"
#include "key_place.h"
#include "luks_header.h"

/* What rotating one disk knows. */
struct rotating {
	struct vault *vault;
	const struct paths *paths;
	const struct disk *disk;
	const char *node;
	struct record *record;	       /* of the disk */
	struct record *journal;	       /* NULL: nothing was begun */
	bool resumed;		       /* by this run, of one that was cut off */
	struct volume_key *volume_key; /* as the present key opens it */
};

static void rotating_done(struct rotating *rotating)
{
	record_free(rotating->record);
	record_free(rotating->journal);
	volume_key_free(rotating->volume_key);
}

/* A record's secret as a key. */
static cof_result key_of(const struct record *record, struct slot_secret **ret_key,
			 struct cof_error *err)
{
	ENSURE(record->secret, err, COF_E_FORMAT, record->name, "has a record without a key");
	return slot_secret_copy(secret_span(record->secret), ret_key, err);
}

/* Whether the disk's record has the new key already. */
static bool is_replaced(const struct rotating *rotating)
{
	return rotating->journal && rotating->record->secret && rotating->journal->secret &&
	       ct_equal(secret_span(rotating->record->secret),
			secret_span(rotating->journal->secret));
}

/* Reads both records. A journal that speaks of another header was left behind by its disk. */
static cof_result read_records(struct rotating *rotating, bool dry_run, struct cof_error *err)
{
	const char *name = rotating->disk->name;
	struct vault_write write = { .remove = true };
	const char *uuid;
	bool found;

	TRY(vault_get(rotating->vault, DISK_KIND, name, &rotating->record, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, name, "its record is gone from the vault");
	TRY(vault_get(rotating->vault, DISK_ROTATION_KIND, name, &rotating->journal, &found, err));
	if (!found)
		return COF_OK;
	uuid = json_get_text(rotating->journal->meta, "uuid");
	rotating->resumed =
		uuid && strcmp(uuid, rotating->disk->uuid) == 0 && rotating->journal->secret;
	if (rotating->resumed)
		return COF_OK;
	write.record = rotating->journal;
	if (!dry_run)
		TRY(vault_commit(rotating->vault, &write, 1, err));
	record_free(TAKE(rotating->journal));
	return COF_OK;
}

/* The header on the device follows from its copy: keyslots came and went, nothing else. */
static cof_result check_copy(const struct rotating *rotating, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *copy = NULL;
	_cleanup_buffer_ struct buffer present = { 0 };
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	bool found;

	TRY(vault_get(rotating->vault, DISK_HEADER_KIND, rotating->disk->name, &copy, &found, err));
	if (!found)
		return COF_OK;
	TRY(luks_copy_header(rotating->node, &present, err));
	TRY(luks_copies_diff(buffer_span(&copy->blob), buffer_span(&present), &diff, err));
	if (diff.same || (!diff.other_header && !diff.went_back && !diff.damaged_slots))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, rotating->node,
			     "its header %s, compared with the copy in the vault",
			     diff.other_header ? "is another one"
			     : diff.went_back  ? "is an older one"
					       : "has a damaged keyslot"));
	cof_error_try(err, "coffer disk header check %s", rotating->disk->name);
	return (cof_result){ COF_E_REFUSED };
}

/* The key file, if there is one, can be given the new key. */
static cof_result check_place(const struct rotating *rotating, const struct slot_secret *key,
			      struct cof_error *err)
{
	/* After a crash it may hold the old key still, which the end of this run sees to. */
	if (rotating->journal)
		return COF_OK;
	return cof_explain(key_place_check(rotating->disk, key, err), err, NULL, "%s keeps its key",
			   rotating->disk->name);
}

/* What must be right before anything is changed: the header, its copy, and the present key. */
static cof_result check(struct rotating *rotating, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct luks_info info;

	TRY(luks_read(rotating->node, NULL, &info, err));
	TRY(disk_check_header(rotating->node, &info, err));
	TRY(key_of(rotating->record, &key, err));
	TRY(cof_explain(luks_unlock(rotating->node, NULL, key, LUKS_ANY_SLOT, &rotating->volume_key,
				    NULL, err),
			err, "coffer key history, for older keys of this disk",
			"the key in the vault does not open %s (%s)", rotating->disk->name,
			rotating->node));
	TRY(check_copy(rotating, err));
	TRY(check_place(rotating, key, err));
	if (!rotating->journal)
		TRY(disk_check_free_slot(rotating->node, &info, err));
	return COF_OK;
}

/* Step 1: the new key durable, read back and mirrored. */
static cof_result store_key(struct rotating *rotating, struct cof_error *err)
{
	struct vault_write write = { 0 };

	if (!rotating->journal) {
		TRY(record_new(DISK_ROTATION_KIND, rotating->disk->name, &rotating->journal, err));
		TRY(secret_random(rotating->record->secret->len, &rotating->journal->secret, err));
		json_set_text(rotating->journal->meta, "uuid", rotating->disk->uuid);
		write.record = rotating->journal;
		TRY(vault_commit(rotating->vault, &write, 1, err));
	}
	return fault_point("rotate/key-durable", err);
}

/* Step 2: its keyslot, opened with the key as the vault has it now. */
static cof_result add_slot(struct rotating *rotating, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *stored = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *proven = NULL;
	cof_result unlocked = { COF_E_KEY };
	bool found;

	TRY(vault_get(rotating->vault, DISK_ROTATION_KIND, rotating->disk->name, &stored, &found,
		      err));
	ENSURE(found, err, COF_E_CONFLICT, rotating->disk->name, "its new key was removed");
	TRY(key_of(stored, &key, err));
	/* A key of this moment opens nothing: trying it would cost each dear keyslot its time. */
	if (rotating->resumed)
		unlocked =
			luks_unlock(rotating->node, NULL, key, LUKS_ANY_SLOT, &proven, NULL, err);
	if (unlocked.code == COF_E_KEY) {
		TRY(luks_slot_add(rotating->node, NULL, rotating->volume_key, key,
				  LUKS_COST_RANDOM_KEY, NULL, err));
		TRY(fault_point("rotate/slot-added", err));
		unlocked =
			luks_unlock(rotating->node, NULL, key, LUKS_ANY_SLOT, &proven, NULL, err);
	}
	TRY(unlocked);
	ENSURE(ct_equal(volume_key_span(rotating->volume_key), volume_key_span(proven)), err,
	       COF_E_FAILED, rotating->node, "the new key opens another volume key than the old");
	return fault_point("rotate/proven", err);
}

/* Step 3: the new key takes the old one's place, together with the header's copy. */
static cof_result replace_key(struct rotating *rotating, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *copy = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct vault_write writes[3] = { 0 };
	size_t count = 0;
	bool same;

	TRY(key_of(rotating->record, &key, err));
	TRY(disk_copy_record(rotating->vault, rotating->paths, rotating->disk->name, rotating->node,
			     key, &copy, &same, err));
	json_set_uint(rotating->journal->meta, "replaced", rotating->record->generation);
	secret_free(TAKE(rotating->record->secret));
	TRY(secret_copy(secret_span(rotating->journal->secret), &rotating->record->secret, err));
	writes[count++] = (struct vault_write){ .record = rotating->record, .keep_history = true };
	writes[count++] = (struct vault_write){ .record = rotating->journal };
	if (!same)
		writes[count++] = (struct vault_write){ .record = copy, .keep_history = true };
	TRY(vault_commit(rotating->vault, writes, count, err));
	return fault_point("rotate/replaced", err);
}

/* Whether a mirror has the vault as it is now; one that is only behind with the vault's own header,
 * which another tool has changed, has every key of a disk. */
static bool is_up_to_date(const struct vault_mirror *mirror, uint32_t epoch, uint64_t revision)
{
	return mirror->state == MIRROR_CURRENT ||
	       (mirror->state == MIRROR_BEHIND && mirror->epoch == epoch &&
		mirror->revision == revision);
}

/* The first mirror whose copy has the old key alone; @ret_found is false when there is none. */
static cof_result find_behind(struct vault *vault, struct vault_mirror *ret_mirror, bool *ret_found,
			      struct cof_error *err)
{
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	uint64_t revision;
	size_t count;

	*ret_found = false;
	TRY(vault_mirrors(vault, &mirrors, &count, err));
	TRY(vault_revision(vault, &revision, err));
	for (size_t i = 0; i < count && !*ret_found; i++) {
		*ret_found = !is_up_to_date(&mirrors[i], vault_epoch(vault), revision);
		*ret_mirror = mirrors[i];
	}
	return COF_OK;
}

/* Where a mirror has the old key alone, that key must go on opening the disk: should the vault be
 * lost, the mirror is all there is. One that is back gets the new key first. */
static cof_result check_mirrors(const struct rotating *rotating, bool dry_run,
				struct cof_error *err)
{
	struct vault_mirror behind;
	bool found;

	TRY(find_behind(rotating->vault, &behind, &found, err));
	if (found && !dry_run) {
		TRY(vault_sync(rotating->vault, err));
		TRY(find_behind(rotating->vault, &behind, &found, err));
	}
	if (!found || (dry_run && behind.state == MIRROR_BEHIND))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, rotating->disk->name,
			     "%s a new key, and the old one %s valid: the mirror %s %s the new one",
			     dry_run ? "would get" : "has", dry_run ? "would stay" : "stays",
			     behind.folder, dry_run ? "would not get" : "has not got"));
	if (behind.reason[0])
		cof_error_cause(err, "%s", behind.reason);
	cof_error_try(err,
		      "coffer key rotate %s once the mirror can be written; --without-mirrors "
		      "takes the old key away now",
		      rotating->disk->name);
	return (cof_result){ COF_E_REFUSED };
}

/* Step 4: the key file, if there is one, gets the new key, while the old one still opens. */
static cof_result renew_file(const struct rotating *rotating, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;

	TRY(key_of(rotating->record, &key, err));
	TRY(key_place_follow(rotating->disk, key, err));
	return fault_point("rotate/file-renewed", err);
}

/* Step 5: the old key's keyslot goes, once the new key is proven again, as the vault has it. */
static cof_result remove_old_slot(struct rotating *rotating, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *old = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *old_key = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *proven = NULL;
	_cleanup_(volume_key_freep) struct volume_key *old_proven = NULL;
	uint64_t generation = json_get_uint(rotating->journal->meta, "replaced", 0);
	cof_result unlocked;
	int old_slot;
	int slot;
	bool found;

	TRY(disk_key(rotating->vault, rotating->disk->name, &key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, rotating->disk->name, "its record is gone");
	TRY(luks_unlock(rotating->node, NULL, key, LUKS_ANY_SLOT, &proven, &slot, err));
	TRY(vault_get_generation(rotating->vault, DISK_KIND, rotating->disk->name, generation, &old,
				 &found, err));
	if (found) {
		TRY(key_of(old, &old_key, err));
		unlocked = luks_unlock(rotating->node, NULL, old_key, LUKS_ANY_SLOT, &old_proven,
				       &old_slot, err);
		if (unlocked.code != COF_E_KEY) {
			TRY(unlocked);
			ENSURE(old_slot != slot, err, COF_E_FAILED, rotating->node,
			       "the old and the new key open the same keyslot");
			TRY(luks_slot_remove(rotating->node, NULL, old_slot, err));
		}
	}
	volume_key_free(TAKE(proven));
	TRY(luks_unlock(rotating->node, NULL, key, slot, &proven, NULL, err));
	return fault_point("rotate/old-removed", err);
}

/* A key file that nothing could remove, since its medium is away, opens nothing any more: the
 * record forgets it. @ret_forgot: the record is to be written */
static cof_result forget_left(struct rotating *rotating, bool *ret_forgot, struct cof_error *err)
{
	struct disk disk;

	TRY(disk_from_meta(rotating->record->meta, &disk, err));
	*ret_forgot = key_left_is_away(&disk);
	if (!*ret_forgot)
		return COF_OK;
	disk.key_left[0] = '\0';
	disk.left_mount[0] = '\0';
	json_free(TAKE(rotating->record->meta));
	rotating->record->meta = disk_to_meta(&disk);
	return COF_OK;
}

/* Step 6: the header's copy again, and nothing is under way any more. */
static cof_result finish(struct rotating *rotating, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *copy = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct vault_write writes[3] = { { .record = rotating->journal, .remove = true } };
	size_t count = 1;
	bool forgot;
	bool same;

	TRY(key_of(rotating->record, &key, err));
	TRY(disk_copy_record(rotating->vault, rotating->paths, rotating->disk->name, rotating->node,
			     key, &copy, &same, err));
	/* The copy with both keyslots was for the moment between: nobody will want it back. */
	if (!same)
		writes[count++] = (struct vault_write){ .record = copy };
	TRY(forget_left(rotating, &forgot, err));
	if (forgot)
		writes[count++] = (struct vault_write){ .record = rotating->record };
	TRY(vault_commit(rotating->vault, writes, count, err));
	disk_proof_renew(rotating->vault, rotating->paths, rotating->disk->name, rotating->node);
	return fault_point("rotate/done", err);
}

/* What `key rotate` works on. */
struct rotation {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_set *set;
	const struct disk_finder *finder;
	const struct disk_rotate_spec *spec;
};

/* A key that the vault has no copy of is not its to replace. */
static cof_result check_copy_of_key(const struct disk *disk, struct cof_error *err)
{
	if (!disk->key_only)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, disk->name,
			     "its key is in the file %s alone, and would be in the vault then",
			     disk->key_file));
	cof_error_try(err, "coffer key relocate %s --to vault, then rotate, then relocate again",
		      disk->name);
	return (cof_result){ COF_E_REFUSED };
}

/* Finds the disk and its device. */
static cof_result find(const struct rotation *rotation, const char *typed,
		       struct rotating *rotating, struct disk_result *result, struct cof_error *err)
{
	const struct device *device;
	char why_not[384];
	dev_t number;

	TRY(disk_lookup(rotation->set, typed, &rotating->disk, &number, err));
	(void)snprintf(result->name, sizeof(result->name), "%s", rotating->disk->name);
	(void)snprintf(result->uuid, sizeof(result->uuid), "%s", rotating->disk->uuid);
	TRY(disk_check_work(rotating->disk, DISK_WORK_FORMAT, err));
	ENSURE(rotating->disk->ready, err, COF_E_REFUSED, rotating->disk->name,
	       "is being formatted, which was not finished");
	TRY(check_copy_of_key(rotating->disk, err));
	TRY(disk_finder_find(rotation->finder, rotating->disk, &device, err));
	ENSURE(!number || device->number == number, err, COF_E_REFUSED, rotating->disk->name,
	       "both %s and %s have its header", typed, device->node);
	ENSURE(disk_is_device(rotating->disk, device, why_not, sizeof(why_not)), err, COF_E_REFUSED,
	       rotating->disk->name, "%s is another device: %s", device->node, why_not);
	ENSURE(!device->read_only, err, COF_E_REFUSED, device->node,
	       "is read-only: it cannot be given a keyslot");
	rotating->node = device->node;
	(void)snprintf(result->source, sizeof(result->source), "%s", device->node);
	return COF_OK;
}

/* Gives one disk a new key. */
static cof_result rotate_one(const struct rotation *rotation, const char *typed,
			     struct disk_result *result, struct cof_error *err)
{
	_cleanup_(rotating_done) struct rotating rotating = { .vault = rotation->vault,
							      .paths = rotation->paths };
	struct disk_open_state state;

	TRY(find(rotation, typed, &rotating, result, err));
	TRY(disk_state_of(rotation->paths, rotating.disk->name, &state, err));
	if (state.open)
		disk_result_open(result, &state);
	TRY(read_records(&rotating, rotation->spec->dry_run, err));
	TRY(check(&rotating, err));
	if (rotation->spec->dry_run) {
		result->state = "planned";
		return rotation->spec->without_mirrors ? COF_OK
						       : check_mirrors(&rotating, true, err);
	}
	if (!is_replaced(&rotating)) {
		result->changed = true;
		TRY(store_key(&rotating, err));
		TRY(add_slot(&rotating, err));
		TRY(replace_key(&rotating, err));
	}
	TRY(renew_file(&rotating, err));
	if (!rotation->spec->without_mirrors)
		TRY(check_mirrors(&rotating, false, err));
	result->changed = true;
	TRY(remove_old_slot(&rotating, err));
	return finish(&rotating, err);
}

cof_result disk_rotate(struct vault *vault, const struct paths *paths, const char *const names[],
		       size_t count, const struct disk_rotate_spec *spec, struct progress *progress,
		       struct disk_result results[], struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	struct rotation rotation = {
		.vault = vault, .paths = paths, .set = &set, .finder = &finder, .spec = spec
	};
	_cleanup_fd_ int lock = -1;

	for (size_t i = 0; i < count; i++)
		disk_result_start(&results[i], names[i]);
	TRY(disk_fail_all(disk_format_lock(paths, &lock, err), results, count, err));
	TRY(disk_fail_all(disk_set_load(vault, &set, err), results, count, err));
	TRY(disk_fail_all(disk_finder_init(&finder, err), results, count, err));
	/* One after the other: each has transactions of its own, so that a stop splits none. */
	for (size_t i = 0; i < count; i++) {
		struct cof_error failure = { 0 };

		progress_step(progress, i, names[i], "rotating its key");
		if (cof_failed(rotate_one(&rotation, names[i], &results[i], &failure)))
			disk_result_fail(&results[i], &failure);
		if (!spec->dry_run)
			disk_audit(vault, paths, AUDIT_KEY_ROTATE, &results[i], 1);
		progress_end(progress, i, results[i].name, results[i].state);
	}
	return disk_first_failure(results, count, err);
}
