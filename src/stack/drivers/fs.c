/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all file systems have in common: mkfs, check, mount, umount.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "child.h"
#include "fault.h"
#include "file.h"
#include "fs.h"
#include "mount_table.h"
#include "name_list.h"

#define WORDS_MAX 64 /* of one command, with those of mkfs_opt */

const struct keyword fs_keywords[] = {
	{ "dev", KEYWORD_TEXT, true, NULL },
	{ "mnt", KEYWORD_PATH, true, NULL },
	{ "mnt_opt", KEYWORD_TEXT, false, NULL },
	{ "mkfs_opt", KEYWORD_TEXT, false, NULL },
	{ 0 },
};

bool fs_can(const char *mkfs, char *why_not, size_t why_not_size_bytes)
{
	static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/bin",
					       "/usr/local/sbin" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", folders[i], mkfs);
		if (path_exists(path))
			return true;
	}
	(void)snprintf(why_not, why_not_size_bytes, "%s is not installed", mkfs);
	return false;
}

cof_result fs_label(struct service *service, const struct resource *resource, char *out,
		    size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_free_ char *device = NULL;
	_cleanup_free_ char *folder = NULL;

	TRY(service_value(service, resource, "dev", &device, err));
	TRY(service_require(service, resource, "mnt", &folder, err));
	(void)snprintf(out, out_size_bytes, "%s@%s", device ? device : "", folder);
	return COF_OK;
}

cof_result fs_status(struct service *service, const struct resource *resource,
		     struct status *ret_status, struct cof_error *err)
{
	_cleanup_free_ char *device = NULL;
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ struct mounted *mounted = calloc(1, sizeof(*mounted));

	ENSURE(mounted, err, COF_E_NOMEM, resource->rid, "no memory for the mount table");
	TRY(service_value(service, resource, "dev", &device, err));
	TRY(service_require(service, resource, "mnt", &folder, err));
	TRY(mounted_at(folder, mounted, err));
	ret_status->word = STATUS_DOWN;
	if (!mounted->found)
		return COF_OK;
	ret_status->word = device && mounted_is(mounted, device) ? STATUS_UP : STATUS_WARN;
	if (ret_status->word == STATUS_WARN)
		(void)snprintf(ret_status->note, sizeof(ret_status->note),
			       "%.160s is mounted at its folder", mounted->source);
	return COF_OK;
}

cof_result fs_devices(struct service *service, const struct resource *resource,
		      enum device_role role, char ***ret_names, struct cof_error *err)
{
	*ret_names = NULL;
	return role == DEVICES_SUB ? help_sub_device(service, resource, ret_names, err) : COF_OK;
}

/* Whether the device has a file system of this kind already. Nothing is known of one that is not
 * there. */
static cof_result look_at(const struct fs_kind *kind, const char *device, char uuid[static 40],
			  bool *ret_is, struct cof_error *err)
{
	const char *const argv[] = { "blkid", "-p", "-o", "value", "-s", "TYPE", device, NULL };
	const char *const ask_uuid[] = { "blkid", "-p", "-o", "value", "-s", "UUID", device, NULL };
	_cleanup_buffer_ struct buffer type = { 0 };
	_cleanup_buffer_ struct buffer id = { 0 };
	int status;

	*ret_is = false;
	TRY(child_run(argv, (struct span){ 0 }, 0, &type, &status, err));
	if (status != 0 || type.len != strlen(kind->type) + 1 ||
	    memcmp(type.data, kind->type, strlen(kind->type)) != 0)
		return COF_OK;
	TRY(child_run(ask_uuid, (struct span){ 0 }, 0, &id, &status, err));
	(void)snprintf(uuid, 40, "%.*s", status == 0 && id.len ? (int)id.len - 1 : 0,
		       (const char *)id.data);
	*ret_is = true;
	return COF_OK;
}

/* Whether a device is the plaintext of a volume that this service has made: where nothing was
 * written yet, that is noise, which looks like content. */
