/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clients that do what no client should: the agent refuses them and goes on serving the others.
 */

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "file.h"
#include "rig.h"
#include "socket.h"

#define MANY		100
#define WAITERS_ALLOWED 64

static const uint8_t status_frame[] = { 0, 0, 0, 1, WIRE_STATUS };
static const uint8_t wait_frame[] = { 0, 0, 0, 1, WIRE_WAIT };

static int setup(void **state)
{
	(void)rig_setup(state);
	rig_give(*state, RIG_LIMIT_SECONDS);
	return 0;
}

/* A connection that has sent @len bytes. */
static int connect_and_send(const struct rig *rig, const void *bytes, size_t len)
{
	int fd = rig_connect(rig->paths->agent_socket);

	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
	return fd;
}

/* Connects as whoever we are: 0 when the agent closes without a word, 1 when it lets us in. */
static int ask_status(const struct rig *rig)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	uint8_t byte;

	memcpy(address.sun_path, rig->paths->agent_socket, strlen(rig->paths->agent_socket));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return 2;
	(void)send(fd, status_frame, sizeof(status_frame), MSG_NOSIGNAL);
	return recv(fd, &byte, 1, 0) > 0;
}

static void test_agent_refuses_who_is_not_root(void **state)
{
	const struct rig *rig = *state;

	_cleanup_free_ char *run = NULL;

	/* Opened up, so that what is tested is the agent and not the modes of its folders. */
	assert_ok(path_format(&run, NULL, "%s/run", rig->folder));
	assert_int_equal(chmod(rig->folder, 0755), 0);
	assert_int_equal(chmod(run, 0755), 0);
	assert_int_equal(chmod(rig->paths->run_dir, 0755), 0);
	assert_int_equal(chmod(rig->paths->agent_socket, 0777), 0);
	assert_int_equal(rig_run_as_nobody(ask_status, rig), 0);
	assert_true(rig_status(rig).unlocked);
}

static void test_agent_socket_is_out_of_reach_of_others(void **state)
{
	const struct rig *rig = *state;
	struct stat socket_status;
	struct stat folder_status;

	assert_int_equal(stat(rig->paths->agent_socket, &socket_status), 0);
	assert_int_equal(stat(rig->paths->run_dir, &folder_status), 0);
	assert_int_equal(socket_status.st_mode & 07777, 0600);
	assert_int_equal(folder_status.st_mode & 07777, 0700);
	assert_int_equal(rig_run_as_nobody(ask_status, rig), 2);
}

/* Exit status of a query by whoever we are. */
static int query(const struct rig *rig)
{
	struct agent_status status;

	return (int)agent_query(rig->paths, &status, NULL).code;
}

static void test_agent_query_by_who_is_not_root_is_refused(void **state)
{
	const struct rig *rig = *state;

	assert_int_equal(rig_run_as_nobody(query, rig), COF_E_REFUSED);
}

/* Exit status of giving a key by whoever we are. */
static int give(const struct rig *rig)
{
	uint8_t bytes[WIRE_ROOT_KEY_BYTES] = { 0 };
	const struct root_key zeros = { { .data = bytes, .len = sizeof(bytes) } };

	return (int)client_give(rig->paths, &zeros, rig->uuid, RIG_EPOCH, 60, NULL).code;
}

static void test_agent_give_by_who_is_not_root_is_refused(void **state)
{
	const struct rig *rig = *state;

	assert_int_equal(rig_run_as_nobody(give, rig), COF_E_REFUSED);
}

/* 0 when somebody who is not root is told to work without the agent. */
static int ask_for_source(const struct rig *rig)
{
	struct key_source source = { 0 };
	bool unlocked = true;

	return cof_failed(agent_key_source(rig->paths, &source, &unlocked, NULL)) || unlocked;
}

static void test_agent_key_source_of_who_is_not_root_is_none(void **state)
{
	const struct rig *rig = *state;

	assert_int_equal(rig_run_as_nobody(ask_for_source, rig), 0);
}

static void test_agent_gives_no_key_to_a_socket_of_another_user(void **state)
{
	const struct rig *rig = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_free_ char *path = NULL;
	int found = -1;
	int served = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_ok(path_format(&path, NULL, "%s/squatted", rig->folder));
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(served, (const struct sockaddr *)&address, sizeof(address)), 0);
	/* The kernel notes who calls listen(). */
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(listen(served, 1), 0);
	assert_int_equal(seteuid(0), 0);
	assert_fails(socket_connect(path, 1000, &found, NULL), COF_E_REFUSED);
	assert_int_equal(found, -1);
	(void)close(served);
}

