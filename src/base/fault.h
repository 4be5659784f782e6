/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_FAULT_H
#define COF_BASE_FAULT_H

/*
 * Named points at which a test may end the process or cut the power.
 *
 * Every multi-step change passes one fault_point() after each step that leaves a trace on disk.
 * Compiled to nothing unless coffer is built with -Dfaults=true, as `./run check` does. There,
 * COFFER_FAULT=ACTION:WHICH acts at one point:
 *   kill:NAME   the process gets SIGKILL at the point called NAME
 *   kill:#N     the same at the N-th point it passes, from 1
 *   power:NAME, power:#N   the machine restarts at once without a sync (in a guest only)
 *   fail:NAME, fail:#N     the point reports COF_E_IO
 *   list        every point passed is printed on stderr as "fault-point NAME"
 */

#include <stdint.h>

#include "result.h"

#ifdef COF_FAULTS
/** fault_point() - the point called @name, for example "format/key-durable". Fails: COF_E_IO */
cof_result fault_point(const char *name, struct cof_error *err);
/** fault_number() - a time, size or moment that a test sets by the environment variable @name;
 * @otherwise where it does not, and always in a release */
uint64_t fault_number(const char *name, uint64_t otherwise);
#else
static inline uint64_t fault_number(const char *name, uint64_t otherwise)
{
	(void)name;
	return otherwise;
}

static inline cof_result fault_point(const char *name, struct cof_error *err)
{
	(void)name;
	(void)err;
	return COF_OK;
}
#endif

#endif
