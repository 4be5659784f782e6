/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How re-encryption begins: a header that describes it, before any data change.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "context.h"
#include "file.h"
#include "kdf.h"
#include "pbkdf.h"
#include "reencrypt.h"

#define SECTOR_UNIT_BYTES 512 /* in which libcryptsetup counts */
#define METADATA_BYTES	  (16u * 1024)
#define VOLUME_KEY_BYTES  64
#define WIPE_BYTES	  (1u << 20)

/* A header in memory, before it is on its device. */
struct draft {
	int memory_fd;
	char path[32];
	struct luks_context *context;
};

static void draft_done(struct draft *draft)
{
	luks_context_freep(&draft->context);
	fd_closep(&draft->memory_fd);
}

/* Makes the file and a handle whose data are on @device. */
static cof_result draft_start(const char *device, struct draft *draft, struct cof_error *err)
{
	draft->memory_fd = memfd_create("coffer-draft", MFD_CLOEXEC);
	if (draft->memory_fd < 0 ||
	    ftruncate(draft->memory_fd, (off_t)luks_header_file_bytes()) < 0)
		return cof_raise_errno(err, errno, device, "no memory for its new header");
	(void)snprintf(draft->path, sizeof(draft->path), "/proc/self/fd/%d", draft->memory_fd);
	return luks_context_new(device, draft->path, &draft->context, err);
}

/* Writes the header and its keyslot into the file. */
static cof_result draft_format(struct draft *draft, const struct luks_format_spec *spec,
			       const struct slot_secret *secret, struct cof_error *err)
{
	struct luks_context *context = draft->context;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct crypt_params_luks2 params = { .sector_size = spec->sector_bytes,
					     .label = spec->label,
					     .subsystem = spec->subsystem };
	int status;

	TRY(volume_key_random(VOLUME_KEY_BYTES, &key, err));
	/* Set now, it counts for the digest too: see doc/keys.md on cheap keyslots. */
	TRY(pbkdf_set(context, LUKS_COST_RANDOM_KEY, err));
	status = crypt_set_metadata_size(context->cd, METADATA_BYTES,
					 LUKS_ENCRYPT_SHIFT_BYTES - 2 * METADATA_BYTES);
	if (status == 0)
		status = crypt_set_data_offset(context->cd,
					       LUKS_ENCRYPT_SHIFT_BYTES / SECTOR_UNIT_BYTES);
	if (status == 0)
		status = crypt_format(context->cd, CRYPT_LUKS2, "aes", "xts-plain64", spec->uuid,
				      (const char *)key->secret.data, key->secret.len, &params);
	if (status >= 0)
		status = crypt_keyslot_add_by_volume_key(
			context->cd, 0, (const char *)key->secret.data, key->secret.len,
			(const char *)secret->secret.data, secret->secret.len);
	if (status < 0)
		return luks_raise(context, status, err, "a header for it cannot be made");
	return COF_OK;
}

cof_result luks_encrypt_begin(const char *device, const struct luks_format_spec *spec,
			      const struct slot_secret *secret, struct buffer *ret_copy,
			      struct cof_error *err)
{
	_cleanup_(draft_done) struct draft draft = { .memory_fd = -1 };
	const struct crypt_params_luks2 sectors = { .sector_size = spec->sector_bytes };
	/* Backward, since the data move towards the end: nothing is written that was not read. */
	const struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_ENCRYPT,
		.direction = CRYPT_REENCRYPT_BACKWARD,
		.resilience = "datashift",
		.hash = "sha256",
		.data_shift = LUKS_ENCRYPT_SHIFT_BYTES / SECTOR_UNIT_BYTES,
		.luks2 = &sectors,
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY | CRYPT_REENCRYPT_MOVE_FIRST_SEGMENT,
	};
	uint64_t bytes;
	int status;

	TRY(device_bytes(device, &bytes, err));
	ENSURE(bytes > LUKS_ENCRYPT_FREE_BYTES, err, COF_E_NOSPC, device,
	       "has %llu bytes, encrypting it takes %u of them", (unsigned long long)bytes,
	       LUKS_ENCRYPT_FREE_BYTES);
	TRY(draft_start(device, &draft, err));
	TRY(draft_format(&draft, spec, secret, err));
	status = crypt_reencrypt_init_by_passphrase(
		draft.context->cd, NULL, (const char *)secret->secret.data, secret->secret.len,
		CRYPT_ANY_SLOT, 0, "aes", "xts-plain64", &params);
	if (status < 0)
		return luks_raise(draft.context, status, err, "%s cannot be encrypted where it is",
				  device);
	TRY(luks_sync(device, err));
	return luks_copy_header(draft.path, ret_copy, err);
}

