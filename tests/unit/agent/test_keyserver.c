/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key server, asked with the very steps of systemd-cryptsetup: bind to an abstract address
 * that names the volume, connect, half-close, read to the end.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "file.h"
#include "rig.h"
#include "socket.h"

#define MANY	    200
#define LARGE_BYTES (1u << 20)

/*
 * What the vault does in coffer: "vol-..." has the key that the agent derives from its name,
 * "large" has a mebibyte, "broken" cannot be read, and no other volume is known.
 */
static cof_result lookup(const struct paths *paths, const char *volume,
			 struct slot_secret **ret_key, bool *ret_found, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct key_source source = { 0 };
	bool unlocked = false;
	cof_result result;

	ENSURE(strcmp(volume, "broken") != 0, err, COF_E_FORMAT, volume, "record is damaged");
	TRY(agent_key_source(paths, &source, &unlocked, err));
	ENSURE(unlocked, err, COF_E_LOCKED, paths->vault_dir, "the vault is locked");
	result = source.derive(source.context, span_of_text(volume), &key, err);
	source.free(source.context);
	TRY(result);
	if (strcmp(volume, "large") == 0)
		TRY(slot_secret_new(LARGE_BYTES, ret_key, err));
	else if (strncmp(volume, "vol-", 4) == 0)
		TRY(slot_secret_copy(wrap_key_span(key), ret_key, err));

	*ret_found = *ret_key != NULL;
	return COF_OK;
}

static int setup(void **state)
{
	struct rig *rig;

	(void)rig_setup(state);
	rig = *state;
	rig->keyserver = fork();
	assert_true(rig->keyserver >= 0);
	if (rig->keyserver == 0) {
		int null_fd = open("/dev/null", O_RDWR);

		(void)dup2(null_fd, STDERR_FILENO);
		_exit(cof_failed(keyserver_run(rig->paths, lookup, NULL)));
	}
	for (int tries = 0; tries < 500; tries++) {
		_cleanup_fd_ int fd = -1;

		if (!cof_failed(socket_connect(rig->paths->keys_socket, 1000, &fd, NULL)) &&
		    fd >= 0)
			return 0;
		rig_sleep_ms(10);
	}
	return 1;
}

/* Connects from the abstract address @name, and half-closes; -1 when that is refused. */
static int connect_from(const struct rig *rig, const char *name)
{
	struct sockaddr_un from = { .sun_family = AF_UNIX };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 20 };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(from.sun_path + 1, name, len);
	memcpy(to.sun_path, rig->paths->keys_socket, strlen(rig->paths->keys_socket));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(fd, (const struct sockaddr *)&from,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) < 0 ||
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
	    shutdown(fd, SHUT_WR) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Asks for @volume as systemd-cryptsetup does. */
static int ask(const struct rig *rig, const char *volume)
{
	char name[108];
	uint64_t nonce = 0;
	int fd;

	assert_int_equal(getrandom(&nonce, sizeof(nonce), 0), sizeof(nonce));
	(void)snprintf(name, sizeof(name), "%llx/cryptsetup/%s", (unsigned long long)nonce, volume);
	fd = connect_from(rig, name);
	assert_true(fd >= 0);
	return fd;
}

/* Whether what comes over @fd until its end is just the key of @volume; closes it. */
static bool brings_key(const struct rig *rig, int fd, const char *volume)
{
	_cleanup_(wrap_key_freep) struct wrap_key *expected = NULL;
	uint8_t got[64];
	size_t len = rig_reads(fd, got, sizeof(got));

	(void)close(fd);
	assert_ok(root_derive(rig->root_key, rig->uuid, span_of_text(volume), &expected, NULL));
	return ct_equal(SPAN(got, len), wrap_key_span(expected));
}

/* Whether @fd stays open and silent for a while. */
static bool is_held(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, 400) == 0;
}

static void test_keyserver_of_an_unlocked_vault_answers(void **state)
{
	struct rig *rig = *state;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(brings_key(rig, ask(rig, "vol-a"), "vol-a"));
}

static void test_keyserver_holds_while_locked_and_answers_after_unlock(void **state)
{
	struct rig *rig = *state;
	int fd = ask(rig, "vol-a");

	assert_true(is_held(fd));
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(brings_key(rig, fd, "vol-a"));
}

