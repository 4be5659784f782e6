/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * swap encrypt, first half: which areas, what must not be made swap with a random key, and the
 * lines of both files.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_result.h"
#include "file.h"
#include "fstab.h"
#include "name_list.h"
#include "probe.h"
#include "swap.h"
#include "swap_plan.h"
#include "tabfile.h"
#include "usage.h"

#define TABLE_MAX_BYTES (4u << 20)
#define SECTOR_BYTES	4096 /* of the encryption: one for each page that is swapped out */
#define NAMES_MAX	1000 /* swap, swap1, swap2: far more than the kernel takes */

void swap_plan_done(struct swap_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->jobs[i].typed);
		device_free(plan->jobs[i].device);
		name_list_free(plan->jobs[i].specs);
	}
	free(plan->jobs);
	for (size_t i = 0; i < 2; i++) {
		buffer_done(&plan->crypttab[i]);
		buffer_done(&plan->fstab[i]);
	}
	*plan = (struct swap_plan){ 0 };
}

/* The active area on a device or file; NULL when there is none. */
static const struct swap_area *area_of(const struct swap_planning *planning, dev_t number)
{
	struct stat st;

	for (size_t i = 0; i < planning->area_count; i++)
		if (stat(planning->areas[i].path, &st) == 0 && S_ISBLK(st.st_mode) &&
		    st.st_rdev == number)
			return &planning->areas[i];
	return NULL;
}

/* A swap file: on a protected filesystem all is well; otherwise there is another way. */
static cof_result judge_file(const struct swap_planning *planning, struct swap_job *job,
			     struct cof_error *err)
{
	enum swap_how how;
	cof_result refused;

	TRY(swap_find_how(planning->paths, job->typed, &how, err));
	if (how != SWAP_PLAIN) {
		job->skip = "lies on an encrypted filesystem already";
		return COF_OK;
	}
	refused = cof_raise(err, COF_E_REFUSED, job->typed,
			    "is a file, on a filesystem that is not encrypted");
	cof_error_cause(err, "a file cannot have a key of its own; and what was swapped out before "
			     "would stay readable on the filesystem");
	cof_error_try(err, "make swap on a partition or logical volume and name that, or put the "
			   "file on a volume of `coffer disk format`");
	return refused;
}

/* An active area that is no device of ours to change. */
static cof_result judge_active(const struct swap_planning *planning, struct swap_job *job,
			       struct cof_error *err)
{
	enum swap_how how;

	TRY(swap_find_how(planning->paths, job->device->node, &how, err));
	if (how == SWAP_MEMORY)
		job->skip = "is compressed memory and was left alone";
	else if (how == SWAP_RANDOM)
		job->skip = "is encrypted with a random key already";
	else if (how != SWAP_PLAIN)
		job->skip = "lies on an encrypted volume already";
	return COF_OK;
}

/* Refuses what is not swap, with what was found. */
static cof_result check_content(const struct swap_job *job, struct cof_error *err)
{
	const struct device *device = job->device;
	struct signatures signatures;
	_cleanup_fd_ int fd = open(device->node, O_RDONLY | O_CLOEXEC);
	cof_result refused;

	if (fd < 0)
		return cof_raise_errno(err, errno, device->node, "cannot be opened");
	TRY(probe_signatures(fd, device->node, &signatures, err));
	if (job->active ||
	    (strcmp(signatures.first, "swap") == 0 && !strstr(signatures.text, ", ")))
		return COF_OK;
	/* After the first boot with a random key nothing is recognised there any more. */
	if (!signatures.first[0] && job->known)
		return COF_OK;
	refused =
		cof_raise(err, COF_E_REFUSED, device->node, "is no swap area and was not touched");
	cof_error_cause(err, "%s",
			signatures.text[0] ? signatures.text : "nothing is recognised there");
	if (strcmp(signatures.first, "swsuspend") == 0 || strcmp(signatures.first, "swsusp") == 0)
		cof_error_try(err, "start the system that hibernated there first");
	else if (!signatures.first[0])
		cof_error_try(err, "mkswap %s, if it is to be swap", device->node);
	return refused;
}

