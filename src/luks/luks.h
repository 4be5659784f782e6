/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_LUKS_H
#define COF_LUKS_LUKS_H

/*
 * LUKS headers and the kernel's mappings, through libcryptsetup, which nothing else includes.
 *
 * Every function takes paths and opens its own context, so that different devices can be worked
 * on from several threads at once; what touches device-mapper is serialised inside.
 * @header is a detached header's path, or NULL where the header is on @device itself.
 *
 * Only luks_format(), luks_slot_add(), luks_slot_remove(), luks_token_set() and
 * luks_token_remove() write to a device or a header, and what luks_header.h declares. LUKS2 keeps
 * two copies of its metadata; where one is damaged, luks_slot_add(), which proves the volume key,
 * mends it from the other, the rest of those refuse, and all others work with the good one.
 */

#include "secret.h"

#define LUKS_UUID_CHARS 36
#define LUKS_SLOTS_MAX 32	/* LUKS2 on-disk format 1.1.0, 3.2: at most 32 keyslots */
#define LUKS_ANY_SLOT (-1)

/** enum luks_cost - how dear guessing one keyslot's secret is made (design: vault rule 5) */
enum luks_cost {
	LUKS_COST_RANDOM_KEY, /* pbkdf2-sha256, 1000 iterations: for 256 random bits and more */
	LUKS_COST_PEOPLE,     /* argon2id, at most 256 MiB and 2 s: for what people choose */
	LUKS_COST_PEOPLE_FIPS /* pbkdf2-sha256, benchmarked to 2 s */
};

/** struct luks_slot - one keyslot */
struct luks_slot {
	int number;
	bool cheap;	  /* its PBKDF is pbkdf2 with few iterations: tried first */
	char cipher[64];  /* that encrypts the keyslot area, "aes-xts-plain64" */
	char pbkdf[16];	  /* "argon2id", "argon2i", "pbkdf2" */
	uint32_t iterations; /* pbkdf2 iterations, or argon2 time cost */
	uint32_t memory_kib; /* argon2 memory cost, 0 for pbkdf2 */
};

/** struct luks_info - what a header says; text fields are "" when not there */
struct luks_info {
	int version; /* 1 or 2 */
	char uuid[LUKS_UUID_CHARS + 1];
	char label[48];
	char subsystem[48];
	char cipher[32];       /* "aes" */
	char cipher_mode[32];  /* "xts-plain64" */
	size_t key_bytes;      /* of the volume key; 0 where no keyslot holds it yet */
	uint32_t sector_bytes; /* of the data segment */
	uint64_t header_bytes; /* from the start: the metadata's copies and all keyslot areas */
	uint64_t data_offset_bytes;
	uint64_t data_length_bytes; /* 0: up to the device's end */
	uint64_t iv_offset;	    /* in 512-byte units, added to each sector's number */
	uint64_t sequence;	    /* LUKS2 seqid, 0 for LUKS1 */
	char integrity[32];	    /* "" or the algorithm */
	bool hw_opal;		    /* the drive encrypts */
	bool reencrypting;	    /* a re-encryption is not finished */
	bool first_damaged;	    /* of the two copies: gone, altered, or older than the other; */
	bool second_damaged;	    /* the rest of this was read from the good one */
	size_t slot_count;
	struct luks_slot slots[LUKS_SLOTS_MAX];
};

/**
 * luks_probe() - whether @device (a path) has a valid copy of a LUKS1 or LUKS2 header, cheap
 *
 * Also true where something else was written over the first copy, and the second is whole.
 */
cof_result luks_probe(const char *device, bool *ret_is_luks, struct cof_error *err);

/**
 * luks_read() - read and check a header
 *
 * Fails: COF_E_NOENT, COF_E_FORMAT (no header, damaged or cut off; says which. Also where one of
 * two copies is damaged and the device has a signature of something else), COF_E_IO, COF_E_NOMEM
 */
cof_result luks_read(const char *device, const char *header, struct luks_info *ret_info,
		     struct cof_error *err);

/**
 * struct luks_format_spec - a new LUKS2 header
 * @uuid:      NULL for a random one
 * @label:     may be NULL
 * @subsystem: may be NULL; "coffer" for what coffer made
 * @sector_bytes: of the data: 512, 1024, 2048 or 4096; not less than the device's own sectors, and
 *             the device's size is a multiple
 * @header_only: a vault's header: no data segment is used; 16 MiB header area
 */
