/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "header_copy.h"

#include <string.h>

#include "kdf.h"
#include "luks.h"

#define FORMAT_VERSION 1
#define AT_RUN_COUNT   66 /* doc/format-header-copy.md, section 2 */

static const uint8_t magic[8] = { 'C', 'o', 'f', 'H', 'd', 'r', 'C', 'p' };

/* Whether block number @block of @image holds anything. */
static bool block_used(struct span image, size_t block)
{
	const uint8_t *data = image.data + block * HEADER_COPY_BLOCK_BYTES;

	return data[0] != 0 || memcmp(data, data + 1, HEADER_COPY_BLOCK_BYTES - 1) != 0;
}

/* Appends the runs of blocks that hold something. */
static cof_result runs_encode(struct span image, struct buffer *copy, uint32_t *ret_run_count,
			      struct cof_error *err)
{
	size_t blocks = image.len / HEADER_COPY_BLOCK_BYTES;
	uint32_t run_count = 0;
	size_t first = 0;

	while (first < blocks) {
		size_t end = first;

		while (end < blocks && block_used(image, end))
			end++;
		if (end > first) {
			TRY(buffer_add_be32(copy, (uint32_t)first, err));
			TRY(buffer_add_be32(copy, (uint32_t)(end - first), err));
			TRY(buffer_add(copy, image.data + first * HEADER_COPY_BLOCK_BYTES,
				       (end - first) * HEADER_COPY_BLOCK_BYTES, err));
			run_count++;
		}
		first = end + 1;
	}

	*ret_run_count = run_count;
	return COF_OK;
}

cof_result header_copy_encode(const struct header_copy *about, struct span image,
			      struct buffer *copy, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer out = { 0 };
	uint8_t digest[SHA256_BYTES];
	uint32_t run_count;

	ENSURE(image.len > 0 && image.len <= HEADER_COPY_BYTES_MAX &&
		       image.len % HEADER_COPY_BLOCK_BYTES == 0,
	       err, COF_E_FORMAT, about->uuid,
	       "a header area of %zu bytes cannot be copied, only 1 to %u blocks of %d", image.len,
	       HEADER_COPY_BYTES_MAX / HEADER_COPY_BLOCK_BYTES, HEADER_COPY_BLOCK_BYTES);
	TRY(buffer_add(&out, magic, sizeof(magic), err));
	TRY(buffer_add_u8(&out, FORMAT_VERSION, err));
	TRY(buffer_add_u8(&out, (uint8_t)about->luks_version, err));
	TRY(buffer_add(&out, about->uuid, HEADER_COPY_UUID_BYTES, err));
	TRY(buffer_add_be64(&out, about->sequence, err));
	TRY(buffer_add_be64(&out, image.len, err));
	TRY(buffer_add_be32(&out, 0, err));
	TRY(runs_encode(image, &out, &run_count, err));
	for (size_t i = 0; i < sizeof(run_count); i++)
		out.data[AT_RUN_COUNT + i] = (uint8_t)(run_count >> (24 - 8 * i));
	TRY(sha256(buffer_span(&out), digest, err));
	TRY(buffer_add(&out, digest, sizeof(digest), err));

	TRY(buffer_add(copy, out.data, out.len, err));
	return COF_OK;
}

cof_result header_copy_part(const struct buffer *image, uint64_t offset_bytes, uint64_t part_bytes,
			    const char *subject, uint8_t **ret_at, struct cof_error *err)
{
	ENSURE(offset_bytes <= image->len && part_bytes <= image->len - offset_bytes, err,
	       COF_E_FORMAT, subject, "%llu bytes at %llu are outside of its header area of %zu",
	       (unsigned long long)part_bytes, (unsigned long long)offset_bytes, image->len);

	*ret_at = image->data + offset_bytes;
	return COF_OK;
}

/* Checks what surrounds the content: magic, version, digest. */
static cof_result envelope_check(struct span copy, const char *subject, struct span *ret_content,
				 struct cof_error *err)
{
	struct span content = SPAN(copy.data, 0);
	uint8_t digest[SHA256_BYTES];

	ENSURE(copy.len >= AT_RUN_COUNT + sizeof(uint32_t) + SHA256_BYTES &&
		       memcmp(copy.data, magic, sizeof(magic)) == 0,
	       err, COF_E_FORMAT, subject, "is not a header copy");
	ENSURE(copy.data[sizeof(magic)] == FORMAT_VERSION, err, COF_E_FORMAT, subject,
	       "is a header copy of version %d, this program knows %d", copy.data[sizeof(magic)],
	       FORMAT_VERSION);
	content.len = copy.len - SHA256_BYTES;
	TRY(sha256(content, digest, err));
	ENSURE(memcmp(digest, copy.data + content.len, SHA256_BYTES) == 0, err, COF_E_FORMAT,
	       subject, "is cut off or altered: its checksum is wrong");

