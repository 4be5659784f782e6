/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.crypt: from an empty device to a LUKS2 volume whose passphrase is in the vault, and back.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypt.h"
#include "disk_advice.h"
#include "driver_help.h"
#include "fault.h"
#include "luks_header.h"
#include "slot_cost.h"

#define ERASE_PIECE_BYTES (1u << 20)

/* What a LUKS header that is there already means. */
enum header_is {
	HEADER_NONE,	/* there is none */
	HEADER_OPENS,	/* the stored key opens it */
	HEADER_OURS,	/* a killed run has begun it, and nobody ever had data in it */
	HEADER_FOREIGN, /* somebody's */
};

/* Looks at the header of @node. */
static cof_result look_at(struct service *service, const struct resource *resource,
			  const char *node, enum header_is *ret_is, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	struct resource_state *state;
	struct luks_info info;
	bool is_luks;
	bool found = false;

	*ret_is = HEADER_NONE;
	TRY(luks_probe(node, &is_luks, err));
	if (!is_luks)
		return COF_OK;
	*ret_is = HEADER_FOREIGN;
	TRY(state_of(&service->state, resource->rid, &state, err));
	/* One that cannot be read is what writing it was cut off at. */
	if (cof_failed(luks_read(node, NULL, &info, NULL))) {
		*ret_is = state->made == MADE_BEGUN ? HEADER_OURS : HEADER_FOREIGN;
		return COF_OK;
	}
	if (state->made == MADE_BEGUN && strcmp(info.uuid, state->uuid) == 0)
		*ret_is = HEADER_OURS;
	if (service->vault)
		TRY(crypt_key(service, resource, &key, &found, err));
	if (found &&
	    !cof_failed(luks_unlock(node, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL, NULL)))
		*ret_is = HEADER_OPENS;
	return COF_OK;
}

/* The signature that counts as ours on the device; NULL for none. */
static const char *signature_of_ours(struct service *service, const struct resource *resource,
				     enum header_is is)
{
	if (state_made(&service->state, resource->rid) != MADE_BEGUN)
		return NULL;
	return is == HEADER_OURS ? "crypto_LUKS" : "";
}

/* Refuses before anything is begun what would fail for want of a key. */
static cof_result check_secret(struct service *service, const struct resource *resource,
			       struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct crypt_secret secret;
	bool found = true;

	TRY(crypt_secret(service, resource, &secret, err));
	if (service->vault && !service_flag(service, resource, "manage_passphrase"))
		TRY(crypt_key(service, resource, &key, &found, err));
	if (found)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, secret.text,
			     "has no %s key, and %s says manage_passphrase = false", secret.key,
			     resource->rid));
	cof_error_try(err, "coffer secret add %s --key %s --from FILE", secret.text, secret.key);
	return (cof_result){ COF_E_REFUSED };
}

cof_result crypt_plan(struct service *service, const struct resource *resource,
		      struct provision_plan *ret_plan, struct cof_error *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_(device_freep) struct device *device = NULL;
	char volume[VOLUME_NAME_MAX_CHARS + 1];
	enum header_is is = HEADER_NONE;
	cof_result named = crypt_name(service, resource, volume, err);

	if (named.code != COF_E_NOENT)
		TRY(named);
	TRY(check_secret(service, resource, err));
	TRY(service_value(service, resource, "dev", &name, err));
	if (name) {
		TRY(device_find(name, &device, err));
		TRY(look_at(service, resource, device->node, &is, err));
	}
	if (is == HEADER_OPENS) {
		(void)snprintf(ret_plan->text, sizeof(ret_plan->text),
			       "use the LUKS header on %.200s, which the stored key opens", name);
		return COF_OK;
	}
	return help_plan_device(service, resource, "write a LUKS2 header",
				signature_of_ours(service, resource, is), ret_plan, err);
}

