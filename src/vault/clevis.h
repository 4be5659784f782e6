/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_CLEVIS_H
#define COF_VAULT_CLEVIS_H

/*
 * Tokens of clevis: a JWE (RFC 7516) in JSON form, whose protected header says which server or
 * device decrypts it. Pure.
 */

#include "buffer.h"
#include "json.h"

#define CLEVIS_THUMBPRINT_CHARS 43 /* SHA-256 in base64url: RFC 7638, section 3.1 */
#define CLEVIS_KEYS_MAX		8

/**
 * struct clevis - what the protected header of a JWE says
 * @pin:         "tang", "tpm2", "sss"
 * @url:         of the Tang server; else ""
 * @pcrs:        of the TPM, "7,11"; else ""
 * @thumbprints: of the keys with which the Tang server signs; @count of them
 */
struct clevis {
	char pin[16];
	char url[256];
	char pcrs[64];
	char thumbprints[CLEVIS_KEYS_MAX][CLEVIS_THUMBPRINT_CHARS + 1];
	size_t count;
};

/** clevis_parse() - a JWE's protected header, still in base64url. Fails: COF_E_FORMAT */
cof_result clevis_parse(const char *protected_text, struct clevis *ret_clevis,
			struct cof_error *err);
/** clevis_token_header() - the protected header in a token, or NULL; borrowed */
const char *clevis_token_header(const struct json *token);
/** clevis_token_jwe() - append a token's JWE in compact form, as `clevis decrypt` reads it.
 * Fails: COF_E_FORMAT (a part is missing) */
cof_result clevis_token_jwe(const struct json *token, struct buffer *compact,
			    struct cof_error *err);
/** clevis_has_thumbprint() - whether the Tang server signs with that key */
bool clevis_has_thumbprint(const struct clevis *clevis, const char *thumbprint);

#endif
