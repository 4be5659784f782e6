/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting a folder with everything below it.
 *
 * One thread walks and reads. What it finds waits in a queue until the chunks of files before it
 * are known, and then goes into the listing, in the order of the walk.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "entry_code.h"
#include "file.h"
#include "id_table.h"
#include "ingest.h"
#include "log.h"

#define LISTING_FLUSH_BYTES ((size_t)1 << 20) /* of the listing, before it is cut into chunks */
#define XATTR_LIST_MAX	    65536	      /* XATTR_LIST_MAX of Linux */
#define XATTR_VALUE_MAX	    65536	      /* XATTR_SIZE_MAX of Linux */
#define BLOCK_BYTES	    512		      /* what st_blocks counts */

/* An entry that is not in the listing yet; @open: the chunks of this file are not all known. */
struct pending {
	struct entry entry;
	bool open;
	struct pending *next;
};

/*
 * A put under way.
 * @path:    from the tree's folder, of what is being walked
 * @content: recipe of the file whose chunks come in at the moment
 * @links:   files with several names: where in @linked their first one is
 */
struct putting {
	struct store *store;
	struct ingest *ingest;
	struct recipe content;
	struct recipe listing;
	struct buffer bytes;
	struct pending *first;
	struct pending *last;
	struct buffer path;
	struct id_table links;
	struct buffer linked;
	struct progress *progress;
	uint64_t done_bytes;
	uint64_t files;
};

static void pending_free(struct pending *pending)
{
	if (!pending)
		return;
	entry_done(&pending->entry);
	free(pending);
}

DEFINE_FREEP(struct pending, pending_freep, pending_free)

static void putting_done(struct putting *putting)
{
	ingest_free(putting->ingest);
	recipe_done(&putting->content);
	recipe_done(&putting->listing);
	buffer_done(&putting->bytes);
	while (putting->first) {
		struct pending *next = putting->first->next;

		pending_free(putting->first);
		putting->first = next;
	}
	buffer_done(&putting->path);
	id_table_done(&putting->links);
	buffer_done(&putting->linked);
}

/* A recipe_store. */
static cof_result store_list(struct span list, uint8_t ret_id[static STORE_ID_BYTES], void *context,
			     struct cof_error *err)
{
	struct putting *putting = context;

	return ingest_store(putting->ingest, CHUNK_LIST, list, ret_id, err);
}

/* Of struct ingest_sink. */
static cof_result note_chunk(const struct recipe_ref *ref, void *context, struct cof_error *err)
{
	struct putting *putting = context;

	return recipe_add(&putting->content, ref, err);
}

/* Moves what is complete from the queue into the listing. */
static cof_result flush_queue(struct putting *putting, struct cof_error *err)
{
	while (putting->first && !putting->first->open) {
		struct pending *done = putting->first;

		TRY(entry_encode(&done->entry, &putting->bytes, err));
		putting->first = done->next;
		if (!putting->first)
			putting->last = NULL;
		pending_free(done);
	}
	return COF_OK;
}

/* Of struct ingest_sink: the chunks of the oldest file in the queue are all there. */
static cof_result note_end(void *context, struct cof_error *err)
{
	struct putting *putting = context;
	struct pending *file = putting->first;

	while (file && !file->open)
		file = file->next;
	ENSURE(file, err, COF_E_FAILED, NULL, "a file ended that had not begun");
	TRY(recipe_finish(&putting->content, &file->entry.root, err));
	file->open = false;
	return flush_queue(putting, err);
}

/* Cuts the listing into chunks; all of it at the end. */
static cof_result cut_listing(struct putting *putting, bool ended, struct cof_error *err)
{
	size_t at = 0;
	size_t len;

	if (!ended && putting->bytes.len < LISTING_FLUSH_BYTES)
		return COF_OK;
	while ((len = chunker_next(&putting->store->chunker,
				   SPAN(putting->bytes.data + at, putting->bytes.len - at),
				   ended))) {
		struct recipe_ref ref = { .bytes = len };

		TRY(ingest_store(putting->ingest, CHUNK_TREE, SPAN(putting->bytes.data + at, len),
				 ref.id, err));
		TRY(recipe_add(&putting->listing, &ref, err));
		at += len;
	}
	putting->bytes.len -= at;
	if (at)
		memmove(putting->bytes.data, putting->bytes.data + at, putting->bytes.len);
	return COF_OK;
}

/* Puts an entry into the queue; @pending is taken. */
static cof_result enqueue(struct putting *putting, struct pending *pending, struct cof_error *err)
{
	if (putting->last)
		putting->last->next = pending;
	else
		putting->first = pending;
	putting->last = pending;
	TRY(flush_queue(putting, err));
	return cut_listing(putting, false, err);
}

