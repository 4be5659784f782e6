/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_MESSAGE_H
#define COF_BLOCK_ENGINE_MESSAGE_H

/*
 * What the command and the engine's process tell each other, each as one line of JSON, and the
 * facts in the lock file. Pure. The volume key is never part of it.
 */

#include "engine.h"

#define MESSAGE_MAX_BYTES 8192

/** struct order - what the process is started with; the key's bytes follow the line on stdin */
struct order {
	char name[128];
	char source[256];
	char header[256]; /* "" where it is on the source */
	size_t key_bytes;
	bool read_only;
};

/** order_format() - one line with its newline; caller frees */
char *order_format(const struct order *order);
/** order_parse() - Fails: COF_E_FORMAT (not such a line) */
cof_result order_parse(struct span line, struct order *ret_order, struct cof_error *err);

/** reply_format() - the process's one answer: @error NULL or without a code is "ready" */
char *reply_format(const struct cof_error *error);
/** reply_parse() - Fails: as the process did, with its words; COF_E_FAILED (no such line) */
cof_result reply_parse(struct span line, const char *name, struct cof_error *err);

/** facts_format() - for the lock file, from all of @volume but the loop device */
char *facts_format(const struct engine_volume *volume);
/** facts_parse() - Fails: COF_E_FORMAT (not such a line) */
cof_result facts_parse(struct span line, struct engine_volume *ret_volume,
		       struct cof_error *err);

#endif
