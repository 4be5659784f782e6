/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_STRENGTH_H
#define COF_CRYPTO_STRENGTH_H

/*
 * What can be said of a new passphrase without a dictionary, pure.
 */

#include "buffer.h"

#define PASSPHRASE_GOOD_CHARS 12 /* our own rule: doc/keys.md, rule 5 */
#define PASSPHRASE_GOOD_KINDS 5	 /* different ones among them; the same rule */

/**
 * passphrase_weakness() - why a passphrase is easy to guess
 * @passphrase: borrowed; its characters are counted as UTF-8
 *
 * The rule is honest about what it is: length, and more than a few different characters. It finds
 * no words and no dates; a library that does (libpwquality, cracklib) would copy the passphrase
 * into memory that is neither locked nor wiped. Takes a time that depends on the passphrase.
 * Returns a text that goes on after "the new passphrase is weak: ", or NULL for none. Safe from any
 * thread.
 */
const char *passphrase_weakness(struct span passphrase);

#endif
