/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "context.h"
#include "unlock_order.h"

/* The keyslots in use with what decides whether and when they are tried. */
static size_t candidates_collect(struct luks_context *context,
				 struct unlock_slot candidates[LUKS_SLOTS_MAX],
				 const struct luks_slot slots[LUKS_SLOTS_MAX], size_t slot_count)
{
	for (size_t i = 0; i < slot_count; i++) {
		int number = slots[i].number;
		crypt_keyslot_priority priority = crypt_keyslot_get_priority(context->cd, number);

		candidates[i] = (struct unlock_slot){
			.slot = slots[i],
			.bound = crypt_keyslot_status(context->cd, number) != CRYPT_SLOT_UNBOUND,
			.preferred = priority == CRYPT_SLOT_PRIORITY_PREFER,
			.ignored = priority == CRYPT_SLOT_PRIORITY_IGNORE,
		};
	}
	return slot_count;
}

/* Tries one keyslot, whose area was loaded; a secret that does not open it leaves *ret_key NULL. */
static cof_result slot_try(struct luks_context *context, const struct luks_slot *slot,
			   const struct slot_secret *secret, struct volume_key **ret_key,
			   struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	int key_bytes = crypt_keyslot_get_key_size(context->cd, slot->number);
	size_t len;
	int status;

	if (key_bytes < 0)
		return luks_raise(context, key_bytes, err, "keyslot %d does not say its key's size",
				  slot->number);
	len = (size_t)key_bytes;
	TRY(volume_key_new(len, &key, err));

	if (unlock_slot_memory_hard(slot))
		luks_memory_hard_begin();
	status = crypt_volume_key_get(context->cd, slot->number, (char *)key->secret.data, &len,
				      (const char *)secret->secret.data, secret->secret.len);
	if (unlock_slot_memory_hard(slot))
		luks_memory_hard_end();
	if (status == -EPERM) {
		*ret_key = NULL;
		return COF_OK;
	}
	if (status < 0)
		return luks_raise(context, status, err, "keyslot %d cannot be tried", slot->number);

	*ret_key = TAKE(key);
	return COF_OK;
}

/* Why nothing was tried, or which slots were left out, where no keyslot opened. */
static cof_result none_opened(const struct luks_context *context, const struct luks_slot *slots,
			      size_t slot_count, int wanted, size_t tried, struct cof_error *err)
{
	cof_result result;

	for (size_t i = 0; i < slot_count; i++) {
		if (!unlock_slot_is_open(&slots[i]) ||
		    (wanted != LUKS_ANY_SLOT && slots[i].number != wanted))
			continue;
		result = cof_raise(err, tried > 0 ? COF_E_KEY : COF_E_REFUSED, context->subject,
				   "keyslot %d is not encrypted (%s) and was not tried",
				   slots[i].number, slots[i].cipher);
		cof_error_cause(err, "somebody has changed the header");
		return result;
	}
	if (wanted != LUKS_ANY_SLOT)
		FAIL(err, COF_E_KEY, context->subject,
		     tried > 0 ? "the key or passphrase does not open keyslot %d"
			       : "keyslot %d is not in use",
		     wanted);
	FAIL(err, COF_E_KEY, context->subject,
	     "the key or passphrase opens none of its %zu keyslots", tried);
}

cof_result luks_unlock(const char *device, const char *header, const struct slot_secret *secret,
		       int slot, struct volume_key **ret_volume_key, int *ret_slot,
		       struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	struct unlock_slot candidates[LUKS_SLOTS_MAX];
	struct luks_slot slots[LUKS_SLOTS_MAX];
	struct cof_error first_error = { 0 };
	cof_result first_failure = COF_OK;
	size_t slot_count;
	size_t count;

	TRY(luks_context_load(device, header, &context, err));
	luks_slots_collect(context, slots, &slot_count);
	count = candidates_collect(context, candidates, slots, slot_count);
	count = unlock_order(candidates, count, slot);

	for (size_t i = 0; i < count; i++) {
		_cleanup_(volume_key_freep) struct volume_key *key = NULL;
		struct cof_error slot_error = { 0 };
		cof_result tried;

		tried = luks_context_load_slot(context, candidates[i].slot.number, &slot_error);
		if (!cof_failed(tried))
			tried = slot_try(context, &candidates[i].slot, secret, &key, &slot_error);
		/* A slot that cannot be read must not keep the others from being tried. */
		if (cof_failed(tried) && !cof_failed(first_failure)) {
			first_failure = tried;
			first_error = slot_error;
		}
		if (key) {
			if (ret_slot)
				*ret_slot = candidates[i].slot.number;
			*ret_volume_key = TAKE(key);
			return COF_OK;
		}
	}
	/* Then "wrong key" is not proven: the slot that could not be tried may be the right one. */
	if (cof_failed(first_failure)) {
		if (err)
			*err = first_error;
		return first_failure;
	}
	return none_opened(context, slots, slot_count, slot, count, err);
}

cof_result luks_unlock_one_of(const char *device, struct slot_secret *const secrets[], size_t count,
			      size_t *ret_index, bool *ret_found, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	struct unlock_slot candidates[LUKS_SLOTS_MAX];
	struct luks_slot slots[LUKS_SLOTS_MAX];
	size_t slot_count;

	*ret_found = false;
	TRY(luks_context_load(device, NULL, &context, err));
	luks_slots_collect(context, slots, &slot_count);
	slot_count = candidates_collect(context, candidates, slots, slot_count);
	slot_count = unlock_order(candidates, slot_count, LUKS_ANY_SLOT);
	for (size_t i = 0; i < slot_count * count; i++) {
		_cleanup_(volume_key_freep) struct volume_key *key = NULL;
		const struct luks_slot *slot = &candidates[i / count].slot;

		if (!slot->cheap)
			break; /* these come last */
		if (i % count == 0)
			TRY(luks_context_load_slot(context, slot->number, err));
		TRY(slot_try(context, slot, secrets[i % count], &key, err));
		if (key) {
			*ret_index = i % count;
			*ret_found = true;
			return COF_OK;
		}
	}
	return COF_OK;
}

cof_result luks_verify(const char *device, const char *header, const struct volume_key *volume_key,
		       struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	int status;

	TRY(luks_context_load(device, header, &context, err));
	status = crypt_volume_key_verify(context->cd, (const char *)volume_key->secret.data,
					 volume_key->secret.len);
	if (status == -EPERM || status == -EINVAL)
		FAIL(err, COF_E_KEY, context->subject, "the volume key is not this header's");
	if (status < 0)
		return luks_raise(context, status, err, "the volume key cannot be checked");
	return COF_OK;
}
