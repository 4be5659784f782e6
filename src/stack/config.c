/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration of a service as text: see config.h.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

/* What one run of the parser knows. */
struct reading {
	struct config *config;
	struct config_mistakes *mistakes;
	char section[CONFIG_NAME_CHARS]; /* "" before the first, and in one that cannot be used */
	bool passing;			 /* lines of a section that cannot be used */
	bool open;			 /* the last line may go on */
	size_t number;
};

void config_done(struct config *config)
{
	for (size_t i = 0; i < config->count; i++)
		free(config->lines[i].value);
	free(config->lines);
	free(config->sections);
	*config = (struct config){ 0 };
}

struct config_mistake *config_mistake_add(struct config_mistakes *mistakes, size_t line,
					  const char *section, const char *keyword,
					  const char *format, ...)
{
	size_t at =
		mistakes->count < CONFIG_MISTAKES_MAX ? mistakes->count : CONFIG_MISTAKES_MAX - 1;
	struct config_mistake *mistake = &mistakes->items[at];
	va_list arguments;

	*mistake = (struct config_mistake){ .line = line };
	(void)snprintf(mistake->section, sizeof(mistake->section), "%s", section);
	(void)snprintf(mistake->keyword, sizeof(mistake->keyword), "%s", keyword);
	va_start(arguments, format);
	(void)vsnprintf(mistake->text, sizeof(mistake->text), format, arguments);
	va_end(arguments);
	mistakes->count++;
	return mistake;
}

cof_result config_mistake_raise(const struct config_mistake *mistake, const char *file,
				struct cof_error *err)
{
	char where[32] = "--kw";

	if (mistake->line)
		(void)snprintf(where, sizeof(where), "line %zu", mistake->line);
	cof_ignore(cof_raise(err, COF_E_USAGE, file, "%s: %s%s%s%s%s%s", where,
			     mistake->section[0] ? "[" : "", mistake->section,
			     mistake->section[0] ? "] " : "", mistake->keyword,
			     mistake->keyword[0] ? " " : "", mistake->text));
	if (mistake->remedy[0])
		cof_error_try(err, "%s", mistake->remedy);
	return (cof_result){ COF_E_USAGE };
}

/* Cuts blanks off both ends. */
static struct span trim(struct span text)
{
	while (text.len && isspace(text.data[0])) {
		text.data++;
		text.len--;
	}
	while (text.len && isspace(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* Copies a name of allowed characters in lower case or as it is; false when it is none. */
static bool copy_name(struct span text, const char *allowed, bool lower,
		      char out[static CONFIG_NAME_CHARS])
{
	if (text.len == 0 || text.len >= CONFIG_NAME_CHARS)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!isalnum(text.data[i]) && (!text.data[i] || !strchr(allowed, text.data[i])))
			return false;
		out[i] = (char)(lower ? tolower(text.data[i]) : text.data[i]);
	}
	out[text.len] = '\0';
	return true;
}

const struct config_section *config_section_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->section_count; i++)
		if (strcmp(config->sections[i].name, name) == 0)
			return &config->sections[i];
	return NULL;
}

/* Appends a section. */
static cof_result add_section(struct config *config, const char *name, size_t line,
			      struct cof_error *err)
{
	struct config_section *grown = reallocarray(config->sections, config->section_count + 1,
						    sizeof(*config->sections));

	ENSURE(grown, err, COF_E_NOMEM, name, "no memory for the configuration");
	config->sections = grown;
	grown[config->section_count] = (struct config_section){ .line = line };
	(void)snprintf(grown[config->section_count].name, CONFIG_NAME_CHARS, "%s", name);
	config->section_count++;
	return COF_OK;
}

/* Appends an empty line of a section. */
static cof_result add_line(struct config *config, const struct config_line *line, struct span value,
			   struct cof_error *err)
{
	struct config_line *grown =
		reallocarray(config->lines, config->count + 1, sizeof(*config->lines));

	ENSURE(grown, err, COF_E_NOMEM, line->section, "no memory for the configuration");
	config->lines = grown;
	grown[config->count] = *line;
	grown[config->count].value = strndup((const char *)value.data, value.len);
	ENSURE(grown[config->count].value, err, COF_E_NOMEM, line->section,
	       "no memory for the configuration");
	config->count++;
	return COF_OK;
}

