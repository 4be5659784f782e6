/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk format, first half: what would be done to each device, and what must not be touched.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "disk_advice.h"
#include "disk_format_job.h"
#include "disk_result.h"
#include "file.h"
#include "kdf.h"
#include "key_place.h"
#include "number.h"
#include "probe.h"
#include "tabfile.h"
#include "uuid.h"

#define PIECE_BYTES	(64u << 10)
#define PIECES		256
#define LOCK_TIMEOUT_MS 60000

/* What planning one device may look at. */
struct planning {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_format_spec *spec;
	const struct disk_set *set;
	const struct crypttab *crypttab;
};

void disk_format_plan_done(struct disk_format_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		device_free(plan->jobs[i].device);
		record_free(plan->jobs[i].record);
	}
	free(plan->jobs);
	*plan = (struct disk_format_plan){ 0 };
}

cof_result disk_choose_name(const char *asked_for, const struct device *device, const char *verb,
			    char out[static VOLUME_NAME_MAX_CHARS + 1], struct cof_error *err)
{
	_cleanup_free_ char *name = NULL;
	const char *base = path_base(device->stable[0] ? device->stable : device->backing_file);
	uint8_t digest[SHA256_BYTES];
	char digest_text[9];

	if (asked_for) {
		TRY(volume_name_check(asked_for, err));
		(void)snprintf(out, VOLUME_NAME_MAX_CHARS + 1, "%s", asked_for);
		return COF_OK;
	}
	if (!base[0]) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, device->node,
				     "has no name that would outlast a reboot"));
		cof_error_try(err, "coffer disk %s %s --name NAME", verb, device->node);
		return (cof_result){ COF_E_REFUSED };
	}
	TRY(sha256(span_of_text(base), digest, err));
	(void)hex_format(digest, 4, digest_text);
	TRY(volume_name_make(base, digest_text, &name, err));
	(void)snprintf(out, VOLUME_NAME_MAX_CHARS + 1, "%s", name);
	return COF_OK;
}

/* The size of encryption sectors: as asked for, or what suits the device. */
static uint32_t choose_sector_bytes(const struct disk_format_spec *spec,
				    const struct device *device)
{
	struct disk_advice advice;

	disk_advise(device, true, &advice);
	return spec->sector_bytes ? spec->sector_bytes : advice.sector_bytes;
}

const struct disk *disk_set_of_device(const struct disk_set *set, const struct device *device)
{
	struct luks_info info;
	const struct disk *disk = NULL;

	if (!cof_failed(luks_read(device->node, NULL, &info, NULL)))
		disk = disk_set_find(set, NULL, info.uuid);
	for (size_t i = 0; i < set->count && !disk; i++) {
		if (disk_has_stable_name(&set->items[i], device))
			disk = &set->items[i];
	}
	return disk;
}

/* Refuses by the verdict, unless --force overrides it. */
static cof_result heed_verdict(const struct planning *planning, struct disk_format_job *job,
			       struct cof_error *err)
{
	const struct verdict *verdict = &job->verdict;
	bool holds_data = verdict->state == VERDICT_HOLDS_DATA;
	enum cof_code code = verdict->passing ? COF_E_BUSY : COF_E_REFUSED;

	if (verdict->state == VERDICT_FREE)
		return COF_OK;
	/* A disk of the vault holds what its key opens: that is what --anew is about. */
	if (holds_data && (planning->spec->force || (planning->spec->anew && job->record))) {
		job->overwrites = true;
		return COF_OK;
	}
	cof_ignore(cof_raise(err, code, job->device->node, "%s",
			     verdict->state == VERDICT_IN_USE ? "is in use and was not touched"
			     : holds_data		      ? "holds data and was not touched"
							      : "cannot be encrypted"));
	cof_error_cause(err, "%s", verdict->reason);
	cof_error_try(err, "%s", verdict->remedy);
	return (cof_result){ code };
}

/* Whether a line of crypttab is about this device. */
static bool is_about(const struct crypttab_entry *entry, const struct device *device)
{
	_cleanup_(device_freep) struct device *source = NULL;

	return !cof_failed(device_find(entry->source, &source, NULL)) &&
	       source->number == device->number;
}

const char *disk_crypttab_source(const struct disk *disk, const struct device *device)
{
	if (disk->stable[0])
		return disk->stable;
	return disk->backing_file[0] ? disk->backing_file : device->node;
}

