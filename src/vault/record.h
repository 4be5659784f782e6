/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_RECORD_H
#define COF_VAULT_RECORD_H

/*
 * Records as bytes: the body that is sealed, and the names of kinds and records. Pure; the bytes
 * are in doc/format-record.md, section 2.
 */

#include "vault.h"

#define RECORD_KIND_MAX_BYTES	31
#define RECORD_BLOB_MAX_BYTES	(16u << 20)
#define RECORD_SECRET_MAX_BYTES (8u << 20) /* as large as a key file of cryptsetup may be */
#define RECORD_META_MAX_BYTES	(1u << 20)

/** record_check_names() - whether a record may be called so. Fails: COF_E_USAGE */
cof_result record_check_names(const char *kind, const char *name, struct cof_error *err);

/** record_encode() - the body of a record, in locked memory as it holds the secret.
 * Fails: COF_E_USAGE (a part is too large), COF_E_NOMEM */
cof_result record_encode(const struct record *record, struct secret **ret_body,
			 struct cof_error *err);

/** record_decode() - fill a record_new() with the description, secret and blob from a body.
 * Fails: COF_E_FORMAT, COF_E_NOMEM; @record may then have some of them */
cof_result record_decode(struct span body, const char *subject, struct record *record,
			 struct cof_error *err);

#endif
