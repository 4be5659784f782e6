/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may have been meant by the name of a disk that is not there.
 */

#include <stdio.h>
#include <string.h>

#include "disk_results.h"
#include "file.h"
#include "near.h"

#define NEAR_MAX       4 /* more would be no help */
#define PART_MIN_CHARS 2 /* of a name, to be found in the middle of a longer one */
#define PART_DISTANCE  1 /* a part of a name is as good as one wrong letter */

/* One name and how far it is from what was typed. */
struct candidate {
	const char *name;
	size_t distance;
};

/* The names that are near, the nearest first. */
struct near {
	const char *typed;
	size_t count;
	struct candidate best[NEAR_MAX];
};

/* Takes a name in, if it is near to what was typed and not in the list yet. */
static void offer(struct near *near, const char *name)
{
	struct candidate candidate = { .name = name, .distance = SIZE_MAX };
	size_t place;

	for (size_t i = 0; i < near->count; i++)
		if (strcmp(near->best[i].name, name) == 0)
			return;
	if (strlen(near->typed) >= PART_MIN_CHARS && strstr(name, near->typed))
		candidate.distance = PART_DISTANCE;
	else if (!near_is_nearer(near->typed, name, &candidate.distance))
		return;
	for (place = near->count; place > 0; place--)
		if (near->best[place - 1].distance <= candidate.distance)
			break;
	if (place == NEAR_MAX)
		return;
	if (near->count < NEAR_MAX)
		near->count++;
	for (size_t i = near->count - 1; i > place; i--)
		near->best[i] = near->best[i - 1];
	near->best[place] = candidate;
}

/* Offers a device by its node or, where no path was typed, by its names without folders. */
static void offer_device(struct near *near, const struct device *device)
{
	bool is_path = strchr(near->typed, '/') != NULL;

	offer(near, is_path ? device->node : device->kname);
	for (char **link = device->links; link && *link; link++)
		if (is_path || strstr(*link, "/by-id/"))
			offer(near, is_path ? *link : path_base(*link));
}

/* Whether a device goes by the name that was typed: to offer it would be no news. */
static bool is_there(const struct device_list *devices, const char *typed)
{
	for (size_t i = 0; i < devices->count; i++) {
		if (strcmp(devices->items[i]->node, typed) == 0)
			return true;
		for (char **link = devices->items[i]->links; link && *link; link++)
			if (strcmp(*link, typed) == 0)
				return true;
	}
	return false;
}

/* Adds the remedy to the error of one unknown name. */
static void suggest(char *const disks[], const struct device_list *devices, const char *typed,
		    struct cof_error *error)
{
	struct near near = { .typed = typed };
	char text[384] = "";

	for (size_t i = 0; disks && disks[i]; i++) {
		if (strcmp(disks[i], typed) == 0) {
			cof_error_try(error, "attach it; `coffer disk list` shows what is here");
			return;
		}
		offer(&near, disks[i]);
	}
	for (size_t i = 0; !is_there(devices, typed) && i < devices->count; i++)
		offer_device(&near, devices->items[i]);
	for (size_t i = 0; i < near.count; i++) {
		size_t used = strlen(text);

		(void)snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "",
			       near.best[i].name);
	}
	if (near.count)
		cof_error_try(error, "%s; `coffer disk list` shows all", text);
	else
		cof_error_try(error, "coffer disk list");
}

/* Whether it failed since nothing has the name that was typed. */
static bool is_unknown(const struct disk_result *result, const char *typed)
{
	return result->error.code == COF_E_NOENT && !result->error.remedy[0] &&
	       strcmp(result->error.subject, typed) == 0;
}

void disk_results_suggest(struct vault *vault, const char *const names[], size_t count,
			  struct disk_result results[])
{
	_cleanup_(device_list_done) struct device_list devices = { 0 };
	_cleanup_(vault_names_freep) char **disks = NULL;
	bool wanted = false;

	for (size_t i = 0; i < count; i++)
		wanted |= is_unknown(&results[i], names[i]);
	/* Without the names that cannot be read, those that can are still a help. */
	if (wanted)
		cof_ignore(device_scan(&devices, NULL));
	if (wanted && vault)
		cof_ignore(vault_names(vault, DISK_KIND, &disks, NULL));
	for (size_t i = 0; i < count; i++)
		if (is_unknown(&results[i], names[i]))
			suggest(disks, &devices, names[i], &results[i].error);
}

void disk_results_suggest_list(const char *const names[], size_t count,
			       struct disk_result results[])
{
	for (size_t i = 0; i < count; i++)
		if (is_unknown(&results[i], names[i]))
			cof_error_try(&results[i].error, "coffer disk list");
}
