/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * swap encrypt, second half: crypttab → fstab → initramfs-tools, and at once where that is asked
 * for: swapoff → mapping → mkswap → swapon.
 *
 * After a stop between the two files the next boot has swap as before, or none: never an area that
 * both use.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "child.h"
#include "fault.h"
#include "file.h"
#include "log.h"
#include "luks.h"
#include "number.h"
#include "probe.h"
#include "swap.h"
#include "tabfile.h"

#define MEMINFO_MAX_BYTES (64u << 10)
#define RESUME_MAX_BYTES  (1u << 20)
#define LOCK_WAIT_MS	  0
#define MKSWAP_TIMEOUT_MS 60000
#define RELOAD_TIMEOUT_MS 60000
#define RESERVE_PERCENT	  10 /* of the memory that is free: others want some meanwhile */
#define SECTOR_BYTES	  4096

/* Whether this area still takes part. */
static bool is_going(const struct swap_job *job)
{
	return !job->skip && job->error.code == COF_E_NONE;
}

static bool is_any_going(const struct swap_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (is_going(&plan->jobs[i]))
			return true;
	return false;
}

static cof_result rewrite_crypttab(const char *path, struct span before, void *context,
				   struct buffer *ret_after, struct cof_error *err)
{
	(void)path;
	return swap_set_crypttab(before, context, ret_after, err);
}

static cof_result rewrite_fstab(const char *path, struct span before, void *context,
				struct buffer *ret_after, struct cof_error *err)
{
	(void)path;
	return swap_set_fstab(before, context, ret_after, err);
}

/* Tells initramfs-tools not to wait for a hibernated system. No copy of the file is left beside
 * it: that would be read as well. */
static cof_result end_resume(const struct swap_job *job, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer before = { 0 };
	_cleanup_buffer_ struct buffer after = { 0 };

	if (!job->resume_file[0])
		return COF_OK;
	TRY(file_read(job->resume_file, RESUME_MAX_BYTES, &before, err));
	TRY(swap_resume_none(buffer_span(&before), &after, err));
	TRY(file_replace(job->resume_file, buffer_span(&after), 0644, err));
	return fault_point("swap/resume", err);
}

/* The next boot. */
static cof_result write_files(const struct paths *paths, struct swap_plan *plan,
			      struct cof_error *err)
{
	TRY(tab_edit(paths->crypttab, &tab_file_crypttab, rewrite_crypttab, plan, err));
	TRY(tab_edit(paths->fstab, &tab_file_fstab, rewrite_fstab, plan, err));
	for (size_t i = 0; i < plan->count; i++)
		if (is_going(&plan->jobs[i]))
			TRY(end_resume(&plan->jobs[i], err));
	return COF_OK;
}

/* Memory that can be had without swap, in bytes. */
static cof_result memory_available(uint64_t *ret_bytes, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	unsigned long long available_kib;
	const char *line;

	TRY(file_read("/proc/meminfo", MEMINFO_MAX_BYTES, &text, err));
	line = strstr((const char *)text.data, "MemAvailable:");
	ENSURE(line && sscanf(line, "MemAvailable: %llu", &available_kib) == 1, err, COF_E_FORMAT,
	       "/proc/meminfo", "does not say how much memory is available");
	*ret_bytes = (uint64_t)available_kib << 10;
	return COF_OK;
}

/* Refuses to empty an area that memory has no room for. */
static cof_result check_memory(const struct swap_job *job, struct cof_error *err)
{
	char used[16];
	char free_now[16];
	uint64_t available;
	cof_result refused;

	TRY(memory_available(&available, err));
	if (job->area.used_bytes <= available - available / 100 * RESERVE_PERCENT)
		return COF_OK;
	refused = cof_raise(err, COF_E_REFUSED, job->device->node,
			    "has %s swapped out, and memory has room for %s",
			    size_format(job->area.used_bytes, used),
			    size_format(available, free_now));
	cof_error_cause(err, "without this area the kernel would end processes for want of memory");
	cof_error_try(err, "leave out --now: the next boot encrypts it");
	return refused;
}

/* The active area on the device at @path, if it is one. */
static cof_result find_active(const char *path, bool *ret_active, struct cof_error *err)
{
	_cleanup_free_ struct swap_area *areas = NULL;
	struct stat wanted;
	struct stat st;
	size_t count;

	*ret_active = false;
	TRY(swap_areas(&areas, &count, err));
	for (size_t i = 0; i < count && stat(path, &wanted) == 0; i++)
		*ret_active |= stat(areas[i].path, &st) == 0 && S_ISBLK(st.st_mode) &&
			       st.st_rdev == wanted.st_rdev;
	return COF_OK;
}

