/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_SERVICE_CALL_H
#define COF_CLI_SERVICE_CALL_H

/*
 * What the verbs on services share.
 */

#include "cli.h"
#include "runner.h"

#define SERVICE_RID_OPTION                                                                         \
	{ "rid", CLI_TEXT, "RID",                                                                  \
	  "only this resource, such as disk#1, or all of a group, such as disk; may be repeated" }

/** service_of_call() - the service that the first argument names; its steps are said on stdout */
cof_result service_of_call(struct cli_call *call, struct service **ret_service,
			   struct cof_error *err);

/** service_show_plan() - the steps as lines, and as "steps" of @document */
void service_show_plan(const struct cli_call *call, const struct service_plan *plan,
		       struct json *document);

/** service_json() - the service as `service status --json` shows it; caller owns */
cof_result service_json(struct service *service, struct json **ret_json, struct cof_error *err);

#endif
