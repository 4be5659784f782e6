/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two headers that are compared. After 'J', two JSON areas with a zero byte between them, which get
 * binary headers with right checksums; otherwise the first block of each, LUKS1's.
 */

#include <stdio.h>

#include "fuzz.h"
#include "header_copy.h"
#include "kdf.h"
#include "luks_header.h"

#define AREA_BYTES   16384
#define IMAGE_BYTES  (2 * AREA_BYTES + 4 * 4096)
#define JSON_AT	     4096
#define AT_AREA_SIZE 8
#define AT_SEQUENCE  16
#define AT_HASH_NAME 72
#define AT_OFFSET    256
#define AT_CHECKSUM  448

/* Makes one of the two places of a LUKS2 header. */
static void make_area(uint8_t *area, struct span json, bool second)
{
	uint8_t digest[SHA256_BYTES];
	size_t len = json.len < AREA_BYTES - JSON_AT - 1 ? json.len : AREA_BYTES - JSON_AT - 1;

	memcpy(area, second ? "SKUL\xba\xbe\0\2" : "LUKS\xba\xbe\0\2", 8);
	area[AT_AREA_SIZE + 6] = AREA_BYTES >> 8;
	area[AT_SEQUENCE + 7] = 3;
	memcpy(area + AT_HASH_NAME, "sha256", 6);
	area[AT_OFFSET + 6] = second ? AREA_BYTES >> 8 : 0;
	if (len)
		memcpy(area + JSON_AT, json.data, len);
	FUZZ_CHECK(!cof_failed(sha256(SPAN(area, AREA_BYTES), digest, NULL)));
	memcpy(area + AT_CHECKSUM, digest, sizeof(digest));
}

/* Makes a copy of a header that holds @content. */
static void make_copy(bool luks2, struct span content, uint8_t fill, struct buffer *copy)
{
	struct header_copy about = { .luks_version = luks2 ? 2 : 1, .uuid = "u", .sequence = 3 };
	uint8_t image[IMAGE_BYTES] = { 0 };

	if (luks2) {
		make_area(image, content, false);
		make_area(image + AREA_BYTES, content, true);
	} else if (content.len) {
		memcpy(image, content.data, content.len < JSON_AT ? content.len : JSON_AT);
	}
	/* Key material that differs. */
	memset(image + 2 * AREA_BYTES, fill, IMAGE_BYTES - 2 * AREA_BYTES);
	FUZZ_CHECK(!cof_failed(header_copy_encode(&about, SPAN(image, sizeof(image)), copy, NULL)));
}

void fuzz_one(struct span input)
{
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	_cleanup_luks_diff_ struct luks_diff self = { 0 };
	_cleanup_buffer_ struct buffer before = { 0 };
	_cleanup_buffer_ struct buffer after = { 0 };
	bool luks2 = input.len > 0 && input.data[0] == 'J';
	size_t start = luks2 ? 1 : 0;
	size_t half = input.len / 2 < start ? start : input.len / 2;
	const uint8_t *zero = luks2 ? memchr(input.data, 0, input.len) : NULL;

	if (input.len == 0)
		return;
	if (zero)
		half = (size_t)(zero - input.data);
	make_copy(luks2, SPAN(input.data + start, half - start), 1, &before);
	make_copy(luks2,
		  SPAN(input.data + half + (zero ? 1 : 0), input.len - half - (zero ? 1 : 0)), 2,
		  &after);
	if (cof_failed(luks_copies_diff(buffer_span(&before), buffer_span(&after), &diff, NULL)))
		return;
	FUZZ_CHECK(!diff.same);
	for (size_t i = 0; i < diff.text.len; i++)
		FUZZ_CHECK(diff.text.data[i] == '\n' || diff.text.data[i] >= ' ');
	FUZZ_CHECK(!cof_failed(
		luks_copies_diff(buffer_span(&before), buffer_span(&before), &self, NULL)));
	FUZZ_CHECK(self.same && self.text.len == 0 && self.damaged_slots == 0);
}
