/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict on a device that somebody uses, on real loop devices.
 */

#include "unit.h"

#include <sched.h>

#include "verdict_rig.h"

static void test_verdict_mounted_is_in_use_and_says_where(void **state)
{
	const struct rig *rig = fresh(state);
	struct verdict verdict;
	char words[160];

	rig_run("mkfs.ext4", "-q", rig->node);
	assert_int_equal(mount(rig->node, rig->mount, "ext4", 0, NULL), 0);
	verdict = verdict_on(rig->node);
	(void)snprintf(words, sizeof(words), "mounted at %s (ext4)", rig->mount);
	check(&verdict, VERDICT_IN_USE, words);
	(void)snprintf(words, sizeof(words), "umount %s", rig->mount);
	assert_string_equal(verdict.remedy, words);
}

static void test_verdict_mounted_btrfs_is_in_use_though_its_number_is_another(void **state)
{
	struct rig *rig = *state;
	struct verdict verdict;

	rig_require();
	rig_init(rig, 128ull << 20, 0);
	rig_run("mkfs.btrfs", "-q", rig->node);
	assert_int_equal(mount(rig->node, rig->mount, "btrfs", 0, NULL), 0);
	verdict = verdict_on(rig->node);
	check(&verdict, VERDICT_IN_USE, "mounted at ");
}

static void test_verdict_second_device_of_a_mounted_btrfs_is_in_use(void **state)
{
	struct rig *rig = *state;
	struct rig second;
	struct verdict verdict;
	char option[64];

	rig_require();
	rig_init(rig, 128ull << 20, 0);
	rig_init(&second, 128ull << 20, 0);
	rig_run("mkfs.btrfs", "-q", rig->node, second.node);
	(void)snprintf(option, sizeof(option), "device=%s", second.node);
	assert_int_equal(mount(rig->node, rig->mount, "btrfs", 0, option), 0);
	verdict = verdict_on(second.node);
	assert_int_equal(umount(rig->mount), 0);
	rig_done(&second);
	check(&verdict, VERDICT_IN_USE, "part of a mounted btrfs");
}

static void test_verdict_active_swap_is_in_use(void **state)
{
	const struct rig *rig = fresh(state);
	struct verdict verdict;

	rig_run("mkswap", rig->node);
	rig_run("swapon", "--priority", "0", rig->node);
	verdict = verdict_on(rig->node);
	rig_run("swapoff", rig->node);
	check(&verdict, VERDICT_IN_USE, "swap");
}

/* A device with one partition that the kernel knows; its node goes to @node. */
static void with_partition(struct rig *rig, char *node, size_t node_room)
{
	rig_require();
	rig_init(rig, RIG_BYTES, LO_FLAGS_PARTSCAN);
	rig_run("addpart", rig->node, "1", "2048", "81920");
	(void)snprintf(node, node_room, "%sp1", rig->node);
	rig_run("mkfs.ext4", "-q", node);
	assert_int_equal(mount(node, rig->mount, "ext4", 0, NULL), 0);
}

static void test_verdict_disk_of_a_mounted_partition_is_in_use(void **state)
{
	struct rig *rig = *state;
	struct verdict verdict;
	char node[64];

	with_partition(rig, node, sizeof(node));
	verdict = verdict_on(rig->node);
	check(&verdict, VERDICT_IN_USE, "mounted at ");
	check(&verdict, VERDICT_IN_USE, "partition loop");
}

static void test_verdict_mounted_partition_is_in_use(void **state)
{
	struct rig *rig = *state;
	struct verdict verdict;
	char node[64];

	with_partition(rig, node, sizeof(node));
	verdict = verdict_on(node);
	check(&verdict, VERDICT_IN_USE, "mounted at ");
}

static void test_verdict_partition_beside_a_mounted_one_is_not_in_use(void **state)
{
	struct rig *rig = *state;
	struct verdict verdict;
	char node[64];

	with_partition(rig, node, sizeof(node));
	rig_run("addpart", rig->node, "2", "90112", "40000");
	(void)snprintf(node, sizeof(node), "%sp2", rig->node);
	verdict = verdict_on(node);
	check(&verdict, VERDICT_UNFIT, "bytes large");
}

static void test_verdict_partition_of_a_disk_that_is_swap_is_in_use(void **state)
{
	struct rig *rig = *state;
	struct verdict verdict;
	char node[64];

	rig_require();
	rig_init(rig, RIG_BYTES, LO_FLAGS_PARTSCAN);
	rig_run("addpart", rig->node, "1", "2048", "81920");
	(void)snprintf(node, sizeof(node), "%sp1", rig->node);
	rig_run("mkswap", rig->node);
	rig_run("swapon", "--priority", "0", rig->node);
	verdict = verdict_on(node);
	rig_run("swapoff", rig->node);
	check(&verdict, VERDICT_IN_USE, "whole disk loop");
}

