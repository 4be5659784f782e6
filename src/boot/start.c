/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer start: volumes, file systems in the order in which they lie on each other, services in the
 * order of the list.
 */

#include <stdio.h>
#include <string.h>

#include "boot_unit.h"
#include "fault.h"
#include "file.h"
#include "luks.h"
#include "name_list.h"
#include "work.h"

/* ---- volumes ---- */

/* Notes that the stored key opens the header, by which a stop knows it without the vault. Without
 * the note a stop asks for the vault. */
static void note_proof(const struct boot_work *work, const struct disk_open_state *state)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	bool found = false;

	if (!cof_failed(disk_key(work->vault, state->name, &key, &found, NULL)) && found &&
	    !cof_failed(luks_unlock(state->source, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL,
				    NULL)) &&
	    !cof_failed(luks_copy_header(state->source, &copy, NULL)))
		cof_ignore(disk_proof_write(work->vault, work->boot->paths, state->name,
					    buffer_span(&copy), NULL));
}

/* A volume that is open: systemd may have waited for the key since the boot, and have opened it as
 * soon as the vault was unlocked. */
static void keep_open(const struct boot_work *work, const struct disk_open_state *state,
		      struct boot_step *step)
{
	if (!work->vault || work->dry_run || disk_proof_exists(work->boot->paths, state->name))
		return;
	note_proof(work, state);
	step->changed = work->boot->bus != NULL;
}

/* Has systemd open it, where systemd has a unit for it. The key server gives it the key. */
static cof_result open_through_systemd(const struct boot_work *work, const char *name,
				       struct disk_open_state *ret_state, struct cof_error *err)
{
	_cleanup_(bus_unit_done) struct bus_unit unit = { 0 };
	char escaped[BOOT_UNIT_MAX_CHARS + 1];
	char service[BOOT_UNIT_MAX_CHARS + 64];

	if (!boot_escape(name, ".service", escaped))
		return COF_OK;
	(void)snprintf(service, sizeof(service), "systemd-cryptsetup@%s", escaped);
	TRY(bus_look(work->boot->bus, service, &unit, err));
	if (!unit.known)
		return COF_OK;
	TRY(bus_run(work->boot->bus, BUS_START, service, BOOT_JOB_TIMEOUT_MS, err));
	TRY(disk_state_of(work->boot->paths, name, ret_state, err));
	if (ret_state->open)
		note_proof(work, ret_state);
	return COF_OK;
}

/* Opens it with the vault's key, in whichever backend this kernel has. */
static cof_result open_directly(const struct boot_work *work, const char *name,
				struct boot_step *step, struct cof_error *err)
{
	struct disk_open_spec spec = { 0 };
	struct disk_result result = { 0 };

	TRY(disk_open(work->vault, work->boot->paths, &name, 1, &spec, NULL, &result, err));
	(void)snprintf(step->note, sizeof(step->note), "%s", result.note);
	return COF_OK;
}

/* Whether the device is there, or the file: systemd would wait for it until it loses patience. */
static cof_result find_source(const char *source, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;

	if (source[0] != '/')
		return device_find(source, &device, err);
	ENSURE(path_exists(source), err, COF_E_NOENT, source, "there is no such device or file");
	return COF_OK;
}

/* One volume. */
static cof_result start_volume(const struct boot_work *work, const struct boot_volume *volume,
			       struct boot_step *step, struct cof_error *err)
{
	struct disk_open_state state = { 0 };

	TRY(disk_state_of(work->boot->paths, volume->name, &state, err));
	step->state = "open";
	if (state.open) {
		keep_open(work, &state, step);
		return COF_OK;
	}
	TRY(cof_explain(find_source(volume->source, err), err,
			"attach the disk, then the same again", "the volume %s cannot be opened",
			volume->name));
	step->changed = true;
	if (work->dry_run) {
		step->state = "planned";
		return COF_OK;
	}
	if (work->boot->bus)
		TRY(cof_explain(open_through_systemd(work, volume->name, &state, err), err, NULL,
				"systemd could not open the volume %s", volume->name));
	if (!state.open)
		TRY(open_directly(work, volume->name, step, err));
	return fault_point("start/opened", err);
}

/* ---- file systems ---- */

/* Whether a step has failed, or was not done because of one that has. */
static bool is_down(const struct boot_work *work, enum boot_kind kind, const char *name)
{
	for (size_t i = 0; i < work->count; i++) {
		const struct boot_step *step = work->steps[i];

		if (step->kind == kind && strcmp(step->name, name) == 0)
			return strcmp(step->state, "failed") == 0 ||
			       strcmp(step->state, "waiting") == 0;
	}
	return false;
}

/* What a file system has to wait for, in words; "" for nothing. */
static void find_missing(const struct boot_work *work, const struct boot_mount *mount, char *out,
			 size_t out_size_bytes)
{
	if (mount->volume[0] && is_down(work, BOOT_VOLUME, mount->volume)) {
		(void)snprintf(out, out_size_bytes, "its volume %s is not open", mount->volume);
		return;
	}
	for (size_t i = 0; i < work->count; i++) {
		const struct boot_step *step = work->steps[i];

		if (step->kind == BOOT_MOUNT && boot_is_below(mount->path, step->name) &&
		    is_down(work, BOOT_MOUNT, step->name))
			(void)snprintf(out, out_size_bytes, "%.400s is not mounted", step->name);
	}
}

