/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend that is a folder of a file system: see backend.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "backend.h"
#include "fault.h"
#include "file.h"

#define LOCK_WAIT_MS 10000 /* for another process that swaps the same object: that takes a moment  \
			    */

struct file_backend {
	struct backend backend;
	char *folder;
};

/*
 * struct upload - a file that has no name yet
 * @path:    what it will be called
 * @made_as: the name that it has meanwhile where the file system knows no nameless files; or NULL
 */
struct upload {
	struct backend *backend;
	char *path;
	char *made_as;
	int fd;
};

static const char *folder_of(struct backend *backend)
{
	return ((struct file_backend *)backend)->folder;
}

/* The path of an object. */
static cof_result path_of(struct backend *backend, const char *name, char **ret_path,
			  struct cof_error *err)
{
	return path_format(ret_path, err, "%s/%s", folder_of(backend), name);
}

static void file_free(struct backend *backend)
{
	struct file_backend *file = (struct file_backend *)backend;

	free(file->folder);
	free(file);
}

static cof_result file_put(struct backend *backend, const char *name, struct span content,
			   struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(path_of(backend, name, &path, err));
	return file_create(path, content, 0600, err);
}

static void file_upload_free(struct upload *upload)
{
	if (!upload)
		return;
	if (upload->made_as)
		(void)unlink(upload->made_as);
	fd_closep(&upload->fd);
	free(upload->made_as);
	free(upload->path);
	free(upload);
}

DEFINE_FREEP(struct upload, upload_freep, file_upload_free)

/* Opens the new file: without a name where the file system can, so that a kill leaves nothing. */
static cof_result open_upload(struct upload *upload, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;

	TRY(path_format(&folder, err, "%.*s", (int)(path_base(upload->path) - upload->path - 1),
			upload->path));
	upload->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (upload->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		TRY(path_format(&upload->made_as, err, "%s.new", upload->path));
		upload->fd = open(upload->made_as, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (upload->fd < 0)
		return cof_raise_errno(err, errno, upload->path, "cannot be made");
	/* Not every file system has direct I/O: without it, the page cache is used. */
	(void)fcntl(upload->fd, F_SETFL, O_DIRECT);
	return COF_OK;
}

static cof_result file_upload(struct backend *backend, const char *name, struct upload **ret_upload,
			      struct cof_error *err)
{
	_cleanup_(upload_freep) struct upload *upload = calloc(1, sizeof(*upload));

	ENSURE(upload, err, COF_E_NOMEM, name, "no memory left");
	upload->fd = -1;
	upload->backend = backend;
	TRY(path_of(backend, name, &upload->path, err));
	TRY(open_upload(upload, err));
	*ret_upload = TAKE(upload);
	return COF_OK;
}

static cof_result file_upload_add(struct upload *upload, struct span piece, struct cof_error *err)
{
	if (piece.len % BACKEND_ALIGN_BYTES != 0)
		(void)fcntl(upload->fd, F_SETFL, 0);
	return fd_write_all(upload->fd, piece, upload->path, err);
}

/* Gives a finished file its name, unless something has it. */
static int name_upload(struct upload *upload)
{
	char self[64];

	if (upload->made_as)
		return link(upload->made_as, upload->path);
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", upload->fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, upload->path, AT_SYMLINK_FOLLOW);
}

static cof_result file_upload_finish(struct upload *upload, struct cof_error *err)
{
	if (fdatasync(upload->fd) < 0)
		return cof_raise_errno(err, errno, upload->path, "cannot be made durable");
	TRY(fault_point("store/upload-durable", err));
	if (name_upload(upload) < 0) {
		ENSURE(errno != EEXIST, err, COF_E_REFUSED, upload->path, "exists already");
		return cof_raise_errno(err, errno, upload->path, "cannot get its name");
	}
	return fault_point("store/upload-named", err);
}

static cof_result file_sync(struct backend *backend, const char *folder, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&path, err, "%s/%s/.", folder_of(backend), folder));
	return file_sync_folder_of(path, err);
}

static cof_result file_get(struct backend *backend, const char *name, uint64_t offset_bytes,
			   uint8_t *out, size_t len, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;

	TRY(path_of(backend, name, &path, err));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	return fd_pread_all(fd, out, len, offset_bytes, path, err);
}

static cof_result file_size(struct backend *backend, const char *name, uint64_t *ret_size_bytes,
			    bool *ret_found, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	struct stat status;

	TRY(path_of(backend, name, &path, err));
	if (lstat(path, &status) < 0) {
		if (errno != ENOENT)
			return cof_raise_errno(err, errno, path, "cannot be examined");
		*ret_found = false;
		return COF_OK;
	}
	ENSURE(S_ISREG(status.st_mode), err, COF_E_FORMAT, path, "is not a regular file");
	*ret_size_bytes = (uint64_t)status.st_size;
	*ret_found = true;
	return COF_OK;
}

