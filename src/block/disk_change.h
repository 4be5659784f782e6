/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_CHANGE_H
#define COF_BLOCK_DISK_CHANGE_H

/*
 * Disks whose data change where they are: encrypt, rekey, decrypt. Each takes one disk, and as long
 * as its data take; a run that was stopped, killed or cut off is gone on with by the same command.
 */

#include "disk.h"

/* A kind of records: what one of these verbs needs to go on with the disk of the same name; there
 * from its first step to its last. */
#define DISK_JOB_KIND "disk-job"

/* Names of events in the audit log, beside those of audit.h. */
#define AUDIT_DISK_ENCRYPT "disk.encrypt"
#define AUDIT_DISK_REKEY   "disk.rekey"
#define AUDIT_DISK_DECRYPT "disk.decrypt"

/** enum disk_change_action - what the verb comes down to */
enum disk_change_action {
	CHANGE_NEW,    /* from the beginning */
	CHANGE_RESUME, /* from where it was */
	CHANGE_DONE,   /* nothing is left to do to the data */
};

/**
 * struct disk_change_plan - one disk of one such verb, from the plan to its result
 * @device:          owned
 * @holds:           encrypt: what is on it, "ext4 (label \"srv\")"
 * @data_bytes:      where that ends, or how much data there is
 * @shrink_to_bytes: encrypt: the file system is to end there first; 0: it stays as it is
 * @end_in_use:      encrypt: the end of the device, which is needed, holds something
 * @result:          its error is the refusal
 */
struct disk_change_plan {
	struct device *device;
	struct disk disk;
	enum disk_change_action action;
	uint32_t sector_bytes;
	char holds[512];
	uint64_t data_bytes;
	uint64_t shrink_to_bytes;
	bool end_in_use;
	struct disk_result result;
};
void disk_change_plan_done(struct disk_change_plan *plan);

/* ---- encrypt ---- */

/** struct disk_encrypt_spec - options of `disk encrypt` */
struct disk_encrypt_spec {
	const char *name;      /* NULL: after the device */
	uint32_t sector_bytes; /* 0: 4096 where device and file system are fit for it, else 512 */
	bool shrink;	       /* make the file system smaller where it reaches too far */
	bool end_unused;       /* the user says that the end of the device holds nothing */
	bool crypttab;	       /* a line also for a device with no stable name */
	bool no_crypttab;      /* none at all */
};

/**
 * disk_encrypt_plan() - look at a device and decide; changes nothing
 * @typed: a device; also the volume's name, to go on
 *
 * A refusal is in ret_plan->result.error. Fails only where nothing can be planned at all:
 * COF_E_LOCKED, COF_E_USAGE (options), COF_E_NOMEM
 */
cof_result disk_encrypt_plan(struct vault *vault, const struct paths *paths, const char *typed,
			     const struct disk_encrypt_spec *spec,
			     struct disk_change_plan *ret_plan, struct cof_error *err);

/**
 * disk_encrypt_run() - do what was planned
 *
 * Key durable → file system smaller, where asked → beginning of the data to the end of the device →
 * header copy → header → data, step by step → compared with what they were → crypttab line → open.
 * Fault points "encrypt/...". Fails: the disk's failure; COF_E_FAILED (stopped by a signal)
 */
cof_result disk_encrypt_run(struct vault *vault, const struct paths *paths,
			    struct disk_change_plan *plan, struct progress *progress,
			    struct cof_error *err);

/* ---- rekey ---- */

/**
 * disk_rekey_plan() - look at a disk of the vault and decide; changes nothing
 * @typed: volume or device
 *
 * A disk that is open through dm-crypt stays so. A refusal is in ret_plan->result.error. Fails only
 * where nothing can be planned at all: COF_E_LOCKED, COF_E_NOMEM
 */
cof_result disk_rekey_plan(struct vault *vault, const struct paths *paths, const char *typed,
			   struct disk_change_plan *ret_plan, struct cof_error *err);

/**
 * disk_rekey_run() - do what was planned
 *
 * Noted in the vault → new volume key in a keyslot → header copy → data, step by step → compared
 * with what they were, unless the disk is open → header copy. Fault points "rekey/...".
 * Fails: the disk's failure; COF_E_FAILED (stopped by a signal)
 */
cof_result disk_rekey_run(struct vault *vault, const struct paths *paths,
			  struct disk_change_plan *plan, struct progress *progress,
			  struct cof_error *err);

/* ---- decrypt ---- */

/** disk_decrypt_plan() - look at a disk of the vault and decide; changes nothing.
 * @typed: volume or device. Otherwise as disk_rekey_plan() */
cof_result disk_decrypt_plan(struct vault *vault, const char *typed,
			     struct disk_change_plan *ret_plan, struct cof_error *err);

/**
 * disk_decrypt_run() - do what was planned
 *
 * Noted in the vault → header copy → header in a file of the vault's folder → data, step by step →
 * compared with what they were → crypttab line gone → key and copies out of the vault. Fault points
 * "decrypt/...". Fails: the disk's failure; COF_E_FAILED (stopped by a signal)
 */
cof_result disk_decrypt_run(struct vault *vault, const struct paths *paths,
			    struct disk_change_plan *plan, struct progress *progress,
			    struct cof_error *err);

#endif
