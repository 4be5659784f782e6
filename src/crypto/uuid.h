/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_UUID_H
#define COF_CRYPTO_UUID_H

#include "result.h"

#define UUID_CHARS 36

/** uuid_random() - a random UUID: version 4, RFC 4122, section 4.4. Fails: COF_E_FAILED */
cof_result uuid_random(char out[static UUID_CHARS + 1], struct cof_error *err);

#endif
