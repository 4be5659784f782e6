/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer service provision|start|stop|restart: a service goes up or down.
 */

#include <string.h>

#include "service_act.h"
#include "unlocking.h"
#include "verbs.h"

/* Opens the vault where the verb needs it. */
static cof_result open_vault(struct cli_call *call, struct service *service, enum service_verb verb,
			     struct vault **ret_vault, struct cof_error *err)
{
	bool needs;

	TRY(service_needs_vault(service, verb, cli_value_list(call, "rid"), &needs, err));
	if (needs && !*ret_vault)
		TRY(cli_open_vault(call, true, ret_vault, err));
	service->vault = *ret_vault;
	return COF_OK;
}

/* Asks before what is on a device is overwritten. */
static cof_result confirm_overwriting(struct cli_call *call, const struct service_plan *plan,
				      struct cof_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct provision_plan *step = &plan->steps[i].plan;

		if (step->overwrites)
			TRY(cli_confirm_destroy(call, step->device, NULL, step->verdict.reason,
						err));
	}
	return COF_OK;
}

cof_result service_act(struct cli_call *call, struct service *service, enum service_verb verb,
		       bool force, struct vault **vault, struct json *document,
		       struct cof_error *err)
{
	_cleanup_(service_plan_done) struct service_plan plan = { 0 };

	service->force = force;
	TRY(open_vault(call, service, verb, vault, err));
	TRY(service_plan(service, verb, cli_value_list(call, "rid"), &plan, err));
	if (call->dry_run) {
		cli_say(call, "%s %s would:", service_verb_name(verb), service->text);
		service_show_plan(call, &plan, document);
		return COF_OK;
	}
	json_set_bool(document, "changed", service_plan_does(&plan));
	if (verb == SERVICE_PROVISION)
		TRY(confirm_overwriting(call, &plan, err));
	cli_say(call, "%s %s%s", service_verb_name(verb), service->text,
		service_plan_does(&plan) ? "" : ": nothing to do");
	return service_run(service, &plan, err);
}

/* The service of a call, locked unless nothing is to be done, and the document that tells of it. */
static cof_result begin(struct cli_call *call, struct service **ret_service, int *ret_lock,
			struct json **ret_document, struct cof_error *err)
{
	*ret_document = json_new_object();
	cli_show(call, *ret_document);
	TRY(service_of_call(call, ret_service, err));
	json_set_text(*ret_document, "path", (*ret_service)->text);
	if (!call->dry_run)
		TRY(service_lock_call(call, ret_service, ret_lock, err));
	return COF_OK;
}

/* A verb that is one action. */
static cof_result run_one(struct cli_call *call, enum service_verb verb, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_fd_ int lock = -1;
	struct json *document;

	TRY(begin(call, &service, &lock, &document, err));
	return service_act(call, service, verb, cli_flag(call, "force"), &vault, document, err);
}

cof_result service_lock_call(struct cli_call *call, struct service **service, int *ret_fd,
			     struct cof_error *err)
{
	TRY(service_lock(*service, ret_fd, err));
	/* As it was left by who held the lock before. */
	service_free(TAKE(*service));
	return service_of_call(call, service, err);
}

static cof_result run_provision(struct cli_call *call, struct cof_error *err)
{
	return run_one(call, SERVICE_PROVISION, err);
}

static cof_result run_start(struct cli_call *call, struct cof_error *err)
{
	return run_one(call, SERVICE_START, err);
}

static cof_result run_stop(struct cli_call *call, struct cof_error *err)
{
	return run_one(call, SERVICE_STOP, err);
}

/* Down, then up. */
static cof_result run_restart(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_fd_ int lock = -1;
	struct json *document;

	TRY(begin(call, &service, &lock, &document, err));
	TRY(service_act(call, service, SERVICE_STOP, cli_flag(call, "force"), &vault, document,
			err));
	if (call->dry_run)
		return COF_OK;
	return service_act(call, service, SERVICE_START, cli_flag(call, "force"), &vault, document,
			   err);
}

#define FORCE_OPTION(text)                                                                         \
	{                                                                                          \
		"force", CLI_FLAG, NULL, text                                                      \
	}

const struct cli_verb cli_verb_service_provision = {
	.noun = "service",
	.verb = "provision",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "make what a service is made of, and start it",
	.description =
		"Goes over the resources in the order in which they start, makes each that is not "
		"made yet, and starts it: files, LUKS headers, file systems. A device that holds "
		"data is refused before anything is written; one that is in use always. A "
		"passphrase is made for each disk.crypt, of 256 characters, and is in the vault "
		"before the header is written; one that is there already is used.\n\n"
		"Where a step fails, what this run has started is stopped again. What was made "
		"stays: the same command goes on from there, also after a crash.",
	.options =
		(const struct cli_option[]){
			SERVICE_RID_OPTION,
			FORCE_OPTION("overwrite devices that hold data, once that is agreed to"),
			CLI_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer service provision demo/svc/web --dry-run",
			  "what would be written where" },
			{ "coffer service provision demo/svc/web", "make it and start it" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_provision,
};

const struct cli_verb cli_verb_service_start = {
	.noun = "service",
	.verb = "start",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "start what a service is made of, in order",
	.description =
		"Starts each resource that is not up, the lowest first. File systems are checked "
		"before they are mounted; errors that the check corrects are no failure. Where a "
		"step fails, what this run has started is stopped again, unless the service says "
		"rollback = false. A started service is no longer frozen.",
	.options =
		(const struct cli_option[]){ SERVICE_RID_OPTION,
					     FORCE_OPTION("mount over a folder that is not empty"),
					     CLI_UNLOCK_OPTIONS,
					     { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer service start demo/svc/web", "start a service" }, { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_start,
};

#define STOP_FORCE FORCE_OPTION("without the proof that it could be started again")

const struct cli_verb cli_verb_service_stop = {
	.noun = "service",
	.verb = "stop",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "stop a service, once it is proven that it can be started again",
	.description =
		"Before anything is touched, each open LUKS volume of the service must be one "
		"that its stored passphrase opens again: the key is in the vault, and it opens "
		"the header on the device. If not, all stays as it is, so that the data can be "
		"saved; --force stops all the same. Then the resources are stopped, the highest "
		"first. A file system that is in use stays mounted, and who uses it is named.\n\n"
		"A stopped service is frozen: it is left alone at boot until it is started or "
		"thawed.",
	.options =
		(const struct cli_option[]){
			SERVICE_RID_OPTION, STOP_FORCE, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer service stop demo/svc/web", "stop a service" }, { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_stop,
};

const struct cli_verb cli_verb_service_restart = {
	.noun = "service",
	.verb = "restart",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "stop a service and start it again",
	.description = "As `coffer service stop`, with its proof, and then `coffer service start`.",
	.options =
		(const struct cli_option[]){
			SERVICE_RID_OPTION, STOP_FORCE, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer service restart demo/svc/web", "restart a service" }, { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_restart,
};