/* Refuses a device that somebody uses for something else than swap. */
static cof_result check_use(const struct swap_job *job, struct cof_error *err)
{
	struct luks_mapping mapping;
	struct usage usage;
	bool found = false;

	TRY(usage_find(&block_roots_system, job->device, &usage, err));
	if (job->active || !usage.text[0])
		return COF_OK;
	/* What a run that was stopped has left is its own. */
	if (job->known)
		TRY(luks_mapping_find(job->name, &mapping, &found, err));
	if (found && strcmp(mapping.source, job->device->node) == 0)
		return COF_OK;
	cof_ignore(
		cof_raise(err, COF_E_REFUSED, job->device->node, "is in use and was not touched"));
	cof_error_cause(err, "%.255s%.255s", usage.text, usage.detail);
	cof_error_try(err, "%s", usage.remedy);
	return (cof_result){ COF_E_REFUSED };
}

/* Whether another device says the same of itself. */
static bool is_ambiguous(const char *spec, const struct device *device)
{
	_cleanup_(device_freep) struct device *found = NULL;

	return cof_failed(device_find(spec, &found, NULL)) || found->number != device->number;
}

/*
 * What crypttab calls the device. The UUID of a partition goes when the disk is partitioned anew,
 * so that no line of before makes swap of somebody's data; a filesystem's UUID would be
 * overwritten, and a kernel's name is another one at every boot.
 */
static cof_result choose_source(struct swap_job *job, struct cof_error *err)
{
	const struct device *device = job->device;
	char uuid[128];
	cof_result refused;

	TRY(probe_tag(device->node, "PART_ENTRY_UUID", uuid, sizeof(uuid), err));
	(void)snprintf(job->source, sizeof(job->source), "PARTUUID=%s", uuid);
	if (uuid[0] && device->parent[0] && !is_ambiguous(job->source, device))
		return COF_OK;
	(void)snprintf(job->source, sizeof(job->source), "%s", device->stable);
	if (device->stable[0])
		return COF_OK;
	refused = cof_raise(err, COF_E_REFUSED, device->node,
			    "has no name that stays: neither the UUID of a partition nor one below "
			    "/dev/disk/by-id");
	cof_error_try(err, "use a partition of a GPT disk: a wrong device would be overwritten at "
			   "boot");
	return refused;
}

/* Whether crypttab has a line with a random key for the device, or the line's name is taken. */
static void find_line(const struct swap_planning *planning, struct swap_job *job)
{
	struct crypttab_entry entry;

	for (size_t i = 0; crypttab_at(planning->crypttab, i, &entry) && !job->known; i++) {
		if (!swap_options_random(entry.key, entry.options) ||
		    is_ambiguous(entry.source, job->device))
			continue;
		(void)snprintf(job->name, sizeof(job->name), "%.127s", entry.name);
		(void)snprintf(job->source, sizeof(job->source), "%.255s", entry.source);
		job->known = true;
	}
}

/* Whether a name is taken by a line, a mapping, or another area of this run. */
static cof_result is_taken(const struct swap_planning *planning, const struct swap_plan *plan,
			   const char *name, bool *ret_taken, struct cof_error *err)
{
	struct crypttab_entry entry;
	struct luks_mapping mapping;

	TRY(luks_mapping_find(name, &mapping, ret_taken, err));
	*ret_taken |= crypttab_find(planning->crypttab, name, &entry);
	for (size_t i = 0; i < plan->count; i++)
		*ret_taken |= strcmp(plan->jobs[i].name, name) == 0;
	return COF_OK;
}

/* The first free one of swap, swap1, swap2. */
static cof_result choose_name(const struct swap_planning *planning, const struct swap_plan *plan,
			      struct swap_job *job, struct cof_error *err)
{
	char name[sizeof(job->name)] = "swap";
	bool taken;

	for (unsigned int number = 1; number < NAMES_MAX; number++) {
		TRY(is_taken(planning, plan, name, &taken, err));
		if (!taken) {
			(void)snprintf(job->name, sizeof(job->name), "%s", name);
			return COF_OK;
		}
		(void)snprintf(name, sizeof(name), "swap%u", number);
	}
	FAIL(err, COF_E_REFUSED, job->device->node, "finds no free name");
}

/* Collects what fstab's swap entries call the device. */
static cof_result collect_specs(const struct swap_plan *plan, struct swap_job *job,
				struct cof_error *err)
{
	struct span text = buffer_span(&plan->fstab[0]);
	struct fstab_entry entry;
	char spec[512];
	size_t line = 0;
	size_t at = 0;

