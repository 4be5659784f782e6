/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk repair-crypttab, first half: which key opens which device.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "crypttab_repair.h"
#include "disk_result.h"
#include "file.h"
#include "key_place.h"
#include "name_list.h"
#include "parallel.h"

#define TABLE_MAX_BYTES (4u << 20)

/* What the threads share; each writes to its own device alone. */
struct matching {
	struct repair *repair;
	const struct crypttab *crypttab;
	struct progress *progress;
	atomic_bool *claimed; /* for each key: a device was found that it opens */
};

static void matching_done(struct matching *matching)
{
	free(matching->claimed);
}

void repair_done(struct repair *repair)
{
	for (size_t i = 0; repair->keys && i < repair->set.count; i++)
		slot_secret_free(repair->keys[i]);
	free(repair->keys);
	disk_set_done(&repair->set);
	if (repair->finder)
		disk_finder_done(repair->finder);
	free(repair->finder);
	free(repair->devices);
	free(repair->has_device);
	name_list_free(repair->stray);
	name_list_free(repair->stale);
	buffer_done(&repair->text[0]);
	buffer_done(&repair->text[1]);
	*repair = (struct repair){ 0 };
}

/* vault_each()'s visitor: facts and key of one disk. */
static cof_result collect(const struct record *record, void *context, struct cof_error *err)
{
	struct repair *repair = context;
	struct disk_set *set = &repair->set;
	struct slot_secret **keys;
	struct disk *disks;

	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;

	/* A key that is not to be had, since its medium is away for instance, opens nothing. */
	if (cof_failed(disk_record_key(record, &key, NULL)))
		return COF_OK;
	keys = reallocarray(repair->keys, set->count + 1, sizeof(struct slot_secret *));
	ENSURE(keys, err, COF_E_NOMEM, NULL, "no memory for %zu keys", set->count + 1);
	repair->keys = keys;
	disks = reallocarray(set->items, set->count + 1, sizeof(*disks));
	ENSURE(disks, err, COF_E_NOMEM, NULL, "no memory for %zu disks", set->count + 1);
	set->items = disks;
	TRY(cof_explain(disk_from_meta(record->meta, &disks[set->count], err), err, NULL,
			"the record of disk %s cannot be used", record->name));
	keys[set->count++] = TAKE(key);
	return COF_OK;
}

/* Whether the key of one disk opens the device. A header that can't be read opens with none. */
static bool opens(const struct repair *repair, const struct repair_device *device, size_t disk)
{
	size_t index;
	bool found;

	return !cof_failed(luks_unlock_one_of(device->device->node, &repair->keys[disk], 1, &index,
					      &found, NULL)) &&
	       found;
}

/* Whether a line of crypttab about this device has the disk's name. */
static bool has_line(const struct matching *matching, const struct disk *disk,
		     const struct device *device)
{
	_cleanup_(device_freep) struct device *source = NULL;
	struct crypttab_entry entry;

	return crypttab_find(matching->crypttab, disk->name, &entry) &&
	       !cof_failed(device_find(entry.source, &source, NULL)) &&
	       source->number == device->number;
}

/* Whether one kind of hint says that the device is the disk's. */
static bool is_hinted(const struct matching *matching, const char *kind, const struct disk *disk,
		      const struct repair_device *device)
{
	if (strcmp(kind, "uuid") == 0)
		return strcmp(disk->uuid, device->luks_uuid) == 0;
	if (strcmp(kind, "name") == 0)
		return disk_has_stable_name(disk, device->device);
	return has_line(matching, disk, device->device);
}

/* Tries the keys for which something speaks. */
static void follow_hints(const struct matching *matching, struct repair_device *device)
{
	static const char *const kinds[] = { "uuid", "name", "line" };
	const struct repair *repair = matching->repair;

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		for (size_t i = 0; i < repair->set.count; i++) {
			if (!is_hinted(matching, kinds[kind], &repair->set.items[i], device) ||
			    !opens(repair, device, i))
				continue;
			device->record = i;
			device->found_by = kinds[kind];
			return;
		}
	}
}

