/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `coffer status` shows, pure: facts in, one screen or JSON out.
 */

#include <stdio.h>
#include <string.h>

#include "luks.h"
#include "number.h"
#include "status_line.h"
#include "status_view.h"

static const char *const state_names[] = {
	[STATUS_ABSENT] = "absent",
	[STATUS_LOCKED] = "locked",
	[STATUS_UNLOCKED] = "unlocked",
};

static const char *const mirror_names[] = {
	[MIRROR_CURRENT] = "current", [MIRROR_BEHIND] = "behind", [MIRROR_AWAY] = "away",
	[MIRROR_FAILED] = "failed",   [MIRROR_NEWER] = "newer",	  [MIRROR_DAMAGED] = "damaged",
};

static const char *const header_names[] = {
	[VAULT_HEADER_KEPT] = "current",	[VAULT_HEADER_CHANGED] = "changed",
	[VAULT_HEADER_OLDER] = "older",		[VAULT_HEADER_DAMAGED] = "damaged",
	[VAULT_HEADER_FORGED] = "copy altered",
};

const char *status_mirror_name(const struct vault_mirror *mirror)
{
	return mirror_names[mirror->state];
}

struct json *slots_json(const struct vault_slot *slots, size_t count)
{
	struct json *array = json_new_array();

	for (size_t i = 0; i < count; i++) {
		struct json *slot = json_new_object();

		json_set_uint(slot, "slot", (uint64_t)slots[i].number);
		json_set_text(slot, "method", slots[i].method);
		json_set_known(slot, "label", slots[i].label);
		json_set_known(slot, "created", slots[i].created);
		json_set_known(slot, "pbkdf", slots[i].pbkdf);
		json_set_bool(slot, "unattended", slots[i].unattended);
		json_set_known(slot, "detail", slots[i].detail);
		json_add(array, slot);
	}
	return array;
}

struct json *mirrors_json(const struct vault_mirror *mirrors, size_t count)
{
	struct json *array = json_new_array();

	for (size_t i = 0; i < count; i++) {
		const struct vault_mirror *mirror = &mirrors[i];
		struct json *item = json_new_object();

		json_set_text(item, "folder", mirror->folder);
		json_set_text(item, "state", mirror_names[mirror->state]);
		json_set_uint(item, "revision", mirror->revision);
		json_set_known(item, "reason", mirror->reason);
		json_set_text(item, "remedy", mirror->remedy);
		json_add(array, item);
	}
	return array;
}

/* A number that is in the keystore; null where that cannot be read. */
static void set_unless_unknown(struct json *json, const char *name, uint64_t value,
			       const struct status_facts *facts)
{
	if (facts->keystore_unknown)
		json_set_null(json, name);
	else
		json_set_uint(json, name, value);
}

/* What is known of the vault; of one that is absent only where it would be. */
static struct json *vault_json(const struct status_facts *facts)
{
	struct json *vault = json_new_object();
	char created[32];

	json_set_text(vault, "state", state_names[facts->state]);
	json_set_text(vault, "folder", facts->folder);
	if (facts->state == STATUS_ABSENT)
		return vault;
	json_set_text(vault, "uuid", facts->uuid);
	set_unless_unknown(vault, "epoch", facts->epoch, facts);
	set_unless_unknown(vault, "revision", facts->revision, facts);
	json_set_text(vault, "created",
		      facts->created ? time_format(facts->created, created) : NULL);
	json_set_bool(vault, "recovery", status_has_recovery(facts));
	json_set_text(vault, "header",
		      facts->header_missing   ? "missing"
		      : facts->header_unknown ? "unknown"
					      : header_names[facts->header]);
	if (facts->checked)
		json_set_uint(vault, "records_checked", facts->records);
	if (facts->checked)
		json_set_uint(vault, "mirrors_checked", facts->mirrors_read);
	json_set(vault, "slots", slots_json(facts->slots, facts->slot_count));
	json_set(vault, "mirrors", mirrors_json(facts->mirrors, facts->mirror_count));
	return vault;
}

/* What is known of the agent. */
static struct json *agent_json(const struct agent_status *agent)
{
	struct json *json = json_new_object();

