/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a verb would do with a service. Changes nothing.
 */

#include <stdio.h>
#include <string.h>

#include "name_list.h"
#include "runner.h"

const char *service_verb_name(enum service_verb verb)
{
	static const char *const names[] = { "provision", "start", "stop", "unprovision" };

	return names[verb];
}

void service_plan_done(struct service_plan *plan)
{
	free(plan->steps);
	*plan = (struct service_plan){ 0 };
}

bool service_plan_does(const struct service_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].does)
			return true;
	return false;
}

/* Whether --rid names this resource, or nothing was named. */
static bool is_chosen(const struct resource *resource, const char *const rids[])
{
	for (size_t i = 0; rids[i]; i++)
		if (strcmp(rids[i], resource->rid) == 0 || strcmp(rids[i], resource->group) == 0)
			return true;
	return !rids[0];
}

/* That every --rid names something. */
static cof_result check_rids(const struct service *service, const char *const rids[],
			     struct cof_error *err)
{
	for (size_t i = 0; rids[i]; i++) {
		const char *const one[] = { rids[i], NULL };
		bool found = false;

		for (size_t j = 0; j < service->count; j++)
			found |= is_chosen(&service->resources[j], one);
		if (found)
			continue;
		cof_ignore(
			cof_raise(err, COF_E_NOENT, service->text, "has no resource %s", rids[i]));
		cof_error_try(err, "coffer service status %s", service->text);
		return (cof_result){ COF_E_NOENT };
	}
	return COF_OK;
}

/* Whether the machine can do what a driver does. */
static cof_result check_probe(const struct resource *resource, struct cof_error *err)
{
	char why_not[256] = "";

	ENSURE(resource->driver->probe(why_not, sizeof(why_not)), err, COF_E_UNSUPPORTED,
	       resource->rid, "this machine cannot do it: %s", why_not);
	return COF_OK;
}

static cof_result plan_provision(struct service *service, struct service_step *step,
				 struct cof_error *err)
{
	const struct resource *resource = step->resource;
	struct status status = { 0 };

	step->does =
		resource->provisions && state_made(&service->state, resource->rid) != MADE_DONE;
	if (step->does) {
		TRY(check_probe(resource, err));
		TRY(resource->driver->plan(service, resource, &step->plan, err));
		(void)snprintf(step->text, sizeof(step->text), "%s", step->plan.text);
		return COF_OK;
	}
	TRY(resource->driver->status(service, resource, &status, err));
	step->does = status.word != STATUS_UP;
	(void)snprintf(step->text, sizeof(step->text), "%s",
		       step->does ? "start" : "is provisioned and up");
	return COF_OK;
}

static cof_result plan_start(struct service *service, struct service_step *step,
			     struct cof_error *err)
{
	const struct resource *resource = step->resource;
	struct status status = { 0 };

	if (resource->provisions && state_made(&service->state, resource->rid) != MADE_DONE) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, service->text, "%s is not provisioned",
				     resource->rid));
		cof_error_try(err, "coffer service provision %s", service->text);
		return (cof_result){ COF_E_REFUSED };
	}
	TRY(check_probe(resource, err));
	TRY(resource->driver->status(service, resource, &status, err));
	step->does = status.word != STATUS_UP;
	(void)snprintf(step->text, sizeof(step->text), "%s", step->does ? "start" : "is up");
	return COF_OK;
}

/* Whether there is anything to stop: what is half up as well. */
static bool is_there(const struct status *status)
{
	return status->word != STATUS_DOWN && status->word != STATUS_NA;
}

/* Loss protection comes before anything is touched: the file system above is still mounted. */
static cof_result plan_stop(struct service *service, const struct service_plan *plan,
			    struct service_step *step, struct cof_error *err)
{
	const struct resource *resource = step->resource;
	struct status status = { 0 };

