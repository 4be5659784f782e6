/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer secret create|add|change|remove|restore: secrets of services are given and taken.
 */

#include <stdio.h>
#include <string.h>

#include "passphrase.h"
#include "secret_call.h"
#include "verbs.h"

/* The value: the content of --from, or what is typed twice. */
static cof_result take_value(const struct cli_call *call, struct slot_secret **ret_value,
			     struct cof_error *err)
{
	const char *file = cli_value(call, "from");

	if (file)
		return keyfile_read(file, ret_value, err);
	if (!cli_on_terminal(call)) {
		cof_ignore(cof_raise(err, COF_E_USAGE, "--from",
				     "is missing, and there is no terminal to ask on"));
		cof_error_try(err, "--from FILE; - is standard input");
		return (cof_result){ COF_E_USAGE };
	}
	return passphrase_ask("Value", true, ret_value, err);
}

/* Checks what can be known without the vault, and opens it. */
static cof_result begin(struct cli_call *call, struct service_path *ret_path,
			struct vault **ret_vault, struct json *document, struct cof_error *err)
{
	char text[SERVICE_PATH_CHARS];

	TRY(service_path_parse(call->args[0], "sec", ret_path, err));
	json_set_text(document, "path", service_path_format(ret_path, text));
	return cli_open_vault(call, true, ret_vault, err);
}

/* coffer secret create. */
static cof_result run_create(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct json *document = json_new_object();
	struct service_path path;
	char text[SERVICE_PATH_CHARS];
	bool made = false;
	bool exists;

	cli_show(call, document);
	TRY(begin(call, &path, &vault, document, err));
	TRY(secret_exists(vault, &path, &exists, err));
	if (!call->dry_run)
		TRY(secret_create(vault, &path, &made, err));
	json_set_bool(document, "changed", made);
	cli_say(call, "%s %s", service_path_format(&path, text),
		exists ? "is there already: nothing to do"
		: made ? "created"
		       : "would be created");
	return COF_OK;
}

/* add and change. */
static cof_result put(struct cli_call *call, enum secret_put how, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *value = NULL;
	struct json *document = json_new_object();
	struct service_path path;
	char text[SERVICE_PATH_CHARS];
	const char *key;

	cli_show(call, document);
	TRY(secret_key_option(call, &key, err));
	TRY(begin(call, &path, &vault, document, err));
	json_set_text(document, "key", key);
	TRY(secret_check_put(vault, &path, key, how, err));
	if (!call->dry_run) {
		TRY(take_value(call, &value, err));
		TRY(secret_put(vault, &path, key, how, value, err));
	}
	json_set_bool(document, "changed", !call->dry_run);
	cli_say(call, "%s: key %s %s%s", service_path_format(&path, text), key,
		call->dry_run ? "would be " : "", how == SECRET_ADD ? "added" : "changed");
	return COF_OK;
}

static cof_result run_add(struct cli_call *call, struct cof_error *err)
{
	return put(call, SECRET_ADD, err);
}

static cof_result run_change(struct cli_call *call, struct cof_error *err)
{
	return put(call, SECRET_CHANGE, err);
}

/* remove and restore. */
static cof_result turn(struct cli_call *call, bool remove, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct json *document = json_new_object();
	struct service_path path;
	char text[SERVICE_PATH_CHARS];
	const char *key;

	cli_show(call, document);
	TRY(secret_key_option(call, &key, err));
	TRY(begin(call, &path, &vault, document, err));
	json_set_text(document, "key", key);
	if (remove)
		TRY(call->dry_run ? secret_check_put(vault, &path, key, SECRET_CHANGE, err)
				  : secret_remove(vault, &path, key, err));
	else if (!call->dry_run)
		TRY(secret_restore(vault, &path, key, err));
	json_set_bool(document, "changed", !call->dry_run);
	cli_say(call, "%s: key %s %s%s", service_path_format(&path, text), key,
		call->dry_run ? "would be " : "", remove ? "removed" : "restored");
	if (remove && !call->dry_run)
		cli_say(call, "Its history stays: coffer secret restore %s --key %s", text, key);
	return COF_OK;
}

static cof_result run_remove(struct cli_call *call, struct cof_error *err)
{
	return turn(call, true, err);
}

static cof_result run_restore(struct cli_call *call, struct cof_error *err)
{
	return turn(call, false, err);
}

#define FROM_OPTION                                                                                \
	{                                                                                          \
		"from", CLI_FILE, "FILE",                                                          \
			"take the value from the whole content of FILE, newlines included; - is "  \
			"standard input"                                                           \
	}

const struct cli_verb cli_verb_secret_create = {
	.noun = "secret",
	.verb = "create",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "make an object that holds secrets of services",
	.description = "PATH is NAMESPACE/sec/NAME. `coffer secret add` makes an object that is "
		       "not there as well, and so does `coffer service provision`.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer secret create demo/sec/web", "an object without keys" }, { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_create,
};

const struct cli_verb cli_verb_secret_add = {
	.noun = "secret",
	.verb = "add",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "give an object a key that it does not have yet",
	.description =
		"The value comes from --from, or is asked for on the terminal. The key that a "
		"service's disk#1 opens with is called disk_1_crypt_passphrase, in the object of "
		"the service's namespace and name; a service makes it by itself, unless it says "
		"manage_passphrase = false.",
	.options =
		(const struct cli_option[]){
			SECRET_KEY_OPTION, FROM_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer secret add demo/sec/web --key disk_1_crypt_passphrase --from "
			  "pass",
			  "a passphrase from a file" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_add,
};

const struct cli_verb cli_verb_secret_change = {
	.noun = "secret",
	.verb = "change",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "give a key of an object another value; the old one stays in the history",
	.description =
		"The header of a disk is not changed by this: a passphrase that does not open it "
		"keeps the service from being stopped, and from being started. `coffer secret "
		"remove` and `coffer secret restore` do not bring the value before back, which "
		"`coffer key export secret/NAMESPACE:NAME:KEY --generation N` writes to a file.",
	.options =
		(const struct cli_option[]){
			SECRET_KEY_OPTION, FROM_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer secret change demo/sec/web --key token --from token.new",
			  "another value" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_change,
};

const struct cli_verb cli_verb_secret_remove = {
	.noun = "secret",
	.verb = "remove",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "take a key away from an object; it can be restored",
	.description =
		"The key has no value any more, and is not listed. What it opened stays open, but "
		"a service is then not stopped without --force. The value stays in the vault's "
		"history, from which `coffer secret restore` brings it back; `coffer service "
		"unprovision` destroys it with the data.",
	.options = (const struct cli_option[]){ SECRET_KEY_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer secret remove demo/sec/web --key disk_1_crypt_passphrase",
			  "take a passphrase away" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_remove,
};

const struct cli_verb cli_verb_secret_restore = {
	.noun = "secret",
	.verb = "restore",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "give a key that was removed its last value again",
	.description = "A key that has a value is left as it is, and that is an error.",
	.options = (const struct cli_option[]){ SECRET_KEY_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer secret restore demo/sec/web --key disk_1_crypt_passphrase",
			  "bring a passphrase back" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_restore,
};
