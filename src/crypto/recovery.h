/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_RECOVERY_H
#define COF_CRYPTO_RECOVERY_H

/*
 * Recovery keys: 256 random bits as a text that people write down and type in again.
 * Pure; the format is in doc/format-recovery-key.md: 13 groups of four characters and a check
 * character, in Crockford's base 32, so that an error names the group it is in.
 */

#include "secret.h"

#define RECOVERY_GROUPS 13
#define RECOVERY_GROUP_CHARS 5
#define RECOVERY_TEXT_CHARS (RECOVERY_GROUPS * (RECOVERY_GROUP_CHARS + 1) - 1) /* 77 */

/**
 * recovery_generate() - a new recovery key's text, which is itself what opens the keyslot
 * @ret_text: RECOVERY_TEXT_CHARS characters, no NUL
 * Fails: COF_E_NOMEM, COF_E_FAILED
 */
cof_result recovery_generate(struct slot_secret **ret_text, struct cof_error *err);

/** recovery_looks_like() - whether somebody who typed this meant a recovery key: the right length
 * give or take 5 characters once blanks and dashes are out, and only letters and digits */
bool recovery_looks_like(struct span typed);

/**
 * recovery_parse() - bring a typed text into the one form that opens the keyslot
 * @typed: any case, blanks or dashes or none between groups; O is 0, I and L are 1
 *
 * Fails: COF_E_KEY, saying which group has a typing error, or how many characters there are
 */
cof_result recovery_parse(struct span typed, struct slot_secret **ret_text,
			  struct cof_error *err);

#endif
