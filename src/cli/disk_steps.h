/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_DISK_STEPS_H
#define COF_CLI_DISK_STEPS_H

/*
 * The course that verbs take which prepare devices for the vault: names, plan, question, work,
 * results.
 */

#include "cli.h"
#include "disk.h"

/**
 * struct disk_steps - what is special to a verb, once it has planned
 * @count:   devices
 * @context: handed to the functions
 * @say:     --dry-run: the steps for each device, with cli_say()
 * @stops:   whether nothing is to be asked or touched, since a device was refused; NULL: never
 * @confirm: ask about what will be lost; one refusal ends everything
 * @run:     do what was planned; its failures are in the results
 * @result:  that of one device, from the plan on; borrowed
 * @done, @same: as disk_results_show() takes them
 */
struct disk_steps {
	size_t count;
	void *context;
	void (*say)(const void *context);
	bool (*stops)(void *context);
	cof_result (*confirm)(const void *context, struct cof_error *err);
	cof_result (*run)(void *context, struct progress *progress, struct cof_error *err);
	const struct disk_result *(*result)(const void *context, size_t index);
	const char *done;
	const char *same;
};

/** disk_steps_names() - refuse names that are wrong before the vault asks for its passphrase.
 * Fails: as disk_check_names(), with what may have been meant */
cof_result disk_steps_names(struct cli_call *call, struct cof_error *err);

/** disk_steps_run() - from the plan to the results, which are shown.
 * Fails: the first device's failure, after all were tried; COF_E_REFUSED (not agreed) */
cof_result disk_steps_run(struct cli_call *call, const struct disk_steps *steps,
			  struct cof_error *err);

#endif
