/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests of any offset and length on a source that is a file in memory.
 */

#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "range.h"
#include "volume.h"

#define OFFSET_BYTES (64 * 1024)
#define SIZE_BYTES (512 * 1024)
#define BIG_BYTES (4 * 1024 * 1024)

/** struct rig - a volume on a file in memory */
struct rig {
	int fd;
	struct map map;
	struct sector_spec spec;
	struct volume_key *key;
	struct volume *volume;
	struct volume_lane *lane;
};

static void rig_start(struct rig *rig, uint32_t sector_bytes, uint64_t size_bytes, size_t lanes)
{
	*rig = (struct rig){ .map = { .data_offset_bytes = OFFSET_BYTES,
				      .size_bytes = size_bytes,
				      .iv_offset = 77,
				      .sector_bytes = sector_bytes } };
	rig->fd = memfd_create("source", MFD_CLOEXEC);
	assert_true(rig->fd >= 0);
	assert_int_equal(ftruncate(rig->fd, (off_t)(OFFSET_BYTES + size_bytes)), 0);
	assert_ok(sector_spec_parse("aes", "xts-plain64", 64, &rig->spec, NULL));
	assert_ok(volume_key_random(64, &rig->key, NULL));
	assert_ok(volume_new(rig->fd, &rig->map, &rig->spec, rig->key, lanes, &rig->volume,
			     NULL));
	rig->lane = volume_lane_take(rig->volume);
}

static void rig_stop(struct rig *rig)
{
	volume_lane_give(rig->volume, rig->lane);
	volume_free(rig->volume);
	volume_key_free(rig->key);
	(void)close(rig->fd);
}

/* Bytes that say where they are. */
static void fill(uint8_t *out, size_t len, unsigned int seed)
{
	srand(seed);
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)rand();
}

static void assert_reads(struct rig *rig, uint64_t offset, const uint8_t *expected, size_t len)
{
	struct span got = { 0 };

	assert_ok(volume_read(rig->volume, rig->lane, offset, len, &got, NULL));
	assert_int_equal(got.len, len);
	assert_memory_equal(got.data, expected, len);
}

static void test_volume_write_puts_sectors_where_the_header_says(void **state)
{
	struct rig rig;
	struct sector_cipher *cipher = NULL;
	uint8_t text[8192];
	uint8_t raw[8192];

	(void)state;
	rig_start(&rig, 4096, SIZE_BYTES, 1);
	fill(text, sizeof(text), 1);
	assert_ok(volume_write(rig.volume, rig.lane, 12288, SPAN(text, sizeof(text)), NULL));
	assert_int_equal(pread(rig.fd, raw, sizeof(raw), OFFSET_BYTES + 12288), sizeof(raw));
	assert_ok(sector_cipher_new(&rig.spec, rig.key, &cipher, NULL));
	assert_ok(sector_cipher_decrypt(cipher, 77 + 12288 / 512, 4096, raw, raw, sizeof(raw),
					NULL));
	assert_memory_equal(raw, text, sizeof(text));
	sector_cipher_free(cipher);
	rig_stop(&rig);
}

/* A few thousand requests of any kind, beside an array that does the same. */
static void check_like_an_array(uint32_t sector_bytes)
{
	struct rig rig;
	static uint8_t model[SIZE_BYTES];
	static uint8_t bytes[32768];

	rig_start(&rig, sector_bytes, SIZE_BYTES, 1);
	memset(model, 0, sizeof(model));
	assert_ok(volume_zero(rig.volume, rig.lane, 0, SIZE_BYTES, NULL));
	for (unsigned int i = 0; i < 1500; i++) {
		size_t offset;
		size_t len;
		int kind;

		fill(bytes, 64, i);
		offset = (size_t)rand() % SIZE_BYTES;
		len = (size_t)rand() % (i % 3 ? 6000 : sizeof(bytes));
		kind = rand() % 4;
		len = len > SIZE_BYTES - offset ? SIZE_BYTES - offset : len;
		if (i % 5 == 0) {
			offset -= offset % 512;
			len -= len % 512;
		}
		if (kind == 0) {
			assert_reads(&rig, offset, model + offset, len);
		} else if (kind == 1) {
			memset(model + offset, 0, len);
			assert_ok(volume_zero(rig.volume, rig.lane, offset, len, NULL));
		} else {
			fill(bytes, len, i);
			memcpy(model + offset, bytes, len);
			assert_ok(volume_write(rig.volume, rig.lane, offset, SPAN(bytes, len),
					       NULL));
		}
	}
	assert_reads(&rig, 0, model, SIZE_BYTES);
	rig_stop(&rig);
}

static void test_volume_of_512_byte_sectors_is_like_an_array(void **state)
{
	(void)state;
	check_like_an_array(512);
}

static void test_volume_of_4096_byte_sectors_is_like_an_array(void **state)
{
	(void)state;
	check_like_an_array(4096);
}

