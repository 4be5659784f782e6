/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_HEADERS_H
#define COF_BLOCK_DISK_HEADERS_H

/*
 * `disk header check|backup|restore|repair`, and what other verbs say of a disk's header.
 *
 * The vault keeps every version of every disk's header as the generations of its "disk-header"
 * record. What is looked at is never written: headers are read from copies in memory.
 */

#include "disk.h"
#include "luks_header.h"

/**
 * struct header_work - what the devices of one run share
 * @vault:    NULL where there is none, or it does not matter
 * @unlocked: records can be read
 */
struct header_work {
	struct vault *vault;
	const struct paths *paths;
	bool unlocked;
	struct disk_set set;
	struct device_list devices;
	bool scanned;
};

/** header_work_init() - @vault is borrowed and may be NULL. Fails as disk_set_load() */
cof_result header_work_init(struct vault *vault, const struct paths *paths,
			    struct header_work *ret_work, struct cof_error *err);
void header_work_done(struct header_work *work);

/**
 * struct header_job - one device, and what the vault knows of it
 * @device:  owned
 * @known:   the vault has a record of it: @disk
 * @other:   the device is another one than the record says; @why_not: which values disagree
 * @open:    the volume that is open on it
 * @key:     the stored key; owned; only with @known
 * @copy:    the newest copy; owned; NULL where there is none
 */
struct header_job {
	struct device *device;
	bool known;
	struct disk disk;
	bool other;
	char why_not[384];
	struct disk_open_state open;
	struct slot_secret *key;
	struct record *copy;
};
void header_job_done(struct header_job *job);

/**
 * header_job_find() - the device that was typed, by volume or device name
 *
 * A device is known by the volume that is open on it, else by the UUID that is left of its header,
 * else by its stable name. Fails: COF_E_NOENT, as vault_get()
 */
cof_result header_job_find(struct header_work *work, const char *typed, struct header_job *ret_job,
			   struct cof_error *err);

/** enum header_copy_state - how a header compares with its newest copy in the vault */
enum header_copy_state {
	HEADER_COPY_UNKNOWN, /* the vault is locked, or does not know the disk */
	HEADER_COPY_NONE,
	HEADER_COPY_SAME,
	HEADER_COPY_NEWER, /* it was changed, by whatever tool, and the vault's key opens it */
	HEADER_COPY_OLDER,
	HEADER_COPY_DAMAGED, /* the header differs where nobody changes it */
	HEADER_COPY_OTHER,   /* the two are of different disks, or of different volume keys */
};

/**
 * struct header_report - what `disk header check` says of one disk
 * @key_tried: @key_opens says whether the vault's key opens it
 * @taken:     when the newest copy was, with @generation; 0: there is none
 * @diff:      from the newest copy to the device
 * @kept:      the header was newer, and is now the newest copy
 * @good:      nothing is wrong
 * @problem:   what is wrong, in words, "" with @good; @remedy: what to type
 */
struct header_report {
	char name[128];
	char source[256];
	char uuid[40 + 1];
	struct luks_header_state state;
	bool known;
	bool key_tried;
	bool key_opens;
	enum header_copy_state copy;
	uint64_t generation;
	time_t taken;
	struct luks_diff diff;
	bool kept;
	bool good;
	char problem[512];
	char remedy[256];
};
void header_report_done(struct header_report *report);

/** header_copy_word() - "same", "newer", ... for JSON; static */
const char *header_copy_word(enum header_copy_state state);

/**
 * header_check() - look at one disk's header; a legitimate newer one is copied into the vault
 * @typed: volume or device
 * Writes to no device. Fails: as header_job_find(); a damaged header is an answer
 */
cof_result header_check(struct header_work *work, const char *typed,
			struct header_report *ret_report, struct cof_error *err);

/**
 * header_backup() - take a new copy of a header into the vault, where it differs from the newest
 * @ret_kept:       false: the newest copy is the same
 * @ret_generation: of the newest copy
 * Fails: COF_E_FORMAT (damaged), COF_E_KEY, COF_E_REFUSED (older than the copy, or another's)
 */
cof_result header_backup(struct header_work *work, const struct header_job *job, bool *ret_kept,
			 uint64_t *ret_generation, struct cof_error *err);

/**
 * struct header_plan - what a repair or a restore writes
 * @job:     owned
 * @state:   of the header when the plan was made
 * @writes:  none: nothing is wrong
 * @wanted:  of a restore: the copy that is put back
 * @good:    of a restore: the present header is good, and goes
 * @foreign: something else was found on the device, which is overwritten: in words, or ""
 */
struct header_plan {
	struct header_job job;
	struct luks_header_state state;
	struct luks_writes writes;
	struct buffer wanted;
	bool good;
	char foreign[384];
};
void header_plan_done(struct header_plan *plan);

/**
 * header_repair_plan() - the least change that makes a header good again: magic bytes, one of the
 * two headers from the other, keyslots from the copy, all from the copy
 * @force: although something else has been written over it
 *
 * Works while the disk is open. Every change is rehearsed in memory, and must open with the vault's
 * key. Fails: COF_E_FORMAT (nothing to mend it from), COF_E_REFUSED (another disk, in use by
 * others, holds something else, was changed on purpose), COF_E_LOCKED, as header_job_find()
 */
cof_result header_repair_plan(struct header_work *work, const char *typed, bool force,
			      struct header_plan *ret_plan, struct cof_error *err);

/**
 * header_repair_run() - write it, prove it with the vault's key, bring the copy up to date
 * Fault points "repair/...". A run after a crash at any step converges. Fails: COF_E_BUSY,
 * COF_E_CONFLICT (somebody wrote the header since the plan was made), COF_E_IO
 */
cof_result header_repair_run(struct header_work *work, struct header_plan *plan,
			     struct cof_error *err);

/**
 * struct header_restore_spec - options of `disk header restore`
 * @generation: of the copy, 0: the newest
 * @file:       a header backup file of cryptsetup's, or an exported copy; NULL: from the vault
 * @force:      although the present header is good, and differs
 */
struct header_restore_spec {
	uint64_t generation;
	const char *file;
	bool force;
};

/**
 * header_restore_plan() - put a copy back
 * Fails: COF_E_REFUSED (in use, another disk, a good header would go, the vault's key does not open
 * the copy, the copy has another volume key), COF_E_NOENT (no such generation), COF_E_FORMAT
 */
cof_result header_restore_plan(struct header_work *work, const char *typed,
			       const struct header_restore_spec *spec, struct header_plan *ret_plan,
			       struct cof_error *err);

/** header_restore_run() - keep what is replaced as a version, write, prove. Fault points
 * "restore/...". Fails as header_repair_run() */
cof_result header_restore_run(struct header_work *work, struct header_plan *plan,
			      struct cof_error *err);

/**
 * header_load() - a copy from the vault's history (@generation 0: the newest)
 * Fails: COF_E_NOENT, as vault_get_generation()
 */
cof_result header_load(struct vault *vault, const char *name, uint64_t generation,
		       struct buffer *ret_copy, struct cof_error *err);

#endif