/* One attribute of what @place names. */
static cof_result add_xattr(const char *place, const char *name, struct entry *entry,
			    struct cof_error *err)
{
	_cleanup_free_ uint8_t *value = malloc(XATTR_VALUE_MAX);
	ssize_t len;

	ENSURE(value, err, COF_E_NOMEM, NULL, "no memory left");
	len = lgetxattr(place, name, value, XATTR_VALUE_MAX);
	/* Removed meanwhile. */
	if (len < 0 && errno == ENODATA)
		return COF_OK;
	if (len < 0)
		return cof_raise_errno(err, errno, name, "this attribute cannot be read");
	TRY(buffer_add_u8(&entry->xattrs, (uint8_t)strlen(name), err));
	TRY(buffer_add(&entry->xattrs, name, strlen(name), err));
	TRY(buffer_add_be32(&entry->xattrs, (uint32_t)len, err));
	TRY(buffer_add(&entry->xattrs, value, (size_t)len, err));
	entry->xattr_count++;
	return COF_OK;
}

/* All attributes, access control lists among them, without following a symbolic link. */
static cof_result read_xattrs(int folder_fd, const char *name, struct entry *entry,
			      struct cof_error *err)
{
	_cleanup_free_ char *place = NULL;
	_cleanup_free_ char *names = malloc(XATTR_LIST_MAX);
	ssize_t len;

	ENSURE(names, err, COF_E_NOMEM, NULL, "no memory left");
	TRY(path_format(&place, err, "/proc/self/fd/%d/%s", folder_fd, name));
	len = llistxattr(place, names, XATTR_LIST_MAX);
	if (len < 0 && (errno == EOPNOTSUPP || errno == ENOENT))
		return COF_OK;
	if (len < 0)
		return cof_raise_errno(err, errno, name, "its attributes cannot be read");
	for (const char *at = names; at < names + len; at += strlen(at) + 1)
		TRY(add_xattr(place, at, entry, err));
	return COF_OK;
}

static enum entry_type type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return ENTRY_FOLDER;
	case S_IFLNK:
		return ENTRY_SYMLINK;
	case S_IFCHR:
		return ENTRY_CHARACTER_DEVICE;
	case S_IFBLK:
		return ENTRY_BLOCK_DEVICE;
	case S_IFIFO:
		return ENTRY_FIFO;
	case S_IFSOCK:
		return ENTRY_SOCKET;
	default:
		return ENTRY_FILE;
	}
}

/* What stat() tells. */
static void note_status(const struct stat *status, struct entry *entry)
{
	entry->type = type_of(status->st_mode);
	entry->mode = status->st_mode & 07777;
	entry->uid = status->st_uid;
	entry->gid = status->st_gid;
	entry->mtime = status->st_mtim.tv_sec;
	entry->mtime_ns = (uint32_t)status->st_mtim.tv_nsec;
	entry->device_major = major(status->st_rdev);
	entry->device_minor = minor(status->st_rdev);
}

/* A file with several names: whether another one of them was put already; else this is the first.
 */
static cof_result find_link(struct putting *putting, const struct stat *status, struct entry *entry,
			    bool *ret_found, struct cof_error *err)
{
	struct index_entry key = { .ordinal = (uint32_t)putting->linked.len };
	const struct index_entry *found;
	const uint64_t identity[2] = { status->st_ino, status->st_dev };

	*ret_found = false;
	if (status->st_nlink < 2 || S_ISDIR(status->st_mode))
		return COF_OK;
	memcpy(key.id, identity, sizeof(identity));
	found = id_table_find(&putting->links, key.id);
	if (found) {
		entry->type = ENTRY_HARD_LINK;
		*ret_found = true;
		return path_format(&entry->target, err, "%s",
				   (const char *)putting->linked.data + found->ordinal);
	}
	TRY(buffer_add(&putting->linked, putting->path.data, putting->path.len, err));
	TRY(buffer_add_u8(&putting->linked, 0, err));
	return id_table_put(&putting->links, &key, err);
}

