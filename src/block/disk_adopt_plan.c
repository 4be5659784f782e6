/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk adopt, first half: what would be done to each device, and what must not be adopted.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "disk_format_job.h"
#include "disk_life.h"
#include "disk_result.h"
#include "key_place.h"
#include "tabfile.h"
#include "twin.h"
#include "usage.h"

#define SLOTS_MAX_LUKS1 8 /* LUKS1 on-disk format 1.2.3, 2.3 */

/* What planning one device may look at. */
struct planning {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_adopt_spec *spec;
	const struct disk_set *set;
	const struct crypttab *crypttab;
	const struct disk_finder *finder;
};

void disk_adopt_plan_done(struct disk_adopt_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		device_free(plan->jobs[i].device);
		record_free(plan->jobs[i].record);
		volume_key_free(plan->jobs[i].volume_key);
		slot_secret_free(plan->jobs[i].secret);
	}
	free(plan->jobs);
	*plan = (struct disk_adopt_plan){ 0 };
}

/* Raises a refusal with its remedy, printf's. */
static cof_result __attribute__((format(printf, 4, 5)))
refuse(struct cof_error *err, const char *subject, const char *text, const char *remedy, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, remedy);
	(void)vsnprintf(line, sizeof(line), remedy, arguments);
	va_end(arguments);
	cof_ignore(cof_raise(err, COF_E_REFUSED, subject, "%s", text));
	cof_error_try(err, "%s", line);
	return (cof_result){ COF_E_REFUSED };
}

cof_result disk_check_header(const char *node, const struct luks_info *info, struct cof_error *err)
{
	if (info->first_damaged || info->second_damaged) {
		cof_ignore(cof_raise(err, COF_E_FORMAT, node,
				     "the %s of its two LUKS headers is damaged",
				     info->first_damaged ? "first" : "second"));
		cof_error_try(err, "coffer disk header repair %s", node);
		return (cof_result){ COF_E_FORMAT };
	}
	if (info->reencrypting)
		return refuse(err, node, "its re-encryption is not finished",
			      "cryptsetup reencrypt --resume-only %s", node);
	return COF_OK;
}

cof_result disk_check_free_slot(const char *node, const struct luks_info *info,
				struct cof_error *err)
{
	size_t slots_max = info->version == 1 ? SLOTS_MAX_LUKS1 : LUKS_SLOTS_MAX;

	if (info->slot_count < slots_max)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, node, "all of its %zu keyslots are taken",
			     slots_max));
	cof_error_try(err,
		      "cryptsetup luksKillSlot %s SLOT, for one that is not needed any more: "
		      "cryptsetup luksDump %s shows them",
		      node, node);
	return (cof_result){ COF_E_REFUSED };
}

/* A header that coffer can add a keyslot to, and open later. */
static cof_result check_header(struct disk_adopt_job *job, struct cof_error *err)
{
	const char *node = job->device->node;

	TRY(cof_explain(luks_read(node, NULL, &job->info, err), err,
			"coffer disk format, for a device that holds nothing; cryptsetup repair, "
			"for one that was encrypted",
			"%s cannot be adopted", node));
	TRY(disk_check_header(node, &job->info, err));
	ENSURE(!job->info.hw_opal && !job->info.integrity[0], err, COF_E_UNSUPPORTED, node,
	       "is encrypted by %s, which coffer does not open",
	       job->info.hw_opal ? "the drive itself" : "the kernel with integrity tags");
	ENSURE(!job->device->read_only, err, COF_E_REFUSED, node,
	       "is read-only: it cannot be given a keyslot");
	ENSURE(job->info.slot_count > 0, err, COF_E_REFUSED, node,
	       "has a LUKS header without any keyslot: nothing opens it");
	return COF_OK;
}

/* In use is fine for what the mapping of this very header is used for, and for nothing else. */
static cof_result check_use(const struct planning *planning, const struct disk_adopt_job *job,
			    struct disk_open_state *state, struct cof_error *err)
{
	const struct device *device = job->device;
	bool one_holder = !device->holders || !device->holders[0] || !device->holders[1];
	_cleanup_fd_ int claim = -1;
	struct usage usage;

