/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unlocking without a person: programs that come by the key, each in a child with a clean
 * environment and a time limit.
 */

#include <stdio.h>
#include <string.h>

#include "audit_head.h"
#include "clevis.h"
#include "luks_header.h"
#include "way.h"

/* The hidden verb of our own program that loads plug-ins of libcryptsetup; see src/cli/agent.c. */
#define OWN_PROGRAM "/proc/self/exe"
#define OWN_VERB    "token-key"

#define LIST_LIMIT_MS 10000 /* our own: looking for hardware takes milliseconds */

const char *const way_environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
					NULL };

unsigned int way_timeout_ms(const struct paths *paths)
{
	return (unsigned int)paths->unattended_limit_seconds * 1000;
}

cof_result way_check_program(const char *program, const char *package, struct cof_error *err)
{
	cof_result failure;

	if (access(program, X_OK) == 0)
		return COF_OK;
	failure = cof_raise(err, COF_E_UNSUPPORTED, program, "is not installed");
	cof_error_try(err, "apt install %s", package);
	return failure;
}

cof_result way_check_hardware(bool tpm2, struct cof_error *err)
{
	const char *argv[] = { PROGRAM_CRYPTENROLL,
			       tpm2 ? "--tpm2-device=list" : "--fido2-device=list", NULL };
	struct child_spec spec = { .argv = argv,
				   .environment = way_environment,
				   .apart = true,
				   .timeout_ms = LIST_LIMIT_MS };
	_cleanup_free_ uint8_t *output = malloc(WAY_OUTPUT_MAX_BYTES);
	const char *device = tpm2 ? "TPM" : "FIDO2 token";
	cof_result failure;
	size_t len = 0;
	int status;

	ENSURE(output, err, COF_E_NOMEM, NULL, "no memory for a program's output");
	TRY(way_check_program(PROGRAM_CRYPTENROLL, "systemd", err));
	TRY(child_fetch(&spec, output, WAY_OUTPUT_MAX_BYTES, &len, &status, err));
	if (status == 0 && len > 0)
		return COF_OK;
	/* The list is empty: that is no failure of the tool's. */
	if (status != 0) {
		failure = cof_raise(err, COF_E_UNSUPPORTED, device,
				    "systemd cannot use it on this machine");
		cof_error_try(err, "apt install %s", tpm2 ? "tpm2-tools" : "libfido2-1");
		return failure;
	}
	failure = cof_raise(err, COF_E_UNSUPPORTED, device, "%s",
			    tpm2 ? "there is none of version 2.0" : "none is plugged in");
	cof_error_try(err, tpm2 ? "switching it on in the firmware's setup; or coffer enroll tang"
				: "plug it in, and repeat the command");
	return failure;
}

cof_result way_fetch(const struct child_spec *spec, struct slot_secret **ret_secret,
		     struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	size_t len;

	TRY(slot_secret_new(WAY_SECRET_MAX_BYTES, &secret, err));
	TRY(child_fetch(spec, secret->secret.data, secret->secret.len, &len, NULL, err));
	ENSURE(len > 0, err, COF_E_FAILED, spec->argv[0], "gave nothing");
	secret_shrink(&secret->secret, len);
	*ret_secret = TAKE(secret);
	return COF_OK;
}

/* ---- which there are ---- */

/* The ways of a header, while its tokens are read. */
struct way_list {
	struct vault_way *ways;
	size_t count;
};

/* Notes a token that says how its keyslot is opened. */
static cof_result note_way(int number, const struct token *token, void *context,
			   struct cof_error *err)
{
	struct way_list *list = context;
	struct vault_way *way = &list->ways[list->count];

	/* A token for several keyslots is nothing that a tool makes. */
	if (token->kind == VAULT_WAY_NONE || token->slots == 0 ||
	    (token->slots & (token->slots - 1)) != 0 || list->count == LUKS_SLOTS_MAX)
		return COF_OK;
	way->kind = token->kind;
	way->slot = __builtin_ctz(token->slots);
	way->token = number;
	way->asks_pin = token->asks_pin;
	memcpy(way->method, token->method, sizeof(way->method));
	memcpy(way->detail, token->detail, sizeof(way->detail));
	list->count++;
	return COF_OK;
}

