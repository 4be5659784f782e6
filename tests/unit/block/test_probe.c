/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where samples of a device are taken, and what is found by them.
 */

#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

#define MIB (UINT64_C(1) << 20)

static const uint64_t sizes[] = { 2 * MIB + PROBE_SAMPLE_BYTES, 32 * MIB, 64 * MIB + 512,
				  UINT64_C(2) << 40, UINT64_C(1) << 60 };

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void test_samples_lie_between_the_edges(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (unsigned int i = 0; i < PROBE_SAMPLES; i++) {
			uint64_t offset = probe_sample_offset(sizes[s], i);

			assert_true(offset >= MIB - PROBE_SAMPLE_BYTES);
			assert_true(offset + PROBE_SAMPLE_BYTES <= sizes[s] - MIB +
								    PROBE_SAMPLE_BYTES);
			assert_int_equal(offset % PROBE_SAMPLE_BYTES, 0);
		}
	}
}

static void test_samples_leave_no_gap_of_more_than_two_parts(void **state)
{
	uint64_t offsets[PROBE_SAMPLES];
	uint64_t size_bytes = UINT64_C(2) << 40;
	uint64_t part_bytes = (size_bytes - 2 * MIB) / PROBE_SAMPLES;

	(void)state;
	for (unsigned int i = 0; i < PROBE_SAMPLES; i++)
		offsets[i] = probe_sample_offset(size_bytes, i);
	qsort(offsets, PROBE_SAMPLES, sizeof(offsets[0]), compare);
	for (unsigned int i = 1; i < PROBE_SAMPLES; i++)
		assert_in_range(offsets[i] - offsets[i - 1], PROBE_SAMPLE_BYTES, 2 * part_bytes);
}

/* A slow device gives only the first samples: they must not be those of its beginning. */
static void test_first_samples_are_spread_over_the_whole_device(void **state)
{
	uint64_t offsets[64];
	uint64_t size_bytes = UINT64_C(2) << 40;

	(void)state;
	for (unsigned int i = 0; i < 64; i++)
		offsets[i] = probe_sample_offset(size_bytes, i);
	qsort(offsets, 64, sizeof(offsets[0]), compare);
	assert_true(offsets[0] < size_bytes / 64);
	assert_true(offsets[63] > size_bytes / 64 * 62);
	for (unsigned int i = 1; i < 64; i++)
		assert_true(offsets[i] - offsets[i - 1] < size_bytes / 64 * 2);
}

/* Looks at an image of that size with @len bytes of content at @at. */
static void look(uint64_t size_bytes, uint64_t at, size_t len, char where[PROBE_WHERE_BYTES])
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, 'x', len + 1);
	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	assert_int_equal(pwrite(fd, text, len, (off_t)at), len);
	assert_ok(probe_content(fd, size_bytes, "image", where, NULL));
	(void)close(fd);
	free(text);
}

static void test_content_of_two_parts_anywhere_is_found(void **state)
{
	uint64_t size_bytes = UINT64_C(256) << 20;
	uint64_t part_bytes = (size_bytes - 2 * MIB) / PROBE_SAMPLES;
	char where[PROBE_WHERE_BYTES];

	(void)state;
	for (uint64_t at = 2 * MIB; at < size_bytes - 3 * MIB; at += 31 * MIB + 4096) {
		look(size_bytes, at, 2 * part_bytes + PROBE_SAMPLE_BYTES, where);
		assert_memory_equal(where, "at ", 3);
	}
}

static void test_content_of_a_blank_image_is_none(void **state)
{
	char where[PROBE_WHERE_BYTES] = "x";

	(void)state;
	look(UINT64_C(64) << 20, 0, 0, where);
	assert_string_equal(where, "");
	look(MIB / 2, 0, 0, where);
	assert_string_equal(where, "");
}

static void test_content_at_the_edges_is_found(void **state)
{
	char where[PROBE_WHERE_BYTES];

	(void)state;
	look(UINT64_C(64) << 20, MIB - 1, 1, where);
	assert_string_equal(where, "in the first MiB");
	look(UINT64_C(64) << 20, 63 * MIB, 1, where);
	assert_string_equal(where, "in the last MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_lie_between_the_edges),
		cmocka_unit_test(test_samples_leave_no_gap_of_more_than_two_parts),
		cmocka_unit_test(test_first_samples_are_spread_over_the_whole_device),
		cmocka_unit_test(test_content_of_two_parts_anywhere_is_found),
		cmocka_unit_test(test_content_of_a_blank_image_is_none),
		cmocka_unit_test(test_content_at_the_edges_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
