/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer key history`: the generations of one record, and why each ended.
 */

#include <stdio.h>
#include <string.h>

#include "key_name.h"
#include "key_row.h"
#include "number.h"
#include "table.h"
#include "unlocking.h"
#include "verbs.h"

/* One walk, from the newest generation to the oldest; what was visited last is @newer. */
struct history {
	struct vault *vault;
	struct table *table;
	struct json *array;
	struct json *not_kept;
	uint64_t newer;
	time_t newer_created;
};

/* Whether two parts of a record, of which each may be missing, are the same. */
static bool same(const struct secret *a, const struct secret *b)
{
	if (!a || !b)
		return a == b;
	return ct_equal(secret_span(a), secret_span(b));
}

/* What the generation after this one brought. */
static cof_result why_ended(const struct history *history, const struct record *record,
			    const char **ret_why, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *next = NULL;
	_cleanup_free_ char *before = json_format(record->meta);
	_cleanup_free_ char *after = NULL;
	bool found;

	TRY(vault_get_generation(history->vault, record->kind, record->name, history->newer, &next,
				 &found, err));
	*ret_why = "a newer one, which was changed meanwhile";
	if (!found)
		return COF_OK;
	after = json_format(next->meta);
	if (!same(record->secret, next->secret))
		*ret_why = "another key";
	else if (record->blob.len != next->blob.len ||
		 memcmp(record->blob.data, next->blob.data, next->blob.len) != 0)
		*ret_why = "another header";
	else if (strcmp(before, after) != 0)
		*ret_why = "another description";
	else
		*ret_why = "the same again";
	return COF_OK;
}

/* Names the generations between the one visited last and this one, which were not kept. */
static cof_result add_gap(struct history *history, uint64_t generation, struct cof_error *err)
{
	uint64_t from = generation + 1;
	uint64_t to = history->newer - 1;
	char range[48];

	if (history->newer == 0 || from > to)
		return COF_OK;
	if (from == to)
		(void)snprintf(range, sizeof(range), "%llu", (unsigned long long)from);
	else
		(void)snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)from,
			       (unsigned long long)to);
	for (uint64_t number = to; number >= from; number--) {
		struct json *item = json_new_object();

		json_set_uint(item, "generation", number);
		json_add(history->not_kept, item);
	}
	return table_add(history->table,
			 (const char *const[]){ range, NULL, NULL, NULL, "not kept" }, err);
}

/* Adds one generation. */
static cof_result add_generation(const struct record *record, void *context, struct cof_error *err)
{
	struct history *history = context;
	struct key_row row;
	struct json *item = key_row_fill(record, &row);
	bool follows = history->newer == record->generation + 1;
	const char *why = NULL;
	char ended[32] = "";

	json_add(history->array, item);
	TRY(add_gap(history, record->generation, err));
	if (history->newer != 0)
		TRY(why_ended(history, record, &why, err));
	if (follows)
		(void)time_format(history->newer_created, ended);
	json_set_text(item, "ended", ended[0] ? ended : NULL);
	json_set_text(item, "why", why);
	history->newer = record->generation;
	history->newer_created = record->created;
	return table_add(history->table,
			 (const char *const[]){ row.generation, row.size, row.created,
						ended[0] ? ended : NULL, why ? why : "current" },
			 err);
}

/* Shows all generations of one record. */
static cof_result run_history(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { ">GENERATION", ">BYTES",	  "CREATED",
					       "ENDED",	      "REPLACED BY", NULL };
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(table_freep) struct table *table = NULL;
	_cleanup_json_ struct json *document = json_new_object();
	struct history history = { .array = json_new_array(), .not_kept = json_new_array() };
	struct key_name name;

	json_set(document, "keys", history.array);
	json_set(document, "not_kept", history.not_kept);
	TRY(key_name_parse(call->args[0], &name, err));
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(table_new(columns, &table, err));
	history.vault = vault;
	history.table = table;
	TRY(vault_each_generation(vault, name.kind, name.name, add_generation, &history, err));
	if (json_length(history.array) == 0)
		return key_missing(name.kind, name.name, err);
	/* Generations begin with 1. */
	TRY(add_gap(&history, 0, err));
	if (!call->json)
		TRY(table_print(table, stdout, err));
	if (json_length(history.not_kept) > 0)
		cli_say(call, "Not kept are generations that had the key and the header of the "
			      "next one, and only another description.");
	cli_show(call, TAKE(document));
	return COF_OK;
}

const struct cli_verb cli_verb_key_history = {
	.noun = "key",
	.verb = "history",
	.arguments = "KEY",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "list all generations of one key, without the secrets",
	.description =
		"KEY is KIND/NAME as `coffer key list` shows it, or the name of a disk. Each "
		"generation that the vault keeps is shown, the newest first: when it was made, "
		"until when it counted, and what the next one brought. Generations that were not "
		"kept are named too: the vault keeps each that had another key or header, and not "
		"those in which only the description was another.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer key history enc-wwn-0x5000c500a1b2c3d4",
			  "The keys that a disk has had." },
			{ 0 },
		},
	.shows = true,
	.needs_root = true,
	.run = run_history,
};
