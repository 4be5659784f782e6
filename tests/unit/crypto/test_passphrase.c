/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forked.h"

#include <stdio.h>
#include <sys/stat.h>

#include "file.h"
#include "passphrase.h"

/* A folder of this test's own, and a file in it. */
struct place {
	char folder[64];
	char file[96];
};

static int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	(void)snprintf(place->folder, sizeof(place->folder), "/tmp/coffer-test-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	(void)snprintf(place->file, sizeof(place->file), "%s/file", place->folder);
	*state = place;
	return 0;
}

static int place_teardown(void **state)
{
	struct place *place = *state;

	(void)unlink(place->file);
	(void)rmdir(place->folder);
	free(place);
	return 0;
}

static void put(const char *path, const void *content, size_t len)
{
	assert_ok(file_create(path, SPAN(content, len), 0600, NULL));
}

static void put_bytes(const char *path, uint8_t byte, size_t len)
{
	_cleanup_free_ uint8_t *content = malloc(len);

	assert_non_null(content);
	memset(content, byte, len);
	put(path, content, len);
}

static void assert_reads(const char *path, const char *expected)
{
	_cleanup_(slot_secret_freep) struct slot_secret *read = NULL;

	assert_ok(passphrase_read(path, &read, NULL));
	assert_int_equal(read->secret.len, strlen(expected));
	assert_memory_equal(read->secret.data, expected, strlen(expected));
}

static void assert_read_fails(const char *path, enum cof_code code, const char *expected)
{
	struct slot_secret *read = NULL;
	struct cof_error err = { 0 };

	assert_fails(passphrase_read(path, &read, &err), code);
	assert_null(read);
	if (!strstr(err.text, expected))
		fail_msg("\"%s\" is not in: %s", expected, err.text);
}

/* Standard input while a test has put a pipe in its place. */
struct stdin_pipe {
	int saved, write_end;
};

static void stdin_pipe_init(struct stdin_pipe *input)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	input->saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(close(ends[0]), 0);
	input->write_end = ends[1];
}

static void stdin_pipe_done(struct stdin_pipe *input)
{
	if (input->write_end >= 0)
		(void)close(input->write_end);
	(void)close(STDIN_FILENO);
	if (input->saved >= 0) {
		(void)dup2(input->saved, STDIN_FILENO);
		(void)close(input->saved);
	}
}

static void stdin_pipe_put(struct stdin_pipe *input, const char *text)
{
	assert_int_equal(write(input->write_end, text, strlen(text)), strlen(text));
}

/* Nobody writes any more. */
static void stdin_pipe_end(struct stdin_pipe *input)
{
	assert_int_equal(close(TAKE_FD(input->write_end)), 0);
}

/* ---- passphrase_read ---- */

static void test_passphrase_read_leaves_out_the_newline(void **state)
{
	const struct place *place = *state;

	put(place->file, "with blanks \n", 13);
	assert_reads(place->file, "with blanks ");
}

static void test_passphrase_read_needs_no_newline(void **state)
{
	const struct place *place = *state;

	put(place->file, "bare", 4);
	assert_reads(place->file, "bare");
}

static void test_passphrase_read_takes_the_first_line_alone(void **state)
{
	const struct place *place = *state;

	put(place->file, "first\nsecond\n", 13);
	assert_reads(place->file, "first");
}

static void test_passphrase_read_keeps_nul_bytes(void **state)
{
	const struct place *place = *state;
	_cleanup_(slot_secret_freep) struct slot_secret *read = NULL;

	put(place->file, "a\0b\n", 4);
	assert_ok(passphrase_read(place->file, &read, NULL));
	assert_int_equal(read->secret.len, 3);
	assert_memory_equal(read->secret.data, "a\0b", 3);
}

static void test_passphrase_read_takes_the_longest(void **state)
{
	const struct place *place = *state;
	char expected[PASSPHRASE_MAX_BYTES + 1] = { 0 };

	memset(expected, 'x', PASSPHRASE_MAX_BYTES);
	put_bytes(place->file, 'x', PASSPHRASE_MAX_BYTES);
	assert_reads(place->file, expected);
}

static void test_passphrase_read_refuses_one_byte_more(void **state)
{
	const struct place *place = *state;

	put_bytes(place->file, 'x', PASSPHRASE_MAX_BYTES + 1);
	assert_read_fails(place->file, COF_E_USAGE, "longer than 512 bytes");
}

static void test_passphrase_read_refuses_endless_line(void **state)
{
	assert_read_fails("/dev/zero", COF_E_USAGE, "longer than 512 bytes");
}

static void test_passphrase_read_refuses_empty_file(void **state)
{
	assert_read_fails("/dev/null", COF_E_USAGE, "empty");
}

