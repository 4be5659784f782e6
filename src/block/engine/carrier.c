/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE side of the engine: see carrier.h.
 *
 * The low-level interface is used since there is one file only, whose size never changes: nothing
 * but reads and writes ever reaches this process once the loop device is attached.
 */

#define FUSE_USE_VERSION 312

#include "carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/fuse.h>

#define FILE_INODE 2
/* One for each that the machine can run, and some that wait for the disk meanwhile. */
#define THREADS_MIN 8
#define THREADS_MAX 32
/* The kernel holds back requests beyond this number; loop devices send up to 128. */
#define BACKGROUND_MAX 256
/* Nothing changes behind the kernel's back, so that it may remember names for ever. */
#define KEEP_SECONDS 86400.0

size_t carrier_threads(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = online > 0 ? (size_t)online * 2 : THREADS_MIN;

	if (wanted < THREADS_MIN)
		return THREADS_MIN;
	return wanted > THREADS_MAX ? THREADS_MAX : wanted;
}

/* The errno that a request is answered with. */
static int answer_of(cof_result result)
{
	if (!cof_failed(result))
		return 0;
	return result.code == COF_E_NOSPC ? ENOSPC : EIO;
}

static const struct carrier *carrier_of(fuse_req_t request)
{
	return fuse_req_userdata(request);
}

/* Facts of the folder or the file. */
static struct stat facts_of(const struct carrier *carrier, fuse_ino_t inode)
{
	struct stat facts = { .st_ino = inode, .st_nlink = 1, .st_blksize = 4096 };

	if (inode == FUSE_ROOT_ID) {
		facts.st_mode = S_IFDIR | 0500;
		facts.st_nlink = 2;
		return facts;
	}
	facts.st_mode = S_IFREG | (carrier->read_only ? 0400 : 0600);
	facts.st_size = (off_t)volume_size_bytes(carrier->volume);
	facts.st_blocks = facts.st_size / 512;
	return facts;
}

static void carrier_init(void *userdata, struct fuse_conn_info *connection)
{
	const struct carrier *carrier = userdata;

	connection->max_write = VOLUME_REQUEST_MAX_BYTES;
	connection->max_readahead = VOLUME_REQUEST_MAX_BYTES;
	connection->max_background = BACKGROUND_MAX;
	connection->congestion_threshold = BACKGROUND_MAX;
	/* Sectors pass through the cipher in any case: a pipe would only add to the way. */
	connection->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
					    FUSE_CAP_SPLICE_MOVE | FUSE_CAP_AUTO_INVAL_DATA);
	carrier->ready(carrier->context);
}

static void carrier_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = FILE_INODE,
					  .attr_timeout = KEEP_SECONDS,
					  .entry_timeout = KEEP_SECONDS };

	if (parent != FUSE_ROOT_ID || strcmp(name, CARRIER_FILE) != 0) {
		(void)fuse_reply_err(request, ENOENT);
		return;
	}
	entry.attr = facts_of(carrier_of(request), FILE_INODE);
	(void)fuse_reply_entry(request, &entry);
}

static void carrier_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
	struct stat facts = facts_of(carrier_of(request), inode);

	(void)file;
	(void)fuse_reply_attr(request, &facts, KEEP_SECONDS);
}

/* Times may be set, for programs that insist, and are forgotten; the size stays what it is. */
static void carrier_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *wanted, int to_set,
			    struct fuse_file_info *file)
{
	struct stat facts = facts_of(carrier_of(request), inode);

	(void)file;
	if ((to_set & FUSE_SET_ATTR_SIZE) && wanted->st_size != facts.st_size) {
		(void)fuse_reply_err(request, EPERM);
		return;
	}
	(void)fuse_reply_attr(request, &facts, KEEP_SECONDS);
}

static void carrier_readdir(fuse_req_t request, fuse_ino_t inode, size_t room, off_t offset,
			    struct fuse_file_info *file)
{
	static const struct {
		const char *name;
		fuse_ino_t inode;
	} entries[] = { { ".", FUSE_ROOT_ID },
			{ "..", FUSE_ROOT_ID },
			{ CARRIER_FILE, FILE_INODE } };
	char out[512];
	size_t used = 0;

	(void)file;
	if (inode != FUSE_ROOT_ID) {
		(void)fuse_reply_err(request, ENOTDIR);
		return;
	}
	if (room > sizeof(out))
		room = sizeof(out);
	for (size_t i = (size_t)offset; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct stat facts = facts_of(carrier_of(request), entries[i].inode);
		size_t size = fuse_add_direntry(request, out + used, room - used, entries[i].name,
						&facts, (off_t)i + 1);

		if (size > room - used)
			break;
		used += size;
	}
	(void)fuse_reply_buf(request, out, used);
}

static void carrier_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
	/* The library of Debian 12 cannot express the flag for parallel writes, hence the kernel's
	 * own answer. A kernel that does not know the flag ignores it. Without it the kernel lets
	 * one write at a time into the file. */
	struct fuse_open_out answer = { .open_flags =
						FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES };

	if (inode != FILE_INODE) {
		(void)fuse_reply_err(request, EISDIR);
		return;
	}
	if (carrier_of(request)->read_only && (file->flags & O_ACCMODE) != O_RDONLY) {
		(void)fuse_reply_err(request, EROFS);
		return;
	}
	(void)fuse_reply_buf(request, (const char *)&answer, sizeof(answer));
}

