/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer service unprovision|purge: the data of a service goes.
 */

#include <stdio.h>
#include <string.h>

#include "service_act.h"
#include "unlocking.h"
#include "verbs.h"

/* What will be lost, in words. */
static void describe(const struct service *service, const char *const rids[], char *out,
		     size_t out_size_bytes)
{
	size_t used = (size_t)snprintf(out, out_size_bytes,
				       "All data of %s is lost: keys, headers, files. Made were",
				       service->text);
	const char *comma = " ";

	for (size_t i = 0; i < service->count && used < out_size_bytes; i++) {
		const struct resource *resource = &service->resources[i];
		bool chosen = !rids[0];

		for (size_t j = 0; rids[j]; j++)
			chosen |= strcmp(rids[j], resource->rid) == 0 ||
				  strcmp(rids[j], resource->group) == 0;
		if (!chosen || state_made(&service->state, resource->rid) == MADE_NOT)
			continue;
		used += (size_t)snprintf(out + used, out_size_bytes - used, "%s%s", comma,
					 resource->rid);
		comma = ", ";
	}
}

/* Whether anything of the service was made. */
static bool is_made(const struct service *service)
{
	for (size_t i = 0; i < service->count; i++)
		if (state_made(&service->state, service->resources[i].rid) != MADE_NOT)
			return true;
	return false;
}

/* Both verbs. @forget: the service itself goes as well. */
static cof_result destroy(struct cli_call *call, bool forget, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_fd_ int lock = -1;
	struct json *document = json_new_object();
	char text[512];

	cli_show(call, document);
	TRY(service_of_call(call, &service, err));
	json_set_text(document, "path", service->text);
	if (!call->dry_run)
		TRY(service_lock_call(call, &service, &lock, err));
	if (!call->dry_run && is_made(service)) {
		describe(service, cli_value_list(call, "rid"), text, sizeof(text));
		TRY(cli_confirm_destroy(call, service->text, NULL, text, err));
	}
	TRY(service_act(call, service, SERVICE_UNPROVISION, false, &vault, document, err));
	if (!forget)
		return COF_OK;
	if (!call->dry_run)
		TRY(service_forget(service, err));
	json_set_bool(document, "changed", !call->dry_run);
	cli_say(call, "%s %s", call->dry_run ? "would forget" : "forgot", service->text);
	return COF_OK;
}

static cof_result run_unprovision(struct cli_call *call, struct cof_error *err)
{
	return destroy(call, false, err);
}

static cof_result run_purge(struct cli_call *call, struct cof_error *err)
{
	return destroy(call, true, err);
}

const struct cli_verb cli_verb_service_unprovision = {
	.noun = "service",
	.verb = "unprovision",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "destroy what was made for a service; its configuration stays",
	.description =
		"Stops the service and destroys what provisioning has made, the highest first: "
		"LUKS headers are overwritten, and then their passphrases go from the vault with "
		"all their history; files that coffer has made are removed. What coffer found "
		"there stays. The service's name is asked for, or given with --yes-destroy.",
	.options = (const struct cli_option[]){ SERVICE_RID_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples = (const struct cli_example[]){ { "coffer service unprovision demo/svc/web",
						    "ask, then destroy the data of a service" },
						  { 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_unprovision,
};

const struct cli_verb cli_verb_service_purge = {
	.noun = "service",
	.verb = "purge",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "destroy what was made for a service, and the service itself",
	.description = "As `coffer service unprovision`; then the service's log, state and "
		       "configuration are removed.",
	.options = (const struct cli_option[]){ SERVICE_RID_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples = (const struct cli_example[]){ { "coffer service purge demo/svc/web",
						    "ask, then destroy a service" },
						  { 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_purge,
};
