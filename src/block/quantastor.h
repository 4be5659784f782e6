/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_QUANTASTOR_H
#define COF_BLOCK_QUANTASTOR_H

/*
 * Disks that QuantaStor's qs-util has encrypted come into the vault with the keys that they have:
 * DIR/keys/NAME.key, DIR/headers/NAME.*, and lines of crypttab that name those key files.
 *
 * Importing writes nothing to a disk and removes nothing: the vault gets key and header copy, and
 * crypttab names the key server. Until the user is done, all of it can be undone.
 */

#include "disk_life.h"

#define QUANTASTOR_FOLDER "/etc/cryptconf"

/* A kind of records, one for each imported disk: its meta say where things were, "state" is
 * "imported" or "done", and its blob is the copy of the header that qs-util had made. */
#define DISK_IMPORT_KIND "disk-import"

#define AUDIT_IMPORT	  "disk.import"
#define AUDIT_IMPORT_UNDO "disk.import-undo"
#define AUDIT_IMPORT_DONE "disk.import-done"

/** struct quantastor_job - one key file, from the plan to its result */
struct quantastor_job {
	char *key_file;		/* owned */
	char *header_file;	/* owned; NULL: there is no copy of a header by that name */
	char *name;		/* owned; of the volume */
	struct slot_secret *key; /* owned */
	const struct device *device; /* that the key opens; borrowed; NULL: none does */
	struct buffer header;	/* the copy of the header, compact; empty where there is none */
	struct disk_adopt_plan adopt; /* of that one device */
	struct disk_result result;
};

struct disk_finder;

/** struct quantastor_plan - all key files of a folder */
struct quantastor_plan {
	char *folder; /* owned */
	struct disk_finder *finder;
	struct quantastor_job *jobs;
	size_t count;
};
void quantastor_plan_done(struct quantastor_plan *plan);

/**
 * quantastor_plan() - which key file opens which device, each proven; changes nothing
 * @folder:   borrowed
 * @progress: may be NULL
 *
 * Tried in this order: the device of the line in crypttab that names the file, the by-id name in
 * the file's own name, the UUID in the copy of the header, and then every LUKS device that no other
 * key has opened. What is wrong with one key file is in jobs[].result.error.
 * Fails: COF_E_NOENT (no such folder; says so where nothing is mounted there), COF_E_LOCKED,
 * COF_E_FORMAT (crypttab), COF_E_IO, COF_E_NOMEM
 */
cof_result quantastor_plan(struct vault *vault, const struct paths *paths, const char *folder,
			   struct progress *progress, struct quantastor_plan *ret_plan,
			   struct cof_error *err);

/**
 * quantastor_run() - do what was planned, for what was not refused
 *
 * Per disk: what undoing needs is durable → key durable → proven → header copy → crypttab. A rerun
 * after a crash converges. Fault points "import/...", "adopt/...".
 * Fails: the first one's failure, after all were tried
 */
cof_result quantastor_run(struct vault *vault, const struct paths *paths,
			  struct quantastor_plan *plan, struct progress *progress,
			  struct cof_error *err);

/**
 * quantastor_pending() - imports that are neither undone nor done
 * @folder: of the first one; untouched where there is none
 * Fails: as vault_get()
 */
cof_result quantastor_pending(struct vault *vault, size_t *ret_count, char *folder,
			      size_t folder_size_bytes, struct cof_error *err);

/** struct quantastor_end - how an import ends: what becomes of each imported disk */
struct quantastor_end {
	char **names; /* owned, NULL-terminated */
	struct disk_result *results;
	size_t count;
};
void quantastor_end_done(struct quantastor_end *end);

/**
 * quantastor_undo() - crypttab gets its old lines, and the vault forgets the disks
 * @folder: of disks imported from there
 *
 * A disk whose key file is gone, or does not hold a key that opens it any more, is refused.
 * Fault points "import/...". Fails: the first one's failure, after all were tried
 */
cof_result quantastor_undo(struct vault *vault, const struct paths *paths, const char *folder,
			   bool dry_run, struct quantastor_end *ret_end, struct cof_error *err);

/**
 * quantastor_finish() - key files and header copies in the folder are overwritten and removed
 *
 * A disk that is not attached, or that the vault's key does not open, keeps them. The copy of the
 * header stays in the vault. Fault points "import/...".
 * Fails: the first one's failure, after all were tried
 */
cof_result quantastor_finish(struct vault *vault, const struct paths *paths, const char *folder,
			     bool dry_run, struct quantastor_end *ret_end, struct cof_error *err);

#endif
