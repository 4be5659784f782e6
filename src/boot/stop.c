/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer stop: services, file systems and volumes down, each after what lies on it.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "boot_unit.h"
#include "fault.h"
#include "name_list.h"
#include "work.h"

/* ---- the proof ---- */

/* Proves that the stored key opens a volume again, before anything that uses it is stopped. */
static cof_result prove_volume(const struct boot_work *work, const char *name,
			       struct cof_error *err)
{
	struct disk_close_spec spec = { .prove = true };
	struct disk_result result = { 0 };

	return disk_close(work->vault, work->boot->paths, &name, 1, &spec, NULL, &result, err);
}

/* All that are open; nothing is touched unless each is proven. */
static cof_result prove_all(struct boot_work *work, struct cof_error *err)
{
	const struct boot *boot = work->boot;

	for (size_t i = 0; i < boot->tables.volume_count && !work->force; i++) {
		const char *name = boot->tables.volumes[i].name;
		struct disk_open_state state;

		TRY(disk_state_of(boot->paths, name, &state, err));
		if (state.open)
			TRY(prove_volume(work, name, err));
	}
	return COF_OK;
}

/* ---- the steps ---- */

static cof_result stop_service(const struct boot_work *work, const char *unit,
			       struct boot_step *step, struct cof_error *err)
{
	step->state = "stopped";
	TRY(boot_service_stop(work, unit, &step->changed, err));
	if (work->dry_run && step->changed)
		step->state = "planned";
	return fault_point("stop/service", err);
}

/* Whether what is mounted lies on one of the vault's volumes, as fstab or the device itself says.
 * Other file systems that somebody waits for are none of ours to take away. */
static bool is_ours(const struct boot_work *work, const char *path)
{
	const struct boot *boot = work->boot;
	const struct boot_mount *mount = boot_mount_find(&boot->tables, path);
	struct stat place;

	if (mount && mount->volume[0])
		return true;
	for (size_t i = 0; i < boot->tables.volume_count && stat(path, &place) == 0; i++) {
		struct disk_open_state state = { 0 };
		struct stat device;

		if (!cof_failed(disk_state_of(boot->paths, boot->tables.volumes[i].name, &state,
					      NULL)) &&
		    state.open && stat(state.device, &device) == 0 &&
		    device.st_rdev == place.st_dev)
			return true;
	}
	return false;
}

/* Whether a file system could not be taken away, or was not to be. */
static bool is_still_up(const struct boot_step *step)
{
	return strcmp(step->state, "unmounted") != 0 && strcmp(step->state, "planned") != 0;
}

/* What is still mounted below a mount point; NULL for nothing. */
static const struct boot_step *mounted_below(const struct boot_work *work, const char *path)
{
	for (size_t i = 0; i < work->count; i++) {
		const struct boot_step *step = work->steps[i];

		if (step->kind == BOOT_MOUNT && boot_is_below(step->name, path) &&
		    is_still_up(step))
			return step;
	}
	return NULL;
}

static cof_result stop_mount(const struct boot_work *work, const char *path, struct boot_step *step,
			     struct cof_error *err)
{
	const struct boot_step *below = mounted_below(work, path);

	step->state = "unmounted";
	if (!boot_is_mounted(path))
		return COF_OK;
	if (below || !is_ours(work, path)) {
		step->state = "mounted";
		if (below)
			(void)snprintf(step->note, sizeof(step->note), "%.400s is still mounted",
				       below->name);
		else
			(void)snprintf(step->note, sizeof(step->note),
				       "lies on no volume of the vault");
		return COF_OK;
	}
	step->changed = true;
	if (work->dry_run) {
		step->state = "planned";
		return COF_OK;
	}
	TRY(boot_unmount(work, path, err));
	return fault_point("stop/unmounted", err);
}

