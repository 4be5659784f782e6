/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_PATIENCE_H
#define COF_VAULT_PATIENCE_H

/*
 * Says on stderr what is being waited for, once that takes long: a mirror on a network share may
 * block for ever, and whoever waits must know which.
 */

#define PATIENCE_MS 3000

struct patience;

/** patience_begin() - @what: "the mirror /mnt/nfs"; borrowed until the end. NULL where there is no
 * memory: then nothing is said */
struct patience *patience_begin(const char *what, unsigned int timeout_ms);
/** patience_end() - the wait is over */
void patience_end(struct patience *patience);

static inline void patience_endp(struct patience **patience)
{
	patience_end(*patience);
}
/* A scope that is all there is to it: clang would call the variable unused. */
#define _cleanup_patience_ __attribute__((cleanup(patience_endp), unused))

#endif
