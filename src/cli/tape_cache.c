/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape cache dump|populate|update|reset: the crypto cache of Bareos. What is no cache is
 * refused and left as it is.
 */

#include <string.h>
#include <sys/stat.h>

#include "cryptoc.h"
#include "file.h"
#include "number.h"
#include "passphrase.h"
#include "table.h"
#include "tape_text.h"
#include "verbs.h"

#define CACHE_MODE	 0640 /* as Bareos makes its own */
#define JSON_ENTRY_BYTES 384  /* two texts of a cache, a time, and what stands between */

/* Adds text at the end of what is in a secret so far. */
static void put(struct secret *to, size_t *at, const void *text, size_t len)
{
	memcpy(to->data + *at, text, len);
	*at += len;
}

static void put_text(struct secret *to, size_t *at, const char *text)
{
	put(to, at, text, strlen(text));
}

/* {"volumes":[{"volume","key","added"}]}: by hand, since a clear key must stay in locked memory.
 * Names and keys of a cache that was checked need no escapes. */
static cof_result print_json(const struct cli_call *call, const struct cryptoc *cache,
			     struct cof_error *err)
{
	_cleanup_secret_ struct secret *text = NULL;
	char when[32];
	size_t at = 0;

	TRY(secret_new(64 + cache->count * JSON_ENTRY_BYTES, &text, err));
	put_text(text, &at, "{\"volumes\":[");
	for (size_t i = 0; i < cache->count; i++) {
		struct cryptoc_entry entry = cryptoc_at(cache, i);

		put_text(text, &at, i ? ",{\"volume\":\"" : "{\"volume\":\"");
		put(text, &at, entry.volume.data, entry.volume.len);
		put_text(text, &at, "\",\"key\":\"");
		put(text, &at, entry.key.data, entry.key.len);
		put_text(text, &at, "\",\"added\":\"");
		put_text(text, &at, time_format(entry.added, when));
		put_text(text, &at, "\"}");
	}
	put_text(text, &at, "]}\n");
	return tape_text_output(call, SPAN(text->data, at), err);
}

/* The lines that populate a cache: volume, tab, key. */
static cof_result print_lines(const struct cli_call *call, const struct cryptoc *cache,
			      struct cof_error *err)
{
	_cleanup_secret_ struct secret *text = NULL;
	size_t at = 0;

	TRY(secret_new(1 + cache->count * 2 * CRYPTOC_NAME_BYTES, &text, err));
	for (size_t i = 0; i < cache->count; i++) {
		struct cryptoc_entry entry = cryptoc_at(cache, i);

		put(text, &at, entry.volume.data, entry.volume.len);
		put_text(text, &at, "\t");
		put(text, &at, entry.key.data, entry.key.len);
		put_text(text, &at, "\n");
	}
	(void)fflush(stdout);
	return fd_write_all(STDOUT_FILENO, SPAN(text->data, at), "standard output", err);
}

/* A table without keys. */
static cof_result print_table(const struct cryptoc *cache, struct cof_error *err)
{
	_cleanup_(table_freep) struct table *table = NULL;
	char volume[CRYPTOC_NAME_BYTES];
	char chars[16];
	char when[32];

	TRY(table_new((const char *const[]){ "VOLUME", ">KEY CHARACTERS", "ADDED", NULL }, &table,
		      err));
	for (size_t i = 0; i < cache->count; i++) {
		struct cryptoc_entry entry = cryptoc_at(cache, i);

		(void)snprintf(volume, sizeof(volume), "%.*s", (int)entry.volume.len,
			       (const char *)entry.volume.data);
		(void)snprintf(chars, sizeof(chars), "%zu", entry.key.len);
		TRY(table_add(
			table,
			(const char *const[]){ volume, chars, time_format(entry.added, when) },
			err));
	}
	return table_print(table, stdout, err);
}

/* Reads the cache that the first argument names; with @may_lack one that is not there is empty. */
static cof_result read_cache(const struct cli_call *call, bool may_lack,
			     struct slot_secret **ret_content, struct cryptoc *ret_cache,
			     struct cof_error *err)
{
	const char *path = call->args[0];

