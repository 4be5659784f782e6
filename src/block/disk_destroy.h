/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_DESTROY_H
#define COF_BLOCK_DISK_DESTROY_H

/*
 * disk destroy: what a disk holds is made unreadable for good, with a certificate.
 */

#include "disk.h"

/* A kind of records: a disk that was destroyed and whose certificate is not in the audit log yet;
 * its meta are the disk's facts, and the steps under "steps". There for a moment only. */
#define DISK_DESTROYED_KIND "disk-destroyed"

/**
 * struct destroy_steps - what was done to the device; false where it was not, or could not be
 * @last_backup:  when the last backup of the vault that is known was made, RFC 3339; "" for none
 * @backup_holds: it may have a key of the disk and a copy of its header, with which both can be put
 *                back; so may those before it
 */
struct destroy_steps {
	bool missing;	  /* the device was not there: only what the vault had could go */
	bool overwritten; /* keyslots and both headers, twice, and read back */
	bool discarded;
	bool flash; /* overwriting promises nothing: it does not rotate */
	uint64_t overwritten_bytes;
	char last_backup[32];
	bool backup_holds;
};

/**
 * destroy_certificate() - the certificate of a destroyed disk, pure; caller owns
 * @mirrors_left: mirrors that still hold its wrapped keys, NULL-terminated; may be NULL
 * @copies_aside: copies of the vault that were set aside and may hold them; the same
 *
 * Only without either does it say that the keys and the header's copies are removed.
 */
struct json *destroy_certificate(const struct disk *disk, const struct destroy_steps *steps,
				 const char *const mirrors_left[],
				 const char *const copies_aside[]);
/** destroy_steps_to_meta(), destroy_steps_of() - the steps in a record's meta and back, pure */
void destroy_steps_to_meta(const struct destroy_steps *steps, struct json *meta);
struct destroy_steps destroy_steps_of(const struct json *meta);

/** enum disk_destroy_action - what destroying one disk comes down to */
enum disk_destroy_action {
	DESTROY_ALL,	/* the device and what the vault has of it */
	DESTROY_VAULT,	/* --missing: what the vault has */
	DESTROY_CERTIFY /* nothing but the certificate was left to write */
};

/** struct disk_destroy_job - one disk of one `disk destroy`, from the plan to its result */
struct disk_destroy_job {
	struct disk disk;
	struct device *device; /* owned; NULL where it is not there */
	enum disk_destroy_action action;
	bool has_header;     /* the device has it; else a run before has removed it */
	uint64_t wipe_bytes; /* from the start: headers and keyslot areas */
	size_t slot_count;
	size_t key_count;  /* generations of the key in the vault */
	size_t copy_count; /* and of the header's copy */
	struct destroy_steps steps;
	bool has_line;	   /* in crypttab */
	struct disk_result result;
};

/** struct disk_destroy_plan - all disks of one `disk destroy` */
struct disk_destroy_plan {
	struct disk_destroy_job *jobs;
	size_t count;
};
void disk_destroy_plan_done(struct disk_destroy_plan *plan);

/**
 * disk_destroy_plan() - look at every disk and decide; changes nothing
 * @missing: the devices are gone for good
 *
 * A disk that must not be touched has its refusal in jobs[].result.error. Fails only where nothing
 * can be planned at all: as disk_set_load(), COF_E_NOMEM
 */
cof_result disk_destroy_plan(struct vault *vault, const struct paths *paths,
			     const char *const names[], size_t count, bool missing,
			     struct disk_destroy_plan *ret_plan, struct cof_error *err);

/**
 * disk_destroy_run() - do what was planned, for the disks that were not refused
 *
 * Per disk: audit line → record says so → device overwritten, read back, discarded → crypttab line
 * gone → keys, copies and record gone in one transaction → certificate in the audit log. As long as
 * anything is left on the device, the vault can still open it. Fault points "destroy/...".
 * Fails: the first disk's failure, after all were tried
 */
cof_result disk_destroy_run(struct vault *vault, const struct paths *paths,
			    struct disk_destroy_plan *plan, struct progress *progress,
			    struct cof_error *err);

#endif
