/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.crypt: a LUKS2 volume, through dm-crypt or the user-space engine.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "crypt.h"
#include "disk_owner.h"
#include "driver_help.h"
#include "fault.h"
#include "file.h"
#include "name_list.h"

#define CLOSE_PATIENCE_MS 2000 /* for who holds the device a moment longer than its mount */
#define CLOSE_PAUSE_MS	  50

static const struct keyword crypt_keywords[] = {
	{ "dev", KEYWORD_TEXT, true, NULL },
	{ "name", KEYWORD_TEXT, false, NULL },
	{ "manage_passphrase", KEYWORD_BOOL, false, "true" },
	{ "secret", KEYWORD_TEXT, false, "{name}" },
	{ "label", KEYWORD_TEXT, false, "{fqdn}" },
	{ 0 },
};

cof_result crypt_name(struct service *service, const struct resource *resource,
		      char ret_name[static VOLUME_NAME_MAX_CHARS + 1], struct cof_error *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *dev = NULL;

	TRY(service_value(service, resource, "name", &name, err));
	if (!name) {
		TRY(service_require(service, resource, "dev", &dev, err));
		TRY(path_format(&name, err, "%s-crypt", path_base(dev)));
	}
	TRY(volume_name_check(name, err));
	(void)snprintf(ret_name, VOLUME_NAME_MAX_CHARS + 1, "%s", name);
	return COF_OK;
}

cof_result crypt_secret(struct service *service, const struct resource *resource,
			struct crypt_secret *ret_secret, struct cof_error *err)
{
	_cleanup_free_ char *name = NULL;
	const struct config_line *line =
		config_find(&service->config, resource->rid, "secret", service->node);

	ret_secret->path = service->path;
	(void)snprintf(ret_secret->path.kind, sizeof(ret_secret->path.kind), "sec");
	if (line) {
		TRY(service_require(service, resource, "secret", &name, err));
		ENSURE(service_part_is_allowed(name, SERVICE_PART_CHARS - 1), err, COF_E_USAGE,
		       resource->rid, "its keyword secret is no name of an object");
		(void)snprintf(ret_secret->path.name, SERVICE_PART_CHARS, "%s", name);
	}
	(void)service_path_format(&ret_secret->path, ret_secret->text);
	(void)secret_key_of_resource(resource->rid, ret_secret->key);
	return COF_OK;
}

/* Notes that the volume is the service's to close. */
static cof_result note_owner(const struct service *service, const char *name, struct cof_error *err)
{
	char command[DISK_OWNER_CHARS];

	(void)snprintf(command, sizeof(command), "coffer service stop %s", service->text);
	return disk_owner_write(service->paths, name, command, err);
}

/* Where the volume will be, whether it is open or not. */
static cof_result node_of(struct service *service, const struct resource *resource, char **ret_node,
			  struct cof_error *err)
{
	char name[VOLUME_NAME_MAX_CHARS + 1];
	char why_not[256];

	TRY(crypt_name(service, resource, name, err));
	return path_format(
		ret_node, err, "%s/%s",
		luks_kernel_can(why_not, sizeof(why_not)) ? "/dev/mapper" : "/dev/coffer", name);
}

static cof_result crypt_label(struct service *service, const struct resource *resource, char *out,
			      size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_free_ char *node = NULL;

	TRY(node_of(service, resource, &node, err));
	(void)snprintf(out, out_size_bytes, "%s", node);
	return COF_OK;
}

static cof_result crypt_status(struct service *service, const struct resource *resource,
			       struct status *ret_status, struct cof_error *err)
{
	_cleanup_free_ char *node = NULL;
	char name[VOLUME_NAME_MAX_CHARS + 1];
	struct disk_open_state open;
	struct resource_state *state;

	/* Without its name, which hangs on a device that is not there, it cannot be open. */
	ret_status->word = STATUS_DOWN;
	if (crypt_name(service, resource, name, err).code == COF_E_NOENT)
		return COF_OK;
	TRY(crypt_name(service, resource, name, err));
	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(disk_state_of(service->paths, name, &open, err));
	TRY(node_of(service, resource, &node, err));
	if (open.dead)
		(void)snprintf(ret_status->note, sizeof(ret_status->note),
			       "what served it was killed: stop the service, and start it again");
	else if (open.open && (state->uuid[0] || resource->provisions) &&
		 strcmp(open.uuid, state->uuid) != 0)
		(void)snprintf(ret_status->note, sizeof(ret_status->note),
			       "another volume is open under its name");
	else if (open.open && !path_exists(node))
		(void)snprintf(ret_status->note, sizeof(ret_status->note),
			       "%s is missing: start the service", node);
	ret_status->word = ret_status->note[0] ? STATUS_WARN : open.open ? STATUS_UP : STATUS_DOWN;
	return COF_OK;
}

