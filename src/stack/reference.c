/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * References in values: see reference.h.
 */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "reference.h"

#define DEPTH_MAX  16	/* references within references */
#define LOOKUP_MAX 1000 /* in one value: more is an attack, or a mistake */

/* A keyword that is being expanded, and those on the way to it. */
struct link {
	const struct link *up;
	const char *section;
	const char *keyword;
	int depth;
};

/* One run of reference_expand(). */
struct expansion {
	const struct reference_world *world;
	size_t lookups;
	bool unknown_yet; /* a device is not there yet */
};

static cof_result expand(struct expansion *run, const struct link *link, struct span text,
			 int depth, struct buffer *out, struct cof_error *err);

/* The words of a text, one after the other; false at the end. */
static bool next_word(const char **at, struct span *ret_word)
{
	const char *from = *at + strspn(*at, " \t");
	size_t len = strcspn(from, " \t");

	*ret_word = SPAN(from, len);
	*at = from + len;
	return len > 0;
}

/* Appends the word that "[n]" names. */
static cof_result add_word(const char *value, const char *index, const char *name,
			   struct buffer *out, struct cof_error *err)
{
	char digits[8] = "";
	size_t len = strlen(index);
	const char *at = value;
	struct span word;
	uint64_t number = 0;

	ENSURE(len > 2 && len < sizeof(digits) && index[len - 1] == ']', err, COF_E_USAGE, NULL,
	       "has {%s%s}, whose index is no number", name, index);
	memcpy(digits, index + 1, len - 2);
	ENSURE(!cof_failed(uint_parse(digits, 9999, &number, NULL)), err, COF_E_USAGE, NULL,
	       "has {%s%s}, whose index is no number", name, index);
	for (uint64_t i = 0; next_word(&at, &word); i++)
		if (i == number)
			return buffer_add(out, word.data, word.len, err);
	FAIL(err, COF_E_USAGE, NULL, "has {%s%s}, and %s has fewer words", name, index, name);
}

/* Changes the letters of what was appended since @from. */
static void change_case(struct buffer *out, size_t from, const char *modifier)
{
	bool begins = true;

	for (size_t i = from; i < out->len; i++) {
		unsigned char c = out->data[i];
		bool first = begins;

		begins = strcmp(modifier, "title") == 0 && !isalnum(c);
		if (strcmp(modifier, "upper") == 0)
			c = (unsigned char)toupper(c);
		else if (strcmp(modifier, "swapcase") == 0)
			c = (unsigned char)(isupper(c) ? tolower(c) : toupper(c));
		else if (strcmp(modifier, "lower") == 0 || !first)
			c = (unsigned char)tolower(c);
		else
			c = (unsigned char)toupper(c);
		out->data[i] = c;
	}
}

/* Takes "upper:" off a reference; NULL where there is none. */
static const char *take_modifier(const char **name)
{
	static const char *const modifiers[] = { "upper", "lower", "capitalize", "title",
						 "swapcase" };

	for (size_t i = 0; i < sizeof(modifiers) / sizeof(modifiers[0]); i++) {
		size_t len = strlen(modifiers[i]);

		if (strncmp(*name, modifiers[i], len) == 0 && (*name)[len] == ':') {
			*name += len + 1;
			return modifiers[i];
		}
	}
	return NULL;
}

static bool is_devices(const char *keyword)
{
	return strcmp(keyword, "exposed_devs") == 0 || strcmp(keyword, "sub_devs") == 0;
}

/* The devices of a resource; NULL where they are not there yet. */
static cof_result look_devices(struct expansion *run, const char *section, const char *what,
			       char **ret_value, struct cof_error *err)
{
	ENSURE(config_section_find(run->world->config, section), err, COF_E_USAGE, NULL,
	       "refers to [%s], and there is no such section", section);
	if (run->world->devices)
		TRY(run->world->devices(section, what, run->world->context, ret_value, err));
	run->unknown_yet |= *ret_value == NULL;
	return COF_OK;
}

