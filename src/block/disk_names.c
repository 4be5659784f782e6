/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of devices and volumes as typed, before anything is asked or touched.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"

cof_result disk_device_find(const char *name, struct device **ret_device, struct cof_error *err)
{
	cof_result found = device_find(name, ret_device, err);

	/* A path or UUID=... is no volume's name. */
	if (found.code != COF_E_NOENT || strchr(name, '/') || strchr(name, '='))
		return found;
	FAIL(err, COF_E_NOENT, name, "neither a device nor a volume of that name is known");
}

/* Whether one of the names before means the same device. */
static bool is_twice(const dev_t numbers[], size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (numbers[i] && numbers[i] == numbers[index])
			return true;
	return false;
}

/* Finds the device of one name and notes its number. */
static cof_result check_name(const char *name, dev_t numbers[], size_t index,
			     struct disk_result *result, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;

	TRY(device_find(name, &device, err));
	(void)snprintf(result->source, sizeof(result->source), "%s", device->node);
	numbers[index] = device->number;
	ENSURE(!is_twice(numbers, index), err, COF_E_USAGE, device->node, "is named twice");
	return COF_OK;
}

cof_result disk_check_names(const char *const names[], size_t count, struct disk_result results[],
			    struct cof_error *err)
{
	_cleanup_free_ dev_t *numbers = calloc(count + 1, sizeof(*numbers));

	ENSURE(numbers, err, COF_E_NOMEM, NULL, "no memory for %zu names", count);
	for (size_t i = 0; i < count; i++) {
		disk_result_start(&results[i], names[i]);
		results[i].state = "untouched";
		results[i].did = "was not touched";
		if (cof_failed(check_name(names[i], numbers, i, &results[i], &results[i].error)))
			results[i].state = "failed";
	}
	return disk_first_failure(results, count, err);
}

cof_result disk_check_twins(const struct device *first, const char *first_name,
			    const struct device *second, const char *second_name,
			    struct cof_error *err)
{
	ENSURE(first->number != second->number, err, COF_E_USAGE, second->node, "is named twice");
	ENSURE(strcmp(first_name, second_name) != 0, err, COF_E_REFUSED, second_name,
	       "would be the name of both %s and %s", first->node, second->node);
	return COF_OK;
}
