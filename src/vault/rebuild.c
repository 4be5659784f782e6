/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A header that was lost or damaged, made again from its copy in the keystore or in a mirror.
 */

#include <stdio.h>
#include <string.h>

#include "audit_head.h"
#include "clock.h"
#include "fault.h"
#include "number.h"
#include "reach.h"

cof_result vault_uuid_from_keystore(struct vault *vault, struct cof_error *err)
{
	uint8_t uuid[VAULT_UUID_BYTES];
	char hex[2 * VAULT_UUID_BYTES + 1];
	char text[LUKS_UUID_CHARS + 1];
	uint32_t epoch;
	bool found;

	TRY(identity_epoch(vault, &epoch, uuid, &found, err));
	ENSURE(found, err, COF_E_FORMAT, vault->keystore_path,
	       "the keystore has no identity record");
	(void)hex_format(uuid, sizeof(uuid), hex);
	(void)snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		       hex + 16, hex + 20);
	vault->epoch = epoch;
	return vault_set_uuid(vault, text, err);
}

/* Checks that the header at @path is of this vault. */
static cof_result check_restored(const struct vault *vault, const char *path, struct cof_error *err)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));

	ENSURE(info, err, COF_E_NOMEM, path, "no memory for a header");
	TRY(luks_read(path, NULL, info, err));
	ENSURE(strcmp(info->uuid, vault->uuid_text) == 0, err, COF_E_AUTH, path,
	       "is the header of vault %s, the keystore is of %s", info->uuid, vault->uuid_text);
	return COF_OK;
}

/* Writes the keystore's copy to @path. */
static cof_result from_keystore(struct vault *vault, const char *path, struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };
	struct span copy;
	uint64_t sequence;

	TRY(row_get(vault, ROW_HEADER, &row, err));
	ENSURE(row.found, err, COF_E_NOENT, ROW_HEADER, "the keystore has no copy of the header");
	TRY(header_copy_split(buffer_span(&row.value), &sequence, &copy, err));
	TRY(file_remove(path, err));
	TRY(luks_write_header_copy(copy, path, err));
	TRY(check_restored(vault, path, err));
	return COF_OK;
}

/* Writes a mirror's header to @path. */
static cof_result from_mirror(struct vault *vault, const char *mirror, const char *path,
			      struct cof_error *err)
{
	_cleanup_buffer_ struct buffer copy = { 0 };
	_cleanup_free_ char *source = NULL;

	ENSURE(reach_answers(mirror, mirror), err, COF_E_BUSY, mirror, "does not answer");
	TRY(mirror_path(vault, mirror, "root.luks", &source, err));
	TRY(luks_copy_header(source, &copy, err));
	TRY(file_remove(path, err));
	TRY(luks_write_header_copy(buffer_span(&copy), path, err));
	TRY(check_restored(vault, path, err));
	return COF_OK;
}

/* The first copy that is whole; the keystore's own is the newest. */
static cof_result restore(struct vault *vault, const char *path, struct cof_error *err)
{
	cof_result result = from_keystore(vault, path, err);

	for (size_t i = 0; cof_failed(result) && vault->paths->mirrors && vault->paths->mirrors[i];
	     i++) {
		if (!cof_failed(from_mirror(vault, vault->paths->mirrors[i], path, NULL)))
			result = COF_OK;
	}
	TRY(result);
	return header_sync(path, err);
}

/* Keeps the header that is to be replaced under another name. */
static cof_result set_aside(const struct vault *vault, struct cof_error *err)
{
	_cleanup_free_ char *aside = NULL;
	char now[32];

	if (!path_exists(vault->header_path))
		return COF_OK;
	TRY(path_format(&aside, err, "%s.damaged-%s", vault->header_path,
			time_format(clock_now(), now)));
	ENSURE(!path_exists(aside), err, COF_E_REFUSED, aside, "exists already");
	return file_rename(vault->header_path, aside, err);
}

cof_result vault_rebuild_header(const struct paths *paths, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int lock = -1;
	bool kept = false;

	TRY(folder_check_private(paths->vault_dir, err));
	TRY(vault_new(paths, &vault, err));
	/* Not root.luks.new: what is there, if anything, is not to be touched before this is done.
	 */
	TRY(path_format(&path, err, "%s.rebuilt.new", vault->header_path));
	TRY(vault_open_keystore(vault, err));
	TRY(vault_uuid_from_keystore(vault, err));
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	/* One that cannot be read is not the kept one. */
	cof_ignore(header_is_kept(vault, vault->header_path, &kept, NULL));
	ENSURE(!kept, err, COF_E_REFUSED, vault->header_path,
	       "is the same as its copy: it needs no rebuilding");
	TRY(restore(vault, path, err));
	TRY(fault_point("rebuild/restored", err));
	TRY(set_aside(vault, err));
	TRY(fault_point("rebuild/set-aside", err));
	TRY(file_rename(path, vault->header_path, err));
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_HEADER_RESTORE });
	return COF_OK;
}
