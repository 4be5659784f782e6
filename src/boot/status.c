/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status.h"

#include <stdio.h>
#include <string.h>

#include "boot_unit.h"
#include "disk.h"
#include "name_list.h"

void boot_status_done(struct boot_status *status)
{
	for (size_t i = 0; i < status->count; i++) {
		struct boot_unit_status *unit = &status->units[i];

		free(unit->unit);
		free(unit->enabled);
		name_list_free(unit->mounts);
		name_list_free(unit->missing);
		name_list_free(unit->starters);
	}
	free(status->units);
	name_list_free(status->risks);
	*status = (struct boot_status){ 0 };
}

/* Why something is not mounted, as far as one can see. */
static void explain_missing(const struct boot *boot, const char *path,
			    struct boot_unit_status *unit)
{
	const struct boot_mount *mount = boot_mount_find(&boot->tables, path);
	struct disk_open_state state = { 0 };

	if (!mount)
		(void)snprintf(unit->reason, sizeof(unit->reason), "%.300s is no line of fstab",
			       path);
	else if (!mount->volume[0])
		(void)snprintf(unit->reason, sizeof(unit->reason), "%.300s is not mounted", path);
	else if (cof_failed(disk_state_of(boot->paths, mount->volume, &state, NULL)) || !state.open)
		(void)snprintf(unit->reason, sizeof(unit->reason),
			       "%.300s is not mounted: the volume %s is closed", path,
			       mount->volume);
	else
		(void)snprintf(unit->reason, sizeof(unit->reason),
			       "%.300s is not mounted, though its volume %s is open", path,
			       mount->volume);
}

/* What systemd says of a unit for which nothing is missing. */
static void read_state(const struct bus_unit *found, struct boot_unit_status *unit)
{
	if (strcmp(found->active, "active") == 0) {
		unit->state = "running";
	} else if (strcmp(found->active, "failed") == 0) {
		unit->state = "failed";
		(void)snprintf(unit->reason, sizeof(unit->reason), "%s%s",
			       found->result[0] ? "its result is " : "", found->result);
	} else if (strcmp(found->active, "inactive") == 0) {
		unit->state = "stopped";
	} else {
		unit->state = "starting";
	}
}

/* Asks systemd about the unit. */
static cof_result ask_bus(const struct boot *boot, struct boot_unit_status *unit,
			  struct cof_error *err)
{
	_cleanup_(bus_unit_done) struct bus_unit found = { 0 };

	TRY(bus_look(boot->bus, unit->unit, &found, err));
	free(unit->enabled);
	unit->enabled = TAKE(found.enabled);
	name_list_free(unit->starters);
	unit->starters = TAKE(found.starters);
	if (!found.known) {
		unit->state = "unknown-unit";
		(void)snprintf(unit->reason, sizeof(unit->reason), "there is no such unit");
	} else if (unit->missing[0] && strcmp(found.active, "active") == 0) {
		unit->state = "running";
		(void)snprintf(unit->reason, sizeof(unit->reason),
			       "it was started before it had to wait: %.300s is not mounted",
			       unit->missing[0]);
	} else if (!unit->missing[0]) {
		read_state(&found, unit);
	}
	return COF_OK;
}

/* One unit. */
static cof_result look_unit(const struct boot *boot, const struct boot_wait *wait,
			    struct boot_unit_status *unit, struct cof_error *err)
{
	TRY(text_copy(wait->unit, &unit->unit, err));
	TRY(text_copy("", &unit->enabled, err));
	TRY(name_list_new(&unit->missing, err));
	TRY(name_list_new(&unit->starters, err));
	TRY(boot_wait_mounts(wait, &boot->tables, &unit->mounts, err));
	for (size_t i = 0; unit->mounts[i]; i++)
		if (!boot_is_mounted(unit->mounts[i]))
			TRY(name_list_add(&unit->missing, unit->mounts[i], err));
	unit->state = unit->missing[0] || !unit->mounts[0] ? "waiting" : "ready";
	if (unit->missing[0])
		explain_missing(boot, unit->missing[0], unit);
	else if (!unit->mounts[0])
		(void)snprintf(unit->reason, sizeof(unit->reason),
			       "fstab has no file system on a volume of the vault");
	return boot->bus ? ask_bus(boot, unit, err) : COF_OK;
}

/* Which lines of fstab would keep a boot from coming up. */
static cof_result look_risks(const struct boot *boot, struct boot_status *status,
			     struct cof_error *err)
{
	_cleanup_(name_list_freep) char **mounts = NULL;
	char risk[256];

	TRY(name_list_new(&status->risks, err));
	TRY(boot_all_mounts(&boot->list, &boot->tables, &mounts, err));
	for (size_t i = 0; mounts[i] && boot->list.count > 0; i++) {
		const struct boot_mount *mount = boot_mount_find(&boot->tables, mounts[i]);

		if (mount && boot_mount_risk(mount, risk)[0])
			TRY(name_list_add(&status->risks, risk, err));
	}
	return COF_OK;
}

cof_result boot_status(const struct boot *boot, struct boot_status *ret_status,
		       struct cof_error *err)
{
	_cleanup_(boot_status_done) struct boot_status status = { 0 };

	status.units = calloc(boot->list.count + 1, sizeof(*status.units));
	ENSURE(status.units, err, COF_E_NOMEM, NULL, "no memory for %zu units", boot->list.count);
	status.count = boot->list.count;
	for (size_t i = 0; i < status.count; i++)
		TRY(look_unit(boot, &boot->list.waits[i], &status.units[i], err));
	TRY(look_risks(boot, &status, err));
	*ret_status = status;
	status = (struct boot_status){ 0 };
	return COF_OK;
}
