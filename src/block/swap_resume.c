/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the machine hibernates to a swap area: what a random key would end.
 */

#include <stdio.h>
#include <string.h>

#include "file.h"
#include "swap_plan.h"

#define TEXT_MAX_BYTES (1u << 20)
#define INITRAMFS_DIR  "/etc/initramfs-tools/conf.d"

/* Whether a value of resume= is this device. */
static bool is_device(const char *value, const struct device *device)
{
	_cleanup_(device_freep) struct device *found = NULL;

	return !cof_failed(device_find(value, &found, NULL)) && found->number == device->number;
}

/* Looks for the device in one file; one that is not there or too large says nothing. */
static void look_into(const char *path, const char *key, struct swap_job *job)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	char value[128];
	size_t at = 0;

	if (cof_failed(file_read(path, TEXT_MAX_BYTES, &text, NULL)))
		return;
	while (swap_resume_next(buffer_span(&text), key, &at, value, sizeof(value))) {
		if (!is_device(value, job->device))
			continue;
		(void)snprintf(job->resumes, sizeof(job->resumes), "%s%s in %.96s", key, value,
			       path);
		if (strcmp(key, "RESUME=") == 0)
			(void)snprintf(job->resume_file, sizeof(job->resume_file), "%s", path);
	}
}

/* Looks into what initramfs-tools reads. */
static cof_result look_into_initramfs(const struct paths *paths, struct swap_job *job,
				      struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *main_file = NULL;
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;

	TRY(path_format(&folder, err, "%s" INITRAMFS_DIR, paths->root));
	TRY(path_format(&main_file, err, "%s/etc/initramfs-tools/initramfs.conf", paths->root));
	look_into(main_file, "RESUME=", job);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		TRY(path_format(&path, err, "%s/%s", folder, entry->d_name));
		look_into(path, "RESUME=", job);
	}
	return COF_OK;
}

/* Looks everywhere. */
static cof_result look_for_resume(const struct paths *paths, struct swap_job *job,
				  struct cof_error *err)
{
	static const char *const files[] = { "/etc/kernel/cmdline", "/etc/default/grub" };

	/* What lies below a prefix is not what runs. */
	if (!paths->root[0])
		look_into("/proc/cmdline", "resume=", job);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		_cleanup_free_ char *path = NULL;

		TRY(path_format(&path, err, "%s%s", paths->root, files[i]));
		look_into(path, "resume=", job);
	}
	return look_into_initramfs(paths, job, err);
}

cof_result swap_find_resume(const struct paths *paths, struct device *device,
			    char ret_resumes[static SWAP_RESUME_CHARS], struct cof_error *err)
{
	struct swap_job job = { .device = device };

	TRY(look_for_resume(paths, &job, err));
	memcpy(ret_resumes, job.resumes, sizeof(job.resumes));
	return COF_OK;
}

cof_result swap_check_resume(const struct swap_planning *planning, struct swap_job *job,
			     struct cof_error *err)
{
	cof_result refused;

	TRY(look_for_resume(planning->paths, job, err));
	if (!job->resumes[0] || planning->spec->no_resume)
		return COF_OK;
	refused = cof_raise(err, COF_E_REFUSED, job->device->node,
			    "is where this machine hibernates to");
	cof_error_cause(err, "%s; with a new key at every boot nothing can wake from there",
			job->resumes);
	cof_error_try(err, "--no-resume, which ends hibernation");
	return refused;
}
