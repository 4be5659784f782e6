/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a verb offers and what a call was given: the tables of options and their values.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "parse.h"

const struct cli_option cli_global_options[] = {
	{ "vault", CLI_FILE, "DIR",
	  "folder of the vault, " PATHS_VAULT_DEFAULT " unless told otherwise" },
	{ "config", CLI_FILE, "FILE",
	  "configuration, " PATHS_CONFIG_DEFAULT " unless told otherwise" },
	{ "root", CLI_FILE, "DIR",
	  "prefix of /etc, /run and the default vault, for images and tests" },
	{ "quiet", CLI_FLAG, NULL, "print no messages but errors" },
	{ "help", CLI_FLAG, NULL, "show help on what was typed so far, and do nothing" },
	{ "version", CLI_FLAG, NULL, "show the version" },
	{ 0 },
};

static const struct cli_option dry_run_option = { "dry-run", CLI_FLAG, NULL,
						  "show what would be done, and change nothing" };
static const struct cli_option destroy_option = {
	"yes-destroy", CLI_TEXT, "NAME",
	"agree beforehand to the loss that the question would name; may be repeated"
};
static const struct cli_option json_option = {
	"json", CLI_FLAG, NULL, "print one JSON document, with sizes in bytes and times in RFC 3339"
};

size_t cli_offered(const struct cli_verb *verb,
		   const struct cli_option *ret_options[static CLI_OPTIONS_MAX])
{
	size_t count = 0;

	for (const struct cli_option *option = verb->options; option && option->name; option++) {
		assert(count < CLI_OPTIONS_MAX - 3);
		ret_options[count++] = option;
	}
	if (verb->changes)
		ret_options[count++] = &dry_run_option;
	if (verb->destroys)
		ret_options[count++] = &destroy_option;
	if (verb->shows)
		ret_options[count++] = &json_option;
	return count;
}

const struct cli_option *cli_find_offered(const struct cli_verb *verb, const char *name)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];
	size_t count = cli_offered(verb, offered);

	for (size_t i = 0; i < count; i++)
		if (strcmp(offered[i]->name, name) == 0)
			return offered[i];
	for (const struct cli_option *option = cli_global_options; option->name; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

char *cli_verb_name(const struct cli_verb *verb, char out[static CLI_VERB_NAME_CHARS])
{
	(void)snprintf(out, CLI_VERB_NAME_CHARS, "%s%s%s", verb->noun ? verb->noun : "",
		       verb->noun ? " " : "", verb->verb);
	return out;
}

/* One option that was given, and all its values with a NULL after them. */
struct setting {
	const struct cli_option *option;
	const char **values;
	size_t count;
};

struct cli_values {
	struct setting *settings;
	size_t count;
};

cof_result cli_values_new(struct cli_values **ret_values, struct cof_error *err)
{
	struct cli_values *values = calloc(1, sizeof(*values));

	ENSURE(values, err, COF_E_NOMEM, "options", "no memory left");

	*ret_values = values;
	return COF_OK;
}

void cli_values_free(struct cli_values *values)
{
	if (!values)
		return;
	for (size_t i = 0; i < values->count; i++)
		free(values->settings[i].values);
	free(values->settings);
	free(values);
}

/* The setting of an option that was given, or NULL. */
static struct setting *find_setting(const struct cli_values *values, const char *name)
{
	for (size_t i = 0; i < values->count; i++)
		if (strcmp(values->settings[i].option->name, name) == 0)
			return &values->settings[i];
	return NULL;
}

/* Makes room for an option that is given for the first time. */
static cof_result add_setting(struct cli_values *values, const struct cli_option *option,
			      struct setting **ret_setting, struct cof_error *err)
{
	struct setting *more = reallocarray(values->settings, values->count + 1, sizeof(*more));

	ENSURE(more, err, COF_E_NOMEM, "options", "no memory left");
	values->settings = more;
	more[values->count] = (struct setting){ .option = option };

	*ret_setting = &more[values->count++];
	return COF_OK;
}

cof_result cli_values_add(struct cli_values *values, const struct cli_option *option,
			  const char *value, struct cof_error *err)
{
	struct setting *setting = find_setting(values, option->name);
	const char **more;

	if (!setting)
		TRY(add_setting(values, option, &setting, err));
	more = reallocarray(setting->values, setting->count + 2, sizeof(*more));
	ENSURE(more, err, COF_E_NOMEM, "options", "no memory left");
	more[setting->count++] = value;
	more[setting->count] = NULL;
	setting->values = more;

	return COF_OK;
}

/* The setting of an option that this call's verb offers; an undeclared name ends the process. */
static const struct setting *get_setting(const struct cli_call *call, const char *option)
{
	if (!cli_find_offered(call->verb, option)) {
		(void)fprintf(stderr, "coffer: bug: option %s is not in the table of %s\n", option,
			      call->verb->verb);
		abort();
	}
	return find_setting(call->values, option);
}

bool cli_flag(const struct cli_call *call, const char *option)
{
	return get_setting(call, option) != NULL;
}

const char *cli_value(const struct cli_call *call, const char *option)
{
	const struct setting *setting = get_setting(call, option);

	return setting ? setting->values[setting->count - 1] : NULL;
}

const char *const *cli_value_list(const struct cli_call *call, const char *option)
{
	static const char *const none[] = { NULL };
	const struct setting *setting = get_setting(call, option);

	return setting ? (const char *const *)setting->values : none;
}

/* The number that an option's value stands for, or @fallback without the option. */
static cof_result read_value(const struct cli_call *call, const char *option, uint64_t fallback,
			     cof_result (*parse)(const char *, uint64_t *, struct cof_error *),
			     uint64_t *ret_number, struct cof_error *err)
{
	const char *value = cli_value(call, option);
	uint64_t number = fallback;

	if (value)
		TRY(parse(value, &number, err));

	*ret_number = number;
	return COF_OK;
}

/* uint_parse() without a limit of its own. */
static cof_result parse_any(const char *text, uint64_t *ret_number, struct cof_error *err)
{
	return uint_parse(text, UINT64_MAX, ret_number, err);
}

cof_result cli_size(const struct cli_call *call, const char *option, uint64_t fallback,
		    uint64_t *ret_bytes, struct cof_error *err)
{
	return read_value(call, option, fallback, size_parse, ret_bytes, err);
}

cof_result cli_duration(const struct cli_call *call, const char *option, uint64_t fallback,
			uint64_t *ret_seconds, struct cof_error *err)
{
	return read_value(call, option, fallback, duration_parse, ret_seconds, err);
}

cof_result cli_number(const struct cli_call *call, const char *option, uint64_t fallback,
		      uint64_t *ret_number, struct cof_error *err)
{
	return read_value(call, option, fallback, parse_any, ret_number, err);
}
