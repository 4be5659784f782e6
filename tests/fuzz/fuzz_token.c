/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens of a vault's header: ours, and what clevis and systemd write. */

#include "clevis.h"
#include "fuzz.h"
#include "token.h"

/* A token of ours that can be read is written so that it reads the same again. */
static void try_again(const struct token *token)
{
	_cleanup_free_ char *text = token_format(token);
	struct token again;

	FUZZ_CHECK(!cof_failed(token_parse(span_of_text(text), "fuzz", &again, NULL)));
	FUZZ_CHECK(again.kind == token->kind && strcmp(again.detail, token->detail) == 0);
}

void fuzz_one(struct span input)
{
	_cleanup_buffer_ struct buffer jwe = { 0 };
	_cleanup_json_ struct json *json = NULL;
	struct token token;

	if (cof_failed(token_parse(input, "fuzz", &token, NULL)))
		return;
	for (const char *at = token.detail; *at; at++)
		FUZZ_CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
	if (token.ours)
		try_again(&token);
	if (!cof_failed(json_parse(input, "fuzz", &json, NULL)))
		cof_ignore(clevis_token_jwe(json, &jwe, NULL)); /* any answer is fine */
}