	TRY(disk_state_on(planning->paths, device, state, err));
	if (state->open && one_holder) {
		ENSURE(strcmp(state->uuid, job->info.uuid) == 0, err, COF_E_REFUSED, device->node,
		       "is open as %s with another header: its UUID is %s, the device's is %s",
		       state->name, state->uuid, job->info.uuid);
		return COF_OK;
	}
	TRY(usage_find(&block_roots_system, device, &usage, err));
	if (!usage.text[0]) {
		/* Whatever holds it otherwise may write to it. */
		return device_claim(device, true, &claim, err);
	}
	cof_ignore(cof_raise(err, COF_E_REFUSED, device->node, "is in use and was not touched"));
	cof_error_cause(err, "%.255s%.255s", usage.text, usage.detail);
	cof_error_try(err, "%s", usage.remedy);
	return (cof_result){ COF_E_REFUSED };
}

/* No other device is the same disk, or has the same header. */
static cof_result check_twins(const struct planning *planning, const struct disk_adopt_job *job,
			      struct cof_error *err)
{
	const struct disk_finder *finder = planning->finder;
	struct twin twin;
	bool found;

	TRY(twin_find(&block_roots_system, job->device, &twin, &found, err));
	if (found)
		return refuse(err, job->device->node, "another device has the same WWN",
			      "name the multipath map, or detach %s", twin.node);
	for (size_t i = 0; i < finder->devices.count; i++) {
		const struct device *other = finder->devices.items[i];

		if (other->number == job->device->number ||
		    strcmp(finder->uuids[i], job->info.uuid) != 0)
			continue;
		return refuse(err, job->device->node, "another device has the same LUKS header",
			      "detach the copy: %s has the UUID %s as well", other->node,
			      job->info.uuid);
	}
	return COF_OK;
}

/* Whether a line of crypttab is about this device. */
static bool is_about(const struct crypttab_entry *entry, const struct disk_adopt_job *job)
{
	_cleanup_(device_freep) struct device *source = NULL;

	return !cof_failed(device_find(entry->source, &source, NULL)) &&
	       source->number == job->device->number;
}

/* The line of crypttab that is about this device, if there is one. */
static bool find_line(const struct planning *planning, const struct disk_adopt_job *job,
		      struct crypttab_entry *ret_entry)
{
	for (size_t i = 0; crypttab_at(planning->crypttab, i, ret_entry); i++)
		if (is_about(ret_entry, job))
			return true;
	return false;
}

/* The volume's name: as asked for; else the one that mounts go by already; else the device's. */
static cof_result choose_name(const struct planning *planning, struct disk_adopt_job *job,
			      const struct disk_open_state *state, struct cof_error *err)
{
	const char *name = planning->spec->name;
	struct crypttab_entry line;

	if (!name && state->open && !cof_failed(volume_name_check(state->name, NULL)))
		name = state->name;
	if (!name && find_line(planning, job, &line) &&
	    !cof_failed(volume_name_check(line.name, NULL)))
		name = line.name;
	return disk_choose_name(name, job->device, "adopt", job->disk.name, err);
}

/* The record that speaks of this device's header already. */
static const struct disk *known_disk(const struct planning *planning,
				     const struct disk_adopt_job *job)
{
	return disk_set_find(planning->set, NULL, job->info.uuid);
}

/* Whether the stored key opens the header. */
static cof_result try_key(struct disk_adopt_job *job, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	cof_result unlocked;

	TRY(disk_record_key(job->record, &key, err));
	unlocked = luks_unlock(job->device->node, NULL, key, LUKS_ANY_SLOT, &job->volume_key,
			       &job->own_slot, err);
	if (unlocked.code == COF_E_KEY)
		return COF_OK;
	TRY(unlocked);
	job->action = ADOPT_FINISH;
	return COF_OK;
}

/* A device of whose header there is a record. */
static cof_result decide_known(const struct planning *planning, const struct disk *known,
			       struct disk_adopt_job *job, struct cof_error *err)
{
	char why_not[384];
	bool found;