static void test_passphrase_read_refuses_empty_first_line(void **state)
{
	const struct place *place = *state;

	put(place->file, "\nsecond\n", 8);
	assert_read_fails(place->file, COF_E_USAGE, "empty");
}

static void test_passphrase_read_without_file_is_noent(void **state)
{
	const struct place *place = *state;

	assert_read_fails(place->file, COF_E_NOENT, "cannot be opened");
}

static void test_passphrase_read_of_folder_is_io(void **state)
{
	const struct place *place = *state;

	assert_read_fails(place->folder, COF_E_IO, "cannot be read");
}

static void test_passphrase_read_of_stdin_leaves_the_next_line(void **state)
{
	_cleanup_(stdin_pipe_done) struct stdin_pipe input;

	stdin_pipe_init(&input);
	stdin_pipe_put(&input, "old one\nnew one\n");
	assert_reads("-", "old one");
	assert_reads("-", "new one");
	stdin_pipe_end(&input);
	assert_read_fails("-", COF_E_USAGE, "empty");
}

static void test_passphrase_read_of_closed_stdin_is_io(void **state)
{
	_cleanup_(stdin_pipe_done) struct stdin_pipe input;

	stdin_pipe_init(&input);
	assert_int_equal(close(STDIN_FILENO), 0);
	assert_read_fails("-", COF_E_IO, "cannot be opened");
}

/* ---- passphrase_from_credential ---- */

static void assert_no_credential(const char *name)
{
	struct slot_secret *read = NULL;
	bool found = true;

	assert_ok(passphrase_from_credential(name, &read, &found, NULL));
	assert_false(found);
	assert_null(read);
}

static void test_passphrase_from_credential_reads_the_first_line(void **state)
{
	const struct place *place = *state;
	_cleanup_(slot_secret_freep) struct slot_secret *read = NULL;
	bool found = false;

	put(place->file, "from systemd\n", 13);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", place->folder, 1), 0);
	assert_ok(passphrase_from_credential("file", &read, &found, NULL));
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_true(found);
	assert_int_equal(read->secret.len, 12);
	assert_memory_equal(read->secret.data, "from systemd", 12);
}

static void test_passphrase_from_credential_without_folder_finds_none(void **state)
{
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_no_credential("coffer.passphrase");
}