/* The line of the same keyword and scope; NULL when there is none. */
static struct config_line *find_same(const struct config *config, const struct config_line *like)
{
	for (size_t i = 0; i < config->count; i++)
		if (strcmp(config->lines[i].section, like->section) == 0 &&
		    strcmp(config->lines[i].keyword, like->keyword) == 0 &&
		    strcmp(config->lines[i].scope, like->scope) == 0)
			return &config->lines[i];
	return NULL;
}

/* "[disk#0]". */
static cof_result read_section(struct reading *reading, struct span line, struct cof_error *err)
{
	const struct config_section *same;
	char name[CONFIG_NAME_CHARS];

	reading->open = false;
	reading->passing = true;
	if (line.data[line.len - 1] != ']' || line.len < 3 ||
	    !copy_name(trim(SPAN(line.data + 1, line.len - 2)), "#_-.", false, name)) {
		(void)config_mistake_add(reading->mistakes, reading->number, "", "",
					 "is no section such as [disk#0]");
		return COF_OK;
	}
	same = config_section_find(reading->config, name);
	if (same) {
		(void)config_mistake_add(reading->mistakes, reading->number, name, "",
					 "is a section already since line %zu", same->line);
		return COF_OK;
	}
	reading->passing = false;
	memcpy(reading->section, name, sizeof(name));
	return add_section(reading->config, name, reading->number, err);
}

/* "size" or "size@node1" into a line; false when it is none. */
static bool read_keyword(struct span text, struct config_line *ret_line)
{
	const uint8_t *at = text.len ? memchr(text.data, '@', text.len) : NULL;
	size_t keyword_len = at ? (size_t)(at - text.data) : text.len;

	return copy_name(SPAN(text.data, keyword_len), "_-", true, ret_line->keyword) &&
	       (!at ||
		copy_name(SPAN(at + 1, text.len - keyword_len - 1), "._-", false, ret_line->scope));
}

/* "keyword = value" or "keyword: value". */
static cof_result read_setting(struct reading *reading, struct span text, struct cof_error *err)
{
	struct config_line line = { .line = reading->number };
	const struct config_line *same;
	size_t len = 0;

	reading->open = false;
	while (len < text.len && text.data[len] != '=' && text.data[len] != ':')
		len++;
	if (len == text.len || !read_keyword(trim(SPAN(text.data, len)), &line)) {
		(void)config_mistake_add(reading->mistakes, reading->number, reading->section, "",
					 "is not \"keyword = value\"");
		return COF_OK;
	}
	if (!reading->section[0]) {
		(void)config_mistake_add(reading->mistakes, reading->number, "", line.keyword,
					 "stands before the first section");
		return COF_OK;
	}
	memcpy(line.section, reading->section, sizeof(line.section));
	same = find_same(reading->config, &line);
	if (same) {
		(void)config_mistake_add(reading->mistakes, reading->number, line.section,
					 line.keyword, "is set already in line %zu", same->line);
		return COF_OK;
	}
	reading->open = true;
	return add_line(reading->config, &line, trim(SPAN(text.data + len + 1, text.len - len - 1)),
			err);
}

/* A line that begins with a blank goes on with the value of the one before. */
static cof_result read_rest(struct reading *reading, struct span text, struct cof_error *err)
{
	struct config_line *line = &reading->config->lines[reading->config->count - 1];
	char *joined;

	if (strlen(line->value) + text.len > CONFIG_VALUE_MAX_BYTES) {
		reading->open = false;
		(void)config_mistake_add(reading->mistakes, reading->number, line->section,
					 line->keyword, "is longer than %d bytes",
					 CONFIG_VALUE_MAX_BYTES);
		return COF_OK;
	}
	if (asprintf(&joined, "%s%s%.*s", line->value, line->value[0] ? " " : "", (int)text.len,
		     (const char *)text.data) < 0)
		FAIL(err, COF_E_NOMEM, line->section, "no memory for the configuration");
	free(line->value);
	line->value = joined;
	return COF_OK;
}

