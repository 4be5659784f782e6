/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes that are really opened: FUSE, loop devices, a process for each.
 */

#include "rig.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>

static void test_engine_open_gives_a_block_device_of_the_sector_size(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	uint64_t size_bytes = 0;
	int sector_bytes = 0;
	int fd;

	(void)state;
	rig_open(&rig, key, false, &volume);
	fd = open(volume.device, O_RDONLY | O_CLOEXEC);
	assert_int_equal(ioctl(fd, BLKGETSIZE64, &size_bytes), 0);
	assert_int_equal(ioctl(fd, BLKSSZGET, &sector_bytes), 0);
	assert_int_equal(size_bytes, RIG_DATA_BYTES);
	assert_int_equal(sector_bytes, 4096);
	(void)close(fd);
	assert_string_equal(volume.name, "one");
	assert_string_equal(volume.source, rig.source);
	assert_false(volume.read_only);
	rig_end(&rig, key);
}

static void test_engine_keeps_what_was_written_over_a_close(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 512);
	static uint8_t text[MIB];
	static uint8_t bytes[MIB];

	(void)state;
	rig_noise(text, MIB, 1);
	rig_open(&rig, key, false, &volume);
	rig_write(volume.device, MIB, text, MIB);
	rig_close(&rig);
	rig_read(rig.source, 17 * MIB, bytes, MIB);
	assert_memory_not_equal(bytes, text, MIB);
	rig_open(&rig, key, false, &volume);
	rig_read(volume.device, MIB, bytes, MIB);
	assert_memory_equal(bytes, text, MIB);
	rig_end(&rig, key);
}

static void test_engine_close_leaves_nothing(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char path[160];
	bool found = true;
	char device[LOOP_NAME_BYTES];

	(void)state;
	rig_open(&rig, key, false, &volume);
	rig_close(&rig);
	(void)snprintf(path, sizeof(path), "%s/one", rig.engine_dir);
	assert_false(path_exists(path));
	(void)snprintf(path, sizeof(path), "%s/one.lock", rig.engine_dir);
	assert_false(path_exists(path));
	(void)snprintf(path, sizeof(path), "%s/one/plain", rig.engine_dir);
	assert_ok(loop_find(path, device, &found, NULL));
	assert_false(found);
	for (int i = 0; i < 200 && kill(volume.pid, 0) == 0; i++)
		(void)poll(NULL, 0, 10);
	assert_int_equal(kill(volume.pid, 0), -1);
	rig_end(&rig, key);
}

static void test_engine_close_of_what_is_not_open_is_success(void **state)
{
	struct rig rig;

	(void)state;
	rig_start(&rig);
	assert_ok(engine_close(&rig.paths, "one", NULL));
	assert_false(path_exists(rig.engine_dir));
	rig_stop(&rig);
}

static void test_engine_open_refuses_a_name_that_is_open(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	rig_open(&rig, key, false, &volume);
	assert_fails(engine_open(&rig.paths, rig.source, NULL, "one", key, false, &volume, NULL),
		     COF_E_BUSY);
	rig_end(&rig, key);
}

static void test_engine_open_refuses_a_source_that_is_open(void **state)
{
	struct engine_volume volume;
	struct cof_error error = { 0 };
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char path[160];

	(void)state;
	rig_open(&rig, key, false, &volume);
	assert_fails(engine_open(&rig.paths, rig.source, NULL, "two", key, false, &volume,
				 &error),
		     COF_E_BUSY);
	assert_string_equal(error.subject, rig.source);
	/* Nothing of the attempt is left. */
	(void)snprintf(path, sizeof(path), "%s/two", rig.engine_dir);
	assert_false(path_exists(path));
	(void)snprintf(path, sizeof(path), "%s/two.lock", rig.engine_dir);
	assert_false(path_exists(path));
	rig_end(&rig, key);
}

static void test_engine_holds_its_source_exclusively(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	rig_open(&rig, key, false, &volume);
	/* What the kernel does for a mount, a mapping or an array. */
	assert_int_equal(open(rig.source, O_RDONLY | O_EXCL | O_CLOEXEC), -1);
	rig_end(&rig, key);
}

static void test_engine_open_refuses_a_wrong_key(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	struct volume_key *other = NULL;

	(void)state;
	assert_ok(volume_key_random(64, &other, NULL));
	assert_fails(engine_open(&rig.paths, rig.source, NULL, "one", other, false, &volume,
				 NULL),
		     COF_E_KEY);
	volume_key_free(other);
	rig_end(&rig, key);
}

/* With the key from the vault the data can still be reached. */
static void test_engine_opens_a_device_whose_keyslots_are_gone(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	assert_ok(luks_slot_remove(rig.source, NULL, 0, NULL));
	rig_open(&rig, key, false, &volume);
	rig_end(&rig, key);
}

static void test_engine_open_refuses_a_regular_file(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	assert_fails(engine_open(&rig.paths, rig.image, NULL, "one", key, false, &volume, NULL),
		     COF_E_USAGE);
	rig_end(&rig, key);
}

