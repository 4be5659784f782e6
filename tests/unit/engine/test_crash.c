/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Engines that are killed, and commands that are killed while they open or close a volume.
 */

#include "rig.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static void kill_engine(const struct engine_volume *volume)
{
	assert_int_equal(kill(volume->pid, SIGKILL), 0);
	/* A process that is init's child now; gone when there is nobody to send a signal to. */
	for (int i = 0; i < 1000 && kill(volume->pid, 0) == 0; i++)
		(void)poll(NULL, 0, 10);
}

static void test_engine_killed_loses_nothing_that_was_flushed(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	static uint8_t text[MIB];
	static uint8_t bytes[MIB];

	(void)state;
	rig_noise(text, MIB, 5);
	rig_open(&rig, key, false, &volume);
	rig_write(volume.device, 0, text, MIB);
	kill_engine(&volume);
	/* Opened again without a close in between. */
	rig_open(&rig, key, false, &volume);
	rig_read(volume.device, 0, bytes, MIB);
	assert_memory_equal(bytes, text, MIB);
	rig_end(&rig, key);
}

static void test_engine_killed_is_listed_without_process_and_closed(void **state)
{
	struct engine_volume volume;
	struct engine_volume *volumes = NULL;
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	size_t count = 0;

	(void)state;
	rig_open(&rig, key, false, &volume);
	kill_engine(&volume);
	assert_ok(engine_list(&rig.paths, &volumes, &count, NULL));
	assert_int_equal(count, 1);
	assert_int_equal(volumes[0].pid, 0);
	free(volumes);
	rig_close(&rig);
	assert_ok(engine_list(&rig.paths, &volumes, &count, NULL));
	assert_int_equal(count, 0);
	free(volumes);
	rig_end(&rig, key);
}

static void test_engine_killed_under_a_mount_is_not_opened_over_it(void **state)
{
	struct engine_volume volume;
	struct cof_error error = { 0 };
	struct rig rig;
	struct volume_key *key = rig_luks(&rig, 4096);
	char folder[96];

	(void)state;
	rig_open(&rig, key, false, &volume);
	rig_mount(&rig, volume.device, folder);
	kill_engine(&volume);
	assert_fails(engine_open(&rig.paths, rig.source, NULL, "one", key, false, &volume,
				 &error),
		     COF_E_BUSY);
	assert_non_null(strstr(error.text, folder));
	assert_int_equal(umount(folder), 0);
	rig_open(&rig, key, false, &volume);
	rig_end(&rig, key);
}

/* Opens with the passphrase of the keyslot: a child does not inherit its parent's keys. */
static cof_result open_anew(struct rig *rig, struct cof_error *err)
{
	struct engine_volume volume;
	struct slot_secret *secret = NULL;
	struct volume_key *key = NULL;

	TRY(slot_secret_copy(span_of_text("secret"), &secret, err));
	TRY(luks_unlock(rig->source, NULL, secret, LUKS_ANY_SLOT, &key, NULL, err));
	return engine_open(&rig->paths, rig->source, NULL, "one", key, false, &volume, err);
}

/* Opens or closes in a child that is killed at this point; whether it was. */
static bool killed_at(struct rig *rig, const char *fault)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)setenv("COFFER_FAULT", fault, 1);
		cof_ignore(strstr(fault, "engine-open") ? open_anew(rig, NULL) :
							  engine_close(&rig->paths, "one", NULL));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void need_faults(void)
{
#ifndef COF_FAULTS
	print_message("skipped: built without -Dfaults=true\n");
	skip();
#endif
}

static void test_engine_open_killed_on_the_way_opens_again(void **state)
{
	static const char *const faults[] = { "kill:engine-open/folder",
					      "kill:engine-open/served" };
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key;

	(void)state;
	need_faults();
	key = rig_luks(&rig, 4096);
	for (size_t i = 0; i < 2; i++) {
		assert_true(killed_at(&rig, faults[i]));
		rig_open(&rig, key, false, &volume);
		rig_close(&rig);
	}
	rig_end(&rig, key);
}

static void test_engine_open_killed_at_its_end_is_open(void **state)
{
	struct engine_volume *volumes = NULL;
	struct rig rig;
	struct volume_key *key;
	size_t count = 0;

	(void)state;
	need_faults();
	key = rig_luks(&rig, 4096);
	assert_true(killed_at(&rig, "kill:engine-open/attached"));
	assert_ok(engine_list(&rig.paths, &volumes, &count, NULL));
	assert_int_equal(count, 1);
	assert_string_not_equal(volumes[0].device, "");
	free(volumes);
	rig_end(&rig, key);
}

static void test_engine_open_that_fails_leaves_nothing(void **state)
{
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key;
	char path[160];

	(void)state;
	need_faults();
	key = rig_luks(&rig, 4096);
	(void)setenv("COFFER_FAULT", "fail:engine-open/attached", 1);
	assert_fails(engine_open(&rig.paths, rig.source, NULL, "one", key, false, &volume, NULL),
		     COF_E_IO);
	(void)unsetenv("COFFER_FAULT");
	(void)snprintf(path, sizeof(path), "%s/one", rig.engine_dir);
	assert_false(path_exists(path));
	/* Nobody holds the source any more. */
	rig_open(&rig, key, false, &volume);
	rig_end(&rig, key);
}

static void test_engine_close_killed_on_the_way_closes_again(void **state)
{
	static const char *const faults[] = { "kill:engine-close/detached",
					      "kill:engine-close/ended" };
	struct engine_volume volume;
	struct rig rig;
	struct volume_key *key;
	char path[160];

	(void)state;
	need_faults();
	key = rig_luks(&rig, 4096);
	(void)snprintf(path, sizeof(path), "%s/one.lock", rig.engine_dir);
	for (size_t i = 0; i < 2; i++) {
		rig_open(&rig, key, false, &volume);
		assert_true(killed_at(&rig, faults[i]));
		assert_true(path_exists(path));
		rig_close(&rig);
		assert_false(path_exists(path));
	}
	rig_end(&rig, key);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_engine_killed_loses_nothing_that_was_flushed,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_killed_is_listed_without_process_and_closed,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_killed_under_a_mount_is_not_opened_over_it,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_killed_on_the_way_opens_again,
					  rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_killed_at_its_end_is_open, rig_sweep),
		cmocka_unit_test_teardown(test_engine_open_that_fails_leaves_nothing, rig_sweep),
		cmocka_unit_test_teardown(test_engine_close_killed_on_the_way_closes_again,
					  rig_sweep),
	};
	int status;

	if (rig_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
