/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk encrypt, first half: what would be done to the device, and what must not be encrypted.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "disk_format_job.h"
#include "disk_job.h"
#include "disk_result.h"
#include "file.h"
#include "fs_shrink.h"
#include "number.h"
#include "probe.h"
#include "uuid.h"

#define SECTOR_BYTES_LARGE 4096
#define PIECE_BYTES	   (1u << 20)

/* What planning may look at. */
struct planning {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_encrypt_spec *spec;
	const struct disk_set *set;
	const struct crypttab *crypttab;
};

void disk_change_plan_done(struct disk_change_plan *plan)
{
	device_free(plan->device);
	*plan = (struct disk_change_plan){ 0 };
}

/* Finds the device that was typed, and the record that speaks of it. */
static cof_result find(const struct planning *planning, const char *typed,
		       struct disk_change_plan *plan, const struct disk **ret_known,
		       struct cof_error *err)
{
	const struct disk *known = disk_set_find(planning->set, typed, NULL);
	const char *name = planning->spec->name;

	if (known) {
		TRY(changing_find_device(known, &plan->device, err));
	} else {
		TRY(disk_device_find(typed, &plan->device, err));
		known = disk_set_of_device(planning->set, plan->device);
	}
	if (!known && name)
		known = disk_set_find(planning->set, name, NULL);
	(void)snprintf(plan->result.source, sizeof(plan->result.source), "%s", plan->device->node);
	*ret_known = known;
	return COF_OK;
}

/* Refuses what somebody uses, or nobody can write to. */
static cof_result heed_use(const struct disk_change_plan *plan, const struct verdict *verdict,
			   struct cof_error *err)
{
	enum cof_code code = verdict->passing ? COF_E_BUSY : COF_E_REFUSED;

	if (verdict->state != VERDICT_IN_USE && verdict->state != VERDICT_UNFIT)
		return COF_OK;
	cof_ignore(cof_raise(err, code, plan->device->node, "%s",
			     verdict->state == VERDICT_IN_USE ? "is in use and was not touched"
							      : "cannot be encrypted"));
	cof_error_cause(err, "%s", verdict->reason);
	cof_error_try(err, "%s", verdict->remedy);
	return (cof_result){ code };
}

/* Raises a refusal of what is on the device, with what to do instead. */
static cof_result refuse_content(const struct disk_change_plan *plan, const char *text,
				 const char *verb, struct cof_error *err)
{
	cof_ignore(cof_raise(err, COF_E_REFUSED, plan->device->node, "%s", text));
	if (plan->holds[0])
		cof_error_cause(err, "it holds %s", plan->holds);
	cof_error_try(err, "%s %s", verb, plan->device->node);
	return (cof_result){ COF_E_REFUSED };
}

/* Refuses what other verbs are for. */
static cof_result refuse_others(const struct disk_change_plan *plan, const struct verdict *verdict,
				const struct signatures *signatures, struct cof_error *err)
{
	const char *first = signatures->first;

	if (verdict->state == VERDICT_FREE)
		return refuse_content(plan, "is empty: there is nothing to encrypt on it",
				      "coffer disk format", err);
	if (strcmp(first, "crypto_LUKS") == 0)
		return refuse_content(plan, "is encrypted already, by another program",
				      "coffer disk adopt", err);
	if (strcmp(first, "swap") == 0)
		return refuse_content(plan, "is swap space, whose content need not be kept",
				      "coffer swap encrypt", err);
	if (signatures->count > 1)
		return refuse_content(plan, "holds more than one thing, one of them left over",
				      "wipefs", err);
	if (strncmp(signatures->text, "partition table", strlen("partition table")) == 0)
		return refuse_content(plan,
				      "has partitions, which are encrypted one by one instead",
				      "lsblk", err);
	return COF_OK;
}

/* Refuses a file system that reaches too far, or has it made smaller. */
static cof_result decide_room(const struct planning *planning, const struct fs_extent *extent,
			      struct disk_change_plan *plan, struct cof_error *err)
{
	uint64_t size_bytes = plan->device->size_bytes;
	cof_result room =
		encrypt_check_room(plan->device->node, extent->end_bytes, size_bytes, err);
	const char *word = fs_kind_word(extent->kind);

