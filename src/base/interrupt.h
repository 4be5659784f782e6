/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_INTERRUPT_H
#define COF_BASE_INTERRUPT_H

/*
 * Long work that ends at a place of its own choice when somebody types Ctrl-C or stops the process.
 */

#include <signal.h>

#include "cleanup.h"
#include "result.h"

/** struct interrupt - what the signals did before; { 0 } catches nothing */
struct interrupt {
	struct sigaction before[4];
	bool caught;
};

/** interrupt_begin() - from now on SIGINT, SIGTERM, SIGHUP and SIGQUIT are only noted; one user at
 * a time in a process. A signal that is ignored stays so. */
void interrupt_begin(struct interrupt *interrupt);
/** interrupt_end() - they do again what they did before; a signal that was noted is forgotten */
void interrupt_end(struct interrupt *interrupt);
#define _cleanup_interrupt_ _cleanup_(interrupt_end)

/** interrupt_seen() - the signal that came since interrupt_begin(), or 0 */
int interrupt_seen(void);

#endif
