/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stable names of volumes that are really opened.
 */

#include "rig.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "link.h"

/* The name of this test's volume: /dev/coffer is the machine's, and tests run side by side. */
static const char *own_name(void)
{
	static char name[32];

	(void)snprintf(name, sizeof(name), "link%d", (int)getpid());
	return name;
}

static const char *own_link(void)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "/dev/coffer/%s", own_name());
	return path;
}

static void open_own(struct rig *rig, const struct volume_key *key, struct engine_volume *volume)
{
	struct cof_error error = { 0 };

	if (cof_failed(engine_open(&rig->paths, rig->source, NULL, own_name(), key, false, volume,
				   &error)))
		fail_msg("%s: %s: %s", error.subject, error.text, error.cause);
}

static void end_own(struct rig *rig, struct volume_key *key)
{
	assert_ok(engine_close(&rig->paths, own_name(), NULL));
	rig_end(rig, key);
}

static dev_t number_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISBLK(status.st_mode));
	return status.st_rdev;
}

static void kill_engine(const struct engine_volume *volume)
{
	assert_int_equal(kill(volume->pid, SIGKILL), 0);
	for (int i = 0; i < 1000 && kill(volume->pid, 0) == 0; i++)
		(void)poll(NULL, 0, 10);
}

static void list(struct rig *rig, struct engine_volume *ret_volume)
{
	struct engine_volume *volumes = NULL;
	size_t count = 0;

	assert_ok(engine_list(&rig->paths, &volumes, &count, NULL));
	assert_int_equal(count, 1);
	*ret_volume = volumes[0];
	free(volumes);
}

static void test_link_leads_to_the_open_volume(void **state)
{
	struct engine_volume volume;
	struct engine_volume listed;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	open_own(&rig, key, &volume);
	assert_string_equal(volume.link, own_link());
	assert_int_equal(number_of(volume.link), number_of(volume.device));
	list(&rig, &listed);
	assert_string_equal(listed.link, own_link());
	end_own(&rig, key);
}

static void test_link_is_gone_after_the_close(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	open_own(&rig, key, &volume);
	assert_ok(engine_close(&rig.paths, own_name(), NULL));
	assert_false(path_exists(own_link()));
	end_own(&rig, key);
}

static void test_link_stays_when_the_close_is_refused(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char folder[96];

	(void)state;
	open_own(&rig, key, &volume);
	rig_mount(&rig, volume.link, folder);
	assert_fails(engine_close(&rig.paths, own_name(), NULL), COF_E_BUSY);
	assert_int_equal(number_of(own_link()), number_of(volume.device));
	assert_int_equal(umount(folder), 0);
	end_own(&rig, key);
}

static void test_link_of_a_name_that_is_taken_is_below_run(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char expected[128];
	int fd;

	(void)state;
	assert_ok(folder_make("/dev/coffer", 0755, NULL));
	fd = open(own_link(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	open_own(&rig, key, &volume);
	(void)snprintf(expected, sizeof(expected), "%s/run/coffer/disk/%s", rig.folder, own_name());
	assert_string_equal(volume.link, expected);
	assert_int_equal(number_of(volume.link), number_of(volume.device));
	assert_ok(engine_close(&rig.paths, own_name(), NULL));
	assert_false(path_exists(expected));
	assert_true(path_exists(own_link())); /* not ours, so it stays */
	assert_int_equal(unlink(own_link()), 0);
	end_own(&rig, key);
}

static void test_link_of_another_open_volume_is_left_alone(void **state)
{
	struct engine_volume first;
	struct engine_volume second;
	struct rig rig;
	struct rig other;
	struct volume_key *key = rig_luks(&rig, 4096);
	struct volume_key *other_key;

	(void)state;
	open_own(&rig, key, &first);
	other_key = rig_luks(&other, 4096);
	open_own(&other, other_key, &second);
	assert_int_equal(number_of(own_link()), number_of(first.device));
	assert_int_equal(number_of(second.link), number_of(second.device));
	end_own(&other, other_key);
	assert_int_equal(number_of(own_link()), number_of(first.device));
	rig_live = rig;
	end_own(&rig, key);
}

static void test_link_of_a_killed_engine_leads_to_no_other_loop_device(void **state)
{
	struct engine_volume volume;
	struct engine_volume listed;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char strange[LOOP_NAME_BYTES];
	char file[192];

	(void)state;
	open_own(&rig, key, &volume);
	kill_engine(&volume);
	(void)snprintf(file, sizeof(file), "%s/%s/plain", rig.engine_dir, own_name());
	assert_ok(loop_detach(volume.device, file, true, NULL));
	/* The next free number is the one that was given back. */
	assert_ok(loop_attach(rig.image, true, 512, strange, NULL));
	list(&rig, &listed);
	assert_string_equal(listed.link, "");
	assert_false(path_exists(own_link()));
	assert_ok(loop_detach(strange, rig.image, false, NULL));
	end_own(&rig, key);
}

static void test_link_that_is_stale_gives_way(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	assert_ok(folder_make("/dev/coffer", 0755, NULL));
	/* The image's loop device: somebody else's in the eyes of this volume. */
	assert_int_equal(symlink(rig.source, own_link()), 0);
	open_own(&rig, key, &volume);
	assert_string_equal(volume.link, own_link());
	assert_int_equal(number_of(own_link()), number_of(volume.device));
	end_own(&rig, key);
}

/* Takes the link away, as a command does that is killed before it makes it. */
static void test_link_that_is_missing_is_made_again(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);

	(void)state;
	open_own(&rig, key, &volume);
	assert_int_equal(unlink(own_link()), 0);
	assert_ok(engine_link(&rig.paths, own_name(), NULL));
	assert_int_equal(number_of(own_link()), number_of(volume.device));
	end_own(&rig, key);
	assert_false(path_exists(own_link()));
}

static void test_link_of_what_is_not_open_is_not_made(void **state)
{
	struct rig rig;

	(void)state;
	rig_need();
	rig_start(&rig);
	assert_ok(engine_link(&rig.paths, own_name(), NULL));
	assert_false(path_exists(own_link()));
	rig_stop(&rig);
}

static void test_link_close_killed_without_it_closes_again(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key;
	int status = 0;
	pid_t pid;

	(void)state;
#ifndef COF_FAULTS
	print_message("skipped: built without -Dfaults=true\n");
	skip();
#endif
	key = rig_luks(&rig, 4096);
	open_own(&rig, key, &volume);
	pid = fork();
	if (pid == 0) {
		(void)setenv("COFFER_FAULT", "kill:engine-close/unlinked", 1);
		cof_ignore(engine_close(&rig.paths, volume.name, NULL));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_false(path_exists(own_link()));
	(void)number_of(volume.device);
	end_own(&rig, key);
	assert_false(path_exists(own_link()));
}

#define LINK_TEST(function) cmocka_unit_test_teardown(function, rig_sweep)

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(test_link_leads_to_the_open_volume),
		LINK_TEST(test_link_is_gone_after_the_close),
		LINK_TEST(test_link_stays_when_the_close_is_refused),
		LINK_TEST(test_link_of_a_name_that_is_taken_is_below_run),
		LINK_TEST(test_link_of_another_open_volume_is_left_alone),
		LINK_TEST(test_link_of_a_killed_engine_leads_to_no_other_loop_device),
		LINK_TEST(test_link_that_is_stale_gives_way),
		LINK_TEST(test_link_that_is_missing_is_made_again),
		LINK_TEST(test_link_of_what_is_not_open_is_not_made),
		LINK_TEST(test_link_close_killed_without_it_closes_again),
	};
	int status;

	if (rig_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