static void test_engine_open_refuses_what_is_not_there(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	assert_fails(engine_open(&rig.paths, "/dev/coffer-none", NULL, "one", key, false,
				 &volume, NULL),
		     COF_E_NOENT);
	rig_end(&rig, key);
}

static void test_engine_open_refuses_a_device_without_header(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	static const uint8_t zeroes[MIB];

	(void)state;
	for (uint64_t place = 0; place < 16; place++)
		rig_write(rig.source, place * MIB, zeroes, MIB);
	assert_fails(engine_open(&rig.paths, rig.source, NULL, "one", key, false, &volume, NULL),
		     COF_E_FORMAT);
	rig_end(&rig, key);
}

static void test_engine_open_refuses_unfinished_reencryption(void **state)
{
	struct engine_volume volume;
	struct cof_error error = { 0 };
	struct rig rig;
	struct volume_key *key = NULL;
	char key_file[96];
	const char *const begin[] = { "cryptsetup", "reencrypt", "-q", "--encrypt", "--init-only",
				      "--type", "luks2", "--header", rig.header, "--pbkdf",
				      "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file",
				      key_file, rig.image, NULL };
	int fd;

	(void)state;
	rig_need();
	rig_start(&rig);
	rig_image(&rig, RIG_DATA_BYTES);
	(void)snprintf(key_file, sizeof(key_file), "%s/key", rig.folder);
	assert_ok(file_create(key_file, span_of_text("secret"), 0600, NULL));
	fd = open(rig.header, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 16 * MIB), 0);
	(void)close(fd);
	rig_run(begin);
	rig_attach(&rig);
	assert_ok(volume_key_random(64, &key, NULL));
	assert_fails(engine_open(&rig.paths, rig.source, rig.header, "one", key, false, &volume,
				 &error),
		     COF_E_UNSUPPORTED);
	assert_non_null(strstr(error.text, "re-encryption"));
	rig_end(&rig, key);
}

static void test_engine_read_only_volume_cannot_be_written(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char path[160];
	int read_only = 0;
	int fd;

	(void)state;
	rig_open(&rig, key, true, &volume);
	assert_true(volume.read_only);
	fd = open(volume.device, O_RDONLY | O_CLOEXEC);
	assert_int_equal(ioctl(fd, BLKROGET, &read_only), 0);
	assert_int_equal(read_only, 1);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/one/plain", rig.engine_dir);
	assert_int_equal(open(path, O_WRONLY | O_CLOEXEC), -1);
	rig_end(&rig, key);
}

static void test_engine_close_refuses_while_mounted_and_says_where(void **state)
{
	struct engine_volume volume;
	struct cof_error error = { 0 };
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char folder[96];
	char path[128];

	(void)state;
	rig_open(&rig, key, false, &volume);
	rig_mount(&rig, volume.device, folder);
	assert_fails(engine_close(&rig.paths, "one", &error), COF_E_BUSY);
	assert_non_null(strstr(error.text, folder));
	assert_non_null(strstr(error.remedy, "umount"));
	/* And it still works. */
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	assert_ok(file_create(path, span_of_text("text"), 0600, NULL));
	assert_int_equal(umount(folder), 0);
	rig_end(&rig, key);
}

static void test_engine_close_refuses_while_held_and_says_by_whom(void **state)
{
	struct engine_volume volume;
	struct cof_error error = { 0 };
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char pid[32];
	int fd;

	(void)state;
	rig_open(&rig, key, false, &volume);
	fd = open(volume.device, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_fails(engine_close(&rig.paths, "one", &error), COF_E_BUSY);
	(void)snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
	assert_non_null(strstr(error.text, pid));
	(void)close(fd);
	rig_end(&rig, key);
}

static void test_engine_lists_what_is_open(void **state)
{
	struct engine_volume volume;
	struct engine_volume *volumes = NULL;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	size_t count = 0;

	(void)state;
	rig_open(&rig, key, true, &volume);
	assert_ok(engine_list(&rig.paths, &volumes, &count, NULL));
	assert_int_equal(count, 1);
	assert_string_equal(volumes[0].name, "one");
	assert_string_equal(volumes[0].uuid, volume.uuid);
	assert_string_equal(volumes[0].source, rig.source);
	assert_string_equal(volumes[0].device, volume.device);
	assert_int_equal(volumes[0].sector_bytes, 4096);
	assert_int_equal(volumes[0].pid, volume.pid);
	assert_true(volumes[0].read_only);
	free(volumes);
	rig_end(&rig, key);
}

static void test_engine_process_is_not_ended_by_sigterm(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	uint8_t bytes[512];

	(void)state;
	rig_open(&rig, key, false, &volume);
	assert_int_equal(kill(volume.pid, SIGTERM), 0);
	assert_int_equal(kill(volume.pid, SIGHUP), 0);
	(void)poll(NULL, 0, 50);
	rig_read(volume.device, 0, bytes, sizeof(bytes));
	rig_end(&rig, key);
}

/* Whether a file in /proc holds the bytes. */
static bool proc_has(int pid, const char *name, struct span bytes)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	assert_ok(file_read(path, MIB, &content, NULL));
	return memmem(content.data, content.len, bytes.data, bytes.len) != NULL;
}

