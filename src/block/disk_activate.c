/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a volume key to a block device: dm-crypt, or the user-space engine.
 */

#include <stdio.h>

#include "disk_audit.h"
#include "disk_result.h"
#include "file.h"
#include "usage.h"

cof_result disk_activate(const struct paths *paths, const char *source, const char *header,
			 const char *name, const struct volume_key *volume_key, bool read_only,
			 struct cof_error *err)
{
	struct engine_volume volume;
	struct disk_open_state state;
	char no_kernel[256];
	char no_engine[256];

	if (luks_kernel_can(no_kernel, sizeof(no_kernel)))
		return luks_activate(source, header, name, volume_key, read_only, err);
	if (engine_can(no_engine, sizeof(no_engine))) {
		TRY(disk_state_of(paths, name, &state, err));
		return disk_explain_dead(&state,
					 engine_open(paths, source, header, name, volume_key,
						     read_only, &volume, err),
					 err);
	}
	cof_ignore(cof_raise(err, COF_E_UNSUPPORTED, source, "cannot be opened on this machine"));
	cof_error_cause(err, "dm-crypt: %s; user-space engine: %s", no_kernel, no_engine);
	return (cof_result){ COF_E_UNSUPPORTED };
}

/* Refuses what neither backend could serve before a key is tried: without dm-crypt, libcryptsetup
 * cannot even open a keyslot of a cipher that OpenSSL lacks. */
static cof_result check_backend(const struct luks_info *info, const char *node,
				struct cof_error *err)
{
	char why_not[256];

	if (luks_kernel_can(why_not, sizeof(why_not)))
		return COF_OK;
	return engine_check(info, node, err);
}

cof_result disk_check_free(const struct paths *paths, const struct device *device,
			   const char *name, struct cof_error *err)
{
	_cleanup_free_ char *node = NULL;
	_cleanup_fd_ int claim = -1;
	struct disk_open_state state;
	struct usage usage = { 0 };
	cof_result claimed = device_claim(device, true, &claim, err);

	if (claimed.code == COF_E_BUSY) {
		TRY(usage_find(&block_roots_system, device, &usage, err));
		cof_ignore(cof_raise(err, COF_E_BUSY, device->node, "is in use"));
		cof_error_cause(err, "%s%s",
				usage.text[0] ? usage.text : "held by a program or by the kernel",
				usage.detail);
		cof_error_try(err, "%s", usage.remedy);
		return (cof_result){ COF_E_BUSY };
	}
	TRY(claimed);
	TRY(disk_state_of(paths, name, &state, err));
	TRY(path_format(&node, err, "/dev/mapper/%s", name));
	ENSURE(!state.open && !path_exists(node), err, COF_E_BUSY, name,
	       "another volume is open under this name");
	return COF_OK;
}

cof_result disk_check_mode(const struct disk_open_state *state, const char *name, bool read_only,
			   struct cof_error *err)
{
	if (!read_only || state->read_only)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_BUSY, name, "is open for writing"));
	cof_error_try(err, "coffer disk close %s, then open it with --read-only", name);
	return (cof_result){ COF_E_BUSY };
}

cof_result disk_open_foreign(const struct paths *paths, const char *device_name, const char *header,
			     const struct slot_secret *secret, const char *name,
			     const struct disk_open_spec *spec, struct disk_result *result,
			     struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	struct disk_open_state state;
	struct luks_info info;

	disk_result_start(result, device_name);
	TRY(device_find(device_name, &device, err));
	TRY(luks_read(device->node, header, &info, err));
	(void)snprintf(result->name, sizeof(result->name), name ? "%s" : "luks-%s",
		       name ? name : info.uuid);
	(void)snprintf(result->source, sizeof(result->source), "%s", device->node);
	(void)snprintf(result->uuid, sizeof(result->uuid), "%s", info.uuid);
	TRY(volume_name_check(result->name, err));
	TRY(disk_state_on(paths, device, &state, err));
	if (state.open && (!spec->test_only || spec->dry_run)) {
		(void)snprintf(result->name, sizeof(result->name), "%s", state.name);
		TRY(disk_check_mode(&state, state.name, spec->read_only, err));
		disk_result_open(result, &state);
		return COF_OK;
	}
	TRY(check_backend(&info, device->node, err));
	TRY(luks_unlock(device->node, header, secret, LUKS_ANY_SLOT, &volume_key, NULL, err));
	if (spec->dry_run)
		TRY(disk_check_free(paths, device, result->name, err));
	if (spec->test_only) {
		result->state = "proven";
		result->did = "would open";
		return COF_OK;
	}
	TRY(disk_activate(paths, device->node, header, result->name, volume_key,
			  spec->read_only || device->read_only, err));
	TRY(disk_state_of(paths, result->name, &state, err));
	ENSURE(state.open, err, COF_E_FAILED, result->name, "is not there after it was opened");
	disk_result_open(result, &state);
	result->changed = true;
	disk_audit(NULL, paths, AUDIT_DISK_OPEN, result, 1);
	return COF_OK;
}
