/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * import quantastor, first half: which key file opens which device.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "file.h"
#include "mountpoint.h"
#include "name_list.h"
#include "passphrase.h"
#include "quantastor.h"
#include "shell.h"
#include "tabfile.h"

#define KEYS_FOLDER    "keys"
#define HEADERS_FOLDER "headers"
#define KEY_SUFFIX     ".key"
#define NAME_PREFIX    "enc-"

/* What planning looks at. */
struct planning {
	struct vault *vault;
	const struct paths *paths;
	const struct crypttab *crypttab;
	struct progress *progress;
	struct quantastor_plan *plan;
};

static void job_done(struct quantastor_job *job)
{
	free(job->key_file);
	free(job->header_file);
	free(job->name);
	slot_secret_free(job->key);
	buffer_done(&job->header);
	disk_adopt_plan_done(&job->adopt);
}

void quantastor_plan_done(struct quantastor_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		job_done(&plan->jobs[i]);
	free(plan->jobs);
	if (plan->finder)
		disk_finder_done(plan->finder);
	free(plan->finder);
	free(plan->folder);
	*plan = (struct quantastor_plan){ 0 };
}

/* ---- the folder ---- */

/* The key files; a folder that is not there may be one where nothing is mounted. */
static cof_result list_keys(const struct paths *paths, const char *folder, char ***ret_names,
			    struct cof_error *err)
{
	_cleanup_free_ char *keys = NULL;
	char mount[512];
	char word[SHELL_WORD_CHARS];
	bool found;

	TRY(path_format(&keys, err, "%s/" KEYS_FOLDER, folder));
	TRY(name_list_of_folder(keys, ret_names, &found, err));
	if (mount_find_missing(paths->fstab, keys, mount, sizeof(mount)) &&
	    name_list_count(*ret_names) == 0) {
		cof_ignore(cof_raise(err, COF_E_NOENT, keys,
				     "nothing is mounted at %s, for which fstab has a line",
				     mount));
		cof_error_try(err, "mount %s", shell_word(mount, word));
		return (cof_result){ COF_E_NOENT };
	}
	if (found)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_NOENT, keys, "is not there"));
	cof_error_try(err, "coffer import quantastor DIR, with the folder that has keys/");
	return (cof_result){ COF_E_NOENT };
}

/* Whether a file of the folder is a key file. */
static bool is_key(const char *file)
{
	size_t len = strlen(file);

	return len > strlen(KEY_SUFFIX) && strcmp(file + len - strlen(KEY_SUFFIX), KEY_SUFFIX) == 0;
}

/* The copy of the header by a volume's name, with any suffix. */
static cof_result find_header(const char *folder, const char *name, char **ret_file,
			      struct cof_error *err)
{
	_cleanup_(name_list_freep) char **files = NULL;
	_cleanup_free_ char *headers = NULL;
	size_t len = strlen(name);
	bool found;

	TRY(path_format(&headers, err, "%s/" HEADERS_FOLDER, folder));
	TRY(name_list_of_folder(headers, &files, &found, err));
	for (char **file = files; *file; file++)
		if (strncmp(*file, name, len) == 0 && ((*file)[len] == '\0' || (*file)[len] == '.'))
			return path_format(ret_file, err, "%s/%s", headers, *file);
	return COF_OK;
}

/* Reads one key file and what belongs to it. */
static cof_result read_job(const struct planning *planning, const char *file,
			   struct quantastor_job *job, struct cof_error *err)
{
	const char *folder = planning->plan->folder;

	TRY(path_format(&job->key_file, err, "%s/" KEYS_FOLDER "/%s", folder, file));
	TRY(path_format(&job->name, err, "%.*s", (int)(strlen(file) - strlen(KEY_SUFFIX)), file));
	disk_result_start(&job->result, job->name);
	TRY(find_header(folder, job->name, &job->header_file, err));
	/* What is no header of a disk is left alone. */
	if (job->header_file && cof_failed(luks_copy_header(job->header_file, &job->header, NULL)))
		(void)snprintf(job->result.note, sizeof(job->result.note),
			       "%.200s is no copy of a header and stays", job->header_file);
	return COF_OK;
}

