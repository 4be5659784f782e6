/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_LUKS_TEST_H
#define COF_TESTS_LUKS_TEST_H

/*
 * What the LUKS tests share: a folder of their own, headers in files, and cryptsetup as the peer.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "kdf.h"
#include "luks.h"
#include "unit.h"

static char test_folder[64];
static char test_path_room[8][160];
static unsigned int test_paths;

/* A path in the test's folder; eight of them are valid at a time. */
static inline const char *in_folder(const char *name)
{
	char *path = test_path_room[test_paths++ % 8];

	(void)snprintf(path, sizeof(test_path_room[0]), "%s/%s", test_folder, name);
	return path;
}

static inline int folder_setup(void **state)
{
	(void)state;
	(void)snprintf(test_folder, sizeof(test_folder), "/tmp/coffer-luks-XXXXXX");
	return mkdtemp(test_folder) ? 0 : -1;
}

static inline int folder_teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", test_folder);
	return system(command);
}

/* A test with a folder of its own. */
#define folder_test(function)                                                                      \
	cmocka_unit_test_setup_teardown(function, folder_setup, folder_teardown)

/* Runs a shell command in the test's folder; returns its exit status, with output hidden. */
static inline int shell(const char *command)
{
	char line[1024];
	int status;

	(void)snprintf(line, sizeof(line), "cd '%s' && { %s; } >shell.out 2>&1", test_folder,
		       command);
	status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A sparse file of that size. */
static inline const char *sparse_file(const char *name, uint64_t bytes)
{
	const char *path = in_folder(name);
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	(void)close(fd);
	return path;
}

/* A file with a fresh header that has no keyslot, and its volume key: a vault's or a disk's. */
static inline const char *new_header_of(const char *name, bool of_vault,
					struct volume_key **ret_key)
{
	const char *path = sparse_file(name, luks_header_file_bytes());
	struct luks_format_spec spec = {
		.label = "label",
		.subsystem = "coffer",
		.sector_bytes = 4096,
		.header_only = of_vault,
	};

	assert_ok(luks_format(path, &spec, NULL, ret_key, NULL));
	return path;
}

/* A disk's, with metadata of LUKS2's usual size. */
static inline const char *new_header(const char *name, struct volume_key **ret_key)
{
	return new_header_of(name, false, ret_key);
}

static inline struct slot_secret *secret_of(const char *text)
{
	struct slot_secret *secret = NULL;

	assert_ok(slot_secret_copy(span_of_text(text), &secret, NULL));
	return secret;
}

/* Adds a cheap keyslot opened by @text; returns its number. */
static inline int add_slot(const char *path, const struct volume_key *key, const char *text)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of(text);
	int slot = -1;

	assert_ok(luks_slot_add(path, NULL, key, secret, LUKS_COST_RANDOM_KEY, &slot, NULL));
	return slot;
}

/* Unlocks with @text and returns the code; @ret_slot may be NULL. */
static inline enum cof_code unlock(const char *path, const char *text, int slot,
				   struct volume_key **ret_key, int *ret_slot)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of(text);

	return luks_unlock(path, NULL, secret, slot, ret_key, ret_slot, NULL).code;
}

static inline bool keys_equal(const struct volume_key *a, const struct volume_key *b)
{
	return ct_equal(volume_key_span(a), volume_key_span(b));
}

/* The code that luks_read() gives; @info may be NULL. */
static inline enum cof_code read_code(const char *path, struct luks_info *info)
{
	struct luks_info unused;

	return luks_read(path, NULL, info ? info : &unused, NULL).code;
}

/* Overwrites bytes of a file. */
static inline void poke(const char *path, uint64_t offset, const void *bytes, size_t len)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), (ssize_t)len);
	(void)close(fd);
}

/* The same with @len zeroes. */
static inline void poke_zeroes(const char *path, uint64_t offset, size_t len)
{
	uint8_t *zeroes = calloc(1, len);

	assert_non_null(zeroes);
	poke(path, offset, zeroes, len);
	free(zeroes);
}

/*
 * Replaces the first @from in the JSON area of both header copies by @to, which is as long, and
 * makes the checksums right again.
 */
static inline void edit_header(const char *path, const char *from, const char *to)
{
	uint8_t area[16384];
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(strlen(from), strlen(to));
	for (off_t at = 0; at <= 16384; at += 16384) {
		char *found;

		assert_int_equal(pread(fd, area, sizeof(area), at), sizeof(area));
		found = strstr((char *)area + 4096, from);
		assert_non_null(found);
		memcpy(found, to, strlen(to));
		memset(area + 448, 0, 64);
		assert_ok(sha256(SPAN(area, sizeof(area)), area + 448, NULL));
		assert_int_equal(pwrite(fd, area, sizeof(area), at), sizeof(area));
	}
	(void)close(fd);
}

#endif