cof_result disk_check_crypttab(const struct paths *paths, const struct crypttab *table,
			       const struct disk *disk, const struct device *device,
			       const char *verb, bool force, struct cof_error *err)
{
	struct crypttab_entry entry;

	for (size_t i = 0; crypttab_at(table, i, &entry); i++) {
		bool has_name = strcmp(entry.name, disk->name) == 0;
		bool is_ours = disk_line_is_ours(paths, disk, &entry);

		if (has_name && !is_ours && !is_about(&entry, device)) {
			cof_ignore(cof_raise(err, COF_E_REFUSED, device->node,
					     "would be called %s, which line %zu of %s calls %s",
					     entry.name, entry.line, paths->crypttab,
					     entry.source));
			cof_error_try(err, "coffer disk %s %s --name NAME", verb, device->node);
			return (cof_result){ COF_E_REFUSED };
		}
		if (!has_name && !force && is_about(&entry, device)) {
			cof_ignore(cof_raise(err, COF_E_REFUSED, device->node,
					     "is called %s in line %zu of %s", entry.name,
					     entry.line, paths->crypttab));
			cof_error_try(err, "coffer disk %s %s --name %s, or remove that line", verb,
				      device->node, entry.name);
			return (cof_result){ COF_E_REFUSED };
		}
	}
	return COF_OK;
}

/* Whether the stored key opens the header on the device; what hinders trying is a failure. */
static cof_result try_key(const struct disk_format_job *job, bool *ret_opens, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	struct cof_error failure = { 0 };
	cof_result unlocked;

	*ret_opens = false;
	TRY(disk_record_key(job->record, &key, err));
	unlocked = luks_unlock(job->device->node, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL,
			       &failure);
	/* That it does not open is an answer, and must not stand as the error of the whole job. */
	if (unlocked.code == COF_E_KEY)
		return COF_OK;
	if (cof_failed(unlocked)) {
		*err = failure;
		return unlocked;
	}
	*ret_opens = true;
	return COF_OK;
}

/* Starts anew on a device that has a record, by the verdict and with --force or --anew alone. The
 * key before goes to the history; a key file holds that key, and is left behind. */
static cof_result start_anew(const struct planning *planning, struct disk_format_job *job,
			     struct cof_error *err)
{
	TRY(heed_verdict(planning, job, err));
	job->action = FORMAT_NEW;
	disk_leave_key_file(&job->disk);
	job->disk.key_file[0] = '\0';
	job->disk.key_only = false;
	return uuid_random(job->disk.uuid, err);
}

/* A device with a record whose header is as the record says. */
static cof_result decide_known_header(const struct planning *planning, const struct luks_info *info,
				      struct disk_format_job *job, struct cof_error *err)
{
	bool opens = false;

	/* A header without a keyslot holds nothing that could be opened: it was never finished. */
	if (!job->disk.ready && info->slot_count == 0 && job->verdict.state != VERDICT_IN_USE) {
		job->action = FORMAT_RESUME;
		return COF_OK;
	}
	TRY(try_key(job, &opens, err));
	if (opens && !planning->spec->anew) {
		job->action = FORMAT_FINISH;
		return COF_OK;
	}
	if (planning->spec->force || planning->spec->anew)
		return start_anew(planning, job, err);
	cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node,
			     "has the header of %s, but the key in the vault does not open it",
			     job->disk.name));
	cof_error_try(err, "coffer key history %s", job->disk.name);
	return (cof_result){ COF_E_REFUSED };
}

/* Whether one piece of a device is blank. */
static cof_result is_blank(int fd, const char *node, uint64_t offset_bytes, uint8_t *room,
			   bool *ret_blank, struct cof_error *err)
{
	TRY(fd_pread_all(fd, room, PIECE_BYTES, offset_bytes, node, err));
	*ret_blank = bytes_are_blank(room, PIECE_BYTES);
	return COF_OK;
}

/*
 * Whether nothing but the area of a header that was being written has any content: as much again
 * behind it is looked at, and samples of the rest up to the end.
 */
static cof_result is_half_written(const struct disk_format_job *job, bool *ret_half_written,
				  struct cof_error *err)
{
	_cleanup_fd_ int fd = open(job->device->node, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *room = malloc(PIECE_BYTES);
	uint64_t header = luks_header_file_bytes();
	uint64_t last = job->device->size_bytes - PIECE_BYTES;
	uint64_t stride = (last - header) / PIECES;
	bool blank = true;

	*ret_half_written = false;
	if (job->verdict.state != VERDICT_HOLDS_DATA || job->verdict.signature[0])
		return COF_OK;
	ENSURE(room, err, COF_E_NOMEM, job->device->node, "no memory to look at it");
	if (fd < 0)
		return cof_raise_errno(err, errno, job->device->node, "cannot be opened");
	for (uint64_t at = header; blank && at < 2 * header && at <= last; at += PIECE_BYTES)
		TRY(is_blank(fd, job->device->node, at, room, &blank, err));
	for (uint64_t i = 0; blank && i <= PIECES; i++)
		TRY(is_blank(fd, job->device->node, last - i * stride, room, &blank, err));
	*ret_half_written = blank;
	return COF_OK;
}

/* Refuses an open disk without its header: closed, nothing could open it again. */
static cof_result refuse_open(const struct planning *planning, const struct disk_format_job *job,
			      struct cof_error *err)
{
	struct disk_open_state state;

