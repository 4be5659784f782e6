/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_H
#define COF_BLOCK_DISK_H

/*
 * Disks that the vault keeps: their records, and the verbs format, open, close.
 *
 * The verbs take several devices, go on after a failure of one, and leave one result each.
 */

#include "device.h"
#include "engine.h"
#include "luks.h"
#include "progress.h"
#include "vault.h"

/* Kinds of records: "disk" has the key as secret and the facts as meta; "disk-header" of the same
 * name has the header copy as blob. */
#define DISK_KIND	 "disk"
#define DISK_HEADER_KIND "disk-header"

#define DISK_KEY_BYTES_DEFAULT 64
#define DISK_KEY_BYTES_MIN     32
#define DISK_KEY_BYTES_MAX     (8u << 20) /* cryptsetup's limit for key files */

/** enum disk_work - what is under way while a disk is not ready; the same verb finishes it */
enum disk_work {
	DISK_WORK_FORMAT,
	DISK_WORK_ADOPT,
	DISK_WORK_DESTROY,
	DISK_WORK_ENCRYPT,
	DISK_WORK_REKEY,
	DISK_WORK_DECRYPT,
};

/**
 * struct disk - the facts of one disk as its record's meta holds them; "" where unknown
 * @ready: false from the moment its key is durable until its header is proven and copied
 */
struct disk {
	char name[VOLUME_NAME_MAX_CHARS + 1];
	char uuid[LUKS_UUID_CHARS + 1]; /* of its LUKS header, chosen before it is written */
	char stable[256];		/* by-id path */
	char backing_file[256];		/* of a loop device */
	char serial[128];
	char wwn[64];
	char vendor[64];
	char model[128];
	uint64_t size_bytes;
	char key_file[256];  /* where cryptsetup finds a copy of its key; "" for the vault alone */
	char key_mount[256]; /* the mount point that this file is on */
	char key_left[256];  /* a key file of before that is still to be removed; "" for none */
	char left_mount[256]; /* the mount point that one was on; "" where that is not known */
	bool key_only;	     /* the key file is all there is: the vault has no key of it */
	bool crypttab;	     /* has a crypttab line of ours */
	bool ready;
	enum disk_work work; /* which verb has not finished, where it is not ready */
};

/** disk_from_meta() - read a record's meta, pure. Fails: COF_E_FORMAT (no name or UUID, or a field
 * too long) */
cof_result disk_from_meta(const struct json *meta, struct disk *ret_disk, struct cof_error *err);
/** disk_to_meta() - the reverse; caller owns */
struct json *disk_to_meta(const struct disk *disk);
/** disk_of_device() - the facts of a device, pure; name and uuid stay empty */
void disk_of_device(const struct device *device, struct disk *ret_disk);
/** disk_take_device() - the same for a disk that keeps what is not a fact of its device, pure */
void disk_take_device(struct disk *disk, const struct device *device);
/** disk_is_device() - whether a record speaks of this device, pure; @why_not gets the two values
 * that disagree */
bool disk_is_device(const struct disk *disk, const struct device *device, char *why_not,
		    size_t why_not_size_bytes);

/** struct disk_set - the facts of every disk in the vault, without keys */
struct disk_set {
	struct disk *items;
	size_t count;
};
void disk_set_done(struct disk_set *set);
/** disk_set_load() - the vault must be unlocked. Fails as vault_each() */
cof_result disk_set_load(struct vault *vault, struct disk_set *ret_set, struct cof_error *err);
/** disk_set_find() - by volume name or LUKS UUID; NULL when there is none; borrowed */
const struct disk *disk_set_find(const struct disk_set *set, const char *name, const char *uuid);

/** struct disk_result - what became of one device of a verb */
struct disk_result {
	char name[128];
	char source[256];
	char device[256]; /* the plaintext, "" when not open */
	char uuid[LUKS_UUID_CHARS + 1];
	const char *backend; /* "dm-crypt", "user" or "" */
	const char *state;   /* "open", "closed", "proven", "planned", "untouched", "destroyed",
			      * "failed"; "" where nothing is known of a volume there */
	bool read_only;
	bool changed;		/* this run did something */
	const char *did;	/* what it did, where the verb and @changed do not tell; NULL */
	char note[256];		/* what a person should know of it as well, "" for nothing */
	struct cof_error error; /* code is COF_E_NONE on success */
};

/** disk_device_find() - device_find() for verbs that take volumes too, which its text says */
cof_result disk_device_find(const char *name, struct device **ret_device, struct cof_error *err);

/**
 * disk_check_names() - that each is the name of a block device, and none is named twice; asks and
 * changes nothing
 * @results: @count of them, filled in
 * Fails: the first one's failure, after all were looked at: COF_E_NOENT, COF_E_USAGE
 */
