/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vault's header file: a new one, and what to do about one that a crash left behind.
 * doc/format-vault.md, section 1. Its copy in the keystore is in header_copy.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "internal.h"
#include "log.h"
#include "number.h"

#define SUBSYSTEM_PREFIX "coffer-vault:"
#define WIPE_BLOCK_BYTES 65536

cof_result header_uuid_parse(const char *text, uint8_t out[static VAULT_UUID_BYTES],
			     struct cof_error *err)
{
	char digits[2 * VAULT_UUID_BYTES + 1] = "";
	size_t len = 0;

	for (const char *at = text; *at; at++) {
		if (*at == '-')
			continue;
		ENSURE(len < sizeof(digits) - 1, err, COF_E_FORMAT, text, "is too long a UUID");
		digits[len++] = *at;
	}
	return hex_parse(digits, out, VAULT_UUID_BYTES, err);
}

cof_result header_sync(const char *path, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return cof_raise_errno(err, errno, path, "cannot be made durable");
	return file_sync_folder_of(path, err);
}

/* The epoch that a header's subsystem text hints at; 0 when the header or the text is no good. */
static uint32_t hinted_epoch(const struct vault *vault, const char *path)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));
	uint64_t epoch = 0;

	if (!info || cof_failed(luks_read(path, NULL, info, NULL)) ||
	    strncmp(info->subsystem, SUBSYSTEM_PREFIX, strlen(SUBSYSTEM_PREFIX)) != 0 ||
	    cof_failed(uint_parse(info->subsystem + strlen(SUBSYSTEM_PREFIX), UINT32_MAX, &epoch,
				  NULL)))
		return 0;
	return (uint32_t)epoch;
}

/* Whether the header at @path is the one that belongs to the keystore as it is now. */
static bool is_header_of(struct vault *vault, const char *path, uint32_t epoch)
{
	bool kept = false;

	return (!cof_failed(header_is_kept(vault, path, &kept, NULL)) && kept) ||
	       hinted_epoch(vault, path) == epoch;
}

/* Overwrites what a file that has lost its name still holds. A file that has another name, a
 * hard link that somebody made, is left alone. */
static void wipe_nameless(int fd)
{
	static const uint8_t zeroes[WIPE_BLOCK_BYTES];
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_nlink > 0)
		return;
	for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0 && at < status.st_size;
	     at = lseek(fd, at, SEEK_DATA)) {
		ssize_t written = pwrite(fd, zeroes, sizeof(zeroes), at);

		if (written <= 0)
			return;
		at += written;
	}
	(void)fsync(fd);
}

cof_result header_install_new(struct vault *vault, struct cof_error *err)
{
	_cleanup_fd_ int old = open(vault->header_path, O_RDWR | O_CLOEXEC);

	TRY(file_rename(vault->new_header_path, vault->header_path, err));
	wipe_nameless(old);
	return COF_OK;
}

/* Decides what a header under the temporary name is. The lock is held. */
static cof_result converge_locked(struct vault *vault, struct cof_error *err)
{
	uint32_t epoch;
	bool found;

	if (!path_exists(vault->new_header_path))
		return COF_OK;
	TRY(identity_epoch(vault, &epoch, NULL, &found, err));
	ENSURE(found, err, COF_E_FORMAT, vault->keystore_path,
	       "the keystore has no identity record");
	if (path_exists(vault->header_path) && is_header_of(vault, vault->header_path, epoch)) {
		log_debug("vault", "%s is left over", vault->new_header_path);
		return file_remove(vault->new_header_path, err);
	}
	ENSURE(is_header_of(vault, vault->new_header_path, epoch), err, COF_E_FORMAT,
	       vault->new_header_path,
	       "neither this header nor root.luks is known to belong to the keystore, of epoch %u",
	       epoch);
	return header_install_new(vault, err);
}