	TRY(disk_state_of(planning->paths, job->disk.name, &state, err));
	if (!state.open || !job->disk.ready)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node,
			     "is in use, its header is gone, and it was not touched"));
	cof_error_cause(err, "it is open as %s", job->disk.name);
	cof_error_try(err, "coffer disk header repair %s, which works while it is open",
		      job->disk.name);
	return (cof_result){ COF_E_REFUSED };
}

/* A device with a record, on which its header is not to be found. */
static cof_result decide_lost_header(const struct planning *planning, struct disk_format_job *job,
				     struct cof_error *err)
{
	bool half_written;

	TRY(refuse_open(planning, job, err));
	TRY(is_half_written(job, &half_written, err));
	if (!job->disk.ready && (job->verdict.state == VERDICT_FREE || half_written)) {
		job->action = FORMAT_RESUME;
		return COF_OK;
	}
	if (!job->disk.ready || planning->spec->force || planning->spec->anew)
		return start_anew(planning, job, err);
	cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node,
			     "was encrypted as %s, and its header is gone", job->disk.name));
	cof_error_cause(err, "%s",
			job->verdict.state == VERDICT_FREE ? "the device is empty"
							   : job->verdict.reason);
	cof_error_try(err,
		      "coffer disk header repair %s, which puts its copy back; --force starts "
		      "anew and keeps the old key in the history",
		      job->disk.name);
	return (cof_result){ COF_E_REFUSED };
}

/* A device of which there is a record. */
static cof_result decide_known(const struct planning *planning, const struct disk *known,
			       struct disk_format_job *job, struct cof_error *err)
{
	struct luks_info info = { 0 };
	char why_not[384];
	bool found;

	ENSURE(!planning->spec->name || strcmp(planning->spec->name, known->name) == 0, err,
	       COF_E_REFUSED, job->device->node, "is in the vault as %s, not as %s", known->name,
	       planning->spec->name);
	if (!disk_is_device(known, job->device, why_not, sizeof(why_not))) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, known->name,
				     "is the name of another device: %s", why_not));
		cof_error_try(err, "coffer disk format %s --name NAME", job->device->node);
		return (cof_result){ COF_E_REFUSED };
	}
	TRY(vault_get(planning->vault, DISK_KIND, known->name, &job->record, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, known->name, "was removed from the vault meanwhile");
	TRY(disk_from_meta(job->record->meta, &job->disk, err));
	TRY(disk_check_work(&job->disk, DISK_WORK_FORMAT, err));
	if (!cof_failed(luks_read(job->device->node, NULL, &info, NULL)) &&
	    strcmp(info.uuid, known->uuid) == 0)
		return decide_known_header(planning, &info, job, err);
	return decide_lost_header(planning, job, err);
}

/* Whether a line in crypttab is wanted for this device. */
static bool wants_crypttab(const struct disk_format_spec *spec, const struct device *device)
{
	return !spec->no_crypttab && (spec->crypttab || device->stable[0] != '\0');
}

/* Everything about one device. */
static cof_result plan_one(const struct planning *planning, const char *typed,
			   struct disk_format_job *job, struct cof_error *err)
{
	const struct disk *known;

	TRY(device_find(typed, &job->device, err));
	(void)snprintf(job->result.source, sizeof(job->result.source), "%s", job->device->node);
	disk_of_device(job->device, &job->disk);
	TRY(device_verdict(job->device, &job->verdict, err));
	job->sector_bytes = choose_sector_bytes(planning->spec, job->device);
	ENSURE(job->sector_bytes >= job->device->logical_sector_bytes &&
		       job->device->size_bytes % job->sector_bytes == 0,
	       err, COF_E_USAGE, job->device->node,
	       "has %llu bytes in sectors of %u, which encryption sectors of %u do not fit",
	       (unsigned long long)job->device->size_bytes, job->device->logical_sector_bytes,
	       job->sector_bytes);
	known = disk_set_of_device(planning->set, job->device);
	if (!known) {
		TRY(heed_verdict(planning, job, err));
		TRY(disk_choose_name(planning->spec->name, job->device, "format", job->disk.name,
				     err));
		known = disk_set_find(planning->set, job->disk.name, NULL);
	}
	if (known) {
		TRY(decide_known(planning, known, job, err));
	} else {
		TRY(uuid_random(job->disk.uuid, err));
		job->action = FORMAT_NEW;
	}
	TRY(disk_check_crypttab(planning->paths, planning->crypttab, &job->disk, job->device,
				"format", planning->spec->force, err));
	job->disk.crypttab = wants_crypttab(planning->spec, job->device);
	(void)snprintf(job->result.name, sizeof(job->result.name), "%s", job->disk.name);
	/* Of a header that is still to be made it would be another one at the next run. */
	if (job->action != FORMAT_NEW)
		(void)snprintf(job->result.uuid, sizeof(job->result.uuid), "%s", job->disk.uuid);
	job->result.state = "planned";
	return COF_OK;
}

