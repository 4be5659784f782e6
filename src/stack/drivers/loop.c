/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.loop: a file as a block device.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "driver_help.h"
#include "fault.h"
#include "file.h"
#include "loop.h"
#include "name_list.h"
#include "number.h"

#define LOOP_SECTOR_BYTES 512 /* what losetup gives, so that a file can be used with either */

static const struct keyword loop_keywords[] = {
	{ "file", KEYWORD_PATH, true, NULL },
	{ "size", KEYWORD_SIZE, false, NULL },
	{ 0 },
};

/* The file, as the kernel names it where it is there. */
static cof_result file_of(struct service *service, const struct resource *resource, char **ret_file,
			  struct cof_error *err)
{
	_cleanup_free_ char *typed = NULL;
	char *real;

	TRY(service_require(service, resource, "file", &typed, err));
	real = realpath(typed, NULL);
	*ret_file = real ? real : TAKE(typed);
	return COF_OK;
}

static cof_result loop_label(struct service *service, const struct resource *resource, char *out,
			     size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;

	TRY(service_require(service, resource, "file", &file, err));
	(void)snprintf(out, out_size_bytes, "%s", file);
	return COF_OK;
}

static cof_result loop_status(struct service *service, const struct resource *resource,
			      struct status *ret_status, struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;
	char device[LOOP_NAME_BYTES];
	bool found;

	TRY(file_of(service, resource, &file, err));
	TRY(loop_find(file, device, &found, err));
	ret_status->word = found ? STATUS_UP : STATUS_DOWN;
	if (!found && !path_exists(file) && state_made(&service->state, resource->rid) == MADE_DONE)
		(void)snprintf(ret_status->note, sizeof(ret_status->note), "its file is not there");
	return COF_OK;
}

static cof_result loop_devices(struct service *service, const struct resource *resource,
			       enum device_role role, char ***ret_names, struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;
	char device[LOOP_NAME_BYTES];
	bool found;

	*ret_names = NULL;
	if (role != DEVICES_EXPOSED)
		return COF_OK;
	TRY(file_of(service, resource, &file, err));
	TRY(loop_find(file, device, &found, err));
	return found ? help_one_name(device, ret_names, err) : COF_OK;
}

static cof_result loop_plan(struct service *service, const struct resource *resource,
			    struct provision_plan *ret_plan, struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_free_ char *size = NULL;
	struct stat facts;

	TRY(file_of(service, resource, &file, err));
	TRY(service_value(service, resource, "size", &size, err));
	if (stat(file, &facts) != 0) {
		ENSURE(size, err, COF_E_USAGE, resource->rid,
		       "%s is not there, and without the keyword size it cannot be made", file);
		(void)snprintf(ret_plan->text, sizeof(ret_plan->text), "make %.200s, %.32s", file,
			       size);
		return COF_OK;
	}
	ENSURE(S_ISREG(facts.st_mode), err, COF_E_REFUSED, file, "is there, and is no file");
	if (state_made(&service->state, resource->rid) == MADE_NOT)
		(void)snprintf(ret_plan->text, sizeof(ret_plan->text),
			       "use %.200s, which is there already, as it is", file);
	else
		(void)snprintf(ret_plan->text, sizeof(ret_plan->text), "finish %.200s", file);
	return COF_OK;
}

/* Gives a file of ours its size, durably. */
static cof_result set_size(const char *file, int fd, uint64_t size_bytes, struct cof_error *err)
{
	if (fchmod(fd, 0600) != 0 || ftruncate(fd, (off_t)size_bytes) != 0 || fsync(fd) != 0)
		return cof_raise_errno(err, errno, file, "cannot be given its size");
	return file_sync_folder_of(file, err);
}

/* Makes the folder of a file. */
static cof_result make_folder(const char *file, struct cof_error *err)
{
	_cleanup_free_ char *folder = strndup(file, (size_t)(path_base(file) - file));

	ENSURE(folder, err, COF_E_NOMEM, file, "no memory for its folder");
	return folder_make(folder, 0755, err);
}

static cof_result loop_provision(struct service *service, const struct resource *resource,
				 struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_free_ char *size = NULL;
	_cleanup_fd_ int fd = -1;
	struct resource_state *state;
	struct stat facts;
	uint64_t size_bytes = 0;

	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(file_of(service, resource, &file, err));
	TRY(service_value(service, resource, "size", &size, err));
	/* Begun by coffer, and not yet of any size: or somebody's, to be used as it is. */
	if (stat(file, &facts) == 0 && !(state->own && facts.st_size == 0))
		return COF_OK;
	ENSURE(size, err, COF_E_USAGE, resource->rid, "%s is not there, and has no size", file);
	TRY(size_parse(size, &size_bytes, err));
	TRY(make_folder(file, err));
	state->own = true;
	TRY(service_save(service, err));
	TRY(fault_point("loop/begun", err));
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return cof_raise_errno(err, errno, file, "cannot be made");
	TRY(fault_point("loop/made", err));
	TRY(set_size(file, fd, size_bytes - size_bytes % LOOP_SECTOR_BYTES, err));
	service_note(service, resource->rid, "made %s, %s", file, size);
	return fault_point("loop/sized", err);
}

static cof_result loop_start(struct service *service, const struct resource *resource,
			     struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;
	char device[LOOP_NAME_BYTES];
	bool found;

	TRY(file_of(service, resource, &file, err));
	TRY(loop_find(file, device, &found, err));
	if (found)
		return COF_OK;
	TRY(loop_attach(file, false, LOOP_SECTOR_BYTES, device, err));
	service_note(service, resource->rid, "%s now loops to %s", device, file);
	return fault_point("loop/attached", err);
}

static cof_result loop_stop(struct service *service, const struct resource *resource,
			    struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;
	char device[LOOP_NAME_BYTES];
	bool found;

	TRY(file_of(service, resource, &file, err));
	TRY(loop_find(file, device, &found, err));
	if (!found)
		return COF_OK;
	TRY(loop_detach(device, file, false, err));
	service_note(service, resource->rid, "detached %s from %s", device, file);
	return fault_point("loop/detached", err);
}

static cof_result loop_unprovision(struct service *service, const struct resource *resource,
				   struct cof_error *err)
{
	_cleanup_free_ char *file = NULL;
	struct resource_state *state;

	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(file_of(service, resource, &file, err));
	if (!state->own) {
		service_note(service, resource->rid, "left %s, which coffer has not made", file);
		return COF_OK;
	}
	TRY(file_remove(file, err));
	service_note(service, resource->rid, "removed %s", file);
	return fault_point("loop/removed", err);
}

const struct driver driver_disk_loop = {
	.group = "disk",
	.type = "loop",
	.keywords = loop_keywords,
	.probe = loop_can,
	.label = loop_label,
	.status = loop_status,
	.devices = loop_devices,
	.plan = loop_plan,
	.provision = loop_provision,
	.start = loop_start,
	.stop = loop_stop,
	.unprovision = loop_unprovision,
};
