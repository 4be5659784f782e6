/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_LIFE_H
#define COF_BLOCK_DISK_LIFE_H

/*
 * The life of a disk's key: adopt, rotate, destroy. Each goes on after a failure of one disk and
 * leaves one result each; a rerun after a crash at any step converges.
 */

#include "disk.h"

/* A kind of records: the key that `key rotate` is about to give the disk of the same name; there
 * from its first step to its last, so that a run after a crash goes on with the same key. */
#define DISK_ROTATION_KIND "disk-rotation"

/* Names of events in the audit log, beside those of audit.h. */
#define AUDIT_DISK_ADOPT "disk.adopt"
#define AUDIT_KEY_ROTATE "key.rotate"
#define AUDIT_KEY_RELOCATE "key.relocate"

/* ---- adopt ---- */

/** disk_adopt_ask - the secret that opens @device now; NULL where none is known and none is needed,
 * since nothing will be done (--dry-run) */
typedef cof_result (*disk_adopt_ask)(const struct device *device, void *context,
				     struct slot_secret **ret_secret, struct cof_error *err);

/** struct disk_adopt_spec - options of `disk adopt` */
struct disk_adopt_spec {
	const char *name; /* NULL: as it is open, else as in crypttab, else after the device */
	bool only;	  /* every other keyslot goes */
	bool keep_key;	  /* the present secret, a random key, becomes the key in the vault */
	bool crypttab;	  /* a line also for a device with no stable name */
	bool no_crypttab; /* none at all, and a line that is there stays as it is */
	disk_adopt_ask ask;
	void *ask_context;
};

/** enum disk_adopt_action - what adopting one device comes down to */
enum disk_adopt_action {
	ADOPT_NEW,    /* from the beginning */
	ADOPT_RESUME, /* the key is durable, its keyslot is missing */
	ADOPT_FINISH, /* the stored key opens the header: what comes after, where missing */
};

/** struct disk_adopt_job - one device of one `disk adopt`, from the plan to its result */
struct disk_adopt_job {
	struct device *device; /* owned */
	struct disk disk;
	struct luks_info info;
	enum disk_adopt_action action;
	struct record *record;	       /* owned; with the key; NULL until there is one */
	struct volume_key *volume_key; /* owned; NULL where no secret was given */
	struct slot_secret *secret;    /* owned; the present one, with keep_key */
	int own_slot;		       /* that the stored key opens, or -1; --only leaves it */
	bool replaces_line;	       /* crypttab has a line for it with another key */
	char stays[256];	       /* why such a line stays as it is, or "" */
	struct disk_result result;
};

/** struct disk_adopt_plan - all devices of one `disk adopt` */
struct disk_adopt_plan {
	struct disk_adopt_job *jobs;
	size_t count;
};
void disk_adopt_plan_done(struct disk_adopt_plan *plan);

/**
 * disk_adopt_plan() - look at every device, unlock it with its present secret, and decide; changes
 * nothing
 *
 * A device that cannot be adopted has its refusal in jobs[].result.error. Fails only where nothing
 * can be planned at all: COF_E_LOCKED, COF_E_USAGE (options), COF_E_NOMEM
 */
cof_result disk_adopt_plan(struct vault *vault, const struct paths *paths,
			   const char *const devices[], size_t count,
			   const struct disk_adopt_spec *spec, struct disk_adopt_plan *ret_plan,
			   struct cof_error *err);

/**
 * disk_adopt_run() - do what was planned, for the devices that were not refused
 *
 * Per device: key durable → keyslot → unlock test with the key as it was read back → header copy →
 * crypttab line → with --only the other keyslots go. Fault points "adopt/...".
 * Fails: the first device's failure, after all were tried
 */
cof_result disk_adopt_run(struct vault *vault, const struct paths *paths,
			  struct disk_adopt_plan *plan, const struct disk_adopt_spec *spec,
			  struct progress *progress, struct cof_error *err);

/**
 * adopt_options() - a crypttab line's options once its key comes from the key server, pure
 * @before:      the options of the line that is replaced, "" for a new one
 * @ret_options: caller frees
 *
 * What told where the old key is goes: it would keep the new one from being used. What a machine
 * needs to boot while the vault is locked is added: nofail, headless.
 */
cof_result adopt_options(const char *before, char **ret_options, struct cof_error *err);

/* ---- rotate ---- */

/**
 * struct disk_rotate_spec - options of `key rotate`
 * @dry_run:         check and change nothing
 * @without_mirrors: the old key goes although a mirror has it alone
 */
struct disk_rotate_spec {
	bool dry_run;
	bool without_mirrors;
};

/**
 * disk_rotate() - give disks new keys
 * @names:   volumes or devices as typed; borrowed
 * @results: @count of them, filled in
 *
 * Per disk: new key durable → its keyslot → unlock test → record and header copy in one
 * transaction → the old keyslot goes, unless a mirror has not got the new key: then the disk fails
 * with COF_E_REFUSED, and the next run goes on there → header copy. The disk may be open. At each
 * moment the newest key in the vault opens the disk. Fault points "rotate/...".
 * Fails: the first one's failure, after all were tried
 */
cof_result disk_rotate(struct vault *vault, const struct paths *paths, const char *const names[],
		       size_t count, const struct disk_rotate_spec *spec,
		       struct progress *progress, struct disk_result results[],
		       struct cof_error *err);

#endif