	TRY(resource->driver->status(service, resource, &status, err));
	step->does = is_there(&status);
	if (plan->all && resource->standby && !service->force) {
		step->does = false;
		(void)snprintf(step->text, sizeof(step->text), "stays up: it is on standby");
		return COF_OK;
	}
	(void)snprintf(step->text, sizeof(step->text), "%s", step->does ? "stop" : "is down");
	if (!step->does || service->force || !resource->driver->prove)
		return COF_OK;
	return resource->driver->prove(service, resource, err);
}

static cof_result plan_unprovision(struct service *service, struct service_step *step,
				   struct cof_error *err)
{
	const struct resource *resource = step->resource;
	struct status status = { 0 };
	bool made = state_made(&service->state, resource->rid) != MADE_NOT;

	TRY(resource->driver->status(service, resource, &status, err));
	step->does = (made && resource->unprovisions) || status.word == STATUS_UP ||
		     status.word == STATUS_WARN;
	(void)snprintf(step->text, sizeof(step->text), "%s%s",
		       !step->does		    ? "is not provisioned"
		       : status.word == STATUS_DOWN ? ""
						    : "stop",
		       !step->does || !made	    ? ""
		       : !resource->unprovisions    ? ", and keep it"
		       : status.word == STATUS_DOWN ? "destroy"
						    : ", then destroy");
	return COF_OK;
}

/* One resource of a plan. */
static cof_result plan_step(struct service *service, const struct service_plan *plan,
			    struct service_step *step, struct cof_error *err)
{
	if (step->resource->disabled) {
		(void)snprintf(step->text, sizeof(step->text), "is disabled");
		return COF_OK;
	}
	switch (plan->verb) {
	case SERVICE_PROVISION:
		return plan_provision(service, step, err);
	case SERVICE_START:
		return plan_start(service, step, err);
	case SERVICE_STOP:
		return plan_stop(service, plan, step, err);
	case SERVICE_UNPROVISION:
		break;
	}
	return plan_unprovision(service, step, err);
}

cof_result service_plan(struct service *service, enum service_verb verb, const char *const rids[],
			struct service_plan *ret_plan, struct cof_error *err)
{
	_cleanup_(service_plan_done) struct service_plan plan = { .verb = verb, .all = !rids[0] };
	bool forwards = verb == SERVICE_PROVISION || verb == SERVICE_START;
	cof_result planned;

	TRY(check_rids(service, rids, err));
	plan.steps = calloc(service->count + 1, sizeof(*plan.steps));
	ENSURE(plan.steps, err, COF_E_NOMEM, service->text, "no memory for a plan");
	for (size_t i = 0; i < service->count; i++) {
		const struct resource *resource =
			&service->resources[forwards ? i : service->count - 1 - i];
		struct service_step *step = &plan.steps[plan.count];

		if (!is_chosen(resource, rids))
			continue;
		step->resource = resource;
		planned = plan_step(service, &plan, step, err);
		if (cof_failed(planned) && err && err->headline[0])
			return planned;
		TRY(cof_explain(planned, err, NULL, "%s: cannot %s %s", service->text,
				service_verb_name(verb), resource->rid));
		plan.count++;
	}

	*ret_plan = plan;
	plan = (struct service_plan){ 0 };
	return COF_OK;
}

cof_result service_needs_vault(struct service *service, enum service_verb verb,
			       const char *const rids[], bool *ret_needs, struct cof_error *err)
{
	*ret_needs = false;
	TRY(check_rids(service, rids, err));
	if (verb == SERVICE_STOP && service->force)
		return COF_OK;
	for (size_t i = 0; i < service->count && !*ret_needs; i++) {
		const struct resource *resource = &service->resources[i];
		enum made made = state_made(&service->state, resource->rid);
		struct status status = { 0 };

		if (!resource->driver->needs_vault || resource->disabled ||
		    !is_chosen(resource, rids))
			continue;
		TRY(resource->driver->status(service, resource, &status, err));
		if (verb == SERVICE_UNPROVISION)
			*ret_needs = made != MADE_NOT;
		else
			*ret_needs =
				verb == SERVICE_STOP ? is_there(&status) : status.word != STATUS_UP;
		*ret_needs |= verb == SERVICE_PROVISION && made != MADE_DONE;
	}
	return COF_OK;
}
