/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers in a file: the first byte says whether the rest is a LUKS2 JSON area, which gets binary
 * headers with right checksums around it, or lies at the start of the file as it is.
 */

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "kdf.h"
#include "luks.h"

#define AREA_BYTES   16384
#define JSON_AT	     4096
#define AT_AREA_SIZE 8
#define AT_SEQUENCE  16
#define AT_HASH_NAME 72
#define AT_UUID	     168
#define AT_OFFSET    256
#define AT_CHECKSUM  448

/* Writes one of the two copies of a LUKS2 header with @json in it. */
static void write_area(int fd, struct span json, bool second)
{
	static const char uuid[] = "d6d8a880-1ab4-4456-9e0f-27c3320e4b29";
	uint8_t area[AREA_BYTES] = { 0 };
	uint8_t digest[SHA256_BYTES];
	size_t len = json.len < AREA_BYTES - JSON_AT - 1 ? json.len : AREA_BYTES - JSON_AT - 1;

	memcpy(area, second ? "SKUL\xba\xbe\0\2" : "LUKS\xba\xbe\0\2", 8);
	area[AT_AREA_SIZE + 6] = AREA_BYTES >> 8;
	area[AT_SEQUENCE + 7] = 3;
	memcpy(area + AT_HASH_NAME, "sha256", 6);
	memcpy(area + AT_UUID, uuid, sizeof(uuid));
	area[AT_OFFSET + 6] = second ? AREA_BYTES >> 8 : 0;
	if (len)
		memcpy(area + JSON_AT, json.data, len);
	FUZZ_CHECK(!cof_failed(sha256(SPAN(area, sizeof(area)), digest, NULL)));
	memcpy(area + AT_CHECKSUM, digest, sizeof(digest));
	FUZZ_CHECK(pwrite(fd, area, sizeof(area), second ? AREA_BYTES : 0) == sizeof(area));
}

/* An empty file of a header's size, the same one for each input. */
static int empty_file(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	FUZZ_CHECK(ftruncate(fd, (off_t)luks_header_file_bytes()) == 0);
	return fd;
}

void fuzz_one(struct span input)
{
	_cleanup_buffer_ struct buffer copy = { 0 };
	struct luks_info info;
	bool is_luks = false;
	char path[32];
	int fd = empty_file();

	if (input.len == 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (input.data[0] == 'J') {
		write_area(fd, SPAN(input.data + 1, input.len - 1), false);
		write_area(fd, SPAN(input.data + 1, input.len - 1), true);
	} else {
		FUZZ_CHECK(pwrite(fd, input.data + 1, input.len - 1, 0) ==
			   (ssize_t)(input.len - 1));
	}

	FUZZ_CHECK(!cof_failed(luks_probe(path, &is_luks, NULL)));
	if (cof_failed(luks_read(path, NULL, &info, NULL)))
		return;
	FUZZ_CHECK(is_luks && info.slot_count <= LUKS_SLOTS_MAX);
	if (!cof_failed(luks_copy_header(path, &copy, NULL)))
		FUZZ_CHECK(luks_copies_equal(buffer_span(&copy), buffer_span(&copy)));
}
