/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base64url.h"
#include "clevis.h"
#include "kdf.h"

#define SUBJECT "clevis token"

/* Copies a text of the header; what is too long is left out, for a part of it would mislead. */
static void copy_text(const struct json *object, const char *key, char *out, size_t room)
{
	const char *text = json_get_text(object, key);

	out[0] = '\0';
	if (text && strlen(text) < room)
		(void)snprintf(out, room, "%s", text);
}

/* Whether a JWK is for checking signatures. */
static bool verifies(const struct json *key)
{
	const struct json *uses = json_get(key, "key_ops");

	for (size_t i = 0; i < json_length(uses); i++) {
		const char *use = json_text(json_at(uses, i));

		if (use && strcmp(use, "verify") == 0)
			return true;
	}
	return false;
}

/* Appends a key's members in their order, without blanks, as RFC 7638, section 3.2, hashes them.
 * A member that would need escaping is none that a key of Tang has. */
static cof_result canonical_form(const struct json *key, const char *const members[],
				 struct buffer *text, struct cof_error *err)
{
	for (size_t i = 0; members[i]; i++) {
		const char *value = json_get_text(key, members[i]);

		ENSURE(value && !strpbrk(value, "\"\\"), err, COF_E_FORMAT, SUBJECT,
		       "has a key without \"%s\"", members[i]);
		TRY(buffer_add_text(text, err, "%c\"%s\":\"%s\"", i == 0 ? '{' : ',', members[i],
				    value));
	}
	return buffer_add_text(text, err, "}");
}

/* The thumbprint of one key. */
static cof_result thumbprint(const struct json *key, char out[CLEVIS_THUMBPRINT_CHARS + 1],
			     struct cof_error *err)
{
	static const char *const elliptic[] = { "crv", "kty", "x", "y", NULL };
	static const char *const rsa[] = { "e", "kty", "n", NULL };
	_cleanup_buffer_ struct buffer text = { 0 };
	const char *type = json_get_text(key, "kty");
	uint8_t digest[SHA256_BYTES];

	TRY(canonical_form(key, type && strcmp(type, "RSA") == 0 ? rsa : elliptic, &text, err));
	TRY(sha256(buffer_span(&text), digest, err));
	(void)base64url_format(digest, sizeof(digest), out);
	return COF_OK;
}

/* The keys with which a Tang server signs what it advertises. */
static cof_result read_keys(const struct json *keys, struct clevis *clevis, struct cof_error *err)
{
	for (size_t i = 0; i < json_length(keys) && clevis->count < CLEVIS_KEYS_MAX; i++) {
		const struct json *key = json_at(keys, i);

		if (verifies(key))
			TRY(thumbprint(key, clevis->thumbprints[clevis->count++], err));
	}
	return COF_OK;
}

cof_result clevis_parse(const char *protected_text, struct clevis *ret_clevis,
			struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_json_ struct json *header = NULL;
	struct clevis clevis = { "" };
	const struct json *about;
	const struct json *pin;

	TRY(base64url_decode(protected_text, SUBJECT, &text, err));
	TRY(json_parse(buffer_span(&text), SUBJECT, &header, err));
	about = json_get(header, "clevis");
	copy_text(about, "pin", clevis.pin, sizeof(clevis.pin));
	ENSURE(clevis.pin[0], err, COF_E_FORMAT, SUBJECT, "does not say which pin decrypts it");
	pin = json_get(about, clevis.pin);
	copy_text(pin, "url", clevis.url, sizeof(clevis.url));
	copy_text(pin, "pcr_ids", clevis.pcrs, sizeof(clevis.pcrs));
	TRY(read_keys(json_get(json_get(pin, "adv"), "keys"), &clevis, err));

	*ret_clevis = clevis;
	return COF_OK;
}

const char *clevis_token_header(const struct json *token)
{
	return json_get_text(json_get(token, "jwe"), "protected");
}

cof_result clevis_token_jwe(const struct json *token, struct buffer *compact, struct cof_error *err)
{
	static const char *const parts[] = { "protected", "encrypted_key", "iv", "ciphertext",
					     "tag" };
	const struct json *jwe = json_get(token, "jwe");

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *part = json_get_text(jwe, parts[i]);

		ENSURE(part, err, COF_E_FORMAT, SUBJECT, "has no \"%s\"", parts[i]);
		TRY(buffer_add_text(compact, err, "%s%s", i == 0 ? "" : ".", part));
	}
	return COF_OK;
}

bool clevis_has_thumbprint(const struct clevis *clevis, const char *thumbprint_text)
{
	for (size_t i = 0; i < clevis->count; i++)
		if (strcmp(clevis->thumbprints[i], thumbprint_text) == 0)
			return true;
	return false;
}