	ENSURE(!planning->spec->name || strcmp(planning->spec->name, known->name) == 0, err,
	       COF_E_REFUSED, job->device->node, "is in the vault as %s, not as %s", known->name,
	       planning->spec->name);
	ENSURE(disk_is_device(known, job->device, why_not, sizeof(why_not)), err, COF_E_REFUSED,
	       known->name, "%s is another device: %s", job->device->node, why_not);
	TRY(disk_check_work(known, DISK_WORK_ADOPT, err));
	TRY(vault_get(planning->vault, DISK_KIND, known->name, &job->record, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, known->name, "was removed from the vault meanwhile");
	TRY(disk_from_meta(job->record->meta, &job->disk, err));
	job->action = ADOPT_RESUME;
	TRY(try_key(job, err));
	if (job->action == ADOPT_FINISH || !known->ready)
		return COF_OK;
	return refuse(err, job->device->node,
		      "has the header of a disk of the vault, but the key there does not open it",
		      "coffer key history %s", known->name);
}

/* A device that the vault does not know. */
static cof_result decide_new(const struct planning *planning, struct disk_adopt_job *job,
			     const struct disk_open_state *state, struct cof_error *err)
{
	const struct disk *other = NULL;
	struct disk_open_state taken;

	for (size_t i = 0; i < planning->set->count && !other; i++)
		if (disk_has_stable_name(&planning->set->items[i], job->device))
			other = &planning->set->items[i];
	if (other && !planning->spec->name) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node,
				     "is in the vault as %s with another header: its UUID is %s, "
				     "the record says %s",
				     other->name, job->info.uuid, other->uuid));
		cof_error_try(err,
			      "coffer disk destroy %s --missing, if that header is gone for good; "
			      "or --name NAME",
			      other->name);
		return (cof_result){ COF_E_REFUSED };
	}
	TRY(choose_name(planning, job, state, err));
	if (disk_set_find(planning->set, job->disk.name, NULL))
		return refuse(err, job->disk.name, "is the name of another disk of the vault",
			      "coffer disk adopt %s --name NAME", job->device->node);
	TRY(disk_state_of(planning->paths, job->disk.name, &taken, err));
	if (taken.open && strcmp(taken.uuid, job->info.uuid) != 0)
		return refuse(err, job->disk.name, "is the name of another open volume",
			      "coffer disk adopt %s --name NAME", job->device->node);
	memcpy(job->disk.uuid, job->info.uuid, sizeof(job->disk.uuid));
	job->action = ADOPT_NEW;
	return COF_OK;
}

/* What becomes of crypttab: a new line, one that gets another key, or one that stays. */
static cof_result decide_crypttab(const struct planning *planning, struct disk_adopt_job *job,
				  struct cof_error *err)
{
	const struct disk_adopt_spec *spec = planning->spec;
	const char *node = job->device->node;
	struct crypttab_entry line;
	bool is_ours;
	bool backs;

	for (size_t i = 0; crypttab_at(planning->crypttab, i, &line); i++) {
		is_ours = disk_line_is_ours(planning->paths, &job->disk, &line);
		if (strcmp(line.name, job->disk.name) == 0 && !is_ours && !is_about(&line, job))
			return refuse(err, job->disk.name, "is what crypttab calls another device",
				      "coffer disk adopt %s --name NAME", node);
	}
	job->disk.crypttab = !spec->no_crypttab && (spec->crypttab || job->device->stable[0]);
	if (!find_line(planning, job, &line))
		return COF_OK;
	is_ours = disk_line_is_ours(planning->paths, &job->disk, &line);
	if (strcmp(line.name, job->disk.name) != 0)
		return refuse(err, node, "has another name in crypttab",
			      "coffer disk adopt %s --name %s, or remove line %zu of %s", node,
			      line.name, line.line, planning->paths->crypttab);
	job->replaces_line = !is_ours;
	TRY(disk_backs_root(job->device, &backs, err));
	if (spec->no_crypttab || (backs && !is_ours)) {
		job->disk.crypttab = false;
		job->replaces_line = false;
		(void)snprintf(job->stays, sizeof(job->stays), "line %zu of %s stays as it is%s",
			       line.line, planning->paths->crypttab,
			       backs ? ": the system starts from it" : "");
	} else {
		job->disk.crypttab = true;
	}
	ENSURE(!spec->only || spec->no_crypttab || !backs || is_ours, err, COF_E_REFUSED, node,
	       "holds the running system, which starts with a keyslot that --only would remove");
	return COF_OK;
}

