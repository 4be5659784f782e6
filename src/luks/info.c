/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "context.h"
#include "metadata.h"
#include "number.h"

/* At most this many iterations make a pbkdf2 slot cheap: some 10 ms, as a random key's slot. */
#define CHEAP_ITERATIONS_MAX 10000

/* Copies a text that may be NULL and is cut where it does not fit. */
static void text_copy(char *out, size_t out_size_bytes, const char *text)
{
	(void)snprintf(out, out_size_bytes, "%s", text ? text : "");
}

cof_result luks_probe(const char *device, bool *ret_is_luks, struct cof_error *err)
{
	struct disk_headers headers;

	TRY(disk_header_read(device, &headers, err));

	*ret_is_luks = headers.found;
	return COF_OK;
}

/* Describes one keyslot in use; a slot of a re-encryption has neither PBKDF nor cipher. */
static void slot_describe(struct crypt_device *cd, int number, struct luks_slot *slot)
{
	struct crypt_pbkdf_type pbkdf = { 0 };
	size_t key_bytes;

	*slot = (struct luks_slot){ .number = number };
	text_copy(slot->cipher, sizeof(slot->cipher),
		  crypt_keyslot_get_encryption(cd, number, &key_bytes));
	if (crypt_keyslot_get_pbkdf(cd, number, &pbkdf) < 0)
		return;
	text_copy(slot->pbkdf, sizeof(slot->pbkdf), pbkdf.type);
	slot->iterations = pbkdf.iterations;
	slot->memory_kib = pbkdf.max_memory_kb;
	slot->cheap = strcmp(slot->pbkdf, CRYPT_KDF_PBKDF2) == 0 &&
		      pbkdf.iterations <= CHEAP_ITERATIONS_MAX;
}

bool luks_slot_is_scratch(const struct luks_slot *slot)
{
	return slot->pbkdf[0] == '\0';
}

void luks_slots_collect(struct luks_context *context, struct luks_slot slots[LUKS_SLOTS_MAX],
			size_t *ret_count)
{
	int slot_max = crypt_keyslot_max(crypt_get_type(context->cd));
	size_t count = 0;

	for (int number = 0; number < slot_max && count < LUKS_SLOTS_MAX; number++) {
		crypt_keyslot_info status = crypt_keyslot_status(context->cd, number);

		if (status != CRYPT_SLOT_INVALID && status != CRYPT_SLOT_INACTIVE)
			slot_describe(context->cd, number, &slots[count++]);
	}

	*ret_count = count;
}

/* The fields that come from a LUKS2 header's JSON area. */
static cof_result info_add_metadata(struct luks_context *context, struct luks_info *info,
				    struct cof_error *err)
{
	struct luks_metadata metadata;
	const char *json;
	int status = crypt_dump_json(context->cd, &json, 0);

	if (status < 0)
		return luks_raise(context, status, err, "its LUKS header cannot be shown");
	TRY(luks_metadata_parse(span_of_text(json), context->subject, &metadata, err));

	info->data_length_bytes = metadata.length_bytes;
	info->hw_opal = metadata.hw_opal;
	info->reencrypting = metadata.reencrypting;
	memcpy(info->integrity, metadata.integrity, sizeof(info->integrity));
	return COF_OK;
}

cof_result luks_read(const char *device, const char *header, struct luks_info *ret_info,
		     struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	struct luks_info info = { 0 };
	int key_bytes;

	TRY(luks_context_load(device, header, &context, err));
	info.version = context->on_disk.version;
	info.sequence = context->on_disk.sequence;
	info.first_damaged = context->first_damaged;
	info.second_damaged = context->second_damaged;
	text_copy(info.uuid, sizeof(info.uuid), crypt_get_uuid(context->cd));
	text_copy(info.label, sizeof(info.label), crypt_get_label(context->cd));
	text_copy(info.subsystem, sizeof(info.subsystem), crypt_get_subsystem(context->cd));
	text_copy(info.cipher, sizeof(info.cipher), crypt_get_cipher(context->cd));
	text_copy(info.cipher_mode, sizeof(info.cipher_mode), crypt_get_cipher_mode(context->cd));
	key_bytes = crypt_get_volume_key_size(context->cd);
	info.key_bytes = key_bytes > 0 ? (size_t)key_bytes : 0;
	info.sector_bytes = (uint32_t)crypt_get_sector_size(context->cd);
	TRY(size_mul(crypt_get_data_offset(context->cd), 512, &info.data_offset_bytes, err));
	info.iv_offset = crypt_get_iv_offset(context->cd);
	TRY(luks_header_end(context, &info.header_bytes, err));
	luks_slots_collect(context, info.slots, &info.slot_count);
	if (info.version == 2)
		TRY(info_add_metadata(context, &info, err));

	*ret_info = info;
	return COF_OK;
}
