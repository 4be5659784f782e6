/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The facts of a disk as its record holds them, pure.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"

#define STATE_READY "ready"

/* The states of a disk that is not ready, by what is under way. */
static const char *const work_states[] = {
	[DISK_WORK_FORMAT] = "formatting",  [DISK_WORK_ADOPT] = "adopting",
	[DISK_WORK_DESTROY] = "destroying", [DISK_WORK_ENCRYPT] = "encrypting",
	[DISK_WORK_REKEY] = "rekeying",
	[DISK_WORK_DECRYPT] = "decrypting",
};

/* Copies a text of @meta; missing is "". */
static cof_result take_text(const struct json *meta, const char *key, char *out,
			    size_t out_size_bytes, struct cof_error *err)
{
	const char *value = json_get_text(meta, key);
	size_t len = value ? strlen(value) : 0;

	ENSURE(len < out_size_bytes, err, COF_E_FORMAT, key, "is %zu bytes long, at most %zu fit",
	       len, out_size_bytes - 1);
	memcpy(out, value ? value : "", len + 1);
	return COF_OK;
}

/* What is under way by a record's state; one of a newer coffer counts as formatting, which nothing
 * goes on with unless the device is blank. */
static enum disk_work work_of(const char *state)
{
	for (size_t i = 0; i < sizeof(work_states) / sizeof(work_states[0]); i++)
		if (strcmp(state, work_states[i]) == 0)
			return (enum disk_work)i;
	return DISK_WORK_FORMAT;
}

cof_result disk_from_meta(const struct json *meta, struct disk *ret_disk, struct cof_error *err)
{
	struct disk disk = { 0 };
	char state[16];

	TRY(take_text(meta, "name", disk.name, sizeof(disk.name), err));
	TRY(take_text(meta, "uuid", disk.uuid, sizeof(disk.uuid), err));
	TRY(take_text(meta, "source", disk.stable, sizeof(disk.stable), err));
	TRY(take_text(meta, "backing_file", disk.backing_file, sizeof(disk.backing_file), err));
	TRY(take_text(meta, "serial", disk.serial, sizeof(disk.serial), err));
	TRY(take_text(meta, "wwn", disk.wwn, sizeof(disk.wwn), err));
	TRY(take_text(meta, "vendor", disk.vendor, sizeof(disk.vendor), err));
	TRY(take_text(meta, "model", disk.model, sizeof(disk.model), err));
	TRY(take_text(meta, "key_file", disk.key_file, sizeof(disk.key_file), err));
	TRY(take_text(meta, "key_mount", disk.key_mount, sizeof(disk.key_mount), err));
	TRY(take_text(meta, "key_left", disk.key_left, sizeof(disk.key_left), err));
	TRY(take_text(meta, "left_mount", disk.left_mount, sizeof(disk.left_mount), err));
	TRY(take_text(meta, "state", state, sizeof(state), err));
	disk.key_only = json_get_bool(meta, "key_only", false);
	disk.size_bytes = json_get_uint(meta, "size", 0);
	disk.crypttab = json_get_bool(meta, "crypttab", false);
	disk.ready = strcmp(state, STATE_READY) == 0;
	disk.work = work_of(state);
	ENSURE(disk.name[0] && disk.uuid[0], err, COF_E_FORMAT, NULL, "a disk's record has no %s",
	       disk.name[0] ? "UUID" : "name");

	*ret_disk = disk;
	return COF_OK;
}

/* Adds where the key is, for a disk that has or had a key file; others say nothing of it. */
static void set_place(struct json *meta, const struct disk *disk)
{
	if (disk->key_file[0]) {
		json_set_text(meta, "key_file", disk->key_file);
		json_set_text(meta, "key_mount", disk->key_mount);
		json_set_bool(meta, "key_only", disk->key_only);
	}
	if (disk->key_left[0]) {
		json_set_text(meta, "key_left", disk->key_left);
		json_set_text(meta, "left_mount", disk->left_mount);
	}
}

struct json *disk_to_meta(const struct disk *disk)
{
	struct json *meta = json_new_object();

	json_set_text(meta, "name", disk->name);
	json_set_text(meta, "uuid", disk->uuid);
	json_set_text(meta, "source", disk->stable);
	json_set_text(meta, "backing_file", disk->backing_file);
	json_set_text(meta, "serial", disk->serial);
	json_set_text(meta, "wwn", disk->wwn);
	json_set_text(meta, "vendor", disk->vendor);
	json_set_text(meta, "model", disk->model);
	json_set_text(meta, "state", disk->ready ? STATE_READY : work_states[disk->work]);
	json_set_uint(meta, "size", disk->size_bytes);
	json_set_bool(meta, "crypttab", disk->crypttab);
	set_place(meta, disk);
	return meta;
}

