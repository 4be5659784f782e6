/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot add and boot remove: the list is edited, and systemd reads it anew.
 */

#include <stdio.h>
#include <string.h>

#include "bare.h"
#include "boot.h"
#include "boot_unit.h"
#include "fault.h"
#include "file.h"
#include "name_list.h"
#include "tabfile.h"

/* It is written by coffer, so it is taken away with its last line. */
static const struct tab_file list_file = { .point = "boot", .mode = 0644, .own = true };

/* What one run changes. */
struct changing {
	struct boot *boot;
	struct boot_result *results;
	size_t count;
	bool adds;
	char **close; /* bare mount points that get the flag, NULL-terminated; owned */
	char **open;  /* and that lose it */
};

static void changing_done(struct changing *changing)
{
	name_list_free(changing->close);
	name_list_free(changing->open);
}

/* Adds a sentence to a result's note. */
static void add_note(struct boot_result *result, const char *note)
{
	size_t used = strlen(result->note);

	if (note[0])
		(void)snprintf(result->note + used, sizeof(result->note) - used, "%s%s",
			       used ? "; " : "", note);
}

/* ---- plan ---- */

/* Refuses what the machine needs before anybody can unlock the vault. */
static cof_result refuse_needed(const char *unit, const struct bus_unit *found,
				struct cof_error *err)
{
	static const char *const early[] = { "sysinit.target", "local-fs.target",
					     "local-fs-pre.target", "cryptsetup.target" };
	const char *reason = boot_refusal(unit);

	for (size_t i = 0; !reason && found && i < sizeof(early) / sizeof(early[0]); i++)
		if (name_list_has(found->before, early[i]))
			reason = "the boot itself waits for it, before any volume can be there";
	if (!reason)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, unit, "must not wait"));
	cof_error_cause(err, "%s", reason);
	cof_error_try(err, "name the services that use the volumes");
	return (cof_result){ COF_E_REFUSED };
}

/* There is no unit of this name. */
static cof_result raise_unknown(const struct boot *boot, const char *unit, struct cof_error *err)
{
	cof_ignore(cof_raise(err, COF_E_NOENT, unit, "there is no such unit"));
	cof_error_try(err, boot->bus ? "systemctl list-unit-files, which shows all of them"
				     : "ls /lib/systemd/system /etc/systemd/system /etc/init.d");
	return (cof_result){ COF_E_NOENT };
}

/* Names what starts the unit under another name, and does not wait with it. */
static void note_starters(const struct boot *boot, const struct bus_unit *found,
			  struct boot_result *result)
{
	size_t stem = (size_t)(strrchr(result->unit, '.') - result->unit);
	char note[2 * BOOT_UNIT_MAX_CHARS];

	for (char **name = found->starters; *name; name++) {
		if ((strncmp(*name, result->unit, stem) == 0 && (*name)[stem] == '.') ||
		    boot_list_find(&boot->list, *name))
			continue;
		(void)snprintf(note, sizeof(note),
			       "%s starts it too, in vain: coffer boot add %s, to have it wait",
			       *name, *name);
		add_note(result, note);
	}
}

/* Finds the unit by what was typed, under its main name. */
static cof_result find_unit(const struct boot *boot, const char *typed, struct boot_result *result,
			    struct cof_error *err)
{
	_cleanup_(bus_unit_done) struct bus_unit found = { 0 };
	char unit[BOOT_UNIT_MAX_CHARS + 1];
	char note[BOOT_UNIT_MAX_CHARS + 64];

	TRY(boot_unit_name(typed, unit, err));
	(void)strcpy(result->unit, unit);
	TRY(refuse_needed(unit, NULL, err));
	if (!boot->bus) {
		if (!boot_unit_exists(boot->paths, unit))
			return raise_unknown(boot, unit, err);
		return COF_OK;
	}
	TRY(bus_look(boot->bus, unit, &found, err));
	if (!found.known)
		return raise_unknown(boot, unit, err);
	TRY(refuse_needed(found.id, &found, err));
	note_starters(boot, &found, result);
	if (strcmp(found.id, unit) == 0 || strlen(found.id) > BOOT_UNIT_MAX_CHARS)
		return COF_OK;
	(void)strcpy(result->unit, found.id);
	(void)snprintf(note, sizeof(note), "%s is another name of it", unit);
	add_note(result, note);
	return COF_OK;
}

/* The vault must be there before the volumes are. */
static cof_result refuse_vault(const struct boot *boot, const struct boot_mount *mount,
			       struct cof_error *err)
{
	const char *folder = boot->paths->vault_dir;

