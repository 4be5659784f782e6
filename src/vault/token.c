/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "clevis.h"
#include "number.h"
#include "token.h"

#define OUR_TYPE "coffer-method"

/* The numbers of keyslots as LUKS2 has them in JSON. */
static struct json *slots_format(uint32_t slots)
{
	struct json *array = json_new_array();

	for (unsigned int i = 0; i < LUKS_SLOTS_MAX; i++) {
		char number[12];

		if (!(slots & 1u << i))
			continue;
		(void)snprintf(number, sizeof(number), "%u", i);
		json_add_text(array, number);
	}
	return array;
}

char *token_format(const struct token *token)
{
	_cleanup_json_ struct json *json = json_new_object();
	struct json *command = NULL;

	json_set_text(json, "type", OUR_TYPE);
	json_set(json, "keyslots", slots_format(token->slots));
	json_set_text(json, "method", token->method);
	json_set_text(json, "label", token->label);
	json_set_text(json, "created", token->created);
	if (token->replaces != 0)
		json_set(json, "replaces", slots_format(token->replaces));
	if (token->kind == VAULT_WAY_COMMAND &&
	    !cof_failed(json_parse(span_of_text(token->detail), OUR_TYPE, &command, NULL)))
		json_set(json, "command", command);
	return json_format(json);
}

/* The keyslots that a member of a token names. */
static cof_result read_slots(const struct json *json, const char *member, const char *subject,
			     uint32_t *ret_slots, struct cof_error *err)
{
	const struct json *slots = json_get(json, member);
	uint64_t number;

	*ret_slots = 0;
	for (size_t i = 0; i < json_length(slots); i++) {
		const char *text = json_text(json_at(slots, i));

		ENSURE(text && !cof_failed(uint_parse(text, LUKS_SLOTS_MAX - 1, &number, NULL)),
		       err, COF_E_FORMAT, subject, "names a keyslot that cannot be");
		*ret_slots |= 1u << number;
	}
	return COF_OK;
}

