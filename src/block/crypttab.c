/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "tabfile.h"

/*
 * Lines and fields are told apart as systemd's generator does: a line ends at LF, CR or both,
 * fields are parted by any white space, a line that starts with '#' is a comment, and one with
 * fewer than two fields is none of ours. Bytes past the fourth field stay as they are.
 */
#define FIELDS	   4
#define FIELDS_MIN 2
#define BLANKS	   " \t\v\f\r\n"

/* struct line - one line as it is in the file and, if it is an entry, its fields */
struct line {
	char *bytes;	       /* owned; without the NUL after it, which is not in the file */
	size_t len;	       /* with the line's end */
	char *fields[FIELDS];  /* owned; NULL when the line is no entry */
	size_t starts[FIELDS]; /* where a field starts in the bytes */
};

struct crypttab {
	struct line *lines;
	size_t count;
};

static void line_done(struct line *line)
{
	free(line->bytes);
	for (size_t i = 0; i < FIELDS; i++)
		free(line->fields[i]);
	*line = (struct line){ 0 };
}

void crypttab_free(struct crypttab *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		line_done(&table->lines[i]);
	free(table->lines);
	free(table);
}

/* The length of the line at the start of @text, its end included. */
static size_t line_length(const char *text, size_t len)
{
	size_t end = 0;

	while (end < len && text[end] != '\n' && text[end] != '\r')
		end++;
	if (end < len && text[end] == '\r' && end + 1 < len && text[end + 1] == '\n')
		end++;
	return end < len ? end + 1 : len;
}

/* Finds the fields in a line's bytes. */
static cof_result line_split(struct line *line, struct cof_error *err)
{
	size_t at = strspn(line->bytes, BLANKS);
	size_t found = 0;

	if (line->bytes[at] == '#')
		return COF_OK;
	while (found < FIELDS && line->bytes[at] != '\0') {
		size_t len = strcspn(line->bytes + at, BLANKS);

		line->starts[found] = at;
		line->fields[found] = strndup(line->bytes + at, len);
		ENSURE(line->fields[found], err, COF_E_NOMEM, NULL, "no memory for a field");
		found++;
		at += len;
		at += strspn(line->bytes + at, BLANKS);
	}
	if (found < FIELDS_MIN) {
		free(line->fields[0]);
		line->fields[0] = NULL;
		return COF_OK;
	}
	for (; found < FIELDS; found++) {
		line->fields[found] = strdup("");
		ENSURE(line->fields[found], err, COF_E_NOMEM, NULL, "no memory for a field");
	}
	return COF_OK;
}

/* A line of these bytes. */
static cof_result line_make(const char *bytes, size_t len, struct line *ret_line,
			    struct cof_error *err)
{
	_cleanup_(line_done) struct line line = { .bytes = strndup(bytes, len), .len = len };

	ENSURE(line.bytes, err, COF_E_NOMEM, NULL, "no memory for a line of %zu bytes", len);
	TRY(line_split(&line, err));
	*ret_line = line;
	line = (struct line){ 0 };
	return COF_OK;
}

/* Appends a line of these bytes to the table. */
static cof_result add_line(struct crypttab *table, const char *bytes, size_t len,
			   struct cof_error *err)
{
	struct line *grown;

	grown = reallocarray(table->lines, table->count + 1, sizeof(*grown));
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu lines", table->count + 1);
	table->lines = grown;
	TRY(line_make(bytes, len, &grown[table->count], err));
	table->count++;
	return COF_OK;
}

cof_result crypttab_parse(struct span text, struct crypttab **ret_table, struct cof_error *err)
{
	_cleanup_(crypttab_freep) struct crypttab *table = calloc(1, sizeof(*table));
	const char *at = (const char *)text.data;
	size_t left = text.len;

	ENSURE(table, err, COF_E_NOMEM, NULL, "no memory for a crypttab");
	ENSURE(left == 0 || !memchr(at, '\0', left), err, COF_E_FORMAT, "crypttab",
	       "has a NUL byte at offset %zu", (size_t)((const char *)memchr(at, '\0', left) - at));
	while (left > 0) {
		size_t len = line_length(at, left);

		TRY(add_line(table, at, len, err));
		at += len;
		left -= len;
	}
	*ret_table = TAKE(table);
	return COF_OK;
}

/* The entry that a line holds. */
static struct crypttab_entry entry_of(const struct crypttab *table, size_t index)
{
	char *const *fields = table->lines[index].fields;

	return (struct crypttab_entry){
		.name = fields[0],
		.source = fields[1],
		.key = fields[2],
		.options = fields[3],
		.line = index + 1,
	};
}

bool crypttab_at(const struct crypttab *table, size_t index, struct crypttab_entry *ret_entry)
{
	for (size_t i = 0; i < table->count; i++) {
		if (!table->lines[i].fields[0] || index-- > 0)
			continue;
		*ret_entry = entry_of(table, i);
		return true;
	}
	return false;
}

/* The index of the first line for @name; the number of lines when there is none. */
static size_t find_line(const struct crypttab *table, const char *name)
{
	size_t i = 0;

	while (i < table->count &&
	       (!table->lines[i].fields[0] || strcmp(table->lines[i].fields[0], name) != 0))
		i++;
	return i;
}

bool crypttab_find(const struct crypttab *table, const char *name, struct crypttab_entry *ret_entry)
{
	size_t index = find_line(table, name);

	if (index == table->count)
		return false;
	*ret_entry = entry_of(table, index);
	return true;
}

