/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `coffer doctor` looks at in the vault, and of its disks.
 */

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "disk_result.h"
#include "doctor.h"
#include "number.h"
#include "unlocking.h"

#define ROOM_MIN_BYTES (16u << 20) /* our own: some changes of a large vault, and its journal */

/* Says that what needs the keys was not looked at. */
static cof_result note_locked(struct doctor *doctor, struct cof_error *err)
{
	struct cof_error locked = { .code = COF_E_LOCKED };

	(void)snprintf(locked.text, sizeof(locked.text), "the vault is locked");
	(void)snprintf(locked.cause, sizeof(locked.cause),
		       "records, seals, mirrors, the headers of disks and crypttab were not "
		       "compared with the keys");
	(void)snprintf(locked.remedy, sizeof(locked.remedy),
		       "coffer unlock; or --passphrase-file FILE; --fast leaves all that out");
	return finding_add(&doctor->gathered.list, AREA_VAULT, &locked, err);
}

/* Which whole copy is to take the place of a damaged keystore. */
static void add_remedies(struct doctor *doctor)
{
	struct finding_list *list = &doctor->gathered.list;

	for (size_t i = 0; i < list->count; i++) {
		struct cof_error *error = &list->items[i].error;

		if (strcmp(list->items[i].area, AREA_VAULT) == 0)
			cof_ignore(vault_explain_damage(doctor->call->paths,
							(cof_result){ error->code }, error));
	}
}

/* A whole copy beside a keystore that cannot be read is what mends that, and no damage itself. */
static void keep_copies_apart(struct doctor *doctor)
{
	struct finding_list *list = &doctor->gathered.list;

	for (size_t i = 0; i < list->count && doctor->gathered.facts.keystore_unknown; i++) {
		struct finding *finding = &list->items[i];

		if (strcmp(finding->area, AREA_MIRRORS) != 0 || finding->error.code != COF_E_AUTH)
			continue;
		finding->advice = true;
		finding->error.remedy[0] = '\0';
	}
}

/* Whether the keys can be had without a question. */
static cof_result can_unlock(struct doctor *doctor, bool *ret_can, struct cof_error *err)
{
	struct agent_status agent = { 0 };

	*ret_can = false;
	if (doctor->fast)
		return COF_OK;
	TRY(agent_query(doctor->call->paths, &agent, err));
	*ret_can = cli_is_given(doctor->call) || agent.unlocked;
	return COF_OK;
}

/* Where a mirror has a copy there was a vault: that it is not there is damage. */
static cof_result raise_absent(const struct doctor *doctor, struct cof_error *err)
{
	_cleanup_free_ struct vault_copy *copies = NULL;
	cof_result absent = cli_raise_absent(doctor->call, err);
	size_t count = 0;

	cof_ignore(vault_copies(doctor->call->paths, &copies, &count, NULL));
	if (count > 0 && err)
		err->code = COF_E_FORMAT;
	return absent;
}

cof_result doctor_vault(struct doctor *doctor, struct cof_error *err)
{
	struct status_gathered *gathered = &doctor->gathered;
	struct status_spec spec = { .list_damage = true, .without_keys = doctor->fast };

	if (!vault_exists(doctor->call->paths))
		return raise_absent(doctor, err);
	TRY(can_unlock(doctor, &spec.check, err));
	if (!doctor->fast && !spec.check)
		TRY(note_locked(doctor, err));
	TRY(status_gather(doctor->call, &spec, gathered, err));
	add_remedies(doctor);
	keep_copies_apart(doctor);
	return COF_OK;
}

cof_result doctor_room(struct doctor *doctor, struct cof_error *err)
{
	const char *folder = doctor->call->paths->vault_dir;
	char remedy[512];
	struct statvfs room;
	char free[16];

	/* A folder that is not there is found by the check of the vault. */
	if (statvfs(folder, &room) < 0 ||
	    (uint64_t)room.f_bavail * room.f_frsize >= ROOM_MIN_BYTES)
		return COF_OK;
	(void)snprintf(remedy, sizeof(remedy), "make room in %.400s", folder);
	return finding_note(&doctor->gathered.list, AREA_VAULT, COF_E_NOSPC, folder, remedy, err,
			    "its file system has %s left: the vault soon takes no change",
			    size_format((uint64_t)room.f_bavail * room.f_frsize, free));
}

