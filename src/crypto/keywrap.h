/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_KEYWRAP_H
#define COF_CRYPTO_KEYWRAP_H

/*
 * AES key wrap: RFC 3394 (multiples of 8 bytes) and RFC 5649 (with padding, any length).
 */

#include "secret.h"

/** enum keywrap_kind - which standard */
enum keywrap_kind { KEYWRAP_RFC3394, KEYWRAP_RFC5649 };

/**
 * keywrap_wrap() - wrap @key under @kek
 * @kek:     16, 24 or 32 bytes
 * @key:     RFC 3394: 16 bytes or more, a multiple of 8; RFC 5649: 1 byte or more; at most 8 MiB
 * @wrapped: the result is appended
 *
 * Fails: COF_E_FORMAT (lengths), COF_E_NOMEM, COF_E_FAILED (the library)
 */
cof_result keywrap_wrap(enum keywrap_kind kind, struct span kek, struct span key,
			struct buffer *wrapped, struct cof_error *err);

/** keywrap_unwrap() - the reverse. Fails as well: COF_E_KEY (wrong KEK, or altered) */
cof_result keywrap_unwrap(enum keywrap_kind kind, struct span kek, struct span wrapped,
			  struct secret **ret_key, struct cof_error *err);

#endif