	plan->data_bytes = extent->end_bytes;
	if (!cof_failed(room) || size_bytes <= LUKS_ENCRYPT_FREE_BYTES)
		return room;
	if (!fs_can_shrink(extent)) {
		cof_error_cause(err, "%s cannot be made smaller%s", word,
				extent->kind == FS_BTRFS ? " here, on several devices" : "");
		cof_error_try(err,
			      "make the partition or logical volume 32 MiB larger, or copy the "
			      "data to a disk of coffer disk format");
		return room;
	}
	if (!planning->spec->shrink) {
		cof_error_try(err,
			      "coffer disk encrypt %s --shrink, which makes the %s file system "
			      "smaller by that; have a backup",
			      plan->device->node, word);
		return room;
	}
	if (err)
		*err = (struct cof_error){ 0 };
	plan->shrink_to_bytes = encrypt_most_bytes(size_bytes);
	plan->data_bytes = plan->shrink_to_bytes;
	return COF_OK;
}

/* Whether the end of the device that is needed holds anything. */
static cof_result look_at_end(int fd, struct disk_change_plan *plan, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer piece = { 0 };
	uint64_t at = plan->device->size_bytes - LUKS_ENCRYPT_FREE_BYTES;

	TRY(buffer_reserve(&piece, PIECE_BYTES, err));
	for (; at + PIECE_BYTES <= plan->device->size_bytes && !plan->end_in_use;
	     at += PIECE_BYTES) {
		TRY(fd_pread_all(fd, piece.data, PIECE_BYTES, at, plan->device->node, err));
		plan->end_in_use = !bytes_are_blank(piece.data, PIECE_BYTES);
	}
	return COF_OK;
}

/* Something of which nobody here knows where it ends: the user must say so. */
static cof_result decide_unknown(const struct planning *planning, int fd,
				 struct disk_change_plan *plan, struct cof_error *err)
{
	uint64_t size_bytes = plan->device->size_bytes;

	TRY(encrypt_check_room(plan->device->node, 0, size_bytes, err));
	plan->data_bytes = size_bytes - LUKS_ENCRYPT_FREE_BYTES;
	if (planning->spec->end_unused)
		return look_at_end(fd, plan, err);
	cof_ignore(cof_raise(err, COF_E_REFUSED, plan->device->node,
			     "holds something of which coffer does not know where it ends"));
	cof_error_cause(err, "it holds %s, and encrypting needs the last 32 MiB of the device",
			plan->holds);
	cof_error_try(err,
		      "coffer disk encrypt %s --end-unused, if nothing that is needed is there",
		      plan->device->node);
	return (cof_result){ COF_E_REFUSED };
}

/* 4096 where nothing on the device is read or written in smaller pieces. */
static cof_result choose_sector_bytes(const struct planning *planning,
				      const struct fs_extent *extent, struct disk_change_plan *plan,
				      struct cof_error *err)
{
	const struct device *device = plan->device;
	uint32_t block_bytes = extent->kind ? extent->block_bytes : device->logical_sector_bytes;
	bool large =
		block_bytes >= SECTOR_BYTES_LARGE && device->size_bytes % SECTOR_BYTES_LARGE == 0;

	plan->sector_bytes = planning->spec->sector_bytes;
	if (!plan->sector_bytes)
		plan->sector_bytes = large ? SECTOR_BYTES_LARGE : device->logical_sector_bytes;
	ENSURE(plan->sector_bytes >= device->logical_sector_bytes &&
		       device->size_bytes % plan->sector_bytes == 0,
	       err, COF_E_USAGE, device->node,
	       "has %llu bytes in sectors of %u, which encryption sectors of %u do not fit",
	       (unsigned long long)device->size_bytes, device->logical_sector_bytes,
	       plan->sector_bytes);
	ENSURE(plan->sector_bytes <= block_bytes, err, COF_E_USAGE, device->node,
	       "is used in blocks of %u bytes, which encryption sectors of %u do not fit",
	       block_bytes, plan->sector_bytes);
	return COF_OK;
}

/* A device that the vault knows nothing of. */
static cof_result decide_new(const struct planning *planning, struct disk_change_plan *plan,
			     struct cof_error *err)
{
	_cleanup_fd_ int fd = open(plan->device->node, O_RDONLY | O_CLOEXEC);
	struct signatures signatures = { 0 };
	struct fs_extent extent = { 0 };
	struct verdict verdict;

