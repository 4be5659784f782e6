/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "disk_results.h"

/* One result as JSON: the form that scripts rely on. */
static struct json *result_json(const struct disk_result *result)
{
	struct json *disk = json_new_object();

	json_set_known(disk, "name", result->name);
	json_set_known(disk, "source", result->source);
	json_set_known(disk, "device", result->device);
	json_set_known(disk, "backend", result->backend);
	json_set_known(disk, "state", result->state);
	json_set_known(disk, "uuid", result->uuid);
	json_set_bool(disk, "read_only", result->read_only);
	json_set_bool(disk, "changed", result->changed);
	json_set_known(disk, "note", result->note);
	if (result->error.code != COF_E_NONE)
		json_set(disk, "error", cli_error_json(&result->error));
	return disk;
}

/* One result as a line for a person. */
static void say_result(const struct cli_call *call, const struct disk_result *result,
		       const char *done, const char *same)
{
	const char *what = result->did ? result->did : result->changed ? done : same;

	cli_say(call, "%s %s%s%s%s%s%s%s", result->name, what, result->device[0] ? ": " : "",
		result->device, result->device[0] && result->read_only ? " (read-only)" : "",
		result->note[0] ? " (" : "", result->note, result->note[0] ? ")" : "");
}

cof_result disk_results_show(struct cli_call *call, const struct disk_result results[],
			     size_t count, const char *done, const char *same,
			     struct cof_error *err)
{
	struct json *document = json_new_object();
	struct json *disks = json_new_array();
	const struct cof_error *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct disk_result *result = &results[i];

		json_add(disks, result_json(result));
		if (result->error.code == COF_E_NONE) {
			say_result(call, result, done, same);
			continue;
		}
		/* One failure that is that of all is told once. */
		if (first && memcmp(first, &result->error, sizeof(*first)) != 0)
			cli_report(&result->error);
		first = first ? first : &result->error;
	}
	json_set(document, "disks", disks);
	cli_show(call, document);
	return disk_first_failure(results, count, err);
}

cof_result disk_raise_unnamed(const struct cli_call *call, struct cof_error *err)
{
	char name[CLI_VERB_NAME_CHARS];

	cof_ignore(cof_raise(err, COF_E_USAGE, cli_verb_name(call->verb, name),
			     "no disk is named, nor --all"));
	cof_error_try(err,
		      "coffer %s DISK, where `coffer disk list` shows the disks; or coffer %s "
		      "--all",
		      name, name);
	return (cof_result){ COF_E_USAGE };
}
