/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.raw: block devices that are there, under names to refer to. Nothing is ever written to them.
 */

#include <stdio.h>
#include <string.h>

#include "device.h"
#include "driver_help.h"
#include "name_list.h"

static const struct keyword raw_keywords[] = {
	{ "devs", KEYWORD_TEXT, true, NULL },
	{ 0 },
};

static cof_result raw_label(struct service *service, const struct resource *resource, char *out,
			    size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_free_ char *names = NULL;

	TRY(service_require(service, resource, "devs", &names, err));
	(void)snprintf(out, out_size_bytes, "%s", names);
	return COF_OK;
}

/* The devices as named; a leg of a multipath device as the device itself. */
static cof_result raw_devices(struct service *service, const struct resource *resource,
			      enum device_role role, char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **typed = NULL;
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_free_ char *text = NULL;

	*ret_names = NULL;
	if (role != DEVICES_EXPOSED)
		return COF_OK;
	TRY(service_require(service, resource, "devs", &text, err));
	TRY(help_words(text, &typed, err));
	TRY(name_list_new(&names, err));
	for (size_t i = 0; typed[i]; i++) {
		_cleanup_(device_freep) struct device *asked = NULL;

		if (cof_failed(device_find(typed[i], &asked, NULL)))
			return COF_OK;
		TRY(name_list_add(&names, asked->legs && asked->legs[0] ? asked->node : typed[i],
				  err));
	}
	*ret_names = TAKE(names);
	return COF_OK;
}

static cof_result raw_status(struct service *service, const struct resource *resource,
			     struct status *ret_status, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;

	TRY(raw_devices(service, resource, DEVICES_EXPOSED, &names, err));
	ret_status->word = names ? STATUS_UP : STATUS_DOWN;
	if (!names)
		(void)snprintf(ret_status->note, sizeof(ret_status->note),
			       "a device of it is not there");
	return COF_OK;
}

static cof_result raw_plan(struct service *service, const struct resource *resource,
			   struct provision_plan *ret_plan, struct cof_error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_(name_list_freep) char **names = NULL;

	TRY(service_require(service, resource, "devs", &text, err));
	TRY(raw_devices(service, resource, DEVICES_EXPOSED, &names, err));
	ENSURE(names, err, COF_E_NOENT, resource->rid, "one of %s is not there", text);
	(void)snprintf(ret_plan->text, sizeof(ret_plan->text), "use %.200s, which is there", text);
	return COF_OK;
}

/* There is nothing to make, to start or to stop. */
static cof_result raw_nothing(struct service *service, const struct resource *resource,
			      struct cof_error *err)
{
	(void)service;
	(void)resource;
	(void)err;
	return COF_OK;
}

static cof_result raw_start(struct service *service, const struct resource *resource,
			    struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;

	TRY(raw_devices(service, resource, DEVICES_EXPOSED, &names, err));
	ENSURE(names, err, COF_E_NOENT, resource->rid, "a device of it is not there");
	return COF_OK;
}

const struct driver driver_disk_raw = {
	.group = "disk",
	.type = "raw",
	.keywords = raw_keywords,
	.probe = help_can_always,
	.label = raw_label,
	.status = raw_status,
	.devices = raw_devices,
	.plan = raw_plan,
	.provision = raw_nothing,
	.start = raw_start,
	.stop = raw_nothing,
	.unprovision = raw_nothing,
};