cof_result header_converge(struct vault *vault, struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;

	if (!path_exists(vault->new_header_path))
		return COF_OK;
	/* A revocation that is going on in another process holds the lock. */
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	return converge_locked(vault, err);
}

cof_result header_new_file(const char *path, struct cof_error *err)
{
	_cleanup_fd_ int fd = -1;
	int errno_value;

	TRY(file_remove(path, err));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be made");
	/* All of it now, so that a disk that is full later cannot spoil a change of a keyslot. */
	errno_value = posix_fallocate(fd, 0, (off_t)luks_header_file_bytes());
	if (errno_value != 0)
		return cof_raise_errno(err, errno_value, path, "has no room for a header");
	return COF_OK;
}

/* Passes the fault point "@fault/@step". */
static cof_result pass_point(const char *fault, const char *step, struct cof_error *err)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s/%s", fault, step);
	return fault_point(name, err);
}

/* Adds one method to a new header, in the slot of its number, and proves it. */
static cof_result add_method(struct vault *vault, const struct volume_key *key,
			     const struct vault_kept *kept, bool fips, struct cof_error *err)
{
	const char *path = vault->new_header_path;
	_cleanup_(slot_secret_freep) struct slot_secret *normal = NULL;
	int slot;

	TRY(slot_normalize(kept->method, kept->secret, &normal, err));
	TRY(luks_slot_add_at(path, NULL, key, normal, slot_cost(kept->method, kept->strong, fips),
			     kept->slot, &slot, err));
	TRY(slot_name(path, kept->method, kept->label, slot, true, err));
	return slot_prove(path, key, normal, slot, err);
}

/* All methods of a new header: those that stay in their slots, the new ones in the first others. */
static cof_result add_methods(struct vault *vault, const struct volume_key *key,
			      const struct vault_new *spec, const char *fault,
			      struct cof_error *err)
{
	const struct vault_kept new[] = {
		{ .method = VAULT_PASSPHRASE, .secret = spec->passphrase },
		{ .method = VAULT_RECOVERY, .secret = spec->recovery, .strong = true },
	};
	uint32_t taken = spec->empty_slots;

	for (size_t i = 0; i < spec->kept_count; i++) {
		TRY(add_method(vault, key, &spec->kept[i], spec->fips, err));
		TRY(pass_point(fault, "kept-added", err));
		taken |= 1u << spec->kept[i].slot;
	}
	for (size_t i = 0; i < sizeof(new) / sizeof(new[0]); i++) {
		struct vault_kept one = new[i];

		if (!one.secret)
			continue;
		ENSURE(taken != UINT32_MAX, err, COF_E_NOSPC, vault->new_header_path,
		       "has no keyslot left");
		one.slot = __builtin_ctz(~taken);
		taken |= 1u << one.slot;
		TRY(add_method(vault, key, &one, spec->fips, err));
		if (i == 0)
			TRY(pass_point(fault, "passphrase-added", err));
	}
	return COF_OK;
}

cof_result header_format(struct vault *vault, const struct vault_new *spec, const char *uuid,
			 uint32_t epoch, const char *fault, struct volume_key **ret_key,
			 struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	char subsystem[32];
	struct luks_format_spec format = {
		.uuid = uuid,
		.label = "coffer vault",
		.subsystem = subsystem,
		.sector_bytes = 512,
		.header_only = true,
	};

	(void)snprintf(subsystem, sizeof(subsystem), SUBSYSTEM_PREFIX "%u", epoch);
	TRY(header_new_file(vault->new_header_path, err));
	TRY(pass_point(fault, "header-made", err));
	TRY(luks_format(vault->new_header_path, &format, NULL, &key, err));
	TRY(pass_point(fault, "header-formatted", err));
	TRY(add_methods(vault, key, spec, fault, err));
	TRY(header_sync(vault->new_header_path, err));
	TRY(pass_point(fault, "header-whole", err));

	*ret_key = TAKE(key);
	return COF_OK;
}
