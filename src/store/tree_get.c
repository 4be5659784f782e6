/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Getting a tree into a new folder.
 *
 * The listing has single names, never paths, and everything is made anew in a folder that this
 * process has made: so nothing in a listing leads out of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "file.h"
#include "tree.h"

#define DEPTH_MAX                                                                                  \
	900 /* a folder each is open, of 1024 descriptors that a process usually may have */

/* An entry on its way; a file is told at its beginning and at its end. */
struct mark {
	struct entry entry;
	bool is_end;
	struct mark *next;
};

/*
 * A get under way.
 * @folders:  those that are open, the tree's own first
 * @marks:    that were not told yet, first to last
 * @file_fd:  of the file at hand, with @file; -1 for none
 * @extent, @in_extent: where its next byte goes
 */
struct getting {
	const char *path;
	struct fetch *fetch;
	struct folder {
		int fd;
		struct entry entry;
	} folders[DEPTH_MAX];
	size_t depth;
	struct mark *first;
	struct mark *last;
	int file_fd;
	uint32_t extent;
	uint64_t in_extent;
	const struct entry *file;
	struct progress *progress;
	uint64_t done_bytes;
	uint64_t total_bytes;
};

static void mark_free(struct mark *mark)
{
	if (!mark)
		return;
	entry_done(&mark->entry);
	free(mark);
}

static void getting_free(struct getting *getting)
{
	if (!getting)
		return;
	fetch_free(getting->fetch);
	while (getting->first) {
		struct mark *next = getting->first->next;

		mark_free(getting->first);
		getting->first = next;
	}
	for (size_t i = 0; i < getting->depth; i++) {
		fd_closep(&getting->folders[i].fd);
		entry_done(&getting->folders[i].entry);
	}
	fd_closep(&getting->file_fd);
	free(getting);
}

DEFINE_FREEP(struct getting, getting_freep, getting_free)

static int top_fd(const struct getting *getting)
{
	return getting->folders[getting->depth - 1].fd;
}

