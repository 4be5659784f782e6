/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "opener.h"
#include "probe.h"
#include "twin.h"
#include "usage.h"

#define DEVICE_MIN_BYTES (32u << 20) /* a LUKS2 header of 16 MiB and as much data */

#define WRITER_TRIES	5
#define WRITER_RETRY_MS 100

/* Gives the verdict; one that is given already stays, since the checks come in order of weight. */
static void __attribute__((format(printf, 3, 4)))
judge(struct verdict *verdict, enum verdict_state state, const char *format, ...)
{
	va_list arguments;

	if (verdict->state != VERDICT_FREE)
		return;
	verdict->state = state;
	va_start(arguments, format);
	(void)vsnprintf(verdict->reason, sizeof(verdict->reason), format, arguments);
	va_end(arguments);
}

/* Adds what to type instead. */
static void __attribute__((format(printf, 2, 3)))
suggest(struct verdict *verdict, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(verdict->remedy, sizeof(verdict->remedy), format, arguments);
	va_end(arguments);
}

/* In use by what /proc and /sys tell of. */
static cof_result check_usage(const struct device *device, struct verdict *verdict,
			      struct cof_error *err)
{
	struct usage usage;

	TRY(usage_find(&block_roots_system, device, &usage, err));
	if (usage.text[0] == '\0')
		return COF_OK;
	judge(verdict, VERDICT_IN_USE, "%.255s%.255s", usage.text, usage.detail);
	suggest(verdict, "%.255s", usage.remedy);
	return COF_OK;
}

/* A disk with two paths and no multipath map: what uses one of them uses the disk. */
static cof_result check_twin(const struct device *device, struct verdict *verdict,
			     struct cof_error *err)
{
	struct twin twin;
	bool found;

	TRY(twin_find(&block_roots_system, device, &twin, &found, err));
	if (found && twin.use[0] != '\0')
		judge(verdict, VERDICT_IN_USE, "%s is the same disk (%.100s) and is in use: %s",
		      twin.node, device->wwn, twin.use);
	else if (found)
		judge(verdict, VERDICT_HOLDS_DATA,
		      "%s has the same WWN (%.100s): two paths to one disk, or a clone", twin.node,
		      device->wwn);
	return COF_OK;
}

/* Says which process is in the way. One of coffer's own must not be ended: it may be writing a
 * header. */
static void judge_opener(struct verdict *verdict, const char *how, const struct opener *opener)
{
	if (strcmp(opener->command, "coffer") != 0 &&
	    strcmp(opener->command, "coffer-engine") != 0) {
		judge(verdict, VERDICT_IN_USE, "%s by %s (pid %d)", how, opener->command,
		      (int)opener->pid);
		suggest(verdict, "end process %d first", (int)opener->pid);
		return;
	}
	verdict->passing = true;
	judge(verdict, VERDICT_IN_USE, "another coffer command is at work on it (pid %d)",
	      (int)opener->pid);
	suggest(verdict, "wait until it has ended, then the same again");
}

/* Says who has the device open that could not be opened exclusively. */
static cof_result check_holder(const struct device *device, struct verdict *verdict,
			       struct cof_error *err)
{
	struct opener_query query = { .number = device->number };
	struct signatures signatures = { 0 };
	_cleanup_fd_ int fd = -1;
	struct opener opener;

