/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "token.h"

#define OUR_TYPE "coffer-method"

/* Tokens of other tools that say more than their type. */
static const struct {
	const char *type;
	const char *method;
	bool unattended;
	const char *person_key; /* a member that, if true, says that a person is asked */
} known_types[] = {
	{ "systemd-recovery", "recovery", false, NULL },
	{ "systemd-tpm2", "tpm2", true, "tpm2-pin" },
	{ "systemd-fido2", "fido2", false, NULL },
	{ "systemd-pkcs11", "pkcs11", false, NULL },
	{ "clevis", "clevis", true, NULL },
};

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

	json_set_text(json, "type", OUR_TYPE);
	json_set(json, "keyslots", slots_format(token->slots));
	json_set_text(json, "method", token->method);
	json_set_text(json, "label", token->label);
	json_set_text(json, "created", token->created);
	if (token->replaces != 0)
		json_set(json, "replaces", slots_format(token->replaces));
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

/* Copies a text that may be missing, cut to its room. */
static void copy_text(char *out, size_t room, const char *text)
{
	(void)snprintf(out, room, "%s", text ? text : "");
}

/* What the type of another tool's token says of the method. */
static void read_foreign(const struct json *json, const char *type, struct token *token)
{
	copy_text(token->method, sizeof(token->method), type);
	for (size_t i = 0; i < sizeof(known_types) / sizeof(known_types[0]); i++) {
		if (strcmp(type, known_types[i].type) != 0)
			continue;
		copy_text(token->method, sizeof(token->method), known_types[i].method);
		token->unattended = known_types[i].unattended &&
				    !(known_types[i].person_key &&
				      json_get_bool(json, known_types[i].person_key, false));
	}
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
	} else {
		read_foreign(json, type, &token);
	}

	*ret_token = token;
	return COF_OK;
}