/* qsort()'s order: by kind, then by keyslot. */
static int compare_ways(const void *a, const void *b)
{
	const struct vault_way *first = a;
	const struct vault_way *second = b;

	if (first->kind != second->kind)
		return first->kind < second->kind ? -1 : 1;
	return first->slot - second->slot;
}

cof_result ways_of(const char *header_path, struct vault_way **ret_ways, size_t *ret_count,
		   struct cof_error *err)
{
	_cleanup_free_ struct vault_way *ways = calloc(LUKS_SLOTS_MAX, sizeof(*ways));
	struct way_list list = { .ways = ways };

	ENSURE(ways, err, COF_E_NOMEM, header_path, "no memory for its unlock methods");
	TRY(slot_tokens_each(header_path, note_way, &list, err));
	qsort(ways, list.count, sizeof(*ways), compare_ways);

	*ret_ways = TAKE(ways);
	*ret_count = list.count;
	return COF_OK;
}

cof_result vault_ways(struct vault *vault, struct vault_way **ret_ways, size_t *ret_count,
		      struct cof_error *err)
{
	return ways_of(vault->header_path, ret_ways, ret_count, err);
}

/* ---- what opens ---- */

/* What clevis is asked to decrypt must be something that it does without reading files or asking:
 * anybody may have written the token. */
static cof_result check_clevis(const struct json *token, struct cof_error *err)
{
	const char *header = clevis_token_header(token);
	struct clevis clevis;

	ENSURE(header, err, COF_E_FORMAT, "clevis token", "has no protected header");
	TRY(clevis_parse(header, &clevis, err));
	ENSURE(strcmp(clevis.pin, "tang") == 0 || strcmp(clevis.pin, "tpm2") == 0 ||
		       strcmp(clevis.pin, "sss") == 0,
	       err, COF_E_UNSUPPORTED, "clevis token", "is for the pin \"%s\"", clevis.pin);
	ENSURE(strcmp(clevis.pin, "tang") != 0 || strncmp(clevis.url, "http://", 7) == 0 ||
		       strncmp(clevis.url, "https://", 8) == 0,
	       err, COF_E_FORMAT, "clevis token", "names no server with http or https");
	return COF_OK;
}

/* The secret of a keyslot that clevis has bound. */
static cof_result fetch_clevis(const struct vault *vault, const char *header_path, int token,
			       struct slot_secret **ret_secret, struct cof_error *err)
{
	static const char *const argv[] = { PROGRAM_CLEVIS, "decrypt", NULL };
	_cleanup_buffer_ struct buffer jwe = { 0 };
	_cleanup_json_ struct json *json = NULL;
	_cleanup_free_ char *text = NULL;
	struct child_spec spec = { .argv = argv,
				   .environment = way_environment,
				   .apart = true,
				   .timeout_ms = way_timeout_ms(vault->paths) };

	TRY(way_check_program(PROGRAM_CLEVIS, "clevis", err));
	TRY(luks_token_get(header_path, token, &text, err));
	ENSURE(text, err, COF_E_CONFLICT, header_path, "token %d was removed meanwhile", token);
	TRY(json_parse(span_of_text(text), "clevis token", &json, err));
	TRY(check_clevis(json, err));
	TRY(clevis_token_jwe(json, &jwe, err));
	spec.input = buffer_span(&jwe);
	return way_fetch(&spec, ret_secret, err);
}

/* Raises what our own program's exit status means; the last line that it said is its cause. */
static cof_result raise_helper(const struct vault_way *way, int status, const struct cof_error *why,
			       struct cof_error *err)
{
	static const struct {
		enum cof_code code;
		const char *text;
	} meanings[] = {
		{ COF_E_KEY, "does not open the vault here: it is another one, or what it measured "
			     "has changed" },
		{ COF_E_LOCKED, "asks for a PIN" },
		{ COF_E_UNSUPPORTED, "is not there, or systemd has no plug-in for it" },
	};
	const char *cause = strstr(why->cause, "cause: ");
	const char *device = way->kind == VAULT_WAY_TPM2 ? "TPM" : "FIDO2 token";
	cof_result result = { COF_E_NONE };

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (cof_code_exit_status(meanings[i].code) == status)
			result = cof_raise(err, meanings[i].code, device, "%s", meanings[i].text);
	if (!cof_failed(result))
		result = cof_raise(err, COF_E_FAILED, device, "does not open the vault");
	if (cause)
		cof_error_cause(err, "%s", cause + strlen("cause: "));
	return result;
}