/* "", "none" and "-" all say that there is no key file or no option. */
static bool same_field(const char *a, const char *b)
{
	bool a_is_none = a[0] == '\0' || strcmp(a, "none") == 0 || strcmp(a, "-") == 0;
	bool b_is_none = b[0] == '\0' || strcmp(b, "none") == 0 || strcmp(b, "-") == 0;

	return strcmp(a, b) == 0 || (a_is_none && b_is_none);
}

/* The line's new bytes: fields that differ are exchanged, all between them stays. */
static cof_result rewrite_line(const struct line *line, const char *const wanted[FIELDS],
			       struct buffer *text, struct cof_error *err)
{
	size_t copied = 0;

	for (size_t i = 0; i < FIELDS; i++) {
		const char *field =
			wanted[i] && !(i >= FIELDS_MIN && same_field(line->fields[i], wanted[i]))
				? wanted[i]
				: line->fields[i];
		bool is_there = line->fields[i][0] != '\0';

		if (field[0] == '\0' && i == FIELDS - 1 && is_there) {
			copied = line->starts[i] + strlen(line->fields[i]);
			continue;
		}
		/* A key that is left out holds the place of the options that follow. */
		if (field[0] == '\0') {
			bool more = i + 1 < FIELDS && wanted[i + 1] && wanted[i + 1][0] != '\0';

			if (!is_there && !more)
				continue;
			field = "none";
		}
		if (is_there) {
			TRY(buffer_add(text, line->bytes + copied, line->starts[i] - copied, err));
			copied = line->starts[i] + strlen(line->fields[i]);
		} else {
			TRY(buffer_add_text(text, err, " "));
		}
		TRY(buffer_add(text, field, strlen(field), err));
	}
	return buffer_add(text, line->bytes + copied, line->len - copied, err);
}

/* Refuses a field that would be read as two, as none, or as a comment. */
static cof_result check_field(const char *what, const char *value, struct cof_error *err)
{
	ENSURE(value[strcspn(value, BLANKS)] == '\0', err, COF_E_USAGE, value,
	       "has a blank, which a %s in crypttab cannot have", what);
	return COF_OK;
}

/* The bytes of a new line. */
static cof_result new_line(const char *const wanted[FIELDS], struct buffer *text,
			   struct cof_error *err)
{
	const char *key = wanted[2] ? wanted[2] : "";
	const char *options = wanted[3] ? wanted[3] : "";

	TRY(buffer_add_text(text, err, "%s %s", wanted[0], wanted[1]));
	if (key[0] != '\0' || options[0] != '\0')
		TRY(buffer_add_text(text, err, " %s", key[0] != '\0' ? key : "none"));
	if (options[0] != '\0')
		TRY(buffer_add_text(text, err, " %s", options));
	return buffer_add_text(text, err, "\n");
}

/* Ends the last line, so that another can follow it. */
static cof_result end_last_line(struct crypttab *table, struct cof_error *err)
{
	struct line *last = table->count ? &table->lines[table->count - 1] : NULL;
	char *grown;

	if (!last || last->bytes[last->len - 1] == '\n')
		return COF_OK;
	grown = realloc(last->bytes, last->len + 2);
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for a line end");
	grown[last->len++] = '\n';
	grown[last->len] = '\0';
	last->bytes = grown;
	return COF_OK;
}

cof_result crypttab_set(struct crypttab *table, const char *name, const char *source,
			const char *key, const char *options, struct cof_error *err)
{
	const char *const wanted[FIELDS] = { name, source, key, options };
	static const char *const what[FIELDS] = { "name", "source", "key file", "list of options" };
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_(line_done) struct line line = { 0 };
	size_t index = find_line(table, name);

	ENSURE(name[0] != '\0' && source[0] != '\0', err, COF_E_USAGE, NULL,
	       "a line of crypttab needs a name and a source");
	ENSURE(name[0] != '#', err, COF_E_USAGE, name, "would make a line of crypttab a comment");
	for (size_t i = 0; i < FIELDS; i++)
		if (wanted[i])
			TRY(check_field(what[i], wanted[i], err));
	if (index == table->count) {
		TRY(new_line(wanted, &text, err));
		TRY(end_last_line(table, err));
		return add_line(table, (const char *)text.data, text.len, err);
	}
	TRY(rewrite_line(&table->lines[index], wanted, &text, err));
	TRY(line_make((const char *)text.data, text.len, &line, err));
	line_done(&table->lines[index]);
	table->lines[index] = line;
	line = (struct line){ 0 };
	return COF_OK;
}

void crypttab_remove(struct crypttab *table, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct line *line = &table->lines[i];

		if (line->fields[0] && strcmp(line->fields[0], name) == 0) {
			line_done(line);
			continue;
		}
		table->lines[kept++] = *line;
	}
	table->count = kept;
}

cof_result crypttab_comment_out(struct crypttab *table, const char *name, struct cof_error *err)
{
	size_t index;

	while ((index = find_line(table, name)) < table->count) {
		_cleanup_buffer_ struct buffer text = { 0 };
		_cleanup_(line_done) struct line line = { 0 };

		TRY(buffer_add_text(&text, err, "# "));
		TRY(buffer_add(&text, table->lines[index].bytes, table->lines[index].len, err));
		TRY(line_make((const char *)text.data, text.len, &line, err));
		line_done(&table->lines[index]);
		table->lines[index] = line;
		line = (struct line){ 0 };
	}
	return COF_OK;
}

cof_result crypttab_format(const struct crypttab *table, struct buffer *ret_text,
			   struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	for (size_t i = 0; i < table->count; i++)
		TRY(buffer_add(&text, table->lines[i].bytes, table->lines[i].len, err));
	*ret_text = text;
	text = (struct buffer){ 0 };
	return COF_OK;
}
