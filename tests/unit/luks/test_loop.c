/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

static char loop_path[64];

/* A loop device of 32 MiB, the smallest that coffer formats. */
static int loop_setup(void **state)
{
	_cleanup_file_ FILE *answer = NULL;

	loop_path[0] = '\0';
	if (folder_setup(state) != 0)
		return -1;
	(void)sparse_file("backing", 32 << 20);
	if (shell("losetup -f --show backing >device") != 0)
		return 0;
	answer = fopen(in_folder("device"), "re");
	if (!answer || !fgets(loop_path, sizeof(loop_path), answer))
		return -1;
	loop_path[strcspn(loop_path, "\n")] = '\0';
	return 0;
}

static int loop_teardown(void **state)
{
	/* A loop device that is read-only stays so for its next user. */
	(void)shell("test ! -s device || { blockdev --setrw \"$(cat device)\"; "
		    "losetup -d \"$(cat device)\"; }");
	return folder_teardown(state);
}

static void need_loop(void)
{
	if (loop_path[0])
		return;
	print_message("skipped: no loop device can be had here\n");
	skip();
}

static void format_loop(struct volume_key **ret_key)
{
	const struct luks_format_spec spec = { .subsystem = "coffer", .sector_bytes = 4096 };

	assert_ok(luks_format(loop_path, &spec, NULL, ret_key, NULL));
}

static void test_loop_is_formatted_and_opens(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;

	(void)state;
	need_loop();
	format_loop(&key);
	add_slot(loop_path, key, "secret");
	assert_int_equal(unlock(loop_path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(keys_equal(key, got));
}

static void test_loop_format_is_on_the_backing_file(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct luks_info on_loop;
	struct luks_info in_file;

	(void)state;
	need_loop();
	format_loop(&key);
	assert_int_equal(read_code(loop_path, &on_loop), COF_E_NONE);
	assert_int_equal(read_code(in_folder("backing"), &in_file), COF_E_NONE);
	assert_string_equal(on_loop.uuid, in_file.uuid);
}

/* The kernel keeps what it read of a loop device, whatever happens to the file below. */
static void test_change_below_a_loop_device_is_seen(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_fd_ int cached = -1;
	struct luks_info info;
	uint8_t block[4096];

	(void)state;
	need_loop();
	format_loop(&key);
	cached = open(loop_path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(cached, block, sizeof(block), 16384), sizeof(block));
	poke_zeroes(in_folder("backing"), 16384, 4096);
	assert_int_equal(pread(cached, block, sizeof(block), 16384), sizeof(block));
	assert_memory_equal(block, "SKUL", 4);
	assert_int_equal(read_code(loop_path, &info), COF_E_NONE);
	assert_true(info.second_damaged);
}

static void test_loop_held_by_another_is_busy(void **state)
{
	const struct luks_format_spec spec = { .sector_bytes = 4096 };
	int fd;

	(void)state;
	need_loop();
	fd = open(loop_path, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_fails(luks_format(loop_path, &spec, NULL, NULL, NULL), COF_E_BUSY);
	(void)close(fd);
}

static void test_loop_copy_is_of_the_present_header(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_buffer_ struct buffer before = { 0 };
	_cleanup_buffer_ struct buffer after = { 0 };

	(void)state;
	need_loop();
	format_loop(&key);
	assert_ok(luks_copy_header(loop_path, &before, NULL));
	add_slot(loop_path, key, "late");
	assert_ok(luks_copy_header(loop_path, &after, NULL));
	assert_ok(luks_write_header_copy(buffer_span(&after), in_folder("back"), NULL));
	assert_int_equal(unlock(in_folder("back"), "late", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
}

static void test_loop_read_only_is_read_but_not_formatted(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const struct luks_format_spec spec = { .sector_bytes = 4096 };

	(void)state;
	need_loop();
	format_loop(&key);
	add_slot(loop_path, key, "secret");
	assert_int_equal(shell("blockdev --setro \"$(cat device)\""), 0);
	assert_int_equal(unlock(loop_path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(cof_failed(luks_format(loop_path, &spec, NULL, NULL, NULL)));
	volume_key_freep(&got);
	assert_int_equal(unlock(loop_path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
}

static void test_loop_opens_for_cryptsetup(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	need_loop();
	format_loop(&key);
	add_slot(loop_path, key, "peer");
	assert_int_equal(shell("printf peer | cryptsetup open --test-passphrase -q --key-file - "
			       "\"$(cat device)\""),
			 0);
}

static void test_loop_format_refuses_sectors_less_than_its_own(void **state)
{
	const struct luks_format_spec small = { .sector_bytes = 2048 };
	const struct luks_format_spec equal = { .sector_bytes = 4096 };
	struct cof_error error = { 0 };

	(void)state;
	need_loop();
	if (shell("losetup --sector-size 4096 \"$(cat device)\"") != 0) {
		print_message("skipped: a loop device cannot have sectors of 4096 bytes here\n");
		skip();
	}
	assert_fails(luks_format(loop_path, &small, NULL, NULL, &error), COF_E_FAILED);
	assert_non_null(strstr(error.text, "its own of 4096"));
	assert_ok(luks_format(loop_path, &equal, NULL, NULL, NULL));
}

/* As a user of the device sees it: through the loop device, and in its backing file. */
static void test_loop_with_text_over_its_header_stays_so(void **state)
{
	static const char text[] = "SOMETHING ELSE LIVES HERE";
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	struct luks_info info;

	(void)state;
	need_loop();
	format_loop(&key);
	add_slot(loop_path, key, "secret");
	poke(loop_path, 0, text, sizeof(text));
	assert_int_equal(shell("sync && sha256sum backing \"$(cat device)\" >sums"), 0);
	assert_int_equal(read_code(loop_path, &info), COF_E_NONE);
	assert_true(info.first_damaged);
	assert_int_equal(unlock(loop_path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_ok(luks_verify(loop_path, NULL, got, NULL));
	assert_ok(luks_copy_header(loop_path, &copy, NULL));
	assert_int_equal(shell("sync && sha256sum -c sums"), 0);
}

#define loop_test(function) cmocka_unit_test_setup_teardown(function, loop_setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(test_loop_is_formatted_and_opens),
		loop_test(test_loop_format_is_on_the_backing_file),
		loop_test(test_change_below_a_loop_device_is_seen),
		loop_test(test_loop_held_by_another_is_busy),
		loop_test(test_loop_copy_is_of_the_present_header),
		loop_test(test_loop_read_only_is_read_but_not_formatted),
		loop_test(test_loop_opens_for_cryptsetup),
		loop_test(test_loop_format_refuses_sectors_less_than_its_own),
		loop_test(test_loop_with_text_over_its_header_stays_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
