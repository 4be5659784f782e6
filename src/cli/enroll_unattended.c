/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer enroll tpm2|fido2|tang|command`: unlock methods that need nobody who knows a secret.
 */

#include <string.h>

#include "log.h"
#include "number.h"
#include "shell.h"
#include "unattended.h"
#include "unlocking.h"
#include "verbs.h"

#define PCRS_DEFAULT "7" /* secure boot: what systemd-cryptenroll(1) takes */
#define PCR_MAX	     23	 /* TCG PC Client Platform TPM Profile 1.05, section 4.6 */

/* What the verb was asked for, in words. */
static cof_result only_plan(struct cli_call *call, const char *what)
{
	cli_say(call, "Would add %s to the unlock methods of %s.", what, call->paths->vault_dir);
	cli_show_slot(call, -1, false);
	return COF_OK;
}

/* Tells what was added, or that it was there. */
static void tell(struct cli_call *call, int slot, const char *thief)
{
	if (slot < 0)
		cli_say(call, "This opens the vault already; nothing was changed.");
	else
		cli_say(call,
			"Added the unlock method as slot %d. Try it: coffer unlock --method "
			"%s",
			slot, call->verb->verb);
	if (slot >= 0 && !call->quiet)
		log_notice("%s", thief);
	cli_show_slot(call, slot, slot >= 0);
}

/* Enrols through a tool, with a secret that the user gives. */
static cof_result enroll_tool(struct cli_call *call, struct vault *vault,
			      const struct vault_tool *tool, const char *thief,
			      struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	int slot;

	TRY(vault_check_tool(tool, err));
	TRY(cli_ask_existing(call, vault, &existing, err));
	TRY(cof_explain(vault_enroll_tool(vault, existing, tool, &slot, err), err, NULL,
			"cannot add an unlock method to %s", call->paths->vault_dir));
	tell(call, slot, thief);
	return COF_OK;
}

/* ---- TPM2 and FIDO2 ---- */

/* Whether @text is "7" or "0+2+7". */
static cof_result check_pcrs(const char *text, struct cof_error *err)
{
	const char *at = text;

	for (;;) {
		char number[4] = "";
		size_t len = strcspn(at, "+");
		uint64_t pcr;

		if (len < sizeof(number))
			memcpy(number, at, len);
		ENSURE(len > 0 && !cof_failed(uint_parse(number, PCR_MAX, &pcr, NULL)), err,
		       COF_E_USAGE, text, "is no list of PCRs, such as 7 or 0+2+7, up to %d",
		       PCR_MAX);
		if (at[len] == '\0')
			return COF_OK;
		at += len + 1;
	}
}

/* The machine's TPM. */
static cof_result run_tpm2(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_tool tool = { .kind = VAULT_WAY_TPM2, .pcrs = cli_value(call, "pcrs") };

	if (!tool.pcrs)
		tool.pcrs = PCRS_DEFAULT;
	TRY(check_pcrs(tool.pcrs, err));
	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run)
		return only_plan(call, "this machine's TPM");
	return enroll_tool(call, vault, &tool,
			   "whoever takes the whole machine has a vault that opens by itself: the "
			   "TPM is in it",
			   err);
}

/* A FIDO2 token that is plugged in. */
static cof_result run_fido2(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_tool tool = { .kind = VAULT_WAY_FIDO2 };

	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run)
		return only_plan(call, "the FIDO2 token");
	return enroll_tool(call, vault, &tool,
			   "keep the token elsewhere than in the machine, and a recovery key for "
			   "the day when it is lost",
			   err);
}

/* ---- Tang ---- */

/* A URL that clevis can use. */
static cof_result check_url(const char *url, struct cof_error *err)
{
	ENSURE(strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0, err,
	       COF_E_USAGE, url, "is no URL of a Tang server: http://HOST or http://HOST:PORT");
	ENSURE(strlen(url) < 256, err, COF_E_USAGE, url, "is longer than 255 characters");
	return COF_OK;
}

/* Whether a thumbprint was meant: base64url of SHA-256, RFC 7638. */
static cof_result check_thumbprint(const char *thumbprint, struct cof_error *err)
{
	ENSURE(strlen(thumbprint) == TANG_THUMBPRINT_BYTES - 1 &&
		       strspn(thumbprint, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123"
					  "456789-_") == TANG_THUMBPRINT_BYTES - 1,
	       err, COF_E_USAGE, thumbprint,
	       "is no thumbprint: 43 characters, as tang-show-keys shows on the server");
	return COF_OK;
}

/* The keys with which a server signs, before they are believed. */
struct tang_keys {
	char thumbprints[TANG_KEYS_MAX][TANG_THUMBPRINT_BYTES];
	size_t count;
};

/* Refuses a server that does not sign with the key that was given. */
static cof_result check_keys(const char *url, const struct tang_keys *keys, const char *thumbprint,
			     struct cof_error *err)
{
	cof_result failure;

	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->thumbprints[i], thumbprint) == 0)
			return COF_OK;
	failure = cof_raise(err, COF_E_REFUSED, url, "does not sign with the key %s, but with %s",
			    thumbprint, keys->thumbprints[0]);
	cof_error_try(err, "tang-show-keys on the server; if it shows another key, another server "
			   "answers here");
	return failure;
}

/* Shows a person the keys of a server, and asks whether they are the right ones. */
static cof_result ask_keys(const char *url, const struct tang_keys *keys, struct cof_error *err)
{
	char question[1024];
	bool yes;
	int len;

	len = snprintf(question, sizeof(question), "The server %s signs with:\n\n", url);
	for (size_t i = 0; i < keys->count; i++)
		len += snprintf(question + len, sizeof(question) - (size_t)len, "  %s\n",
				keys->thumbprints[i]);
	(void)snprintf(question + len, sizeof(question) - (size_t)len,
		       "\nOn the server, tang-show-keys shows the right ones. Are these they? "
		       "Type yes: ");
	TRY(cli_ask_yes(question, &yes, err));
	ENSURE(yes, err, COF_E_REFUSED, url, "its keys were not agreed to");
	return COF_OK;
}

/* Which key the server must have: the one given, or one that a person agrees to. */
static cof_result agree_on_key(struct cli_call *call, const char *url, const char *given,
			       struct tang_keys *keys, const char **ret_thumbprint,
			       struct cof_error *err)
{
	char quoted[SHELL_WORD_CHARS];
	char remedy[SHELL_WORD_CHARS + 128];
	cof_result failure;

	if (!given && !cli_on_terminal(call)) {
		failure = cof_raise(err, COF_E_REFUSED, url,
				    "nobody is here to say that its keys are the right ones");
		cof_error_try(err, "--thumbprint with what tang-show-keys shows on the server");
		return failure;
	}
	(void)snprintf(remedy, sizeof(remedy),
		       "curl %s/adv, which shows whether it answers; systemctl status "
		       "tangd.socket on the server",
		       shell_word(url, quoted));
	TRY(cof_explain(tang_look(call->paths, url, keys->thumbprints, &keys->count, err), err,
			remedy, "cannot ask the Tang server %s for its keys", url));
	ENSURE(keys->count > 0, err, COF_E_FORMAT, url, "advertises no key that signs");
	TRY(given ? check_keys(url, keys, given, err) : ask_keys(url, keys, err));
	*ret_thumbprint = given ? given : keys->thumbprints[0];
	return COF_OK;
}

/* A Tang server. */
static cof_result run_tang(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	const char *given = cli_value(call, "thumbprint");
	struct vault_tool tool = { .kind = VAULT_WAY_CLEVIS, .url = call->args[0] };
	struct tang_keys keys = { .count = 0 };

	TRY(check_url(tool.url, err));
	if (given)
		TRY(check_thumbprint(given, err));
	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run)
		return only_plan(call, "the Tang server");
	TRY(vault_check_tool(&tool, err));
	TRY(agree_on_key(call, tool.url, given, &keys, &tool.thumbprint, err));
	return enroll_tool(
		call, vault, &tool,
		"whoever can reach the server from where the machine is has a vault that "
		"opens by itself",
		err);
}

/* ---- a command ---- */

/* A program that fetches the secret. */
static cof_result run_command(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	bool fips;
	int slot;

	ENSURE(call->args[0][0] == '/', err, COF_E_USAGE, call->args[0],
	       "is no absolute path of a program");
	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run)
		return only_plan(call, "the command");
	TRY(cli_ask_existing(call, vault, &existing, err));
	TRY(cli_is_fips(call, vault, &fips, err));
	TRY(cof_explain(vault_enroll_command(vault, existing, call->args, cli_value(call, "label"),
					     fips, &slot, err),
			err, NULL, "cannot add an unlock method to %s", call->paths->vault_dir));
	tell(call, slot,
	     "whoever can run this command, or ask the same server, can open the vault");
	return COF_OK;
}

const struct cli_verb cli_verb_enroll_tpm2 = {
	.noun = "enroll",
	.verb = "tpm2",
	.summary = "have this machine's TPM open the vault",
	.description =
		"Through systemd-cryptenroll(1). The TPM gives the secret only while the PCRs that "
		"are named hold what they hold now: 7 is the state of secure boot, 0 and 2 the "
		"firmware. A thief who takes the whole machine takes the TPM too.\n\n"
		"One enrolment serves every disk of the vault. tpm2-device of coffer.conf names "
		"the TPM where the machine has several.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS,
			{ "pcrs", CLI_TEXT, "LIST",
			  "PCRs that must stay as they are, such as 0+2+7; 7 unless told "
			  "otherwise" },
			{ 0 },
		},
	.examples =
		(const struct cli_example[]){
			{ "coffer enroll tpm2", "For as long as secure boot is as it is now." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_tpm2,
};

const struct cli_verb cli_verb_enroll_fido2 = {
	.noun = "enroll",
	.verb = "fido2",
	.summary = "have a FIDO2 token open the vault",
	.description = "Through systemd-cryptenroll(1), for the token that is plugged in. It asks "
		       "for its PIN and to be touched, now and at every `coffer unlock`. One "
		       "enrolment serves every disk of the vault.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer enroll fido2", "Plug the token in first." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_fido2,
};

const struct cli_verb cli_verb_enroll_tang = {
	.noun = "enroll",
	.verb = "tang",
	.arguments = "URL",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "have a Tang server on the network open the vault",
	.description =
		"Through clevis(1). The vault opens where the server answers; the server learns "
		"neither the secret nor who asks. Whoever steals the machine must not be able to "
		"reach it: a server on the same shelf protects nothing.\n\n"
		"The server's key must be the right one: tang-show-keys on the server shows its "
		"thumbprint, which is given or compared here. One enrolment serves every disk of "
		"the vault.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS,
			{ "thumbprint", CLI_TEXT, "TEXT",
			  "of a key with which the server signs; asked about unless told" },
			{ 0 },
		},
	.examples =
		(const struct cli_example[]){
			{ "coffer enroll tang http://tang.example.org",
			  "Show the server's keys, and ask whether they are right." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_tang,
};

const struct cli_verb cli_verb_enroll_command = {
	.noun = "enroll",
	.verb = "command",
	.arguments = "-- PROGRAM [ARGUMENT...]",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.argument_type = CLI_FILE,
	.summary = "have a program fetch the secret that opens the vault",
	.description =
		"PROGRAM writes a secret on its standard output, 16 to 4096 bytes which are taken "
		"as they are, and exits with status 0; it may ask a key server. It is run now, "
		"twice, and at every `coffer unlock`, with no input, no environment and for at "
		"most 10 seconds (unattended-limit of coffer.conf). Only root may be able to "
		"change it.\n\n"
		"The words are in the vault's header, where `coffer slots` shows them: put no "
		"secret into them. A header that comes from elsewhere cannot make this machine run "
		"anything: commands that were enrolled here are listed in commands.allowed in the "
		"vault's folder, which goes to no mirror.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS, CLI_LABEL_OPTION, CLI_FIPS_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer enroll command -- /usr/local/sbin/fetch-key vault-3",
			  "A program of your own." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_command,
};
