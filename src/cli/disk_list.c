/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk list: every block device of the machine.
 */

#include <stdio.h>
#include <string.h>

#include "disk_known.h"
#include "disk_result.h"
#include "file.h"
#include "finding.h"
#include "luks_header.h"
#include "number.h"
#include "table.h"
#include "unlocking.h"
#include "verbs.h"

/* One device as both outputs show it. */
struct row {
	const struct device *device;
	char size[16];
	char use[512];
	char open_as[128];
	char plaintext_of[128]; /* of a loop device of the user-space engine */
	char luks[LUKS_UUID_CHARS + 16];
	char name[VOLUME_NAME_MAX_CHARS + 1]; /* of its record, "" without one */
	int luks_version;
	struct verdict verdict;
	const struct disk *key_only; /* its record, where the key is in a file alone; or NULL */
	bool has_copy;
	bool readable;
	bool damaged;		 /* its header, or one of the two */
	const struct disk *lost; /* the disk of the vault whose header was here, or NULL */
};

/* What one run looks at. */
struct listing {
	struct cli_call *call;
	struct disk_known known;
	struct disk_finder finder;
	struct finding_list notes;
	struct table *table;
	struct json *devices;
};

static void listing_done(struct listing *listing)
{
	disk_known_done(&listing->known);
	disk_finder_done(&listing->finder);
	finding_list_done(&listing->notes);
	table_free(listing->table);
}

/* The name of the record that speaks of this device. A locked vault knows names alone: then the
 * volume that is open on it, or the name that the device would get, tells. */
static void find_record_name(const struct disk_known *known, const struct luks_info *info,
			     struct row *row)
{
	const struct disk *disk = disk_set_find(&known->disks, NULL, info->uuid);

	row->key_only = disk && disk->key_only ? disk : NULL;
	if (disk)
		(void)snprintf(row->name, sizeof(row->name), "%s", disk->name);
	else if (!known->unlocked && disk_known_has(known->names, row->open_as))
		(void)snprintf(row->name, sizeof(row->name), "%.*s", VOLUME_NAME_MAX_CHARS,
			       row->open_as);
}

/* Says so when a device is itself the plaintext of an open volume. */
static cof_result find_plaintext(struct cli_call *call, const struct device *device,
				 struct row *row, struct cof_error *err)
{
	_cleanup_free_ struct engine_volume *volumes = NULL;
	size_t count;
	size_t used = strlen(row->use);

	TRY(engine_list(call->paths, &volumes, &count, err));
	for (size_t i = 0; i < count; i++) {
		if (strcmp(volumes[i].device, device->node) != 0)
			continue;
		(void)snprintf(row->plaintext_of, sizeof(row->plaintext_of), "%s", volumes[i].name);
		(void)snprintf(row->use + used, sizeof(row->use) - used, "%splaintext of %s",
			       used ? "; " : "", volumes[i].name);
	}
	return COF_OK;
}

/* What is on the device of a LUKS header, also where only part of it is left. */
static void look_at_header(const struct disk_known *known, const struct device *device,
			   struct row *row)
{
	struct luks_header_state state = { 0 };
	struct luks_info info = { 0 };

	cof_ignore(luks_header_examine(device->node, &state, NULL));
	row->damaged = state.mendable && !state.whole;
	if (!cof_failed(luks_read(device->node, NULL, &info, NULL)))
		row->luks_version = info.version;
	else if (state.mendable)
		memcpy(info.uuid, state.uuid, sizeof(info.uuid) - 1);
	if (row->luks_version || row->damaged)
		(void)snprintf(row->luks, sizeof(row->luks), "LUKS%d%s", state.version,
			       row->damaged ? " damaged" : "");
	if (info.uuid[0])
		find_record_name(known, &info, row);
	row->has_copy = row->name[0] && disk_known_has(known->header_names, row->name);
}

/* Looks at one device. Without permission to read it, what sysfs says is shown. */
static cof_result fill_row(struct cli_call *call, const struct disk_known *known,
			   const struct device *device, struct row *row, struct cof_error *err)
{
	struct disk_open_state state = { 0 };

	*row = (struct row){ .device = device };
	(void)size_format(device->size_bytes, row->size);
	TRY(device_use(device, row->use, sizeof(row->use), err));
	TRY(find_plaintext(call, device, row, err));
	row->readable = access(device->node, R_OK) == 0;
	if (!row->readable || device->multipath_map[0])
		return COF_OK;
	TRY(disk_state_on(call->paths, device, &state, err));
	if (state.open)
		(void)snprintf(row->open_as, sizeof(row->open_as), "%s", state.name);
	look_at_header(known, device, row);
	return COF_OK;
}

