/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_DISK_HEADER_RUN_H
#define COF_CLI_DISK_HEADER_RUN_H

/*
 * What the verbs about disks' headers share.
 */

#include "cli.h"
#include "disk_headers.h"

/** enum header_names - what a verb takes */
enum header_names {
	HEADER_ONE_NAME,       /* and has no --all */
	HEADER_NAMES_OR_ALL,   /* one of the two must be there */
	HEADER_NAMES_ELSE_ALL, /* no names mean all */
};

/** struct header_run - what a run has in hand; { 0 } before header_run_init() */
struct header_run {
	struct vault *vault; /* NULL where there is none */
	struct header_work work;
	char **all;
	const char *const *names; /* to work on, NULL-terminated; borrowed from the call or @all */
	size_t count;
	uint64_t generation; /* `header backup`: the one asked for, or 0 */
};
void header_run_done(struct header_run *run);

/** header_run_init() - open the vault and choose the disks. A locked vault, or none, keeps nobody
 * from looking at devices that are named by a path. Fails: COF_E_USAGE, as cli_open_vault() */
cof_result header_run_init(struct cli_call *call, enum header_names which, struct header_run *run,
			   struct cof_error *err);

/** header_run_disks() - an array for the run's disks in its document; borrowed */
struct json *header_run_disks(struct cli_call *call);

/**
 * header_run_note() - note how one of several disks ended; the first failure is kept, the others
 * are reported
 * @json:   of that disk, gets the failure; NULL for none
 * @error:  its code is COF_E_NONE on success
 * @first:  gets the first failure; may be NULL
 * @result: the run's, so far
 */
void header_run_note(struct json *json, const struct cof_error *error, struct cof_error *first,
		     cof_result *result);

/** header_work_one - one disk of header_run_each(); fills @json */
typedef cof_result (*header_work_one)(struct cli_call *call, struct header_run *run,
				      const char *name, struct json *json, struct cof_error *err);

/**
 * header_run_each() - the disks of a run, one after the other, each with its part of the document
 * Fails: as the first of them; all are tried, and the other failures are reported
 */
cof_result header_run_each(struct cli_call *call, struct header_run *run, header_work_one work,
			   struct cof_error *err);

/**
 * header_run_plan() - show a plan, ask where something goes that was no damage, and do it
 * @typed:   what the user called the disk
 * @json:    of that disk, gets the plan
 * @restore: the plan is header_restore_plan()'s, else header_repair_plan()'s
 * Fails: COF_E_REFUSED (not agreed), as header_restore_run() and header_repair_run()
 */
cof_result header_run_plan(struct cli_call *call, struct header_run *run, const char *typed,
			   struct header_plan *plan, struct json *json, bool restore,
			   struct cof_error *err);

#endif
