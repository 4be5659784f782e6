/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer doctor`: everything that can be wrong, and what mends it.
 */

#include <string.h>

#include "doctor.h"
#include "unlocking.h"
#include "verbs.h"

/* What a check needs before it can look. */
enum doctor_needs {
	NEEDS_NOTHING,
	NEEDS_VAULT, /* that it is there and can be read */
	NEEDS_KEYS,  /* that it is unlocked, too */
};

/* The checks, in their order: what comes later builds on what was gathered before. */
static const struct doctor_check {
	const char *area;
	const char *name;
	enum doctor_needs needs;
	cof_result (*look)(struct doctor *doctor, struct cof_error *err);
} checks[] = {
	{ AREA_SYSTEM, "configuration", NEEDS_NOTHING, doctor_config },
	{ AREA_SYSTEM, "sockets", NEEDS_NOTHING, doctor_sockets },
	{ AREA_SYSTEM, "boot", NEEDS_NOTHING, doctor_boot },
	{ AREA_VAULT, "vault and disks", NEEDS_NOTHING, doctor_vault },
	{ AREA_VAULT, "room in its folder", NEEDS_NOTHING, doctor_room },
	{ AREA_BACKUP, "backup and drill", NEEDS_VAULT, doctor_backup },
	{ AREA_MIRRORS, "copies set aside", NEEDS_VAULT, doctor_aside },
	{ AREA_DISKS, "attached disks", NEEDS_KEYS, doctor_attached },
	{ AREA_CRYPTTAB, "crypttab", NEEDS_KEYS, doctor_crypttab },
	{ AREA_SWAP, "swap", NEEDS_NOTHING, doctor_swap },
};

#define CHECK_COUNT (sizeof(checks) / sizeof(checks[0]))

/* Why a check cannot be made now, or NULL. */
static const char *why_skipped(const struct doctor *doctor, const struct doctor_check *check)
{
	const struct status_gathered *gathered = &doctor->gathered;

	if (check->needs == NEEDS_NOTHING)
		return NULL;
	if (!gathered->vault || gathered->facts.keystore_unknown)
		return "the vault cannot be read";
	if (check->needs == NEEDS_KEYS && doctor->fast)
		return "--fast";
	return check->needs == NEEDS_KEYS && !vault_is_unlocked(gathered->vault)
		       ? "the vault is locked"
		       : NULL;
}

/* Makes one check; that it could not look is a finding too. */
static cof_result make(struct doctor *doctor, const struct doctor_check *check, struct json *shown,
		       struct cof_error *err)
{
	const char *skipped = why_skipped(doctor, check);
	struct json *json = json_new_object();
	struct cof_error found = { 0 };

	json_set_text(json, "area", check->area);
	json_set_text(json, "check", check->name);
	json_set_bool(json, "made", !skipped);
	json_set_text(json, "why_not", skipped);
	json_add(shown, json);
	if (!skipped && cof_failed(check->look(doctor, &found)))
		return finding_add(&doctor->gathered.list, check->area, &found, err);
	return COF_OK;
}

/* The whole answer. */
static void show(struct doctor *doctor, struct json *shown)
{
	const struct finding_list *list = &doctor->gathered.list;
	struct json *document = json_new_object();
	struct json *findings = json_new_array();
	size_t made = 0;

	for (size_t i = 0; i < list->count; i++)
		json_add(findings, finding_json(&list->items[i]));
	for (size_t i = 0; i < json_length(shown); i++)
		made += json_get_bool(json_at(shown, i), "made", false);
	json_set_bool(document, "well", !cof_failed(doctor_result(list, "", NULL)));
	json_set(document, "findings", findings);
	json_set(document, "checks", shown);
	cli_show(doctor->call, document);
	if (!doctor->call->json)
		doctor_print(list, made, json_length(shown) - made, stdout);
}

/* The run's memory. */
static void doctor_done(struct doctor *doctor)
{
	status_gathered_done(&doctor->gathered);
}

/* coffer doctor. */
static cof_result run_doctor(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(doctor_done) struct doctor doctor = { .call = call,
							.fast = cli_flag(call, "fast") };
	_cleanup_json_ struct json *shown = json_new_array();

	ENSURE(!doctor.fast || !cli_is_given(call), err, COF_E_USAGE, "--fast",
	       "needs no secret, and one is given");
	for (size_t i = 0; i < CHECK_COUNT; i++)
		TRY(make(&doctor, &checks[i], shown, err));
	show(&doctor, TAKE(shown));
	return doctor_result(&doctor.gathered.list, call->paths->vault_dir, err);
}

const struct cli_verb cli_verb_doctor = {
	.verb = "doctor",
	.summary = "look for everything that is wrong or due, and say what mends it",
	.description =
		"Looks at the configuration, the sockets, the vault with its header, keystore, "
		"identity, unlock methods, audit log, mirrors and room, the last backup and "
		"drill, every disk with its header and the copy of that, what was left half done, "
		"crypttab, and swap. Each finding has its cause and the command that mends it. "
		"Nothing is changed, but for a copy of a header that another tool has changed.\n\n"
		"Every record is read and opened, and every stored key tried on its header; for "
		"that the vault must be unlocked, or a secret be given. With --fast all is left "
		"out that needs it.\n\n"
		"The exit status is 0 when nothing is wrong, 8 when something is damaged, and else "
		"what the first finding means. Advice does not count.",
	.options = (const struct cli_option[]){ { "fast", CLI_FLAG, NULL,
						  "leave out what needs the vault's keys" },
						CLI_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer doctor", "Everything, with the vault unlocked." },
			{ "coffer doctor --fast --json", "For a monitoring system." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.needs_root = true,
	.run = run_doctor,
};