	*ret_content = content;
	return COF_OK;
}

/* Puts a run's blocks into the image; none of them may be one that is left out. */
static cof_result run_expand(struct span data, uint8_t *at, const char *subject,
			     struct cof_error *err)
{
	for (size_t block = 0; block < data.len / HEADER_COPY_BLOCK_BYTES; block++)
		ENSURE(block_used(data, block), err, COF_E_FORMAT, subject,
		       "keeps a block that is all zero, %zu blocks into a run", block);
	memcpy(at, data.data, data.len);
	return COF_OK;
}

/* Expands the runs; each must come after the one before, with a gap, and end inside the image. */
static cof_result runs_decode(struct reader *reader, uint32_t run_count, struct buffer *image,
			      struct cof_error *err)
{
	uint64_t blocks = image->len / HEADER_COPY_BLOCK_BYTES;
	uint64_t next_allowed = 0;

	for (uint32_t i = 0; i < run_count; i++) {
		struct span data;
		uint32_t first;
		uint32_t count;

		TRY(reader_be32(reader, &first, err));
		TRY(reader_be32(reader, &count, err));
		ENSURE(count > 0 && first >= next_allowed && first <= blocks &&
			       count <= blocks - first,
		       err, COF_E_FORMAT, reader->subject,
		       "run %u has blocks %u+%u, of %llu blocks, from %llu on", i, first, count,
		       (unsigned long long)blocks, (unsigned long long)next_allowed);
		TRY(reader_take(reader, (size_t)count * HEADER_COPY_BLOCK_BYTES, &data, err));
		TRY(run_expand(data, image->data + (size_t)first * HEADER_COPY_BLOCK_BYTES,
			       reader->subject, err));
		next_allowed = (uint64_t)first + count + 1;
	}
	ENSURE(reader->rest.len == 0, err, COF_E_FORMAT, reader->subject,
	       "has %zu bytes after its last run", reader->rest.len);
	return COF_OK;
}

cof_result header_copy_decode(struct span copy, const char *subject, struct header_copy *ret_about,
			      struct buffer *ret_image, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer image = { 0 };
	struct header_copy about = { 0 };
	struct reader reader;
	struct span bytes;
	uint64_t image_bytes;
	uint32_t run_count;
	uint8_t luks_version;

	TRY(envelope_check(copy, subject, &bytes, err));
	reader = reader_of(bytes, subject);
	TRY(reader_take(&reader, sizeof(magic) + 1, &bytes, err));
	TRY(reader_u8(&reader, &luks_version, err));
	ENSURE(luks_version == 1 || luks_version == 2, err, COF_E_FORMAT, subject,
	       "is a copy of a header of LUKS version %d, must be 1 or 2", luks_version);
	about.luks_version = luks_version;
	TRY(reader_take(&reader, HEADER_COPY_UUID_BYTES, &bytes, err));
	memcpy(about.uuid, bytes.data, bytes.len);
	TRY(reader_be64(&reader, &about.sequence, err));
	TRY(reader_be64(&reader, &image_bytes, err));
	ENSURE(image_bytes > 0 && image_bytes <= HEADER_COPY_BYTES_MAX &&
		       image_bytes % HEADER_COPY_BLOCK_BYTES == 0,
	       err, COF_E_FORMAT, subject, "a header area of %llu bytes is not possible",
	       (unsigned long long)image_bytes);
	TRY(reader_be32(&reader, &run_count, err));
	TRY(buffer_reserve(&image, (size_t)image_bytes, err));
	memset(image.data, 0, (size_t)image_bytes);
	image.len = (size_t)image_bytes;
	TRY(runs_decode(&reader, run_count, &image, err));

	*ret_about = about;
	*ret_image = image;
	image = (struct buffer){ 0 };
	return COF_OK;
}

bool luks_copies_equal(struct span a, struct span b)
{
	struct span content;

	/* A header has one encoding, so equal copies are equal bytes. Broken ones prove nothing. */
	return a.len == b.len && !cof_failed(envelope_check(a, "copy", &content, NULL)) &&
	       memcmp(a.data, b.data, a.len) == 0;
}