cof_result disk_check_names(const char *const names[], size_t count, struct disk_result results[],
			    struct cof_error *err);

/** disk_first_failure() - pass the first failure of several results up */
cof_result disk_first_failure(const struct disk_result results[], size_t count,
			      struct cof_error *err);

/** struct disk_open_state - where a volume is open */
struct disk_open_state {
	bool open;
	bool dead; /* its engine or the command that started it was killed: what is left is to be
		    * taken away */
	const char *backend; /* "dm-crypt" or "user" */
	char name[128];
	char device[256];
	char source[256];
	char uuid[LUKS_UUID_CHARS + 1];
	bool read_only;
};

/** disk_state_of() - whether the volume called @name is open, and in which of the two backends */
cof_result disk_state_of(const struct paths *paths, const char *name,
			 struct disk_open_state *ret_state, struct cof_error *err);
/** disk_state_on() - the same for whatever volume lies on the device @source */
cof_result disk_state_on(const struct paths *paths, const struct device *source,
			 struct disk_open_state *ret_state, struct cof_error *err);

/* ---- format ---- */

/** struct disk_format_spec - options of `disk format` */
struct disk_format_spec {
	const char *name;      /* NULL: after the device; only with one device */
	size_t key_bytes;      /* DISK_KEY_BYTES_MIN to _MAX */
	uint32_t sector_bytes; /* 0: 4096 where the device is fit for it, else 512 */
	bool force;
	bool anew;	  /* with a new key, although the vault's key opens what is there */
	bool crypttab;	  /* a line also for a device with no stable name */
	bool no_crypttab; /* none at all */
};

/** enum disk_format_action - what formatting one device comes down to */
enum disk_format_action {
	FORMAT_NEW,    /* from the beginning */
	FORMAT_RESUME, /* the key is durable, the header was not finished */
	FORMAT_FINISH, /* the header opens with the stored key: what comes after, where missing */
};

/** struct disk_format_job - one device of one `disk format`, from the plan to its result */
struct disk_format_job {
	struct device *device; /* owned */
	struct disk disk;
	struct verdict verdict;
	enum disk_format_action action;
	bool overwrites; /* recognisable or unknown content goes, with --force */
	uint32_t sector_bytes;
	struct record *record; /* owned; with the key; NULL until there is one */
	struct disk_result result;
};

/** struct disk_format_plan - all devices of one `disk format` */
struct disk_format_plan {
	struct disk_format_job *jobs;
	size_t count;
};
void disk_format_plan_done(struct disk_format_plan *plan);

/**
 * disk_format_plan() - look at every device and decide; changes nothing
 * @devices: names as typed
 *
 * A device that must not be touched has its refusal in jobs[].result.error. Fails only where
 * nothing can be planned at all: COF_E_LOCKED, COF_E_USAGE (options), COF_E_NOMEM
 */
cof_result disk_format_plan(struct vault *vault, const struct paths *paths,
			    const char *const devices[], size_t count,
			    const struct disk_format_spec *spec, struct disk_format_plan *ret_plan,
			    struct cof_error *err);

/**
 * disk_format_run() - do what was planned, for the devices that were not refused
 *
 * Per device: key durable → header → unlock test with the key as it was read back → header copy →
 * crypttab line → open. Fault points "format/...". A rerun after a crash at any step converges.
 * Fails: the first device's failure, after all were tried
 */
cof_result disk_format_run(struct vault *vault, const struct paths *paths,
			   struct disk_format_plan *plan, const struct disk_format_spec *spec,
			   struct progress *progress, struct cof_error *err);

/* ---- open ---- */

/** struct disk_open_spec - options of `disk open` */
struct disk_open_spec {
	bool read_only;
	bool test_only; /* prove that it would open, activate nothing */
	bool dry_run;	/* with @test_only: refuse as well what is in the way of activating it */
	bool force;	/* although serial number or by-id name differ from the record, or the
			 * disk is half destroyed */
};

/**
 * disk_open() - open disks that the vault knows
 * @names:   names, devices or by-id names as typed; borrowed
 * @results: @count of them, filled in
 *
 * The device is found by its by-id name, then by LUKS UUID; UUID and serial number must be those of
 * the record, and it must not be smaller. One that has grown is opened, with a note, and its record
 * takes the new size. Fails: the first one's failure, after all were tried
 */
cof_result disk_open(struct vault *vault, const struct paths *paths, const char *const names[],
		     size_t count, const struct disk_open_spec *spec, struct progress *progress,
		     struct disk_result results[], struct cof_error *err);