static void test_volume_largest_request_may_be_unaligned(void **state)
{
	struct rig rig;
	uint8_t *bytes = malloc(VOLUME_REQUEST_MAX_BYTES);

	(void)state;
	assert_non_null(bytes);
	rig_start(&rig, 4096, BIG_BYTES, 1);
	fill(bytes, VOLUME_REQUEST_MAX_BYTES, 3);
	assert_ok(volume_write(rig.volume, rig.lane, 4095,
			       SPAN(bytes, VOLUME_REQUEST_MAX_BYTES), NULL));
	assert_reads(&rig, 4095, bytes, VOLUME_REQUEST_MAX_BYTES);
	free(bytes);
	rig_stop(&rig);
}

static void test_volume_zero_writes_encrypted_zeroes(void **state)
{
	struct rig rig;
	static const uint8_t zeroes[4096];
	uint8_t raw[4096];

	(void)state;
	rig_start(&rig, 4096, BIG_BYTES, 1);
	assert_ok(volume_zero(rig.volume, rig.lane, 4096, BIG_BYTES - 4096, NULL));
	assert_reads(&rig, BIG_BYTES - 4096, zeroes, 4096);
	assert_int_equal(pread(rig.fd, raw, sizeof(raw), OFFSET_BYTES + BIG_BYTES - 4096),
			 sizeof(raw));
	assert_memory_not_equal(raw, zeroes, sizeof(raw));
	rig_stop(&rig);
}

static void test_volume_read_is_cut_at_the_end(void **state)
{
	struct rig rig;
	struct span got = { 0 };

	(void)state;
	rig_start(&rig, 512, SIZE_BYTES, 1);
	assert_ok(volume_read(rig.volume, rig.lane, SIZE_BYTES - 100, 4096, &got, NULL));
	assert_int_equal(got.len, 100);
	assert_ok(volume_read(rig.volume, rig.lane, SIZE_BYTES, 4096, &got, NULL));
	assert_int_equal(got.len, 0);
	assert_ok(volume_read(rig.volume, rig.lane, UINT64_MAX, 4096, &got, NULL));
	assert_int_equal(got.len, 0);
	rig_stop(&rig);
}

static void test_volume_write_refuses_what_goes_beyond_the_end(void **state)
{
	struct rig rig;
	uint8_t bytes[512] = { 0 };

	(void)state;
	rig_start(&rig, 512, SIZE_BYTES, 1);
	assert_fails(volume_write(rig.volume, rig.lane, SIZE_BYTES - 511, SPAN(bytes, 512), NULL),
		     COF_E_NOSPC);
	assert_fails(volume_zero(rig.volume, rig.lane, SIZE_BYTES - 511, 512, NULL), COF_E_NOSPC);
	rig_stop(&rig);
}

static void test_volume_refuses_requests_that_are_too_large(void **state)
{
	struct rig rig;
	struct span got = { 0 };
	static uint8_t bytes[VOLUME_REQUEST_MAX_BYTES + 1];

	(void)state;
	rig_start(&rig, 512, BIG_BYTES, 1);
	assert_fails(volume_read(rig.volume, rig.lane, 0, sizeof(bytes), &got, NULL),
		     COF_E_FAILED);
	assert_fails(volume_write(rig.volume, rig.lane, 0, SPAN(bytes, sizeof(bytes)), NULL),
		     COF_E_FAILED);
	rig_stop(&rig);
}

static void test_volume_read_of_a_source_that_shrank_fails(void **state)
{
	struct rig rig;
	struct span got = { 0 };

	(void)state;
	rig_start(&rig, 512, SIZE_BYTES, 1);
	assert_int_equal(ftruncate(rig.fd, OFFSET_BYTES + 1000), 0);
	assert_fails(volume_read(rig.volume, rig.lane, 512, 512, &got, NULL), COF_E_IO);
	rig_stop(&rig);
}

static void test_volume_on_a_source_that_refuses_reports_it(void **state)
{
	struct rig rig;
	struct span got = { 0 };
	uint8_t bytes[512] = { 0 };
	int pipe_ends[2];

	(void)state;
	rig_start(&rig, 512, SIZE_BYTES, 1);
	/* A pipe can neither be read nor written at an offset, nor be synced. */
	assert_int_equal(pipe(pipe_ends), 0);
	assert_true(dup2(pipe_ends[0], rig.fd) == rig.fd);
	assert_fails(volume_read(rig.volume, rig.lane, 0, 512, &got, NULL), COF_E_IO);
	assert_fails(volume_write(rig.volume, rig.lane, 0, SPAN(bytes, 512), NULL), COF_E_IO);
	assert_fails(volume_flush(rig.volume, NULL), COF_E_IO);
	(void)close(pipe_ends[0]);
	(void)close(pipe_ends[1]);
	rig_stop(&rig);
}

