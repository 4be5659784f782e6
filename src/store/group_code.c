/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_code.h"

#include <string.h>

#define MAGIC		"CofStGrp"
#define MAGIC_BYTES	8
#define VERSION		1
#define SUITE		1
#define CHUNK_MAX_BYTES (512u << 10) /* a batch has room for several */

cof_result group_encode(const struct group *group, struct buffer *out, struct cof_error *err)
{
	TRY(buffer_add(out, MAGIC, MAGIC_BYTES, err));
	TRY(buffer_add_u8(out, VERSION, err));
	TRY(buffer_add_u8(out, SUITE, err));
	TRY(buffer_add(out, group->uuid, STORE_UUID_BYTES, err));
	TRY(buffer_add_be64(out, group->created, err));
	TRY(buffer_add_be32(out, group->min_bytes, err));
	TRY(buffer_add_be32(out, group->avg_bytes, err));
	TRY(buffer_add_be32(out, group->max_bytes, err));
	return sha256_append(out, err);
}

cof_result group_decode(struct span bytes, const char *subject, struct group *ret_group,
			struct cof_error *err)
{
	struct reader reader = reader_of(bytes, subject);
	struct group group = { 0 };
	struct span part = { 0 };
	uint8_t digest[SHA256_BYTES];
	uint8_t version = 0;
	uint8_t suite = 0;

	TRY(reader_take(&reader, MAGIC_BYTES, &part, err));
	ENSURE(memcmp(part.data, MAGIC, MAGIC_BYTES) == 0 && bytes.len > SHA256_BYTES, err,
	       COF_E_FORMAT, subject, "is no file of a storage group");
	TRY(sha256(SPAN(bytes.data, bytes.len - SHA256_BYTES), digest, err));
	ENSURE(memcmp(digest, bytes.data + bytes.len - SHA256_BYTES, SHA256_BYTES) == 0, err,
	       COF_E_FORMAT, subject, "does not match its checksum");
	TRY(reader_u8(&reader, &version, err));
	TRY(reader_u8(&reader, &suite, err));
	ENSURE(version == VERSION && suite == SUITE, err, COF_E_FORMAT, subject,
	       "has version %u and suite %u, which are not known", version, suite);
	TRY(reader_take(&reader, STORE_UUID_BYTES, &part, err));
	memcpy(group.uuid, part.data, STORE_UUID_BYTES);
	TRY(reader_be64(&reader, &group.created, err));
	TRY(reader_be32(&reader, &group.min_bytes, err));
	TRY(reader_be32(&reader, &group.avg_bytes, err));
	TRY(reader_be32(&reader, &group.max_bytes, err));
	ENSURE(reader.rest.len == SHA256_BYTES && group.min_bytes >= 64 &&
		       group.min_bytes < group.avg_bytes && group.avg_bytes < group.max_bytes &&
		       group.max_bytes <= CHUNK_MAX_BYTES,
	       err, COF_E_FORMAT, subject, "has chunks of %u, %u and %u bytes", group.min_bytes,
	       group.avg_bytes, group.max_bytes);
	*ret_group = group;
	return COF_OK;
}
