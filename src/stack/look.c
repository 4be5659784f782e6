/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "look.h"
#include "name_list.h"

#define DEPTH_MAX 32 /* devices on devices; the kernel's own limit is lower */

void look_done(struct look *look)
{
	free(look->resources);
	*look = (struct look){ 0 };
}

/* One resource. */
static void look_at(struct service *service, const struct resource *resource,
		    struct look_resource *look)
{
	const struct driver *driver = resource->driver;
	struct status status = { .word = STATUS_UNDEF };
	struct cof_error why = { 0 };
	char label[480] = "";

	*look = (struct look_resource){ .resource = resource };
	if (resource->disabled)
		status.word = STATUS_NA;
	else if (cof_failed(driver->status(service, resource, &status, &why))) {
		status.word = STATUS_UNDEF;
		(void)snprintf(status.note, sizeof(status.note), "%.60s%s%.190s", why.subject,
			       why.subject[0] ? ": " : "", why.text);
	}
	cof_ignore(driver->label(service, resource, label, sizeof(label), NULL)); /* "" then */
	(void)snprintf(look->label, sizeof(look->label), "%s%s%s", driver->type,
		       label[0] ? " " : "", label);
	memcpy(look->note, status.note, sizeof(look->note));
	look->row = (struct status_row){
		.rid = resource->rid,
		.word = status.word,
		.disabled = resource->disabled,
		.optional = resource->optional,
		.standby = resource->standby,
		.monitored = resource->monitored,
		.provisioned = !resource->provisions ||
			       state_made(&service->state, resource->rid) == MADE_DONE,
		.noted = status.note[0] != '\0' && !resource->optional,
	};
}

cof_result look_at_service(struct service *service, struct look *ret_look, struct cof_error *err)
{
	_cleanup_free_ struct status_row *rows = calloc(service->count + 1, sizeof(*rows));
	struct look look = { .count = service->count };

	look.resources = calloc(service->count + 1, sizeof(*look.resources));
	if (!rows || !look.resources) {
		free(look.resources);
		FAIL(err, COF_E_NOMEM, service->text, "no memory for its status");
	}
	for (size_t i = 0; i < service->count; i++) {
		look_at(service, &service->resources[i], &look.resources[i]);
		rows[i] = look.resources[i].row;
	}
	look.sum = status_add_up(rows, service->count);

	*ret_look = look;
	return COF_OK;
}

/* Appends one notice. */
static void add(char out[static LOOK_NOTICE_CHARS], const char *what, const char *more)
{
	size_t used = strlen(out);

	(void)snprintf(out + used, LOOK_NOTICE_CHARS - used, "%s%s%s", used ? ", " : "", what,
		       more);
}

char *look_notice(const struct service *service, const struct look *look,
		  char out[static LOOK_NOTICE_CHARS])
{
	out[0] = '\0';
	if (look->sum.overall == STATUS_WARN)
		add(out, "warn", "");
	if (service->state.frozen[0])
		add(out, "frozen", "");
	if (look->sum.provisioned != PROVISIONED_YES && look->count > 0)
		add(out,
		    look->sum.provisioned == PROVISIONED_NO ? "not provisioned"
							    : "part-provisioned",
		    "");
	if (service->state.failed[0])
		add(out, service->state.failed, " failed");
	else if (service->state.action[0])
		add(out, service->state.action, " not finished");
	else
		add(out, "idle", "");
	if (service->state.started)
		add(out, "started", "");
	return out;
}

void look_devices_done(struct look_devices *devices)
{
	name_list_free(devices->base);
	name_list_free(devices->sub);
	name_list_free(devices->exposed);
	*devices = (struct look_devices){ 0 };
}

/* Adds the disks at the bottom of a device: whole disks, which lie on nothing else. */
static cof_result add_base(dev_t number, int depth, char ***base, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	_cleanup_(device_freep) struct device *whole = NULL;
	_cleanup_(name_list_freep) char **below = NULL;
	_cleanup_free_ char *path = NULL;
	struct stat facts;
	bool found = false;

	if (depth > DEPTH_MAX || cof_failed(device_by_number(number, &device, NULL)))
		return COF_OK;
	if (device->parent[0] && !cof_failed(device_find(device->parent, &whole, NULL)))
		return add_base(whole->number, depth + 1, base, err);
	if (device->backing_file[0] && stat(device->backing_file, &facts) == 0)
		return add_base(S_ISBLK(facts.st_mode) ? facts.st_rdev : facts.st_dev, depth + 1,
				base, err);
	TRY(path_format(&path, err, "/sys/block/%s/slaves", device->kname));
	TRY(name_list_of_folder(path, &below, &found, err));
	for (size_t i = 0; below[i]; i++) {
		_cleanup_(device_freep) struct device *slave = NULL;

		if (!cof_failed(device_find(below[i], &slave, NULL)))
			TRY(add_base(slave->number, depth + 1, base, err));
	}
	if (!below[0] && !name_list_has(*base, device->node))
		TRY(name_list_add(base, device->node, err));
	return COF_OK;
}

/* The resource that offers a device; NULL for none of this service. */
static const struct resource *who_offers(struct service *service, const char *device)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct resource *resource = &service->resources[i];
		_cleanup_(name_list_freep) char **names = NULL;

		if (!cof_failed(resource->driver->devices(service, resource, DEVICES_EXPOSED,
							  &names, NULL)) &&
		    names && name_list_has(names, device))
			return resource;
	}
	return NULL;
}

/* The disks below a list of devices. What the user-space engine serves lies on its source, which
 * the kernel does not know: the resource that offers it tells. */
static cof_result find_base(struct service *service, char *const names[], int depth, char ***base,
			    struct cof_error *err)
{
	struct stat facts;

	for (size_t i = 0; names && names[i] && depth < DEPTH_MAX; i++) {
		const struct resource *resource = who_offers(service, names[i]);
		_cleanup_(name_list_freep) char **below = NULL;

		if (resource)
			TRY(resource->driver->devices(service, resource, DEVICES_SUB, &below, err));
		if (below && below[0])
			TRY(find_base(service, below, depth + 1, base, err));
		else if (stat(names[i], &facts) == 0 && S_ISBLK(facts.st_mode))
			TRY(add_base(facts.st_rdev, 0, base, err));
	}
	return COF_OK;
}

/* Takes names out that lead nowhere. */
static void keep_there(char **names)
{
	size_t kept = 0;

	for (size_t i = 0; names && names[i]; i++) {
		if (path_exists(names[i]))
			names[kept++] = names[i];
		else
			free(names[i]);
	}
	if (names)
		names[kept] = NULL;
}

cof_result look_at_devices(struct service *service, const struct resource *resource,
			   struct look_devices *ret_devices, struct cof_error *err)
{
	_cleanup_(look_devices_done) struct look_devices devices = { 0 };
	const struct driver *driver = resource->driver;

	TRY(name_list_new(&devices.base, err));
	TRY(driver->devices(service, resource, DEVICES_SUB, &devices.sub, err));
	TRY(driver->devices(service, resource, DEVICES_EXPOSED, &devices.exposed, err));
	keep_there(devices.sub);
	keep_there(devices.exposed);
	TRY(find_base(service, devices.sub ? devices.sub : devices.exposed, 0, &devices.base, err));
	name_list_sort(devices.base);

	*ret_devices = devices;
	devices = (struct look_devices){ 0 };
	return COF_OK;
}
