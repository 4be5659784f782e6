/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "number.h"

static atomic_uint points_passed;

/* Whether the WHICH part of COFFER_FAULT means the point called @name, the @number-th passed. */
static bool is_meant(const char *which, const char *name, unsigned int number)
{
	if (which[0] == '#')
		return strtoul(which + 1, NULL, 10) == number;
	return strcmp(which, name) == 0;
}

/* Restarts the machine as a power cut would: nothing is flushed. */
static void cut_power(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "b", 1) == 1)
		(void)pause();
	abort();
}

cof_result fault_point(const char *name, struct cof_error *err)
{
	const char *order = getenv("COFFER_FAULT");
	unsigned int number = atomic_fetch_add(&points_passed, 1) + 1;
	const char *which = order ? strchr(order, ':') : NULL;

	if (order && strcmp(order, "list") == 0)
		(void)fprintf(stderr, "fault-point %s\n", name);
	if (!which || !is_meant(which + 1, name, number))
		return COF_OK;
	if (strncmp(order, "kill:", 5) == 0)
		(void)raise(SIGKILL);
	if (strncmp(order, "power:", 6) == 0)
		cut_power();
	ENSURE(strncmp(order, "fail:", 5) != 0, err, COF_E_IO, name, "a test made this step fail");
	return COF_OK;
}

uint64_t fault_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t number;

	if (text && !cof_failed(uint_parse(text, UINT64_MAX, &number, NULL)))
		return number;
	return otherwise;
}