/* ---- the device ---- */

/* A device of the finder by its number, if it has a LUKS header. */
static const struct device *with_number(const struct quantastor_plan *plan, dev_t number)
{
	for (size_t i = 0; i < plan->finder->devices.count; i++)
		if (plan->finder->devices.items[i]->number == number && plan->finder->uuids[i][0])
			return plan->finder->devices.items[i];
	return NULL;
}

/* A LUKS device by any name. */
static const struct device *with_name(const struct quantastor_plan *plan, const char *name)
{
	_cleanup_(device_freep) struct device *device = NULL;

	if (cof_failed(device_find(name, &device, NULL)))
		return NULL;
	return with_number(plan, device->number);
}

/* The line of crypttab that names the key file. */
static bool find_line(const struct planning *planning, const struct quantastor_job *job,
		      struct crypttab_entry *ret_entry)
{
	for (size_t i = 0; crypttab_at(planning->crypttab, i, ret_entry); i++)
		if (strcmp(ret_entry->key, job->key_file) == 0)
			return true;
	return crypttab_find(planning->crypttab, job->name, ret_entry);
}

/* The device with the header of which the folder has a copy. */
static const struct device *of_header(const struct quantastor_plan *plan,
				      const struct quantastor_job *job)
{
	struct luks_info info;

	if (!job->header.len || cof_failed(luks_read(job->header_file, NULL, &info, NULL)))
		return NULL;
	for (size_t i = 0; i < plan->finder->devices.count; i++)
		if (strcmp(plan->finder->uuids[i], info.uuid) == 0)
			return plan->finder->devices.items[i];
	return NULL;
}

/* Whether the key opens a device. */
static bool opens(const struct planning *planning, size_t index, const struct device *device)
{
	const struct quantastor_job *job = &planning->plan->jobs[index];
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;

	if (!device)
		return false;
	progress_step(planning->progress, 0, job->name, "trying its key");
	return !cof_failed(
		luks_unlock(device->node, NULL, job->key, LUKS_ANY_SLOT, &volume_key, NULL, NULL));
}

/* Follows what speaks for one device or another. */
static void follow_hints(const struct planning *planning, size_t index)
{
	struct quantastor_plan *plan = planning->plan;
	struct quantastor_job *job = &plan->jobs[index];
	const struct device *hints[3] = { NULL };
	struct crypttab_entry line;

	if (find_line(planning, job, &line))
		hints[0] = with_name(plan, line.source);
	if (strncmp(job->name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0)
		hints[1] = with_name(plan, job->name + strlen(NAME_PREFIX));
	hints[2] = of_header(plan, job);
	for (size_t i = 0; i < 3 && !job->device; i++)
		if (!(i > 0 && hints[i] == hints[0]) && !(i > 1 && hints[i] == hints[1]) &&
		    opens(planning, index, hints[i]))
			job->device = hints[i];
}

/* Whether another key file opens the device. */
static bool is_taken(const struct quantastor_plan *plan, const struct device *device)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->jobs[i].device == device)
			return true;
	return false;
}

/* Tries the key with every LUKS device for which there is no key yet. */
static void try_all(const struct planning *planning, size_t index)
{
	struct quantastor_plan *plan = planning->plan;
	struct quantastor_job *job = &plan->jobs[index];

	for (size_t i = 0; i < plan->finder->devices.count && !job->device; i++) {
		const struct device *device = plan->finder->devices.items[i];

		if (plan->finder->uuids[i][0] && !is_taken(plan, device) &&
		    opens(planning, index, device))
			job->device = device;
	}
}

/* ---- the plan ---- */

/* A disk_adopt_ask: the key of the file. */
static cof_result give_key(const struct device *device, void *context,
			   struct slot_secret **ret_secret, struct cof_error *err)
{
	const struct quantastor_job *job = context;