	if (opener_find(&block_roots_system, &query, &opener)) {
		judge_opener(verdict, "held", &opener);
		return COF_OK;
	}
	/* Opened only now: this process would have been found as the holder. */
	fd = open(device->node, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		TRY(probe_signatures(fd, device->node, &signatures, err));
	judge(verdict, VERDICT_IN_USE,
	      "held by the kernel, or mounted where this process cannot see it%s%s",
	      signatures.text[0] ? "; it holds " : "", signatures.text);
	return COF_OK;
}

/* Somebody writes to it without holding it exclusively, as virtual machines do. */
static void check_writers(const struct device *device, struct verdict *verdict)
{
	struct opener_query query = { .number = device->number, .writers = true };
	struct opener opener;

	/* Tools that look for a free loop device open each for a moment. */
	for (int tries = 0; opener_find(&block_roots_system, &query, &opener); tries++) {
		if (tries == WRITER_TRIES)
			break;
		(void)poll(NULL, 0, WRITER_RETRY_MS);
	}
	if (!opener_find(&block_roots_system, &query, &opener))
		return;
	judge_opener(verdict, "open for writing", &opener);
}

/* Whether the device, as it is now, could be written to and is large enough. */
static cof_result check_fitness(int fd, const char *node, uint64_t *ret_size_bytes,
				struct verdict *verdict, struct cof_error *err)
{
	int read_only = 0;
	uint64_t size_bytes = 0;

	if (ioctl(fd, BLKROGET, &read_only) != 0 || ioctl(fd, BLKGETSIZE64, &size_bytes) != 0)
		return cof_raise_errno(err, errno, node, "does not tell its size");
	if (read_only)
		judge(verdict, VERDICT_UNFIT, "read-only");
	if (size_bytes < DEVICE_MIN_BYTES)
		judge(verdict, VERDICT_UNFIT, "%llu bytes large, at least %u are needed",
		      (unsigned long long)size_bytes, DEVICE_MIN_BYTES);
	*ret_size_bytes = size_bytes;
	return COF_OK;
}

/* Whether there is anything on the device, known or unknown. */
static cof_result check_content(int fd, const struct device *device, uint64_t size_bytes,
				struct verdict *verdict, struct cof_error *err)
{
	struct signatures signatures;
	char where[PROBE_WHERE_BYTES];

	TRY(probe_signatures(fd, device->node, &signatures, err));
	if (signatures.text[0] != '\0') {
		judge(verdict, VERDICT_HOLDS_DATA, "%s", signatures.text);
		(void)snprintf(verdict->signature, sizeof(verdict->signature), "%s",
			       signatures.first);
	} else {
		TRY(probe_content(fd, size_bytes, device->node, where, err));
		if (where[0])
			judge(verdict, VERDICT_HOLDS_DATA, "unknown content %s", where);
	}
	if (verdict->state == VERDICT_HOLDS_DATA &&
	    strcmp(verdict->signature, "crypto_LUKS") == 0)
		suggest(verdict,
			"coffer disk adopt %s, which keeps its data; --force to overwrite it",
			device->node);
	else if (verdict->state == VERDICT_HOLDS_DATA)
		suggest(verdict, "wipefs %s to see what is on it, --force to overwrite it",
			device->node);
	return COF_OK;
}

/* The checks that look at the device itself, through a descriptor that holds it exclusively. */
static cof_result check_device(int fd, const struct device *device, struct verdict *verdict,
			       struct cof_error *err)
{
	uint64_t size_bytes = 0;

	TRY(check_fitness(fd, device->node, &size_bytes, verdict, err));
	check_writers(device, verdict);
	TRY(check_twin(device, verdict, err));
	return check_content(fd, device, size_bytes, verdict, err);
}

cof_result device_verdict(const struct device *device, struct verdict *ret_verdict,
			  struct cof_error *err)
{
	struct verdict verdict = { .state = VERDICT_FREE };
	_cleanup_fd_ int fd = -1;

	TRY(check_usage(device, &verdict, err));
	if (verdict.state == VERDICT_FREE) {
		/* For reading: closing a descriptor for writing would make udev look again. */
		cof_result claimed = device_claim(device, true, &fd, err);

		if (claimed.code == COF_E_BUSY) {
			TRY(check_holder(device, &verdict, err));
		} else {
			TRY(claimed);
			TRY(check_device(fd, device, &verdict, err));
		}
	}
	*ret_verdict = verdict;
	return COF_OK;
}