static void test_verdict_loop_device_on_top_is_in_use(void **state)
{
	const struct rig *rig = fresh(state);
	struct rig top = { .fd = -1 };
	struct verdict verdict;

	(void)snprintf(top.file, sizeof(top.file), "%s", rig->node);
	rig_attach(&top, 0);
	verdict = verdict_on(rig->node);
	rig_detach(&top);
	check(&verdict, VERDICT_IN_USE, "behind loop");
	assert_non_null(strstr(verdict.remedy, top.node));
}

static void test_verdict_held_exclusively_is_in_use_and_names_the_holder(void **state)
{
	const struct rig *rig = fresh(state);
	pid_t holder = rig_hold((const char *const[]){ rig->node, NULL }, O_RDONLY | O_EXCL);
	struct verdict verdict = verdict_on(rig->node);
	char words[64];

	rig_release(holder);
	(void)snprintf(words, sizeof(words), "(pid %d)", (int)holder);
	check(&verdict, VERDICT_IN_USE, words);
	check(&verdict, VERDICT_IN_USE, "held by ");
}

static void test_verdict_held_by_a_mount_of_another_namespace_is_in_use(void **state)
{
	const struct rig *rig = fresh(state);
	struct verdict verdict;
	int pipes[2];
	pid_t pid;
	char byte = 0;

	rig_run("mkfs.ext4", "-q", rig->node);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		bool done = unshare(CLONE_NEWNS) == 0 &&
			    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			    mount(rig->node, rig->mount, "ext4", 0, NULL) == 0;

		(void)!write(pipes[1], done ? "y" : "n", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	verdict = verdict_on(rig->node);
	rig_release(pid);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	check(&verdict, VERDICT_IN_USE, "held by the kernel");
	check(&verdict, VERDICT_IN_USE, "ext4");
}

/* Starts `sleep` with the device open for writing, as a program of some other kind. */
static pid_t start_writer(const char *node)
{
	int started[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(started, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (open(node, O_RDWR) >= 0)
			(void)execlp("sleep", "sleep", "60", NULL);
		_exit(1);
	}
	(void)close(started[1]);
	assert_int_equal(read(started[0], &byte, 1), 0); /* closed as sleep starts */
	(void)close(started[0]);
	return pid;
}

static void test_verdict_open_for_writing_is_in_use_and_names_the_writer(void **state)
{
	const struct rig *rig = fresh(state);
	pid_t writer = start_writer(rig->node);
	struct verdict verdict = verdict_on(rig->node);
	char words[64];

	rig_release(writer);
	(void)snprintf(words, sizeof(words), "open for writing by sleep (pid %d)", (int)writer);
	check(&verdict, VERDICT_IN_USE, words);
}

static void test_verdict_open_for_reading_is_free(void **state)
{
	const struct rig *rig = fresh(state);
	pid_t reader = rig_hold((const char *const[]){ rig->node, NULL }, O_RDONLY);
	struct verdict verdict = verdict_on(rig->node);

	rig_release(reader);
	check(&verdict, VERDICT_FREE, "");
}

static void test_verdict_open_in_the_engine_is_in_use_and_names_the_volume(void **state)
{
	const struct rig *rig = fresh(state);
	struct verdict verdict;
	char lock[128];
	pid_t reader;
	pid_t engine;
	int fd;

	/* What the engine leaves to see: its mount's source, and both files open in its process. */
	assert_int_equal(mount("coffer-engine:enc-test", rig->mount, "tmpfs", 0, NULL), 0);
	(void)snprintf(lock, sizeof(lock), "%s.lock", rig->mount);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	reader = rig_hold((const char *const[]){ rig->node, NULL }, O_RDONLY);
	engine = rig_hold((const char *const[]){ lock, rig->node, NULL }, O_RDWR | O_EXCL);
	verdict = verdict_on(rig->node);
	rig_release(engine);
	rig_release(reader);
	(void)unlink(lock);
	check(&verdict, VERDICT_IN_USE, "open as mount (user-space engine, pid ");
	assert_string_equal(verdict.remedy, "coffer disk close mount");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verdict_mounted_is_in_use_and_says_where),
		TEST(test_verdict_mounted_btrfs_is_in_use_though_its_number_is_another),
		TEST(test_verdict_second_device_of_a_mounted_btrfs_is_in_use),
		TEST(test_verdict_active_swap_is_in_use),
		TEST(test_verdict_disk_of_a_mounted_partition_is_in_use),
		TEST(test_verdict_mounted_partition_is_in_use),
		TEST(test_verdict_partition_beside_a_mounted_one_is_not_in_use),
		TEST(test_verdict_partition_of_a_disk_that_is_swap_is_in_use),
		TEST(test_verdict_loop_device_on_top_is_in_use),
		TEST(test_verdict_held_exclusively_is_in_use_and_names_the_holder),
		TEST(test_verdict_held_by_a_mount_of_another_namespace_is_in_use),
		TEST(test_verdict_open_for_writing_is_in_use_and_names_the_writer),
		TEST(test_verdict_open_for_reading_is_free),
		TEST(test_verdict_open_in_the_engine_is_in_use_and_names_the_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