static void test_engine_process_tells_its_name_and_not_its_key(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char title[192];
	char hex[2 * 8 + 1];
	const uint8_t *bytes = volume_key_span(key).data;

	(void)state;
	rig_open(&rig, key, false, &volume);
	(void)snprintf(title, sizeof(title), "coffer-engine one %s", rig.source);
	assert_true(proc_has(volume.pid, "cmdline", span_of_text(title)));
	for (size_t i = 0; i < 8; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	assert_false(proc_has(volume.pid, "cmdline", SPAN(bytes, 8)));
	assert_false(proc_has(volume.pid, "cmdline", span_of_text(hex)));
	assert_false(proc_has(volume.pid, "environ", SPAN(bytes, 8)));
	assert_false(proc_has(volume.pid, "environ", span_of_text(hex)));
	rig_end(&rig, key);
}

static void test_engine_write_zeroes_reads_back_as_zeroes(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	static uint8_t text[MIB];
	static const uint8_t zeroes[MIB];
	uint64_t range[2] = { 0, MIB };
	int fd;

	(void)state;
	rig_open(&rig, key, false, &volume);
	rig_noise(text, MIB, 7);
	rig_write(volume.device, 0, text, MIB);
	fd = open(volume.device, O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(fd, BLKZEROOUT, range), 0);
	(void)close(fd);
	rig_read(volume.device, 0, text, MIB);
	assert_memory_equal(text, zeroes, MIB);
	/* On the source they look like anything else. */
	rig_read(rig.source, 16 * MIB, text, MIB);
	assert_memory_not_equal(text, zeroes, 4096);
	rig_end(&rig, key);
}

/* The kernel zeroes with a hole when it may: that must give zeroes or be refused, never noise. */
static void test_engine_hole_is_never_noise(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	static uint8_t text[MIB];
	static uint8_t bytes[MIB];
	int fd;

	(void)state;
	rig_open(&rig, key, false, &volume);
	rig_noise(text, MIB, 7);
	rig_write(volume.device, 0, text, MIB);
	fd = open(volume.device, O_RDWR | O_CLOEXEC);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MIB) == 0)
		memset(text, 0, MIB);
	(void)close(fd);
	rig_read(volume.device, 0, bytes, MIB);
	assert_memory_equal(bytes, text, MIB);
	rig_end(&rig, key);
}

static void test_engine_file_takes_bytes_at_any_place(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	static uint8_t text[3 * 4096];
	static uint8_t bytes[3 * 4096];
	char path[160];

	(void)state;
	rig_open(&rig, key, false, &volume);
	(void)snprintf(path, sizeof(path), "%s/one/plain", rig.engine_dir);
	rig_noise(text, sizeof(text), 8);
	rig_write(path, 0, text, sizeof(text));
	memset(text + 4000, 0xee, 5000);
	rig_write(path, 4000, text + 4000, 5000);
	rig_read(volume.device, 0, bytes, sizeof(bytes));
	assert_memory_equal(bytes, text, sizeof(text));
	rig_end(&rig, key);
}

static void test_engine_open_refuses_a_name_that_leaves_its_folder(void **state)
{
	struct engine_volume volume;
	struct volume_key *key = NULL;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	assert_ok(volume_key_random(64, &key, NULL));
	assert_fails(engine_open(&rig.paths, "/dev/null", NULL, "../one", key, false, &volume,
				 NULL),
		     COF_E_USAGE);
	assert_fails(engine_close(&rig.paths, "../one", NULL), COF_E_USAGE);
	rig_end(&rig, key);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_engine_open_gives_a_block_device_of_the_sector_size,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_keeps_what_was_written_over_a_close,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_close_leaves_nothing, rig_sweep),
		cmocka_unit_test_teardown(test_engine_close_of_what_is_not_open_is_success,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_a_name_that_is_open, rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_a_source_that_is_open,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_holds_its_source_exclusively, rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_a_wrong_key, rig_sweep),
		cmocka_unit_test_teardown(test_engine_opens_a_device_whose_keyslots_are_gone,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_a_regular_file, rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_what_is_not_there, rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_a_device_without_header,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_unfinished_reencryption,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_read_only_volume_cannot_be_written,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_close_refuses_while_mounted_and_says_where,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_close_refuses_while_held_and_says_by_whom,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_lists_what_is_open, rig_sweep),
		cmocka_unit_test_teardown(test_engine_process_is_not_ended_by_sigterm, rig_sweep),
		cmocka_unit_test_teardown(test_engine_process_tells_its_name_and_not_its_key,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_write_zeroes_reads_back_as_zeroes,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_hole_is_never_noise, rig_sweep),
		cmocka_unit_test_teardown(test_engine_file_takes_bytes_at_any_place, rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_refuses_a_name_that_leaves_its_folder,
					  rig_sweep),
	};
	int status;

	if (rig_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