/* Owner, mode, attributes and time, in the order in which one does not undo the other. */
static cof_result set_facts(int folder_fd, const struct entry *entry, struct cof_error *err)
{
	const char *name = entry->name[0] ? entry->name : ".";
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { .tv_sec = entry->mtime, .tv_nsec = entry->mtime_ns } };
	struct reader rest = reader_of(buffer_span(&entry->xattrs), name);
	_cleanup_free_ char *place = NULL;

	if (fchownat(folder_fd, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return cof_raise_errno(err, errno, name, "cannot get its owner");
	if (entry->type != ENTRY_SYMLINK && fchmodat(folder_fd, name, entry->mode, 0) < 0)
		return cof_raise_errno(err, errno, name, "cannot get its mode");
	TRY(path_format(&place, err, "/proc/self/fd/%d/%s", folder_fd, name));
	for (uint16_t i = 0; i < entry->xattr_count; i++) {
		char attribute[256];
		struct span value = { 0 };

		TRY(entry_next_xattr(&rest, attribute, &value, err));
		if (lsetxattr(place, attribute, value.data, value.len, 0) < 0)
			return cof_raise_errno(err, errno, name, "cannot get its attribute %s",
					       attribute);
	}
	if (utimensat(folder_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return cof_raise_errno(err, errno, name, "cannot get its time");
	return COF_OK;
}

/* Makes a folder and goes into it. */
static cof_result enter_folder(struct getting *getting, struct entry *entry, struct cof_error *err)
{
	int above = getting->depth ? top_fd(getting) : AT_FDCWD;
	const char *name = getting->depth ? entry->name : getting->path;
	struct folder *folder = &getting->folders[getting->depth];

	ENSURE(getting->depth < DEPTH_MAX, err, COF_E_UNSUPPORTED, name,
	       "lies in more than %d folders", DEPTH_MAX);
	if (mkdirat(above, name, 0700) < 0)
		return cof_raise_errno(err, errno, name, "cannot be made");
	*folder = (struct folder){ .fd = openat(above, name,
						O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) };
	if (folder->fd < 0)
		return cof_raise_errno(err, errno, name, "cannot be opened");
	folder->entry = *entry;
	*entry = (struct entry){ 0 };
	getting->depth++;
	return COF_OK;
}

/* Leaves a folder, which gets its facts when nothing in it changes any more. */
static cof_result leave_folder(struct getting *getting, struct cof_error *err)
{
	struct folder *folder = &getting->folders[getting->depth - 1];
	cof_result set;

	folder->entry.name[0] = '\0';
	set = set_facts(folder->fd, &folder->entry, err);
	fd_closep(&folder->fd);
	entry_done(&folder->entry);
	getting->depth--;
	return set;
}

/* Another name for a file that was made before; no symbolic link is followed on the way to it. */
static cof_result make_hard_link(struct getting *getting, const struct entry *entry,
				 struct cof_error *err)
{
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	char self[64];
	_cleanup_fd_ int fd =
		(int)syscall(SYS_openat2, getting->folders[0].fd, entry->target, &how, sizeof(how));

	if (fd < 0)
		return cof_raise_errno(err, errno, entry->target, "cannot be opened");
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, top_fd(getting), entry->name, AT_SYMLINK_FOLLOW) < 0)
		return cof_raise_errno(err, errno, entry->name, "cannot be linked");
	return COF_OK;
}

/* What has no content and is no folder. */
static cof_result make_special(struct getting *getting, const struct entry *entry,
			       struct cof_error *err)
{
	static const mode_t kinds[] = { [ENTRY_CHARACTER_DEVICE] = S_IFCHR,
					[ENTRY_BLOCK_DEVICE] = S_IFBLK,
					[ENTRY_FIFO] = S_IFIFO,
					[ENTRY_SOCKET] = S_IFSOCK };
	int fd = top_fd(getting);
	int made;

	if (entry->type == ENTRY_SYMLINK)
		made = symlinkat(entry->target, fd, entry->name);
	else
		made = mknodat(fd, entry->name, kinds[entry->type] | 0600,
			       makedev(entry->device_major, entry->device_minor));
	if (made < 0)
		return cof_raise_errno(err, errno, entry->name, "cannot be made");
	return set_facts(fd, entry, err);
}

static cof_result begin_file(struct getting *getting, const struct entry *entry,
			     struct cof_error *err)
{
	getting->file_fd = openat(top_fd(getting), entry->name,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (getting->file_fd < 0)
		return cof_raise_errno(err, errno, entry->name, "cannot be made");
	getting->file = entry;
	getting->extent = 0;
	getting->in_extent = 0;
	return COF_OK;
}

static cof_result end_file(struct getting *getting, const struct entry *entry,
			   struct cof_error *err)
{
	if (ftruncate(getting->file_fd, (off_t)entry->size_bytes) < 0)
		return cof_raise_errno(err, errno, entry->name, "cannot get its length");
	fd_closep(&getting->file_fd);
	getting->file_fd = -1;
	return set_facts(top_fd(getting), entry, err);
}

/* Of struct fetch_sink: more of the file at hand. */
static cof_result write_bytes(struct span bytes, void *context, struct cof_error *err)
{
	struct getting *getting = context;
	const struct entry *file = getting->file;

	getting->done_bytes += bytes.len;
	progress_amount(getting->progress, 0, getting->done_bytes, getting->total_bytes);
	if (!file->extent_count)
		return fd_write_all(getting->file_fd, bytes, file->name, err);
	while (bytes.len) {
		const struct entry_extent *extent = &file->extents[getting->extent];
		uint64_t rest = extent->len - getting->in_extent;
		size_t len = bytes.len < rest ? bytes.len : rest;

		TRY(fd_pwrite_all(getting->file_fd, SPAN(bytes.data, len),
				  extent->offset + getting->in_extent, file->name, err));
		bytes = SPAN(bytes.data + len, bytes.len - len);
		getting->in_extent += len;
		if (getting->in_extent == extent->len) {
			getting->extent++;
			getting->in_extent = 0;
		}
	}
	return COF_OK;
}

/* Makes one thing. */
static cof_result make_entry(struct getting *getting, struct mark *mark, struct cof_error *err)
{
	switch (mark->entry.type) {
	case ENTRY_FILE:
		return begin_file(getting, &mark->entry, err);
	case ENTRY_FOLDER:
		return enter_folder(getting, &mark->entry, err);
	case ENTRY_LEAVE:
		return leave_folder(getting, err);
	case ENTRY_HARD_LINK:
		return make_hard_link(getting, &mark->entry, err);
	case ENTRY_SYMLINK:
	case ENTRY_CHARACTER_DEVICE:
	case ENTRY_BLOCK_DEVICE:
	case ENTRY_FIFO:
	case ENTRY_SOCKET:
		break;
	}
	return make_special(getting, &mark->entry, err);
}

/* Of struct fetch_sink: marks come in the order in which they were made. */
static cof_result tell_mark(void *mark_of, void *context, struct cof_error *err)
{
	struct getting *getting = context;
	struct mark *mark = mark_of;

	if (mark->is_end)
		TRY(end_file(getting, getting->file, err));
	else
		TRY(make_entry(getting, mark, err));
	/* Those before it are not needed any more; a file's own is, up to its end. */
	while (getting->first != mark) {
		struct mark *next = getting->first->next;

		mark_free(getting->first);
		getting->first = next;
	}
	return COF_OK;
}

/* Puts one mark behind what is fetched so far. */
static cof_result add_mark(struct getting *getting, struct entry *entry, bool is_end,
			   struct cof_error *err)
{
	struct mark *mark = calloc(1, sizeof(*mark));

	ENSURE(mark, err, COF_E_NOMEM, NULL, "no memory left");
	if (entry) {
		mark->entry = *entry;
		*entry = (struct entry){ 0 };
	}
	mark->is_end = is_end;
	if (getting->last)
		getting->last->next = mark;
	else
		getting->first = mark;
	getting->last = mark;
	return fetch_mark(getting->fetch, mark, err);
}

/* A tree_visit. */
static cof_result get_entry(struct entry *entry, void *context, struct cof_error *err)
{
	struct getting *getting = context;
	const struct recipe_root root = entry->root;
	bool is_file = entry->type == ENTRY_FILE;

	TRY(add_mark(getting, entry, false, err));
	if (!is_file)
		return COF_OK;
	TRY(fetch_stream(getting->fetch, &root, err));
	return add_mark(getting, NULL, true, err);
}

cof_result store_get_tree(struct store *store, const char *name, const char *path,
			  struct progress *progress, struct store_result *ret_result,
			  struct cof_error *err)
{
	_cleanup_(getting_freep) struct getting *getting = calloc(1, sizeof(*getting));
	struct fetch_sink sink = { .data = write_bytes, .mark = tell_mark, .context = getting };
	struct store_result result = { 0 };
	bool found = false;

	ENSURE(getting, err, COF_E_NOMEM, NULL, "no memory left");
	getting->file_fd = -1;
	getting->path = path;
	getting->progress = progress;
	TRY(store_find(store, name, &result.version, &found, err));
	if (!found)
		return store_raise_no_version(store, name, err);
	ENSURE(result.version.kind == VERSION_TREE, err, COF_E_USAGE, name, "is a stream");
	getting->total_bytes = result.version.bytes;
	TRY(fetch_new(store, sink, &getting->fetch, err));
	TRY(tree_each(getting->fetch, &result.version.root, get_entry, getting, err));
	TRY(fetch_finish(getting->fetch, err));
	*ret_result = result;
	return COF_OK;
}
