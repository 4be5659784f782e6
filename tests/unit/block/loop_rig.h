/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_LOOP_RIG_H
#define COF_TESTS_LOOP_RIG_H

/*
 * Real loop devices on sparse files for the tests of this folder. Needs root and loop devices:
 * rig_require() skips the test otherwise.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "device.h"

#define RIG_BYTES (64ull << 20)

/* struct rig - one loop device, its file and a folder to mount it at */
struct rig {
	char folder[64];
	char file[96];
	char mount[96];
	char node[32];
	int fd; /* -1, or keeps the device open */
};

/* Skips the test where loop devices can't be had, saying so. */
static inline void rig_require(void)
{
	if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) != 0) {
		print_message("skipped: needs root and loop devices\n");
		skip();
	}
}

/* Puts the file on a free loop device; another process may take the one that was free. */
static inline void rig_attach(struct rig *rig, uint32_t flags)
{
	int file = open(rig->file, (flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = { .fd = (uint32_t)file, .info = { .lo_flags = flags } };
	bool attached = false;
	int writable = 0;

	assert_true(file >= 0 && control >= 0);
	for (int i = 0; i < 100 && !attached; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		int loop;

		assert_true(number >= 0);
		(void)snprintf(rig->node, sizeof(rig->node), "/dev/loop%d", number);
		loop = open(rig->node, O_RDWR | O_CLOEXEC);
		attached = loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) == 0;
		/* What `blockdev --setro` did to the number outlives the device that had it. */
		if (attached && !(flags & LO_FLAGS_READ_ONLY))
			assert_int_equal(ioctl(loop, BLKROSET, &writable), 0);
		if (loop >= 0)
			(void)close(loop);
	}
	(void)close(control);
	(void)close(file);
	assert_true(attached);
}

static inline void rig_detach(struct rig *rig)
{
	int loop = open(rig->node, O_RDONLY | O_CLOEXEC);

	if (loop >= 0) {
		(void)ioctl(loop, LOOP_CLR_FD, 0);
		(void)close(loop);
	}
}

/* A loop device on an empty file of @size_bytes. */
static inline void rig_init(struct rig *rig, uint64_t size_bytes, uint32_t flags)
{
	int fd;

	*rig = (struct rig){ .folder = "/tmp/coffer-test-XXXXXX", .fd = -1 };
	assert_non_null(mkdtemp(rig->folder));
	(void)snprintf(rig->file, sizeof(rig->file), "%s/image", rig->folder);
	(void)snprintf(rig->mount, sizeof(rig->mount), "%s/mount", rig->folder);
	assert_int_equal(mkdir(rig->mount, 0700), 0);
	fd = open(rig->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	(void)close(fd);
	rig_attach(rig, flags);
}

/* Undoes all of it, whatever the test left. */
static inline void rig_done(struct rig *rig)
{
	if (rig->folder[0] == '\0')
		return;
	if (rig->fd >= 0)
		(void)close(rig->fd);
	while (umount2(rig->mount, 0) == 0)
		;
	rig_detach(rig);
	(void)rmdir(rig->mount);
	(void)unlink(rig->file);
	(void)rmdir(rig->folder);
}

/* Runs a program that must succeed, its output unseen. */
#define rig_run(...)                                                                               \
	do {                                                                                       \
		const char *const rig_argv_[] = { __VA_ARGS__, NULL };                             \
		struct buffer rig_output_ = { 0 };                                                 \
		int rig_status_ = -1;                                                              \
		assert_ok(child_run(rig_argv_, (struct span){ 0 }, 60000, &rig_output_,            \
				    &rig_status_, NULL));                                          \
		buffer_done(&rig_output_);                                                         \
		assert_int_equal(rig_status_, 0);                                                  \
	} while (0)

/* Writes @len bytes at an offset of the device. */
static inline void rig_write(const struct rig *rig, const void *bytes, size_t len, off_t offset)
{
	int fd = open(rig->node, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	assert_int_equal(fsync(fd), 0);
	(void)close(fd);
}

/* Starts a process that has @paths open until rig_release(). */
static inline pid_t rig_hold(const char *const paths[], int flags)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* A test that crashes must not leave it behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; paths[i]; i++)
			if (open(paths[i], flags) < 0)
				_exit(1);
		(void)!write(ready[1], "r", 1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static inline void rig_release(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

#endif
