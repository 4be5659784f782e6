/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk list and disk status: every device of the machine, and every disk of the vault.
 */

#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "disk_results.h"
#include "header_notes.h"
#include "looking.h"
#include "file.h"
#include "number.h"
#include "tabfile.h"
#include "table.h"
#include "unlocking.h"
#include "verbs.h"

/* What both verbs know of the vault: without unlocking it, names alone. */
struct known {
	struct vault *vault; /* NULL when there is none */
	bool unlocked;
	struct disk_set disks;
	char **header_names; /* of header copies */
	char **names;	     /* of disks */
	struct crypttab *crypttab;
	struct findings findings;
};

static void known_done(struct known *known)
{
	disk_set_done(&known->disks);
	vault_names_free(known->header_names);
	vault_names_free(known->names);
	crypttab_free(known->crypttab);
	vault_close(known->vault);
}

/* Whether @names has @name. */
static bool has_name(char *const *names, const char *name)
{
	for (; names && *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

/* Reads the records; a vault that is damaged is then looked at as if it were locked. */
static cof_result load_unlocked(struct cli_call *call, struct known *known, struct cof_error *err)
{
	struct cof_error found = { 0 };
	cof_result loaded = cli_open_vault(call, true, &known->vault, &found);

	if (!cof_failed(loaded))
		loaded = disk_set_load(known->vault, &known->disks, &found);
	if (cof_failed(loaded)) {
		vault_close(TAKE(known->vault));
		disk_set_done(&known->disks);
		known->disks = (struct disk_set){ 0 };
		known->unlocked = false;
	}
	return findings_add(&known->findings, loaded, &found, err);
}

/* Reads what can be known without asking anybody for a passphrase. */
static cof_result load_known(struct cli_call *call, struct known *known, struct cof_error *err)
{
	struct agent_status agent = { 0 };

	TRY(crypttab_load(call->paths->crypttab, &known->crypttab, err));
	if (!vault_exists(call->paths))
		return COF_OK;
	known->unlocked = cli_value(call, "passphrase-file") != NULL;
	if (!known->unlocked && !cof_failed(agent_query(call->paths, &agent, NULL)))
		known->unlocked = agent.unlocked;
	if (known->unlocked)
		TRY(load_unlocked(call, known, err));
	if (!known->vault)
		TRY(look_vault(call, &known->findings, &known->vault, err));
	/* A keystore that cannot be read is a finding already. */
	if (known->findings.first.code != COF_E_NONE) {
		cof_ignore(vault_names(known->vault, DISK_HEADER_KIND, &known->header_names, NULL));
		cof_ignore(vault_names(known->vault, DISK_KIND, &known->names, NULL));
		return COF_OK;
	}
	TRY(vault_names(known->vault, DISK_HEADER_KIND, &known->header_names, err));
	TRY(vault_names(known->vault, DISK_KIND, &known->names, err));
	return COF_OK;
}

/* ---- disk list ---- */

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
	bool has_copy;
	bool readable;
	bool damaged; /* its header, or one of the two */
};

/* The name of the record that speaks of this device. A locked vault knows names alone: then the
 * volume that is open on it, or the name that the device would get, tells. */
static void find_record_name(const struct known *known, const struct luks_info *info,
			     struct row *row)
{
	const struct disk *disk = disk_set_find(&known->disks, NULL, info->uuid);

	if (disk)
		(void)snprintf(row->name, sizeof(row->name), "%s", disk->name);
	else if (!known->unlocked && has_name(known->names, row->open_as))
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
static void look_at_header(const struct known *known, const struct device *device, struct row *row)
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
	row->has_copy = row->name[0] && has_name(known->header_names, row->name);
}

/* Looks at one device. Without permission to read it, what sysfs says is shown. */
static cof_result fill_row(struct cli_call *call, const struct known *known,
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

/* "yes", "no", or "?" where a locked vault does not tell. */
static const char *key_word(const struct known *known, const struct row *row)
{
	if (row->name[0])
		return "yes";
	if (!row->luks_version)
		return "";
	return known->vault && !known->unlocked ? "?" : "no";
}

/* One row of the table. */
static cof_result add_row(struct table *table, const struct known *known, const struct row *row,
			  unsigned int depth, struct cof_error *err)
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
static struct json *row_json(const struct known *known, const struct row *row)
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
	json_set_bool(json, "header_damaged", row->damaged);
	json_set_text(json, "open_as", row->open_as[0] ? row->open_as : NULL);
	json_set_text(json, "name", row->name[0] ? row->name : NULL);
	if (strcmp(key_word(known, row), "?") == 0)
		json_set_null(json, "key");
	else
		json_set_bool(json, "key", row->name[0] != '\0');
	json_set_bool(json, "header_copy", row->has_copy);
	return json;
}

/* What is wrong with headers, below the table. */
static void say_notes(struct cli_call *call, const struct header_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		cli_say(call, "warning: %s", notes->texts[i]);
}

/* Whether @device stands below another one: a partition under its disk, a leg under its map. */
static bool is_below(const struct device *device, const struct device *above)
{
	return (device->parent[0] && strcmp(device->parent, above->kname) == 0) ||
	       (device->multipath_map[0] && strcmp(device->multipath_map, above->kname) == 0);
}

/* Adds a device and what stands below it. */
static cof_result add_tree(struct cli_call *call, const struct known *known,
			   const struct device_list *list, const struct device *device,
			   unsigned int depth, struct table *table, struct json *devices,
			   struct header_notes *notes, struct cof_error *err)
{
	struct row row;

	TRY(fill_row(call, known, device, &row, err));
	if (row.damaged)
		TRY(header_notes_add(notes, err,
				     "the header on %s is damaged: `coffer disk header repair %s`",
				     device->node, device->node));
	TRY(add_row(table, known, &row, depth, err));
	json_add(devices, row_json(known, &row));
	for (size_t i = 0; i < list->count; i++) {
		if (is_below(list->items[i], device) && depth < 3)
			TRY(add_tree(call, known, list, list->items[i], depth + 1, table, devices,
				     notes, err));
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
	static const char *const columns[] = { "DEVICE",
					       "BY-ID",
					       "VENDOR",
					       "MODEL",
					       "SERIAL",
					       ">SIZE",
					       "VIA",
					       "USE",
					       "LUKS",
					       "OPEN "
					       "AS",
					       "KEY",
					       "COPY",
					       NULL };
	_cleanup_(known_done) struct known known = { 0 };
	_cleanup_(device_list_done) struct device_list list = { 0 };
	_cleanup_(header_notes_done) struct header_notes notes = { 0 };
	_cleanup_(table_freep) struct table *table = NULL;
	struct json *document = json_new_object();
	struct json *devices = json_new_array();

	json_set(document, "devices", devices);
	cli_show(call, document);
	TRY(load_known(call, &known, err));
	TRY(device_scan(&list, err));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < list.count; i++) {
		if (is_root_row(&list, list.items[i]))
			TRY(add_tree(call, &known, &list, list.items[i], 0, table, devices, &notes,
				     err));
	}
	if (!call->json)
		TRY(table_print(table, stdout, err));
	say_notes(call, &notes);
	return findings_result(&known.findings, err);
}

/* ---- disk status ---- */

/* One disk of the vault. */
static cof_result add_status(struct cli_call *call, const struct known *known, const char *name,
			     struct header_work *work, struct header_notes *notes,
			     struct table *table, struct json *disks, struct cof_error *err)
{
	const struct disk *disk = disk_set_find(&known->disks, name, NULL);
	bool has_copy = has_name(known->header_names, name);
	struct json *json = json_new_object();
	struct disk_open_state state = { 0 };
	struct crypttab_entry entry;
	bool has_line = crypttab_find(known->crypttab, name, &entry);
	const char *header = "";
	const char *word;

	json_add(disks, json);
	TRY(disk_state_of(call->paths, name, &state, err));
	word = state.open	      ? "open"
	       : state.dead	      ? "dead"
	       : disk && !disk->ready ? "half-formatted"
				      : "closed";
	json_set_text(json, "name", name);
	json_set_text(json, "state", word);
	json_set_text(json, "source", state.open ? state.source : NULL);
	json_set_text(json, "device", state.open ? state.device : NULL);
	json_set_text(json, "backend", state.open ? state.backend : NULL);
	json_set_text(json, "uuid", disk ? disk->uuid : NULL);
	json_set_known(json, "serial", disk ? disk->serial : NULL);
	json_set_text(json, "by_id", disk && disk->stable[0] ? disk->stable : NULL);
	json_set_bool(json, "read_only", state.read_only);
	json_set_bool(json, "header_copy", has_copy);
	json_set_bool(json, "crypttab", has_line);
	if (disk && disk->ready)
		TRY(header_notes_look(work, name, notes, &header, err));
	json_set_text(json, "header", header[0] ? header : NULL);
	return table_add(table,
			 (const char *const[]){ name, word, state.source, state.device,
						state.open ? state.backend : "", header,
						has_copy ? "yes" : "no", has_line ? "yes" : "no" },
			 err);
}

/* coffer disk status. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "NAME",	      "STATE",	  "SOURCE",
					       "DEVICE",      "BACKEND",  "HEADER",
					       "HEADER COPY", "CRYPTTAB", NULL };
	_cleanup_(known_done) struct known known = { 0 };
	_cleanup_(header_work_done) struct header_work work = { 0 };
	_cleanup_(header_notes_done) struct header_notes notes = { 0 };
	_cleanup_(table_freep) struct table *table = NULL;
	struct json *document = json_new_object();
	struct json *disks = json_new_array();

	json_set(document, "disks", disks);
	cli_show(call, document);
	TRY(load_known(call, &known, err));
	TRY(header_work_init(known.vault, call->paths, &work, err));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < call->arg_count; i++) {
		ENSURE(has_name(known.names, call->args[i]), err, COF_E_NOENT, call->args[i],
		       "is not the name of a disk in the vault");
		TRY(add_status(call, &known, call->args[i], &work, &notes, table, disks, err));
	}
	for (char **name = known.names; call->arg_count == 0 && name && *name; name++)
		TRY(add_status(call, &known, *name, &work, &notes, table, disks, err));
	if (json_length(disks) == 0)
		cli_say(call, "the vault has no disks");
	else if (!call->json)
		TRY(table_print(table, stdout, err));
	say_notes(call, &notes);
	return findings_result(&known.findings, err);
}

const struct cli_verb cli_verb_disk_list = {
	.noun = "disk",
	.verb = "list",
	.summary = "show every block device: names, make, size, use, encryption, key",
	.description =
		"Shows the block devices of this machine in natural order, partitions below their "
		"disk and legs below their multipath map: by-id name, vendor, model, serial "
		"number, "
		"size, transport, who uses it, LUKS version, the volume that is open on it, and "
		"whether the vault has its key and a copy of its header. With a locked vault the "
		"last two are known for open disks alone.",
	.options = (const struct cli_option[]){ CLI_PASSPHRASE_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk list", "what is there, and what it is used for" }, { 0 } },
	.shows = true,
	.looks = true,
	.run = run_list,
};

const struct cli_verb cli_verb_disk_status = {
	.noun = "disk",
	.verb = "status",
	.arguments = "[NAME...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_TEXT,
	.summary = "show the disks of the vault and where they are open",
	.description =
		"Shows each disk of the vault: whether it is open, on which device, through "
		"dm-crypt or in user space, whether its header is good and the one of which the "
		"vault has a copy, and whether crypttab has a line for it. A header that another "
		"tool has changed is copied. With a locked vault headers are not looked at.",
	.options = (const struct cli_option[]){ CLI_PASSPHRASE_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){ { "coffer disk status", "all disks of the vault" },
					      { 0 } },
	.shows = true,
	.looks = true,
	.needs_root = true,
	.run = run_status,
};
