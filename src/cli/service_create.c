/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer service create: from a template to a service.
 */

#include <stdio.h>
#include <string.h>

#include "file.h"
#include "service.h"
#include "verbs.h"

/* Every mistake of a configuration: the first is passed up, the others are told. */
static cof_result raise_mistakes(const struct config_mistakes *mistakes, const char *file,
				 struct json *document, struct cof_error *err)
{
	struct json *array = json_new_array();
	size_t kept = mistakes->count < CONFIG_MISTAKES_MAX ? mistakes->count : CONFIG_MISTAKES_MAX;

	json_set(document, "mistakes", array);
	for (size_t i = 0; i < kept; i++) {
		const struct config_mistake *mistake = &mistakes->items[i];
		struct json *item = json_new_object();
		struct cof_error told = { 0 };

		json_set_uint(item, "line", mistake->line);
		json_set_known(item, "section", mistake->section);
		json_set_known(item, "keyword", mistake->keyword);
		json_set_text(item, "text", mistake->text);
		json_set_known(item, "remedy", mistake->remedy);
		json_add(array, item);
		if (i == 0)
			continue;
		cof_ignore(config_mistake_raise(mistake, file, &told));
		cli_report(&told);
	}
	return config_mistake_raise(&mistakes->items[0], file, err);
}

/* Reads the template, or standard input for "-". */
static cof_result read_template(const char *file, struct buffer *ret_text, struct cof_error *err)
{
	return file_read(strcmp(file, "-") == 0 ? "/dev/stdin" : file, CONFIG_MAX_BYTES, ret_text,
			 err);
}

/* coffer service create. */
static cof_result run_create(struct cli_call *call, struct cof_error *err)
{
	_cleanup_free_ struct config_mistakes *mistakes = calloc(1, sizeof(*mistakes));
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_buffer_ struct buffer kept = { 0 };
	const char *file = cli_value(call, "config") ? cli_value(call, "config") : "";
	struct json *document = json_new_object();
	struct service_path path;
	char name[SERVICE_PATH_CHARS];

	cli_show(call, document);
	if (!file[0] && !cli_value(call, "kw")) {
		cof_ignore(cof_raise(err, COF_E_USAGE, "--config", "is missing"));
		cof_error_try(err, "--config FILE; - is standard input");
		return (cof_result){ COF_E_USAGE };
	}
	ENSURE(mistakes, err, COF_E_NOMEM, NULL, "no memory for a configuration");
	TRY(service_path_parse(call->args[0], "svc", &path, err));
	json_set_text(document, "path", service_path_format(&path, name));
	if (file[0])
		TRY(read_template(file, &text, err));
	TRY(service_check(call->paths, &path, buffer_span(&text), cli_value_list(call, "kw"),
			  mistakes, &kept, err));
	if (mistakes->count > 0)
		return raise_mistakes(mistakes, file, document, err);
	if (!call->dry_run)
		TRY(service_create(call->paths, &path, buffer_span(&kept), err));
	json_set_bool(document, "changed", !call->dry_run);
	cli_say(call, "%s %s", call->dry_run ? "would create" : "create", name);
	return COF_OK;
}

const struct cli_verb cli_verb_service_create = {
	.noun = "service",
	.verb = "create",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "make a service from a configuration; nothing is formatted yet",
	.description =
		"PATH is NAMESPACE/svc/NAME; NAME alone is root/svc/NAME. The configuration has "
		"one section for each resource, "
		"such as [disk#0], whose keyword type says what it is, and [DEFAULT] for the "
		"service itself. Configurations of OpenSVC are taken as they are. A value may "
		"refer to others: {fqdn}, {svcname}, {disk#0.exposed_devs[0]}. A keyword that is "
		"for one machine alone is written keyword@NODE. Sizes are powers of 1024: 1G is "
		"1 GiB.\n\n"
		"Types of disks: loop (file, size), crypt (dev, name, secret, label, "
		"manage_passphrase), raw (devs). Types of file systems: ext4, xfs, btrfs (dev, "
		"mnt, mnt_opt, mkfs_opt). Every resource takes disable, optional, standby, "
		"provision, unprovision and comment. Keywords that are for a cluster's daemon are "
		"taken and mean nothing here; what coffer does not do and could cost data is "
		"refused.\n\n"
		"Every mistake is named with its line and keyword, and then nothing is made. The "
		"configuration is kept in /etc/coffer/services.",
	.options =
		(const struct cli_option[]){
			{ "config", CLI_FILE, "FILE",
			  "the service's configuration; - is standard input" },
			{ "kw", CLI_TEXT, "SECTION.KEYWORD=VALUE",
			  "set this keyword, over that of the file; may be repeated" },
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer service create demo/svc/web --config web.conf",
			  "a service from a file" },
			{ "coffer service create demo/svc/a --config a.conf --kw disk#0.size=2G",
			  "the same with another size" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_create,
};