/* Expands the value of another keyword; NULL where that has none. */
static cof_result look_keyword(struct expansion *run, const struct link *link, const char *section,
			       const char *keyword, char **ret_value, struct cof_error *err)
{
	const struct reference_world *world = run->world;
	const struct config_line *line = config_find(world->config, section, keyword, world->node);
	struct link here = { link, section, keyword, link->depth + 1 };
	_cleanup_buffer_ struct buffer value = { 0 };
	const char *text = line ? line->value : NULL;

	*ret_value = NULL;
	if (!text && world->fallback)
		text = world->fallback(section, keyword, world->context);
	if (!text)
		return COF_OK;
	for (const struct link *up = link; up; up = up->up)
		ENSURE(strcmp(up->section, section) != 0 || strcmp(up->keyword, keyword) != 0, err,
		       COF_E_USAGE, NULL, "refers to itself, by way of %s.%s", section, keyword);
	TRY(expand(run, &here, span_of_text(text), here.depth, &value, err));
	TRY(buffer_add(&value, "", 1, err));
	*ret_value = (char *)TAKE(value.data);
	return COF_OK;
}

/* A name without a section: a fact, the keyword of the same section, or the service's. */
static cof_result look_plain(struct expansion *run, const struct link *link, const char *name,
			     char **ret_value, struct cof_error *err)
{
	const char *index = strchr(link->section, '#');

	if (strcmp(name, "rid") == 0 || (strcmp(name, "rindex") == 0 && index)) {
		*ret_value = strdup(name[2] == 'n' ? index + 1 : link->section);
		ENSURE(*ret_value, err, COF_E_NOMEM, NULL, "no memory for a reference");
		return COF_OK;
	}
	for (const struct reference_fact *fact = run->world->facts; fact && fact->name; fact++) {
		if (strcmp(fact->name, name) != 0)
			continue;
		*ret_value = strdup(fact->value);
		ENSURE(*ret_value, err, COF_E_NOMEM, NULL, "no memory for a reference");
		return COF_OK;
	}
	TRY(look_keyword(run, link, link->section, name, ret_value, err));
	if (!*ret_value && strcmp(link->section, CONFIG_DEFAULT) != 0)
		TRY(look_keyword(run, link, CONFIG_DEFAULT, name, ret_value, err));
	return COF_OK;
}

/* The value of a name; NULL where it is devices that are not there yet. */
static cof_result look(struct expansion *run, const struct link *link, const char *name,
		       char **ret_value, struct cof_error *err)
{
	const char *dot = strchr(name, '.');
	char section[CONFIG_NAME_CHARS];

	*ret_value = NULL;
	ENSURE(++run->lookups <= LOOKUP_MAX, err, COF_E_USAGE, NULL,
	       "needs more than %d references", LOOKUP_MAX);
	if (!dot) {
		TRY(look_plain(run, link, name, ret_value, err));
	} else {
		ENSURE(dot > name && (size_t)(dot - name) < sizeof(section), err, COF_E_USAGE, NULL,
		       "has {%.80s}, which names no section", name);
		(void)snprintf(section, sizeof(section), "%.*s", (int)(dot - name), name);
		if (is_devices(dot + 1))
			return look_devices(run, section, dot + 1, ret_value, err);
		TRY(look_keyword(run, link, section, dot + 1, ret_value, err));
	}
	ENSURE(*ret_value, err, COF_E_USAGE, NULL, "has {%.80s}, and nothing is called so", name);
	return COF_OK;
}

/* What stands between the braces, with its own references expanded already. */
static cof_result resolve(struct expansion *run, const struct link *link, char *name,
			  struct buffer *out, struct cof_error *err)
{
	_cleanup_free_ char *value = NULL;
	_cleanup_free_ char *index = NULL;
	const char *plain = name;
	const char *modifier = take_modifier(&plain);
	bool count = plain[0] == '#';
	size_t from = out->len;
	const char *at;
	struct span word;
	unsigned int words = 0;
	char *bracket;

