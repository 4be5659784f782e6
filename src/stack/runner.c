/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Doing what was planned: see runner.h.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "fault.h"
#include "number.h"
#include "runner.h"
#include "uuid.h"

/* Notes how far a resource is, durably. */
static cof_result set_made(struct service *service, const struct resource *resource, enum made made,
			   struct cof_error *err)
{
	struct resource_state *state;

	TRY(state_of(&service->state, resource->rid, &state, err));
	state->made = made;
	(void)time_format(time(NULL), state->since);
	if (made == MADE_NOT) {
		state->own = false;
		state->uuid[0] = '\0';
	} else if (!state->uuid[0]) {
		TRY(uuid_random(state->uuid, err));
	}
	return service_save(service, err);
}

/* Whether a resource is up now. */
static bool is_up(struct service *service, const struct resource *resource)
{
	struct status status = { 0 };

	return !cof_failed(resource->driver->status(service, resource, &status, NULL)) &&
	       status.word == STATUS_UP;
}

/* Makes a resource if it is not made yet, and starts it. */
static cof_result bring_up(struct service *service, const struct resource *resource,
			   enum service_verb verb, struct cof_error *err)
{
	if (verb == SERVICE_PROVISION && resource->provisions &&
	    state_made(&service->state, resource->rid) != MADE_DONE) {
		TRY(set_made(service, resource, MADE_BEGUN, err));
		TRY(fault_point("service/begun", err));
		TRY(resource->driver->provision(service, resource, err));
		TRY(set_made(service, resource, MADE_DONE, err));
		TRY(fault_point("service/made", err));
	}
	TRY(resource->driver->start(service, resource, err));
	ENSURE(is_up(service, resource), err, COF_E_FAILED, resource->rid,
	       "is not up after it was started");
	return fault_point("service/started", err);
}

/* Stops what this run has started, the last first. What cannot be stopped stays up. */
static void roll_back(struct service *service, const struct service_plan *plan,
		      const bool started[], size_t count)
{
	struct cof_error why = { 0 };

	service_note(service, "", "a step failed: what this run has started is stopped again");
	for (size_t i = count; i-- > 0;) {
		const struct resource *resource = plan->steps[i].resource;

		if (!started[i])
			continue;
		if (cof_failed(resource->driver->stop(service, resource, &why))) {
			service_note_failure(service, resource->rid, &why);
			return;
		}
	}
}

/* Whether the service wants what was begun to be undone. */
static bool rolls_back(const struct service *service)
{
	const struct config_line *line =
		config_find(&service->config, CONFIG_DEFAULT, "rollback", service->node);

	return !line || keyword_bool(line->value);
}

/* Provision and start. */
static cof_result run_up(struct service *service, const struct service_plan *plan,
			 struct cof_error *err)
{
	_cleanup_free_ bool *started = calloc(plan->count + 1, sizeof(*started));

	ENSURE(started, err, COF_E_NOMEM, service->text, "no memory for its steps");
	for (size_t i = 0; i < plan->count; i++) {
		const struct resource *resource = plan->steps[i].resource;
		cof_result result;

		if (!plan->steps[i].does)
			continue;
		started[i] = !is_up(service, resource);
		result = cof_explain(bring_up(service, resource, plan->verb, err), err, NULL,
				     "%s: %s of %s failed", service->text,
				     service_verb_name(plan->verb), resource->rid);
		if (!cof_failed(result))
			continue;
		if (err)
			service_note_failure(service, resource->rid, err);
		if (rolls_back(service))
			roll_back(service, plan, started, i + 1);
		return result;
	}
	return COF_OK;
}

/* Starts what lies below a resource, for who must write to its device to destroy it. */
static cof_result start_below(struct service *service, const struct resource *resource,
			      struct cof_error *err)
{
	for (size_t i = 0; i < service->count && &service->resources[i] != resource; i++) {
		const struct resource *below = &service->resources[i];

		if (strcmp(below->group, "disk") == 0 && !below->disabled &&
		    state_made(&service->state, below->rid) == MADE_DONE)
			TRY(below->driver->start(service, below, err));
	}
	return COF_OK;
}