/* Overwrites a part of the head. */
static cof_result wipe_part(int fd, const char *device, uint64_t from_bytes, uint64_t to_bytes,
			    struct buffer *room, struct cof_error *err)
{
	while (from_bytes < to_bytes) {
		room->len = to_bytes - from_bytes < WIPE_BYTES ? (size_t)(to_bytes - from_bytes)
							       : WIPE_BYTES;
		TRY(random_bytes(room->data, room->len, err));
		TRY(fd_pwrite_all(fd, buffer_span(room), from_bytes, device, err));
		from_bytes += room->len;
	}
	return COF_OK;
}

/* Where the area of the one keyslot that holds a key is. */
static cof_result find_slot_area(const char *device, uint64_t *ret_from_bytes,
				 uint64_t *ret_to_bytes, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	uint64_t length;
	int status;

	TRY(luks_context_load(device, NULL, &context, err));
	status = crypt_keyslot_area(context->cd, 0, ret_from_bytes, &length);
	if (status < 0)
		return luks_raise(context, status, err, "keyslot 0 has no area");
	*ret_to_bytes = *ret_from_bytes + length;
	return COF_OK;
}

cof_result luks_encrypt_wipe_head(const char *device, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer room = { 0 };
	_cleanup_fd_ int fd = -1;
	uint64_t slot_from = 0;
	uint64_t slot_to = 0;

	TRY(find_slot_area(device, &slot_from, &slot_to, err));
	TRY(buffer_reserve(&room, WIPE_BYTES, err));
	fd = open(device, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cof_raise_errno(err, errno, device, "cannot be opened for writing");
	TRY(wipe_part(fd, device, 2 * METADATA_BYTES, slot_from, &room, err));
	TRY(wipe_part(fd, device, slot_to, LUKS_ENCRYPT_SHIFT_BYTES, &room, err));
	if (fsync(fd) < 0)
		return cof_raise_errno(err, errno, device, "cannot be made durable");
	return COF_OK;
}

cof_result luks_rekey_begin(const char *device, const struct slot_secret *secret,
			    struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	_cleanup_(volume_key_freep) struct volume_key *proven = NULL;
	struct crypt_params_luks2 sectors = { 0 };
	const struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_REENCRYPT,
		.direction = CRYPT_REENCRYPT_FORWARD,
		.resilience = "checksum",
		.hash = "sha256",
		.luks2 = &sectors,
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY,
	};
	int old_slot;
	int new_slot;
	int status;

	TRY(luks_unlock(device, NULL, secret, LUKS_ANY_SLOT, &proven, &old_slot, err));
	TRY(luks_slots_remove_unbound(device, NULL, err));
	TRY(luks_context_load_to_write(device, NULL, true, &context, err));
	ENSURE(context->on_disk.version == 2, err, COF_E_UNSUPPORTED, device,
	       "has a LUKS1 header: only LUKS2 can change its volume key");
	TRY(pbkdf_set(context, LUKS_COST_RANDOM_KEY, err));
	new_slot = crypt_keyslot_add_by_key(context->cd, CRYPT_ANY_SLOT, NULL, VOLUME_KEY_BYTES,
					    (const char *)secret->secret.data, secret->secret.len,
					    CRYPT_VOLUME_KEY_NO_SEGMENT);
	if (new_slot < 0)
		return luks_raise(context, new_slot, err, "a keyslot cannot be added");
	sectors.sector_size = (uint32_t)crypt_get_sector_size(context->cd);
	status = crypt_reencrypt_init_by_passphrase(
		context->cd, NULL, (const char *)secret->secret.data, secret->secret.len, old_slot,
		new_slot, "aes", "xts-plain64", &params);
	if (status < 0)
		return luks_raise(context, status, err, "its volume key cannot be changed");
	return luks_sync(device, err);
}

cof_result luks_decrypt_begin(const char *device, const char *header,
			      const struct slot_secret *secret, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_DECRYPT,
		.direction = CRYPT_REENCRYPT_FORWARD,
		.resilience = "datashift-checksum",
		.hash = "sha256",
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY | CRYPT_REENCRYPT_MOVE_FIRST_SEGMENT,
	};
	int status;

	TRY(luks_context_load_to_write(device, header, true, &context, err));
	ENSURE(context->on_disk.version == 2, err, COF_E_UNSUPPORTED, device,
	       "has a LUKS1 header: only LUKS2 can be decrypted where it is");
	params.data_shift = crypt_get_data_offset(context->cd);
	status = crypt_reencrypt_init_by_passphrase(
		context->cd, NULL, (const char *)secret->secret.data, secret->secret.len,
		CRYPT_ANY_SLOT, CRYPT_ANY_SLOT, NULL, NULL, &params);
	if (status < 0)
		return luks_raise(context, status, err, "%s cannot be decrypted where it is",
				  device);
	TRY(luks_sync(header, err));
	return luks_sync(device, err);
}