	TRY(tape_text_need_bareos(call, err));
	*ret_cache = (struct cryptoc){ 0 };
	*ret_content = NULL;
	if (may_lack && !path_exists(path))
		return COF_OK;
	TRY(keyfile_read(path, ret_content, err));
	return cof_explain(cryptoc_open(slot_secret_span(*ret_content), path, ret_cache, err), err,
			   "another copy of the file: it was left as it is", "cannot use %s", path);
}

/* coffer tape cache dump. */
static cof_result run_dump(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *content = NULL;
	struct cryptoc cache;

	TRY(read_cache(call, false, &content, &cache, err));
	if (call->json)
		return print_json(call, &cache, err);
	if (cli_flag(call, "tsv"))
		return print_lines(call, &cache, err);
	if (cache.count == 0) {
		cli_say(call, "%s has no volumes.", call->args[0]);
		return COF_OK;
	}
	return print_table(&cache, err);
}

/* Entries of a cache that is about to be written. */
struct entries {
	struct cryptoc_entry *items;
	size_t count;
	size_t room;
};

static void entries_done(struct entries *entries)
{
	free(entries->items);
}

/* Appends an entry. */
static cof_result entries_add(struct entries *entries, struct cryptoc_entry entry,
			      struct cof_error *err)
{
	if (entries->count == entries->room) {
		size_t room = entries->room ? 2 * entries->room : 64;
		struct cryptoc_entry *items =
			reallocarray(entries->items, room, sizeof(*entries->items));

		ENSURE(items, err, COF_E_NOMEM, NULL, "no memory for %zu volumes", room);
		entries->items = items;
		entries->room = room;
	}
	entries->items[entries->count++] = entry;
	return COF_OK;
}

/* All of a cache. */
static cof_result entries_load(struct entries *entries, const struct cryptoc *cache,
			       struct cof_error *err)
{
	for (size_t i = 0; i < cache->count; i++)
		TRY(entries_add(entries, cryptoc_at(cache, i), err));
	return COF_OK;
}

/* Puts a volume in: over the one of its name, or behind all others. Says whether that is new. */
static cof_result entries_put(struct entries *entries, struct cryptoc_entry entry,
			      bool *ret_changed, struct cof_error *err)
{
	for (size_t i = 0; i < entries->count; i++) {
		struct cryptoc_entry *there = &entries->items[i];

		if (there->volume.len != entry.volume.len ||
		    memcmp(there->volume.data, entry.volume.data, entry.volume.len) != 0)
			continue;
		*ret_changed = !ct_equal(there->key, entry.key);
		if (*ret_changed)
			*there = entry;
		return COF_OK;
	}
	*ret_changed = true;
	return entries_add(entries, entry, err);
}

/* Writes the cache, whole or not at all, and says what was done. */
static cof_result write_cache(struct cli_call *call, const struct entries *entries, size_t changed,
			      struct cof_error *err)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	struct json *document = json_new_object();

	json_set_text(document, "file", call->args[0]);
	json_set_uint(document, "volumes", entries->count);
	json_set_uint(document, "changed", changed);
	cli_show(call, document);
	if (changed == 0) {
		cli_say(call, "%s: nothing to change, %zu volumes.", call->args[0], entries->count);
		return COF_OK;
	}
	TRY(cryptoc_encode(entries->items, entries->count, &bytes, err));
	if (!call->dry_run)
		TRY(file_replace(call->args[0], secret_span(bytes), CACHE_MODE, err));
	cli_say(call, "%s: %zu volumes %s, %zu in all.", call->args[0], changed,
		call->dry_run ? "would be changed" : "changed", entries->count);
	return COF_OK;
}

/* coffer tape cache populate. */
static cof_result run_populate(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *content = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *input = NULL;
	_cleanup_(entries_done) struct entries entries = { 0 };
	struct cryptoc_entry entry;
	struct cryptoc cache;
	struct span text;
	size_t changed = 0;
	size_t number = 0;
	bool found = true;

	TRY(read_cache(call, true, &content, &cache, err));
	TRY(entries_load(&entries, &cache, err));
	TRY(tape_text_input(call, 1, &input, err));
	text = slot_secret_span(input);
	for (;;) {
		bool is_new = false;

		TRY(cryptoc_line(&text, &number, &entry, &found, err));
		if (!found)
			break;
		entry.added = time(NULL);
		TRY(entries_put(&entries, entry, &is_new, err));
		changed += is_new;
	}
	return write_cache(call, &entries, changed, err);
}

