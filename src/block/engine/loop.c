/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loop devices: see loop.h.
 */

#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "file.h"
#include "users.h"

#define LOOP_MAJOR 7 /* Linux devices.txt */
#define CONTROL_NODE "/dev/loop-control"
#define ATTACH_TRIES 64
/* How long others may keep a device open that only look at it, as udev does. */
#define DETACH_WAIT_MS 10000
#define POLL_MS 10

bool loop_can(char *why_not, size_t why_not_size_bytes)
{
	_cleanup_fd_ int control = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);

	if (control >= 0)
		return true;
	(void)snprintf(why_not, why_not_size_bytes, "%s cannot be opened: %s", CONTROL_NODE,
		       strerror(errno));
	return false;
}

/* Opens loop device @number, whose node is missing where /dev is not kept by the kernel. */
static int node_open(int number, int flags, char device[static LOOP_NAME_BYTES])
{
	int fd;

	(void)snprintf(device, LOOP_NAME_BYTES, "/dev/loop%d", number);
	fd = open(device, flags | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT &&
	    mknod(device, S_IFBLK | 0600, makedev(LOOP_MAJOR, (unsigned int)number)) == 0)
		fd = open(device, flags | O_CLOEXEC);
	return fd;
}

/* One attempt with the loop device that is free now; another program may be faster. */
static cof_result attach_once(int control, const struct loop_config *config, bool read_only,
			      char device[static LOOP_NAME_BYTES], bool *ret_done,
			      struct cof_error *err)
{
	_cleanup_fd_ int fd = -1;
	int number = ioctl(control, LOOP_CTL_GET_FREE, 0);

	if (number < 0)
		return cof_raise_errno(err, errno, CONTROL_NODE, "no loop device is free");
	fd = node_open(number, read_only ? O_RDONLY : O_RDWR, device);
	if (fd < 0)
		return cof_raise_errno(err, errno, device, "cannot be opened");
	if (ioctl(fd, LOOP_CONFIGURE, config) < 0) {
		if (errno != EBUSY)
			return cof_raise_errno(err, errno, device, "cannot be attached");
		*ret_done = false;
		return COF_OK;
	}
	*ret_done = true;
	return COF_OK;
}

cof_result loop_attach(const char *file, bool read_only, uint32_t block_bytes,
		       char ret_device[static LOOP_NAME_BYTES], struct cof_error *err)
{
	_cleanup_fd_ int control = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);
	_cleanup_fd_ int below = open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct loop_config config = { .fd = (uint32_t)below, .block_size = block_bytes };
	char device[LOOP_NAME_BYTES] = "";
	bool done = false;

	ENSURE(control >= 0, err, COF_E_UNSUPPORTED, CONTROL_NODE,
	       "there are no loop devices here: %s", strerror(errno));
	if (below < 0)
		return cof_raise_errno(err, errno, file, "cannot be opened");
	config.info.lo_flags = LO_FLAGS_DIRECT_IO | (read_only ? LO_FLAGS_READ_ONLY : 0);
	/* Only for programs that show it; longer paths are cut. */
	(void)snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%.*s", LO_NAME_SIZE - 1,
		       file);
	for (int i = 0; i < ATTACH_TRIES && !done; i++)
		TRY(attach_once(control, &config, read_only, device, &done, err));
	ENSURE(done, err, COF_E_BUSY, CONTROL_NODE,
	       "%d free loop devices were taken by other programs", ATTACH_TRIES);

	memcpy(ret_device, device, LOOP_NAME_BYTES);
	return COF_OK;
}

bool loop_file(const char *kname, char out[static PATH_MAX])
{
	_cleanup_free_ char *path = NULL;

	out[0] = '\0';
	return strncmp(kname, "loop", 4) == 0 && !strchr(kname, '/') &&
	       !cof_failed(path_format(&path, NULL, "/sys/block/%s/loop/backing_file", kname)) &&
	       !cof_failed(file_read_line(path, out, PATH_MAX, NULL)) && out[0] != '\0';
}

/* Whether loop device @kname lies on @file now. */
static bool lies_on(const char *kname, const char *file)
{
	char backing[PATH_MAX];

	return loop_file(kname, backing) && strcmp(backing, file) == 0;
}

cof_result loop_find(const char *file, char ret_device[static LOOP_NAME_BYTES], bool *ret_found,
		     struct cof_error *err)
{
	_cleanup_dir_ DIR *folder = opendir("/sys/block");
	const struct dirent *entry;
	bool found = false;

	if (!folder)
		return cof_raise_errno(err, errno, "/sys/block", "cannot be listed");
	while (!found && (entry = readdir(folder))) {
		if (strncmp(entry->d_name, "loop", 4) != 0 || strlen(entry->d_name) > 32 ||
		    !lies_on(entry->d_name, file))
			continue;
		(void)snprintf(ret_device, LOOP_NAME_BYTES, "/dev/%.32s", entry->d_name);
		found = true;
	}

	*ret_found = found;
	return COF_OK;
}

/* Raises the error for a device that is in use, with what is found out about by whom. */
static cof_result busy(const char *device, struct cof_error *err)
{
	struct user user;

	users_find(device, &user);
	cof_ignore(cof_raise(err, COF_E_BUSY, device, "it is in use: %s", user.text));
	if (user.remedy[0])
		cof_error_try(err, "%s", user.remedy);
	return (cof_result){ COF_E_BUSY };
}

/* Waits until the last one who has it open for a look has closed it. */
static cof_result wait_gone(const char *device, const char *file, struct cof_error *err)
{
	const char *kname = strrchr(device, '/') + 1;

	for (int waited_ms = 0; lies_on(kname, file); waited_ms += POLL_MS) {
		if (waited_ms >= DETACH_WAIT_MS)
			return busy(device, err);
		(void)poll(NULL, 0, POLL_MS);
	}
	return COF_OK;
}

cof_result loop_detach(const char *device, const char *file, bool dead, struct cof_error *err)
{
	_cleanup_fd_ int fd = -1;
	int number = -1;
	char node[LOOP_NAME_BYTES];

	ENSURE(sscanf(device, "/dev/loop%d", &number) == 1, err, COF_E_FAILED, device,
	       "it is no loop device");
	/* Held exclusively, nobody can mount it any more. */
	fd = node_open(number, O_RDONLY | O_EXCL, node);
	if (fd < 0 && errno == EBUSY)
		return busy(device, err);
	if (fd < 0)
		return cof_raise_errno(err, errno, device, "cannot be opened");
	if (fsync(fd) < 0 && !dead)
		return cof_raise_errno(err, errno, device, "cannot be flushed");
	/* The plaintext that the kernel has cached goes as well. */
	if (ioctl(fd, BLKFLSBUF, 0) < 0 && !dead)
		return cof_raise_errno(err, errno, device, "its cache cannot be dropped");
	if (ioctl(fd, LOOP_CLR_FD, 0) < 0 && errno != ENXIO)
		return cof_raise_errno(err, errno, device, "cannot be detached");
	(void)close(TAKE_FD(fd));
	TRY(wait_gone(device, file, err));

	return COF_OK;
}
