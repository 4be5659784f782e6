/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer slots`: the unlock methods of the vault.
 */

#include <stdio.h>
#include <string.h>

#include "looking.h"
#include "status_view.h"
#include "table.h"
#include "unlocking.h"
#include "verbs.h"

/* Who or what must be there for a method to open the vault, in words. */
static const char *opened_by(const struct vault_slot *slot)
{
	if (strcmp(slot->method, "tang") == 0)
		return "this machine while it reaches the server";
	if (slot->unattended)
		return "this machine alone";
	if (strcmp(slot->method, "file") == 0)
		return "who has the file";
	return strcmp(slot->method, "unknown") == 0 ? NULL : "a person";
}

/* The table for people. */
static cof_result print_slots(const struct vault_slot *slots, size_t count, struct cof_error *err)
{
	static const char *const columns[] = { ">SLOT",	      "METHOD",	 "LABEL", "OPENED BY",
					       "HARDENED BY", "CREATED", NULL };
	_cleanup_(table_freep) struct table *table = NULL;

	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < count; i++) {
		char number[16];
		const char *cells[] = { number,
					slots[i].method,
					slots[i].label[0] ? slots[i].label : NULL,
					opened_by(&slots[i]),
					slots[i].pbkdf[0] ? slots[i].pbkdf : NULL,
					slots[i].created[0] ? slots[i].created : NULL };

		(void)snprintf(number, sizeof(number), "%d", slots[i].number);
		TRY(table_add(table, cells, err));
	}
	return table_print(table, stdout, err);
}

/* What each method that needs nobody depends on. */
static void print_details(const struct cli_call *call, const struct vault_slot *slots, size_t count)
{
	static const char *const words[][2] = { { "tpm2", "this machine's TPM, with" },
						{ "tang", "the server" },
						{ "clevis", "clevis, with" },
						{ "command", "the command" },
						{ "fido2", "the FIDO2 token with" } };

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; slots[i].detail[0] && j < sizeof(words) / sizeof(words[0]); j++)
			if (strcmp(slots[i].method, words[j][0]) == 0)
				cli_say(call, "Slot %d: %s %s", slots[i].number, words[j][1],
					slots[i].detail);
}

/* Shows the unlock methods; the vault may be locked. */
static cof_result run_slots(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	struct findings findings = { 0 };
	struct cof_error found = { 0 };
	size_t count = 0;
	cof_result read;

	TRY(look_vault(call, &findings, &vault, err));
	read = vault_slots(vault, &slots, &count, &found);
	/* Of a header that is missing the look has told already. */
	if (findings.first.code == COF_E_NONE)
		TRY(findings_add(&findings, read, &found, err));
	if (call->json) {
		struct json *document = json_new_object();

		json_set(document, "slots", slots_json(slots, count));
		cli_show(call, document);
	} else if (!cof_failed(read)) {
		TRY(print_slots(slots, count, err));
		print_details(call, slots, count);
	}
	return findings_result(&findings, err);
}

const struct cli_verb cli_verb_slots = {
	.verb = "slots",
	.summary = "show the unlock methods of the vault",
	.description =
		"One line for each keyslot of the vault's header. The vault may be locked.\n\n"
		"METHOD is how it opens the vault:\n\n"
		"\tpassphrase  somebody types it\n"
		"\trecovery    the recovery key, which was written down\n"
		"\tfile        the content of a key file\n"
		"\ttpm2        this machine's TPM, enrolled by systemd-cryptenroll\n"
		"\ttang        a server on the network, enrolled by clevis\n"
		"\tclevis      something else that clevis was bound to by hand\n"
		"\tcommand     a program that fetches the secret, from a key server for instance\n"
		"\tfido2       a security token that somebody touches\n"
		"\tpkcs11      a smart card\n"
		"\tunknown     added by another tool, which left no note\n\n"
		"OPENED BY says who must be there. What this machine opens alone, a thief who "
		"takes the whole machine opens too; with a server, only where it reaches that. "
		"HARDENED BY is what makes guessing slow: argon2id or pbkdf2; a random key needs "
		"little of it.\n\n"
		"Below the table is what each of these depends on: the PCRs of the TPM, the "
		"server, the command, the token.",
	.examples =
		(const struct cli_example[]){
			{ "coffer slots", "As a table." },
			{ "coffer slots --json", "For programs." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.needs_root = true,
	.run = run_slots,
};
