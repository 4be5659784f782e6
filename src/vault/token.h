/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_TOKEN_H
#define COF_VAULT_TOKEN_H

/*
 * Tokens of a vault's header: what is known of its unlock methods. Pure; the JSON is in
 * doc/format-vault.md, section 3.
 */

#include "luks.h"
#include "unattended.h"

/**
 * struct token - one token, coffer's or that of another tool
 * @slots:    bit n: it belongs to keyslot n
 * @ours:     its type is coffer's
 * @method, @label, @created: as in struct vault_slot
 * @kind:     what must be asked for the keyslot's secret, and needs no person to know one
 * @detail:   of it: PCRs, the URL of a server, a command line as a JSON array; or ""
 * @unattended: opens without a person
 * @asks_pin: the hardware asks for a PIN
 * @replaces: bit n: its secret takes the place of that of keyslot n, which is to go
 */
struct token {
	uint32_t slots;
	bool ours;
	char method[24];
	char label[64];
	char created[32];
	enum vault_way_kind kind;
	char detail[VAULT_DETAIL_BYTES];
	bool unattended;
	bool asks_pin;
	uint32_t replaces;
};

/** token_format() - the JSON of a token of ours; caller frees */
char *token_format(const struct token *token);
/** token_parse() - the JSON of any token. Fails: COF_E_FORMAT */
cof_result token_parse(struct span text, const char *subject, struct token *ret_token,
		       struct cof_error *err);

#endif
