/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aes_support.h"
#include "file.h"

#define PROC_MAX_BYTES (16u << 20) /* cpuinfo has some 2 KB for each processor */

/* struct lines - a walk over "key : value" lines */
struct lines {
	const char *at;
	const char *end;
};

/* The next line as key and value without the blanks around them; false past the last. */
static bool next_line(struct lines *lines, struct span *ret_key, struct span *ret_value)
{
	const char *start = lines->at;
	const char *end;
	const char *colon;
	const char *stop;

	if (!start || start >= lines->end)
		return false;
	end = memchr(start, '\n', (size_t)(lines->end - start));
	stop = end ? end : lines->end;
	lines->at = end ? end + 1 : lines->end;
	colon = memchr(start, ':', (size_t)(stop - start));
	*ret_value = SPAN(stop, 0);
	if (colon) {
		const char *value = colon + 1;

		while (value < stop && *value == ' ')
			value++;
		*ret_value = SPAN(value, (size_t)(stop - value));
		stop = colon;
	}
	while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	*ret_key = SPAN(start, (size_t)(stop - start));
	return true;
}

/* Whether a span is this text. */
static bool is_text(struct span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

/* Whether a list of words has this one. */
static bool has_word(struct span words, const char *word)
{
	size_t start = 0;

	for (size_t i = 0; i <= words.len; i++) {
		if (i < words.len && words.data[i] != ' ')
			continue;
		if (is_text(SPAN(words.data + start, i - start), word))
			return true;
		start = i + 1;
	}
	return false;
}

void aes_support_of_cpuinfo(struct span text, struct aes_support *support)
{
	struct lines lines = { (const char *)text.data, (const char *)text.data + text.len };
	struct span key;
	struct span value;

	while (next_line(&lines, &key, &value)) {
		if (!is_text(key, "flags") && !is_text(key, "Features"))
			continue;
		support->processor = has_word(value, "aes");
		support->wide = support->processor && has_word(value, "vaes");
		(void)snprintf(support->instructions, sizeof(support->instructions), "%s",
			       support->wide	    ? "aes, vaes"
			       : support->processor ? "aes"
						    : "");
		return;
	}
}

/* Takes the driver over if it is the one of the highest priority. */
static void take_driver(struct span driver, long priority, long *best, struct aes_support *support)
{
	if (!driver.len || priority <= *best)
		return;
	*best = priority;
	(void)snprintf(support->driver, sizeof(support->driver), "%.*s",
		       driver.len < sizeof(support->driver) ? (int)driver.len
							    : (int)sizeof(support->driver) - 1,
		       (const char *)driver.data);
	support->generic = strstr(support->driver, "generic") != NULL;
}

void aes_support_of_crypto(struct span text, struct aes_support *support)
{
	struct lines lines = { (const char *)text.data, (const char *)text.data + text.len };
	struct span key;
	struct span value;
	struct span driver = { 0 };
	bool is_xts = false;
	long best = -1;

	while (next_line(&lines, &key, &value)) {
		char number[16];

		if (is_text(key, "name")) {
			is_xts = is_text(value, "xts(aes)");
			driver = SPAN(NULL, 0);
		} else if (is_text(key, "driver")) {
			driver = value;
		} else if (is_text(key, "priority") && is_xts && value.len < sizeof(number)) {
			memcpy(number, value.data, value.len);
			number[value.len] = '\0';
			take_driver(driver, strtol(number, NULL, 10), &best, support);
		}
	}
}

void aes_support_read(struct aes_support *ret_support)
{
	_cleanup_buffer_ struct buffer cpuinfo = { 0 };
	_cleanup_buffer_ struct buffer crypto = { 0 };

	*ret_support = (struct aes_support){ 0 };
	if (!cof_failed(file_read("/proc/cpuinfo", PROC_MAX_BYTES, &cpuinfo, NULL)))
		aes_support_of_cpuinfo(buffer_span(&cpuinfo), ret_support);
	if (!cof_failed(file_read("/proc/crypto", PROC_MAX_BYTES, &crypto, NULL)))
		aes_support_of_crypto(buffer_span(&crypto), ret_support);
}
