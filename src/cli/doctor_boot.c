/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `coffer doctor` looks at of the next boot: lines of fstab, and units that wait.
 */

#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "name_list.h"
#include "status.h"

/* A mount that stops the boot of a machine whose vault is locked. */
static cof_result note_mount(struct doctor *doctor, const struct boot *boot, const char *path,
			     struct cof_error *err)
{
	const struct boot_mount *mount = boot_mount_find(&boot->tables, path);
	char remedy[512];
	char risk[256];

	if (!mount || !boot_mount_risk(mount, risk)[0])
		return COF_OK;
	(void)snprintf(remedy, sizeof(remedy), "put nofail into the options of this line of %.300s",
		       doctor->call->paths->fstab);
	return finding_note(&doctor->gathered.list, AREA_SYSTEM, COF_E_REFUSED, "", remedy, err,
			    "%s", risk);
}

/* A unit of the list that cannot come up. */
static cof_result note_unit(struct doctor *doctor, const struct boot *boot,
			    const struct boot_unit_status *unit, struct cof_error *err)
{
	bool unknown = boot->bus ? strcmp(unit->state, "unknown-unit") == 0
				 : !boot_unit_exists(boot->paths, unit->unit);
	char remedy[384];

	if (!unknown && strcmp(unit->state, "failed") != 0)
		return COF_OK;
	(void)snprintf(remedy, sizeof(remedy),
		       unknown ? "coffer boot remove %s" : "systemctl status %s", unit->unit);
	return finding_note(&doctor->gathered.list, AREA_SYSTEM, COF_E_FAILED, unit->unit, remedy,
			    err, "%s",
			    unknown ? "waits for the vault's volumes, and there is no such unit"
				    : "has failed");
}

cof_result doctor_boot(struct doctor *doctor, struct cof_error *err)
{
	_cleanup_(boot_closep) struct boot *boot = NULL;
	_cleanup_(boot_status_done) struct boot_status status = { 0 };
	_cleanup_(name_list_freep) char **mounts = NULL;

	TRY(boot_open(doctor->call->paths, &boot, err));
	TRY(boot_status(boot, &status, err));
	TRY(boot_all_mounts(&boot->list, &boot->tables, &mounts, err));
	for (size_t i = 0; mounts[i]; i++)
		TRY(note_mount(doctor, boot, mounts[i], err));
	for (size_t i = 0; i < status.count; i++)
		TRY(note_unit(doctor, boot, &status.units[i], err));
	return COF_OK;
}
