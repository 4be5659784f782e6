/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk open: from a name to a block device with the plaintext.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_audit.h"
#include "disk_result.h"
#include "number.h"
#include "parallel.h"

/* What all threads of one `disk open` share. */
struct opening {
	struct vault *vault;
	pthread_mutex_t vault_lock; /* a vault is for one thread at a time */
	const struct paths *paths;
	const char *const *names;
	const struct disk_open_spec *spec;
	const struct disk_set *set;
	const struct disk_finder *finder;
	struct progress *progress;
	struct disk_result *results;
};

/* The record that a typed name means: a volume's name, or a device with a record's header; then
 * that device and no other is to be opened. */
static cof_result find_record(const struct opening *opening, const char *name,
			      const struct disk **ret_disk, dev_t *ret_device,
			      struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	struct luks_info info;
	const struct disk *disk = disk_set_find(opening->set, name, NULL);
	bool is_luks;

	*ret_device = 0;
	if (disk) {
		*ret_disk = disk;
		return COF_OK;
	}
	TRY(disk_device_find(name, &device, err));
	*ret_device = device->number;
	for (size_t i = 0; i < opening->set->count && !disk; i++) {
		if (disk_has_stable_name(&opening->set->items[i], device))
			disk = &opening->set->items[i];
	}
	TRY(luks_probe(device->node, &is_luks, err));
	if (is_luks && !cof_failed(luks_read(device->node, NULL, &info, NULL))) {
		const struct disk *by_uuid = disk_set_find(opening->set, NULL, info.uuid);

		disk = by_uuid ? by_uuid : disk;
	}
	if (!disk && is_luks) {
		cof_ignore(
			cof_raise(err, COF_E_NOENT, device->node, "the vault has no key for it"));
		cof_error_try(err, "coffer disk open %s --key-file FILE", device->node);
		return (cof_result){ COF_E_NOENT };
	}
	ENSURE(disk, err, COF_E_NOENT, device->node, "has no LUKS header and no record");
	*ret_disk = disk;
	return COF_OK;
}

/* Takes the key out of the vault, one thread at a time. */
static cof_result take_key(struct opening *opening, const char *name, struct slot_secret **ret_key,
			   struct cof_error *err)
{
	cof_result result;
	bool found = false;

	(void)pthread_mutex_lock(&opening->vault_lock);
	result = disk_key(opening->vault, name, ret_key, &found, err);
	(void)pthread_mutex_unlock(&opening->vault_lock);
	TRY(result);
	ENSURE(found, err, COF_E_NOENT, name, "its record is gone from the vault");
	return COF_OK;
}

/* Notes what the header was like when the stored key opened it; only closing needs it. */
static void note_proof(struct opening *opening, const struct disk *disk, const char *source)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	if (cof_failed(luks_copy_header(source, &copy, NULL)))
		return;
	(void)pthread_mutex_lock(&opening->vault_lock);
	cof_ignore(disk_proof_write(opening->vault, opening->paths, disk->name, buffer_span(&copy),
				    NULL));
	(void)pthread_mutex_unlock(&opening->vault_lock);
}

/* A header that another tool has changed is copied; one that is not as its copy does not keep the
 * data away, but is told. */
static void keep_copy(struct opening *opening, const struct disk *disk, const char *source,
		      const struct slot_secret *key, struct disk_result *result)
{
	struct cof_error error = { 0 };
	cof_result kept;

	(void)pthread_mutex_lock(&opening->vault_lock);
	kept = disk_refresh_copy(opening->vault, opening->paths, disk->name, source, key, &error);
	(void)pthread_mutex_unlock(&opening->vault_lock);
	if (!cof_failed(kept))
		note_proof(opening, disk, source);
	else
		(void)snprintf(result->note, sizeof(result->note),
			       "its header is not as its copy in the vault: coffer disk header "
			       "check %s",
			       disk->name);
}

/* The vault learns what the unlocking has proven: that a header which a killed format has written
 * is complete, or that the user was right to say that this is the disk. */
static cof_result update_record(struct opening *opening, const struct disk *disk,
				const struct device *device, bool other_facts,
				struct cof_error *err)
{
	bool looks = disk_is_changing(disk) && opening->spec->read_only;
	cof_result result = COF_OK;

	if ((disk->ready && !other_facts) || looks)
		return COF_OK;
	(void)pthread_mutex_lock(&opening->vault_lock);
	result = disk_update(opening->vault, opening->paths, disk->name, device, err);
	(void)pthread_mutex_unlock(&opening->vault_lock);
	return result;
}

/* A device that has grown has a volume that has grown with it, which a person should know. The
 * record takes the size over: it is told once, and a smaller device is refused from now on. */
