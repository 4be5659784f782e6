/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_AGENT_RIG_H
#define COF_TESTS_AGENT_RIG_H

/*
 * Real agents and key servers in a folder of their own. The test program is what an agent is
 * started from, so its main() hands over to rig_main().
 */

#include "unit.h"

#include <sys/types.h>

#include "client.h"

#define RIG_EPOCH	  7
#define RIG_LIMIT_SECONDS 3600

/** struct rig - one test's places; @root_key is 64 bytes of a pattern that is nowhere else */
struct rig {
	char *folder;
	struct paths *paths;
	struct root_key *root_key;
	uint8_t uuid[VAULT_UUID_BYTES];
	pid_t keyserver;
};

/** rig_main() - runs the tests, or what argv asks for: "agent" */
int rig_main(int argc, char *argv[], int (*tests)(void));

/* cmocka's fixtures: a struct rig in *state; the end kills what is left and removes the folder. */
int rig_setup(void **state);
int rig_teardown(void **state);
/** rig_setup_long() - the same with places too long for a socket's address */
int rig_setup_long(void **state);

/** rig_give() - the agent gets the root key, started if need be */
void rig_give(struct rig *rig, uint64_t limit_seconds);
/** rig_agent_pid() - of the process that listens; 0 when nobody does */
pid_t rig_agent_pid(const struct rig *rig);
/** rig_await_agent_end() - true as soon as the process is gone; false after ten seconds */
bool rig_await_end(pid_t pid);
/** rig_connect() - a bare connection to a socket, which must be there */
int rig_connect(const char *path);
/** rig_hangs_up() - whether the other end closes without a byte, within ten seconds */
bool rig_hangs_up(int fd);
/** rig_reads() - what comes until the other end closes or @room_bytes are there */
size_t rig_reads(int fd, uint8_t *out, size_t room_bytes);
/** rig_status() - what the agent says of itself */
struct agent_status rig_status(const struct rig *rig);
/** rig_derives() - whether the agent derives just the key that the root key yields */
bool rig_derives(const struct rig *rig, const char *info);
/** rig_run_as_nobody() - exit status of @act in a child without privilege */
int rig_run_as_nobody(int (*act)(const struct rig *rig), const struct rig *rig);
/** rig_sleep_ms() - for conditions that have no event to wait for */
void rig_sleep_ms(unsigned int time_ms);

#endif
