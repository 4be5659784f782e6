/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_STORE_RIG_H
#define COF_TESTS_STORE_RIG_H

/*
 * A folder with a backend and a keyring, for the store's unit tests.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "unit.h"

#include "file.h"
#include "kdf.h"
#include "keyring.h"

struct store_rig {
	char folder[64];
	char data[96];
	char state[96];
	struct backend *backend;
	struct keyring_place place;
};

static inline void rig_open(struct store_rig *rig)
{
	*rig = (struct store_rig){ 0 };
	/* In memory where that can be: nothing here is about disks. */
	(void)snprintf(rig->folder, sizeof(rig->folder), "%s/coffer-unit-store-XXXXXX",
		       path_exists("/dev/shm") ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(rig->folder));
	(void)snprintf(rig->data, sizeof(rig->data), "%s/data", rig->folder);
	(void)snprintf(rig->state, sizeof(rig->state), "%s/state", rig->folder);
	assert_ok(backend_file_open(rig->data, true, &rig->backend, NULL));
	rig->place = (struct keyring_place){ .backend = rig->backend, .state_folder = rig->state };
	for (uint8_t i = 0; i < STORE_UUID_BYTES; i++)
		rig->place.group[i] = (uint8_t)(0xa0 + i);
}

static inline void rig_close(struct store_rig *rig)
{
	char command[128];

	backend_free(rig->backend);
	(void)snprintf(command, sizeof(command), "rm -rf %s", rig->folder);
	assert_int_equal(system(command), 0);
}

#define _cleanup_rig_ __attribute__((cleanup(rig_close)))

/* Bytes that look random and are the same each time: xorshift64 of Marsaglia, 2003. */
static inline void fill(uint8_t *out, size_t len, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < len; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		out[i] = (uint8_t)(state >> 32);
	}
}

static inline void slot_secret_of(const char *text, struct slot_secret **ret_secret)
{
	assert_ok(slot_secret_copy(span_of_text(text), ret_secret, NULL));
}

#endif
