/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_VERSION_CODE_H
#define COF_STORE_VERSION_CODE_H

/*
 * The bytes of a commit record, pure: doc/format-store.md, section 6.
 */

#include "aead.h"
#include "recipe.h"

#define VERSION_NAME_MAX_BYTES	 255
#define VERSION_RECORD_MAX_BYTES (64u << 10)
#define VERSION_CONTEXT_BYTES	 72 /* the head, which is authenticated with the body */

/** enum version_kind - what was put; the values are those of the format */
enum version_kind { VERSION_STREAM = 1, VERSION_TREE = 2 };

/**
 * struct version_head - what a record shows without a key
 * @keystore: sequence of the keystore when it was written: an older one is noticed by it
 */
struct version_head {
	bool encrypted;
	uint8_t group[STORE_UUID_BYTES];
	uint8_t id[STORE_UUID_BYTES];
	uint16_t key_id;
	uint32_t key_generation;
	uint64_t keystore;
	uint8_t nonce[AEAD_NONCE_BYTES];
};

/**
 * struct version - one version of the catalogue
 * @bytes:     of content
 * @files:     entries of a tree; 0 of a stream
 * @new_bytes: that no version before had, before compression
 * @root:      the stream, or the listing of the tree
 */
struct version {
	char name[VERSION_NAME_MAX_BYTES + 1];
	enum version_kind kind;
	uint64_t created;
	uint64_t bytes;
	uint64_t files;
	uint64_t new_bytes;
	struct recipe_root root;
};

/** version_check_name() - 1 to 255 bytes of UTF-8, no control characters, no '/', not "." or "..".
 * Fails: COF_E_USAGE */
cof_result version_check_name(const char *name, struct cof_error *err);

/** version_head_encode() - append VERSION_CONTEXT_BYTES. Fails: COF_E_NOMEM */
cof_result version_head_encode(const struct version_head *head, uint32_t body_bytes,
			       struct buffer *out, struct cof_error *err);
/** version_record_decode() - @ret_body: sealed or in the clear; borrowed. Fails: COF_E_FORMAT */
cof_result version_record_decode(struct span bytes, const char *subject,
				 struct version_head *ret_head, struct span *ret_body,
				 struct cof_error *err);

/** version_encode() - append a body's plaintext, padded. Fails: COF_E_NOMEM */
cof_result version_encode(const struct version *version, struct buffer *out, struct cof_error *err);
/** version_decode() - Fails: COF_E_FORMAT */
cof_result version_decode(struct span body, const char *subject, struct version *ret_version,
			  struct cof_error *err);

#endif
