/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `coffer doctor` looks at on the machine: configuration, sockets, crypttab, swap.
 */

#include <stdio.h>
#include <string.h>

#include "crypttab_repair.h"
#include "doctor.h"
#include "file.h"
#include "shell.h"
#include "swap.h"
#include "tabfile.h"

cof_result doctor_config(struct doctor *doctor, struct cof_error *err)
{
	struct cli_call *call = doctor->call;

	if (!call->mistake || call->mistake->code == COF_E_NONE)
		return COF_OK;
	call->mistake_told = true;
	return finding_add(&doctor->gathered.list, AREA_SYSTEM, call->mistake, err);
}

/* ---- sockets ---- */

/* How many lines of crypttab have the key server as their key. */
static cof_result count_lines(const struct paths *paths, size_t *ret_count, struct cof_error *err)
{
	_cleanup_(crypttab_freep) struct crypttab *table = NULL;
	struct crypttab_entry entry;

	*ret_count = 0;
	TRY(crypttab_load(paths->crypttab, &table, err));
	for (size_t i = 0; crypttab_at(table, i, &entry); i++)
		*ret_count += strcmp(entry.key, paths->keys_socket) == 0;
	return COF_OK;
}

/* Whether systemd starts a unit at boot: where its [Install] section has it linked. */
static cof_result is_enabled(const struct paths *paths, const char *target, const char *unit,
			     bool *ret_enabled, struct cof_error *err)
{
	_cleanup_free_ char *link = NULL;

	TRY(path_format(&link, err, "%s/etc/systemd/system/%s.wants/%s", paths->root, target,
			unit));
	*ret_enabled = path_exists(link);
	return COF_OK;
}

cof_result doctor_sockets(struct doctor *doctor, struct cof_error *err)
{
	static const struct {
		const char *unit;
		const char *target;
		const char *what;
	} units[] = {
		{ "coffer-keys.socket", "sysinit.target", "nobody answers when disks are opened" },
		{ "coffer-agent.socket", "sockets.target", "nobody can be told the passphrase" },
	};
	const struct paths *paths = doctor->call->paths;
	_cleanup_free_ char *systemd = NULL;
	char prefix[SHELL_WORD_CHARS + 16] = "--now";
	char word[SHELL_WORD_CHARS];
	char remedy[sizeof(prefix) + 64];
	size_t lines;
	bool enabled;

	TRY(path_format(&systemd, err, "%s/run/systemd/system", paths->root));
	TRY(count_lines(paths, &lines, err));
	if (!path_exists(systemd) || lines == 0)
		return COF_OK;
	if (paths->root[0])
		(void)snprintf(prefix, sizeof(prefix), "--root=%s", shell_word(paths->root, word));
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		TRY(is_enabled(paths, units[i].target, units[i].unit, &enabled, err));
		(void)snprintf(remedy, sizeof(remedy), "systemctl enable %s %s", prefix,
			       units[i].unit);
		if (!enabled)
			TRY(finding_note(&doctor->gathered.list, AREA_SYSTEM, COF_E_FAILED,
					 units[i].unit, remedy, err,
					 "is not enabled, and crypttab has %zu disk%s for the key "
					 "server: at boot %s",
					 lines, lines == 1 ? "" : "s", units[i].what));
	}
	if (!paths->root[0] && !path_exists(paths->keys_socket))
		TRY(finding_note(&doctor->gathered.list, AREA_SYSTEM, COF_E_FAILED,
				 paths->keys_socket, "systemctl start coffer-keys.socket", err,
				 "is not there: nobody answers when disks are opened"));
	return COF_OK;
}

/* ---- crypttab ---- */

/* What a repair would do to one device's line. */
static cof_result note_line(struct doctor *doctor, const struct repair *repair,
			    const struct repair_device *device, struct cof_error *err)
{
	bool added = strcmp(device->line, "added") == 0;

	if (!added && strcmp(device->line, "changed") != 0)
		return COF_OK;
	return finding_note(
		&doctor->gathered.list, AREA_CRYPTTAB, COF_E_REFUSED,
		repair->set.items[device->record].name, "coffer disk repair-crypttab", err,
		added ? "has no line in %s" : "its line in %s is of another disk or key",
		doctor->call->paths->crypttab);
}