static cof_result file_map(struct backend *backend, const char *name, struct mapping *ret_mapping,
			   struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;
	struct stat status;
	void *mapped;

	TRY(path_of(backend, name, &path, err));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	ENSURE(S_ISREG(status.st_mode) && status.st_size > 0, err, COF_E_FORMAT, path, "is empty");
	mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return cof_raise_errno(err, errno, path, "cannot be mapped");
	/* It holds no secret, and what the process locks is not to grow with the store. */
	(void)munlock(mapped, (size_t)status.st_size);
	*ret_mapping =
		(struct mapping){ .bytes = SPAN(mapped, (size_t)status.st_size), .handle = mapped };
	return COF_OK;
}

static void file_unmap(struct mapping *mapping)
{
	if (mapping->handle)
		(void)munmap(mapping->handle, mapping->bytes.len);
	*mapping = (struct mapping){ 0 };
}

static cof_result backend_file_remove(struct backend *backend, const char *name,
				      struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(path_of(backend, name, &path, err));
	return file_remove(path, err);
}

static cof_result file_list(struct backend *backend, const char *folder, backend_visit visit,
			    void *context, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;
	struct stat status;

	TRY(path_of(backend, folder, &path, err));
	dir = opendir(path);
	if (!dir) {
		if (errno == ENOENT)
			return COF_OK;
		return cof_raise_errno(err, errno, path, "cannot be opened");
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		TRY(visit(entry->d_name, (uint64_t)status.st_size, context, err));
	}
	if (errno)
		return cof_raise_errno(err, errno, path, "cannot be read");
	return COF_OK;
}

static cof_result file_lock_name(struct backend *backend, const char *name, unsigned int timeout_ms,
				 int *ret_lock, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&path, err, "%s/locks/%s", folder_of(backend), name));
	return file_lock(path, timeout_ms, ret_lock, err);
}

static void file_unlock(struct backend *backend, int lock)
{
	fd_closep(&lock);
}

static cof_result file_swap(struct backend *backend, const char *name, struct span expected,
			    struct span content, bool *ret_swapped, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer present = { 0 };
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int lock = -1;
	cof_result read;

	TRY(path_of(backend, name, &path, err));
	TRY(file_lock_name(backend, path_base(name), LOCK_WAIT_MS, &lock, err));
	/* One byte more than expected is enough to tell that it is another content. */
	read = file_read_plain(path, expected.len + 1, &present, err);
	if (cof_failed(read) && read.code != COF_E_NOENT && read.code != COF_E_FORMAT)
		return read;
	*ret_swapped = read.code != COF_E_FORMAT && present.len == expected.len &&
		       (!expected.len || memcmp(present.data, expected.data, expected.len) == 0);
	if (*ret_swapped)
		TRY(file_replace(path, content, 0600, err));
	return COF_OK;
}

static const struct backend_ops file_ops = {
	.free = file_free,
	.put = file_put,
	.upload = file_upload,
	.upload_add = file_upload_add,
	.upload_finish = file_upload_finish,
	.upload_free = file_upload_free,
	.sync = file_sync,
	.get = file_get,
	.size = file_size,
	.map = file_map,
	.unmap = file_unmap,
	.remove = backend_file_remove,
	.list = file_list,
	.swap = file_swap,
	.lock = file_lock_name,
	.unlock = file_unlock,
};

/* Makes the folders that objects live in. */
static cof_result make_folders(const char *folder, struct cof_error *err)
{
	static const char *const folders[] = { "keys", "packs", "index", "versions", "locks" };

	TRY(folder_make_private(folder, err));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		_cleanup_free_ char *path = NULL;

		TRY(path_format(&path, err, "%s/%s", folder, folders[i]));
		TRY(folder_make(path, 0700, err));
	}
	return COF_OK;
}

cof_result backend_file_open(const char *folder, bool create, struct backend **ret_backend,
			     struct cof_error *err)
{
	_cleanup_(backend_freep) struct backend *backend = NULL;
	struct file_backend *file;

	if (create)
		TRY(make_folders(folder, err));
	else
		TRY(folder_check_private(folder, err));
	file = calloc(1, sizeof(*file));
	ENSURE(file, err, COF_E_NOMEM, folder, "no memory left");
	backend = &file->backend;
	backend->ops = &file_ops;
	TRY(path_format(&file->folder, err, "%s", folder));
	backend->place = file->folder;

	*ret_backend = TAKE(backend);
	return COF_OK;
}