static bool is_fresh(struct service *service, const char *device)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct resource *resource = &service->resources[i];
		_cleanup_(name_list_freep) char **names = NULL;
		struct resource_state *state;

		if (resource->driver == &driver_disk_crypt &&
		    !cof_failed(state_of(&service->state, resource->rid, &state, NULL)) &&
		    state->own && state->made == MADE_DONE &&
		    !cof_failed(resource->driver->devices(service, resource, DEVICES_EXPOSED,
							  &names, NULL)) &&
		    names && name_list_has(names, device))
			return true;
	}
	return false;
}

cof_result fs_plan(const struct fs_kind *kind, struct service *service,
		   const struct resource *resource, struct provision_plan *ret_plan,
		   struct cof_error *err)
{
	_cleanup_free_ char *device = NULL;
	struct resource_state *state;
	const char *ours = NULL;
	char what[64];
	char uuid[40] = "";
	bool is = false;

	(void)snprintf(what, sizeof(what), "make an %s file system", kind->type);
	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(service_value(service, resource, "dev", &device, err));
	if (device && path_exists(device))
		TRY(look_at(kind, device, uuid, &is, err));
	else
		ret_plan->later = true;
	if (ret_plan->later) {
		(void)snprintf(ret_plan->text, sizeof(ret_plan->text), "%s", what);
		return COF_OK;
	}
	if (is && (state->made != MADE_BEGUN || strcmp(uuid, state->uuid) != 0)) {
		(void)snprintf(ret_plan->text, sizeof(ret_plan->text),
			       "use the %s file system on %.160s as it is", kind->type, device);
		return COF_OK;
	}
	if (state->made == MADE_BEGUN)
		ours = kind->type;
	else if (is_fresh(service, device))
		ours = "";
	return help_plan_device(service, resource, what, ours, ret_plan, err);
}

/* The command that makes the file system, with the words of mkfs_opt before the device. */
static cof_result make(const struct fs_kind *kind, const char *uuid, const char *options,
		       const char *device, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **more = NULL;
	const char *argv[WORDS_MAX];
	char xfs_uuid[64];
	size_t count = 0;

	TRY(help_words(options ? options : "", &more, err));
	ENSURE(name_list_count(more) < WORDS_MAX - 16, err, COF_E_USAGE, "mkfs_opt",
	       "has too many words");
	while (kind->mkfs[count]) {
		argv[count] = kind->mkfs[count];
		count++;
	}
	/* mkfs.xfs(8) takes the UUID as one of its metadata options. */
	(void)snprintf(xfs_uuid, sizeof(xfs_uuid), "%s%s",
		       strcmp(kind->type, "xfs") == 0 ? "uuid=" : "", uuid);
	argv[count++] = xfs_uuid;
	for (size_t i = 0; more[i]; i++)
		argv[count++] = more[i];
	argv[count++] = device;
	argv[count] = NULL;
	return cof_explain(child_check(argv, 0, err), err, NULL,
			   "no %s file system could be made on %s", kind->type, device);
}

cof_result fs_provision(const struct fs_kind *kind, struct service *service,
			const struct resource *resource, struct cof_error *err)
{
	_cleanup_free_ char *device = NULL;
	_cleanup_free_ char *options = NULL;
	struct provision_plan plan = { 0 };
	struct resource_state *state;
	char uuid[40] = "";
	bool is;

	TRY(fs_plan(kind, service, resource, &plan, err));
	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(service_require(service, resource, "dev", &device, err));
	TRY(service_value(service, resource, "mkfs_opt", &options, err));
	TRY(look_at(kind, device, uuid, &is, err));
	if (is && strcmp(uuid, state->uuid) != 0) {
		(void)snprintf(state->uuid, sizeof(state->uuid), "%.36s", uuid);
		service_note(service, resource->rid, "uses the %s file system on %s", kind->type,
			     device);
		return COF_OK;
	}
	TRY(help_clear_device(&plan, err));
	state->own = true;
	TRY(make(kind, state->uuid, options, device, err));
	service_note(service, resource->rid, "made an %s file system on %s", kind->type, device);
	return fault_point("fs/made", err);
}