/* One line of any kind. */
static cof_result read_line(struct reading *reading, struct span line, struct cof_error *err)
{
	struct span text = trim(line);
	bool indented = line.len && isspace(line.data[0]);

	if (text.len == 0) {
		reading->open = false;
		return COF_OK;
	}
	if (text.data[0] == '#' || text.data[0] == ';')
		return COF_OK;
	if (memchr(text.data, '\0', text.len)) {
		(void)config_mistake_add(reading->mistakes, reading->number, reading->section, "",
					 "has a NUL byte");
		return COF_OK;
	}
	if (indented && reading->open)
		return read_rest(reading, text, err);
	if (text.data[0] == '[')
		return read_section(reading, text, err);
	return reading->passing ? COF_OK : read_setting(reading, text, err);
}

cof_result config_parse(struct span text, struct config *ret_config,
			struct config_mistakes *mistakes, struct cof_error *err)
{
	_cleanup_(config_done) struct config config = { 0 };
	struct reading reading = { .config = &config, .mistakes = mistakes };
	size_t at = 0;

	while (at < text.len) {
		const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.data) - at : text.len - at;

		reading.number++;
		TRY(read_line(&reading, SPAN(text.data + at, len), err));
		at += len + 1;
	}

	*ret_config = config;
	config = (struct config){ 0 };
	return COF_OK;
}

cof_result config_set(struct config *config, const char *assignment, struct cof_error *err)
{
	const char *equals = strchr(assignment, '=');
	struct config_line line = { 0 };
	struct config_line *same;
	const char *dot = NULL;
	struct span value;

	ENSURE(equals, err, COF_E_USAGE, "--kw", "is [SECTION.]KEYWORD=VALUE");
	for (const char *c = assignment; c < equals && !dot && *c != '@'; c++)
		dot = *c == '.' ? c : NULL;
	ENSURE(!dot || copy_name(trim(SPAN(assignment, dot - assignment)), "#_-", false,
				 line.section),
	       err, COF_E_USAGE, "--kw", "\"%.40s\" is no section", assignment);
	if (!dot)
		(void)snprintf(line.section, sizeof(line.section), CONFIG_DEFAULT);
	dot = dot ? dot + 1 : assignment;
	ENSURE(read_keyword(trim(SPAN(dot, equals - dot)), &line), err, COF_E_USAGE, "--kw",
	       "\"%.40s\" is no keyword", dot);
	value = trim(span_of_text(equals + 1));
	ENSURE(!value.len || !memchr(value.data, '\n', value.len), err, COF_E_USAGE, "--kw",
	       "has more than one line");
	if (!config_section_find(config, line.section))
		TRY(add_section(config, line.section, 0, err));
	same = find_same(config, &line);
	if (!same)
		return add_line(config, &line, value, err);
	free(same->value);
	same->line = 0;
	same->value = strndup((const char *)value.data, value.len);
	ENSURE(same->value, err, COF_E_NOMEM, line.section, "no memory for the configuration");
	return COF_OK;
}

/* How much a line's scope says about @node: more is better, 0 is nothing. */
static int scope_rank(const char *scope, const char *node)
{
	if (scope[0] == '\0')
		return 1;
	if (strcmp(scope, "nodes") == 0)
		return 2;
	return strcmp(scope, node) == 0 ? 3 : 0;
}

const struct config_line *config_find(const struct config *config, const char *section,
				      const char *keyword, const char *node)
{
	const struct config_line *best = NULL;
	int best_rank = 0;

	for (size_t i = 0; i < config->count; i++) {
		const struct config_line *line = &config->lines[i];
		int rank = scope_rank(line->scope, node);

		if (rank <= best_rank || strcmp(line->keyword, keyword) != 0 ||
		    strcmp(line->section, section) != 0)
			continue;
		best = line;
		best_rank = rank;
	}
	return best;
}

cof_result config_format(const struct config *config, struct buffer *ret_text,
			 struct cof_error *err)
{
	for (size_t i = 0; i < config->section_count; i++) {
		const char *section = config->sections[i].name;

		TRY(buffer_add_text(ret_text, err, "%s[%s]\n", i ? "\n" : "", section));
		for (size_t j = 0; j < config->count; j++) {
			const struct config_line *line = &config->lines[j];

			if (strcmp(line->section, section) == 0)
				TRY(buffer_add_text(ret_text, err, "%s%s%s = %s\n", line->keyword,
						    line->scope[0] ? "@" : "", line->scope,
						    line->value));
		}
	}
	return COF_OK;
}