/* Opens the header with the secret that it has now. */
static cof_result unlock(const struct planning *planning, struct disk_adopt_job *job,
			 struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;

	if (!planning->spec->keep_key)
		TRY(disk_check_free_slot(job->device->node, &job->info, err));
	TRY(planning->spec->ask(job->device, planning->spec->ask_context, &secret, err));
	if (!secret)
		return COF_OK;
	TRY(luks_unlock(job->device->node, NULL, secret, LUKS_ANY_SLOT, &job->volume_key,
			planning->spec->keep_key ? &job->own_slot : NULL, err));
	if (planning->spec->keep_key)
		job->secret = TAKE(secret);
	return COF_OK;
}

/* Everything about one device. */
static cof_result plan_one(const struct planning *planning, const char *typed,
			   struct disk_adopt_job *job, struct cof_error *err)
{
	struct disk_open_state state;
	const struct disk *known;

	job->own_slot = -1;
	TRY(device_find(typed, &job->device, err));
	(void)snprintf(job->result.source, sizeof(job->result.source), "%s", job->device->node);
	known = disk_set_of_device(planning->set, job->device);
	if (known)
		TRY(disk_refuse_changing(known, err));
	TRY(check_header(job, err));
	disk_of_device(job->device, &job->disk);
	TRY(check_use(planning, job, &state, err));
	TRY(check_twins(planning, job, err));
	known = known_disk(planning, job);
	if (known)
		TRY(decide_known(planning, known, job, err));
	else
		TRY(decide_new(planning, job, &state, err));
	TRY(decide_crypttab(planning, job, err));
	if (job->action != ADOPT_FINISH)
		TRY(unlock(planning, job, err));
	(void)snprintf(job->result.name, sizeof(job->result.name), "%s", job->disk.name);
	(void)snprintf(job->result.uuid, sizeof(job->result.uuid), "%s", job->disk.uuid);
	(void)snprintf(job->result.note, sizeof(job->result.note), "%s", job->stays);
	job->result.state = "planned";
	return COF_OK;
}

/* A device, or a name, that stands twice on the command line. */
static cof_result refuse_twins(const struct disk_adopt_plan *plan, size_t index,
			       struct cof_error *err)
{
	const struct disk_adopt_job *job = &plan->jobs[index];

	for (size_t i = 0; i < index; i++) {
		const struct disk_adopt_job *other = &plan->jobs[i];

		if (other->result.error.code == COF_E_NONE)
			TRY(disk_check_twins(other->device, other->disk.name, job->device,
					     job->disk.name, err));
	}
	return COF_OK;
}

cof_result disk_adopt_plan(struct vault *vault, const struct paths *paths,
			   const char *const devices[], size_t count,
			   const struct disk_adopt_spec *spec, struct disk_adopt_plan *ret_plan,
			   struct cof_error *err)
{
	_cleanup_(disk_adopt_plan_done) struct disk_adopt_plan plan = { 0 };
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct planning planning = {
		.vault = vault, .paths = paths, .spec = spec, .set = &set, .finder = &finder
	};

	ENSURE(!spec->name || count == 1, err, COF_E_USAGE, "--name",
	       "names one device, and %zu were given", count);
	TRY(disk_set_load(vault, &set, err));
	TRY(disk_finder_init(&finder, err));
	TRY(crypttab_load(paths->crypttab, &crypttab, err));
	planning.crypttab = crypttab;
	plan.jobs = calloc(count + 1, sizeof(*plan.jobs));
	ENSURE(plan.jobs, err, COF_E_NOMEM, NULL, "no memory for %zu devices", count);
	plan.count = count;
	for (size_t i = 0; i < count; i++) {
		struct disk_adopt_job *job = &plan.jobs[i];
		struct cof_error refusal = { 0 };

		disk_result_start(&job->result, devices[i]);
		if (cof_failed(plan_one(&planning, devices[i], job, &refusal)) ||
		    cof_failed(refuse_twins(&plan, i, &refusal)))
			disk_result_fail(&job->result, &refusal);
	}

	*ret_plan = plan;
	plan = (struct disk_adopt_plan){ 0 };
	return COF_OK;
}
