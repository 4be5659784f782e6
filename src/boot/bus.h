/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_BUS_H
#define COF_BOOT_BUS_H

/*
 * The system's service manager, through sd-bus, which nothing else includes.
 */

#include "boot_list.h"

struct bus;

/**
 * struct bus_unit - what systemd knows of a unit; all owned
 * @known:    there is such a unit
 * @id:       its main name, which may be another than asked for
 * @active:   "active", "inactive", "failed", "activating", ...
 * @result:   of a service, socket or mount that failed: "exit-code", "timeout", ...; else ""
 * @enabled:  "enabled", "disabled", "masked", "generated", ...; "" where systemd has no file of it
 * @starters: sockets, timers and paths that start it, NULL-terminated
 * @before:   units that wait for it, NULL-terminated
 */
struct bus_unit {
	bool known;
	char *id;
	char *active;
	char *result;
	char *enabled;
	char **starters;
	char **before;
};
void bus_unit_done(struct bus_unit *unit);

/** bus_is_there() - whether systemd runs this machine */
bool bus_is_there(void);

/** bus_open() - talk to systemd, with no bus daemon between for root. Fails: COF_E_UNSUPPORTED */
cof_result bus_open(struct bus **ret_bus, struct cof_error *err);
void bus_close(struct bus *bus);
DEFINE_FREEP(struct bus, bus_closep, bus_close)

/** bus_look() - what is known of a unit; that there is none is an answer. The caller runs
 * bus_unit_done(), also after a failure. Fails: COF_E_FAILED, COF_E_NOMEM */
cof_result bus_look(struct bus *bus, const char *name, struct bus_unit *ret_unit,
		    struct cof_error *err);

/** enum bus_verb - what is asked of systemd; alone: nothing that the unit wants is started with it
 */
enum bus_verb { BUS_START, BUS_START_ALONE, BUS_STOP };

/**
 * bus_run() - start or stop a unit and wait for the end of it
 * @timeout_ms: of waiting, after which it goes on without us
 * Fails: COF_E_FAILED (with systemd's own word for it), COF_E_BUSY (time-out), COF_E_NOENT (no such
 * unit)
 */
cof_result bus_run(struct bus *bus, enum bus_verb verb, const char *name, unsigned int timeout_ms,
		   struct cof_error *err);

/** bus_forgive() - forget that a unit has failed, so that it may be started again; what cannot be
 * forgotten shows when it is started */
void bus_forgive(struct bus *bus, const char *name);

/** bus_reload() - as `systemctl daemon-reload`, which runs the generators. Fails: COF_E_FAILED */
cof_result bus_reload(struct bus *bus, struct cof_error *err);

#endif