static cof_result crypt_devices(struct service *service, const struct resource *resource,
				enum device_role role, char ***ret_names, struct cof_error *err)
{
	_cleanup_free_ char *node = NULL;
	cof_result found;

	*ret_names = NULL;
	if (role == DEVICES_SUB)
		return help_sub_device(service, resource, ret_names, err);
	found = node_of(service, resource, &node, err);
	if (found.code == COF_E_NOENT)
		return COF_OK;
	TRY(found);
	return help_one_name(node, ret_names, err);
}

cof_result crypt_key(struct service *service, const struct resource *resource,
		     struct slot_secret **ret_key, bool *ret_found, struct cof_error *err)
{
	struct crypt_secret secret;

	TRY(crypt_secret(service, resource, &secret, err));
	ENSURE(service->vault, err, COF_E_LOCKED, secret.text, "the vault is locked");
	return secret_get(service->vault, &secret.path, secret.key, ret_key, ret_found, err);
}

static cof_result crypt_start(struct service *service, const struct resource *resource,
			      struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_free_ char *dev = NULL;
	char name[VOLUME_NAME_MAX_CHARS + 1];
	struct disk_open_spec spec = { 0 };
	struct disk_result result = { 0 };
	struct crypt_secret secret;
	struct status status = { 0 };
	bool found;

	TRY(crypt_status(service, resource, &status, err));
	if (status.word == STATUS_UP)
		return COF_OK;
	TRY(crypt_name(service, resource, name, err));
	TRY(engine_link(service->paths, name, err));
	TRY(crypt_status(service, resource, &status, err));
	if (status.word == STATUS_UP)
		return fault_point("crypt/linked", err);
	TRY(crypt_secret(service, resource, &secret, err));
	TRY(service_require(service, resource, "dev", &dev, err));
	TRY(crypt_key(service, resource, &key, &found, err));
	if (!found) {
		cof_ignore(cof_raise(err, COF_E_NOENT, secret.text, "has no %s key", secret.key));
		cof_error_try(err, "coffer secret restore %s --key %s", secret.text, secret.key);
		return (cof_result){ COF_E_NOENT };
	}
	TRY(note_owner(service, name, err));
	TRY(cof_explain(
		disk_open_foreign(service->paths, dev, NULL, key, name, &spec, &result, err), err,
		NULL, "%s: %s cannot be opened", resource->rid, dev));
	ENSURE(strcmp(result.name, name) == 0, err, COF_E_BUSY, dev, "is open already, as %s",
	       result.name);
	service_note(service, resource->rid, "opened %s as %s", dev, name);
	return fault_point("crypt/opened", err);
}

/*
 * Closes a volume that nothing is mounted on any more. A mount namespace that is just ending, or a
 * program that looks at new devices, may still hold it.
 */
static cof_result close_volume(struct service *service, const char *name, struct cof_error *err)
{
	struct disk_close_spec spec = { .force = true }; /* proven already, before anything */
	uint64_t deadline_ms = clock_ms() + CLOSE_PATIENCE_MS;
	cof_result closed;

	for (;;) {
		_cleanup_(progress_freep) struct progress *progress = NULL;
		struct disk_result result = { 0 };

		TRY(progress_new(1, true, &progress, err));
		closed = disk_close(NULL, service->paths, &name, 1, &spec, progress, &result, err);
		if (closed.code != COF_E_BUSY || clock_ms() >= deadline_ms)
			return closed;
		(void)usleep(CLOSE_PAUSE_MS * 1000);
	}
}

static cof_result crypt_stop(struct service *service, const struct resource *resource,
			     struct cof_error *err)
{
	char name[VOLUME_NAME_MAX_CHARS + 1];
	struct status status = { 0 };

	TRY(crypt_status(service, resource, &status, err));
	if (status.word == STATUS_DOWN)
		return COF_OK;
	TRY(crypt_name(service, resource, name, err));
	TRY(close_volume(service, name, err));
	service_note(service, resource->rid, "closed %s", name);
	return fault_point("crypt/closed", err);
}

const struct driver driver_disk_crypt = {
	.group = "disk",
	.type = "crypt",
	.keywords = crypt_keywords,
	.needs_vault = true,
	.probe = help_can_always,
	.label = crypt_label,
	.status = crypt_status,
	.devices = crypt_devices,
	.plan = crypt_plan,
	.provision = crypt_provision,
	.start = crypt_start,
	.stop = crypt_stop,
	.unprovision = crypt_unprovision,
	.prove = crypt_prove,
};
