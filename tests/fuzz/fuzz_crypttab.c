/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crypttab: any bytes come out as they went in, an edit is found again and changes nothing else,
 * the same edit twice is one, and an edit undone leaves no trace.
 */

#include "fuzz.h"
#include "tabfile.h"

#define NAME   "enc-fuzz"
#define SOURCE "/dev/disk/by-id/fuzz"

/* The table's text is just these bytes, and @tail after them. */
static void check_text(const struct crypttab *table, struct span expected, const char *tail)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	FUZZ_CHECK(!cof_failed(crypttab_format(table, &text, NULL)));
	FUZZ_CHECK(text.len == expected.len + strlen(tail));
	FUZZ_CHECK(expected.len == 0 || memcmp(text.data, expected.data, expected.len) == 0);
	FUZZ_CHECK(tail[0] == '\0' || memcmp(text.data + expected.len, tail, strlen(tail)) == 0);
}

/* A line that is new is found with its fields, comes at the end, and goes without a trace. */
static void try_new_line(struct crypttab *table, struct span input)
{
	bool ended = input.len == 0 || input.data[input.len - 1] == '\n';
	struct crypttab_entry entry;

	if (crypttab_find(table, NAME, &entry))
		return;
	for (int i = 0; i < 2; i++) {
		FUZZ_CHECK(!cof_failed(crypttab_set(table, NAME, SOURCE, "none", "luks", NULL)));
		FUZZ_CHECK(crypttab_find(table, NAME, &entry));
		FUZZ_CHECK(strcmp(entry.source, SOURCE) == 0);
		FUZZ_CHECK(strcmp(entry.key, "none") == 0 && strcmp(entry.options, "luks") == 0);
		check_text(table, input,
			   ended ? NAME " " SOURCE " none luks\n"
				 : "\n" NAME " " SOURCE " none luks\n");
	}
	crypttab_remove(table, NAME);
	FUZZ_CHECK(!crypttab_find(table, NAME, &entry));
	check_text(table, input, ended ? "" : "\n");
}

/* A line that is there has its source changed and changed back: all else stays where it is. */
static void try_known_line(struct crypttab *table, struct span input)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *source = NULL;
	struct crypttab_entry entry;

	if (!crypttab_at(table, 0, &entry))
		return;
	name = strdup(entry.name);
	source = strdup(entry.source);
	FUZZ_CHECK(name && source);
	FUZZ_CHECK(!cof_failed(crypttab_set(table, name, SOURCE, NULL, NULL, NULL)));
	FUZZ_CHECK(crypttab_find(table, name, &entry));
	FUZZ_CHECK(strcmp(entry.source, SOURCE) == 0);
	FUZZ_CHECK(!cof_failed(crypttab_set(table, name, source, NULL, NULL, NULL)));
	check_text(table, input, "");
}

/* All four fields of the first line are given: they are read back, by a fresh parse too. */
static void try_all_fields(struct crypttab *table)
{
	_cleanup_(crypttab_freep) struct crypttab *again = NULL;
	_cleanup_buffer_ struct buffer once = { 0 };
	_cleanup_free_ char *name = NULL;
	struct crypttab_entry entry;

	if (!crypttab_at(table, 0, &entry))
		return;
	name = strdup(entry.name);
	FUZZ_CHECK(name);
	FUZZ_CHECK(!cof_failed(crypttab_set(table, name, SOURCE, "/key", "luks,nofail", NULL)));
	FUZZ_CHECK(!cof_failed(crypttab_format(table, &once, NULL)));
	FUZZ_CHECK(!cof_failed(crypttab_set(table, name, SOURCE, "/key", "luks,nofail", NULL)));
	check_text(table, buffer_span(&once), "");
	FUZZ_CHECK(!cof_failed(crypttab_parse(buffer_span(&once), &again, NULL)));
	FUZZ_CHECK(crypttab_find(again, name, &entry));
	FUZZ_CHECK(strcmp(entry.source, SOURCE) == 0);
	FUZZ_CHECK(strcmp(entry.key, "/key") == 0 && strcmp(entry.options, "luks,nofail") == 0);
}

void fuzz_one(struct span input)
{
	_cleanup_(crypttab_freep) struct crypttab *table = NULL;
	_cleanup_(crypttab_freep) struct crypttab *second = NULL;
	bool has_nul = input.len > 0 && memchr(input.data, '\0', input.len);

	FUZZ_CHECK(cof_failed(crypttab_parse(input, &table, NULL)) == has_nul);
	if (has_nul)
		return;
	check_text(table, input, "");
	try_known_line(table, input);
	try_new_line(table, input);
	FUZZ_CHECK(!cof_failed(crypttab_parse(input, &second, NULL)));
	try_all_fields(second);
}
