/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_REACH_H
#define COF_VAULT_REACH_H

/*
 * Whether a mirror answers at all: a share whose server is gone blocks whoever touches it, for
 * ever. Rule 10 of doc/keys.md: a mirror never blocks unlocking.
 */

#include <stdbool.h>

#define REACH_SECONDS	     15 /* a disk that sleeps has started by then */
#define REACH_MEMORY_SECONDS 60 /* who did not answer is not asked again for that long */

/**
 * reach_answers() - have a child process touch the files of @folder, and wait for it
 * @mirror: as coffer.conf has it; one that did not answer is remembered by this name
 * @folder: of the vault's copy in it; need not be there
 *
 * Only a touch that blocks counts as no answer: what is missing or cannot be read is an answer, and
 * so is it where no child can be made.
 */
bool reach_answers(const char *mirror, const char *folder);

#endif
