/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All kinds of resources, and the keywords that each of them has.
 */

#include <string.h>
#include <strings.h>

#include "driver.h"
#include "number.h"

const struct driver *const drivers[] = {
	&driver_disk_loop,
	&driver_disk_crypt,
	&driver_disk_raw,
	&driver_fs_ext4,
	&driver_fs_xfs,
	&driver_fs_btrfs,
	NULL,
};

const char *const driver_groups[] = { "disk", "fs", NULL };

const struct keyword keywords_general[] = {
	{ "type", KEYWORD_TEXT, true, NULL },
	{ "comment", KEYWORD_TEXT, false, NULL },
	{ "disable", KEYWORD_BOOL, false, "false" },
	{ "optional", KEYWORD_BOOL, false, "false" },
	{ "standby", KEYWORD_BOOL, false, "false" },
	{ "monitor", KEYWORD_BOOL, false, "false" },
	{ "provision", KEYWORD_BOOL, false, "true" },
	{ "unprovision", KEYWORD_BOOL, false, "true" },
	/* For a cluster's daemon, which coffer has not: they change nothing here. */
	{ "tags", KEYWORD_TEXT, false, NULL },
	{ "subset", KEYWORD_TEXT, false, NULL },
	{ "shared", KEYWORD_BOOL, false, NULL },
	{ "restart", KEYWORD_NUMBER, false, NULL },
	{ "restart_delay", KEYWORD_TEXT, false, NULL },
	{ "schedule", KEYWORD_TEXT, false, NULL },
	{ 0 },
};

/* All but comment and rollback are for a cluster's daemon, and change nothing here. */
const struct keyword keywords_service[] = {
	{ "comment", KEYWORD_TEXT, false, NULL },
	{ "rollback", KEYWORD_BOOL, false, "true" },
	{ "id", KEYWORD_TEXT, false, NULL },
	{ "app", KEYWORD_TEXT, false, NULL },
	{ "env", KEYWORD_TEXT, false, NULL },
	{ "nodes", KEYWORD_TEXT, false, NULL },
	{ "drpnodes", KEYWORD_TEXT, false, NULL },
	{ "topology", KEYWORD_TEXT, false, NULL },
	{ "orchestrate", KEYWORD_TEXT, false, NULL },
	{ "placement", KEYWORD_TEXT, false, NULL },
	{ "priority", KEYWORD_NUMBER, false, NULL },
	{ "lock_timeout", KEYWORD_TEXT, false, NULL },
	{ "monitor_action", KEYWORD_TEXT, false, NULL },
	{ "show_disabled", KEYWORD_BOOL, false, NULL },
	{ "status_schedule", KEYWORD_TEXT, false, NULL },
	{ "comp_schedule", KEYWORD_TEXT, false, NULL },
	{ 0 },
};

const struct driver *driver_find(const char *group, const char *type)
{
	for (size_t i = 0; drivers[i]; i++)
		if (strcmp(drivers[i]->group, group) == 0 && strcmp(drivers[i]->type, type) == 0)
			return drivers[i];
	return NULL;
}

/* One of a list; NULL when there is none. */
static const struct keyword *find_in(const struct keyword *list, const char *name)
{
	for (; list->name; list++)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

const struct keyword *keyword_find(const struct driver *driver, const char *name)
{
	const struct keyword *found = driver ? find_in(driver->keywords, name) : NULL;

	return found ? found : find_in(driver ? keywords_general : keywords_service, name);
}

const char *keyword_unsupported(const char *name)
{
	static const char *const words[] = { "prkey", "no_preempt_abort", "promote_rw", "encap",
					     "zone",  "snap_size",	  "always_on" };
	static const char *const actions[] = { "start", "stop",		"provision",  "unprovision",
					       "run",	"startstandby", "sync_nodes", "status" };
	const char *rest = strncmp(name, "blocking_", 9) == 0 ? name + 9 : name;

	if (strcmp(name, "scsireserv") == 0)
		return "coffer makes no SCSI reservations";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(name, words[i]) == 0)
			return "coffer does not do this, and to ignore it could cost data";
	if (strncmp(rest, "pre_", 4) != 0 && strncmp(rest, "post_", 5) != 0)
		return NULL;
	rest = strchr(rest, '_') + 1;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(rest, actions[i]) == 0)
			return "coffer runs no commands before or after an action";
	return NULL;
}

bool keyword_bool(const char *value)
{
	static const char *const words[] = { "true", "yes", "y", "t", "1", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i]) == 0)
			return true;
	return false;
}

/* Whether it is one of the words for no. */
static bool is_no(const char *value)
{
	static const char *const words[] = { "false", "no", "n", "f", "0", "off" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i]) == 0)
			return true;
	return false;
}

cof_result keyword_check(const struct keyword *keyword, const char *value, struct cof_error *err)
{
	uint64_t number;

	ENSURE(value[0] || keyword->type == KEYWORD_TEXT, err, COF_E_USAGE, keyword->name,
	       "is empty");
	ENSURE(value[0] || !keyword->required, err, COF_E_USAGE, keyword->name, "is empty");
	if (keyword->type == KEYWORD_PATH)
		ENSURE(value[0] == '/', err, COF_E_USAGE, keyword->name,
		       "\"%.80s\" is no absolute path", value);
	if (keyword->type == KEYWORD_SIZE)
		ENSURE(!cof_failed(size_parse(value, &number, NULL)) && number > 0, err,
		       COF_E_USAGE, keyword->name,
		       "\"%.80s\" is not a size such as 512M, 1G or 2GiB", value);
	if (keyword->type == KEYWORD_NUMBER)
		ENSURE(!cof_failed(uint_parse(value, UINT32_MAX, &number, NULL)), err, COF_E_USAGE,
		       keyword->name, "\"%.80s\" is not a number", value);
	if (keyword->type == KEYWORD_BOOL)
		ENSURE(keyword_bool(value) || is_no(value), err, COF_E_USAGE, keyword->name,
		       "\"%.80s\" is neither true nor false", value);
	return COF_OK;
}