static void tell_growth(struct opening *opening, const struct disk *disk,
			const struct device *device, struct disk_result *result)
{
	size_t used = strlen(result->note);
	char before[16];
	char now[16];

	if (disk->size_bytes == 0 || device->size_bytes <= disk->size_bytes)
		return;
	(void)snprintf(result->note + used, sizeof(result->note) - used,
		       "%sthe device has grown from %s to %s, and the volume with it",
		       used ? "; " : "", size_format(disk->size_bytes, before),
		       size_format(device->size_bytes, now));
	/* The disk is open; what cannot be noted now is noticed again at the next opening. */
	if (!opening->spec->test_only)
		cof_ignore(update_record(opening, disk, device, true, NULL));
}

/* Unlocks @device with the stored key and, unless this is a test, activates it. */
static cof_result open_device(struct opening *opening, const struct disk *disk,
			      const struct device *device, bool other_facts,
			      struct disk_result *result, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	struct disk_open_state state;

	TRY(take_key(opening, disk->name, &key, err));
	TRY(cof_explain(luks_unlock(device->node, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL, err),
			err, "coffer key history, for older keys of this disk",
			"the key in the vault does not open %s (%s)", disk->name, device->node));
	if (opening->spec->dry_run)
		TRY(disk_check_free(opening->paths, device, disk->name, err));
	if (opening->spec->test_only) {
		result->state = "proven";
		result->did = "would open";
		tell_growth(opening, disk, device, result);
		return COF_OK;
	}
	TRY(update_record(opening, disk, device, other_facts, err));
	TRY(disk_activate(opening->paths, device->node, NULL, disk->name, volume_key,
			  opening->spec->read_only || device->read_only, err));
	keep_copy(opening, disk, device->node, key, result);
	TRY(disk_state_of(opening->paths, disk->name, &state, err));
	ENSURE(state.open, err, COF_E_FAILED, disk->name, "is not there after it was opened");
	disk_result_open(result, &state);
	result->changed = true;
	tell_growth(opening, disk, device, result);
	return COF_OK;
}

/* A device was typed, and another one has the header: neither is what the user meant for sure. */
static cof_result refuse_clone(const struct disk *disk, const char *typed, const char *other,
			       struct cof_error *err)
{
	cof_ignore(cof_raise(err, COF_E_REFUSED, disk->name, "both %s and %s have its header",
			     typed, other));
	cof_error_try(err, "detach the copy, or name the disk: coffer disk open %s", disk->name);
	return (cof_result){ COF_E_REFUSED };
}

/* Whether @node is the device @number. */
static bool is_device(const char *node, dev_t number)
{
	struct stat status;

	return stat(node, &status) == 0 && S_ISBLK(status.st_mode) && status.st_rdev == number;
}

/* The volume is open: under this name must be this disk, and on the device that was typed. */
static cof_result check_open(const struct disk *disk, const struct disk_open_state *state,
			     const char *typed, dev_t number, struct cof_error *err)
{
	ENSURE(strcmp(state->uuid, disk->uuid) == 0, err, COF_E_REFUSED, disk->name,
	       "another volume is open under this name: its UUID is %s, the record says %s",
	       state->uuid, disk->uuid);
	if (number && !is_device(state->source, number) && !is_device(state->device, number))
		return refuse_clone(disk, typed, state->source, err);
	return COF_OK;
}

/* The answer where the volume is open already. */
static cof_result answer_open(const struct opening *opening, const struct disk *disk,
			      struct disk_open_state *state, const char *typed, dev_t number,
			      struct disk_result *result, struct cof_error *err)
{
	TRY(check_open(disk, state, typed, number, err));
	TRY(disk_check_mode(state, disk->name, opening->spec->read_only, err));
	/* A command that was killed may have left it without its stable name. */
	if (strcmp(state->backend, "user") == 0 && !opening->spec->dry_run)
		TRY(engine_link(opening->paths, disk->name, err));
	TRY(disk_state_of(opening->paths, disk->name, state, err));
	disk_result_open(result, state);
	return COF_OK;
}

/* Opens @device; where another command has opened the volume since this one looked, that is the
 * answer. */
static cof_result open_or_answer(struct opening *opening, const struct disk *disk,
				 const struct device *device, bool other_facts, const char *typed,
				 struct disk_result *result, struct cof_error *err)
{
	struct cof_error busy = { 0 };
	struct disk_open_state state;
	cof_result opened = open_device(opening, disk, device, other_facts, result, &busy);