	if (!mount->volume[0] ||
	    (strcmp(folder, mount->path) != 0 && !boot_is_below(folder, mount->path)))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, mount->path,
			     "has the vault %s on it, which has the key of its volume", folder));
	cof_error_try(err, "keep the vault on a file system that is there without it");
	return (cof_result){ COF_E_REFUSED };
}

/* A mount point of fstab, as typed but for slashes at its end. */
static cof_result find_mount(const struct boot *boot, const char *typed,
			     const struct boot_mount **ret_mount, struct cof_error *err)
{
	char path[BOOT_PATH_MAX_CHARS + 1];
	size_t len = strlen(typed);
	struct cof_error wrong = { 0 };

	while (len > 1 && typed[len - 1] == '/')
		len--;
	(void)snprintf(path, sizeof(path), "%.*s", (int)len, typed);
	if (len > BOOT_PATH_MAX_CHARS || cof_failed(boot_mount_check(path, &wrong)))
		FAIL(err, COF_E_USAGE, "--for", "%s",
		     len > BOOT_PATH_MAX_CHARS ? "is too long for a mount point" : wrong.text);
	*ret_mount = boot_mount_find(&boot->tables, path);
	if (*ret_mount)
		return COF_OK;
	cof_ignore(
		cof_raise(err, COF_E_NOENT, path, "is no mount point of %s", boot->paths->fstab));
	cof_error_cause(err, "a unit that waits for what nobody mounts never starts");
	for (size_t i = boot->tables.mount_count; i-- > 0;)
		if (boot->tables.mounts[i].volume[0])
			cof_error_try(err, "--for %.200s", boot->tables.mounts[i].path);
	return (cof_result){ COF_E_NOENT };
}

/* Nothing lies on a volume of the vault as far as fstab and crypttab say. */
static cof_result raise_no_volumes(const struct boot *boot, struct cof_error *err)
{
	cof_ignore(cof_raise(err, COF_E_NOENT, boot->paths->fstab,
			     "has no file system on a volume of the vault"));
	cof_error_cause(err,
			"%s has %zu of the vault's volumes, and none is in fstab as "
			"/dev/mapper/NAME",
			boot->paths->crypttab, boot->tables.volume_count);
	cof_error_try(err, "--for MOUNT, for a file system that is there by another name");
	return (cof_result){ COF_E_NOENT };
}

/* The mount points that the unit is to wait for. */
static cof_result plan_mounts(const struct boot *boot, const char *const typed[],
			      struct boot_result *result, struct cof_error *err)
{
	const struct boot_wait all = { .mounts = (char *[]){ NULL } };
	char risk[256];

	result->all = !typed[0];
	if (result->all)
		TRY(boot_wait_mounts(&all, &boot->tables, &result->mounts, err));
	else
		TRY(name_list_new(&result->mounts, err));
	for (size_t i = 0; typed[i]; i++) {
		const struct boot_mount *mount;

		TRY(find_mount(boot, typed[i], &mount, err));
		if (!name_list_has(result->mounts, mount->path))
			TRY(name_list_add(&result->mounts, mount->path, err));
	}
	if (!result->mounts[0])
		return raise_no_volumes(boot, err);
	for (size_t i = 0; result->mounts[i]; i++) {
		const struct boot_mount *mount = boot_mount_find(&boot->tables, result->mounts[i]);

		TRY(refuse_vault(boot, mount, err));
		add_note(result, boot_mount_risk(mount, risk));
	}
	return COF_OK;
}

/* Whether the list has the unit with just these mount points already. */
static bool is_listed(const struct boot *boot, const struct boot_result *result)
{
	const struct boot_wait *wait = boot_list_find(&boot->list, result->unit);
	size_t i = 0;

	if (!wait || result->all)
		return wait && !wait->mounts[0];
	while (wait->mounts[i] && result->mounts[i] &&
	       strcmp(wait->mounts[i], result->mounts[i]) == 0)
		i++;
	return !wait->mounts[i] && !result->mounts[i];
}

/* ---- bare mount points ---- */

/* Whether a mount point lies on another volume: then it is not there while that is not. */
static bool is_on_volume(const struct boot *boot, const char *path)
{
	for (size_t i = 0; i < boot->tables.mount_count; i++)
		if (boot->tables.mounts[i].volume[0] &&
		    boot_is_below(path, boot->tables.mounts[i].path))
			return true;
	return false;
}

/* Decides about one mount point that a unit waits for. One that somebody else has made immutable
 * stays so when nobody waits any more. */
