/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_SERVICE_ACT_H
#define COF_CLI_SERVICE_ACT_H

#include "service_call.h"

/** service_lock_call() - service_lock(), and the service as it is since then
 * @service: replaced; NULL after a failure */
cof_result service_lock_call(struct cli_call *call, struct service **service, int *ret_fd,
			     struct cof_error *err);

/**
 * service_act() - plan one verb, and run it unless this is a dry run
 * @vault:    opened where it is needed and not open yet; the caller closes it
 * @document: gets "changed", or the plan's "steps"
 * The verb has --rid. Fails: as service_plan() and service_run()
 */
cof_result service_act(struct cli_call *call, struct service *service, enum service_verb verb,
		       bool force, struct vault **vault, struct json *document,
		       struct cof_error *err);

#endif
