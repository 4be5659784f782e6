/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fstab.h"
#include "swap.h"

#define KIB	  1024
#define DELETED	  " (deleted)" /* behind the name of a swap file that was unlinked */
#define LINE_ROOM 1024

/* Reads one line of /proc/swaps; false for one that is none, such as the heading. */
static bool parse_line(struct span line, struct swap_area *ret_area)
{
	struct swap_area area = { 0 };
	char copy[LINE_ROOM];
	unsigned long long size_kib;
	unsigned long long used_kib;
	char name[LINE_ROOM];
	char type[32];
	size_t len;

	if (line.len == 0 || line.len >= sizeof(copy) || line.data[0] != '/')
		return false;
	memcpy(copy, line.data, line.len);
	copy[line.len] = '\0';
	if (sscanf(copy, "%1023s %31s %llu %llu %d", name, type, &size_kib, &used_kib,
		   &area.priority) != 5 ||
	    !fstab_decode(SPAN(name, strlen(name)), area.path, sizeof(area.path)))
		return false;
	len = strlen(area.path);
	if (len > strlen(DELETED) && strcmp(area.path + len - strlen(DELETED), DELETED) == 0)
		area.path[len - strlen(DELETED)] = '\0';
	area.is_file = strcmp(type, "file") == 0;
	area.is_zram = strncmp(area.path, "/dev/zram", strlen("/dev/zram")) == 0;
	area.size_bytes = size_kib * KIB;
	area.used_bytes = used_kib * KIB;
	*ret_area = area;
	return true;
}

cof_result swap_table_parse(struct span text, struct swap_area **ret_areas, size_t *ret_count,
			    struct cof_error *err)
{
	_cleanup_free_ struct swap_area *areas = NULL;
	size_t count = 0;

	for (size_t at = 0; at < text.len;) {
		const uint8_t *start = text.data + at;
		const uint8_t *end = memchr(start, '\n', text.len - at);
		size_t len = end ? (size_t)(end - start) : text.len - at;
		struct swap_area *grown;
		struct swap_area area;

		at += len + 1;
		if (!parse_line(SPAN(start, len), &area))
			continue;
		grown = reallocarray(areas, count + 1, sizeof(*grown));
		ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu swap areas", count + 1);
		areas = grown;
		areas[count++] = area;
	}
	*ret_areas = TAKE(areas);
	*ret_count = count;
	return COF_OK;
}

/* Whether the line that holds the byte at @at starts with '#'. */
static bool in_comment(struct span text, size_t at)
{
	size_t start = at;

	while (start > 0 && text.data[start - 1] != '\n')
		start--;
	while (text.data[start] == ' ' || text.data[start] == '\t')
		start++;
	return text.data[start] == '#';
}

/* Whether a word may start here: at a line's start, or behind a blank or a quote. */
static bool at_word(struct span text, size_t at)
{
	return at == 0 || memchr(" \t\n\"'", text.data[at - 1], 5);
}

/* The length of a value: up to a blank, a line's end or a quote. */
static size_t value_length(struct span text, size_t at)
{
	size_t end = at;

	while (end < text.len && text.data[end] != '\0' && !memchr(" \t\r\n\"'", text.data[end], 6))
		end++;
	return end - at;
}

bool swap_resume_next(struct span text, const char *key, size_t *at, char *out,
		      size_t out_size_bytes)
{
	size_t key_len = strlen(key);

	for (; *at + key_len <= text.len; (*at)++) {
		size_t value = *at + key_len;
		size_t len;

		if (memcmp(text.data + *at, key, key_len) != 0 || !at_word(text, *at) ||
		    in_comment(text, *at))
			continue;
		if (value < text.len && (text.data[value] == '"' || text.data[value] == '\''))
			value++;
		len = value_length(text, value);
		*at = value + len;
		if (len == 0 || len >= out_size_bytes)
			continue;
		memcpy(out, text.data + value, len);
		out[len] = '\0';
		return true;
	}
	return false;
}

cof_result swap_resume_none(struct span before, struct buffer *ret_after, struct cof_error *err)
{
	char value[256];
	size_t copied = 0;
	size_t at = 0;

	while (swap_resume_next(before, "RESUME=", &at, value, sizeof(value))) {
		size_t start = at - strlen(value);

		TRY(buffer_add(ret_after, before.data + copied, start - copied, err));
		TRY(buffer_add_text(ret_after, err, "none"));
		copied = at;
	}
	if (before.len > copied)
		TRY(buffer_add(ret_after, before.data + copied, before.len - copied, err));
	return COF_OK;
}

bool swap_options_random(const char *key, const char *options)
{
	bool is_random = strcmp(key, "/dev/urandom") == 0 || strcmp(key, "/dev/random") == 0 ||
			 strcmp(key, "/dev/hw_random") == 0;

	for (const char *at = options; *at && is_random;) {
		size_t len = strcspn(at, ",");

		if (len == strlen("swap") && strncmp(at, "swap", len) == 0)
			return true;
		at += len + (at[len] == ',' ? 1 : 0);
	}
	return false;
}