/* The passphrase: the one that is stored, which is never replaced, or a new one, durable. */
static cof_result have_key(struct service *service, const struct resource *resource,
			   struct slot_secret **ret_key, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *made = NULL;
	struct crypt_secret secret;
	bool found;

	TRY(crypt_key(service, resource, ret_key, &found, err));
	if (found)
		return COF_OK;
	TRY(check_secret(service, resource, err));
	TRY(crypt_secret(service, resource, &secret, err));
	TRY(secret_make_passphrase(&made, err));
	TRY(secret_put(service->vault, &secret.path, secret.key, SECRET_ADD, made, err));
	service_note(service, resource->rid, "stored a new passphrase in %s, key %s", secret.text,
		     secret.key);
	TRY(fault_point("crypt/key-stored", err));
	/* As the vault has it now, not as it is in our memory. */
	TRY(crypt_key(service, resource, ret_key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, secret.text, "its key %s is gone again", secret.key);
	return COF_OK;
}

/* Header and keyslot, opened again with the stored key. */
static cof_result write_header(struct service *service, const struct resource *resource,
			       const struct device *device, const struct slot_secret *key,
			       struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *proven = NULL;
	_cleanup_free_ char *label = NULL;
	char short_label[48] = ""; /* LUKS2 on-disk format 1.1.0, 2.1: 48 bytes with the NUL */
	struct luks_format_spec spec = { .subsystem = "coffer" };
	struct disk_advice advice;
	struct resource_state *state;
	bool managed = service_flag(service, resource, "manage_passphrase");

	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(service_value(service, resource, "label", &label, err));
	(void)snprintf(short_label, sizeof(short_label), "%s", label ? label : "");
	disk_advise(device, true, &advice);
	spec.sector_bytes = advice.sector_bytes;
	spec.uuid = state->uuid;
	spec.label = short_label;
	TRY(luks_format(device->node, &spec, NULL, &volume_key, err));
	TRY(fault_point("crypt/header-written", err));
	TRY(luks_slot_add(device->node, NULL, volume_key, key,
			  slot_cost(managed ? VAULT_RECOVERY : VAULT_PASSPHRASE, false, false),
			  NULL, err));
	TRY(fault_point("crypt/slot-added", err));
	TRY(luks_unlock(device->node, NULL, key, LUKS_ANY_SLOT, &proven, NULL, err));
	ENSURE(ct_equal(volume_key_span(volume_key), volume_key_span(proven)), err, COF_E_FAILED,
	       device->node, "the stored key opens another volume key than the one just made");
	service_note(service, resource->rid, "wrote a LUKS2 header on %s", device->node);
	return fault_point("crypt/proven", err);
}

/* A header that was there already: what it is called from now on. */
static cof_result take_over(struct service *service, const struct resource *resource,
			    const char *node, struct cof_error *err)
{
	struct resource_state *state;
	struct luks_info info;

	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(luks_read(node, NULL, &info, err));
	if (strcmp(state->uuid, info.uuid) == 0)
		return COF_OK;
	(void)snprintf(state->uuid, sizeof(state->uuid), "%s", info.uuid);
	service_note(service, resource->rid, "uses the LUKS header on %s", node);
	return COF_OK;
}

cof_result crypt_provision(struct service *service, const struct resource *resource,
			   struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(device_freep) struct device *device = NULL;
	_cleanup_free_ char *name = NULL;
	struct provision_plan plan = { 0 };
	struct resource_state *state;
	enum header_is is;

	TRY(crypt_plan(service, resource, &plan, err));
	TRY(service_require(service, resource, "dev", &name, err));
	TRY(device_find(name, &device, err));
	TRY(look_at(service, resource, device->node, &is, err));
	if (is == HEADER_OPENS)
		return take_over(service, resource, device->node, err);
	TRY(have_key(service, resource, &key, err));
	TRY(help_clear_device(&plan, err));
	TRY(state_of(&service->state, resource->rid, &state, err));
	state->own = true;
	return write_header(service, resource, device, key, err);
}

/* Overwrites the header area from its end: as long as a keyslot is left, so is the header that
 * tells where it is. */
static cof_result erase_header(const struct luks_info *info, const char *node,
			       struct cof_error *err)
{
	_cleanup_buffer_ struct buffer zeroes = { 0 };
	bool is_luks;

	TRY(buffer_reserve(&zeroes, ERASE_PIECE_BYTES, err));
	memset(zeroes.data, 0, ERASE_PIECE_BYTES);
	for (uint64_t left = info->header_bytes; left > 0; left -= zeroes.len) {
		struct luks_write write = { 0 };
		struct luks_writes writes = { .items = &write, .count = 1 };

		zeroes.len = left < ERASE_PIECE_BYTES ? (size_t)left : ERASE_PIECE_BYTES;
		write.offset_bytes = left - zeroes.len;
		write.bytes = zeroes;
		TRY(luks_writes_run(node, &writes, "crypt-erase", err));
	}
	TRY(luks_probe(node, &is_luks, err));
	ENSURE(!is_luks, err, COF_E_IO, node, "has a LUKS header although it was overwritten");
	return COF_OK;
}

cof_result crypt_unprovision(struct service *service, const struct resource *resource,
			     struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	_cleanup_free_ char *name = NULL;
	struct crypt_secret secret;
	struct resource_state *state;
	struct luks_info info;

	TRY(state_of(&service->state, resource->rid, &state, err));
	TRY(crypt_secret(service, resource, &secret, err));
	TRY(service_require(service, resource, "dev", &name, err));
	TRY(device_find(name, &device, err));
	if (!cof_failed(luks_read(device->node, NULL, &info, NULL)) &&
	    strcmp(info.uuid, state->uuid) == 0) {
		TRY(erase_header(&info, device->node, err));
		service_note(service, resource->rid, "erased the LUKS header on %s", device->node);
	}
	TRY(fault_point("crypt/erased", err));
	if (!service_flag(service, resource, "manage_passphrase"))
		return COF_OK;
	/* Nothing is left that the key opens: it goes with its history. */
	TRY(secret_destroy(service->vault, &secret.path, secret.key, err));
	service_note(service, resource->rid, "destroyed the key %s of %s", secret.key, secret.text);
	return fault_point("crypt/key-destroyed", err);
}
