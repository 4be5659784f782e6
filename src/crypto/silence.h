/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_SILENCE_H
#define COF_CRYPTO_SILENCE_H

/*
 * The controlling terminal shows nothing of what is typed while a passphrase is being checked:
 * somebody who thinks that it was not taken types it again.
 */

#include <stdbool.h>

/**
 * silence_begin() - no echo from now on
 *
 * passphrase_ask() may be called meanwhile. Ctrl-C, Ctrl-Z, SIGTERM, SIGHUP and SIGQUIT do what
 * they always do, with the echo back before; a signal that the process ignores stays ignored.
 * The terminal and the signals are the process's: one silence at a time.
 * Returns false, and does nothing, where there is no terminal.
 */
bool silence_begin(void);

/** silence_end() - echo as it was before; what was typed meanwhile is dropped. @begun: what
 * silence_begin() has returned; for _cleanup_ */
void silence_end(const bool *begun);

/* Nothing reads the variable, which clang would remark on. */
#define _cleanup_silence_ _cleanup_(silence_end) __attribute__((unused))

#endif
