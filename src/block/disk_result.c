/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "disk_result.h"

void disk_result_start(struct disk_result *result, const char *typed)
{
	*result = (struct disk_result){ .backend = "", .state = "closed" };
	(void)snprintf(result->name, sizeof(result->name), "%s", typed);
}

void disk_result_open(struct disk_result *result, const struct disk_open_state *state)
{
	(void)snprintf(result->name, sizeof(result->name), "%s", state->name);
	(void)snprintf(result->device, sizeof(result->device), "%s", state->device);
	(void)snprintf(result->source, sizeof(result->source), "%s", state->source);
	(void)snprintf(result->uuid, sizeof(result->uuid), "%s", state->uuid);
	result->backend = state->backend;
	result->state = "open";
	result->read_only = state->read_only;
}

void disk_result_fail(struct disk_result *result, const struct cof_error *failure)
{
	result->error = *failure;
	result->state = result->device[0] ? "open" : "failed";
}

cof_result disk_fail_all(cof_result result, struct disk_result results[], size_t count,
			 const struct cof_error *err)
{
	if (!cof_failed(result))
		return result;
	for (size_t i = 0; i < count; i++) {
		if (err)
			results[i].error = *err;
		results[i].error.code = result.code;
		results[i].state = "failed";
	}
	return result;
}

cof_result disk_first_failure(const struct disk_result results[], size_t count,
			      struct cof_error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (results[i].error.code == COF_E_NONE)
			continue;
		if (err)
			*err = results[i].error;
		return (cof_result){ results[i].error.code };
	}
	return COF_OK;
}
