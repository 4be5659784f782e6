/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a backup: under a temporary name, durable, read back and proven, and then its name.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "audit_head.h"
#include "backup_stream.h"
#include "clock.h"
#include "fault.h"
#include "number.h"

#define CONFIG_MAX_BYTES (1u << 20)
#define OLD_HEAD_BYTES	 8 /* of a backup that was cut off: enough to know it by */

/**
 * struct target - where a backup goes
 * @file:      the file that gets it, with symbolic links followed; owned
 * @temporary: @file.new, until it is renamed; owned; NULL for a stream
 */
struct target {
	char *file;
	char *temporary;
	int fd;
};

static void target_done(struct target *target)
{
	if (target->temporary)
		(void)unlink(target->temporary);
	fd_closep(&target->fd);
	free(target->file);
	free(target->temporary);
}

/* Removes what a run that was cut off has left; anything else of that name is not ours. */
static cof_result remove_left_over(const char *path, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char found[OLD_HEAD_BYTES] = "";
	struct stat status;
	ssize_t got;

	if (fd < 0 && errno == ENOENT)
		return COF_OK;
	ENSURE(fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0, err, COF_E_BUSY, path,
	       "is being written by another process");
	got = fd < 0 ? -1 : read(fd, found, sizeof(found));
	ENSURE(got >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
		       memcmp(found, "CofBckUp", (size_t)got) == 0,
	       err, COF_E_REFUSED, path, "is in the way, and no backup that was cut off");
	return file_remove(path, err);
}

/* Opens the temporary file. */
static cof_result target_open(const char *file, bool force, struct target *target,
			      struct cof_error *err)
{
	_cleanup_free_ char *real = realpath(file, NULL);
	_cleanup_free_ char *temporary = NULL;
	struct stat status;

	if (strcmp(file, BACKUP_STREAM) == 0) {
		target->fd = dup(STDOUT_FILENO);
		if (target->fd < 0)
			return cof_raise_errno(err, errno, file, "standard output cannot be used");
		return path_format(&target->file, err, "standard output");
	}
	TRY(path_format(&target->file, err, "%s", real ? real : file));
	if (lstat(target->file, &status) == 0) {
		ENSURE(S_ISREG(status.st_mode), err, COF_E_REFUSED, file,
		       "is there and is not a regular file");
		ENSURE(force, err, COF_E_REFUSED, file, "exists already");
	}
	TRY(path_format(&temporary, err, "%s.new", target->file));
	TRY(remove_left_over(temporary, err));
	target->fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (target->fd < 0)
		return cof_raise_errno(err, errno, file, "cannot be made");
	target->temporary = TAKE(temporary);
	/* For as long as it is open nobody else takes it for left over. */
	if (flock(target->fd, LOCK_EX | LOCK_NB) < 0)
		return cof_raise_errno(err, errno, file, "cannot be locked");
	return fault_point("backup/started", err);
}

/* Makes what was written durable, and has it read from the medium again. */
static cof_result target_sync(const struct target *target, struct cof_error *err)
{
	if (fsync(target->fd) < 0)
		return cof_raise_errno(err, errno, target->file, "cannot be made durable");
	(void)posix_fadvise(target->fd, 0, 0, POSIX_FADV_DONTNEED);
	return fault_point("backup/written", err);
}

/* Gives the backup its name; without @force not over a file that somebody has made meanwhile. */
static cof_result target_name(struct target *target, bool force, struct cof_error *err)
{
	int renamed = renameat2(AT_FDCWD, target->temporary, AT_FDCWD, target->file,
				force ? 0 : RENAME_NOREPLACE);

	/* Not every file system can refuse by itself. */
	if (renamed < 0 && (errno == EINVAL || errno == ENOSYS)) {
		ENSURE(force || !path_exists(target->file), err, COF_E_REFUSED, target->file,
		       "exists already");
		renamed = rename(target->temporary, target->file);
	}
	ENSURE(renamed == 0 || errno != EEXIST, err, COF_E_REFUSED, target->file, "exists already");
	if (renamed < 0)
		return cof_raise_errno(err, errno, target->file, "cannot get its name");
	free(TAKE(target->temporary));
	TRY(file_sync_folder_of(target->file, err));
	return fault_point("backup/named", err);
}

/* ---- what is in it ---- */

/* One row; the header's copy stands before them all already. */
static cof_result add_row(const char *key, struct span value, uint64_t revision, void *context,
			  struct cof_error *err)
{
	const struct backup_item item = { .kind = BACKUP_ROW, .name = key, .value = value };

	return strcmp(key, ROW_HEADER) == 0 ? COF_OK : backup_writer_add(context, &item, err);
}

/* One file of the audit log. */
static cof_result add_audit(const char *file, struct span content, void *context,
			    struct cof_error *err)
{
	const struct backup_item item = { .kind = BACKUP_AUDIT, .name = file, .value = content };

	return backup_writer_add(context, &item, err);
}

/* The configuration, where there is one. */
static cof_result add_config(const struct vault *vault, struct backup_writer *writer,
			     struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	struct backup_item item = { .kind = BACKUP_CONFIG, .name = BACKUP_CONFIG_NAME };

	if (!vault->paths->config || !path_exists(vault->paths->config))
		return COF_OK;
	TRY(file_read(vault->paths->config, CONFIG_MAX_BYTES, &content, err));
	item.value = buffer_span(&content);
	return backup_writer_add(writer, &item, err);
}