/* coffer tape cache update. */
static cof_result run_update(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *content = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *input = NULL;
	_cleanup_(entries_done) struct entries entries = { 0 };
	struct cryptoc_entry entry = { .volume = span_of_text(call->args[1]) };
	struct cryptoc cache;
	bool changed = false;

	TRY(read_cache(call, true, &content, &cache, err));
	TRY(entries_load(&entries, &cache, err));
	TRY(tape_text_input(call, 2, &input, err));
	entry.key = tape_text_line(input);
	entry.added = time(NULL);
	TRY(cryptoc_check(&entry, call->args[1], err));
	TRY(entries_put(&entries, entry, &changed, err));
	return write_cache(call, &entries, changed, err);
}

/* coffer tape cache reset. */
static cof_result run_reset(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *content = NULL;
	_cleanup_(entries_done) struct entries entries = { 0 };
	struct cryptoc cache;

	TRY(read_cache(call, false, &content, &cache, err));
	TRY(entries_load(&entries, &cache, err));
	for (size_t i = 0; i < entries.count; i++)
		entries.items[i].added = time(NULL);
	return write_cache(call, &entries, entries.count, err);
}

#define CACHE_NOTE                                                                                 \
	"FILE is the crypto cache of a Bareos storage daemon, bareos-sd.PORT.cryptoc. One that "   \
	"is damaged, cut off or of another version is refused and left as it is. Coffer expires "  \
	"no volume; Bareos forgets those that were added more than 60 days ago when it next "      \
	"writes the cache itself, so end it before."

const struct cli_verb cli_verb_tape_cache_dump = {
	.noun = "tape",
	.verb = "cache dump",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "show what a crypto cache of Bareos holds",
	.description = "Shows the volumes, and with --json or --tsv their keys too, as they are: "
		       "wrapped where Bareos has a key encryption key, else clear in "
		       "base64.\n\n" CACHE_NOTE,
	.options = (const struct cli_option[]){ TAPE_BAREOS_OPTION,
						{ "tsv", CLI_FLAG, NULL,
						  "lines of volume, tab and key, which `coffer "
						  "tape cache populate` takes" },
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape cache dump bareos-sd.9103.cryptoc --bareos", "As a table." },
			{ 0 },
		},
	.shows = true,
	.placeless = true,
	.run = run_dump,
};

const struct cli_verb cli_verb_tape_cache_populate = {
	.noun = "tape",
	.verb = "cache populate",
	.arguments = "FILE [LINES]",
	.min_args = 1,
	.max_args = 2,
	.argument_type = CLI_FILE,
	.summary = "put volumes and keys into a crypto cache of Bareos",
	.description = "LINES, a file or standard input, has a volume, a tab and its key in "
		       "base64 on each line. All are taken, or none. A cache that is not there is "
		       "made.\n\n" CACHE_NOTE,
	.options = (const struct cli_option[]){ TAPE_BAREOS_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape cache populate bareos-sd.9103.cryptoc --bareos <keys.tsv",
			  "For disaster recovery, from a dump of the catalogue." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.placeless = true,
	.run = run_populate,
};

const struct cli_verb cli_verb_tape_cache_update = {
	.noun = "tape",
	.verb = "cache update",
	.arguments = "FILE VOLUME [KEY-FILE]",
	.min_args = 2,
	.max_args = 3,
	.argument_type = CLI_FILE,
	.summary = "set the key of one volume in a crypto cache of Bareos",
	.description =
		"The key is base64, the first line of KEY-FILE or standard input.\n\n" CACHE_NOTE,
	.options = (const struct cli_option[]){ TAPE_BAREOS_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape cache update bareos-sd.9103.cryptoc A00001L6 --bareos "
			  "<key",
			  "One volume." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.placeless = true,
	.run = run_update,
};

const struct cli_verb cli_verb_tape_cache_reset = {
	.noun = "tape",
	.verb = "cache reset",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "make all volumes of a crypto cache of Bareos newly added",
	.description = "So that Bareos does not forget them for 60 days.\n\n" CACHE_NOTE,
	.options = (const struct cli_option[]){ TAPE_BAREOS_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape cache reset bareos-sd.9103.cryptoc --bareos",
			  "Before recovery." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.placeless = true,
	.run = run_reset,
};
