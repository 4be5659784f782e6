/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer store list, show and remove.
 */

#include <stdio.h>

#include "number.h"
#include "store_call.h"
#include "table.h"
#include "verbs.h"

/* ---- list ---- */

/* Where the versions go. */
struct listing {
	struct json *versions;
	struct table *table;
	size_t count;
};

/* A store_visit. */
static cof_result list_version(const struct version *version, void *context, struct cof_error *err)
{
	struct listing *listing = context;
	char created[32];
	char size[16];
	char new_size[16];

	listing->count++;
	json_add(listing->versions, store_version_json(version));
	return table_add(listing->table,
			 (const char *const[]){ version->name, store_kind_name(version->kind),
						time_format((time_t)version->created, created),
						size_format(version->bytes, size),
						size_format(version->new_bytes, new_size) },
			 err);
}

/* coffer store list. */
static cof_result run_list(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "NAME", "KIND", "CREATED", ">SIZE", ">NEW", NULL };
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(table_freep) struct table *table = NULL;
	struct listing listing = { 0 };
	struct json *document;
	size_t damaged = 0;

	TRY(store_call_enter(call, &store, err));
	TRY(table_new(columns, &table, err));
	document = json_new_object();
	listing.versions = json_new_array();
	listing.table = table;
	json_set(document, "versions", listing.versions);
	cli_show(call, document);
	TRY(store_each(store, list_version, &listing, &damaged, err));
	if (!listing.count)
		cli_say(call, "%s has no versions", call->args[0]);
	else if (!call->json)
		TRY(table_print(table, stdout, err));
	if (damaged) {
		cof_result failure = cof_raise(err, COF_E_FORMAT, call->args[0],
					       "%zu records of versions cannot be read", damaged);

		cof_error_try(err, "coffer store verify %s", call->args[0]);
		return failure;
	}
	return COF_OK;
}

const struct cli_verb cli_verb_store_list = {
	.noun = "store",
	.verb = "list",
	.arguments = "DIR",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "list the versions in a storage group",
	.description =
		"Shows each version with its size, and how much of it the group did not have "
		"before.",
	.options = (const struct cli_option[]){ STORE_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer store list /srv/backup", "one line for each" }, { 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_list,
};

/* ---- show ---- */

/* coffer store show. */
static cof_result run_show(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	struct version version;
	struct json *document;
	bool found = false;
	char created[32];
	char size[16];
	char new_size[16];

	TRY(store_call_enter(call, &store, err));
	TRY(store_find(store, call->args[1], &version, &found, err));
	if (!found) {
		cof_result failure = cof_raise(err, COF_E_NOENT, call->args[1],
					       "there is no such version in %s", call->args[0]);

		cof_error_try(err, "coffer store list %s", call->args[0]);
		return failure;
	}
	document = json_new_object();
	json_set(document, "version", store_version_json(&version));
	cli_show(call, document);
	cli_say(call, "Name:    %s", version.name);
	cli_say(call, "Kind:    %s", store_kind_name(version.kind));
	cli_say(call, "Created: %s", time_format((time_t)version.created, created));
	cli_say(call, "Size:    %s", size_format(version.bytes, size));
	cli_say(call, "New:     %s", size_format(version.new_bytes, new_size));
	if (version.kind == VERSION_TREE)
		cli_say(call, "Files:   %llu", (unsigned long long)version.files);
	return COF_OK;
}

const struct cli_verb cli_verb_store_show = {
	.noun = "store",
	.verb = "show",
	.arguments = "DIR NAME",
	.min_args = 2,
	.max_args = 2,
	.argument_type = CLI_FILE,
	.summary = "show one version of a storage group",
	.description = "Shows what is known of one version.",
	.options = (const struct cli_option[]){ STORE_UNLOCK_OPTIONS, { 0 } },
	.examples = (const struct cli_example[]){ { "coffer store show /srv/backup vm1-monday",
						    "its size and when it was put" },
						  { 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_show,
};

/* ---- remove ---- */

/* coffer store remove. */
static cof_result run_remove(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	const char *name = call->args[1];
	struct version version;
	struct json *document;
	bool found = false;

	TRY(store_call_enter(call, &store, err));
	TRY(store_find(store, name, &version, &found, err));
	if (found && !call->dry_run)
		TRY(cli_confirm_destroy(call, name, NULL, "The version will be gone for good.",
					err));
	if (!found || !call->dry_run)
		TRY(store_remove(store, name, err));
	document = json_new_object();
	json_set(document, "version", store_version_json(&version));
	json_set_bool(document, "changed", !call->dry_run);
	cli_show(call, document);
	cli_say(call, "%s %s.", call->dry_run ? "Would remove" : "Removed", name);
	return COF_OK;
}

const struct cli_verb cli_verb_store_remove = {
	.noun = "store",
	.verb = "remove",
	.arguments = "DIR NAME",
	.min_args = 2,
	.max_args = 2,
	.argument_type = CLI_FILE,
	.summary = "remove a version from a storage group",
	.description =
		"The version is gone once the command has ended. Its data stays in the group's "
		"packs, where new versions find it again.",
	.options = (const struct cli_option[]){ STORE_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer store remove /srv/backup vm1-monday --yes-destroy vm1-monday",
			  "without a question" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_remove,
};