cof_result doctor_crypttab(struct doctor *doctor, struct cof_error *err)
{
	_cleanup_(repair_done) struct repair repair = { 0 };

	TRY(repair_plan(doctor->gathered.vault, doctor->call->paths, false, false, NULL, &repair,
			err));
	for (size_t i = 0; i < repair.device_count; i++)
		TRY(note_line(doctor, &repair, &repair.devices[i], err));
	for (char **name = repair.stray; *name; name++)
		TRY(finding_note(&doctor->gathered.list, AREA_CRYPTTAB, COF_E_REFUSED, *name,
				 "attach the disk, then coffer disk repair-crypttab", err,
				 "its line in %s names another disk",
				 doctor->call->paths->crypttab));
	for (char **name = repair.stale; *name; name++)
		TRY(finding_note(
			&doctor->gathered.list, AREA_CRYPTTAB, COF_E_REFUSED, *name,
			"coffer disk repair-crypttab", err,
			"its line in %s asks for the key of a disk that the vault does not "
			"know",
			doctor->call->paths->crypttab));
	return COF_OK;
}

/* ---- swap ---- */

/* The command that encrypts an area; where it would be refused, its own remedy. */
static void swap_remedy(const struct doctor *doctor, const struct swap_state *state,
			const char *option, char *out, size_t room)
{
	_cleanup_(swap_plan_done) struct swap_plan plan = { 0 };
	const char *const names[] = { state->area.path };
	const struct swap_spec spec = { 0 };
	char word[SHELL_WORD_CHARS];

	if (!cof_failed(swap_plan(doctor->call->paths, names, 1, &spec, &plan, NULL)) &&
	    plan.jobs[0].error.remedy[0])
		(void)snprintf(out, room, "%s", plan.jobs[0].error.remedy);
	else
		(void)snprintf(out, room, "coffer swap encrypt %s%s",
			       shell_word(state->area.path, word), option);
}

/* What is wrong with one area. */
static cof_result judge_swap(struct doctor *doctor, const struct swap_state *state,
			     struct cof_error *err)
{
	bool later = strcmp(state->at_boot, "encrypted") == 0;
	char remedy[SHELL_WORD_CHARS + 64];

	swap_remedy(doctor, state, later ? " --now" : "", remedy, sizeof(remedy));
	if (state->active && state->how == SWAP_PLAIN)
		return finding_note(&doctor->gathered.list, AREA_SWAP, COF_E_REFUSED,
				    state->area.path, remedy, err,
				    "is swap that is not encrypted%s: what programs hold in memory "
				    "can be read on it",
				    later ? " before the next boot" : "");
	if (strcmp(state->at_boot, "plain") == 0)
		return finding_note(&doctor->gathered.list, AREA_SWAP, COF_E_REFUSED,
				    state->area.path, remedy, err,
				    "will be swap at the next boot, and not encrypted");
	return COF_OK;
}

/* Whether a machine that gives an area a new key at each boot would wake from there. */
static cof_result judge_resume(struct doctor *doctor, const struct swap_state *state,
			       struct cof_error *err)
{
	const char *source = state->source[0] ? state->source : state->area.path;
	_cleanup_(device_freep) struct device *device = NULL;
	struct cof_error error = { .code = COF_E_REFUSED };
	char resumes[SWAP_RESUME_CHARS];

	if (strcmp(state->at_boot, "encrypted") != 0 || !state->line_name[0] ||
	    cof_failed(device_find(source, &device, NULL)))
		return COF_OK;
	TRY(swap_find_resume(doctor->call->paths, device, resumes, err));
	if (!resumes[0])
		return COF_OK;
	(void)snprintf(error.subject, sizeof(error.subject), "%s", source);
	(void)snprintf(error.text, sizeof(error.text),
		       "is where this machine hibernates to, and gets a new key at every boot");
	(void)snprintf(error.cause, sizeof(error.cause), "%s; nothing can wake from there",
		       resumes);
	(void)snprintf(error.remedy, sizeof(error.remedy),
		       "take that out, then update-initramfs -u and update-grub");
	return finding_add(&doctor->gathered.list, AREA_SWAP, &error, err);
}

cof_result doctor_swap(struct doctor *doctor, struct cof_error *err)
{
	_cleanup_free_ struct swap_state *states = NULL;
	size_t count = 0;

	TRY(swap_states(doctor->call->paths, &states, &count, err));
	for (size_t i = 0; i < count; i++) {
		TRY(judge_swap(doctor, &states[i], err));
		TRY(judge_resume(doctor, &states[i], err));
	}
	return COF_OK;
}
