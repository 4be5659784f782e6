/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_REENCRYPT_H
#define COF_LUKS_REENCRYPT_H

/*
 * LUKS2 re-encryption: data that are encrypted, given a new volume key, or decrypted where they
 * are. The header says at each moment which part of the data is under which key, so that what was
 * cut off goes on where it was.
 *
 * The device is held exclusively meanwhile, unless its mapping is named. libcryptsetup keeps a lock
 * of its own below /run/cryptsetup for each header.
 */

#include "luks.h"

/* How far encryption moves the data towards the end: as much as the header area of luks_format().
 * The beginning of the data waits behind them until all others have moved, so the last two such
 * parts of a device must be unused before. */
#define LUKS_ENCRYPT_SHIFT_BYTES (16u * 1024 * 1024)
#define LUKS_ENCRYPT_FREE_BYTES	 (2 * LUKS_ENCRYPT_SHIFT_BYTES)

/** enum luks_reencrypt_state - whether a header is in the middle of a re-encryption */
enum luks_reencrypt_state {
	LUKS_REENCRYPT_NONE,
	LUKS_REENCRYPT_CLEAN,  /* between two steps */
	LUKS_REENCRYPT_TORN,   /* in the middle of one, which luks_reencrypt_run() repairs */
	LUKS_REENCRYPT_ENDING, /* all data are done, and the header does not say so yet */
};

/**
 * luks_reencrypt_look() - where a re-encryption is; writes nothing
 * @header: a detached header, or NULL
 * Fails: COF_E_FORMAT (no valid header, or a state that libcryptsetup does not know), COF_E_IO
 */
cof_result luks_reencrypt_look(const char *device, const char *header,
			       enum luks_reencrypt_state *ret_state, struct cof_error *err);

/**
 * luks_encrypt_begin() - copy the beginning of plain data to the end of the device, and make the
 * header with which encrypting begins
 * @spec:     the UUID must be given; @header_only is not heeded
 * @secret:   opens the one keyslot; 256 random bits and more
 * @ret_copy: appended: the copy of a header that is not on the device yet
 *
 * Only the last LUKS_ENCRYPT_SHIFT_BYTES of the device are written, so that a run that was cut off
 * has changed nothing, and starts over. What was copied is durable on return.
 * Fails: COF_E_BUSY, COF_E_NOSPC (the device is too small), COF_E_IO, COF_E_NOMEM, COF_E_FAILED
 */
cof_result luks_encrypt_begin(const char *device, const struct luks_format_spec *spec,
			      const struct slot_secret *secret, struct buffer *ret_copy,
			      struct cof_error *err);

/**
 * luks_encrypt_wipe_head() - overwrite with random bytes what is left of the plain data between the
 * metadata and keyslots of the header that luks_encrypt_begin() has made and the data
 *
 * For a device with that header, on which luks_reencrypt_run() has not run yet.
 * Fails: COF_E_FORMAT, COF_E_IO, COF_E_NOMEM
 */
cof_result luks_encrypt_wipe_head(const char *device, struct cof_error *err);

/**
 * luks_rekey_begin() - a new random volume key in a keyslot of its own, and the header made ready
 * to change to it; no data are touched
 * @secret: opens the header now, and the new keyslot afterwards
 *
 * Keyslots that are bound to no data, which a run that was cut off has left, are removed first.
 * Every keyslot of the old volume key goes when luks_reencrypt_run() has come to its end.
 * Durable on return. Fails: COF_E_KEY, COF_E_NOSPC (no keyslot is free), COF_E_BUSY, COF_E_FORMAT,
 * COF_E_UNSUPPORTED (LUKS1), COF_E_IO, COF_E_NOMEM
 */
cof_result luks_rekey_begin(const char *device, const struct slot_secret *secret,
			    struct cof_error *err);

/**
 * luks_decrypt_begin() - copy the beginning of the data, encrypted as it is, over the header at the
 * beginning of the device, and make a detached header ready to decrypt them all
 * @header: a file with a whole copy of the header; from now on it is what tells where the data are
 * @secret: opens it
 *
 * As long as luks_reencrypt_run() was not called the data behind the header on the device are as
 * they were, so that with a new copy in @header this can be done again. Durable on return.
 * Fails: COF_E_KEY, COF_E_BUSY, COF_E_FORMAT, COF_E_UNSUPPORTED (LUKS1), COF_E_IO, COF_E_NOMEM
 */
cof_result luks_decrypt_begin(const char *device, const char *header,
			      const struct slot_secret *secret, struct cof_error *err);

/** luks_reencrypt_visit - called after each step, which is durable. A failure stops the run there,
 * in a clean state, and is passed up */
typedef cof_result (*luks_reencrypt_visit)(uint64_t done_bytes, uint64_t total_bytes, void *context,
					   struct cof_error *err);

/**
 * luks_reencrypt_run() - go on with what was begun, up to its end; a torn step is repaired first
 * @header: a detached header, or NULL
 * @name:   of the mapping through which the data are in use meanwhile; NULL: nobody uses them
 * @secret: opens the keyslots of both volume keys
 *
 * Nothing to do is success. Fails: COF_E_KEY, COF_E_BUSY (in use, or re-encrypted by another
 * process), COF_E_FORMAT, COF_E_IO, COF_E_NOMEM, as @visit
 */
cof_result luks_reencrypt_run(const char *device, const char *header, const char *name,
			      const struct slot_secret *secret, luks_reencrypt_visit visit,
			      void *context, struct cof_error *err);

#endif