	TRY(name_list_new(&job->specs, err));
	while (fstab_next(text, &at, &line, &entry)) {
		_cleanup_(device_freep) struct device *found = NULL;
		cof_result looked;

		if (!fstab_is(entry.type, "swap") || !fstab_decode(entry.spec, spec, sizeof(spec)))
			continue;
		looked = device_find(spec, &found, err);
		/* Two devices with one UUID: which of them the entry means, nobody can know. */
		if (looked.code == COF_E_REFUSED)
			return cof_explain(looked, err, NULL, "line %zu of fstab is not clear",
					   entry.line);
		if (!cof_failed(looked) && found->number == job->device->number)
			TRY(name_list_add(&job->specs, spec, err));
	}
	return COF_OK;
}

/* Decides about a device. */
static cof_result judge_device(const struct swap_planning *planning, const struct swap_plan *plan,
			       struct swap_job *job, struct cof_error *err)
{
	const struct device *device = job->device;

	find_line(planning, job);
	ENSURE(!device->read_only, err, COF_E_REFUSED, device->node, "is read-only");
	TRY(check_use(job, err));
	TRY(check_content(job, err));
	if (!job->known) {
		TRY(choose_source(job, err));
		TRY(choose_name(planning, plan, job, err));
	}
	job->options =
		device->size_bytes % SECTOR_BYTES == 0 ? SWAP_OPTIONS_4096 : SWAP_OPTIONS_512;
	(void)snprintf(job->fstab_options, sizeof(job->fstab_options), "sw");
	if (job->active && job->area.priority >= 0)
		(void)snprintf(job->fstab_options, sizeof(job->fstab_options), "sw,pri=%d",
			       job->area.priority);
	TRY(collect_specs(plan, job, err));
	return swap_check_resume(planning, job, err);
}

/* Decides about one area, by name. */
static cof_result judge(const struct swap_planning *planning, const struct swap_plan *plan,
			struct swap_job *job, struct cof_error *err)
{
	const struct swap_area *area;
	struct stat st;

	if (stat(job->typed, &st) == 0 && S_ISREG(st.st_mode))
		return judge_file(planning, job, err);
	TRY(device_find(job->typed, &job->device, err));
	area = area_of(planning, job->device->number);
	job->active = area != NULL;
	if (area)
		job->area = *area;
	TRY(judge_active(planning, job, err));
	if (job->skip)
		return COF_OK;
	for (size_t i = 0; i < plan->count; i++)
		ENSURE(!plan->jobs[i].device || &plan->jobs[i] == job ||
			       plan->jobs[i].device->number != job->device->number,
		       err, COF_E_USAGE, job->typed, "is named twice");
	return judge_device(planning, plan, job, err);
}

/* Adds what fstab names, by a device's node or a file's path, unless it is there already. */
static cof_result list_fstab(struct span text, char ***names, struct cof_error *err)
{
	struct fstab_entry entry;
	char spec[512];
	size_t line = 0;
	size_t at = 0;

	while (fstab_next(text, &at, &line, &entry)) {
		_cleanup_(device_freep) struct device *device = NULL;
		const char *name = spec;
		struct stat st;

		if (!fstab_is(entry.type, "swap") || !fstab_decode(entry.spec, spec, sizeof(spec)))
			continue;
		/* What is not on this machine is no swap of the next boot either. */
		if (stat(spec, &st) != 0 || !S_ISREG(st.st_mode)) {
			if (cof_failed(device_find(spec, &device, NULL)))
				continue;
			name = device->node;
		}
		if (!name_list_has(*names, name))
			TRY(name_list_add(names, name, err));
	}
	return COF_OK;
}

/* All active areas and those of fstab, and for --now those of crypttab: a run that was stopped may
 * have left one. */
static cof_result list_all(const struct swap_planning *planning, struct span fstab,
			   char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	struct crypttab_entry entry;

	TRY(name_list_new(&names, err));
	for (size_t i = 0; i < planning->area_count; i++)
		TRY(name_list_add(&names, planning->areas[i].path, err));
	for (size_t i = 0; planning->spec->now && crypttab_at(planning->crypttab, i, &entry); i++) {
		_cleanup_(device_freep) struct device *device = NULL;
		_cleanup_free_ char *mapper = NULL;
		_cleanup_(device_freep) struct device *mapped = NULL;

		if (!swap_options_random(entry.key, entry.options) ||
		    cof_failed(device_find(entry.source, &device, NULL)))
			continue;
		TRY(path_format(&mapper, err, "/dev/mapper/%s", entry.name));
		if (!cof_failed(device_find(mapper, &mapped, NULL)) &&
		    area_of(planning, mapped->number))
			continue;
		if (!area_of(planning, device->number))
			TRY(name_list_add(&names, device->node, err));
	}
	TRY(list_fstab(fstab, &names, err));
	*ret_names = TAKE(names);
	return COF_OK;
}

