/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "context.h"
#include "pbkdf.h"

#define VOLUME_KEY_BYTES  64		      /* AES-256 in XTS mode has two keys of 32 bytes */
#define HEADER_AREA_BYTES (16u * 1024 * 1024) /* holds the largest number of keyslots */
/* LUKS2 on-disk format 1.1.0, 2.2: 16 KiB is the usual size. A vault has tokens for every unlock
 * method, those of Clevis with kilobytes each: 32 keyslots and their tokens fit 64 KiB. */
#define METADATA_BYTES_DISK  (16u * 1024)
#define METADATA_BYTES_VAULT (64u * 1024)
#define SECTOR_BYTES_MIN     512 /* LUKS2 on-disk format 1.1.0, 3.3: powers of two up to 4096 */
#define SECTOR_BYTES_MAX     4096
#define LABEL_CHARS_MAX	     47 /* LUKS2 on-disk format 1.1.0, 2.1: 48 bytes with the NUL */

uint64_t luks_header_file_bytes(void)
{
	/* One sector more than the header, so that libcryptsetup finds room for data. */
	return HEADER_AREA_BYTES + 4096;
}

/* Refuses a size of the data's sectors that LUKS2 does not know or the device is not fit for. */
static cof_result sectors_check(const char *device, uint32_t sector_bytes, uint64_t device_end,
				struct cof_error *err)
{
	uint32_t own_bytes;

	ENSURE(sector_bytes >= SECTOR_BYTES_MIN && sector_bytes <= SECTOR_BYTES_MAX &&
		       (sector_bytes & (sector_bytes - 1)) == 0,
	       err, COF_E_FAILED, device,
	       "data sectors of %u bytes, must be 512, 1024, 2048 or 4096", sector_bytes);
	TRY(device_sector_bytes(device, &own_bytes, err));
	ENSURE(sector_bytes >= own_bytes, err, COF_E_FAILED, device,
	       "data sectors of %u bytes are less than its own of %u", sector_bytes, own_bytes);
	ENSURE(device_end % sector_bytes == 0, err, COF_E_FAILED, device,
	       "its %llu bytes are not a whole number of data sectors of %u",
	       (unsigned long long)device_end, sector_bytes);
	return COF_OK;
}

/* Refuses what libcryptsetup would cut off, or answer with a bare EINVAL. */
static cof_result spec_check(const char *device, const struct luks_format_spec *spec,
			     const struct volume_key *volume_key, struct cof_error *err)
{
	uint64_t bytes;

	ENSURE(!spec->uuid || strlen(spec->uuid) == LUKS_UUID_CHARS, err, COF_E_FAILED, device,
	       "the UUID has %zu characters, must be %d", strlen(spec->uuid), LUKS_UUID_CHARS);
	ENSURE(!spec->label || strlen(spec->label) <= LABEL_CHARS_MAX, err, COF_E_FAILED, device,
	       "the label has %zu characters, at most %d fit", strlen(spec->label),
	       LABEL_CHARS_MAX);
	ENSURE(!spec->subsystem || strlen(spec->subsystem) <= LABEL_CHARS_MAX, err, COF_E_FAILED,
	       device, "the subsystem has %zu characters, at most %d fit", strlen(spec->subsystem),
	       LABEL_CHARS_MAX);
	ENSURE(!volume_key || volume_key->secret.len == VOLUME_KEY_BYTES, err, COF_E_FAILED, device,
	       "the volume key has %zu bytes, must be %d", volume_key->secret.len,
	       VOLUME_KEY_BYTES);
	TRY(device_bytes(device, &bytes, err));
	ENSURE(bytes >= luks_header_file_bytes(), err, COF_E_NOSPC, device,
	       "has %llu bytes, its header alone needs %llu", (unsigned long long)bytes,
	       (unsigned long long)luks_header_file_bytes());
	TRY(sectors_check(device, spec->sector_bytes, bytes, err));
	return COF_OK;
}

cof_result luks_format(const char *device, const struct luks_format_spec *spec,
		       const struct volume_key *volume_key, struct volume_key **ret_volume_key,
		       struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct crypt_params_luks2 params = {
		.sector_size = spec->sector_bytes,
		.label = spec->label,
		.subsystem = spec->subsystem,
	};
	uint64_t metadata_bytes = spec->header_only ? METADATA_BYTES_VAULT : METADATA_BYTES_DISK;
	int status;

	TRY(spec_check(device, spec, volume_key, err));
	if (volume_key)
		TRY(volume_key_copy(volume_key_span(volume_key), &key, err));
	else
		TRY(volume_key_random(VOLUME_KEY_BYTES, &key, err));
	TRY(luks_context_new(device, NULL, &context, err));

	/* Set now, it counts for the digest too: see doc/keys.md on cheap keyslots. */
	TRY(pbkdf_set(context, LUKS_COST_RANDOM_KEY, err));
	status = crypt_set_metadata_size(context->cd, metadata_bytes,
					 HEADER_AREA_BYTES - 2 * metadata_bytes);
	if (status == 0)
		status = crypt_set_data_offset(context->cd, HEADER_AREA_BYTES / 512);
	if (status == 0)
		status = crypt_format(context->cd, CRYPT_LUKS2, "aes", "xts-plain64", spec->uuid,
				      (const char *)key->secret.data, key->secret.len, &params);
	if (status < 0)
		return luks_raise(context, status, err, "a LUKS header cannot be written");
	TRY(luks_sync(device, err));

	if (ret_volume_key)
		*ret_volume_key = TAKE(key);
	return COF_OK;
}