static void test_volume_refuses_no_lanes(void **state)
{
	struct map map = { .size_bytes = SIZE_BYTES, .sector_bytes = 512 };
	struct volume *volume = NULL;

	(void)state;
	assert_fails(volume_new(-1, &map, NULL, NULL, 0, &volume, NULL), COF_E_FAILED);
	assert_fails(volume_new(-1, &map, NULL, NULL, RANGE_SLOTS_MAX + 1, &volume, NULL),
		     COF_E_FAILED);
}

#define WRITERS 4
#define ROUNDS 400

/** struct writer - one thread, which owns every fourth byte of a sector's first kilobyte */
struct writer {
	struct rig *rig;
	size_t number;
	bool failed;
};

static void *write_own_bytes(void *context)
{
	struct writer *writer = context;
	struct volume *volume = writer->rig->volume;

	for (int round = 0; round < ROUNDS; round++) {
		struct volume_lane *lane = volume_lane_take(volume);
		uint8_t byte = (uint8_t)(round + (int)writer->number);
		uint64_t place = writer->number + (uint64_t)(round % 8) * WRITERS;
		struct span got = { 0 };

		if (cof_failed(volume_write(volume, lane, place, SPAN(&byte, 1), NULL)) ||
		    cof_failed(volume_read(volume, lane, place, 1, &got, NULL)) ||
		    got.data[0] != byte)
			writer->failed = true;
		volume_lane_give(volume, lane);
	}
	return NULL;
}

static void test_volume_partial_writes_at_once_lose_nothing(void **state)
{
	struct rig rig;
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];

	(void)state;
	/* Fewer lanes than threads, so that they wait for lanes too. */
	rig_start(&rig, 4096, SIZE_BYTES, WRITERS);
	for (size_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .rig = &rig, .number = i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_own_bytes, &writers[i]),
				 0);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(writers[i].failed);
	}
	rig_stop(&rig);
}

/** struct waiter - a thread that wants a range */
struct waiter {
	struct range_locks *locks;
	bool exclusive;
	int got;
};

static void *wait_for_range(void *context)
{
	struct waiter *waiter = context;

	range_lock(waiter->locks, 1, 50, 150, waiter->exclusive);
	__atomic_store_n(&waiter->got, 1, __ATOMIC_SEQ_CST);
	range_unlock(waiter->locks, 1);
	return NULL;
}

/* Whether somebody who wants 50 to 150 waits while 0 to 100 is held. */
static bool waits(bool held_exclusive, bool wanted_exclusive)
{
	struct range_locks locks;
	struct waiter waiter = { .locks = &locks, .exclusive = wanted_exclusive };
	pthread_t thread;
	bool waited;

	range_locks_init(&locks, 2);
	range_lock(&locks, 0, 0, 100, held_exclusive);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_range, &waiter), 0);
	/* A busy machine may let a thread that need not wait begin late. */
	for (int tries = 0; tries < 100 && !__atomic_load_n(&waiter.got, __ATOMIC_SEQ_CST); tries++)
		(void)usleep(10000);
	waited = !__atomic_load_n(&waiter.got, __ATOMIC_SEQ_CST);
	range_unlock(&locks, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	range_locks_done(&locks);
	return waited;
}

static void test_range_lock_lets_readers_share(void **state)
{
	(void)state;
	assert_false(waits(false, false));
}

static void test_range_lock_keeps_writer_from_readers(void **state)
{
	(void)state;
	assert_true(waits(false, true));
	assert_true(waits(true, false));
}

static void test_range_lock_of_neighbours_does_not_wait(void **state)
{
	struct range_locks locks;

	(void)state;
	range_locks_init(&locks, 2);
	range_lock(&locks, 0, 0, 100, true);
	range_lock(&locks, 1, 100, 200, true);
	range_unlock(&locks, 0);
	range_unlock(&locks, 1);
	range_locks_done(&locks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volume_write_puts_sectors_where_the_header_says),
		cmocka_unit_test(test_volume_of_512_byte_sectors_is_like_an_array),
		cmocka_unit_test(test_volume_of_4096_byte_sectors_is_like_an_array),
		cmocka_unit_test(test_volume_largest_request_may_be_unaligned),
		cmocka_unit_test(test_volume_zero_writes_encrypted_zeroes),
		cmocka_unit_test(test_volume_read_is_cut_at_the_end),
		cmocka_unit_test(test_volume_write_refuses_what_goes_beyond_the_end),
		cmocka_unit_test(test_volume_refuses_requests_that_are_too_large),
		cmocka_unit_test(test_volume_read_of_a_source_that_shrank_fails),
		cmocka_unit_test(test_volume_on_a_source_that_refuses_reports_it),
		cmocka_unit_test(test_volume_refuses_no_lanes),
		cmocka_unit_test(test_volume_partial_writes_at_once_lose_nothing),
		cmocka_unit_test(test_range_lock_lets_readers_share),
		cmocka_unit_test(test_range_lock_keeps_writer_from_readers),
		cmocka_unit_test(test_range_lock_of_neighbours_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