/* Copies what fits: facts of a device are for comparing and showing, a cut one still compares. */
static void copy_fact(char *out, size_t out_size_bytes, const char *fact)
{
	(void)snprintf(out, out_size_bytes, "%s", fact ? fact : "");
}

void disk_take_device(struct disk *disk, const struct device *device)
{
	disk->size_bytes = device->size_bytes;
	copy_fact(disk->stable, sizeof(disk->stable), device->stable);
	copy_fact(disk->backing_file, sizeof(disk->backing_file), device->backing_file);
	copy_fact(disk->serial, sizeof(disk->serial), device->serial);
	copy_fact(disk->wwn, sizeof(disk->wwn), device->wwn);
	copy_fact(disk->vendor, sizeof(disk->vendor), device->vendor);
	copy_fact(disk->model, sizeof(disk->model), device->model);
}

void disk_of_device(const struct device *device, struct disk *ret_disk)
{
	*ret_disk = (struct disk){ 0 };
	disk_take_device(ret_disk, device);
}

/* Whether two texts are both known and differ; says so. */
static bool disagree(const char *what, const char *of_device, const char *of_record, char *why_not,
		     size_t why_not_size_bytes)
{
	if (!of_device[0] || !of_record[0] || strcmp(of_device, of_record) == 0)
		return false;
	(void)snprintf(why_not, why_not_size_bytes, "its %s is %s, the record says %s", what,
		       of_device, of_record);
	return true;
}

bool disk_is_device(const struct disk *disk, const struct device *device, char *why_not,
		    size_t why_not_size_bytes)
{
	struct disk found;

	disk_of_device(device, &found);
	if (disagree("serial number", found.serial, disk->serial, why_not, why_not_size_bytes) ||
	    disagree("WWN", found.wwn, disk->wwn, why_not, why_not_size_bytes) ||
	    disagree("backing file", found.backing_file, disk->backing_file, why_not,
		     why_not_size_bytes))
		return false;
	if (found.size_bytes < disk->size_bytes) {
		(void)snprintf(
			why_not, why_not_size_bytes, "it has %llu bytes, the record says %llu",
			(unsigned long long)found.size_bytes, (unsigned long long)disk->size_bytes);
		return false;
	}
	return true;
}

/* What is said of a disk that a verb has left half done, by the work that is not finished. */
static const struct {
	const char *word;
	const char *what;
	const char *verb;
} works[] = {
	[DISK_WORK_FORMAT] = { "half-formatted", "formatted", "format" },
	[DISK_WORK_ADOPT] = { "half-adopted", "adopted", "adopt" },
	[DISK_WORK_DESTROY] = { "half-destroyed", "destroyed", "destroy" },
	[DISK_WORK_ENCRYPT] = { "half-encrypted", "encrypted", "encrypt" },
	[DISK_WORK_REKEY] = { "half-rekeyed", "given a new volume key", "rekey" },
	[DISK_WORK_DECRYPT] = { "half-decrypted", "decrypted", "decrypt" },
};

bool disk_is_changing(const struct disk *disk)
{
	return !disk->ready && (disk->work == DISK_WORK_ENCRYPT || disk->work == DISK_WORK_REKEY ||
				disk->work == DISK_WORK_DECRYPT);
}

cof_result disk_refuse_changing(const struct disk *disk, struct cof_error *err)
{
	if (!disk_is_changing(disk))
		return COF_OK;
	return disk_check_work(disk, DISK_WORK_FORMAT, err);
}

const char *disk_work_word(const struct disk *disk)
{
	return works[disk->work].word;
}

const char *disk_work_verb(const struct disk *disk)
{
	return works[disk->work].verb;
}

const char *disk_work_name(const struct disk *disk)
{
	if (disk->work == DISK_WORK_DESTROY || disk_is_changing(disk))
		return disk->name;
	return disk->stable[0] ? disk->stable : "DEV";
}

cof_result disk_check_work(const struct disk *disk, enum disk_work work, struct cof_error *err)
{
	if (disk->ready || disk->work == work)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, disk->name, "is being %s, which was not finished",
			     works[disk->work].what));
	cof_error_try(err, "coffer disk %s %s", disk_work_verb(disk), disk_work_name(disk));
	return (cof_result){ COF_E_REFUSED };
}
