/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which swap there is, what it lies on, and what crypttab and fstab say of the next boot.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_result.h"
#include "file.h"
#include "fstab.h"
#include "name_list.h"
#include "swap.h"
#include "sysblock.h"
#include "tabfile.h"

#define SWAPS_FILE	"/proc/swaps"
#define TABLE_MAX_BYTES (4u << 20)
#define DEPTH_MAX	32 /* devices on devices; the kernel's own limit is lower */

cof_result swap_areas(struct swap_area **ret_areas, size_t *ret_count, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	/* A kernel without swap has no such file. */
	if (path_exists(SWAPS_FILE))
		TRY(file_read(SWAPS_FILE, TABLE_MAX_BYTES, &text, err));
	return swap_table_parse(buffer_span(&text), ret_areas, ret_count, err);
}

/* What protects the device @kname, through all that it lies on: the first that does counts. */
static cof_result how_of(const struct paths *paths, const char *kname, int depth,
			 enum swap_how *ret_how, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **below = NULL;
	char parent[KNAME_ROOM];
	char text[512];

	ENSURE(depth < DEPTH_MAX, err, COF_E_FAILED, kname, "lies on devices without an end");
	*ret_how = strncmp(kname, "zram", 4) == 0 ? SWAP_MEMORY : SWAP_PLAIN;
	(void)attribute_text(&block_roots_system, kname, "dm/uuid", text, sizeof(text));
	if (strncmp(text, "CRYPT-PLAIN-", strlen("CRYPT-PLAIN-")) == 0)
		*ret_how = SWAP_RANDOM;
	else if (strncmp(text, "CRYPT-LUKS", strlen("CRYPT-LUKS")) == 0)
		*ret_how = SWAP_LUKS;
	if (attribute_raw(&block_roots_system, kname, "loop/backing_file", text, sizeof(text)) &&
	    strncmp(text, paths->engine_dir, strlen(paths->engine_dir)) == 0)
		*ret_how = SWAP_ENGINE;
	if (*ret_how != SWAP_PLAIN)
		return COF_OK;
	if (sysblock_parent(&block_roots_system, kname, parent))
		return how_of(paths, parent, depth + 1, ret_how, err);
	TRY(attribute_folder(&block_roots_system, kname, "slaves", &below, err));
	for (char **slave = below; *slave; slave++) {
		TRY(how_of(paths, *slave, depth + 1, ret_how, err));
		/* Of several below, a single one in plaintext is enough. */
		if (*ret_how == SWAP_PLAIN)
			return COF_OK;
	}
	return COF_OK;
}

cof_result swap_find_how(const struct paths *paths, const char *path, enum swap_how *ret_how,
			 struct cof_error *err)
{
	char kname[KNAME_ROOM];
	struct stat st;

	*ret_how = SWAP_PLAIN;
	/* A file on a filesystem without a device of its own is called unprotected. */
	if (stat(path, &st) != 0 ||
	    !sysblock_by_number(&block_roots_system, S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev,
				kname))
		return COF_OK;
	return how_of(paths, kname, 0, ret_how, err);
}

/* struct tables - both files, read once */
struct tables {
	struct crypttab *crypttab;
	struct buffer fstab;
};

static void tables_done(struct tables *tables)
{
	crypttab_free(tables->crypttab);
	buffer_done(&tables->fstab);
}

/* Whether a name means this very device; a name that means none does not. */
static bool means(const char *name, const struct device *device)
{
	_cleanup_(device_freep) struct device *found = NULL;

	return device && !cof_failed(device_find(name, &found, NULL)) &&
	       found->number == device->number;
}

/* Whether fstab has an entry of type swap for the device, or for what is called @name. */
static bool fstab_has(const struct tables *tables, const char *name, const struct device *device)
{
	struct fstab_entry entry;
	char spec[512];
	size_t line = 0;
	size_t at = 0;

	while (fstab_next(buffer_span(&tables->fstab), &at, &line, &entry))
		if (fstab_is(entry.type, "swap") && fstab_decode(entry.spec, spec, sizeof(spec)) &&
		    (strcmp(spec, name) == 0 || means(spec, device)))
			return true;
	return false;
}

/* Finds crypttab's line with a random key for the device, and says what the next boot does. */
static cof_result look_ahead(const struct tables *tables, const struct device *device,
			     struct swap_state *state, struct cof_error *err)
{
	struct crypttab_entry entry;

	state->at_boot = "unused";
	for (size_t i = 0; crypttab_at(tables->crypttab, i, &entry); i++) {
		_cleanup_free_ char *mapper = NULL;

		if (!swap_options_random(entry.key, entry.options) || !means(entry.source, device))
			continue;
		(void)snprintf(state->line_name, sizeof(state->line_name), "%.127s", entry.name);
		TRY(path_format(&mapper, err, "/dev/mapper/%s", entry.name));
		if (fstab_has(tables, mapper, NULL)) {
			state->at_boot = "encrypted";
			return COF_OK;
		}
	}
	if (fstab_has(tables, state->area.path, device))
		state->at_boot = state->how == SWAP_PLAIN ? "plain" : "encrypted";
	return COF_OK;
}