	json_set_bool(json, "running", agent->running);
	json_set_bool(json, "unlocked", agent->unlocked);
	if (agent->unlocked && agent->seconds_left != UINT64_MAX)
		json_set_uint(json, "seconds_left", agent->seconds_left);
	else
		json_set_null(json, "seconds_left");
	return json;
}

/* How many disks are in this state. */
static size_t count_state(const struct status_facts *facts, const char *state)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->disk_count; i++)
		count += strcmp(facts->disks[i].state, state) == 0;
	return count;
}

/* One disk as JSON. */
static struct json *disk_json(const struct status_disk *disk)
{
	struct json *json = json_new_object();

	json_set_text(json, "name", disk->name);
	json_set_text(json, "state", disk->state);
	json_set_known(json, "source", disk->source);
	json_set_known(json, "header", disk->header);
	return json;
}

/* What is known of the disks. */
static struct json *disks_json(const struct status_facts *facts)
{
	struct json *disks = json_new_object();
	struct json *names = json_new_array();
	struct json *all = json_new_array();

	for (size_t i = 0; i < facts->disk_count; i++) {
		json_add_text(names, facts->disks[i].name);
		json_add(all, disk_json(&facts->disks[i]));
	}
	set_unless_unknown(disks, "known", facts->disk_count, facts);
	set_unless_unknown(disks, "open", count_state(facts, "open"), facts);
	set_unless_unknown(disks, "dead", count_state(facts, "dead"), facts);
	json_set(disks, "names", names);
	json_set(disks, "disks", all);
	return disks;
}

struct json *status_json(const struct status_facts *facts)
{
	struct json *document = json_new_object();
	struct json *warnings = json_new_array();
	char text[FINDING_TEXT_CHARS];

	json_set(document, "vault", vault_json(facts));
	json_set(document, "agent", agent_json(&facts->agent));
	json_set(document, "disks", disks_json(facts));
	if (facts->notes)
		status_backup_json(facts->notes, document);
	for (size_t i = 0; facts->findings && i < facts->findings->count; i++)
		if (!facts->findings->items[i].advice)
			json_add_text(warnings, finding_text(&facts->findings->items[i], text));
	json_set(document, "warnings", warnings);
	return document;
}

char *status_time_left(uint64_t seconds, char out[static STATUS_TIME_CHARS])
{
	(void)snprintf(out, STATUS_TIME_CHARS, "%lluh %02llum", (unsigned long long)seconds / 3600,
		       (unsigned long long)seconds / 60 % 60);
	return out;
}

/* The line on the state, with how long it lasts. */
static void print_state(const struct status_facts *facts, FILE *file)
{
	uint64_t left = facts->agent.seconds_left;
	char text[STATUS_TIME_CHARS];

	if (facts->state == STATUS_UNLOCKED && left != UINT64_MAX)
		status_line(file, "vault", "%s  %s (the agent forgets the key in %s)",
			    facts->folder, state_names[facts->state], status_time_left(left, text));
	else
		status_line(file, "vault", "%s  %s", facts->folder, state_names[facts->state]);
}

/* The line on which vault it is. */
static void print_identity(const struct status_facts *facts, FILE *file)
{
	char created[32] = "";

	if (facts->keystore_unknown) {
		status_line(file, "", "%s, epoch and revision unknown", facts->uuid);
		return;
	}
	if (facts->created)
		(void)time_format(facts->created, created);
	status_line(file, "", "%s, epoch %u, revision %llu%s%s", facts->uuid, facts->epoch,
		    (unsigned long long)facts->revision, created[0] ? ", created " : "", created);
}

/* The line on the unlock methods. */
static void print_methods(const struct status_facts *facts, FILE *file)
{
	char text[LUKS_SLOTS_MAX *
		  (sizeof(facts->slots->method) + sizeof(facts->slots->label) + 16)] = "";
	size_t len = 0;

	for (size_t i = 0; i < facts->slot_count && len < sizeof(text); i++) {
		const struct vault_slot *slot = &facts->slots[i];
		bool labelled = slot->label[0] != '\0';

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%sslot %d: %s%s%s%s",
					i ? ", " : "", slot->number, slot->method,
					labelled ? " \"" : "", slot->label, labelled ? "\"" : "");
	}
	if (facts->slot_count > 0)
		status_line(file, "unlock", "%s", text);
}