static cof_result plan_close(struct changing *changing, const char *path,
			     struct boot_result *result, struct cof_error *err)
{
	char note[256];

	if (name_list_has(changing->close, path) || is_on_volume(changing->boot, path))
		return COF_OK;
	if (name_list_has(changing->boot->list.bare, path))
		return name_list_add(&changing->close, path, err);
	switch (bare_look(path)) {
	case BARE_OPEN:
		return name_list_add(&changing->close, path, err);
	case BARE_FULL:
		(void)snprintf(note, sizeof(note),
			       "the folder %.120s holds files of its own, and is left open to "
			       "writers",
			       path);
		add_note(result, note);
		return COF_OK;
	case BARE_CLOSED:
	case BARE_MISSING:
	case BARE_UNFIT:
		return COF_OK;
	}
	return COF_OK;
}

/* Whether a unit of the list still waits for this mount point after this run. */
static cof_result is_waited_for(const struct changing *changing, const char *path, bool *ret_waited,
				struct cof_error *err)
{
	const struct boot *boot = changing->boot;

	*ret_waited = false;
	for (size_t i = 0; i < boot->list.count && !*ret_waited; i++) {
		_cleanup_(name_list_freep) char **mounts = NULL;
		bool removed = false;

		for (size_t at = 0; at < changing->count; at++)
			removed |=
				strcmp(changing->results[at].unit, boot->list.waits[i].unit) == 0;
		if (removed)
			continue;
		TRY(boot_wait_mounts(&boot->list.waits[i], &boot->tables, &mounts, err));
		*ret_waited = name_list_has(mounts, path);
	}
	return COF_OK;
}

/* Decides about all of them. A unit that is added anew with fewer mount points gives up others. */
static cof_result plan_bare(struct changing *changing, struct cof_error *err)
{
	char *const *bare = changing->boot->list.bare;
	bool waited;

	TRY(name_list_new(&changing->close, err));
	TRY(name_list_new(&changing->open, err));
	for (size_t i = 0; i < changing->count && changing->adds; i++) {
		struct boot_result *result = &changing->results[i];

		for (size_t at = 0; result->error.code == COF_E_NONE && result->mounts[at]; at++)
			TRY(plan_close(changing, result->mounts[at], result, err));
	}
	for (size_t i = 0; bare[i]; i++) {
		TRY(is_waited_for(changing, bare[i], &waited, err));
		if (!waited && !name_list_has(changing->close, bare[i]))
			TRY(name_list_add(&changing->open, bare[i], err));
	}
	return COF_OK;
}

/* ---- the list ---- */

/* A line for each of these mount points, or none. */
static cof_result rewrite_bare(char *const mounts[], bool closed, struct buffer *text,
			       struct cof_error *err)
{
	for (size_t i = 0; mounts[i]; i++) {
		_cleanup_buffer_ struct buffer next = { 0 };

		TRY(boot_list_set_bare(buffer_span(text), mounts[i], closed, &next, err));
		buffer_done(text);
		*text = next;
		next = (struct buffer){ 0 };
	}
	return COF_OK;
}

/* tab_edit()'s rewrite: a line for each unit, or none. */
static cof_result rewrite_list(const char *path, struct span before, void *context,
			       struct buffer *ret_after, struct cof_error *err)
{
	static const char *const none[] = { NULL };
	const struct changing *changing = context;

	(void)path;
	TRY(buffer_add(ret_after, before.data, before.len, err));
	for (size_t i = 0; i < changing->count; i++) {
		const struct boot_result *result = &changing->results[i];
		_cleanup_buffer_ struct buffer next = { 0 };

		if (result->error.code != COF_E_NONE || !result->changed)
			continue;
		TRY(boot_list_set(buffer_span(ret_after), result->unit,
				  !changing->adds ? NULL
				  : result->all	  ? none
						  : (const char *const *)(uintptr_t)result->mounts,
				  &next, err));
		buffer_done(ret_after);
		*ret_after = next;
		next = (struct buffer){ 0 };
	}
	TRY(rewrite_bare(changing->close, true, ret_after, err));
	return rewrite_bare(changing->open, false, ret_after, err);
}

/* Sets or clears the flag of all of them. A folder that is gone needs no flag cleared. */
static cof_result set_flags(char *const mounts[], bool closed, struct cof_error *err)
{
	for (size_t i = 0; mounts[i]; i++) {
		if (!closed && bare_look(mounts[i]) == BARE_MISSING)
			continue;
		TRY(bare_set(mounts[i], closed, err));
		TRY(fault_point("boot/bare", err));
	}
	return COF_OK;
}