/* Stops one resource and destroys what provisioning made of it. */
static cof_result take_down(struct service *service, const struct resource *resource,
			    enum service_verb verb, struct cof_error *err)
{
	enum made made = state_made(&service->state, resource->rid);

	TRY(resource->driver->stop(service, resource, err));
	TRY(fault_point("service/stopped", err));
	if (verb != SERVICE_UNPROVISION || made == MADE_NOT || !resource->unprovisions)
		return COF_OK;
	if (resource->driver->needs_vault)
		TRY(start_below(service, resource, err));
	TRY(resource->driver->unprovision(service, resource, err));
	TRY(fault_point("service/unmade", err));
	TRY(set_made(service, resource, MADE_NOT, err));
	return fault_point("service/forgotten", err);
}

/* Stop and unprovision: what fails keeps what is below it up. */
static cof_result run_down(struct service *service, const struct service_plan *plan,
			   struct cof_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct resource *resource = plan->steps[i].resource;
		cof_result result;

		if (!plan->steps[i].does)
			continue;
		result = cof_explain(take_down(service, resource, plan->verb, err), err, NULL,
				     "%s: %s of %s failed", service->text,
				     service_verb_name(plan->verb), resource->rid);
		if (!cof_failed(result))
			continue;
		if (err)
			service_note_failure(service, resource->rid, err);
		return result;
	}
	return COF_OK;
}

/* What the service is once a verb has ended well. */
static void settle(struct service *service, const struct service_plan *plan)
{
	bool up = plan->verb == SERVICE_PROVISION || plan->verb == SERVICE_START;

	service->state.action[0] = '\0';
	service->state.failed[0] = '\0';
	if (!plan->all)
		return;
	service->state.started = up;
	if (up)
		service->state.frozen[0] = '\0';
	else if (plan->verb == SERVICE_STOP && !service->state.frozen[0])
		(void)time_format(time(NULL), service->state.frozen);
}

/* Says in the audit log that something was destroyed. */
static void audit(struct service *service, const struct service_plan *plan,
		  const struct cof_error *why)
{
	if (plan->verb == SERVICE_UNPROVISION && service->vault)
		audit_note(service->vault, &(struct audit_entry){ .event = "service.unprovision",
								  .subject = service->text,
								  .why = why });
}

cof_result service_run(struct service *service, const struct service_plan *plan,
		       struct cof_error *err)
{
	const char *name = service_verb_name(plan->verb);
	struct cof_error failure = { 0 };
	bool up = plan->verb == SERVICE_PROVISION || plan->verb == SERVICE_START;
	cof_result result;

	if (service_plan_does(plan))
		service_note(service, "", "%s begins%s", name,
			     service->force ? ", with force" : "");
	(void)snprintf(service->state.action, sizeof(service->state.action), "%s", name);
	TRY(service_save(service, err));
	TRY(fault_point("service/announced", err));
	result = up ? run_up(service, plan, &failure) : run_down(service, plan, &failure);
	audit(service, plan, cof_failed(result) ? &failure : NULL);
	if (cof_failed(result)) {
		service->state.action[0] = '\0';
		(void)snprintf(service->state.failed, sizeof(service->state.failed), "%s", name);
		/* The failure itself is what must be told. */
		cof_ignore(service_save(service, NULL));
		if (err)
			*err = failure;
		return result;
	}
	settle(service, plan);
	TRY(service_save(service, err));
	if (service_plan_does(plan))
		service_note(service, "", "%s is done", name);
	return fault_point("service/settled", err);
}

cof_result service_freeze(struct service *service, bool frozen, bool *ret_changed,
			  struct cof_error *err)
{
	*ret_changed = (service->state.frozen[0] != '\0') != frozen;
	if (!*ret_changed)
		return COF_OK;
	service->state.frozen[0] = '\0';
	if (frozen)
		(void)time_format(time(NULL), service->state.frozen);
	TRY(service_save(service, err));
	service_note(service, "", "%s", frozen ? "is frozen" : "is thawed");
	return COF_OK;
}
