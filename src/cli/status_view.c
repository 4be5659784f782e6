/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `coffer status` shows, pure: facts in, one screen or JSON out.
 */

#include <stdio.h>
#include <string.h>

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

const char *status_header_warning(enum vault_header header)
{
	static const char *const warnings[] = {
		[VAULT_HEADER_KEPT] = "",
		[VAULT_HEADER_CHANGED] =
			"the header was changed by another tool: `coffer unlock --passphrase-file "
			"FILE` copies it into the keystore and to the mirrors",
		[VAULT_HEADER_OLDER] = "the header is older than its copy: unlock methods that "
				       "were added or removed since are not as they were; `coffer "
				       "backup restore --header-only` puts the newer one back",
		[VAULT_HEADER_DAMAGED] =
			"the header is damaged, it differs from its copy: `coffer backup restore "
			"--header-only` puts the copy back",
		[VAULT_HEADER_FORGED] =
			"the header's copy in the keystore was altered, and not by coffer: `coffer "
			"unlock --passphrase-file FILE` writes it again; find out who did that",
	};

	return warnings[header];
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

/* Whether any slot opens with a recovery key. */
static bool has_recovery(const struct status_facts *facts)
{
	for (size_t i = 0; i < facts->slot_count; i++)
		if (strcmp(facts->slots[i].method, "recovery") == 0)
			return true;
	return false;
}

/* How many slots there are of those that open without a person. */
static size_t count_unattended(const struct status_facts *facts)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->slot_count; i++)
		count += facts->slots[i].unattended;
	return count;
}

/* Says of a mirror that it is no second place. */
static void warn_of_nearness(const struct vault_mirror *mirror, status_visit_warning visit,
			     void *context)
{
	char text[640];

	(void)snprintf(
		text, sizeof(text),
		"the mirror %.400s is on the same file system as the vault, and is lost with "
		"it: is what belongs there mounted?",
		mirror->folder);
	visit(text, context);
}

void status_warnings(const struct status_facts *facts, status_visit_warning visit, void *context)
{
	char text[1280];

	if (facts->state == STATUS_ABSENT) {
		(void)snprintf(text, sizeof(text), "%.900s; try: %.300s", facts->copy_cause,
			       facts->copy_remedy);
		if (facts->copy_cause[0])
			visit(text, context);
		return;
	}
	if (!facts->header_unknown && facts->header != VAULT_HEADER_KEPT)
		visit(status_header_warning(facts->header), context);
	if (!has_recovery(facts) && !facts->header_missing)
		visit("the vault has no recovery key: `coffer enroll recovery` makes one", context);
	if (facts->slot_count > 0 && count_unattended(facts) == facts->slot_count)
		visit("every unlock method works without a person: whoever takes the machine has "
		      "the data",
		      context);
	if (facts->mirror_count == 0 && !facts->mirrors_unknown)
		visit("the vault is in this folder alone: a line \"mirror = DIR\" in coffer.conf "
		      "keeps a copy elsewhere",
		      context);
	for (size_t i = 0; i < facts->mirror_count; i++) {
		const struct vault_mirror *mirror = &facts->mirrors[i];

		if (mirror->with_vault)
			warn_of_nearness(mirror, visit, context);
		if (mirror->state == MIRROR_CURRENT)
			continue;
		(void)snprintf(text, sizeof(text), "the mirror %s %s %s%s%s%s%s", mirror->folder,
			       mirror->state == MIRROR_FAILED ? "has" : "is",
			       mirror_names[mirror->state], mirror->reason[0] ? ": " : "",
			       mirror->reason, mirror->remedy[0] ? "; try: " : "", mirror->remedy);
		visit(text, context);
	}
	if (facts->notes && !facts->keystore_unknown)
		status_backup_warn(facts->notes, visit, context);
	for (char *const *note = facts->disk_notes; note && *note; note++)
		visit(*note, context);
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
	json_set_bool(vault, "recovery", has_recovery(facts));
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

/* How many disks there are. */
static size_t count_disks(const struct status_facts *facts)
{
	size_t count = 0;

	while (facts->disks && facts->disks[count])
		count++;
	return count;
}

/* What is known of the disks. */
static struct json *disks_json(const struct status_facts *facts)
{
	struct json *disks = json_new_object();
	struct json *names = json_new_array();

	for (size_t i = 0; i < count_disks(facts); i++)
		json_add_text(names, facts->disks[i]);
	set_unless_unknown(disks, "known", count_disks(facts), facts);
	set_unless_unknown(disks, "open", facts->disks_open, facts);
	set_unless_unknown(disks, "dead", facts->disks_dead, facts);
	json_set(disks, "names", names);
	return disks;
}

/* Puts one warning into the array. */
static void add_warning(const char *text, void *context)
{
	json_add_text(context, text);
}

struct json *status_json(const struct status_facts *facts)
{
	struct json *document = json_new_object();
	struct json *warnings = json_new_array();

	json_set(document, "vault", vault_json(facts));
	json_set(document, "agent", agent_json(&facts->agent));
	json_set(document, "disks", disks_json(facts));
	if (facts->notes)
		status_backup_json(facts->notes, document);
	status_warnings(facts, add_warning, warnings);
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

/* The lines on the unlock methods. */
static void print_methods(const struct status_facts *facts, FILE *file)
{
	for (size_t i = 0; i < facts->slot_count; i++) {
		const struct vault_slot *slot = &facts->slots[i];
		bool labelled = slot->label[0] != '\0';

		status_line(file, i ? "" : "unlock", "slot %d: %s%s%s%s", slot->number,
			    slot->method, labelled ? " \"" : "", slot->label, labelled ? "\"" : "");
	}
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

/* Prints one warning. */
static void print_warning(const char *text, void *context)
{
	status_line(context, "warning", "%s", text);
}

/* The line on the disks. */
static void print_disks(const struct status_facts *facts, FILE *file)
{
	char dead[48] = "";

	if (facts->disks_dead > 0)
		(void)snprintf(dead, sizeof(dead), ", %zu dead", facts->disks_dead);
	status_line(file, "disks", "%zu in the vault, %zu open%s", count_disks(facts),
		    facts->disks_open, dead);
}

void status_print(const struct status_facts *facts, FILE *file)
{
	print_state(facts, file);
	if (facts->state == STATUS_ABSENT) {
		if (facts->copy_cause[0] == '\0')
			status_line(file, "",
				    "`coffer init` makes one, `coffer backup restore "
				    "FILE` brings one back");
		status_warnings(facts, print_warning, file);
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
	status_warnings(facts, print_warning, file);
}
