/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of disks' headers in the vault, and whether a device still has the header that they copy.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "file.h"
#include "luks_header.h"

/* A header copy that was written out to be looked at; removed when it goes. */
static void written_copy_removep(char **path)
{
	if (*path) {
		(void)unlink(*path);
		free(*path);
	}
}

/* Writes a copy to a file of its own below /run. */
static cof_result write_copy(const struct paths *paths, const char *name, struct span copy,
			     char **ret_path, struct cof_error *err)
{
	_cleanup_(written_copy_removep) char *path = NULL;
	_cleanup_free_ char *folder = NULL;

	TRY(path_format(&folder, err, "%s/run/coffer", paths->root));
	TRY(folder_make(folder, 0700, err));
	TRY(path_format(&path, err, "%s/header-%d-%s", folder, (int)gettid(), name));
	TRY(file_remove(path, err));
	TRY(luks_write_header_copy(copy, path, err));
	*ret_path = TAKE(path);
	return COF_OK;
}

/* What is damaged is no version worth keeping, and closing such a disk could lose it. */
static cof_result check_whole(const char *source, struct span copy, struct span present,
			      struct cof_error *err)
{
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	struct luks_header_state state;
	cof_result failure;

	TRY(luks_header_examine(source, &state, err));
	if (copy.len)
		TRY(luks_copies_diff(copy, present, &diff, err));
	if (state.whole && !diff.damaged_slots)
		return COF_OK;
	failure = state.whole ? cof_raise(err, COF_E_FORMAT, source,
					  "has a damaged header: keyslots hold other bytes than "
					  "their copy in the vault")
			      : cof_raise(err, COF_E_FORMAT, source,
					  "has a damaged header: the first is %s, the second %s",
					  luks_area_words(state.first),
					  luks_area_words(state.second));
	cof_error_try(err, "coffer disk header repair %s", source);
	return failure;
}

/* The header on the device holds the same volume key as its copy and is not older than it. */
static cof_result compare_with_copy(const struct paths *paths, const char *name, const char *source,
				    struct span copy, const struct slot_secret *key,
				    struct cof_error *err)
{
	_cleanup_(written_copy_removep) char *path = NULL;
	_cleanup_(volume_key_freep) struct volume_key *of_device = NULL;
	_cleanup_(volume_key_freep) struct volume_key *of_copy = NULL;
	struct luks_info device_info;
	struct luks_info copy_info;

	TRY(write_copy(paths, name, copy, &path, err));
	TRY(luks_read(source, NULL, &device_info, err));
	TRY(luks_read(path, NULL, &copy_info, err));
	ENSURE(device_info.sequence >= copy_info.sequence, err, COF_E_REFUSED, source,
	       "has an older header than the one in the vault: its sequence id is %llu, the "
	       "copy's %llu",
	       (unsigned long long)device_info.sequence, (unsigned long long)copy_info.sequence);
	TRY(luks_unlock(source, NULL, key, LUKS_ANY_SLOT, &of_device, NULL, err));
	TRY(luks_unlock(path, NULL, key, LUKS_ANY_SLOT, &of_copy, NULL, err));
	ENSURE(ct_equal(volume_key_span(of_device), volume_key_span(of_copy)), err, COF_E_REFUSED,
	       source, "has a header with another volume key than the one in the vault");
	return COF_OK;
}

cof_result disk_copy_record(struct vault *vault, const struct paths *paths, const char *name,
			    const char *source, const struct slot_secret *key,
			    struct record **ret_record, bool *ret_same, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	bool found;

	TRY(luks_copy_header(source, &copy, err));
	TRY(vault_get(vault, DISK_HEADER_KIND, name, &record, &found, err));
	*ret_same = found && luks_copies_equal(buffer_span(&record->blob), buffer_span(&copy));
	if (!*ret_same)
		TRY(check_whole(source, found && key ? buffer_span(&record->blob) : SPAN(NULL, 0),
				buffer_span(&copy), err));
	if (found && !*ret_same && key)
		TRY(compare_with_copy(paths, name, source, buffer_span(&record->blob), key, err));
	if (!found)
		TRY(record_new(DISK_HEADER_KIND, name, &record, err));
	buffer_done(&record->blob);
	record->blob = copy;
	copy = (struct buffer){ 0 };
	*ret_record = TAKE(record);
	return COF_OK;
}

cof_result disk_refresh_copy(struct vault *vault, const struct paths *paths, const char *name,
			     const char *source, const struct slot_secret *key,
			     struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { .keep_history = true };
	bool same;

	TRY(disk_copy_record(vault, paths, name, source, key, &record, &same, err));
	if (same)
		return COF_OK;
	write.record = record;
	return vault_commit(vault, &write, 1, err);
}

cof_result disk_update(struct vault *vault, const struct paths *paths, const char *name,
		       const struct device *device, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(record_freep) struct record *copy = NULL;
	struct vault_write writes[2] = { 0 };
	struct disk before;
	struct disk disk;
	size_t count = 0;
	bool found;
	bool same;

	TRY(vault_get(vault, DISK_KIND, name, &record, &found, err));
	ENSURE(found, err, COF_E_NOENT, name, "its record is gone from the vault");
	TRY(disk_from_meta(record->meta, &before, err));
	TRY(disk_copy_record(vault, paths, name, device->node, NULL, &copy, &same, err));
	disk = before;
	disk_take_device(&disk, device);
	disk.ready = true;
	json_free(TAKE(record->meta));
	record->meta = disk_to_meta(&disk);
	writes[count++] = (struct vault_write){ .record = record };
	if (!same)
		writes[count++] = (struct vault_write){ .record = copy, .keep_history = true };
	return vault_commit(vault, writes, count, err);
}