/* The lines on the mirrors. */
static void print_mirrors(const struct status_facts *facts, FILE *file)
{
	for (size_t i = 0; i < facts->mirror_count; i++)
		status_line(file, i ? "" : "mirrors", "%s  %s", facts->mirrors[i].folder,
			    mirror_names[facts->mirrors[i].state]);
}

/* The line on what was read, with the mirrors that were not there. */
static void print_check(const struct status_facts *facts, FILE *file)
{
	char away[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < facts->mirror_count && len < sizeof(away); i++)
		if (facts->mirrors[i].state == MIRROR_AWAY)
			len += (size_t)snprintf(away + len, sizeof(away) - len, ", %s is away",
						facts->mirrors[i].folder);
	status_line(file, "check", "%zu record%s checked, all open; %zu of %zu mirror%s read%s",
		    facts->records, facts->records == 1 ? "" : "s", facts->mirrors_read,
		    facts->mirror_count, facts->mirror_count == 1 ? "" : "s", away);
}

/* Prints the warnings. */
static void print_warnings(const struct status_facts *facts, FILE *file)
{
	char text[FINDING_TEXT_CHARS];

	for (size_t i = 0; facts->findings && i < facts->findings->count; i++)
		if (!facts->findings->items[i].advice)
			status_line(file, "warning", "%s",
				    finding_text(&facts->findings->items[i], text));
}

/* Whether a disk is as it should be, so that it is left out where there are many. */
static bool is_plain(const struct status_disk *disk)
{
	bool quiet = strcmp(disk->state, "open") == 0 || strcmp(disk->state, "closed") == 0;

	return quiet && (!disk->header[0] || strcmp(disk->header, "good") == 0);
}

/* One disk, in columns. */
static void print_disk(const struct status_disk *disk, int name_columns, FILE *file)
{
	bool good = !disk->header[0] || strcmp(disk->header, "good") == 0;
	char text[640];

	(void)snprintf(text, sizeof(text), "%-*s  %-6s  %s%s%s", name_columns, disk->name,
		       disk->state, disk->source, good ? "" : "  header ",
		       good ? "" : disk->header);
	for (size_t len = strlen(text); len > 0 && text[len - 1] == ' '; len--)
		text[len - 1] = '\0';
	status_line(file, "", "%s", text);
}

/* The lines on the disks: all of a few, of many those that somebody should look at. */
static void print_disks(const struct status_facts *facts, FILE *file)
{
	bool few = facts->disk_count <= STATUS_DISKS_SHOWN;
	size_t dead_count = count_state(facts, "dead");
	size_t left_out = 0;
	size_t shown = 0;
	int columns = 0;
	char dead[48] = "";

	if (dead_count > 0)
		(void)snprintf(dead, sizeof(dead), ", %zu dead", dead_count);
	status_line(file, "disks", "%zu in the vault, %zu open%s", facts->disk_count,
		    count_state(facts, "open"), dead);
	for (size_t i = 0; i < facts->disk_count; i++)
		if ((few || !is_plain(&facts->disks[i])) &&
		    (int)strlen(facts->disks[i].name) > columns)
			columns = (int)strlen(facts->disks[i].name);
	for (size_t i = 0; i < facts->disk_count; i++) {
		if (!few && is_plain(&facts->disks[i]))
			continue;
		if (shown++ < STATUS_DISKS_SHOWN)
			print_disk(&facts->disks[i], columns, file);
		else
			left_out++;
	}
	if (left_out > 0)
		status_line(file, "", "and %zu more: `coffer disk status` shows all", left_out);
}

void status_print(const struct status_facts *facts, FILE *file)
{
	print_state(facts, file);
	if (facts->state == STATUS_ABSENT) {
		if (!facts->findings || facts->findings->count == 0)
			status_line(file, "",
				    "`coffer init` makes one, `coffer backup restore "
				    "FILE` brings one back");
		print_warnings(facts, file);
		return;
	}
	print_identity(facts, file);
	print_methods(facts, file);
	print_mirrors(facts, file);
	if (facts->checked)
		print_check(facts, file);
	if (facts->keystore_unknown)
		status_line(file, "disks",
			    "unknown, as the last backup: the keystore cannot be read");
	else
		print_disks(facts, file);
	if (facts->notes && !facts->keystore_unknown)
		status_backup_print(facts->notes, file);
	print_warnings(facts, file);
}