/* Has systemd check and mount it. */
static cof_result mount_through_systemd(const struct boot_work *work, const char *path,
					struct cof_error *err)
{
	char unit[BOOT_UNIT_MAX_CHARS + 1];
	char remedy[BOOT_UNIT_MAX_CHARS + 64];

	ENSURE(boot_mount_unit(path, unit), err, COF_E_UNSUPPORTED, path,
	       "is too long for a unit's name");
	(void)snprintf(remedy, sizeof(remedy), "systemctl status '%s'", unit);
	return cof_explain(bus_run(work->boot->bus, BUS_START, unit, BOOT_JOB_TIMEOUT_MS, err), err,
			   remedy, "systemd could not mount %s", path);
}

/* One file system. */
static cof_result start_mount(const struct boot_work *work, const char *path,
			      struct boot_step *step, struct cof_error *err)
{
	const struct boot_mount *mount = boot_mount_find(&work->boot->tables, path);
	bool corrected = false;

	step->state = "mounted";
	if (boot_is_mounted(path))
		return COF_OK;
	ENSURE(mount, err, COF_E_NOENT, path, "is no mount point of %s", work->boot->paths->fstab);
	find_missing(work, mount, step->note, sizeof(step->note));
	if (step->note[0]) {
		step->state = "waiting";
		return COF_OK;
	}
	step->changed = true;
	if (work->dry_run) {
		step->state = "planned";
		return COF_OK;
	}
	if (work->boot->bus)
		TRY(mount_through_systemd(work, path, err));
	else
		TRY(boot_mount_plain(work->boot, mount, &corrected, err));
	ENSURE(boot_is_mounted(path), err, COF_E_FAILED, path, "is not there after it was mounted");
	if (corrected)
		(void)snprintf(step->note, sizeof(step->note), "fsck has corrected errors");
	return fault_point("start/mounted", err);
}

/* ---- services ---- */

/* One service. */
static cof_result start_service(const struct boot_work *work, const struct boot_wait *wait,
				struct boot_step *step, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **mounts = NULL;

	TRY(boot_wait_mounts(wait, &work->boot->tables, &mounts, err));
	step->state = "waiting";
	if (!mounts[0])
		(void)snprintf(step->note, sizeof(step->note),
			       "fstab has no file system on a volume of the vault");
	for (char **path = mounts; *path && !step->note[0]; path++)
		if (work->dry_run ? is_down(work, BOOT_MOUNT, *path) : !boot_is_mounted(*path))
			(void)snprintf(step->note, sizeof(step->note), "%.400s is not mounted",
				       *path);
	if (step->note[0])
		return COF_OK;
	step->state = "running";
	TRY(boot_service_start(work, wait->unit, &step->changed, err));
	if (work->dry_run && step->changed)
		step->state = "planned";
	return fault_point("start/service", err);
}

/* ---- all of it ---- */

/* Each of one kind after the other; only what ends everything is passed up. */
static cof_result start_all(struct boot_work *work, char *const mounts[], struct cof_error *err)
{
	const struct boot *boot = work->boot;
	struct boot_step *step;

	for (size_t i = 0; i < boot->tables.volume_count; i++) {
		TRY(boot_step_begin(work, BOOT_VOLUME, boot->tables.volumes[i].name, &step, err));
		boot_step_end(work, step,
			      start_volume(work, &boot->tables.volumes[i], step, &step->error));
	}
	for (size_t i = 0; mounts[i]; i++) {
		TRY(boot_step_begin(work, BOOT_MOUNT, mounts[i], &step, err));
		boot_step_end(work, step, start_mount(work, mounts[i], step, &step->error));
	}
	for (size_t i = 0; i < boot->list.count; i++) {
		TRY(boot_step_begin(work, BOOT_SERVICE, boot->list.waits[i].unit, &step, err));
		boot_step_end(work, step,
			      start_service(work, &boot->list.waits[i], step, &step->error));
	}
	return COF_OK;
}

cof_result boot_start(struct boot_work *work, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **mounts = NULL;
	struct boot *boot = work->boot;

	TRY(boot_all_mounts(&boot->list, &boot->tables, &mounts, err));
	/* fstab and crypttab may have changed since systemd read them. */
	if (boot->bus && !work->dry_run)
		TRY(bus_reload(boot->bus, err));
	TRY(start_all(work, mounts, err));
	if (work->failure.code != COF_E_NONE) {
		if (err)
			*err = work->failure;
		return (cof_result){ work->failure.code };
	}
	/* All that it wants is there: a service that has done its work would do it again. */
	if (boot->bus && !work->dry_run)
		return bus_run(boot->bus, BUS_START_ALONE, BOOT_TARGET, BOOT_JOB_TIMEOUT_MS, err);
	return COF_OK;
}
