/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_CLOCK_H
#define COF_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/** clock_ms() - milliseconds of a clock that only goes forwards, for deadlines; it stands still
 * while the machine sleeps (CLOCK_MONOTONIC, clock_gettime(2)) */
uint64_t clock_ms(void);

/** clock_now() - seconds since 1970, for records and people: it may go back, so nothing is decided
 * by it. COFFER_TEST_TIME sets it where there are fault points */
time_t clock_now(void);

#endif