/* Has systemd close what systemd has opened, so that it knows. */
static void close_through_systemd(const struct boot_work *work, const char *name)
{
	_cleanup_(bus_unit_done) struct bus_unit unit = { 0 };
	char escaped[BOOT_UNIT_MAX_CHARS + 1];
	char service[BOOT_UNIT_MAX_CHARS + 64];

	if (!boot_escape(name, ".service", escaped))
		return;
	(void)snprintf(service, sizeof(service), "systemd-cryptsetup@%s", escaped);
	/* What it does not do is done, or named, after it. */
	if (!cof_failed(bus_look(work->boot->bus, service, &unit, NULL)) && unit.known &&
	    strcmp(unit.active, "inactive") != 0)
		cof_ignore(bus_run(work->boot->bus, BUS_STOP, service, BOOT_JOB_TIMEOUT_MS, NULL));
}

/* The mount on a volume that could not be taken away; NULL for none. */
static const struct boot_step *mounted_on(const struct boot_work *work, const char *volume)
{
	for (size_t i = 0; i < work->count; i++) {
		const struct boot_mount *mount =
			boot_mount_find(&work->boot->tables, work->steps[i]->name);

		if (work->steps[i]->kind == BOOT_MOUNT && mount &&
		    strcmp(mount->volume, volume) == 0 && is_still_up(work->steps[i]))
			return work->steps[i];
	}
	return NULL;
}

static cof_result stop_volume(const struct boot_work *work, const char *name,
			      struct boot_step *step, struct cof_error *err)
{
	struct disk_close_spec spec = { .force = work->force };
	const struct boot_step *mounted = mounted_on(work, name);
	struct disk_result result = { 0 };
	struct disk_open_state state;

	TRY(disk_state_of(work->boot->paths, name, &state, err));
	step->state = "closed";
	step->changed = state.open || state.dead;
	if (!step->changed)
		return COF_OK;
	if (mounted) {
		step->state = "open";
		step->changed = false;
		(void)snprintf(step->note, sizeof(step->note), "%.400s is still mounted",
			       mounted->name);
		return COF_OK;
	}
	if (work->dry_run) {
		step->state = "planned";
		return COF_OK;
	}
	if (work->boot->bus)
		close_through_systemd(work, name);
	TRY(disk_close(work->vault, work->boot->paths, &name, 1, &spec, NULL, &result, err));
	(void)snprintf(step->note, sizeof(step->note), "%s", result.note);
	disk_proof_remove(work->boot->paths, name);
	return fault_point("stop/closed", err);
}

/* Each of one kind after the other; only what ends everything is passed up. */
static cof_result stop_all(struct boot_work *work, char *const mounts[], struct cof_error *err)
{
	const struct boot *boot = work->boot;
	struct boot_step *step;

	for (size_t i = boot->list.count; i-- > 0;) {
		const char *unit = boot->list.waits[i].unit;

		TRY(boot_step_begin(work, BOOT_SERVICE, unit, &step, err));
		boot_step_end(work, step, stop_service(work, unit, step, &step->error));
	}
	for (size_t i = name_list_count(mounts); i-- > 0;) {
		TRY(boot_step_begin(work, BOOT_MOUNT, mounts[i], &step, err));
		boot_step_end(work, step, stop_mount(work, mounts[i], step, &step->error));
	}
	for (size_t i = boot->tables.volume_count; i-- > 0;) {
		const char *name = boot->tables.volumes[i].name;

		TRY(boot_step_begin(work, BOOT_VOLUME, name, &step, err));
		boot_step_end(work, step, stop_volume(work, name, step, &step->error));
	}
	return COF_OK;
}

cof_result boot_stop(struct boot_work *work, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **mounts = NULL;
	struct boot *boot = work->boot;

	TRY(boot_all_mounts(&boot->list, &boot->tables, &mounts, err));
	TRY(cof_explain(prove_all(work, err), err,
			"coffer stop --force, which goes on without the proof",
			"nothing was stopped: a volume could not be opened again"));
	TRY(stop_all(work, mounts, err));
	if (work->failure.code != COF_E_NONE) {
		if (err)
			*err = work->failure;
		return (cof_result){ work->failure.code };
	}
	if (boot->bus && !work->dry_run)
		return bus_run(boot->bus, BUS_STOP, BOOT_TARGET, BOOT_JOB_TIMEOUT_MS, err);
	return COF_OK;
}