/** disk_open_foreign() - any LUKS device, with a secret; @name NULL: luks-<UUID>; @header: of a
 * detached header or NULL */
cof_result disk_open_foreign(const struct paths *paths, const char *device, const char *header,
			     const struct slot_secret *secret, const char *name,
			     const struct disk_open_spec *spec, struct disk_result *result,
			     struct cof_error *err);

/**
 * disk_activate() - hand a volume key to dm-crypt, or to the user-space engine where the kernel
 * has no dm-crypt. Fails: COF_E_BUSY, COF_E_UNSUPPORTED (neither is there), COF_E_IO
 */
cof_result disk_activate(const struct paths *paths, const char *source, const char *header,
			 const char *name, const struct volume_key *volume_key, bool read_only,
			 struct cof_error *err);

/** disk_check_free() - whether disk_activate() could have the device and the name, which it would
 * find out only by taking them. Fails: COF_E_BUSY (in use, saying by whom; name taken), COF_E_IO */
cof_result disk_check_free(const struct paths *paths, const struct device *device, const char *name,
			   struct cof_error *err);

/* ---- close ---- */

/** struct disk_close_spec - options of `disk close` */
struct disk_close_spec {
	bool force;   /* without a proof that it could be opened again */
	bool dry_run; /* prove, close nothing */
	bool prove;   /* the same, whoever uses it: before it is unmounted */
};

/**
 * disk_close() - close by volume name, source or plaintext device
 * @vault: may be NULL; when locked, the proof made when the disk was opened counts as long as its
 *         header is unchanged
 *
 * Refuses what is mounted or held. Fails: the first one's failure, after all were tried
 */
cof_result disk_close(struct vault *vault, const struct paths *paths, const char *const names[],
		      size_t count, const struct disk_close_spec *spec, struct progress *progress,
		      struct disk_result results[], struct cof_error *err);

/** disk_open_names() - names of the vault's disks that are open, or that a killed engine left; also
 * of a locked vault; caller frees with vault_names_free() */
cof_result disk_open_names(struct vault *vault, const struct paths *paths, char ***ret_names,
			   struct cof_error *err);

/**
 * disk_left_names() - names of volumes that are open, or that a killed engine left, where no vault
 * tells: those opened with a key of a vault, those that an engine of coffer serves, and those of
 * which crypttab says that the key server opens them
 * @ret_names: sorted; caller frees with vault_names_free()
 */
cof_result disk_left_names(const struct paths *paths, char ***ret_names, struct cof_error *err);

/** disk_raise_dead() - the failure that a dead volume is, with who still uses it and what to do.
 * Fails: COF_E_FAILED, always */
cof_result disk_raise_dead(const struct disk_open_state *state, struct cof_error *err);
/** disk_explain_dead() - say the same where taking a dead volume away failed with COF_E_BUSY.
 * Returns @failed */
cof_result disk_explain_dead(const struct disk_open_state *state, cof_result failed,
			     struct cof_error *err);

/**
 * disk_refresh_copy() - bring the header copy in the vault up to date with the device
 * @key: the stored key, which must open both and yield the same volume key
 *
 * Does nothing when they are equal. The copy before stays in the history.
 * Fails: COF_E_REFUSED (the header is another one, or older than the copy), as vault_commit()
 */
cof_result disk_refresh_copy(struct vault *vault, const struct paths *paths, const char *name,
			     const char *source, const struct slot_secret *key,
			     struct cof_error *err);

/* ---- proof: the stored key opens the header on the device ---- */

/** disk_proof_write() - note that the header @copy was opened with the stored key, and of which
 * state of the vault that is; in ROOT/run/coffer/proof, gone with a reboot */
cof_result disk_proof_write(struct vault *vault, const struct paths *paths, const char *name,
			    struct span copy, struct cof_error *err);
/** disk_proof_holds() - whether the header of @source is still the one that was noted, and the
 * vault's record the one of then or a later one. @ret_older: the vault is older than it was then */
cof_result disk_proof_holds(struct vault *vault, const struct paths *paths, const char *name,
			    const char *source, bool *ret_holds, bool *ret_older,
			    struct cof_error *err);
/** disk_proof_exists() - whether the volume was opened with a key from a vault since the boot */
bool disk_proof_exists(const struct paths *paths, const char *name);
/** disk_proof_remove() - when the volume is closed */
void disk_proof_remove(const struct paths *paths, const char *name);

/** disk_key() - the key of the volume called @name, from the vault or else from its key file; found
 * is false when the vault has no record. Fails: as disk_record_key() and vault_get() */
cof_result disk_key(struct vault *vault, const char *name, struct slot_secret **ret_key,
		    bool *ret_found, struct cof_error *err);

#endif
