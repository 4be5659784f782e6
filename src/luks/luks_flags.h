/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_LUKS_FLAGS_H
#define COF_LUKS_LUKS_FLAGS_H

/*
 * How dm-crypt is to serve a device: the flags that a LUKS2 header keeps, and what dm-crypt's
 * ciphers do on this machine.
 */

#include "luks.h"

/* Flags of a mapping that a header can keep; LUKS2 on-disk format 1.1.0, section 3.6, "flags". */
#define LUKS_FLAG_DISCARD	     (1u << 0) /* pass discards on, which show unused blocks */
#define LUKS_FLAG_SAME_CPU	     (1u << 1) /* encrypt on the processor that asks */
#define LUKS_FLAG_SUBMIT_FROM_CRYPT  (1u << 2) /* do not sort writes in a thread of their own */
#define LUKS_FLAG_NO_READ_WORKQUEUE  (1u << 3) /* decrypt at once, without a queue */
#define LUKS_FLAG_NO_WRITE_WORKQUEUE (1u << 4) /* encrypt at once, without a queue */

/** struct luks_flag - one flag and what cryptsetup and dm-crypt call it */
struct luks_flag {
	uint32_t flag;
	const char *name; /* "no-read-workqueue" */
	const char *meaning;
};

/** luks_flag_list - all of them; ends with { 0 } */
extern const struct luks_flag luks_flag_list[];

/** luks_flags_format() - "no-read-workqueue, no-write-workqueue", or "none"; returns @out */
#define LUKS_FLAGS_CHARS 128
char *luks_flags_format(uint32_t flags, char out[static LUKS_FLAGS_CHARS]);

/** luks_flags_get() - what the header keeps; 0 for LUKS1, which keeps none.
 * Fails: COF_E_FORMAT (no valid header), COF_E_IO, COF_E_NOMEM */
cof_result luks_flags_get(const char *device, uint32_t *ret_flags, struct cof_error *err);

/**
 * luks_flags_set() - have the header keep these and no others; durable on return
 *
 * Flags that are not of luks_flag_list stay as they are. Writes nothing where all is so already.
 * Fails: COF_E_UNSUPPORTED (LUKS1), COF_E_FORMAT (also where one of the two copies is damaged),
 * COF_E_IO, COF_E_NOMEM
 */
cof_result luks_flags_set(const char *device, uint32_t flags, struct cof_error *err);

/**
 * luks_refresh() - have the open mapping @name take over the flags that its header keeps
 * Fails: COF_E_KEY, COF_E_UNSUPPORTED (the kernel cannot), COF_E_FORMAT, COF_E_FAILED
 */
cof_result luks_refresh(const char *device, const char *name, const struct volume_key *volume_key,
			struct cof_error *err);

/** struct luks_speed - what the kernel's cipher does, bytes per second on one core */
struct luks_speed {
	uint64_t encrypt;
	uint64_t decrypt;
};

/**
 * luks_speed_measure() - the kernel's cipher, through AF_ALG, as `cryptsetup benchmark` does it
 * @cipher: "aes"
 * @mode:   "xts"
 * Fails: COF_E_UNSUPPORTED (the kernel has no AF_ALG, or not the cipher), COF_E_FAILED
 */
cof_result luks_speed_measure(const char *cipher, const char *mode, size_t key_bytes,
			      struct luks_speed *ret_speed, struct cof_error *err);

#endif