struct luks_format_spec {
	const char *uuid;
	const char *label;
	const char *subsystem;
	uint32_t sector_bytes;
	bool header_only;
};

/**
 * luks_format() - write a new header with aes-xts-plain64 and a 512-bit volume key
 * @device:     overwritten without a question: the caller has checked; a regular file must be
 *              large enough (header_only: 16 MiB and a little, see luks_header_file_bytes())
 * @volume_key: 64 bytes, or NULL for a random one
 *
 * The header has no keyslot yet. The PBKDF is set before, so that the digest is cheap as well.
 * A block device is opened for exclusive use meanwhile, so the caller must not hold it so itself.
 * Durable on return. Fails: COF_E_NOENT, COF_E_IO, COF_E_NOSPC (too small), COF_E_BUSY,
 * COF_E_FAILED (a value of @spec or the key's length), COF_E_NOMEM
 */
cof_result luks_format(const char *device, const struct luks_format_spec *spec,
		       const struct volume_key *volume_key, struct volume_key **ret_volume_key,
		       struct cof_error *err);

/** luks_header_file_bytes() - size of the regular file for a header_only format */
uint64_t luks_header_file_bytes(void);

/**
 * luks_slot_add_at() - a new keyslot opened by @secret
 * @wanted:   its number; -1: any that is free
 * @ret_slot: its number; may be NULL
 * Durable on return. Fails: COF_E_NOSPC (all slots taken), COF_E_KEY (@volume_key is not this
 * header's), COF_E_FORMAT, COF_E_IO, COF_E_NOMEM
 */
cof_result luks_slot_add_at(const char *device, const char *header,
			    const struct volume_key *volume_key, const struct slot_secret *secret,
			    enum luks_cost cost, int wanted, int *ret_slot, struct cof_error *err);
/** luks_slot_add() - the same in whichever slot is free */
cof_result luks_slot_add(const char *device, const char *header,
			 const struct volume_key *volume_key, const struct slot_secret *secret,
			 enum luks_cost cost, int *ret_slot, struct cof_error *err);
/**
 * luks_slot_remove() - destroy a keyslot's area; not there is success, and writes nothing
 * Fails: COF_E_FORMAT (also where one of the two copies is damaged), COF_E_IO, COF_E_NOMEM
 */
cof_result luks_slot_remove(const char *device, const char *header, int slot,
			    struct cof_error *err);

/**
 * luks_unlock() - the volume key, from a secret; no device-mapper needed
 * @slot: a number, or LUKS_ANY_SLOT: cheap ones are tried first, dear ones one at a time
 * @ret_slot: which one opened; may be NULL
 *
 * A keyslot whose area is not encrypted (cipher_null) is never tried, nor one whose key is not the
 * data's. Fails: COF_E_KEY (opens none), COF_E_REFUSED (there is nothing but such keyslots),
 * COF_E_FORMAT (no valid header), COF_E_NOMEM (Argon2 needs more than there is), COF_E_IO
 */
cof_result luks_unlock(const char *device, const char *header, const struct slot_secret *secret,
		       int slot, struct volume_key **ret_volume_key, int *ret_slot,
		       struct cof_error *err);
/**
 * luks_unlock_one_of() - which of several random keys opens a header: its cheap keyslots alone are
 * tried, since a random key is in no other
 * @secrets: @count of them, in the order in which they are tried
 * @ret_found: false: none does
 * Fails: COF_E_FORMAT (no valid header), COF_E_NOMEM, COF_E_IO
 */
cof_result luks_unlock_one_of(const char *device, struct slot_secret *const secrets[], size_t count,
			      size_t *ret_index, bool *ret_found, struct cof_error *err);
/** luks_verify() - whether @volume_key is the one of this header. Fails: COF_E_KEY, COF_E_FORMAT */
cof_result luks_verify(const char *device, const char *header,
		       const struct volume_key *volume_key, struct cof_error *err);

/* Tokens: JSON texts in the header, at most 32. */

/**
 * luks_token_set() - write @json to token @number, or to a free one for -1; ret may be NULL
 * Fails: COF_E_FORMAT (@json is no token, or names a keyslot that is not there; or one of the two
 * copies of the header is damaged), COF_E_NOSPC
 * (all tokens or the metadata area are full), COF_E_NOENT (@number is past the last),
 * COF_E_UNSUPPORTED (LUKS1), COF_E_IO
 */
