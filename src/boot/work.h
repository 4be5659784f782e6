/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_WORK_H
#define COF_BOOT_WORK_H

/*
 * Everything up, and everything down: volumes, file systems, services, each as one step.
 */

#include "boot.h"
#include "disk.h"

/** enum boot_kind - what a step is about */
enum boot_kind { BOOT_VOLUME, BOOT_MOUNT, BOOT_SERVICE };

/**
 * struct boot_step - one thing of a start or a stop, and what became of it
 * @name:    volume, mount point or unit
 * @state:   as it is now: "open", "closed", "mounted", "unmounted", "running", "stopped",
 * "waiting"; "planned" in a dry run; "failed"
 * @changed: this run did something, or would
 * @note:    what a person should know of it as well, "" for nothing
 */
struct boot_step {
	enum boot_kind kind;
	char name[BOOT_PATH_MAX_CHARS + 1];
	const char *state;
	bool changed;
	char note[512];
	struct cof_error error;
};

/** boot_tell - is told of each step when it has ended */
typedef void (*boot_tell)(const struct boot_step *step, void *context);

/**
 * struct boot_work - one start or stop
 * @vault:   unlocked, where a volume is to be opened; may be NULL or locked for a stop
 * @force:   stop: go on without the proof that the volumes could be opened again
 * @kill:    stop: end the processes that keep a file system busy
 * @failure: the first one
 * The others are the caller's; steps are freed by boot_work_done().
 */
struct boot_work {
	struct boot *boot;
	struct vault *vault;
	bool dry_run;
	bool force;
	bool kill;
	boot_tell tell;
	void *context;
	struct boot_step **steps;
	size_t count;
	struct cof_error failure;
};
void boot_work_done(struct boot_work *work);

/** boot_lock() - keep other starts and stops out. @ret_fd: caller closes.
 * Fails: COF_E_BUSY (another one is at it), COF_E_IO */
cof_result boot_lock(const struct boot *boot, int *ret_fd, struct cof_error *err);

/** boot_closed_volumes() - how many of the vault's volumes in crypttab are not open.
 * Fails: as disk_state_of() */
cof_result boot_closed_volumes(const struct boot *boot, size_t *ret_count, struct cof_error *err);

/**
 * boot_start() - open, check, mount, start: what is up already is left alone, and one failure does
 * not stop what does not depend on it
 * Fails: the first step's failure, after all were tried; COF_E_NOMEM
 */
cof_result boot_start(struct boot_work *work, struct cof_error *err);

/**
 * boot_stop() - services, file systems, volumes down, in reverse
 * Before anything is touched, it is proven that the stored keys open the volumes again.
 * Fails: as boot_start(); COF_E_REFUSED (a volume could not be opened again: nothing was touched)
 */
cof_result boot_stop(struct boot_work *work, struct cof_error *err);

/* ---- for start and stop alone (work.c) ---- */

/** boot_step_begin() - a new step; borrowed from @work. Fails: COF_E_NOMEM */
cof_result boot_step_begin(struct boot_work *work, enum boot_kind kind, const char *name,
			   struct boot_step **ret_step, struct cof_error *err);
/** boot_step_end() - tell of it; a failure of it is kept in @work */
void boot_step_end(struct boot_work *work, struct boot_step *step, cof_result result);

/** boot_mount_plain() - check a file system and mount it, without systemd. A checker that has
 * corrected errors has not failed: fsck(8), EXIT STATUS. @ret_corrected: it has.
 * Fails: COF_E_FAILED, COF_E_NOENT (no such folder or device) */
cof_result boot_mount_plain(const struct boot *boot, const struct boot_mount *mount,
			    bool *ret_corrected, struct cof_error *err);

/**
 * boot_find_users() - who keeps a file system busy
 * @pids: receives @room process ids at most, of processes that may be ended: none of coffer's own
 * @words: receives "mysqld (412), bash (77) and 3 more", "" for nobody
 * Returns how many were put into @pids.
 */
size_t boot_find_users(const char *path, pid_t pids[], size_t room, char words[static 256]);

/** boot_unmount() - take a file system away; NULL for @unit where systemd has no part in it.
 * Fails: COF_E_BUSY (names who keeps it busy, with @kill after they were asked to end and then
 * killed), COF_E_FAILED */
cof_result boot_unmount(const struct boot_work *work, const char *path, struct cof_error *err);

/** boot_service_start(), boot_service_stop() - one unit, through systemd or its init script
 * @ret_changed: it was not so before. Fails: COF_E_FAILED, COF_E_NOENT, COF_E_UNSUPPORTED */
cof_result boot_service_start(const struct boot_work *work, const char *unit, bool *ret_changed,
			      struct cof_error *err);
cof_result boot_service_stop(const struct boot_work *work, const char *unit, bool *ret_changed,
			     struct cof_error *err);

#define BOOT_JOB_TIMEOUT_MS (300u * 1000) /* systemd ends a job of its own accord long before */

#endif