/* A header is written by anybody; its texts must not reach a terminal as they are. */
static void make_harmless(char *text)
{
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

/* Copies a text that may be missing, cut to its room. */
static void copy_text(char *out, size_t room, const char *text)
{
	(void)snprintf(out, room, "%s", text ? text : "");
	make_harmless(out);
}

/* Clevis: which server or device decrypts it. */
static void read_clevis(const struct json *json, struct token *token)
{
	const char *header = clevis_token_header(json);
	struct clevis clevis = { "" };

	token->kind = VAULT_WAY_CLEVIS;
	token->unattended = true;
	/* What cannot be read opens nothing, but is a token still. */
	if (!header || cof_failed(clevis_parse(header, &clevis, NULL)))
		return;
	if (strcmp(clevis.pin, "tang") == 0) {
		copy_text(token->method, sizeof(token->method), clevis.pin);
		copy_text(token->detail, sizeof(token->detail), clevis.url);
	} else {
		(void)snprintf(token->detail, sizeof(token->detail), "%s%s%s", clevis.pin,
			       clevis.pcrs[0] ? ", PCRs " : "", clevis.pcrs);
	}
}

/* Appends a token's list of PCRs to its detail. */
static void add_pcrs(const struct json *json, const char *member, const char *word,
		     struct token *token)
{
	const struct json *pcrs = json_get(json, member);
	_cleanup_free_ char *text = NULL;
	size_t len = strlen(token->detail);

	if (json_length(pcrs) == 0)
		return;
	text = json_format(pcrs);
	/* "[7,11]", without its brackets */
	(void)snprintf(token->detail + len, sizeof(token->detail) - len, "%s%s %.*s",
		       len > 0 ? ", " : "", word, (int)strlen(text) - 2, text + 1);
}

/* systemd's TPM2: which measurements must be as they were. */
static void read_tpm2(const struct json *json, struct token *token)
{
	token->kind = VAULT_WAY_TPM2;
	token->asks_pin = json_get_bool(json, "tpm2-pin", false);
	token->unattended = !token->asks_pin;
	add_pcrs(json, "tpm2-pcrs", "PCRs", token);
	add_pcrs(json, "tpm2_pubkey_pcrs", "signed PCRs", token);
}

/* systemd's FIDO2: which credential, and what the token asks of a person. */
static void read_fido2(const struct json *json, struct token *token)
{
	const char *credential = json_get_text(json, "fido2-credential");

	token->kind = VAULT_WAY_FIDO2;
	token->asks_pin = json_get_bool(json, "fido2-clientPin-required", true);
	if (credential)
		(void)snprintf(token->detail, sizeof(token->detail), "credential %.16s%s",
			       credential, strlen(credential) > 16 ? "..." : "");
}

/* Tokens of other tools that say more than their type. */
static const struct {
	const char *type;
	const char *method;
	void (*read)(const struct json *json, struct token *token);
} known_types[] = {
	{ "systemd-recovery", "recovery", NULL }, { "systemd-tpm2", "tpm2", read_tpm2 },
	{ "systemd-fido2", "fido2", read_fido2 }, { "systemd-pkcs11", "pkcs11", NULL },
	{ "clevis", "clevis", read_clevis },
};

/* What the type of another tool's token says of the method. */
static void read_foreign(const struct json *json, const char *type, struct token *token)
{
	copy_text(token->method, sizeof(token->method), type);
	for (size_t i = 0; i < sizeof(known_types) / sizeof(known_types[0]); i++) {
		if (strcmp(type, known_types[i].type) != 0)
			continue;
		copy_text(token->method, sizeof(token->method), known_types[i].method);
		if (known_types[i].read)
			known_types[i].read(json, token);
		make_harmless(token->detail);
	}
}

/* The command line that a token of ours holds. */
static cof_result read_command(const struct json *json, const char *subject, struct token *token,
			       struct cof_error *err)
{
	const struct json *command = json_get(json, "command");
	_cleanup_free_ char *text = NULL;

	if (strcmp(token->method, "command") != 0)
		return COF_OK;
	ENSURE(json_length(command) > 0, err, COF_E_FORMAT, subject, "names no command");
	for (size_t i = 0; i < json_length(command); i++)
		ENSURE(json_text(json_at(command, i)), err, COF_E_FORMAT, subject,
		       "has a command with words that are no text");
	text = json_format(command);
	ENSURE(strlen(text) < sizeof(token->detail), err, COF_E_FORMAT, subject,
	       "has a command of %zu bytes, at most %zu are possible", strlen(text),
	       sizeof(token->detail) - 1);
	copy_text(token->detail, sizeof(token->detail), text);
	token->kind = VAULT_WAY_COMMAND;
	token->unattended = true;
	return COF_OK;
}

cof_result token_parse(struct span text, const char *subject, struct token *ret_token,
		       struct cof_error *err)
{
	_cleanup_json_ struct json *json = NULL;
	struct token token = { 0 };
	const char *method;
	const char *type;

	TRY(json_parse(text, subject, &json, err));
	type = json_get_text(json, "type");
	ENSURE(type, err, COF_E_FORMAT, subject, "has no type");
	TRY(read_slots(json, "keyslots", subject, &token.slots, err));
	token.ours = strcmp(type, OUR_TYPE) == 0;
	if (token.ours) {
		method = json_get_text(json, "method");
		copy_text(token.method, sizeof(token.method), method ? method : "unknown");
		copy_text(token.label, sizeof(token.label), json_get_text(json, "label"));
		copy_text(token.created, sizeof(token.created), json_get_text(json, "created"));
		TRY(read_slots(json, "replaces", subject, &token.replaces, err));
		TRY(read_command(json, subject, &token, err));
	} else {
		read_foreign(json, type, &token);
	}

	*ret_token = token;
	return COF_OK;
}
