/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_PAGE_H
#define COF_TAPE_PAGE_H

/*
 * The pages of a drive that encrypts, pure: bytes to facts, and facts to the page that sets a key.
 * SSC-4, section 8.5 (tape data encryption security protocol, 20h). A drive may promise more bytes
 * than it sends; every length is cut to what was transferred.
 */

#include "secret.h"

/* The 32-byte key with which a drive encrypts the blocks of a tape. */
DEFINE_SECRET_TYPE(tape_key)

#define TAPE_KEY_BYTES 32 /* AES-256 */

/* Codes of the pages that a drive is asked for, and of the one that it is sent. */
#define PAGE_IN_SUPPORT	    0x0000
#define PAGE_OUT_SUPPORT    0x0001
#define PAGE_CAPABILITIES   0x0010
#define PAGE_KEY_FORMATS    0x0011
#define PAGE_MANAGEMENT	    0x0012
#define PAGE_STATUS	    0x0020
#define PAGE_NEXT_BLOCK	    0x0021
#define PAGE_RANDOM	    0x0030
#define PAGE_WRAPPING_KEY   0x0031
#define PAGE_SET_ENCRYPTION 0x0010 /* sent */

/* ---- key-associated data ---- */

#define KAD_UNAUTHENTICATED 0x00 /* what anybody may read: the U-KAD */
#define KAD_AUTHENTICATED   0x01 /* the same, protected by the cipher: the A-KAD */
#define KAD_NONCE	    0x02
#define KAD_METADATA	    0x03
#define KAD_WRAPPED_KEY	    0x04

#define KAD_KEPT_BYTES 64 /* the longest of any drive that we know, its M-KAD */
#define KADS_MAX       5  /* one of each type */

/**
 * struct kad - one descriptor of key-associated data
 * @type:  KAD_...
 * @check: whether it was authenticated: 1 needs none, 2 was not tried, 3 is good, 4 has failed
 * @len:   of @data; what a drive has beyond KAD_KEPT_BYTES is left out
 */
struct kad {
	uint8_t type;
	uint8_t check;
	uint8_t len;
	uint8_t data[KAD_KEPT_BYTES];
};

/** struct kads - those of one page, in its order */
struct kads {
	size_t count;
	struct kad items[KADS_MAX];
};

/** kads_find() - the descriptor of a type, or NULL; borrowed */
const struct kad *kads_find(const struct kads *kads, uint8_t type);

/* ---- pages that a drive sends ---- */

#define PAGE_LIST_MAX 64 /* our own bound: nine codes are assigned */

/** struct page_list - the codes of a list of pages (0000h, 0001h) */
struct page_list {
	size_t count;
	uint16_t codes[PAGE_LIST_MAX];
};

/** page_list_decode() - @code is PAGE_IN_SUPPORT or PAGE_OUT_SUPPORT. Fails: COF_E_FORMAT (as all
 * of these do: another page, or cut off in its fixed part) */
cof_result page_list_decode(struct span bytes, uint16_t code, struct page_list *ret_list,
			    struct cof_error *err);
bool page_list_has(const struct page_list *list, uint16_t code);

#define ALGORITHM_AES_256_GCM 0x00010014u /* SSC-4, table of encryption algorithms */
#define ALGORITHM_AES_256_CCM 0x80010010u /* vendor's: Oracle T10000 */
#define ALGORITHMS_MAX	      16	  /* our own bound: three is the most that we know */

#define CAPABLE_IN_HARDWARE   2 /* of @encrypt and @decrypt */
#define KAD_NEEDED_TO_DECRYPT 1 /* of @decrypt_kad */

/**
 * struct tape_algorithm - one that a drive has
 * @index:      by which it is chosen; not the same on all drives
 * @for_medium: valid for the tape that is loaded
 * @encrypt, @decrypt: 0 no, 1 in software, 2 in hardware
 * @kad_format: the format of KADs can be set
 * @ukad_fixed, @akad_fixed: the KAD has just that many bytes
 * @ukad_bytes, @akad_bytes: at most; 0 is none
 * @decrypt_kad: 0 unknown, 1 needed, 2 not allowed, 3 optional
 * @raw_control: of raw reads; 4 and 5 can be set
 */
struct tape_algorithm {
	uint8_t index;
	bool for_medium;
	uint8_t encrypt;
	uint8_t decrypt;
	bool kad_format;
	bool ukad_fixed;
	bool akad_fixed;
	uint16_t ukad_bytes;
	uint16_t akad_bytes;
	uint16_t key_bytes;
	uint8_t decrypt_kad;
	uint8_t raw_control;
	uint32_t code;
};

/** struct tape_capabilities - page 0010h
 * @settable: 0 unknown, 1 keys can be set, 2 that is prevented */
struct tape_capabilities {
	uint8_t external;
	uint8_t settable;
	size_t count;
	struct tape_algorithm algorithms[ALGORITHMS_MAX];
};
#define SETTABLE_PREVENTED 2

