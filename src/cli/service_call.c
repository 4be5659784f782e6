/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "look.h"
#include "service_call.h"

/* A service_say: one step on stdout. */
static void say_step(void *context, const char *rid, const char *text)
{
	cli_say(context, "  %s%s%s", rid, rid[0] ? ": " : "", text);
}

cof_result service_of_call(struct cli_call *call, struct service **ret_service,
			   struct cof_error *err)
{
	struct service_path path;

	TRY(service_path_parse(call->args[0], "svc", &path, err));
	TRY(service_load(call->paths, &path, ret_service, err));
	(*ret_service)->say = say_step;
	(*ret_service)->say_context = call;
	return COF_OK;
}

/* What is on a device that would be written on, in one word for programs. */
static const char *verdict_word(const struct verdict *verdict)
{
	static const char *const words[] = { "free", "holds-data", "in-use", "unfit" };

	return words[verdict->state];
}

void service_show_plan(const struct cli_call *call, const struct service_plan *plan,
		       struct json *document)
{
	struct json *steps = json_new_array();

	for (size_t i = 0; i < plan->count; i++) {
		const struct service_step *step = &plan->steps[i];
		struct json *item = json_new_object();
		const char *verdict =
			step->plan.device[0] ? verdict_word(&step->plan.verdict) : NULL;

		json_set_text(item, "rid", step->resource->rid);
		json_set_bool(item, "does", step->does);
		json_set_text(item, "text", step->text);
		json_set_known(item, "device", step->plan.device);
		json_set_text(item, "verdict", verdict);
		json_set_bool(item, "overwrites", step->plan.overwrites);
		json_add(steps, item);
		cli_say(call, "  %s: %s%s%s%s", step->resource->rid, step->text,
			step->plan.overwrites ? ", and overwrite what is there: "
			: step->plan.device[0] && !step->plan.verdict.reason[0] ? " (it is empty)"
			: step->plan.later ? " (looked at once what is below is up)"
					   : "",
			step->plan.overwrites ? step->plan.verdict.reason : "", "");
	}
	json_set(document, "steps", steps);
}

/* One resource. */
static struct json *resource_json(const struct look_resource *look)
{
	struct json *json = json_new_object();
	char type[40];
	char flags[STATUS_FLAGS + 1];

	(void)snprintf(type, sizeof(type), "%s.%s", look->resource->driver->group,
		       look->resource->driver->type);
	json_set_text(json, "type", type);
	json_set_text(json, "label", look->label);
	json_set_text(json, "status", status_text(look->row.word, look->row.standby));
	json_set_bool(json, "provisioned", look->row.provisioned);
	json_set_text(json, "flags", status_flags(&look->row, flags));
	json_set_bool(json, "disabled", look->row.disabled);
	json_set_bool(json, "optional", look->row.optional);
	json_set_bool(json, "standby", look->row.standby);
	json_set_known(json, "note", look->note);
	return json;
}

cof_result service_json(struct service *service, struct json **ret_json, struct cof_error *err)
{
	_cleanup_(look_done) struct look look = { 0 };
	struct json *json;
	struct json *resources;
	char notice[LOOK_NOTICE_CHARS];

	TRY(look_at_service(service, &look, err));
	json = json_new_object();
	resources = json_new_object();
	json_set_text(json, "path", service->text);
	json_set_text(json, "node", service->node);
	json_set_text(json, "avail", status_text(look.sum.avail, false));
	json_set_text(json, "optional", status_text(look.sum.optional, false));
	json_set_text(json, "overall", status_text(look.sum.overall, false));
	if (look.sum.provisioned == PROVISIONED_MIXED)
		json_set_text(json, "provisioned", "mixed");
	else
		json_set_bool(json, "provisioned", look.sum.provisioned == PROVISIONED_YES);
	json_set_known(json, "frozen", service->state.frozen);
	json_set_bool(json, "started", service->state.started);
	json_set_known(json, "failed", service->state.failed);
	json_set_known(json, "unfinished", service->state.action);
	json_set_text(json, "notice", look_notice(service, &look, notice));
	for (size_t i = 0; i < look.count; i++)
		json_set(resources, look.resources[i].row.rid, resource_json(&look.resources[i]));
	json_set(json, "resources", resources);
	*ret_json = json;
	return COF_OK;
}