cof_result luks_token_set(const char *device, int number, const char *json, int *ret_number,
			  struct cof_error *err);
/** luks_token_get() - token @number's JSON, NULL when there is none; caller frees */
cof_result luks_token_get(const char *device, int number, char **ret_json,
			  struct cof_error *err);
/** luks_token_remove() - not there is success, and writes nothing */
cof_result luks_token_remove(const char *device, int number, struct cof_error *err);

/**
 * luks_copy_header() - the metadata and the keyslots in use, as a compact copy
 * @device:   or the detached header
 * @ret_copy: appended: see doc/format-header-copy.md; some 270 KB with one keyslot
 * Fails: COF_E_FORMAT (no valid header), COF_E_BUSY (it changes all the time), COF_E_IO
 */
cof_result luks_copy_header(const char *device, struct buffer *ret_copy, struct cof_error *err);
/**
 * luks_write_header_copy() - expand a copy into a new regular file, which must not exist
 * Fails: COF_E_FORMAT (not a copy, or altered), COF_E_NOSPC, COF_E_IO, COF_E_REFUSED (exists)
 */
cof_result luks_write_header_copy(struct span copy, const char *path, struct cof_error *err);
/** luks_copies_equal() - whether two copies are whole and hold the same header bytes */
bool luks_copies_equal(struct span a, struct span b);

/**
 * luks_token_unlock() - the volume key behind a token of systemd-cryptenroll, from the hardware
 * @header:      a detached header; a copy of it, because libcryptsetup mends what it loads
 * @tpm2_device: a TCTI; NULL: the machine's own TPM
 * @pin:         NULL for none
 *
 * Loads systemd's plug-in for the token, so nothing else may happen in the process that calls this:
 * no other function of this folder that takes a header. Fails: COF_E_KEY (it opens nothing),
 * COF_E_LOCKED (it asks for a PIN), COF_E_UNSUPPORTED (no plug-in, or no such hardware),
 * COF_E_FORMAT, COF_E_FAILED
 */
cof_result luks_token_unlock(const char *header, int token, const char *tpm2_device,
			     const struct slot_secret *pin, struct volume_key **ret_volume_key,
			     struct cof_error *err);

/* The kernel's mappings (dm-crypt). */

/** luks_kernel_can() - whether this kernel has dm-crypt to use; @why_not gets the reason if not */
bool luks_kernel_can(char *why_not, size_t why_not_size_bytes);

/** struct luks_mapping - an open device */
struct luks_mapping {
	char name[128];
	char uuid[LUKS_UUID_CHARS + 1]; /* of its LUKS header, from the mapping's own UUID */
	char source[256];		/* /dev/... it lies on */
	char device[256];		/* /dev/mapper/NAME */
	bool read_only;
};

/**
 * luks_activate() - map @device as /dev/mapper/@name
 * Fails: COF_E_BUSY (name taken, device in use), COF_E_KEY, COF_E_UNSUPPORTED, COF_E_REFUSED (the
 * header says that the data is not encrypted), COF_E_FORMAT, COF_E_IO, COF_E_FAILED
 */
cof_result luks_activate(const char *device, const char *header, const char *name,
			 const struct volume_key *volume_key, bool read_only,
			 struct cof_error *err);
/**
 * luks_activate_random() - map @device without a header, with aes-xts-plain64 and a random 512-bit
 * key that nobody keeps: what is there cannot be read any more, nor what is written once the
 * mapping is gone
 * @sector_bytes: 512 or 4096, of which the device's size is a multiple
 * Overwrites nothing itself. Fails: as luks_activate()
 */
cof_result luks_activate_random(const char *device, const char *name, uint32_t sector_bytes,
				struct cof_error *err);
/** luks_deactivate() - remove the mapping; not there is success. Fails: COF_E_BUSY, COF_E_IO */
cof_result luks_deactivate(const char *name, struct cof_error *err);
/**
 * luks_mapping_find() - the mapping called @name
 * @ret_found: false when there is none or this kernel has no device-mapper
 */
cof_result luks_mapping_find(const char *name, struct luks_mapping *ret_mapping, bool *ret_found,
			     struct cof_error *err);

#endif