/* Maps the device with a random key, unless a run before did. */
static cof_result map(const struct swap_job *job, struct cof_error *err)
{
	struct luks_mapping mapping;
	bool found;

	TRY(luks_mapping_find(job->name, &mapping, &found, err));
	if (found) {
		ENSURE(strcmp(mapping.source, job->device->node) == 0, err, COF_E_BUSY, job->name,
		       "is a mapping of %s, not of %s", mapping.source, job->device->node);
		return COF_OK;
	}
	TRY(luks_activate_random(job->device->node, job->name,
				 job->device->size_bytes % SECTOR_BYTES == 0 ? SECTOR_BYTES : 512,
				 err));
	return fault_point("swap/mapped", err);
}

/* Makes a swap area of the mapping, unless a run before did. */
static cof_result make(const char *mapper, struct cof_error *err)
{
	const char *const argv[] = { "mkswap", mapper, NULL };
	char type[64];

	TRY(probe_tag(mapper, "TYPE", type, sizeof(type), err));
	if (strcmp(type, "swap") == 0)
		return COF_OK;
	TRY(child_check(argv, MKSWAP_TIMEOUT_MS, err));
	return fault_point("swap/made", err);
}

/* One area, at once: each step is left out where a run before has done it. */
static cof_result encrypt_now(struct swap_job *job, struct cof_error *err)
{
	_cleanup_free_ char *mapper = NULL;
	int flags = 0;
	bool active;

	TRY(path_format(&mapper, err, "/dev/mapper/%s", job->name));
	TRY(find_active(mapper, &active, err));
	job->on = active;
	if (active)
		return COF_OK;
	job->changed = true;
	if (job->active) {
		TRY(check_memory(job, err));
		if (swapoff(job->area.path) != 0)
			return cof_raise_errno(err, errno, job->area.path, "cannot be swapped off");
		TRY(fault_point("swap/off", err));
	}
	TRY(map(job, err));
	TRY(make(mapper, err));
	if (job->active && job->area.priority >= 0)
		flags = SWAP_FLAG_PREFER | (job->area.priority & SWAP_FLAG_PRIO_MASK);
	if (swapon(mapper, flags) != 0)
		return cof_raise_errno(err, errno, mapper, "cannot be swapped on");
	job->on = true;
	return fault_point("swap/on", err);
}

/* systemd reads both files anew, so that its units are those of the next boot. */
static void tell_systemd(const struct paths *paths)
{
	static const char *const argv[] = { "systemctl", "daemon-reload", NULL };

	if (paths->root[0] || !path_exists("/run/systemd/system"))
		return;
	if (cof_failed(child_check(argv, RELOAD_TIMEOUT_MS, NULL)))
		log_notice("systemctl daemon-reload did not work: systemd goes by the old lines "
			   "until the next boot");
}

/* Whether a file of the plan changes. */
static bool differs(const struct buffer texts[2])
{
	return texts[0].len != texts[1].len ||
	       (texts[0].len && memcmp(texts[0].data, texts[1].data, texts[0].len) != 0);
}

/* One run at a time. */
static cof_result lock_runs(const struct paths *paths, int *ret_fd, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&folder, err, "%s/run/coffer", paths->root));
	TRY(folder_make(folder, 0700, err));
	TRY(path_format(&path, err, "%s/swap.lock", folder));
	return file_lock(path, LOCK_WAIT_MS, ret_fd, err);
}

cof_result swap_run(const struct paths *paths, struct swap_plan *plan, const struct swap_spec *spec,
		    struct cof_error *err)
{
	bool edits = differs(plan->crypttab) || differs(plan->fstab);
	_cleanup_fd_ int lock = -1;

	if (!is_any_going(plan))
		return COF_OK;
	TRY(lock_runs(paths, &lock, err));
	TRY(write_files(paths, plan, err));
	for (size_t i = 0; i < plan->count; i++) {
		struct swap_job *job = &plan->jobs[i];
		struct cof_error failure = { 0 };

		if (!is_going(job))
			continue;
		job->changed = !job->known || edits || job->resume_file[0];
		if (spec->now && cof_failed(encrypt_now(job, &failure)))
			job->error = failure;
	}
	if (edits)
		tell_systemd(paths);
	return COF_OK;
}
