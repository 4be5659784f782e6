/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "driver_help.h"
#include "name_list.h"

cof_result help_one_name(const char *name, char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;

	TRY(name_list_new(&names, err));
	TRY(name_list_add(&names, name, err));
	*ret_names = TAKE(names);
	return COF_OK;
}

cof_result help_words(const char *text, char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_free_ char *copy = strdup(text);
	char *rest = NULL;

	ENSURE(copy, err, COF_E_NOMEM, NULL, "no memory for a list of words");
	TRY(name_list_new(&names, err));
	for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		TRY(name_list_add(&names, word, err));
	*ret_names = TAKE(names);
	return COF_OK;
}

bool help_can_always(char *why_not, size_t why_not_size_bytes)
{
	(void)why_not;
	(void)why_not_size_bytes;
	return true;
}

cof_result help_sub_device(struct service *service, const struct resource *resource,
			   char ***ret_names, struct cof_error *err)
{
	_cleanup_free_ char *device = NULL;

	*ret_names = NULL;
	TRY(service_value(service, resource, "dev", &device, err));
	return device ? help_words(device, ret_names, err) : COF_OK;
}

/* Whether what is on the device is only what a killed run of ours has begun. */
static bool is_ours(const struct verdict *verdict, const char *ours)
{
	return ours && verdict->state == VERDICT_HOLDS_DATA &&
	       (!verdict->signature[0] || strcmp(verdict->signature, ours) == 0);
}

cof_result help_plan_device(struct service *service, const struct resource *resource,
			    const char *what, const char *ours, struct provision_plan *ret_plan,
			    struct cof_error *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_(device_freep) struct device *device = NULL;
	struct verdict *verdict = &ret_plan->verdict;

	TRY(service_value(service, resource, "dev", &name, err));
	(void)snprintf(ret_plan->text, sizeof(ret_plan->text), "%s", what);
	ret_plan->later = !name;
	if (!name)
		return COF_OK;
	/* A leg of a multipath device is answered with the device. */
	TRY(device_find(name, &device, err));
	TRY(device_verdict(device, verdict, err));
	(void)snprintf(ret_plan->device, sizeof(ret_plan->device), "%s", device->node);
	(void)snprintf(ret_plan->text, sizeof(ret_plan->text), "%s on %.200s", what, name);
	if (verdict->state == VERDICT_FREE || is_ours(verdict, ours))
		return COF_OK;
	ret_plan->overwrites = verdict->state == VERDICT_HOLDS_DATA;
	if (ret_plan->overwrites && service->force)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, device->node, "%s and was not touched",
			     ret_plan->overwrites		? "holds data"
			     : verdict->state == VERDICT_IN_USE ? "is in use"
								: "cannot be used"));
	cof_error_cause(err, "%s", verdict->reason);
	if (ret_plan->overwrites)
		cof_error_try(err,
			      "another device for %s; or coffer service provision %s --force, "
			      "if nothing on it is needed",
			      resource->rid, service->text);
	else if (verdict->remedy[0])
		cof_error_try(err, "%s", verdict->remedy);
	return (cof_result){ COF_E_REFUSED };
}

cof_result help_clear_device(const struct provision_plan *plan, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	_cleanup_fd_ int claim = -1;

	if (!plan->overwrites)
		return COF_OK;
	TRY(device_find(plan->device, &device, err));
	TRY(device_claim(device, false, &claim, err));
	return device_wipe_signatures(device, claim, err);
}