/* Checks a file system before it is mounted. */
static cof_result check(const struct fs_kind *kind, struct service *service,
			const struct resource *resource, const char *device, struct cof_error *err)
{
	const char *argv[8];
	size_t count = 0;
	int status;

	if (!kind->check)
		return COF_OK;
	while (kind->check[count]) {
		argv[count] = kind->check[count];
		count++;
	}
	argv[count++] = device;
	argv[count] = NULL;
	TRY(child_run(argv, (struct span){ 0 }, 0, NULL, &status, err));
	if (kind->is_clean(status)) {
		service_note(service, resource->rid, "checked %s%s", device,
			     status ? ", and errors were corrected" : "");
		return COF_OK;
	}
	cof_ignore(cof_raise(err, COF_E_FAILED, device,
			     "%s ended with status %d: it needs a person's decisions", argv[0],
			     status));
	cof_error_try(err, "%s %s, then the same again", argv[0], device);
	return (cof_result){ COF_E_FAILED };
}

/* The folder is there, and nothing in it would be hidden. */
static cof_result prepare_folder(const struct service *service, const char *folder,
				 struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	struct stat facts;
	bool found;

	TRY(folder_make(folder, 0755, err));
	ENSURE(stat(folder, &facts) == 0 && S_ISDIR(facts.st_mode), err, COF_E_REFUSED, folder,
	       "is no folder");
	TRY(name_list_of_folder(folder, &names, &found, err));
	if (!names[0] || service->force)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, folder,
			     "is not empty: what is in it would be hidden, \"%.80s\" among it",
			     names[0]));
	cof_error_try(err, "move it elsewhere; --force mounts all the same");
	return (cof_result){ COF_E_REFUSED };
}

cof_result fs_start(const struct fs_kind *kind, struct service *service,
		    const struct resource *resource, struct cof_error *err)
{
	_cleanup_free_ char *device = NULL;
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *options = NULL;
	struct status status = { 0 };

	TRY(fs_status(service, resource, &status, err));
	if (status.word == STATUS_UP)
		return COF_OK;
	TRY(service_require(service, resource, "dev", &device, err));
	TRY(service_require(service, resource, "mnt", &folder, err));
	TRY(service_value(service, resource, "mnt_opt", &options, err));
	ENSURE(status.word == STATUS_DOWN, err, COF_E_BUSY, folder, "%s", status.note);
	TRY(check(kind, service, resource, device, err));
	TRY(prepare_folder(service, folder, err));
	TRY(fault_point("fs/checked", err));
	TRY(child_check((const char *const[]){ "mount", "-t", kind->type, "-o",
					       options && options[0] ? options : "defaults", device,
					       folder, NULL },
			0, err));
	service_note(service, resource->rid, "mounted %s at %s", device, folder);
	return fault_point("fs/mounted", err);
}

/* Says who keeps a file system busy, where somebody does. */
static cof_result explain_busy(cof_result failed, const char *folder, struct cof_error *err)
{
	char users[512];

	mount_users(folder, users, sizeof(users));
	if (!users[0])
		return failed;
	cof_ignore(cof_raise(err, COF_E_BUSY, folder, "is in use and stays mounted"));
	cof_error_cause(err, "%s", users);
	cof_error_try(err, "end what uses it, then the same again");
	return (cof_result){ COF_E_BUSY };
}

cof_result fs_stop(struct service *service, const struct resource *resource, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	struct status status = { 0 };
	cof_result unmounted;

	TRY(fs_status(service, resource, &status, err));
	if (status.word != STATUS_UP)
		return COF_OK;
	TRY(service_require(service, resource, "mnt", &folder, err));
	unmounted = child_check((const char *const[]){ "umount", folder, NULL }, 0, err);
	if (cof_failed(unmounted))
		return explain_busy(unmounted, folder, err);
	service_note(service, resource->rid, "unmounted %s", folder);
	return fault_point("fs/unmounted", err);
}

cof_result fs_unprovision(struct service *service, const struct resource *resource,
			  struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;

	/* What is on the device goes with the device; the folder only if nothing is in it. */
	TRY(service_require(service, resource, "mnt", &folder, err));
	if (rmdir(folder) == 0)
		service_note(service, resource->rid, "removed %s", folder);
	return fault_point("fs/unmade", err);
}
