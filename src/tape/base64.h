/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_BASE64_H
#define COF_TAPE_BASE64_H

/*
 * Base64 as RFC 4648, section 4, has it, for keys: in locked memory, and in a time that depends on
 * lengths alone. Bareos leaves out the padding.
 */

#include "secret.h"

/** base64_encode() - without padding and without a NUL. @bytes: one or more. Fails: COF_E_NOMEM */
cof_result base64_encode(struct span bytes, struct secret **ret_text, struct cof_error *err);

/**
 * base64_decode() - with or without padding; what follows a blank or a newline is not read, as
 * Bareos does
 * Fails: COF_E_FORMAT (empty, other characters, cut off), COF_E_NOMEM
 */
cof_result base64_decode(struct span text, struct secret **ret_bytes, struct cof_error *err);

#endif