	plain += count;
	bracket = strchr(plain, '[');
	if (bracket) {
		index = strdup(bracket);
		ENSURE(index, err, COF_E_NOMEM, NULL, "no memory for a reference");
		*bracket = '\0';
	}
	TRY(look(run, link, plain, &value, err));
	if (!value)
		return COF_OK;
	if (count) {
		for (at = value; next_word(&at, &word);)
			words++;
		return buffer_add_text(out, err, "%u", words);
	}
	if (index)
		TRY(add_word(value, index, plain, out, err));
	else
		TRY(buffer_add(out, value, strlen(value), err));
	if (modifier)
		change_case(out, from, modifier);
	return COF_OK;
}

/* Where the brace that @text begins with is closed; the text's length where it is not. */
static size_t closing(struct span text)
{
	size_t open = 0;

	for (size_t i = 0; i < text.len; i++) {
		open += text.data[i] == '{';
		open -= text.data[i] == '}';
		if (open == 0)
			return i;
	}
	return text.len;
}

static cof_result expand(struct expansion *run, const struct link *link, struct span text,
			 int depth, struct buffer *out, struct cof_error *err)
{
	ENSURE(depth < DEPTH_MAX, err, COF_E_USAGE, NULL,
	       "has more than %d references within references", DEPTH_MAX);
	for (size_t i = 0; i < text.len; i++) {
		_cleanup_buffer_ struct buffer name = { 0 };
		struct span rest = SPAN(text.data + i, text.len - i);
		size_t end;

		ENSURE(rest.len < 2 || memcmp(rest.data, "$(", 2) != 0, err, COF_E_USAGE, NULL,
		       "has arithmetic in $(), which coffer does not do");
		if (rest.data[0] != '{') {
			TRY(buffer_add(out, rest.data, 1, err));
			continue;
		}
		end = closing(rest);
		ENSURE(end < rest.len, err, COF_E_USAGE, NULL, "has a { without its }");
		TRY(expand(run, link, SPAN(rest.data + 1, end - 1), depth + 1, &name, err));
		TRY(buffer_add(&name, "", 1, err));
		TRY(resolve(run, link, (char *)name.data, out, err));
		ENSURE(out->len <= REFERENCE_VALUE_MAX_BYTES, err, COF_E_USAGE, NULL,
		       "is longer than %d bytes once its references are filled in",
		       REFERENCE_VALUE_MAX_BYTES);
		i += end;
	}
	return COF_OK;
}

cof_result reference_expand(const struct reference_world *world, const char *section,
			    const char *keyword, const char *text, char **ret_value,
			    struct cof_error *err)
{
	struct expansion run = { .world = world };
	struct link link = { NULL, section, keyword, 0 };
	_cleanup_buffer_ struct buffer value = { 0 };

	TRY(expand(&run, &link, span_of_text(text), 0, &value, err));
	TRY(buffer_add(&value, "", 1, err));
	*ret_value = run.unknown_yet ? NULL : (char *)TAKE(value.data);
	return COF_OK;
}

/* What reference_each_resource() hands through. */
struct visiting {
	const struct reference_world *world;
	reference_visit visit;
	void *context;
};

/* A devices callback that only tells who was asked for. */
static cof_result visit_devices(const char *section, const char *what, void *context,
				char **ret_value, struct cof_error *err)
{
	const struct visiting *visiting = context;

	(void)what;
	*ret_value = NULL;
	return visiting->visit(section, visiting->context, err);
}

/* A fallback callback that asks the caller's. */
static const char *visit_fallback(const char *section, const char *keyword, void *context)
{
	const struct reference_world *world = ((const struct visiting *)context)->world;

	return world->fallback ? world->fallback(section, keyword, world->context) : NULL;
}

cof_result reference_each_resource(const struct reference_world *world, const char *section,
				   const char *keyword, const char *text, reference_visit visit,
				   void *context, struct cof_error *err)
{
	_cleanup_free_ char *value = NULL;
	struct visiting visiting = { world, visit, context };
	struct reference_world asking = *world;

	asking.devices = visit_devices;
	asking.fallback = visit_fallback;
	asking.context = &visiting;
	return reference_expand(&asking, section, keyword, text, &value, err);
}
