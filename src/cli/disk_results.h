/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_DISK_RESULTS_H
#define COF_CLI_DISK_RESULTS_H

#include "cli.h"
#include "disk.h"

/**
 * disk_results_show() - results of a disk verb: {"disks": [...]} with --json, else a line each on
 * stdout; every failure but the first, which is passed up, is reported on stderr
 * @done: what the verb does to a disk that it changed, "opened"
 * @same: and how one was that it found done already, "is open already"
 * Fails: the first result's failure
 */
cof_result disk_results_show(struct cli_call *call, const struct disk_result results[],
			     size_t count, const char *done, const char *same,
			     struct cof_error *err);

/** disk_raise_unnamed() - that neither a disk nor --all was given, with both forms as remedy.
 * Fails: COF_E_USAGE, always */
cof_result disk_raise_unnamed(const struct cli_call *call, struct cof_error *err);

/**
 * disk_results_suggest() - name what may have been meant by names that nothing has
 * @vault:   whose disks count as well; may be NULL or locked
 * @names:   as typed
 * @results: one for each; those that failed as unknown names get a remedy
 */
void disk_results_suggest(struct vault *vault, const char *const names[], size_t count,
			  struct disk_result results[]);
/** disk_results_suggest_list() - the same for a verb that destroys: no disk is offered to it */
void disk_results_suggest_list(const char *const names[], size_t count,
			       struct disk_result results[]);

#endif
