/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks of the vault, and where they are open.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_result.h"
#include "file.h"
#include "key_place.h"

void disk_set_done(struct disk_set *set)
{
	free(set->items);
	*set = (struct disk_set){ 0 };
}

/* vault_each()'s visitor: keeps the facts, not the key. */
static cof_result collect(const struct record *record, void *context, struct cof_error *err)
{
	struct disk_set *set = context;
	struct disk *grown = realloc(set->items, (set->count + 1) * sizeof(*grown));

	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu disks", set->count + 1);
	set->items = grown;
	TRY(cof_explain(disk_from_meta(record->meta, &grown[set->count], err), err, NULL,
			"the record of disk %s cannot be used", record->name));
	set->count++;
	return COF_OK;
}

cof_result disk_set_load(struct vault *vault, struct disk_set *ret_set, struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };

	TRY(vault_each(vault, DISK_KIND, collect, &set, err));
	*ret_set = set;
	set = (struct disk_set){ 0 };
	return COF_OK;
}

const struct disk *disk_set_find(const struct disk_set *set, const char *name, const char *uuid)
{
	for (size_t i = 0; i < set->count; i++) {
		if ((name && strcmp(set->items[i].name, name) == 0) ||
		    (uuid && uuid[0] && strcmp(set->items[i].uuid, uuid) == 0))
			return &set->items[i];
	}
	return NULL;
}

cof_result disk_key(struct vault *vault, const char *name, struct slot_secret **ret_key,
		    bool *ret_found, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(vault_get(vault, DISK_KIND, name, &record, ret_found, err));
	if (!*ret_found)
		return COF_OK;
	return disk_record_key(record, ret_key, err);
}

/* The state that a dm-crypt mapping stands for. */
static void state_of_mapping(const struct luks_mapping *mapping, struct disk_open_state *state)
{
	*state = (struct disk_open_state){ .open = true,
					   .backend = "dm-crypt",
					   .read_only = mapping->read_only };
	(void)snprintf(state->name, sizeof(state->name), "%s", mapping->name);
	(void)snprintf(state->device, sizeof(state->device), "%s", mapping->device);
	(void)snprintf(state->source, sizeof(state->source), "%s", mapping->source);
	(void)snprintf(state->uuid, sizeof(state->uuid), "%s", mapping->uuid);
}

/* The same for a volume of the user-space engine. */
static void state_of_engine(const struct engine_volume *volume, struct disk_open_state *state)
{
	/* Without a loop device it is what a killed command has left, or is made at this moment. */
	bool is_open = volume->pid != 0 && volume->device[0];

	*state = (struct disk_open_state){
		.open = is_open, .dead = !is_open, .backend = "user", .read_only = volume->read_only
	};
	(void)snprintf(state->name, sizeof(state->name), "%s", volume->name);
	(void)snprintf(state->device, sizeof(state->device), "%s",
		       volume->link[0] && is_open ? volume->link : volume->device);
	(void)snprintf(state->source, sizeof(state->source), "%s", volume->source);
	(void)snprintf(state->uuid, sizeof(state->uuid), "%s", volume->uuid);
}

cof_result disk_state_of(const struct paths *paths, const char *name,
			 struct disk_open_state *ret_state, struct cof_error *err)
{
	_cleanup_free_ struct engine_volume *volumes = NULL;
	struct luks_mapping mapping;
	size_t count;
	bool found;

	*ret_state = (struct disk_open_state){ .backend = "" };
	TRY(luks_mapping_find(name, &mapping, &found, err));
	if (found) {
		state_of_mapping(&mapping, ret_state);
		return COF_OK;
	}
	TRY(engine_list(paths, &volumes, &count, err));
	for (size_t i = 0; i < count; i++) {
		if (strcmp(volumes[i].name, name) == 0)
			state_of_engine(&volumes[i], ret_state);
	}
	return COF_OK;
}

/* Whether the path @node is the block device @number. */
static bool is_number(const char *node, dev_t number)
{
	struct stat status;

	return stat(node, &status) == 0 && S_ISBLK(status.st_mode) && status.st_rdev == number;
}

cof_result disk_map_name(const char *kname, char *out, size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_free_ char *attribute = NULL;

	TRY(path_format(&attribute, err, "/sys/class/block/%s/dm/name", kname));
	if (cof_failed(file_read_line(attribute, out, out_size_bytes, NULL)))
		out[0] = '\0'; /* no device-mapper device, or gone meanwhile */
	return COF_OK;
}

/* The dm-crypt mapping among the holders of @source, if there is one. */
static cof_result find_holding_map(const struct device *source, struct disk_open_state *state,
				   struct cof_error *err)
{
	for (char **holder = source->holders; holder && *holder; holder++) {
		struct luks_mapping mapping;
		char name[128];
		bool found = false;

		TRY(disk_map_name(*holder, name, sizeof(name), err));
		if (!name[0])
			continue;
		TRY(luks_mapping_find(name, &mapping, &found, err));
		if (found) {
			state_of_mapping(&mapping, state);
			return COF_OK;
		}
	}
	return COF_OK;
}

cof_result disk_state_on(const struct paths *paths, const struct device *source,
			 struct disk_open_state *ret_state, struct cof_error *err)
{
	_cleanup_free_ struct engine_volume *volumes = NULL;
	size_t count;

	*ret_state = (struct disk_open_state){ .backend = "" };
	TRY(find_holding_map(source, ret_state, err));
	if (ret_state->open)
		return COF_OK;
	TRY(engine_list(paths, &volumes, &count, err));
	for (size_t i = 0; i < count; i++) {
		if (is_number(volumes[i].source, source->number))
			state_of_engine(&volumes[i], ret_state);
	}
	return COF_OK;
}

cof_result disk_open_names(struct vault *vault, const struct paths *paths, char ***ret_names,
			   struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	size_t kept = 0;

	TRY(vault_names(vault, DISK_KIND, &names, err));
	for (size_t i = 0; names[i]; i++) {
		struct disk_open_state state;
		char *name = names[i];

		TRY(disk_state_of(paths, name, &state, err));
		if (!state.open && !state.dead)
			continue;
		names[i] = names[kept];
		names[kept++] = name;
	}
	for (size_t i = kept; names[i]; i++)
		free(TAKE(names[i]));
	*ret_names = TAKE(names);
	return COF_OK;
}