	if (opened.code == COF_E_BUSY && !opening->spec->test_only &&
	    !cof_failed(disk_state_of(opening->paths, disk->name, &state, NULL)) && state.open)
		return answer_open(opening, disk, &state, typed, device->number, result, err);
	if (cof_failed(opened) && err)
		*err = busy;
	return opened;
}

/* A disk that somebody wanted to be unreadable is not opened by the way. */
static cof_result refuse_half_destroyed(const struct disk *disk, struct cof_error *err)
{
	if (disk->ready || disk->work != DISK_WORK_DESTROY)
		return COF_OK;
	cof_ignore(
		cof_raise(err, COF_E_REFUSED, disk->name, "is half-destroyed, and was not opened"));
	cof_error_try(err,
		      "coffer disk destroy %s, which finishes it; --force opens it, if its "
		      "header is whole, and the vault keeps it",
		      disk->name);
	return (cof_result){ COF_E_REFUSED };
}

/* A disk whose data are in the middle of being changed is not opened; with --force one of which all
 * data have changed, but not into what they should be, so that a person can look at them. */
static cof_result refuse_changing(const struct opening *opening, const struct disk *disk,
				  const char *node, struct cof_error *err)
{
	struct luks_info info;

	if (disk_is_changing(disk) && opening->spec->force &&
	    !cof_failed(luks_read(node, NULL, &info, NULL)) && !info.reencrypting)
		return COF_OK;
	return disk_refuse_changing(disk, err);
}

/* One disk: from what was typed to its result. */
static cof_result open_one(struct opening *opening, size_t index, struct disk_result *result,
			   struct cof_error *err)
{
	const char *name = opening->names[index];
	const struct device *device;
	const struct disk *disk;
	struct disk_open_state state;
	char why_not[384];
	bool is_same;
	dev_t number;

	TRY(find_record(opening, name, &disk, &number, err));
	(void)snprintf(result->name, sizeof(result->name), "%s", disk->name);
	(void)snprintf(result->uuid, sizeof(result->uuid), "%s", disk->uuid);
	TRY(disk_state_of(opening->paths, disk->name, &state, err));
	if (state.open && (!opening->spec->test_only || opening->spec->dry_run))
		return answer_open(opening, disk, &state, name, number, result, err);
	if (!opening->spec->force)
		TRY(refuse_half_destroyed(disk, err));
	progress_step(opening->progress, index, disk->name, "unlocking");
	if (disk_is_changing(disk) &&
	    (!opening->spec->force ||
	     cof_failed(disk_finder_find(opening->finder, disk, &device, NULL))))
		return disk_refuse_changing(disk, err);
	TRY(disk_finder_find(opening->finder, disk, &device, err));
	TRY(refuse_changing(opening, disk, device->node, err));
	(void)snprintf(result->source, sizeof(result->source), "%s", device->node);
	if (number && device->number != number)
		return refuse_clone(disk, name, device->node, err);
	is_same = disk_is_device(disk, device, why_not, sizeof(why_not));
	if (!opening->spec->force && !is_same) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, disk->name, "%s is another device: %s",
				     device->node, why_not));
		cof_error_try(err,
			      "coffer disk open %s --force, if the device was replaced on purpose",
			      disk->name);
		return (cof_result){ COF_E_REFUSED };
	}
	TRY(open_or_answer(opening, disk, device, !is_same, name, result, err));
	progress_end(opening->progress, index, disk->name, result->state);
	return COF_OK;
}

/* parallel_each()'s work. */
static void open_work(size_t index, void *context)
{
	struct opening *opening = context;
	struct disk_result *result = &opening->results[index];

	if (cof_failed(open_one(opening, index, result, &result->error))) {
		result->state = "failed";
		progress_end(opening->progress, index, result->name, "failed");
	}
}

cof_result disk_open(struct vault *vault, const struct paths *paths, const char *const names[],
		     size_t count, const struct disk_open_spec *spec, struct progress *progress,
		     struct disk_result results[], struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	struct opening opening = { .vault = vault,
				   .vault_lock = PTHREAD_MUTEX_INITIALIZER,
				   .paths = paths,
				   .names = names,
				   .spec = spec,
				   .set = &set,
				   .finder = &finder,
				   .progress = progress,
				   .results = results };

	for (size_t i = 0; i < count; i++)
		disk_result_start(&results[i], names[i]);
	TRY(disk_fail_all(disk_set_load(vault, &set, err), results, count, err));
	TRY(disk_fail_all(disk_finder_init(&finder, err), results, count, err));
	parallel_each(count, open_work, &opening);
	disk_audit(vault, paths, spec->test_only ? AUDIT_KEY_USE : AUDIT_DISK_OPEN, results, count);
	return disk_first_failure(results, count, err);
}
