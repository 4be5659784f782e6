/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape key generate|wrap|unwrap|base64: keys as Bareos and its bscrypto have them.
 */

#include "bareos.h"
#include "base64.h"
#include "keywrap.h"
#include "passphrase.h"
#include "tape_text.h"
#include "verbs.h"

/* Fails unless a key encryption key was named. */
static cof_result need_kek(const struct cli_call *call, struct slot_secret **ret_kek,
			   struct cof_error *err)
{
	ENSURE(cli_value(call, "kek-file"), err, COF_E_USAGE, "--kek-file", "must be given");
	return tape_text_kek(call, ret_kek, err);
}

/* Wraps a key in the form that the command line asks for; the result is base64. */
static cof_result wrap(const struct cli_call *call, struct span kek, struct span clear,
		       struct secret **ret_text, struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *passphrase = NULL;
	_cleanup_buffer_ struct buffer wrapped = { 0 };

	if (cli_flag(call, "bareos")) {
		TRY(bareos_passphrase_copy(clear, &passphrase, err));
		return bareos_wrap(kek, passphrase, ret_text, err);
	}
	TRY(keywrap_wrap(KEYWRAP_RFC3394, kek, clear, &wrapped, err));
	return base64_encode(buffer_span(&wrapped), ret_text, err);
}

/* coffer tape key generate. */
static cof_result run_generate(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *passphrase = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *kek = NULL;
	_cleanup_secret_ struct secret *text = NULL;

	TRY(tape_text_kek(call, &kek, err));
	TRY(bareos_generate(&passphrase, err));
	if (kek)
		TRY(wrap(call, slot_secret_span(kek), bareos_passphrase_span(passphrase), &text,
			 err));
	else if (cli_flag(call, "base64"))
		TRY(base64_encode(bareos_passphrase_span(passphrase), &text, err));
	return tape_text_output(call, text ? secret_span(text) : bareos_passphrase_span(passphrase),
				err);
}

/* coffer tape key wrap. */
static cof_result run_wrap(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *input = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *kek = NULL;
	_cleanup_secret_ struct secret *text = NULL;

	TRY(need_kek(call, &kek, err));
	TRY(tape_text_input(call, 0, &input, err));
	TRY(wrap(call, slot_secret_span(kek),
		 cli_flag(call, "bareos") ? tape_text_line(input) : slot_secret_span(input), &text,
		 err));
	return tape_text_output(call, secret_span(text), err);
}

/* Unwraps base64 in the form that the command line asks for. */
static cof_result unwrap(const struct cli_call *call, struct span kek, struct span text,
			 struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *passphrase = NULL;
	_cleanup_secret_ struct secret *wrapped = NULL;
	_cleanup_secret_ struct secret *clear = NULL;

	if (cli_flag(call, "bareos")) {
		TRY(bareos_unwrap(kek, text, &passphrase, err));
		return tape_text_output(call, bareos_passphrase_span(passphrase), err);
	}
	TRY(base64_decode(text, &wrapped, err));
	TRY(keywrap_unwrap(KEYWRAP_RFC3394, kek, secret_span(wrapped), &clear, err));
	return tape_text_output(call, secret_span(clear), err);
}

/* coffer tape key unwrap. */
static cof_result run_unwrap(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *input = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *kek = NULL;

	TRY(need_kek(call, &kek, err));
	TRY(tape_text_input(call, 0, &input, err));
	return cof_explain(unwrap(call, slot_secret_span(kek), tape_text_line(input), err), err,
			   "another --kek-file; for keys of Bareos with --bareos, for others "
			   "without it",
			   "cannot unwrap the key");
}

/* coffer tape key base64. */
static cof_result run_base64(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *input = NULL;
	_cleanup_secret_ struct secret *output = NULL;

	TRY(tape_text_input(call, 0, &input, err));
	if (cli_flag(call, "decode"))
		TRY(base64_decode(slot_secret_span(input), &output, err));
	else
		TRY(base64_encode(tape_text_line(input), &output, err));
	return tape_text_output(call, secret_span(output), err);
}

#define OUT_OPTION                                                                                 \
	{                                                                                          \
		"out", CLI_FILE, "FILE", "write to FILE, which must not exist, with mode 0600"     \
	}
#define WHERE_FROM                                                                                 \
	"It is read from FILE or standard input, and the result is written to standard output or " \
	"the file of --out; nothing is added to it but a newline on a terminal."

const struct cli_verb cli_verb_tape_key_generate = {
	.noun = "tape",
	.verb = "key generate",
	.summary = "make a passphrase of the kind that Bareos uses, clear or wrapped",
	.description = "Makes 32 random characters, for a key encryption key or as the key of a "
		       "tape. With --kek-file the result is wrapped under that key and in base64. "
		       "Keys that coffer uses itself are made by `coffer tape label` and stay in "
		       "the vault.",
	.options = (const struct cli_option[]){ TAPE_BAREOS_OPTION,
						TAPE_KEK_OPTION,
						{ "base64", CLI_FLAG, NULL,
						  "in base64, as Bareos keeps a clear key" },
						OUT_OPTION,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape key generate --out kek", "A new key encryption key." },
			{ "coffer tape key generate --bareos --kek-file kek",
			  "The key of a volume, as the catalogue of Bareos has it." },
			{ 0 },
		},
	.placeless = true,
	.run = run_generate,
};

const struct cli_verb cli_verb_tape_key_wrap = {
	.noun = "tape",
	.verb = "key wrap",
	.arguments = "[FILE]",
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "wrap a key under a key encryption key (RFC 3394)",
	.description = "Wraps a clear key, or with --bareos a passphrase of 32 characters, and "
		       "writes base64.\n\n" WHERE_FROM,
	.options =
		(const struct cli_option[]){
			TAPE_BAREOS_OPTION, TAPE_KEK_OPTION, OUT_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape key wrap passphrase --bareos --kek-file kek",
			  "As Bareos does." },
			{ 0 },
		},
	.placeless = true,
	.run = run_wrap,
};

const struct cli_verb cli_verb_tape_key_unwrap = {
	.noun = "tape",
	.verb = "key unwrap",
	.arguments = "[FILE]",
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "unwrap a key, and show it",
	.description =
		"Takes base64 of a wrapped key and writes the clear key, or with --bareos "
		"the clear passphrase. A wrong key encryption key is exit status 4.\n\n" WHERE_FROM,
	.options =
		(const struct cli_option[]){
			TAPE_BAREOS_OPTION, TAPE_KEK_OPTION, OUT_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape key unwrap --bareos --kek-file kek <wrapped",
			  "The passphrase of a volume, from the catalogue of Bareos." },
			{ 0 },
		},
	.placeless = true,
	.run = run_unwrap,
};

const struct cli_verb cli_verb_tape_key_base64 = {
	.noun = "tape",
	.verb = "key base64",
	.arguments = "[FILE]",
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "bring a key into base64, or back",
	.description = "Bareos keeps clear keys as base64 without padding; reading takes both. "
		       "Encoding takes the first line.\n\n" WHERE_FROM,
	.options = (const struct cli_option[]){ { "decode", CLI_FLAG, NULL, "from base64" },
						OUT_OPTION,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape key base64 --decode plain.b64", "The clear passphrase." },
			{ 0 },
		},
	.placeless = true,
	.run = run_base64,
};