/* A device, or a name, that stands twice on the command line. */
static cof_result refuse_twins(const struct disk_format_plan *plan, size_t index,
			       struct cof_error *err)
{
	const struct disk_format_job *job = &plan->jobs[index];

	for (size_t i = 0; i < index; i++) {
		const struct disk_format_job *other = &plan->jobs[i];

		if (other->result.error.code == COF_E_NONE)
			TRY(disk_check_twins(other->device, other->disk.name, job->device,
					     job->disk.name, err));
	}
	return COF_OK;
}

/* Options that make no sense together or are out of range. */
static cof_result check_spec(const struct disk_format_spec *spec, size_t count,
			     struct cof_error *err)
{
	ENSURE(!spec->name || count == 1, err, COF_E_USAGE, "--name",
	       "names one device, and %zu were given", count);
	ENSURE(spec->key_bytes >= DISK_KEY_BYTES_MIN && spec->key_bytes <= DISK_KEY_BYTES_MAX, err,
	       COF_E_USAGE, "--key-bytes", "%zu is not between %d and %u", spec->key_bytes,
	       DISK_KEY_BYTES_MIN, DISK_KEY_BYTES_MAX);
	ENSURE(spec->sector_bytes == 0 || spec->sector_bytes == 512 || spec->sector_bytes == 1024 ||
		       spec->sector_bytes == 2048 || spec->sector_bytes == 4096,
	       err, COF_E_USAGE, "--sector-bytes", "%u is not 512, 1024, 2048 or 4096",
	       spec->sector_bytes);
	return COF_OK;
}

cof_result disk_format_lock(const struct paths *paths, int *ret_lock, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *path = NULL;
	struct cof_error held = { 0 };
	cof_result locked;

	TRY(path_format(&folder, err, "%s/run/coffer", paths->root));
	TRY(folder_make(folder, 0700, err));
	TRY(path_format(&path, err, "%s/format.lock", folder));
	locked = file_lock(path, LOCK_TIMEOUT_MS, ret_lock, &held);
	if (locked.code == COF_E_BUSY) {
		cof_ignore(cof_raise(err, COF_E_BUSY, NULL,
				     "another coffer command has been formatting disks for more "
				     "than %d s",
				     LOCK_TIMEOUT_MS / 1000));
		cof_error_cause(err, "%s %s", held.subject, held.text);
		cof_error_try(err, "wait until it has ended, then the same again");
	} else if (cof_failed(locked) && err) {
		*err = held;
	}
	return locked;
}

cof_result disk_format_plan(struct vault *vault, const struct paths *paths,
			    const char *const devices[], size_t count,
			    const struct disk_format_spec *spec, struct disk_format_plan *ret_plan,
			    struct cof_error *err)
{
	_cleanup_(disk_format_plan_done) struct disk_format_plan plan = { 0 };
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct planning planning = { .vault = vault, .paths = paths, .spec = spec, .set = &set };
	_cleanup_fd_ int lock = -1;

	TRY(check_spec(spec, count, err));
	TRY(disk_format_lock(paths, &lock, err));
	TRY(disk_set_load(vault, &set, err));
	TRY(crypttab_load(paths->crypttab, &crypttab, err));
	planning.crypttab = crypttab;
	plan.jobs = calloc(count, sizeof(*plan.jobs));
	ENSURE(plan.jobs, err, COF_E_NOMEM, NULL, "no memory for %zu devices", count);
	plan.count = count;
	for (size_t i = 0; i < count; i++) {
		struct disk_format_job *job = &plan.jobs[i];
		struct cof_error *refusal = &job->result.error;

		disk_result_start(&job->result, devices[i]);
		if (cof_failed(plan_one(&planning, devices[i], job, refusal)) ||
		    cof_failed(refuse_twins(&plan, i, refusal)))
			job->result.state = "failed";
	}

	*ret_plan = plan;
	plan = (struct disk_format_plan){ 0 };
	return COF_OK;
}