/* parallel_each()'s work: hints. */
static void match_hints(size_t index, void *context)
{
	const struct matching *matching = context;
	struct repair_device *device = &matching->repair->devices[index];

	follow_hints(matching, device);
	if (device->found_by)
		atomic_store(&matching->claimed[device->record], true);
}

/* The keys in the order in which they are tried: first those that no other device has claimed. */
static void order_keys(const struct matching *matching, struct slot_secret *keys[],
		       size_t numbers[])
{
	const struct repair *repair = matching->repair;
	size_t front = 0;
	size_t back = repair->set.count;

	for (size_t i = 0; i < repair->set.count; i++)
		numbers[atomic_load(&matching->claimed[i]) ? --back : front++] = i;
	for (size_t i = 0; i < repair->set.count; i++)
		keys[i] = repair->keys[numbers[i]];
}

/* parallel_each()'s work: every key there is. */
static void match_keys(size_t index, void *context)
{
	const struct matching *matching = context;
	const struct repair *repair = matching->repair;
	struct repair_device *device = &repair->devices[index];
	_cleanup_free_ struct slot_secret **keys = NULL;
	_cleanup_free_ size_t *numbers = NULL;
	size_t key;
	bool found;

	if (device->found_by)
		return;
	keys = calloc(repair->set.count + 1, sizeof(struct slot_secret *));
	numbers = calloc(repair->set.count + 1, sizeof(*numbers));
	if (!keys || !numbers)
		return;
	progress_step(matching->progress, 0, device->device->node, "trying all keys");
	order_keys(matching, keys, numbers);
	if (cof_failed(luks_unlock_one_of(device->device->node, keys, repair->set.count, &key,
					  &found, NULL)) ||
	    !found)
		return;
	device->record = numbers[key];
	device->found_by = "trial";
	atomic_store(&matching->claimed[numbers[key]], true);
}

/* The LUKS devices of this machine. */
static cof_result list_devices(struct repair *repair, struct cof_error *err)
{
	struct disk_finder *finder = repair->finder;

	repair->devices = calloc(finder->devices.count + 1, sizeof(*repair->devices));
	ENSURE(repair->devices, err, COF_E_NOMEM, NULL, "no memory for %zu devices",
	       finder->devices.count);
	for (size_t i = 0; i < finder->devices.count; i++)
		if (finder->uuids[i][0])
			repair->devices[repair->device_count++] =
				(struct repair_device){ .device = finder->devices.items[i],
							.luks_uuid = finder->uuids[i],
							.record = SIZE_MAX,
							.line = "none" };
	return COF_OK;
}

cof_result repair_plan(struct vault *vault, const struct paths *paths, bool add, bool trial,
		       struct progress *progress, struct repair *ret_repair, struct cof_error *err)
{
	_cleanup_(repair_done) struct repair repair = { .add = add };
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	_cleanup_(matching_done) struct matching matching = { .repair = &repair,
							      .progress = progress };

	if (path_exists(paths->crypttab))
		TRY(file_read(paths->crypttab, TABLE_MAX_BYTES, &repair.text[0], err));
	TRY(cof_explain(crypttab_parse(buffer_span(&repair.text[0]), &crypttab, err), err, NULL,
			"cannot use %s", paths->crypttab));
	matching.crypttab = crypttab;
	TRY(vault_each(vault, DISK_KIND, collect, &repair, err));
	repair.finder = calloc(1, sizeof(*repair.finder));
	repair.has_device = calloc(repair.set.count + 1, sizeof(bool));
	matching.claimed = calloc(repair.set.count + 1, sizeof(*matching.claimed));
	ENSURE(repair.finder && repair.has_device && matching.claimed, err, COF_E_NOMEM, NULL,
	       "no memory for a plan");
	TRY(disk_finder_init(repair.finder, err));
	TRY(list_devices(&repair, err));
	parallel_each(repair.device_count, match_hints, &matching);
	if (trial)
		parallel_each(repair.device_count, match_keys, &matching);
	for (size_t i = 0; i < repair.device_count; i++)
		if (repair.devices[i].record != SIZE_MAX)
			repair.has_device[repair.devices[i].record] = true;
	TRY(repair_lines(paths, &repair, err));

	*ret_repair = repair;
	repair = (struct repair){ 0 };
	return COF_OK;
}
