/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_JOB_H
#define COF_BLOCK_DISK_JOB_H

/*
 * What encrypt, rekey and decrypt share; private to this folder.
 */

#include "disk_change.h"
#include "reencrypt.h"

#define JOB_PROOF_CHARS 64 /* SHA-256 in hex */

/** enum job_stage - which steps have been taken for good */
enum job_stage {
	JOB_NOTED,   /* the records are there, and nothing else is */
	JOB_DRAFTED, /* encrypt: the header's copy is in the vault, the data's beginning copied;
		      * decrypt: the header's copy is in the vault */
	JOB_RUNNING, /* the header that describes the change is in its place */
};

/**
 * struct disk_job - a DISK_JOB_KIND record's meta
 * @size_bytes:   of the device when it began
 * @data_bytes:   of the data that are compared
 * @sector_bytes: of the new encryption
 * @shrink:       encrypt: the file system is to be made smaller where it reaches too far
 * @proof:        disk_samples() of the data before, "" as long as none were taken
 */
struct disk_job {
	enum job_stage stage;
	uint64_t size_bytes;
	uint64_t data_bytes;
	uint32_t sector_bytes;
	bool shrink;
	char proof[JOB_PROOF_CHARS + 1];
};

/** disk_job_from_meta() - pure. Fails: COF_E_FORMAT (an unknown stage, a proof of a wrong size) */
cof_result disk_job_from_meta(const struct json *meta, struct disk_job *ret_job,
			      struct cof_error *err);
/** disk_job_to_meta() - the reverse; caller owns */
struct json *disk_job_to_meta(const struct disk_job *job);

/**
 * struct changing - one run
 * @work:    which of the verbs
 * @disk:    the facts; borrowed from the plan
 * @node:    the device
 * @header:  decrypt: the file that says where the data are; NULL: the device itself
 * @record:  the disk's; owned; NULL before it is made
 * @journal: the job's; owned; NULL before it is made
 * @key:     as the vault has it; owned
 * @copied_tenths: of the data were done when the header was copied last
 */
struct changing {
	struct vault *vault;
	const struct paths *paths;
	struct progress *progress;
	enum disk_work work;
	struct disk *disk;
	const char *node;
	const char *header;
	struct disk_job job;
	struct record *record;
	struct record *journal;
	struct slot_secret *key;
	unsigned int copied_tenths;
};
void changing_done(struct changing *changing);

/** changing_load() - both records and the key. Fails: COF_E_CONFLICT (one is gone), as vault_get()
 */
cof_result changing_load(struct changing *changing, struct cof_error *err);

/**
 * changing_begin() - the disk's record, which is not ready from now on, with the job's, durable
 * @fresh_key: with a new random key of DISK_KEY_BYTES_DEFAULT
 */
cof_result changing_begin(struct changing *changing, bool fresh_key, struct cof_error *err);

/** changing_store() - the job as it is now, with the header's copy where @copy is not empty, in one
 * transaction; the copy before stays in the history. Fails as vault_commit() */
cof_result changing_store(struct changing *changing, struct span copy, struct cof_error *err);

/** changing_end() - the disk is ready, the copy is the header as it is now, and the job is over.
 * Fails as vault_commit() */
cof_result changing_end(struct changing *changing, struct cof_error *err);

/** changing_forget() - the disk is none any more: its key, header copies and job are removed, with
 * their history. Fails as vault_commit() */
cof_result changing_forget(struct changing *changing, struct cof_error *err);

/**
 * changing_find_device() - the device of a disk: with its header, or in the middle of the work with
 * its stable name
 * @ret_device: caller owns. Fails: as disk_finder_find()
 */
cof_result changing_find_device(const struct disk *disk, struct device **ret_device,
				struct cof_error *err);

/** changing_prove_key() - that the key in the vault opens the header on @node.
 * Fails: COF_E_CONFLICT (no record), as luks_unlock() */
cof_result changing_prove_key(struct vault *vault, const char *name, const char *node,
			      struct cof_error *err);

/** changing_point() - fault_point() called "encrypt/NAME", by the verb */
cof_result changing_point(const struct changing *changing, const char *name, struct cof_error *err);

/**
 * changing_run() - let libcryptsetup do its steps, with the header's copy after each tenth
 * @mapping: through which the data are in use meanwhile; NULL: nobody uses them
 * @step:    what progress says
 * Fails: as luks_reencrypt_run(); COF_E_FAILED (stopped by a signal)
 */
cof_result changing_run(struct changing *changing, const char *mapping, const char *step,
			struct cof_error *err);

/**
 * disk_samples() - a digest of pieces of the data, spread evenly from the first to the last
 * @key:        opens the header on the device; NULL: the device holds plain data
 * @data_bytes: how many there are, at least 4096
 * Fails: COF_E_KEY, COF_E_UNSUPPORTED (a cipher that is not known here), COF_E_IO, COF_E_NOMEM
 */
cof_result disk_samples(const char *node, const struct slot_secret *key, uint64_t data_bytes,
			char out[static JOB_PROOF_CHARS + 1], struct cof_error *err);

/** disk_compare_samples() - that the data are those of which the job has the proof; @key as
 * disk_samples() takes it. Fails: COF_E_FAILED (they are not), as disk_samples() */
cof_result disk_compare_samples(const struct changing *changing, const struct slot_secret *key,
				struct cof_error *err);

/** enum head_state - the beginning of a device on which a header is to replace plain data */
enum head_state {
	HEAD_PLAIN,   /* the data, as they were copied to the end */
	HEAD_PARTLY,  /* partly the header, partly these data */
	HEAD_CHANGED, /* data, and other ones than those at the end: it was used since */
	HEAD_MIXED,   /* header and other data */
};

/**
 * encrypt_head_look() - compare the beginning of a device with the header that will be there, and
 * with the data at its end
 * @copy:       of the header, from luks_encrypt_begin()
 * @size_bytes: of the device when that copied the data
 * Fails: COF_E_FORMAT (@copy), COF_E_IO, COF_E_NOMEM
 */
cof_result encrypt_head_look(const char *node, struct span copy, uint64_t size_bytes,
			     enum head_state *ret_state, struct cof_error *err);

/** encrypt_most_bytes() - where data must end at most on a device of @size_bytes, in whole MiB;
 * pure
 */
uint64_t encrypt_most_bytes(uint64_t size_bytes);

/** encrypt_check_room() - whether a file system ends where encrypting needs it to; pure.
 * @size_bytes: of the device. Fails: COF_E_REFUSED */
cof_result encrypt_check_room(const char *node, uint64_t data_bytes, uint64_t size_bytes,
			      struct cof_error *err);

#endif