/* Fills in all but the area of one state. */
static cof_result fill_in(const struct paths *paths, const struct tables *tables,
			  struct swap_state *state, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	struct luks_mapping mapping;
	const char *below = state->area.path;
	char name[128];
	bool found = false;

	TRY(swap_find_how(paths, state->area.path, &state->how, err));
	if (state->how == SWAP_MEMORY || state->area.is_zram) {
		state->how = SWAP_MEMORY;
		state->at_boot = "memory";
		return COF_OK;
	}
	if (!state->area.is_file && cof_failed(device_find(below, &device, NULL)))
		return look_ahead(tables, NULL, state, err);
	if (device)
		TRY(disk_map_name(device->kname, name, sizeof(name), err));
	if (device && state->how == SWAP_RANDOM && name[0])
		TRY(luks_mapping_find(name, &mapping, &found, err));
	if (found && mapping.source[0]) {
		(void)snprintf(state->source, sizeof(state->source), "%s", mapping.source);
		(void)snprintf(state->area.path, sizeof(state->area.path), "%s", mapping.device);
		device_free(TAKE(device));
		if (cof_failed(device_find(mapping.source, &device, NULL)))
			return look_ahead(tables, NULL, state, err);
	}
	return look_ahead(tables, device, state, err);
}

/* struct state_list - states as they are found */
struct state_list {
	struct swap_state *items;
	size_t count;
};

static void state_list_done(struct state_list *list)
{
	free(list->items);
}

/* Appends one with this area. */
static cof_result add_state(const struct paths *paths, const struct tables *tables,
			    const struct swap_area *area, bool active, struct state_list *list,
			    struct cof_error *err)
{
	struct swap_state state = { .area = *area, .active = active, .at_boot = "unused" };
	struct swap_state *grown;

	TRY(fill_in(paths, tables, &state, err));
	grown = reallocarray(list->items, list->count + 1, sizeof(*grown));
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu swap areas", list->count + 1);
	list->items = grown;
	list->items[list->count++] = state;
	return COF_OK;
}

/* Whether one of the states is this device, or lies on it. */
static bool is_listed(const struct state_list *list, const struct device *device)
{
	for (size_t i = 0; i < list->count; i++)
		if (means(list->items[i].area.path, device) ||
		    (list->items[i].source[0] && means(list->items[i].source, device)))
			return true;
	return false;
}

/* Whether one of the states is this file. */
static bool is_listed_file(const struct state_list *list, const struct stat *file)
{
	struct stat st;

	for (size_t i = 0; i < list->count; i++)
		if (stat(list->items[i].area.path, &st) == 0 && st.st_dev == file->st_dev &&
		    st.st_ino == file->st_ino)
			return true;
	return false;
}

/* Appends the device or swap file that a file names, unless it is there already or not on this
 * machine. */
static cof_result add_named(const struct paths *paths, const struct tables *tables,
			    const char *name, struct state_list *list, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	struct swap_area area = { 0 };
	struct stat st;

	if (stat(name, &st) == 0 && S_ISREG(st.st_mode)) {
		if (is_listed_file(list, &st))
			return COF_OK;
		(void)snprintf(area.path, sizeof(area.path), "%.255s", name);
		area.is_file = true;
		area.size_bytes = (uint64_t)st.st_size;
		return add_state(paths, tables, &area, false, list, err);
	}
	if (cof_failed(device_find(name, &device, NULL)) || is_listed(list, device))
		return COF_OK;
	(void)snprintf(area.path, sizeof(area.path), "%s", device->node);
	area.size_bytes = device->size_bytes;
	return add_state(paths, tables, &area, false, list, err);
}

/* Appends what crypttab and fstab name and is not active. */
static cof_result add_inactive(const struct paths *paths, const struct tables *tables,
			       struct state_list *list, struct cof_error *err)
{
	struct crypttab_entry line;
	struct fstab_entry entry;
	char spec[512];
	size_t number = 0;
	size_t at = 0;

	for (size_t i = 0; crypttab_at(tables->crypttab, i, &line); i++)
		if (swap_options_random(line.key, line.options))
			TRY(add_named(paths, tables, line.source, list, err));
	while (fstab_next(buffer_span(&tables->fstab), &at, &number, &entry))
		if (fstab_is(entry.type, "swap") && fstab_decode(entry.spec, spec, sizeof(spec)))
			TRY(add_named(paths, tables, spec, list, err));
	return COF_OK;
}

cof_result swap_states(const struct paths *paths, struct swap_state **ret_states, size_t *ret_count,
		       struct cof_error *err)
{
	_cleanup_(tables_done) struct tables tables = { 0 };
	_cleanup_(state_list_done) struct state_list list = { 0 };
	_cleanup_free_ struct swap_area *areas = NULL;
	size_t count;

	TRY(crypttab_load(paths->crypttab, &tables.crypttab, err));
	if (path_exists(paths->fstab))
		TRY(file_read(paths->fstab, TABLE_MAX_BYTES, &tables.fstab, err));
	TRY(swap_areas(&areas, &count, err));
	for (size_t i = 0; i < count; i++)
		TRY(add_state(paths, &tables, &areas[i], true, &list, err));
	TRY(add_inactive(paths, &tables, &list, err));

	*ret_count = list.count;
	*ret_states = TAKE(list.items);
	return COF_OK;
}
