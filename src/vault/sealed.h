/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_SEALED_H
#define COF_VAULT_SEALED_H

/*
 * Sealed values: the form in which everything of the vault is stored that must not be read or
 * changed. Pure; the bytes are in doc/format-record.md, section 1.
 */

#include "aead.h"
#include "vault.h"

#define SEALED_HEADER_BYTES 54
#define SEALED_VERSION	    1

/**
 * struct sealed_header - the part of a sealed value that is stored in the clear
 * @generation: of a record; of the manifest, an index page and a mark, the vault's revision
 * @id:         a record's; of the others the vault's UUID
 * @created:    seconds since 1970
 */
struct sealed_header {
	uint32_t epoch;
	uint64_t generation;
	uint8_t id[VAULT_ID_BYTES];
	uint64_t created;
	uint8_t nonce[AEAD_NONCE_BYTES];
};

/**
 * struct sealed_place - where a sealed value belongs; it opens nowhere else
 * @purpose: "record", "identity", "manifest", "index", "mark"
 * @uuid:    VAULT_UUID_BYTES of the vault
 * @kind:    a record's kind, or ""
 * @name:    a record's or index page's name, or ""
 */
struct sealed_place {
	const char *purpose;
	const uint8_t *uuid;
	const char *kind;
	const char *name;
};

/**
 * sealed_parse() - split a stored value, which is not trusted yet
 * @subject:  what errors name
 * @ret_body: ciphertext and tag, borrowed from @stored; may be NULL
 * Fails: COF_E_FORMAT
 */
cof_result sealed_parse(struct span stored, const char *subject, struct sealed_header *ret_header,
			struct span *ret_body, struct cof_error *err);

/** sealed_info() - what the key of a sealed value is derived with, appended. Fails: COF_E_NOMEM */
cof_result sealed_info(const struct sealed_place *place, const struct sealed_header *header,
		       struct buffer *info, struct cof_error *err);

/** sealed_write() - seal @plain under @key with the nonce in @header. @stored: appended.
 * Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result sealed_write(const struct wrap_key *key, const struct sealed_place *place,
			const struct sealed_header *header, struct span plain,
			struct buffer *stored, struct cof_error *err);

/** sealed_read() - the reverse of sealed_write(). Fails: COF_E_FORMAT, COF_E_AUTH, COF_E_NOMEM */
cof_result sealed_read(const struct wrap_key *key, const struct sealed_place *place,
		       struct span stored, const char *subject, struct secret **ret_plain,
		       struct cof_error *err);

#endif