/* The volume key behind a token of systemd-cryptenroll. The plug-in of libcryptsetup that talks to
 * the hardware runs in a child, which gets a copy of the header in memory. */
static cof_result fetch_key(const struct vault *vault, const char *header_path,
			    const struct vault_way *way, const struct slot_secret *pin,
			    struct volume_key **ret_key, struct cof_error *err)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal copy = LUKS_REHEARSAL_NONE;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	char number[12];
	const char *argv[] = { OWN_PROGRAM, OWN_VERB, number, vault->paths->tpm2_device, NULL };
	struct child_spec spec = { .argv = argv,
				   .environment = way_environment,
				   .apart = true,
				   .timeout_ms = way_timeout_ms(vault->paths) };
	struct cof_error why = { 0 };
	cof_result fetched;
	int status;
	size_t len;

	/* Its plug-in would ask for the PIN of a token that is not there. */
	if (way->kind == VAULT_WAY_FIDO2)
		TRY(way_check_hardware(false, err));
	(void)snprintf(number, sizeof(number), "%d", way->token);
	TRY(luks_rehearse(header_path, &(struct luks_writes){ 0 }, &copy, err));
	spec.given_fd = copy.memory_fd;
	if (pin)
		spec.input = slot_secret_span(pin);
	TRY(volume_key_new(ROOT_KEY_BYTES, &key, err));
	fetched = child_fetch(&spec, key->secret.data, key->secret.len, &len, &status, &why);
	if (cof_failed(fetched) && err)
		*err = why;
	TRY(fetched);
	if (status != 0)
		return raise_helper(way, status, &why, err);
	ENSURE(len == ROOT_KEY_BYTES, err, COF_E_AUTH, header_path,
	       "yields a key of %zu bytes, a root key has %d", len, ROOT_KEY_BYTES);
	*ret_key = TAKE(key);
	return COF_OK;
}

cof_result way_open(const struct vault *vault, const char *header_path, const struct vault_way *way,
		    const struct slot_secret *pin, struct volume_key **ret_key,
		    struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;

	if (way->kind == VAULT_WAY_TPM2 || way->kind == VAULT_WAY_FIDO2)
		return fetch_key(vault, header_path, way, pin, ret_key, err);
	if (way->kind == VAULT_WAY_CLEVIS)
		TRY(fetch_clevis(vault, header_path, way->token, &secret, err));
	else
		TRY(command_fetch(vault, way->detail, &secret, err));
	return luks_unlock(header_path, NULL, secret, way->slot, ret_key, NULL, err);
}

/* vault_unlock_way() but for the line in the audit log. */
static cof_result unlock_way(struct vault *vault, const struct vault_way *way,
			     const struct slot_secret *pin, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	TRY(vault_check_same(vault, err));
	TRY(vault_check_header(vault->header_path, err));
	TRY(way_open(vault, vault->header_path, way, pin, &key, err));
	ENSURE(key->secret.len == ROOT_KEY_BYTES, err, COF_E_AUTH, vault->header_path,
	       "yields a key of %zu bytes, a root key has %d", key->secret.len, ROOT_KEY_BYTES);
	return vault_unlock_key(vault, key, err);
}

cof_result vault_unlock_way(struct vault *vault, const struct vault_way *way,
			    const struct slot_secret *pin, struct cof_error *err)
{
	struct cof_error why = { 0 };
	cof_result result = unlock_way(vault, way, pin, &why);

	if (cof_failed(result)) {
		audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_UNLOCK_FAILED,
							 .why = &why });
		if (err)
			*err = why;
		return result;
	}
	audit_note_slot(vault, AUDIT_VAULT_UNLOCK, way->slot);
	return COF_OK;
}