/* "yes", "file" where a key file alone has it, "no", or "?" where a locked vault does not tell. */
static const char *key_word(const struct disk_known *known, const struct row *row)
{
	if (row->name[0])
		return row->key_only ? "file" : "yes";
	if (!row->luks_version)
		return "";
	return known->vault && !known->unlocked ? "?" : "no";
}

/* One row of the table. */
static cof_result add_row(struct table *table, const struct disk_known *known,
			  const struct row *row, unsigned int depth, struct cof_error *err)
{
	const struct device *device = row->device;
	const char *use = row->use[0] ? row->use : row->readable ? "" : "not readable by you";
	char via[320];
	const char *cells[] = {
		device->node,
		path_base(device->stable),
		device->vendor,
		device->model,
		device->serial,
		row->size,
		via,
		use,
		row->luks,
		row->open_as,
		key_word(known, row),
		row->has_copy			 ? "yes"
		: key_word(known, row)[0] == '?' ? "?"
		: row->luks_version		 ? "no"
						 : "",
	};

	/* A loop device has no by-id name: what it is known by is the file that it lies on. */
	(void)snprintf(via, sizeof(via), "%s%s%s", device->transport,
		       device->backing_file[0] && !row->plaintext_of[0] ? " on " : "",
		       row->plaintext_of[0] ? "" : path_base(device->backing_file));
	return table_add_below(table, depth, cells, err);
}

/* One device as JSON. */
static struct json *row_json(const struct disk_known *known, const struct row *row)
{
	const struct device *device = row->device;
	struct json *json = json_new_object();

	json_set_text(json, "device", device->node);
	json_set_text(json, "by_id", device->stable[0] ? device->stable : NULL);
	json_set_known(json, "vendor", device->vendor);
	json_set_known(json, "model", device->model);
	json_set_known(json, "serial", device->serial);
	json_set_known(json, "wwn", device->wwn);
	json_set_uint(json, "size", device->size_bytes);
	json_set_known(json, "transport", device->transport);
	json_set_bool(json, "rotational", device->rotational);
	json_set_bool(json, "read_only", device->read_only);
	json_set_text(json, "backing_file", device->backing_file[0] ? device->backing_file : NULL);
	json_set_text(json, "parent", device->parent[0] ? device->parent : NULL);
	json_set_text(json, "multipath", device->multipath_map[0] ? device->multipath_map : NULL);
	json_set_text(json, "use", row->use[0] ? row->use : NULL);
	if (row->luks_version)
		json_set_uint(json, "luks", (uint64_t)row->luks_version);
	else
		json_set_null(json, "luks");
	json_set_bool(json, "header_damaged", row->damaged || row->lost);
	json_set_text(json, "open_as", row->open_as[0] ? row->open_as : NULL);
	json_set_text(json, "name", row->name[0] ? row->name : NULL);
	if (strcmp(key_word(known, row), "?") == 0)
		json_set_null(json, "key");
	else
		json_set_bool(json, "key", row->name[0] && !row->key_only);
	json_set_text(json, "key_file", row->key_only ? row->key_only->key_file : NULL);
	json_set_bool(json, "header_copy", row->has_copy);
	return json;
}

/* Whether any device has the header of that disk. */
static bool has_header(const struct disk_finder *finder, const struct disk *disk)
{
	for (size_t i = 0; i < finder->devices.count; i++)
		if (strcmp(finder->uuids[i], disk->uuid) == 0)
			return true;
	return false;
}

/* The disk of the vault that the device is by its name, while no device has its header. */
static const struct disk *find_lost(const struct listing *listing, const struct row *row)
{
	const struct disk_set *disks = &listing->known.disks;

	if (!row->readable || row->luks_version || row->damaged)
		return NULL;
	for (size_t i = 0; i < disks->count; i++)
		if (disk_has_stable_name(&disks->items[i], row->device) &&
		    !has_header(&listing->finder, &disks->items[i]))
			return &disks->items[i];
	return NULL;
}

/* A device without a header that is a disk of the vault all the same is shown as that. */
static void show_lost(const struct listing *listing, struct row *row)
{
	row->lost = find_lost(listing, row);
	if (!row->lost)
		return;
	row->has_copy = disk_known_has(listing->known.header_names, row->lost->name);
	(void)snprintf(row->name, sizeof(row->name), "%s", row->lost->name);
	(void)snprintf(row->luks, sizeof(row->luks), "header gone");
}

