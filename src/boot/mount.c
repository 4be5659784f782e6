/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file system checked and mounted where systemd does not do it, and taken away.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#include "boot_unit.h"
#include "child.h"
#include "clock.h"
#include "file.h"
#include "work.h"

#define FSCK_TIMEOUT_MS	 0 /* none: a large file system takes hours */
#define MOUNT_TIMEOUT_MS (300u * 1000)
#define USERS_MAX	 1024
#define TERM_WAIT_MS	 5000 /* to end of their own accord */
#define KILL_WAIT_MS	 5000
#define PAUSE_NS	 20000000
/* fsck(8), EXIT STATUS */
#define FSCK_CORRECTED 1
#define FSCK_REBOOT    2

/* ---- up ---- */

/* The device that fstab means: of a volume, whichever backend it is open in. */
static cof_result find_source(const struct boot *boot, const struct boot_mount *mount, char *out,
			      size_t out_size_bytes, struct cof_error *err)
{
	struct disk_open_state state = { 0 };

	(void)snprintf(out, out_size_bytes, "%s", mount->spec);
	if (!mount->volume[0])
		return COF_OK;
	TRY(disk_state_of(boot->paths, mount->volume, &state, err));
	ENSURE(state.open, err, COF_E_NOENT, mount->volume, "is not open");
	(void)snprintf(out, out_size_bytes, "%s", state.device);
	return COF_OK;
}

/* Checks it as at boot: what can be corrected without a question is. */
static cof_result check_fs(const struct boot_mount *mount, const char *source, bool *ret_corrected,
			   struct cof_error *err)
{
	/* Of no type it finds out itself. */
	bool known = strcmp(mount->type, "auto") != 0;
	const char *const argv[] = { "fsck",	  "-T", "-M", "-p", source, known ? "-t" : NULL,
				     mount->type, NULL };
	cof_result failed;
	int status;

	if (!mount->checked)
		return COF_OK;
	TRY(child_run(argv, (struct span){ 0 }, FSCK_TIMEOUT_MS, NULL, &status, err));
	*ret_corrected = (status & FSCK_CORRECTED) != 0;
	if ((status & ~(FSCK_CORRECTED | FSCK_REBOOT)) == 0)
		return COF_OK;
	failed = cof_raise(err, COF_E_FAILED, mount->path,
			   "was not mounted: fsck has left errors (status %d)", status);
	cof_error_try(err, "fsck %s, which asks what to do about each", source);
	return failed;
}

cof_result boot_mount_plain(const struct boot *boot, const struct boot_mount *mount,
			    bool *ret_corrected, struct cof_error *err)
{
	char source[BOOT_PATH_MAX_CHARS + 1];
	const char *const argv[] = { "mount",	     "-t",   mount->type, "-o",
				     mount->options, source, mount->path, NULL };

	TRY(find_source(boot, mount, source, sizeof(source), err));
	ENSURE(path_exists(mount->path), err, COF_E_NOENT, mount->path,
	       "there is no such folder to mount at");
	TRY(check_fs(mount, source, ret_corrected, err));
	return cof_explain(child_check(argv, MOUNT_TIMEOUT_MS, err), err, NULL,
			   "%s could not be mounted", mount->path);
}

/* ---- down ---- */

/* Asks the kernel or systemd once. */
static cof_result try_unmount(const struct boot_work *work, const char *path, struct cof_error *err)
{
	char unit[BOOT_UNIT_MAX_CHARS + 1];
	bool plain = !work->boot->bus || !boot_mount_unit(path, unit);

	if (!plain)
		cof_ignore(bus_run(work->boot->bus, BUS_STOP, unit, BOOT_JOB_TIMEOUT_MS, NULL));
	/* Also where systemd has no such unit, or says no more than that it failed. */
	if (!boot_is_mounted(path) || umount2(path, UMOUNT_NOFOLLOW) == 0)
		return COF_OK;
	return cof_raise_errno(err, errno, path, "cannot be unmounted");
}

/* Sends a signal to all that use it, and waits for their end. */
static void end_users(const char *path, int signal_number, unsigned int wait_ms)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t end_ms = clock_ms() + wait_ms;
	pid_t pids[USERS_MAX];
	char words[256];
	size_t count = boot_find_users(path, pids, USERS_MAX, words);

	for (size_t i = 0; i < count; i++)
		(void)kill(pids[i], signal_number);
	while (count > 0 && clock_ms() < end_ms) {
		(void)nanosleep(&pause, NULL);
		count = boot_find_users(path, pids, USERS_MAX, words);
	}
}

cof_result boot_unmount(const struct boot_work *work, const char *path, struct cof_error *err)
{
	cof_result tried = try_unmount(work, path, err);
	pid_t pids[USERS_MAX];
	char words[256];

	if (tried.code != COF_E_BUSY)
		return tried;
	if (work->kill) {
		end_users(path, SIGTERM, TERM_WAIT_MS);
		end_users(path, SIGKILL, KILL_WAIT_MS);
		tried = try_unmount(work, path, err);
		if (tried.code != COF_E_BUSY)
			return tried;
	}
	(void)boot_find_users(path, pids, USERS_MAX, words);
	tried = cof_raise(err, COF_E_BUSY, path, "is in use and stays mounted");
	if (words[0])
		cof_error_cause(err, "used by %s", words);
	else
		cof_error_cause(err, "no process has a file of it open: something is mounted below "
				     "it, or the kernel uses it");
	if (!work->kill)
		cof_error_try(err, words[0] ? "end them, or coffer stop --kill"
					    : "findmnt --submounts, which shows what is below it");
	return tried;
}