cof_result doctor_backup(struct doctor *doctor, struct cof_error *err)
{
	return status_backup_findings(&doctor->gathered.backups, true, &doctor->gathered.list, err);
}

/* A vault_visit_aside: advice, which counts for nothing. */
static cof_result advise_aside(const char *path, const char *remedy, void *context,
			       struct cof_error *err)
{
	struct finding aside = { .area = AREA_MIRRORS, .advice = true };

	aside.error.code = COF_E_FAILED;
	(void)snprintf(aside.error.subject, sizeof(aside.error.subject), "%s", path);
	(void)snprintf(aside.error.text, sizeof(aside.error.text),
		       "is a copy of the vault that was set aside");
	(void)snprintf(aside.error.cause, sizeof(aside.error.cause),
		       "it follows no change, and still has the keys of its time");
	(void)snprintf(aside.error.remedy, sizeof(aside.error.remedy),
		       "%.400s, once nothing in it is needed", remedy);
	return finding_list_add(&aside, context, err);
}

cof_result doctor_aside(struct doctor *doctor, struct cof_error *err)
{
	return vault_copies_aside(doctor->gathered.vault, advise_aside, &doctor->gathered.list,
				  err);
}

/* The devices that have the header of a disk, if there are several, in words. */
static size_t name_twins(const struct disk_finder *finder, const struct disk *disk, char *out,
			 size_t room)
{
	size_t count = 0;
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < finder->devices.count; i++) {
		const struct device *device = finder->devices.items[i];

		if (device->multipath_map[0] || strcmp(finder->uuids[i], disk->uuid) != 0)
			continue;
		if (len < room)
			len += (size_t)snprintf(out + len, room - len, "%s%s", count ? " and " : "",
						device->node);
		count++;
	}
	return count;
}

/* Whether the disk called @name is absent, as far as was found out. */
static bool is_absent(const struct status_gathered *gathered, const char *name)
{
	for (size_t i = 0; i < gathered->facts.disk_count; i++)
		if (strcmp(gathered->disks[i].name, name) == 0)
			return strcmp(gathered->disks[i].state, "absent") == 0;
	return false;
}

/* A disk that is not there is no fault of this machine's, but somebody may miss it. */
static cof_result advise_absent(const struct disk *disk, struct finding_list *list,
				struct cof_error *err)
{
	struct finding absent = { .area = AREA_DISKS, .advice = true };

	absent.error.code = COF_E_NOENT;
	(void)snprintf(absent.error.subject, sizeof(absent.error.subject), "%s", disk->name);
	(void)snprintf(absent.error.text, sizeof(absent.error.text), "is not attached%s%s",
		       disk->serial[0] ? ", serial number " : "", disk->serial);
	(void)snprintf(absent.error.remedy, sizeof(absent.error.remedy),
		       "attach it; or coffer disk destroy %s --missing, if it is gone for good",
		       disk->name);
	return finding_list_add(&absent, list, err);
}

cof_result doctor_attached(struct doctor *doctor, struct cof_error *err)
{
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	struct finding_list *list = &doctor->gathered.list;
	char nodes[256];

	TRY(disk_set_load(doctor->gathered.vault, &set, err));
	TRY(disk_finder_init(&finder, err));
	for (size_t i = 0; i < set.count; i++) {
		const struct disk *disk = &set.items[i];

		if (name_twins(&finder, disk, nodes, sizeof(nodes)) > 1)
			TRY(finding_note(
				list, AREA_DISKS, COF_E_REFUSED, disk->name,
				"detach the one that is a copy: what is written to both is "
				"lost",
				err, "its header is on %s", nodes));
		if (is_absent(&doctor->gathered, disk->name))
			TRY(advise_absent(disk, list, err));
	}
	return COF_OK;
}