static void test_agent_drops_half_a_frame_in_time(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int fd = connect_and_send(rig, status_frame, sizeof(status_frame) - 1);

	assert_true(rig_hangs_up(fd));
	assert_true(rig_status(rig).unlocked);
}

static void test_agent_drops_a_silent_client_in_time(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int fd = rig_connect(rig->paths->agent_socket);

	assert_true(rig_hangs_up(fd));
}

static void test_agent_takes_a_frame_byte_by_byte(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int fd = rig_connect(rig->paths->agent_socket);
	uint8_t reply[34];

	for (size_t i = 0; i < sizeof(status_frame); i++) {
		assert_int_equal(send(fd, status_frame + i, 1, MSG_NOSIGNAL), 1);
		rig_sleep_ms(20);
	}
	assert_int_equal(rig_reads(fd, reply, sizeof(reply)), sizeof(reply));
	assert_int_equal(reply[4], WIRE_DONE);
}

static void test_agent_answers_frames_that_come_together(void **state)
{
	const struct rig *rig = *state;
	uint8_t both[2 * sizeof(status_frame)];
	uint8_t replies[2 * 34];
	_cleanup_fd_ int fd = -1;

	memcpy(both, status_frame, sizeof(status_frame));
	memcpy(both + sizeof(status_frame), status_frame, sizeof(status_frame));
	fd = connect_and_send(rig, both, sizeof(both));
	assert_int_equal(rig_reads(fd, replies, sizeof(replies)), sizeof(replies));
	assert_memory_equal(replies, replies + 34, 26);
}

static void test_agent_hangs_up_on_an_oversized_frame(void **state)
{
	const struct rig *rig = *state;
	static const uint8_t head[] = { 0, 0, 8, 1, WIRE_STATUS };
	_cleanup_fd_ int fd = connect_and_send(rig, head, sizeof(head));

	assert_true(rig_hangs_up(fd));
	assert_true(rig_status(rig).unlocked);
}

static void test_agent_hangs_up_on_an_empty_frame(void **state)
{
	const struct rig *rig = *state;
	static const uint8_t head[] = { 0, 0, 0, 0 };
	_cleanup_fd_ int fd = connect_and_send(rig, head, sizeof(head));

	assert_true(rig_hangs_up(fd));
}

static void test_agent_answers_an_unknown_operation(void **state)
{
	const struct rig *rig = *state;
	static const uint8_t frame[] = { 0, 0, 0, 2, 0x99, 0 };
	static const uint8_t malformed[] = { 0, 0, 0, 1, WIRE_MALFORMED };
	_cleanup_fd_ int fd = connect_and_send(rig, frame, sizeof(frame));
	uint8_t reply[5];

	assert_int_equal(rig_reads(fd, reply, sizeof(reply)), sizeof(reply));
	assert_memory_equal(reply, malformed, sizeof(reply));
}

static void test_agent_outlives_garbage(void **state)
{
	const struct rig *rig = *state;
	const pid_t agent = rig_agent_pid(rig);
	uint8_t garbage[4096];
	uint32_t seed = 12345;

	for (int round = 0; round < 200; round++) {
		_cleanup_fd_ int fd = rig_connect(rig->paths->agent_socket);

		for (size_t i = 0; i < sizeof(garbage); i++) {
			seed = seed * 1664525 + 1013904223;
			garbage[i] = (uint8_t)(seed >> 24);
		}
		/* Half of them with a head that is in order, so that bodies are looked at. */
		if (round % 2 == 0)
			memcpy(garbage, "\0\0\1\0", WIRE_HEAD_BYTES);
		(void)send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL);
	}
	assert_int_equal(rig_agent_pid(rig), agent);
	assert_true(rig_derives(rig, "coffer/x"));
}

static void test_agent_serves_many_at_once(void **state)
{
	const struct rig *rig = *state;
	int fds[MANY];
	uint8_t reply[34];

	for (size_t i = 0; i < MANY; i++)
		fds[i] = connect_and_send(rig, status_frame, 3);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(send(fds[i], status_frame + 3, 2, MSG_NOSIGNAL), 2);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(rig_reads(fds[i], reply, sizeof(reply)), sizeof(reply));
		assert_int_equal(reply[5], 1);
		(void)close(fds[i]);
	}
}