/* Reads both files, which may be missing. */
static cof_result read_files(struct swap_planning *planning, struct swap_plan *plan,
			     struct cof_error *err)
{
	const struct paths *paths = planning->paths;

	if (path_exists(paths->crypttab))
		TRY(file_read(paths->crypttab, TABLE_MAX_BYTES, &plan->crypttab[0], err));
	if (path_exists(paths->fstab))
		TRY(file_read(paths->fstab, TABLE_MAX_BYTES, &plan->fstab[0], err));
	TRY(cof_explain(crypttab_parse(buffer_span(&plan->crypttab[0]), &planning->crypttab, err),
			err, NULL, "cannot use %s", paths->crypttab));
	return swap_areas(&planning->areas, &planning->area_count, err);
}

cof_result swap_set_crypttab(struct span before, const struct swap_plan *plan,
			     struct buffer *ret_after, struct cof_error *err)
{
	_cleanup_(crypttab_freep) struct crypttab *table = NULL;
	struct crypttab_entry entry;

	TRY(crypttab_parse(before, &table, err));
	for (size_t i = 0; i < plan->count; i++) {
		const struct swap_job *job = &plan->jobs[i];

		if (job->skip || job->error.code != COF_E_NONE)
			continue;
		/* A line of before keeps what somebody chose for it. */
		if (crypttab_find(table, job->name, &entry)) {
			ENSURE(strcmp(entry.source, job->source) == 0, err, COF_E_CONFLICT,
			       job->name, "has a line in crypttab by now");
			continue;
		}
		TRY(crypttab_set(table, job->name, job->source, SWAP_KEY, job->options, err));
	}
	return crypttab_format(table, ret_after, err);
}

cof_result swap_set_fstab(struct span before, const struct swap_plan *plan,
			  struct buffer *ret_after, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer now = { 0 };

	TRY(buffer_add(&now, before.data, before.len, err));
	for (size_t i = 0; i < plan->count; i++) {
		const struct swap_job *job = &plan->jobs[i];
		_cleanup_buffer_ struct buffer next = { 0 };
		_cleanup_free_ char *mapper = NULL;

		if (job->skip || job->error.code != COF_E_NONE)
			continue;
		TRY(path_format(&mapper, err, "/dev/mapper/%s", job->name));
		TRY(fstab_swap_set(buffer_span(&now), job->specs, mapper, job->fstab_options, &next,
				   err));
		buffer_done(&now);
		now = next;
		next = (struct buffer){ 0 };
	}
	*ret_after = now;
	now = (struct buffer){ 0 };
	return COF_OK;
}

static void planning_done(struct swap_planning *planning)
{
	crypttab_free(planning->crypttab);
	free(planning->areas);
}

cof_result swap_plan(const struct paths *paths, const char *const names[], size_t count,
		     const struct swap_spec *spec, struct swap_plan *ret_plan,
		     struct cof_error *err)
{
	_cleanup_(swap_plan_done) struct swap_plan plan = { 0 };
	_cleanup_(planning_done) struct swap_planning planning = { .paths = paths, .spec = spec };
	_cleanup_(name_list_freep) char **all = NULL;
	char why_not[160];

	ENSURE(!spec->now || luks_kernel_can(why_not, sizeof(why_not)), err, COF_E_UNSUPPORTED,
	       "--now", "cannot encrypt swap: %s", why_not);
	TRY(read_files(&planning, &plan, err));
	if (count == 0) {
		TRY(list_all(&planning, buffer_span(&plan.fstab[0]), &all, err));
		count = name_list_count(all);
	}
	plan.jobs = calloc(count + 1, sizeof(*plan.jobs));
	ENSURE(plan.jobs, err, COF_E_NOMEM, NULL, "no memory for %zu swap areas", count);
	for (size_t i = 0; i < count; i++) {
		struct swap_job *job = &plan.jobs[plan.count++];
		struct cof_error failure = { 0 };

		TRY(text_copy(all ? all[i] : names[i], &job->typed, err));
		if (cof_failed(judge(&planning, &plan, job, &failure)))
			job->error = failure;
	}
	TRY(swap_set_crypttab(buffer_span(&plan.crypttab[0]), &plan, &plan.crypttab[1], err));
	TRY(swap_set_fstab(buffer_span(&plan.fstab[0]), &plan, &plan.fstab[1], err));

	*ret_plan = plan;
	plan = (struct swap_plan){ 0 };
	return COF_OK;
}