cof_result page_capabilities_decode(struct span bytes, struct tape_capabilities *ret_capabilities,
				    struct cof_error *err);
/**
 * tape_algorithm_choose() - the first that encrypts and decrypts in hardware with a 256-bit key,
 * by its code and never by its index; AES-GCM before AES-CCM. NULL: there is none; borrowed
 */
const struct tape_algorithm *tape_algorithm_choose(const struct tape_capabilities *capabilities);

/** struct key_formats - page 0011h */
#define KEY_FORMATS_MAX 16 /* our own bound: two are assigned */
struct key_formats {
	size_t count;
	uint8_t codes[KEY_FORMATS_MAX];
};
cof_result page_key_formats_decode(struct span bytes, struct key_formats *ret_formats,
				   struct cof_error *err);

/** struct tape_management - page 0012h: what can be asked for with a key */
struct tape_management {
	bool lock;
	bool clear_on_demount;
	bool scope_all;
	bool scope_local;
	bool scope_public;
};
cof_result page_management_decode(struct span bytes, struct tape_management *ret_management,
				  struct cof_error *err);

#define SCOPE_PUBLIC 0
#define SCOPE_LOCAL  1
#define SCOPE_ALL    2

#define ENCRYPT_OFF   0
#define ENCRYPT_ON    2
#define DECRYPT_OFF   0
#define DECRYPT_RAW   1
#define DECRYPT_ON    2
#define DECRYPT_MIXED 3

/** enum tape_control - who sets the keys of a drive (page 0020h, byte 12) */
enum tape_control {
	CONTROL_NONE = 0,
	CONTROL_APPLICATION = 1,
	CONTROL_DRIVE = 2,
	CONTROL_LIBRARY = 3,
	CONTROL_MANAGEMENT = 4,
};

/** struct tape_encryption - page 0020h
 * @nexus_scope: of this host; @key_scope: of the key in use
 * @instance: grows with every change of the key */
struct tape_encryption {
	uint8_t nexus_scope;
	uint8_t key_scope;
	uint8_t encryption;
	uint8_t decryption;
	uint8_t index;
	uint32_t instance;
	uint8_t control;
	bool raw_forbidden;
	uint8_t kad_format;
	struct kads kads;
};
cof_result page_status_decode(struct span bytes, struct tape_encryption *ret_encryption,
			      struct cof_error *err);

/** enum next_block - what the next block is (page 0021h, byte 12) */
enum next_block {
	NEXT_UNKNOWABLE = 0,
	NEXT_NOT_NOW = 1,
	NEXT_NO_BLOCK = 2,
	NEXT_CLEAR = 3,
	NEXT_OTHER_ALGORITHM = 4,
	NEXT_DECRYPTABLE = 5,
	NEXT_WRONG_KEY = 6,
};

/** struct tape_next - page 0021h */
struct tape_next {
	uint64_t object;
	uint8_t encryption; /* enum next_block, or a value that is not assigned */
	uint8_t index;
	uint8_t kad_format;
	struct kads kads;
};
cof_result page_next_decode(struct span bytes, struct tape_next *ret_next, struct cof_error *err);

/** page_random_decode() - the random bytes of page 0030h, borrowed from @bytes */
cof_result page_random_decode(struct span bytes, struct span *ret_random, struct cof_error *err);

/** struct wrapping_key - page 0031h; @key is borrowed from the page */
struct wrapping_key {
	uint32_t type;
	uint32_t format;
	struct span key;
};
cof_result page_wrapping_key_decode(struct span bytes, struct wrapping_key *ret_key,
				    struct cof_error *err);

/* ---- the page that a drive is sent ---- */

#define RAW_DEFAULT 0
#define RAW_FORBID  3

/**
 * struct tape_set - page 0010h, Set Data Encryption
 * @raw:  RAW_...
 * @key:  NULL: none, for turning encryption off; borrowed
 * @kads: in rising order of their types, as drives want them
 */
struct tape_set {
	uint8_t scope;
	bool lock;
	uint8_t raw;
	bool clear_on_demount;
	uint8_t encryption;
	uint8_t decryption;
	uint8_t index;
	uint8_t kad_format;
	const struct tape_key *key;
	struct kads kads;
};

#define PAGE_CLEAR_BYTES 20 /* of the page without key and KADs */

/** page_clear_write() - the bytes of a page that has neither key nor KADs, so that who only clears
 * keys needs no locked memory */
void page_clear_write(const struct tape_set *set, uint8_t out[static PAGE_CLEAR_BYTES]);

/** page_set_encode() - the page's bytes, without padding; they hold the key.
 * Fails: COF_E_FORMAT (KADs out of order), COF_E_NOMEM */
cof_result page_set_encode(const struct tape_set *set, struct secret **ret_page,
			   struct cof_error *err);

#endif