/* Reads from an open file up to @end or its end. @ret_bytes: how many there were */
static cof_result read_part(struct putting *putting, int fd, uint64_t offset, uint64_t end,
			    const char *name, uint64_t *ret_bytes, struct cof_error *err)
{
	uint64_t at = offset;

	while (at < end) {
		uint8_t *out = NULL;
		size_t room = 0;
		ssize_t got;

		TRY(ingest_room(putting->ingest, &out, &room, err));
		got = pread(fd, out, room < end - at ? room : end - at, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cof_raise_errno(err, errno, name, "cannot be read");
		if (got == 0)
			break;
		TRY(ingest_wrote(putting->ingest, (size_t)got, err));
		at += (uint64_t)got;
		putting->done_bytes += (uint64_t)got;
		progress_amount(putting->progress, 0, putting->done_bytes, 0);
	}
	*ret_bytes = at - offset;
	return COF_OK;
}

/* The parts of a file that are no holes. */
static cof_result find_extents(int fd, struct entry *entry, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer extents = { 0 };
	off_t at = 0;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (uint64_t)at < entry->size_bytes) {
		off_t end = lseek(fd, at, SEEK_HOLE);
		struct entry_extent extent = { .offset = (uint64_t)at };

		if (end < 0 || (uint64_t)end > entry->size_bytes)
			end = (off_t)entry->size_bytes;
		extent.len = (uint64_t)(end - at);
		TRY(buffer_add(&extents, &extent, sizeof(extent), err));
		entry->extent_count++;
		at = end;
		ENSURE(entry->extent_count < ENTRY_EXTENTS_MAX, err, COF_E_UNSUPPORTED, entry->name,
		       "has more than %u holes", ENTRY_EXTENTS_MAX);
	}
	entry->extents = (void *)extents.data;
	extents = (struct buffer){ 0 };
	return COF_OK;
}

/* Reads a file that has holes; a file that shrinks meanwhile has zeros instead. */
static cof_result read_sparse(struct putting *putting, int fd, struct entry *entry,
			      struct cof_error *err)
{
	static const uint8_t zeros[65536];

	TRY(find_extents(fd, entry, err));
	for (uint32_t i = 0; i < entry->extent_count; i++) {
		const struct entry_extent *extent = &entry->extents[i];
		uint64_t bytes = 0;

		TRY(read_part(putting, fd, extent->offset, extent->offset + extent->len,
			      entry->name, &bytes, err));
		while (bytes < extent->len) {
			uint8_t *out = NULL;
			size_t room = 0;

			TRY(ingest_room(putting->ingest, &out, &room, err));
			room = room < sizeof(zeros) ? room : sizeof(zeros);
			room = room < extent->len - bytes ? room : extent->len - bytes;
			memcpy(out, zeros, room);
			TRY(ingest_wrote(putting->ingest, room, err));
			bytes += room;
		}
	}
	return COF_OK;
}

/* Reads a file's content; @fd is open. */
static cof_result put_file(struct putting *putting, int fd, const struct stat *status,
			   struct pending **pending_of, struct cof_error *err)
{
	struct pending *pending = *pending_of;
	struct entry *entry = &pending->entry;

	entry->size_bytes = (uint64_t)status->st_size;
	if ((uint64_t)status->st_blocks * BLOCK_BYTES < entry->size_bytes)
		TRY(read_sparse(putting, fd, entry, err));
	else
		TRY(read_part(putting, fd, 0, UINT64_MAX, entry->name, &entry->size_bytes, err));
	pending->open = true;
	*pending_of = NULL;
	TRY(enqueue(putting, pending, err));
	return ingest_end(putting->ingest, err);
}

static cof_result walk_folder(struct putting *putting, int fd, struct cof_error *err);

/* A folder, all below it, and its end. */
static cof_result put_folder(struct putting *putting, int fd, struct pending *pending,
			     struct cof_error *err)
{
	struct pending *leave;

	TRY(enqueue(putting, pending, err));
	TRY(walk_folder(putting, fd, err));
	leave = calloc(1, sizeof(*leave));
	ENSURE(leave, err, COF_E_NOMEM, NULL, "no memory left");
	leave->entry.type = ENTRY_LEAVE;
	return enqueue(putting, leave, err);
}

/* Opens what is to be read; -1 where there is nothing to open. A file that was replaced by
 * something else meanwhile is not read. */
static cof_result open_content(int folder_fd, const char *name, const struct stat *status,
			       int *ret_fd, struct cof_error *err)
{
	bool folder = S_ISDIR(status->st_mode);
	struct stat opened;
	_cleanup_fd_ int fd = -1;

	*ret_fd = -1;
	if (!folder && !S_ISREG(status->st_mode))
		return COF_OK;
	fd = openat(folder_fd, name,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (folder ? O_DIRECTORY : 0));
	if (fd < 0 || fstat(fd, &opened) < 0)
		return cof_raise_errno(err, errno, name, "cannot be opened");
	ENSURE((opened.st_mode & S_IFMT) == (status->st_mode & S_IFMT), err, COF_E_CONFLICT, name,
	       "became something else while it was read");
	*ret_fd = TAKE_FD(fd);
	return COF_OK;
}