static void test_keyserver_holds_with_an_agent_that_is_locked(void **state)
{
	struct rig *rig = *state;
	int fd;

	assert_ok(agent_start(rig->paths, NULL));
	fd = ask(rig, "vol-a");
	assert_true(is_held(fd));
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(brings_key(rig, fd, "vol-a"));
}

static void test_keyserver_holds_over_the_death_of_an_agent(void **state)
{
	struct rig *rig = *state;
	int fd;

	assert_ok(agent_start(rig->paths, NULL));
	fd = ask(rig, "vol-a");
	assert_true(is_held(fd));
	assert_int_equal(kill(rig_agent_pid(rig), SIGKILL), 0);
	assert_true(is_held(fd));
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(brings_key(rig, fd, "vol-a"));
}

static void test_keyserver_holds_again_after_a_lock(void **state)
{
	struct rig *rig = *state;
	bool was = false;
	int fd;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(brings_key(rig, ask(rig, "vol-a"), "vol-a"));
	assert_ok(agent_lock(rig->paths, &was, NULL));
	fd = ask(rig, "vol-b");
	assert_true(is_held(fd));
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(brings_key(rig, fd, "vol-b"));
}

static void test_keyserver_answers_many_that_wait(void **state)
{
	struct rig *rig = *state;
	char volumes[MANY][16];
	int fds[MANY];

	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(volumes[i], sizeof(volumes[i]), "vol-%zu", i);
		fds[i] = ask(rig, volumes[i]);
	}
	rig_give(rig, RIG_LIMIT_SECONDS);
	for (size_t i = 0; i < MANY; i++)
		assert_true(brings_key(rig, fds[i], volumes[i]));
}

static void test_keyserver_forgets_who_goes_away(void **state)
{
	struct rig *rig = *state;
	int fd;

	for (int i = 0; i < 50; i++)
		(void)close(ask(rig, "vol-gone"));
	fd = ask(rig, "vol-a");
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(brings_key(rig, fd, "vol-a"));
}

static void test_keyserver_closes_for_an_unknown_volume(void **state)
{
	struct rig *rig = *state;
	_cleanup_fd_ int fd = -1;

	rig_give(rig, RIG_LIMIT_SECONDS);
	fd = ask(rig, "foreign");
	assert_true(rig_hangs_up(fd));
}

static void test_keyserver_closes_for_a_damaged_record_and_goes_on(void **state)
{
	struct rig *rig = *state;
	_cleanup_fd_ int fd = -1;

	rig_give(rig, RIG_LIMIT_SECONDS);
	fd = ask(rig, "broken");
	assert_true(rig_hangs_up(fd));
	assert_true(brings_key(rig, ask(rig, "vol-a"), "vol-a"));
}

static void test_keyserver_closes_for_other_questions(void **state)
{
	struct rig *rig = *state;
	_cleanup_fd_ int fd = connect_from(rig, "1234567890abcdef/cryptsetup-tpm2/vol-a");

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(fd >= 0);
	assert_true(rig_hangs_up(fd));
}

static void test_keyserver_closes_for_who_names_no_volume(void **state)
{
	struct rig *rig = *state;
	_cleanup_fd_ int fd = rig_connect(rig->paths->keys_socket);

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(rig_hangs_up(fd));
}

static void test_keyserver_sends_a_large_key_whole(void **state)
{
	struct rig *rig = *state;
	_cleanup_free_ uint8_t *got = malloc(LARGE_BYTES + 1);
	_cleanup_fd_ int fd = -1;

	assert_non_null(got);
	rig_give(rig, RIG_LIMIT_SECONDS);
	fd = ask(rig, "large");
	rig_sleep_ms(200);
	assert_int_equal(rig_reads(fd, got, LARGE_BYTES + 1), LARGE_BYTES);
}

static void test_keyserver_serves_others_beside_who_does_not_read(void **state)
{
	struct rig *rig = *state;
	_cleanup_fd_ int slow = -1;

	rig_give(rig, RIG_LIMIT_SECONDS);
	slow = ask(rig, "large");
	assert_true(brings_key(rig, ask(rig, "vol-a"), "vol-a"));
}

