/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real agents and key servers in a folder of their own.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "file.h"
#include "rig.h"
#include "socket.h"

#define PATIENCE_MS 10000
#define NOBODY	    65534

/* Is an agent: the command line is the one that agent_child_args() makes. */
static int run_agent(int argc, char *argv[])
{
	_cleanup_(paths_freep) struct paths *paths = NULL;
	const char *root = NULL;
	const char *vault = NULL;
	const char *config = NULL;
	cof_result result;

	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--root") == 0)
			root = argv[i + 1];
		else if (strcmp(argv[i], "--vault") == 0)
			vault = argv[i + 1];
		else if (strcmp(argv[i], "--config") == 0)
			config = argv[i + 1];
	}
	result = paths_new(root, vault, config, &paths, NULL);
	if (!cof_failed(result))
		result = agent_run(paths, NULL);
	return cof_code_exit_status(result.code);
}

int rig_main(int argc, char *argv[], int (*tests)(void))
{
	if (argc > 1 && strcmp(argv[1], "agent") == 0)
		return run_agent(argc, argv);
	if (geteuid() != 0) {
		(void)fprintf(stderr,
			      "skipped: the agent answers root alone, and this is not root\n");
		return 77;
	}
	return tests();
}

/* A rig whose folder has @below under it as the root of all places. */
static int setup_below(void **state, const char *below)
{
	char folder[] = "/tmp/coffer-agent-XXXXXX";
	struct rig *rig = calloc(1, sizeof(*rig));
	_cleanup_free_ char *root = NULL;

	assert_non_null(rig);
	assert_non_null(mkdtemp(folder));
	rig->folder = strdup(folder);
	assert_ok(path_format(&root, NULL, "%s%s", folder, below));
	assert_ok(folder_make(root, 0700, NULL));
	assert_ok(paths_new(root, NULL, NULL, &rig->paths, NULL));
	assert_ok(root_key_new(WIRE_ROOT_KEY_BYTES, &rig->root_key, NULL));
	for (size_t i = 0; i < WIRE_ROOT_KEY_BYTES; i++)
		rig->root_key->secret.data[i] = (uint8_t)(0xa5 ^ (i * 37));
	for (size_t i = 0; i < sizeof(rig->uuid); i++)
		rig->uuid[i] = (uint8_t)(i + 1);
	*state = rig;
	return 0;
}

int rig_setup(void **state)
{
	return setup_below(state, "");
}

int rig_setup_long(void **state)
{
	return setup_below(state, "/a-folder-with-a-very-long-name-that-goes-on-and-on-and-on"
				  "/and-another-one-below-it-that-is-no-shorter-than-the-first");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;
	pid_t agent = rig_agent_pid(rig);

	if (rig->keyserver > 0) {
		(void)kill(rig->keyserver, SIGKILL);
		(void)waitpid(rig->keyserver, NULL, 0);
	}
	if (agent > 0 && agent != getpid()) {
		(void)kill(agent, SIGKILL);
		(void)rig_await_end(agent);
	}
	(void)nftw(rig->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	root_key_free(rig->root_key);
	paths_free(rig->paths);
	free(rig->folder);
	free(rig);
	return 0;
}

void rig_give(struct rig *rig, uint64_t limit_seconds)
{
	struct cof_error why = { 0 };
	cof_result result =
		client_give(rig->paths, rig->root_key, rig->uuid, RIG_EPOCH, limit_seconds, &why);

	if (cof_failed(result))
		fail_msg("the agent takes no key: %s: %s: %s", why.subject, why.text, why.cause);
}

int rig_connect(const char *path)
{
	int fd = -1;

	assert_ok(socket_connect(path, PATIENCE_MS, &fd, NULL));
	assert_true(fd >= 0);
	return fd;
}

pid_t rig_agent_pid(const struct rig *rig)
{
	_cleanup_fd_ int fd = -1;
	struct ucred peer = { 0 };
	socklen_t peer_bytes = sizeof(peer);

	if (cof_failed(socket_connect(rig->paths->agent_socket, PATIENCE_MS, &fd, NULL)) ||
	    fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) < 0)
		return 0;
	return peer.pid;
}

void rig_sleep_ms(unsigned int time_ms)
{
	(void)poll(NULL, 0, (int)time_ms);
}

/* Whether a process is gone, or a zombie that whoever inherited it will reap. */
static bool has_ended(pid_t pid)
{
	_cleanup_free_ char *path = NULL;
	char line[512];
	const char *name_end;

	assert_ok(path_format(&path, NULL, "/proc/%d/stat", (int)pid));
	if (cof_failed(file_read_line(path, line, sizeof(line), NULL)))
		return true;
	name_end = strrchr(line, ')');
	return name_end && name_end[1] == ' ' && name_end[2] == 'Z';
}

bool rig_await_end(pid_t pid)
{
	for (unsigned int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 10) {
		if (has_ended(pid))
			return true;
		rig_sleep_ms(10);
	}
	return false;
}

size_t rig_reads(int fd, uint8_t *out, size_t room_bytes)
{
	size_t done = 0;

	while (done < room_bytes) {
		ssize_t got = recv(fd, out + done, room_bytes - done, 0);

		if (got == 0 || (got < 0 && errno == ECONNRESET))
			break;
		if (got < 0)
			fail_msg("nothing comes: %s", strerror(errno));
		done += (size_t)got;
	}
	return done;
}

bool rig_hangs_up(int fd)
{
	uint8_t byte;

	return rig_reads(fd, &byte, 1) == 0;
}

struct agent_status rig_status(const struct rig *rig)
{
	struct agent_status status = { 0 };

	assert_ok(agent_query(rig->paths, &status, NULL));
	return status;
}

bool rig_derives(const struct rig *rig, const char *info)
{
	_cleanup_(wrap_key_freep) struct wrap_key *expected = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct key_source source = { 0 };
	bool unlocked = false;
	cof_result result;

	assert_ok(root_derive(rig->root_key, rig->uuid, span_of_text(info), &expected, NULL));
	assert_ok(agent_key_source(rig->paths, &source, &unlocked, NULL));
	if (!unlocked)
		return false;
	result = source.derive(source.context, span_of_text(info), &key, NULL);
	source.free(source.context);
	return !cof_failed(result) && ct_equal(wrap_key_span(key), wrap_key_span(expected));
}

int rig_run_as_nobody(int (*act)(const struct rig *rig), const struct rig *rig)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(100);
		_exit(act(rig));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