static void test_passphrase_from_credential_without_file_finds_none(void **state)
{
	const struct place *place = *state;

	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", place->folder, 1), 0);
	assert_no_credential("coffer.passphrase");
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void test_passphrase_from_credential_refuses_empty_one(void **state)
{
	const struct place *place = *state;
	struct slot_secret *read = NULL;
	bool found;

	put(place->file, "\n", 1);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", place->folder, 1), 0);
	assert_fails(passphrase_from_credential("file", &read, &found, NULL), COF_E_USAGE);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void test_passphrase_from_credential_refuses_paths(void **state)
{
	static const char *const names[] = { "", ".", "..", "../etc/passwd", "a/b", "/etc/passwd" };
	struct slot_secret *read = NULL;
	bool found;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_fails(passphrase_from_credential(names[i], &read, &found, NULL),
			     COF_E_USAGE);
}

/* ---- key files ---- */

/* The file's key is @len times @byte. */
static void assert_keyfile(const char *path, uint8_t byte, size_t len)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;

	assert_ok(keyfile_read(path, &key, NULL));
	assert_int_equal(key->secret.len, len);
	for (size_t i = 0; i < len; i++) {
		if (key->secret.data[i] != byte)
			fail_msg("byte %zu of %zu is %u", i, len, key->secret.data[i]);
	}
}

static void assert_keyfile_fails(const char *path, enum cof_code code, const char *expected)
{
	struct slot_secret *key = NULL;
	struct cof_error err = { 0 };

	assert_fails(keyfile_read(path, &key, &err), code);
	assert_null(key);
	if (!strstr(err.text, expected))
		fail_msg("\"%s\" is not in: %s", expected, err.text);
}

static void test_keyfile_read_keeps_newlines(void **state)
{
	const struct place *place = *state;

	put_bytes(place->file, '\n', 3);
	assert_keyfile(place->file, '\n', 3);
}

static void test_keyfile_read_takes_the_longest(void **state)
{
	const struct place *place = *state;

	put_bytes(place->file, 'k', KEYFILE_MAX_BYTES);
	assert_keyfile(place->file, 'k', KEYFILE_MAX_BYTES);
}

static void test_keyfile_read_refuses_one_byte_more(void **state)
{
	const struct place *place = *state;

	put_bytes(place->file, 'k', KEYFILE_MAX_BYTES + 1);
	assert_keyfile_fails(place->file, COF_E_USAGE, "longer than 8388608 bytes");
}

static void test_keyfile_read_refuses_endless_file(void **state)
{
	assert_keyfile_fails("/dev/zero", COF_E_USAGE, "longer than 8388608 bytes");
}

static void test_keyfile_read_refuses_empty_file(void **state)
{
	assert_keyfile_fails("/dev/null", COF_E_USAGE, "empty");
}

static void test_keyfile_read_without_file_is_noent(void **state)
{
	const struct place *place = *state;

	assert_keyfile_fails(place->file, COF_E_NOENT, "cannot be opened");
}

static void test_keyfile_read_of_folder_is_io(void **state)
{
	const struct place *place = *state;

	assert_keyfile_fails(place->folder, COF_E_IO, "cannot be read");
}

/* Lengths around those at which the room for it has to grow. */
static void test_keyfile_read_of_stdin_reads_to_the_end(void **state)
{
	static const size_t lengths[] = { 1, 4095, 4096, 4097, 8192, 8193, 50000 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		_cleanup_(stdin_pipe_done) struct stdin_pipe input;
		_cleanup_free_ char *text = calloc(1, lengths[i] + 1);

		assert_non_null(text);
		memset(text, 'p', lengths[i]);
		stdin_pipe_init(&input);
		stdin_pipe_put(&input, text);
		stdin_pipe_end(&input);
		assert_keyfile("-", 'p', lengths[i]);
	}
}

static void test_keyfile_write_adds_the_end(void **state)
{
	const struct place *place = *state;
	_cleanup_buffer_ struct buffer content = { 0 };

	assert_ok(keyfile_write(place->file, span_of_text("key"), "\n", NULL));
	assert_ok(file_read(place->file, 100, &content, NULL));
	assert_int_equal(content.len, 4);
	assert_memory_equal(content.data, "key\n", 4);
}

static void test_keyfile_write_is_for_the_owner_alone(void **state)
{
	const struct place *place = *state;
	struct stat info;
	mode_t old_mask = umask(0);

	assert_ok(keyfile_write(place->file, span_of_text("key"), "", NULL));
	(void)umask(old_mask);
	assert_int_equal(stat(place->file, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(info.st_size, 3);
}

static void test_keyfile_write_refuses_existing_file(void **state)
{
	const struct place *place = *state;

	put(place->file, "old", 3);
	assert_fails(keyfile_write(place->file, span_of_text("key"), "", NULL), COF_E_REFUSED);
	assert_reads(place->file, "old");
}

static void test_keyfile_write_without_folder_is_noent(void **state)
{
	assert_fails(keyfile_write("/nonexistent/folder/key", span_of_text("key"), "", NULL),
		     COF_E_NOENT);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(test_passphrase_read_leaves_out_the_newline),
		IN_PLACE(test_passphrase_read_needs_no_newline),
		IN_PLACE(test_passphrase_read_takes_the_first_line_alone),
		IN_PLACE(test_passphrase_read_keeps_nul_bytes),
		IN_PLACE(test_passphrase_read_takes_the_longest),
		IN_PLACE(test_passphrase_read_refuses_one_byte_more),
		cmocka_unit_test(test_passphrase_read_refuses_endless_line),
		cmocka_unit_test(test_passphrase_read_refuses_empty_file),
		IN_PLACE(test_passphrase_read_refuses_empty_first_line),
		IN_PLACE(test_passphrase_read_without_file_is_noent),
		IN_PLACE(test_passphrase_read_of_folder_is_io),
		cmocka_unit_test(test_passphrase_read_of_stdin_leaves_the_next_line),
		cmocka_unit_test(test_passphrase_read_of_closed_stdin_is_io),
		IN_PLACE(test_passphrase_from_credential_reads_the_first_line),
		cmocka_unit_test(test_passphrase_from_credential_without_folder_finds_none),
		IN_PLACE(test_passphrase_from_credential_without_file_finds_none),
		IN_PLACE(test_passphrase_from_credential_refuses_empty_one),
		cmocka_unit_test(test_passphrase_from_credential_refuses_paths),
		IN_PLACE(test_keyfile_read_keeps_newlines),
		IN_PLACE(test_keyfile_read_takes_the_longest),
		IN_PLACE(test_keyfile_read_refuses_one_byte_more),
		cmocka_unit_test(test_keyfile_read_refuses_endless_file),
		cmocka_unit_test(test_keyfile_read_refuses_empty_file),
		IN_PLACE(test_keyfile_read_without_file_is_noent),
		IN_PLACE(test_keyfile_read_of_folder_is_io),
		cmocka_unit_test(test_keyfile_read_of_stdin_reads_to_the_end),
		IN_PLACE(test_keyfile_write_adds_the_end),
		IN_PLACE(test_keyfile_write_is_for_the_owner_alone),
		IN_PLACE(test_keyfile_write_refuses_existing_file),
		cmocka_unit_test(test_keyfile_write_without_folder_is_noent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
