/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "clock.h"

#include "fault.h"

uint64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

time_t clock_now(void)
{
	return (time_t)fault_number("COFFER_TEST_TIME", (uint64_t)time(NULL));
}