static void carrier_read(fuse_req_t request, fuse_ino_t inode, size_t len, off_t offset,
			 struct fuse_file_info *file)
{
	struct volume *volume = carrier_of(request)->volume;
	struct volume_lane *lane = volume_lane_take(volume);
	struct span bytes = { 0 };
	cof_result result = volume_read(volume, lane, (uint64_t)offset, len, &bytes, NULL);

	(void)inode;
	(void)file;
	if (cof_failed(result))
		(void)fuse_reply_err(request, answer_of(result));
	else
		(void)fuse_reply_buf(request, (const char *)bytes.data, bytes.len);
	volume_lane_give(volume, lane);
}

static void carrier_write(fuse_req_t request, fuse_ino_t inode, const char *data, size_t len,
			  off_t offset, struct fuse_file_info *file)
{
	struct volume *volume = carrier_of(request)->volume;
	struct volume_lane *lane = volume_lane_take(volume);
	cof_result result = volume_write(volume, lane, (uint64_t)offset, SPAN(data, len), NULL);

	(void)inode;
	(void)file;
	volume_lane_give(volume, lane);
	if (cof_failed(result))
		(void)fuse_reply_err(request, answer_of(result));
	else
		(void)fuse_reply_write(request, len);
}

/*
 * A hole is refused: a loop device sends discards and most requests to write zeroes as the same
 * call, and sectors that the disk has discarded read back as noise, not as zeroes. The kernel
 * then writes the zeroes itself, and tells others that there is no discard, as dm-crypt does.
 */
static void carrier_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset,
			      off_t len, struct fuse_file_info *file)
{
	struct volume *volume = carrier_of(request)->volume;
	struct volume_lane *lane;
	cof_result result;

	(void)inode;
	(void)file;
	if ((mode & ~FALLOC_FL_KEEP_SIZE) != FALLOC_FL_ZERO_RANGE) {
		(void)fuse_reply_err(request, EOPNOTSUPP);
		return;
	}
	lane = volume_lane_take(volume);
	result = volume_zero(volume, lane, (uint64_t)offset, (uint64_t)len, NULL);
	volume_lane_give(volume, lane);
	(void)fuse_reply_err(request, answer_of(result));
}

static void carrier_fsync(fuse_req_t request, fuse_ino_t inode, int only_data,
			  struct fuse_file_info *file)
{
	(void)inode;
	(void)only_data;
	(void)file;
	(void)fuse_reply_err(request, answer_of(volume_flush(carrier_of(request)->volume, NULL)));
}

static void carrier_statfs(fuse_req_t request, fuse_ino_t inode)
{
	/* The block size is what loop devices take as the unit of discards. */
	struct statvfs facts = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };

	(void)inode;
	(void)fuse_reply_statfs(request, &facts);
}

static const struct fuse_lowlevel_ops carrier_operations = {
	.init = carrier_init,
	.lookup = carrier_lookup,
	.getattr = carrier_getattr,
	.setattr = carrier_setattr,
	.readdir = carrier_readdir,
	.open = carrier_open,
	.read = carrier_read,
	.write = carrier_write,
	.fallocate = carrier_fallocate,
	.fsync = carrier_fsync,
	.statfs = carrier_statfs,
};

static void session_freep(struct fuse_session **session)
{
	if (*session)
		fuse_session_destroy(*session);
}

static void config_freep(struct fuse_loop_config **config)
{
	if (*config)
		fuse_loop_cfg_destroy(*config);
}

/* A session with the mount's options; @carrier is lent to it. */
static cof_result session_new(const struct carrier *carrier, struct fuse_session **ret_session,
			      struct cof_error *err)
{
	char options[512];
	char program[] = "coffer-engine";
	char flag[] = "-o";
	char *argv[] = { program, flag, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *session;

	(void)snprintf(options, sizeof(options), "fsname=%s%s,subtype=coffer%s",
		       CARRIER_SOURCE_PREFIX, carrier->name, carrier->read_only ? ",ro" : "");
	session = fuse_session_new(&args, &carrier_operations, sizeof(carrier_operations),
				   (void *)(uintptr_t)carrier);
	fuse_opt_free_args(&args);
	ENSURE(session, err, COF_E_FAILED, carrier->name, "libfuse refused to start a session");

	*ret_session = session;
	return COF_OK;
}

cof_result carrier_run(const struct carrier *carrier, struct cof_error *err)
{
	_cleanup_(session_freep) struct fuse_session *session = NULL;
	_cleanup_(config_freep) struct fuse_loop_config *config = fuse_loop_cfg_create();
	int ended;

	ENSURE(config, err, COF_E_NOMEM, carrier->name, "no memory for a session");
	fuse_loop_cfg_set_clone_fd(config, 1);
	fuse_loop_cfg_set_max_threads(config, (unsigned int)carrier_threads());
	fuse_loop_cfg_set_idle_threads(config, (unsigned int)carrier_threads());
	TRY(session_new(carrier, &session, err));
	ENSURE(fuse_session_mount(session, carrier->folder) == 0, err, COF_E_UNSUPPORTED,
	       carrier->folder, "FUSE could not be mounted there");
	ended = fuse_session_loop_mt(session, config);
	fuse_session_unmount(session);
	/* A signal's number is positive: none is handled, so that this cannot be. */
	if (ended < 0)
		return cof_raise_errno(err, -ended, carrier->folder, "FUSE ended");

	return COF_OK;
}