/* Writes the list and has systemd read it. The list names a flag before it is set, and until it is
 * cleared. */
static cof_result apply(struct changing *changing, struct cof_error *err)
{
	struct boot *boot = changing->boot;
	bool changed = changing->close[0] || changing->open[0];
	_cleanup_free_ char *folder = NULL;

	for (size_t i = 0; i < changing->count; i++)
		changed |= changing->results[i].changed &&
			   changing->results[i].error.code == COF_E_NONE;
	TRY(set_flags(changing->open, false, err));
	if (changed) {
		TRY(path_format(&folder, err, "%s/etc/coffer", boot->paths->root));
		TRY(folder_make(folder, 0755, err));
		TRY(tab_edit(boot->path, &list_file, rewrite_list, changing, err));
	}
	TRY(set_flags(changing->close, true, err));
	/* Also where nothing changed: a run before may have been cut off here. */
	if (boot->bus)
		TRY(cof_explain(bus_reload(boot->bus, err), err, "systemctl daemon-reload",
				"the list is written, but systemd goes by the old one"));
	return fault_point("boot/reloaded", err);
}

/* Passes the first failure up. */
static cof_result first_failure(const struct boot_result results[], size_t count,
				struct cof_error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (results[i].error.code == COF_E_NONE)
			continue;
		if (err)
			*err = results[i].error;
		return (cof_result){ results[i].error.code };
	}
	return COF_OK;
}

/* From the plan to the results. */
static cof_result finish(struct changing *changing, bool dry_run, struct cof_error *err)
{
	TRY(plan_bare(changing, err));
	for (size_t i = 0; i < changing->count; i++) {
		struct boot_result *result = &changing->results[i];

		if (result->error.code != COF_E_NONE)
			result->state = "failed";
		else if (dry_run && result->changed)
			result->state = "planned";
		else
			result->state = changing->adds ? "waits" : "free";
	}
	if (!dry_run)
		TRY(apply(changing, err));
	return first_failure(changing->results, changing->count, err);
}

/* Decides about one unit that is to wait. */
static cof_result plan_add(const struct boot *boot, const char *typed, const char *const mounts[],
			   struct boot_result *result, struct cof_error *err)
{
	TRY(find_unit(boot, typed, result, err));
	TRY(plan_mounts(boot, mounts, result, err));
	result->changed = !is_listed(boot, result);
	return COF_OK;
}

cof_result boot_add(struct boot *boot, const char *const units[], size_t count,
		    const char *const mounts[], bool dry_run, struct boot_result results[],
		    struct cof_error *err)
{
	_cleanup_(changing_done) struct changing changing = {
		.boot = boot, .results = results, .count = count, .adds = true
	};

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(results[i].unit, sizeof(results[i].unit), "%s", units[i]);
		cof_ignore(plan_add(boot, units[i], mounts, &results[i], &results[i].error));
	}
	if (!boot->bus && count > 0 && results[0].error.code == COF_E_NONE && !boot->paths->root[0])
		add_note(&results[0], "systemd does not run this machine: nothing but `coffer "
				      "start` goes by the list");
	return finish(&changing, dry_run, err);
}

/* Decides about one unit that is to wait no more: under the name typed, or its main one. */
static cof_result plan_remove(const struct boot *boot, const char *typed,
			      struct boot_result *result, struct cof_error *err)
{
	_cleanup_(bus_unit_done) struct bus_unit found = { 0 };
	const struct boot_wait *wait;

	TRY(boot_unit_name(typed, result->unit, err));
	wait = boot_list_find(&boot->list, result->unit);
	if (!wait && boot->bus && !cof_failed(bus_look(boot->bus, result->unit, &found, NULL)))
		wait = boot_list_find(&boot->list, found.id);
	if (!wait)
		return COF_OK;
	(void)strcpy(result->unit, wait->unit);
	result->all = !wait->mounts[0];
	result->changed = true;
	return boot_wait_mounts(wait, &boot->tables, &result->mounts, err);
}

cof_result boot_remove(struct boot *boot, const char *const units[], size_t count, bool dry_run,
		       struct boot_result results[], struct cof_error *err)
{
	_cleanup_(changing_done) struct changing changing = { .boot = boot,
							      .results = results,
							      .count = count };

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(results[i].unit, sizeof(results[i].unit), "%s", units[i]);
		cof_ignore(plan_remove(boot, units[i], &results[i], &results[i].error));
	}
	return finish(&changing, dry_run, err);
}