static void test_agent_with_more_clients_than_places_serves_all_in_the_end(void **state)
{
	const struct rig *rig = *state;
	int fds[300];
	const size_t count = sizeof(fds) / sizeof(fds[0]);

	for (size_t i = 0; i < count; i++)
		fds[i] = rig_connect(rig->paths->agent_socket);
	/* The silent ones are dropped after their time, and this one gets its place. */
	assert_true(rig_status(rig).unlocked);
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

static void test_agent_that_is_not_read_from_serves_others(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int fd = rig_connect(rig->paths->agent_socket);

	/* Until the replies that nobody reads fill the way back. */
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (unsigned int pauses = 0; pauses < 20;) {
		if (send(fd, status_frame, sizeof(status_frame), MSG_NOSIGNAL) < 0) {
			rig_sleep_ms(10);
			pauses++;
		}
	}
	assert_true(rig_derives(rig, "coffer/x"));
}

static void test_agent_lock_gets_through_past_all_waiters(void **state)
{
	const struct rig *rig = *state;
	int fds[2 * WAITERS_ALLOWED];
	const size_t count = sizeof(fds) / sizeof(fds[0]);
	bool was = true;

	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_ok(agent_start(rig->paths, NULL));
	for (size_t i = 0; i < count; i++)
		fds[i] = connect_and_send(rig, wait_frame, sizeof(wait_frame));
	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_false(was);
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

static void test_agent_tells_one_waiter_too_many(void **state)
{
	struct rig *rig = *state;
	int fds[WAITERS_ALLOWED];
	bool was = true;

	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_ok(agent_start(rig->paths, NULL));
	for (size_t i = 0; i < WAITERS_ALLOWED; i++)
		fds[i] = connect_and_send(rig, wait_frame, sizeof(wait_frame));
	assert_fails(agent_wait_unlocked(rig->paths, NULL), COF_E_BUSY);
	for (size_t i = 0; i < WAITERS_ALLOWED; i++)
		(void)close(fds[i]);
}

static void test_agent_wakes_every_waiter(void **state)
{
	struct rig *rig = *state;
	static const uint8_t done[] = { 0, 0, 0, 1, WIRE_DONE };
	int fds[WAITERS_ALLOWED];
	uint8_t reply[5];
	bool was = true;

	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_ok(agent_start(rig->paths, NULL));
	for (size_t i = 0; i < WAITERS_ALLOWED; i++)
		fds[i] = connect_and_send(rig, wait_frame, sizeof(wait_frame));
	rig_give(rig, RIG_LIMIT_SECONDS);
	for (size_t i = 0; i < WAITERS_ALLOWED; i++) {
		assert_int_equal(rig_reads(fds[i], reply, sizeof(reply)), sizeof(reply));
		assert_memory_equal(reply, done, sizeof(reply));
		(void)close(fds[i]);
	}
}

static void test_agent_forgets_a_waiter_that_goes(void **state)
{
	struct rig *rig = *state;
	bool was = true;
	pid_t agent;

	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_ok(agent_start(rig->paths, NULL));
	agent = rig_agent_pid(rig);
	/* More than there are places: they come and go, one after the other. */
	for (size_t i = 0; i < 3 * WAITERS_ALLOWED; i++)
		(void)close(connect_and_send(rig, wait_frame, sizeof(wait_frame)));
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_int_equal(rig_agent_pid(rig), agent);
	assert_ok(agent_wait_unlocked(rig->paths, NULL));
}

static int all_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_agent_refuses_who_is_not_root),
		TEST(test_agent_socket_is_out_of_reach_of_others),
		TEST(test_agent_query_by_who_is_not_root_is_refused),
		TEST(test_agent_give_by_who_is_not_root_is_refused),
		TEST(test_agent_key_source_of_who_is_not_root_is_none),
		TEST(test_agent_gives_no_key_to_a_socket_of_another_user),
		TEST(test_agent_drops_half_a_frame_in_time),
		TEST(test_agent_drops_a_silent_client_in_time),
		TEST(test_agent_takes_a_frame_byte_by_byte),
		TEST(test_agent_answers_frames_that_come_together),
		TEST(test_agent_hangs_up_on_an_oversized_frame),
		TEST(test_agent_hangs_up_on_an_empty_frame),
		TEST(test_agent_answers_an_unknown_operation),
		TEST(test_agent_outlives_garbage),
		TEST(test_agent_serves_many_at_once),
		TEST(test_agent_with_more_clients_than_places_serves_all_in_the_end),
		TEST(test_agent_that_is_not_read_from_serves_others),
		TEST(test_agent_lock_gets_through_past_all_waiters),
		TEST(test_agent_tells_one_waiter_too_many),
		TEST(test_agent_wakes_every_waiter),
		TEST(test_agent_forgets_a_waiter_that_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