static void test_keyserver_forgets_who_goes_in_the_middle_of_a_key(void **state)
{
	struct rig *rig = *state;

	rig_give(rig, RIG_LIMIT_SECONDS);
	/* More than it has places for keys on their way. */
	for (int i = 0; i < 40; i++) {
		_cleanup_fd_ int fd = ask(rig, "large");
		uint8_t some[100];

		assert_int_equal(rig_reads(fd, some, sizeof(some)), sizeof(some));
	}
	assert_true(brings_key(rig, ask(rig, "vol-a"), "vol-a"));
}

/* 0 when whoever we are gets nothing. */
static int ask_as_we_are(const struct rig *rig)
{
	int fd = connect_from(rig, "1/cryptsetup/vol-a");
	uint8_t byte;

	if (fd < 0)
		return 2;
	return recv(fd, &byte, 1, 0) > 0;
}

static void test_keyserver_refuses_who_is_not_root(void **state)
{
	struct rig *rig = *state;
	_cleanup_free_ char *run = NULL;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(path_format(&run, NULL, "%s/run", rig->folder));
	assert_int_equal(chmod(rig->folder, 0755), 0);
	assert_int_equal(chmod(run, 0755), 0);
	assert_int_equal(chmod(rig->paths->run_dir, 0755), 0);
	assert_int_equal(chmod(rig->paths->keys_socket, 0777), 0);
	assert_int_equal(rig_run_as_nobody(ask_as_we_are, rig), 0);
}

static void test_keyserver_knows_clients_of_another_network_namespace(void **state)
{
	struct rig *rig = *state;
	int status = 0;
	pid_t child;

	/* Its unit has PrivateNetwork=yes: abstract addresses are a namespace's own. */
	rig_give(rig, RIG_LIMIT_SECONDS);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd;
		uint8_t got[64];

		if (unshare(CLONE_NEWNET) < 0)
			_exit(77);
		fd = connect_from(rig, "1/cryptsetup/vol-a");
		_exit(fd >= 0 && rig_reads(fd, got, sizeof(got)) == 32 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_keyserver_through_a_link_to_its_socket_answers(void **state)
{
	struct rig *rig = *state;
	_cleanup_free_ char *link = NULL;
	struct rig linked = *rig;
	struct paths paths = *rig->paths;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(path_format(&link, NULL, "%s/vol-a.key", rig->folder));
	assert_int_equal(symlink(rig->paths->keys_socket, link), 0);
	paths.keys_socket = link;
	linked.paths = &paths;
	assert_true(brings_key(rig, ask(&linked, "vol-a"), "vol-a"));
}

static void test_keyserver_ends_in_good_order_on_sigterm(void **state)
{
	struct rig *rig = *state;
	int fd = ask(rig, "vol-a");
	int status = 1;

	assert_true(is_held(fd));
	assert_int_equal(kill(rig->keyserver, SIGTERM), 0);
	assert_int_equal(waitpid(rig->keyserver, &status, 0), rig->keyserver);
	rig->keyserver = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(rig_hangs_up(fd));
	assert_false(path_exists(rig->paths->keys_socket));
	(void)close(fd);
}

static int all_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_keyserver_of_an_unlocked_vault_answers),
		TEST(test_keyserver_holds_while_locked_and_answers_after_unlock),
		TEST(test_keyserver_holds_with_an_agent_that_is_locked),
		TEST(test_keyserver_holds_over_the_death_of_an_agent),
		TEST(test_keyserver_holds_again_after_a_lock),
		TEST(test_keyserver_answers_many_that_wait),
		TEST(test_keyserver_forgets_who_goes_away),
		TEST(test_keyserver_closes_for_an_unknown_volume),
		TEST(test_keyserver_closes_for_a_damaged_record_and_goes_on),
		TEST(test_keyserver_closes_for_other_questions),
		TEST(test_keyserver_closes_for_who_names_no_volume),
		TEST(test_keyserver_sends_a_large_key_whole),
		TEST(test_keyserver_serves_others_beside_who_does_not_read),
		TEST(test_keyserver_forgets_who_goes_in_the_middle_of_a_key),
		TEST(test_keyserver_refuses_who_is_not_root),
		TEST(test_keyserver_knows_clients_of_another_network_namespace),
		TEST(test_keyserver_through_a_link_to_its_socket_answers),
		TEST(test_keyserver_ends_in_good_order_on_sigterm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
