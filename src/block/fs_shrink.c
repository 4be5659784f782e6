/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs_shrink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "child.h"
#include "file.h"

#define E2FSCK_MENDED 1 /* e2fsck(8): errors were corrected, and no more is to be done */

cof_result fs_extent_read(const char *node, struct fs_extent *ret_extent, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(node, O_RDONLY | O_CLOEXEC);
	_cleanup_buffer_ struct buffer head = { 0 };

	if (fd < 0)
		return cof_raise_errno(err, errno, node, "cannot be opened");
	TRY(buffer_reserve(&head, FS_EXTENT_HEAD_BYTES, err));
	head.len = FS_EXTENT_HEAD_BYTES;
	TRY(fd_pread_all(fd, head.data, head.len, 0, node, err));

	*ret_extent = fs_extent_parse(buffer_span(&head));
	return COF_OK;
}

bool fs_can_shrink(const struct fs_extent *extent)
{
	return extent->kind == FS_EXT || (extent->kind == FS_BTRFS && extent->devices == 1);
}

static cof_result shrink_ext(const char *node, uint64_t end_bytes, struct cof_error *err)
{
	const char *const check[] = { "e2fsck", "-f", "-p", node, NULL };
	char size[32];
	const char *const resize[] = { "resize2fs", node, size, NULL };
	int status;

	TRY(child_run(check, SPAN(NULL, 0), 0, NULL, &status, err));
	ENSURE(status == 0 || status == E2FSCK_MENDED, err, COF_E_FAILED, node,
	       "its file system has errors that e2fsck does not mend by itself: status %d", status);
	(void)snprintf(size, sizeof(size), "%lluK", (unsigned long long)(end_bytes >> 10));
	return child_check(resize, 0, err);
}

/* A folder on which something is mounted for a moment. */
static void unmountp(char **folder)
{
	if (*folder) {
		(void)umount2(*folder, 0);
		(void)rmdir(*folder);
		free(*folder);
	}
}

static cof_result shrink_btrfs(const struct paths *paths, const char *node, uint64_t end_bytes,
			       struct cof_error *err)
{
	_cleanup_(unmountp) char *folder = NULL;
	_cleanup_free_ char *parent = NULL;
	char size[32];
	const char *resize[] = { "btrfs", "filesystem", "resize", size, NULL, NULL };

	TRY(path_format(&parent, err, "%s/run/coffer", paths->root));
	TRY(folder_make(parent, 0700, err));
	TRY(path_format(&folder, err, "%s/shrink-%d", parent, (int)getpid()));
	TRY(folder_make(folder, 0700, err));
	resize[4] = folder;
	if (mount(node, folder, "btrfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) < 0)
		return cof_raise_errno(err, errno, node, "cannot be mounted to make it smaller");
	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)end_bytes);
	TRY(child_check(resize, 0, err));
	if (umount2(folder, 0) < 0)
		return cof_raise_errno(err, errno, folder, "cannot be unmounted");
	return COF_OK;
}

cof_result fs_shrink(const struct paths *paths, const char *node, const struct fs_extent *extent,
		     uint64_t end_bytes, struct cof_error *err)
{
	cof_result shrunk = extent->kind == FS_EXT ? shrink_ext(node, end_bytes, err)
						   : shrink_btrfs(paths, node, end_bytes, err);

	return cof_explain(shrunk, err, NULL, "the file system on %s was not made smaller", node);
}