/* The target of a symbolic link. */
static cof_result read_link(int folder_fd, struct entry *entry, struct cof_error *err)
{
	char target[ENTRY_PATH_MAX_BYTES + 1];
	ssize_t len = readlinkat(folder_fd, entry->name, target, ENTRY_PATH_MAX_BYTES);

	if (len < 0)
		return cof_raise_errno(err, errno, entry->name, "cannot be read");
	return path_format(&entry->target, err, "%.*s", (int)len, target);
}

/* One thing in an open folder. */
static cof_result put_entry(struct putting *putting, int folder_fd, const char *name,
			    struct cof_error *err)
{
	_cleanup_(pending_freep) struct pending *pending = calloc(1, sizeof(*pending));
	_cleanup_fd_ int fd = -1;
	struct stat status;
	bool linked = false;

	ENSURE(pending, err, COF_E_NOMEM, NULL, "no memory left");
	if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		/* Gone since the folder was read. */
		if (errno == ENOENT)
			return COF_OK;
		return cof_raise_errno(err, errno, name, "cannot be examined");
	}
	(void)snprintf(pending->entry.name, sizeof(pending->entry.name), "%s", name);
	note_status(&status, &pending->entry);
	putting->files++;
	TRY(find_link(putting, &status, &pending->entry, &linked, err));
	if (linked)
		return enqueue(putting, TAKE(pending), err);
	TRY(read_xattrs(folder_fd, name, &pending->entry, err));
	TRY(open_content(folder_fd, name, &status, &fd, err));
	if (pending->entry.type == ENTRY_FILE)
		return put_file(putting, fd, &status, &pending, err);
	if (pending->entry.type == ENTRY_FOLDER)
		return put_folder(putting, fd, TAKE(pending), err);
	if (pending->entry.type == ENTRY_SYMLINK)
		TRY(read_link(folder_fd, &pending->entry, err));
	return enqueue(putting, TAKE(pending), err);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_real(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Everything in an open folder, by name. */
static cof_result walk_folder(struct putting *putting, int fd, struct cof_error *err)
{
	struct dirent **entries = NULL;
	size_t path_bytes = putting->path.len;
	cof_result put = COF_OK;
	int count = scandirat(fd, ".", &entries, is_real, compare_names);

	if (count < 0)
		return cof_raise_errno(err, errno, "folder", "cannot be read");
	for (int i = 0; i < count; i++) {
		if (!cof_failed(put))
			put = buffer_add_text(&putting->path, err, "%s%s", path_bytes ? "/" : "",
					      entries[i]->d_name);
		if (!cof_failed(put))
			put = put_entry(putting, fd, entries[i]->d_name, err);
		putting->path.len = path_bytes;
		free(entries[i]);
	}
	free(entries);
	return put;
}

/* The tree's own folder, which has no name, and all below it. */
static cof_result put_root(struct putting *putting, const char *path, struct cof_error *err)
{
	_cleanup_(pending_freep) struct pending *pending = calloc(1, sizeof(*pending));
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status;

	ENSURE(pending, err, COF_E_NOMEM, NULL, "no memory left");
	if (fd < 0 || fstat(fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	note_status(&status, &pending->entry);
	TRY(read_xattrs(fd, ".", &pending->entry, err));
	TRY(put_folder(putting, fd, TAKE(pending), err));
	TRY(ingest_drain(putting->ingest, err));
	TRY(flush_queue(putting, err));
	return cut_listing(putting, true, err);
}

cof_result store_put_tree(struct store *store, const char *name, const char *path,
			  struct progress *progress, struct store_result *ret_result,
			  struct cof_error *err)
{
	_cleanup_(putting_done) struct putting putting = { .store = store, .progress = progress };
	struct ingest_sink sink = { .chunk = note_chunk, .end = note_end, .context = &putting };
	struct store_result result = { .version.kind = VERSION_TREE };
	struct version *version = &result.version;

	putting.content = (struct recipe){ .store = store_list, .context = &putting };
	putting.listing = (struct recipe){ .store = store_list, .context = &putting };
	TRY(store_begin_put(store, name, version, &result.rotated, err));
	TRY(ingest_new(store, sink, &putting.ingest, err));
	TRY(put_root(&putting, path, err));
	TRY(recipe_finish(&putting.listing, &version->root, err));
	version->bytes = putting.done_bytes;
	version->files = putting.files;
	TRY(ingest_commit(putting.ingest, &version->new_bytes, err));
	TRY(catalogue_commit(store, version, err));
	*ret_result = result;
	return COF_OK;
}
