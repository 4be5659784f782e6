/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer secret keys|decode: what an object holds.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "file.h"
#include "name_list.h"
#include "secret_call.h"
#include "verbs.h"

cof_result secret_key_option(const struct cli_call *call, const char **ret_key,
			     struct cof_error *err)
{
	*ret_key = cli_value(call, "key");
	if (*ret_key)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_USAGE, "--key", "is missing"));
	cof_error_try(err, "--key KEY, as coffer secret keys %s lists them", call->args[0]);
	return (cof_result){ COF_E_USAGE };
}

/* coffer secret keys. */
static cof_result run_keys(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(name_list_freep) char **keys = NULL;
	struct json *document = json_new_object();
	struct json *array = json_new_array();
	struct service_path path;
	char text[SERVICE_PATH_CHARS];
	bool exists;

	cli_show(call, document);
	json_set(document, "keys", array);
	TRY(service_path_parse(call->args[0], "sec", &path, err));
	json_set_text(document, "path", service_path_format(&path, text));
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(secret_exists(vault, &path, &exists, err));
	if (!exists) {
		cof_ignore(cof_raise(err, COF_E_NOENT, text, "there is no such object"));
		cof_error_try(err, "coffer key list");
		return (cof_result){ COF_E_NOENT };
	}
	TRY(secret_keys(vault, &path, &keys, err));
	for (size_t i = 0; keys[i]; i++) {
		json_add_text(array, keys[i]);
		cli_say(call, "%s", keys[i]);
	}
	return COF_OK;
}

/* Before a secret leaves the vault, the audit log says so. */
static void note_leaving(struct vault *vault, const struct service_path *path, const char *key)
{
	char subject[SERVICE_PATH_CHARS + SECRET_KEY_CHARS + 2];
	char text[SERVICE_PATH_CHARS];

	(void)snprintf(subject, sizeof(subject), "%s %s", service_path_format(path, text), key);
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_KEY_SHOW, .subject = subject });
}

/* coffer secret decode: from locked memory straight to stdout. */
static cof_result run_decode(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *value = NULL;
	struct service_path path;
	const char *key;
	bool found;

	TRY(secret_key_option(call, &key, err));
	TRY(service_path_parse(call->args[0], "sec", &path, err));
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(secret_get(vault, &path, key, &value, &found, err));
	if (!found)
		return secret_check_put(vault, &path, key, SECRET_CHANGE, err);
	note_leaving(vault, &path, key);
	(void)fflush(stdout);
	TRY(fd_write_all(STDOUT_FILENO, slot_secret_span(value), "standard output", err));
	if (isatty(STDOUT_FILENO))
		(void)putchar('\n');
	return COF_OK;
}

const struct cli_verb cli_verb_secret_keys = {
	.noun = "secret",
	.verb = "keys",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "list the keys of an object, one in each line",
	.description = "No value is shown. A key that was removed is not listed.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer secret keys demo/sec/web", "the keys of one object" }, { 0 } },
	.shows = true,
	.needs_root = true,
	.run = run_keys,
};

const struct cli_verb cli_verb_secret_decode = {
	.noun = "secret",
	.verb = "decode",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "print the value of one key, and nothing else",
	.description = "The value goes to standard output as it is, for a program that needs it; "
		       "on a terminal a newline follows. The audit log says that it was shown.",
	.options = (const struct cli_option[]){ SECRET_KEY_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer secret decode demo/sec/web --key disk_1_crypt_passphrase | "
			  "cryptsetup open --test-passphrase --key-file - /dev/loop1",
			  "try a passphrase with another tool" },
			{ 0 } },
	.needs_root = true,
	.run = run_decode,
};
