/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One service up or down: through systemd, or its init script where another init runs.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot_unit.h"
#include "child.h"
#include "file.h"
#include "work.h"

#define SCRIPT_TIMEOUT_MS (300u * 1000)

/* ---- systemd ---- */

/* Whether a socket, timer or path is to be up with its service: where it is up at every boot. */
static bool is_wanted(const struct bus_unit *starter)
{
	return starter->known && strncmp(starter->enabled, "enabled", strlen("enabled")) == 0;
}

static bool is_up(const struct bus_unit *unit)
{
	return strcmp(unit->active, "active") == 0;
}

/* Starts a unit that has no conditions left. */
static cof_result start_unit(struct bus *bus, const char *name, struct cof_error *err)
{
	_cleanup_(bus_unit_done) struct bus_unit after = { 0 };
	char remedy[BOOT_UNIT_MAX_CHARS + 64];

	(void)snprintf(remedy, sizeof(remedy), "systemctl status '%s'", name);
	bus_forgive(bus, name);
	TRY(cof_explain(bus_run(bus, BUS_START, name, BOOT_JOB_TIMEOUT_MS, err), err, remedy,
			"%s could not be started", name));
	TRY(bus_look(bus, name, &after, err));
	if (strcmp(after.active, "failed") != 0)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_FAILED, name, "failed after it was started: %s",
			     after.result));
	cof_error_try(err, "%s", remedy);
	return (cof_result){ COF_E_FAILED };
}

/* The sockets, timers and paths of a service come first, as at boot. */
static cof_result start_starters(struct bus *bus, const struct bus_unit *unit, bool dry_run,
				 bool *ret_changed, struct cof_error *err)
{
	for (char **name = unit->starters; *name; name++) {
		_cleanup_(bus_unit_done) struct bus_unit starter = { 0 };

		TRY(bus_look(bus, *name, &starter, err));
		if (is_up(&starter) || !is_wanted(&starter))
			continue;
		*ret_changed = true;
		if (!dry_run)
			TRY(start_unit(bus, *name, err));
	}
	return COF_OK;
}

static cof_result start_by_systemd(const struct boot_work *work, const char *name,
				   bool *ret_changed, struct cof_error *err)
{
	_cleanup_(bus_unit_done) struct bus_unit unit = { 0 };

	TRY(bus_look(work->boot->bus, name, &unit, err));
	ENSURE(unit.known, err, COF_E_NOENT, name, "there is no such unit");
	TRY(start_starters(work->boot->bus, &unit, work->dry_run, ret_changed, err));
	if (is_up(&unit))
		return COF_OK;
	*ret_changed = true;
	return work->dry_run ? COF_OK : start_unit(work->boot->bus, name, err);
}

/* What would start the service again goes first. */
static cof_result stop_by_systemd(const struct boot_work *work, const char *name, bool *ret_changed,
				  struct cof_error *err)
{
	_cleanup_(bus_unit_done) struct bus_unit unit = { 0 };

	TRY(bus_look(work->boot->bus, name, &unit, err));
	for (char **starter = unit.starters; *starter; starter++) {
		_cleanup_(bus_unit_done) struct bus_unit found = { 0 };

		TRY(bus_look(work->boot->bus, *starter, &found, err));
		if (!is_up(&found))
			continue;
		*ret_changed = true;
		if (!work->dry_run)
			TRY(bus_run(work->boot->bus, BUS_STOP, *starter, BOOT_JOB_TIMEOUT_MS, err));
	}
	if (!unit.known || strcmp(unit.active, "inactive") == 0 ||
	    strcmp(unit.active, "failed") == 0)
		return COF_OK;
	*ret_changed = true;
	if (work->dry_run)
		return COF_OK;
	return cof_explain(bus_run(work->boot->bus, BUS_STOP, name, BOOT_JOB_TIMEOUT_MS, err), err,
			   NULL, "%s could not be stopped", name);
}

/* ---- init scripts ---- */

/* The init script of a service. Fails: COF_E_UNSUPPORTED, COF_E_NOENT */
static cof_result find_script(const struct boot_work *work, const char *unit, char **ret_path,
			      struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	ENSURE(boot_unit_is_service(unit), err, COF_E_UNSUPPORTED, unit,
	       "is a unit of systemd, which does not run this machine");
	TRY(path_format(&path, err, "%s/etc/init.d/%.*s", work->boot->paths->root,
			(int)(strrchr(unit, '.') - unit), unit));
	ENSURE(access(path, X_OK) == 0, err, COF_E_NOENT, path,
	       "there is no such init script, and systemd does not run this machine");
	*ret_path = TAKE(path);
	return COF_OK;
}

/* Whether a script says that its service runs: LSB 5.0, init script actions, "status". */
static cof_result script_is_up(const char *path, bool *ret_up, struct cof_error *err)
{
	const char *const argv[] = { path, "status", NULL };
	int status;

	TRY(child_run(argv, (struct span){ 0 }, SCRIPT_TIMEOUT_MS, NULL, &status, err));
	*ret_up = status == 0;
	return COF_OK;
}

/* Runs a script's action unless the service is as wanted. */
static cof_result run_script(const struct boot_work *work, const char *unit, bool up,
			     bool *ret_changed, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	const char *argv[] = { NULL, up ? "start" : "stop", NULL };
	bool is;

	TRY(find_script(work, unit, &path, err));
	TRY(script_is_up(path, &is, err));
	if (is == up)
		return COF_OK;
	*ret_changed = true;
	argv[0] = path;
	return work->dry_run ? COF_OK : child_check(argv, SCRIPT_TIMEOUT_MS, err);
}

cof_result boot_service_start(const struct boot_work *work, const char *unit, bool *ret_changed,
			      struct cof_error *err)
{
	if (work->boot->bus)
		return start_by_systemd(work, unit, ret_changed, err);
	return run_script(work, unit, true, ret_changed, err);
}

cof_result boot_service_stop(const struct boot_work *work, const char *unit, bool *ret_changed,
			     struct cof_error *err)
{
	if (work->boot->bus)
		return stop_by_systemd(work, unit, ret_changed, err);
	return run_script(work, unit, false, ret_changed, err);
}
