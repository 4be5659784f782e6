/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_BASE64URL_H
#define COF_BASE_BASE64URL_H

/*
 * base64url without padding, as JOSE has it: RFC 7515, section 2. Not for secrets: its time depends
 * on the data.
 */

#include "buffer.h"

/** base64url_decode() - append the bytes of @text. Fails: COF_E_FORMAT (not base64url; bits that
 * belong to no byte), COF_E_NOMEM */
cof_result base64url_decode(const char *text, const char *subject, struct buffer *out,
			    struct cof_error *err);
/** base64url_format() - NUL-terminated; @out has at least 4 * (len + 2) / 3 + 1 bytes; returns
 * @out */
char *base64url_format(const uint8_t *data, size_t len, char *out);

#endif