/* What the backup will say in the clear. */
static cof_result make_head(const struct vault *vault, const struct row *anchor, uint64_t revision,
			    struct backup_head *ret_head, struct cof_error *err)
{
	struct backup_head head = { .epoch = vault->keys.epoch,
				    .revision = revision,
				    .created = (uint64_t)clock_now(),
				    .anchor_bytes = (uint32_t)anchor->value.len };

	memcpy(head.uuid, vault->uuid, sizeof(head.uuid));
	TRY(random_bytes(head.id, sizeof(head.id), err));
	*ret_head = head;
	return COF_OK;
}

/* Writes all of it. The lock is held, so that nothing changes meanwhile. */
static cof_result write_all(struct vault *vault, const struct target *target,
			    struct backup_facts *ret_facts, struct cof_error *err)
{
	_cleanup_(backup_writer_done) struct backup_writer writer = { .file = target->file,
								      .fd = target->fd };
	_cleanup_row_ struct row anchor = { 0 };
	const struct manifest *manifest;
	struct backup_head head;

	/* It may have been revoked before the lock was taken. */
	TRY(vault_read_manifest(vault, &manifest, err));
	TRY(header_check_seal(vault, err));
	TRY(row_get(vault, ROW_HEADER, &anchor, err));
	ENSURE(anchor.found, err, COF_E_FORMAT, ROW_HEADER,
	       "the keystore has no copy of the header");
	TRY(make_head(vault, &anchor, manifest->revision, &head, err));
	TRY(backup_writer_start(&writer, &vault->keys, &head, buffer_span(&anchor.value), err));
	TRY(vault->engine->walk(vault->keystore, "", add_row, &writer, err));
	TRY(audit_each_file(vault, add_audit, &writer, err));
	TRY(add_config(vault, &writer, err));
	TRY(backup_writer_finish(&writer, err));

	*ret_facts = (struct backup_facts){ .epoch = head.epoch,
					    .revision = head.revision,
					    .created = (time_t)head.created,
					    .size_bytes = writer.size_bytes };
	(void)hex_format(head.id, sizeof(head.id), ret_facts->id);
	memcpy(ret_facts->uuid, head.uuid, sizeof(ret_facts->uuid));
	return COF_OK;
}

/* Reads back what was written. */
static cof_result prove(struct vault *vault, const struct target *target,
			struct backup_content *ret_content, struct cof_error *err)
{
	_cleanup_(backup_closep) struct backup *backup = NULL;
	bool unlocked;

	TRY(backup_open(target->temporary, &backup, err));
	TRY(backup_unlock_from(backup, vault, &unlocked, err));
	ENSURE(unlocked, err, COF_E_AUTH, target->file, "does not read back as this vault's");
	TRY(backup_prove(backup, ret_content, err));
	return fault_point("backup/proven", err);
}

cof_result backup_remember(struct vault *vault, const char *event, const char *file,
			   const struct backup_facts *facts, const struct note_stand *stand,
			   struct cof_error *err)
{
	_cleanup_json_ struct json *note = json_new_object();
	_cleanup_free_ char *real = realpath(file, NULL);
	struct json *detail = json_new_object();
	char when[32];

	(void)time_format(facts->created, when);
	json_set_text(note, "time", when);
	json_set_text(note, "file", real ? real : file);
	json_set_text(note, "id", facts->id);
	json_set_uint(note, "revision", facts->revision);
	json_set_uint(note, "epoch", facts->epoch);
	json_set_uint(note, "store", stand->store);
	json_set_uint(note, "records", stand->records);
	TRY(note_put(vault, NOTE_BACKUP, note, err));
	json_set_text(detail, "id", facts->id);
	json_set_text(detail, "created", when);
	json_set_uint(detail, "revision", facts->revision);
	json_set_uint(detail, "size", facts->size_bytes);
	audit_note(vault, &(struct audit_entry){ .event = event,
						 .subject = real ? real : file,
						 .detail = detail });
	return fault_point("backup/noted", err);
}

/* Everything that needs the lock. */
static cof_result make(struct vault *vault, const char *file, bool force,
		       struct backup_facts *ret_facts, struct backup_content *ret_content,
		       struct note_stand *ret_stand, struct cof_error *err)
{
	_cleanup_(target_done) struct target target = { .fd = -1 };
	_cleanup_fd_ int lock = -1;

	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(target_open(file, force, &target, err));
	TRY(note_stand_read(vault, ret_stand, err));
	TRY(write_all(vault, &target, ret_facts, err));
	if (!target.temporary)
		return COF_OK;
	TRY(target_sync(&target, err));
	TRY(prove(vault, &target, ret_content, err));
	return target_name(&target, force, err);
}

cof_result backup_create(struct vault *vault, const char *file, bool force,
			 struct backup_facts *ret_facts, struct backup_content *ret_content,
			 struct cof_error *err)
{
	struct note_stand stand;

	ENSURE(vault->unlocked, err, COF_E_LOCKED, vault->paths->vault_dir, "the vault is locked");
	*ret_content = (struct backup_content){ 0 };
	TRY(make(vault, file, force, ret_facts, ret_content, &stand, err));
	return backup_remember(vault, AUDIT_BACKUP_CREATE, file, ret_facts, &stand, err);
}