/* Notes what is wrong with the disk that is on the device, or should be. */
static cof_result note_disk(struct listing *listing, const struct row *row, struct cof_error *err)
{
	const char *node = row->device->node;
	char remedy[512];
	const struct disk *disk =
		row->name[0] ? disk_set_find(&listing->known.disks, row->name, NULL) : NULL;

	if (disk && !disk->ready) {
		(void)snprintf(remedy, sizeof(remedy), "coffer disk %s %s", disk_work_verb(disk),
			       disk_work_name(disk));
		return finding_note(&listing->notes, AREA_DISKS, COF_E_REFUSED, node, remedy, err,
				    "is %s, which is %s", disk->name, disk_work_word(disk));
	}
	(void)snprintf(remedy, sizeof(remedy), "coffer disk header repair %s",
		       row->damaged ? node : row->name);
	if (row->damaged)
		return finding_note(&listing->notes, AREA_DISKS, COF_E_FORMAT, node, remedy, err,
				    "the header on it is damaged");
	if (row->lost)
		return finding_note(&listing->notes, AREA_DISKS, COF_E_FORMAT, node, remedy, err,
				    "is the disk %s of the vault, and its header is gone",
				    row->name);
	return COF_OK;
}

/* Whether @device stands below another one: a partition under its disk, a leg under its map. */
static bool is_below(const struct device *device, const struct device *above)
{
	return (device->parent[0] && strcmp(device->parent, above->kname) == 0) ||
	       (device->multipath_map[0] && strcmp(device->multipath_map, above->kname) == 0);
}

/* Adds a device and what stands below it. */
static cof_result add_tree(struct listing *listing, const struct device *device, unsigned int depth,
			   struct cof_error *err)
{
	const struct device_list *list = &listing->finder.devices;
	struct row row;

	TRY(fill_row(listing->call, &listing->known, device, &row, err));
	show_lost(listing, &row);
	TRY(note_disk(listing, &row, err));
	TRY(add_row(listing->table, &listing->known, &row, depth, err));
	json_add(listing->devices, row_json(&listing->known, &row));
	for (size_t i = 0; i < list->count; i++) {
		if (is_below(list->items[i], device) && depth < 3)
			TRY(add_tree(listing, list->items[i], depth + 1, err));
	}
	return COF_OK;
}

/* Whether a device stands below no other one of the list. */
static bool is_root_row(const struct device_list *list, const struct device *device)
{
	for (size_t i = 0; i < list->count; i++) {
		if (is_below(device, list->items[i]))
			return false;
	}
	return true;
}

/* coffer disk list. */
static cof_result run_list(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "DEVICE", "BY-ID", "VENDOR", "MODEL", "SERIAL",
					       ">SIZE",	 "VIA",	  "USE",    "LUKS",  "OPEN AS",
					       "KEY",	 "COPY",  NULL };
	_cleanup_(listing_done) struct listing listing = { .call = call,
							   .devices = json_new_array() };
	const struct device_list *list = &listing.finder.devices;
	struct json *document = json_new_object();

	json_set(document, "devices", listing.devices);
	cli_show(call, document);
	TRY(disk_known_load(call, &listing.known, err));
	TRY(disk_finder_init(&listing.finder, err));
	TRY(table_new(columns, &listing.table, err));
	for (size_t i = 0; i < list->count; i++) {
		if (is_root_row(list, list->items[i]))
			TRY(add_tree(&listing, list->items[i], 0, err));
	}
	if (!call->json)
		TRY(table_print(listing.table, stdout, err));
	finding_list_say(call, &listing.notes);
	return findings_result(&listing.known.findings, err);
}

const struct cli_verb cli_verb_disk_list = {
	.noun = "disk",
	.verb = "list",
	.summary = "show every block device: names, make, size, use, encryption, key",
	.description =
		"Shows the block devices of this machine in natural order, partitions below their "
		"disk and legs below their multipath map: by-id name, vendor, model, serial "
		"number, size, transport, who uses it, LUKS version, the volume that is open on "
		"it, and whether the vault has its key and a copy of its header; \"file\" where a "
		"key file alone has the key. With a locked vault the last two are known for open "
		"disks alone.",
	.options = (const struct cli_option[]){ CLI_PASSPHRASE_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk list", "what is there, and what it is used for" }, { 0 } },
	.shows = true,
	.looks = true,
	.run = run_list,
};
