/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A touch with a time limit. It is a process that touches and not a thread, because a call that
 * cannot be interrupted would keep this process from ending, too.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "fault.h"
#include "reach.h"

#define SILENT_MAX	 16
#define KILL_PATIENCE_MS 100

/* Mirrors that did not answer, for all vaults of this process. */
static struct {
	pthread_mutex_t mutex;
	struct {
		char mirror[PATH_MAX];
		uint64_t until_ms;
	} items[SILENT_MAX];
	size_t next;
} silent = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* Whether a mirror did not answer a short while ago. */
static bool was_silent(const char *mirror)
{
	uint64_t now_ms = clock_ms();
	bool found = false;

	(void)pthread_mutex_lock(&silent.mutex);
	for (size_t i = 0; i < SILENT_MAX; i++)
		found = found || (silent.items[i].until_ms > now_ms &&
				  strcmp(silent.items[i].mirror, mirror) == 0);
	(void)pthread_mutex_unlock(&silent.mutex);
	return found;
}

/* Remembers that a mirror did not answer; the oldest such memory goes. */
static void remember_silent(const char *mirror)
{
	(void)pthread_mutex_lock(&silent.mutex);
	(void)snprintf(silent.items[silent.next].mirror, PATH_MAX, "%s", mirror);
	silent.items[silent.next].until_ms = clock_ms() + REACH_MEMORY_SECONDS * 1000;
	silent.next = (silent.next + 1) % SILENT_MAX;
	(void)pthread_mutex_unlock(&silent.mutex);
}

/* Opens one file and reads its first byte, so that its server is asked. */
static void touch_file(int folder_fd, const char *name)
{
	int fd = openat(folder_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	char byte;

	if (fd >= 0 && read(fd, &byte, 1) >= 0)
		(void)close(fd);
}

/* The child; it makes system calls alone. It keeps no descriptor: a lock, or a pipe that somebody
 * reads to its end, would stay with it for as long as it hangs. */
__attribute__((noreturn)) static void touch(const char *mirror, const char *folder)
{
	static const char *const files[] = { "root.luks", "vault.db", "vault.mark", "audit.log" };
	struct stat status;
	int folder_fd;

	(void)close_range(0, ~0U, 0);
	if (stat(mirror, &status) < 0)
		_exit(0);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; folder_fd >= 0 && i < sizeof(files) / sizeof(files[0]); i++)
		touch_file(folder_fd, files[i]);
	_exit(0);
}

/* Waits for the child to end; false when it does not in time. */
static bool wait_for(int pidfd, uint64_t timeout_ms)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	struct pollfd polled = { .fd = pidfd, .events = POLLIN };
	uint64_t now_ms = clock_ms();
	int ready = -1;

	do {
		ready = poll(&polled, 1, now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0);
		now_ms = clock_ms();
	} while (ready < 0 && errno == EINTR);
	return ready != 0;
}

bool reach_answers(const char *mirror, const char *folder)
{
	_cleanup_fd_ int pidfd = -1;
	bool answered;
	pid_t child;

	if (was_silent(mirror))
		return false;
	child = fork();
	if (child < 0)
		return true;
	if (child == 0)
		touch(mirror, folder);
	pidfd = pidfd_open(child, 0);
	answered = pidfd < 0 ||
		   wait_for(pidfd, fault_number("COFFER_TEST_REACH_MS", REACH_SECONDS * 1000));
	if (!answered) {
		remember_silent(mirror);
		(void)kill(child, SIGKILL);
	}
	/* One that hangs where nothing can end it is left to whoever adopts it. */
	if (answered || wait_for(pidfd, KILL_PATIENCE_MS))
		(void)waitpid(child, NULL, 0);
	return answered;
}