	(void)device;
	return slot_secret_copy(slot_secret_span(job->key), ret_secret, err);
}

/* What adopting the device with its key comes down to. The line in crypttab has the name; else the
 * key file has. */
static cof_result plan_adoption(const struct planning *planning, struct quantastor_job *job,
				struct cof_error *err)
{
	struct crypttab_entry line;
	struct disk_adopt_spec spec = { .keep_key = true, .ask = give_key, .ask_context = job };
	struct disk_result *adopted;

	if (!job->device) {
		cof_ignore(cof_raise(err, COF_E_NOENT, job->key_file,
				     "opens no LUKS device that is here"));
		cof_error_try(err, "attach its disk, then the same command again");
		return (cof_result){ COF_E_NOENT };
	}
	if (!find_line(planning, job, &line))
		spec.name = job->name;
	TRY(disk_adopt_plan(planning->vault, planning->paths,
			    (const char *const[]){ job->device->node }, 1, &spec, &job->adopt,
			    err));
	adopted = &job->adopt.jobs[0].result;
	if (!adopted->note[0])
		memcpy(adopted->note, job->result.note, sizeof(adopted->note));
	job->result = *adopted;
	if (adopted->error.code != COF_E_NONE)
		(void)snprintf(job->result.name, sizeof(job->result.name), "%s", job->name);
	return COF_OK;
}

/* Reads all key files. */
static cof_result read_jobs(const struct planning *planning, char *const *files,
			    struct cof_error *err)
{
	struct quantastor_plan *plan = planning->plan;

	plan->jobs = calloc(name_list_count(files) + 1, sizeof(*plan->jobs));
	ENSURE(plan->jobs, err, COF_E_NOMEM, NULL, "no memory for %zu key files",
	       name_list_count(files));
	for (; *files; files++)
		if (is_key(*files))
			TRY(read_job(planning, *files, &plan->jobs[plan->count++], err));
	for (size_t i = 0; i < plan->count; i++) {
		struct cof_error failure = { 0 };

		if (cof_failed(keyfile_read(plan->jobs[i].key_file, &plan->jobs[i].key, &failure)))
			disk_result_fail(&plan->jobs[i].result, &failure);
	}
	return COF_OK;
}

/* Finds the device of each key, and decides. */
static void decide(const struct planning *planning)
{
	struct quantastor_plan *plan = planning->plan;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->jobs[i].key)
			follow_hints(planning, i);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->jobs[i].key && !plan->jobs[i].device)
			try_all(planning, i);
	for (size_t i = 0; i < plan->count; i++) {
		struct cof_error failure = { 0 };

		if (plan->jobs[i].key &&
		    cof_failed(plan_adoption(planning, &plan->jobs[i], &failure)))
			disk_result_fail(&plan->jobs[i].result, &failure);
	}
}

cof_result quantastor_plan(struct vault *vault, const struct paths *paths, const char *folder,
			   struct progress *progress, struct quantastor_plan *ret_plan,
			   struct cof_error *err)
{
	_cleanup_(quantastor_plan_done) struct quantastor_plan plan = { 0 };
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	_cleanup_(name_list_freep) char **files = NULL;
	struct planning planning = {
		.vault = vault, .paths = paths, .progress = progress, .plan = &plan
	};

	TRY(list_keys(paths, folder, &files, err));
	TRY(path_format(&plan.folder, err, "%s", folder));
	TRY(crypttab_load(paths->crypttab, &crypttab, err));
	planning.crypttab = crypttab;
	plan.finder = calloc(1, sizeof(*plan.finder));
	ENSURE(plan.finder, err, COF_E_NOMEM, NULL, "no memory for the devices");
	TRY(disk_finder_init(plan.finder, err));
	TRY(read_jobs(&planning, files, err));
	decide(&planning);

	*ret_plan = plan;
	plan = (struct quantastor_plan){ 0 };
	return COF_OK;
}
