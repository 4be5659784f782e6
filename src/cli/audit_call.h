/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_AUDIT_CALL_H
#define COF_CLI_AUDIT_CALL_H

/*
 * What every run of the command line has to do with the audit log.
 */

#include "cli.h"

/** cli_audit_start() - from now on the log's lines name this verb */
void cli_audit_start(const struct cli_call *call);
/** cli_audit_end() - write a failure that the verb itself did not, and report once what could not
 * be written. @result: of the verb, with its @err */
void cli_audit_end(const struct cli_call *call, cof_result result, const struct cof_error *err);

#endif
