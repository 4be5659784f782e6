/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fstab.h"

#include <string.h>

#define FIELDS	     6
#define FIELDS_MIN   3
#define SPEC_ROOM    512 /* a device's name, decoded; longer ones are nobody's we know */
#define ESCAPE_CHARS 4	 /* a backslash and three octal digits, fstab(5) */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Finds the fields of one line; returns how many of them there are. */
static size_t split(struct span line, struct span fields[FIELDS])
{
	size_t at = 0;
	size_t count = 0;

	while (count < FIELDS) {
		size_t start;

		while (at < line.len && is_blank(line.data[at]))
			at++;
		start = at;
		while (at < line.len && !is_blank(line.data[at]))
			at++;
		if (at == start || (count == 0 && line.data[start] == '#'))
			break;
		fields[count++] = SPAN(line.data + start, at - start);
	}
	return count;
}

bool fstab_next(struct span text, size_t *at, size_t *line, struct fstab_entry *ret_entry)
{
	while (*at < text.len) {
		const uint8_t *start = text.data + *at;
		const uint8_t *end = memchr(start, '\n', text.len - *at);
		size_t len = end ? (size_t)(end - start) : text.len - *at;
		struct span fields[FIELDS] = { 0 };

		*at += end ? len + 1 : len;
		(*line)++;
		while (len > 0 && start[len - 1] == '\r')
			len--;
		if (split(SPAN(start, len), fields) < FIELDS_MIN)
			continue;
		*ret_entry = (struct fstab_entry){ .spec = fields[0],
						   .file = fields[1],
						   .type = fields[2],
						   .options = fields[3],
						   .pass = fields[5],
						   .line = *line };
		return true;
	}
	return false;
}

bool fstab_is(struct span field, const char *word)
{
	return field.len == strlen(word) && memcmp(field.data, word, field.len) == 0;
}

/* Whether an escape stands here, and for which character. */
static bool escape_at(struct span field, size_t at, char *ret_char)
{
	unsigned int value = 0;

	if (field.data[at] != '\\' || field.len - at < ESCAPE_CHARS)
		return false;
	for (size_t i = 1; i < ESCAPE_CHARS; i++) {
		if (field.data[at + i] < '0' || field.data[at + i] > '7')
			return false;
		value = value * 8 + (field.data[at + i] - '0');
	}
	*ret_char = (char)value;
	return value > 0 && value < 256;
}

bool fstab_decode(struct span field, char *out, size_t out_size_bytes)
{
	size_t len = 0;

	for (size_t at = 0; at < field.len; at++) {
		char c = (char)field.data[at];

		if (len + 1 >= out_size_bytes)
			return false;
		if (escape_at(field, at, &c))
			at += ESCAPE_CHARS - 1;
		out[len++] = c;
	}
	out[len] = '\0';
	return true;
}

/* Whether a field says, once decoded, one of the words. */
static bool says_one_of(struct span field, char *const words[])
{
	char decoded[SPEC_ROOM];

	if (!fstab_decode(field, decoded, sizeof(decoded)))
		return false;
	for (size_t i = 0; words[i]; i++)
		if (strcmp(decoded, words[i]) == 0)
			return true;
	return false;
}

cof_result fstab_swap_set(struct span before, char *const specs[], const char *spec,
			  const char *options, struct buffer *ret_after, struct cof_error *err)
{
	struct fstab_entry entry;
	bool there = false;
	size_t copied = 0;
	size_t line = 0;
	size_t at = 0;

	ENSURE(before.len == 0 || !memchr(before.data, '\0', before.len), err, COF_E_FORMAT,
	       "fstab", "has a NUL byte");
	while (fstab_next(before, &at, &line, &entry)) {
		size_t start = (size_t)(entry.spec.data - before.data);
		bool ours = says_one_of(entry.spec, specs);

		if (!fstab_is(entry.type, "swap"))
			continue;
		there |= ours || fstab_is(entry.spec, spec);
		if (!ours)
			continue;
		TRY(buffer_add(ret_after, before.data + copied, start - copied, err));
		TRY(buffer_add_text(ret_after, err, "%s", spec));
		copied = start + entry.spec.len;
	}
	if (before.len > copied)
		TRY(buffer_add(ret_after, before.data + copied, before.len - copied, err));
	if (there)
		return COF_OK;
	if (before.len > 0 && before.data[before.len - 1] != '\n')
		TRY(buffer_add_text(ret_after, err, "\n"));
	return buffer_add_text(ret_after, err, "%s none swap %s 0 0\n", spec, options);
}
