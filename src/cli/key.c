/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer key list`: what the records say of themselves, without their secrets.
 */

#include <stdio.h>

#include "key_row.h"
#include "table.h"
#include "unlocking.h"
#include "verbs.h"

/* What one walk over records fills. */
struct listing {
	struct table *table;
	struct json *array;
};

/* Adds one record to the table and to the array. */
static cof_result add_record(const struct record *record, void *context, struct cof_error *err)
{
	const struct listing *listing = context;
	struct key_row row;
	const char *cells[] = { record->kind, record->name, row.generation, row.size, row.created };

	json_add(listing->array, key_row_fill(record, &row));
	return table_add(listing->table, cells, err);
}

/* Shows all records, as a table or as {"keys":[...]}. */
static cof_result show_records(struct cli_call *call, struct vault *vault, struct cof_error *err)
{
	static const char *const columns[] = { "KIND",	 "NAME",    ">GENERATION",
					       ">BYTES", "CREATED", NULL };
	_cleanup_(table_freep) struct table *table = NULL;
	_cleanup_json_ struct json *document = json_new_object();
	struct listing listing = { .array = json_new_array() };

	json_set(document, "keys", listing.array);
	TRY(table_new(columns, &table, err));
	listing.table = table;
	TRY(vault_each(vault, NULL, add_record, &listing, err));
	if (!call->json)
		TRY(table_print(table, stdout, err));
	cli_show(call, TAKE(document));
	return COF_OK;
}

/* Shows the newest generation of every record. */
static cof_result run_list(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	TRY(cli_open_vault(call, true, &vault, err));
	return show_records(call, vault, err);
}

const struct cli_verb cli_verb_key_list = {
	.noun = "key",
	.verb = "list",
	.summary = "list the keys and other records in the vault, without their secrets",
	.description =
		"One line for each record: its kind and name, how often it was replaced, how "
		"many bytes it has, and when they were made. No secret is shown.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer key list", "As a table." },
			{ "coffer key list --json", "For programs." },
			{ 0 },
		},
	.shows = true,
	.needs_root = true,
	.run = run_list,
};
