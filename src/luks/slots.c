/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "context.h"
#include "pbkdf.h"

/* The metadata file or device, which is what has to be made durable. */
static const char *header_path(const char *device, const char *header)
{
	return header ? header : device;
}

cof_result luks_slot_add(const char *device, const char *header,
			 const struct volume_key *volume_key, const struct slot_secret *secret,
			 enum luks_cost cost, int *ret_slot, struct cof_error *err)
{
	return luks_slot_add_at(device, header, volume_key, secret, cost, CRYPT_ANY_SLOT, ret_slot,
				err);
}

cof_result luks_slot_add_at(const char *device, const char *header,
			    const struct volume_key *volume_key, const struct slot_secret *secret,
			    enum luks_cost cost, int wanted, int *ret_slot, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	struct luks_slot slots[LUKS_SLOTS_MAX];
	size_t slot_count;
	int slot_max;
	int slot;

	/* Loading it to write mends a damaged copy of the header: first prove that it is the
	 * caller's, and not what an older use of the device has left. */
	TRY(luks_verify(device, header, volume_key, err));
	TRY(luks_context_load_to_write(device, header, true, &context, err));
	slot_max = crypt_keyslot_max(crypt_get_type(context->cd));
	luks_slots_collect(context, slots, &slot_count);
	ENSURE((int)slot_count < slot_max, err, COF_E_NOSPC, context->subject,
	       "all of its %d keyslots are taken", slot_max);
	TRY(pbkdf_set(context, cost, err));

	/* The benchmark and the derivation both take an Argon2 run's memory. */
	if (cost == LUKS_COST_PEOPLE)
		luks_memory_hard_begin();
	slot = crypt_keyslot_add_by_volume_key(
		context->cd, wanted, (const char *)volume_key->secret.data, volume_key->secret.len,
		(const char *)secret->secret.data, secret->secret.len);
	if (cost == LUKS_COST_PEOPLE)
		luks_memory_hard_end();
	if (slot < 0)
		return luks_raise(context, slot, err, "a keyslot cannot be added");
	TRY(luks_sync(header_path(device, header), err));

	if (ret_slot)
		*ret_slot = slot;
	return COF_OK;
}

cof_result luks_slot_remove(const char *device, const char *header, int slot, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *before = NULL;
	_cleanup_context_ struct luks_context *context = NULL;
	crypt_keyslot_info slot_status;
	int status;

	TRY(luks_context_load(device, header, &before, err));
	slot_status = crypt_keyslot_status(before->cd, slot);
	if (slot_status == CRYPT_SLOT_INVALID || slot_status == CRYPT_SLOT_INACTIVE)
		return COF_OK;
	TRY(luks_context_load_to_write(device, header, false, &context, err));
	status = crypt_keyslot_destroy(context->cd, slot);
	if (status < 0)
		return luks_raise(context, status, err, "keyslot %d cannot be destroyed", slot);
	TRY(luks_sync(header_path(device, header), err));
	return COF_OK;
}

cof_result luks_slots_remove_unbound(const char *device, const char *header, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;

	TRY(luks_context_load(device, header, &context, err));
	if (context->on_disk.version != 2)
		return COF_OK;
	for (int slot = 0; slot < crypt_keyslot_max(CRYPT_LUKS2); slot++)
		if (crypt_keyslot_status(context->cd, slot) == CRYPT_SLOT_UNBOUND)
			TRY(luks_slot_remove(device, header, slot, err));
	return COF_OK;
}
