/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_GROUP_CODE_H
#define COF_STORE_GROUP_CODE_H

/*
 * The bytes of a group's own file, pure: doc/format-store.md, section 2.
 */

#include "pack_code.h"

#define GROUP_MAX_BYTES 256

/** struct group - what never changes about a group; sizes of chunks in bytes */
struct group {
	uint8_t uuid[STORE_UUID_BYTES];
	uint64_t created;
	uint32_t min_bytes;
	uint32_t avg_bytes;
	uint32_t max_bytes;
};

/** group_encode() - append it. Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result group_encode(const struct group *group, struct buffer *out, struct cof_error *err);
/** group_decode() - Fails: COF_E_FORMAT */
cof_result group_decode(struct span bytes, const char *subject, struct group *ret_group,
			struct cof_error *err);

#endif