	if (fd < 0)
		return cof_raise_errno(err, errno, plan->device->node, "cannot be opened");
	disk_of_device(plan->device, &plan->disk);
	TRY(device_verdict(plan->device, &verdict, err));
	TRY(heed_use(plan, &verdict, err));
	TRY(probe_signatures(fd, plan->device->node, &signatures, err));
	(void)snprintf(plan->holds, sizeof(plan->holds), "%s", verdict.reason);
	TRY(refuse_others(plan, &verdict, &signatures, err));
	TRY(fs_extent_read(plan->device->node, &extent, err));
	TRY(choose_sector_bytes(planning, &extent, plan, err));
	if (extent.kind)
		TRY(decide_room(planning, &extent, plan, err));
	else
		TRY(decide_unknown(planning, fd, plan, err));
	TRY(disk_choose_name(planning->spec->name, plan->device, "encrypt", plan->disk.name, err));
	ENSURE(!disk_set_find(planning->set, plan->disk.name, NULL), err, COF_E_REFUSED,
	       plan->device->node, "would be called %s, as another disk of the vault is",
	       plan->disk.name);
	TRY(uuid_random(plan->disk.uuid, err));
	TRY(disk_check_crypttab(planning->paths, planning->crypttab, &plan->disk, plan->device,
				"encrypt", false, err));
	plan->disk.crypttab = !planning->spec->no_crypttab &&
			      (planning->spec->crypttab || plan->device->stable[0] != '\0');
	plan->action = CHANGE_NEW;
	return COF_OK;
}

/* A disk that was encrypted to the end, by whatever verb. */
static cof_result decide_done(struct disk_change_plan *plan, struct cof_error *err)
{
	struct luks_info info;

	if (cof_failed(luks_read(plan->device->node, NULL, &info, NULL)) ||
	    strcmp(info.uuid, plan->disk.uuid) != 0) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, plan->device->node,
				     "is the disk %s of the vault, and its header is gone",
				     plan->disk.name));
		cof_error_try(err, "coffer disk header repair %s", plan->disk.name);
		return (cof_result){ COF_E_REFUSED };
	}
	plan->action = CHANGE_DONE;
	return COF_OK;
}

/* A device of which there is a record. */
static cof_result decide_known(const struct planning *planning, const struct disk *known,
			       struct disk_change_plan *plan, struct cof_error *err)
{
	const char *name = planning->spec->name;
	struct verdict verdict;
	char why_not[384];

	ENSURE(!name || strcmp(name, known->name) == 0, err, COF_E_REFUSED, plan->device->node,
	       "is in the vault as %s, not as %s", known->name, name);
	ENSURE(disk_is_device(known, plan->device, why_not, sizeof(why_not)), err, COF_E_REFUSED,
	       known->name, "%s is another device: %s", plan->device->node, why_not);
	TRY(disk_check_work(known, DISK_WORK_ENCRYPT, err));
	plan->disk = *known;
	if (known->ready)
		return decide_done(plan, err);
	TRY(device_verdict(plan->device, &verdict, err));
	TRY(heed_use(plan, &verdict, err));
	(void)snprintf(plan->holds, sizeof(plan->holds), "%s", verdict.reason);
	plan->action = CHANGE_RESUME;
	return COF_OK;
}

/* Everything about the device. */
static cof_result plan_device(const struct planning *planning, const char *typed,
			      struct disk_change_plan *plan, struct cof_error *err)
{
	const struct disk *known;

	TRY(find(planning, typed, plan, &known, err));
	if (known)
		TRY(decide_known(planning, known, plan, err));
	else
		TRY(decide_new(planning, plan, err));
	(void)snprintf(plan->result.name, sizeof(plan->result.name), "%s", plan->disk.name);
	plan->result.state = "planned";
	return COF_OK;
}

cof_result disk_encrypt_plan(struct vault *vault, const struct paths *paths, const char *typed,
			     const struct disk_encrypt_spec *spec,
			     struct disk_change_plan *ret_plan, struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct planning planning = { .vault = vault, .paths = paths, .spec = spec, .set = &set };
	_cleanup_fd_ int lock = -1;

	ENSURE(spec->sector_bytes == 0 || spec->sector_bytes == 512 || spec->sector_bytes == 1024 ||
		       spec->sector_bytes == 2048 || spec->sector_bytes == 4096,
	       err, COF_E_USAGE, "--sector-bytes", "%u is not 512, 1024, 2048 or 4096",
	       spec->sector_bytes);
	TRY(disk_format_lock(paths, &lock, err));
	TRY(disk_set_load(vault, &set, err));
	TRY(crypttab_load(paths->crypttab, &crypttab, err));
	planning.crypttab = crypttab;

	*ret_plan = (struct disk_change_plan){ 0 };
	disk_result_start(&ret_plan->result, typed);
	if (cof_failed(plan_device(&planning, typed, ret_plan, &ret_plan->result.error)))
		ret_plan->result.state = "failed";
	return COF_OK;
}
