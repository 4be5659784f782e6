/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_STATE_H
#define COF_STACK_STATE_H

/*
 * What is to be remembered of a service between two runs, as JSON, pure.
 */

#include "config.h"
#include "json.h"

#define STATE_UUID_CHARS 36
#define STATE_TIME_CHARS 32

/** enum made - how far the provisioning of a resource got */
enum made {
	MADE_NOT,
	MADE_BEGUN, /* something may be there that coffer made, and no data of anybody's */
	MADE_DONE,
};

/**
 * struct resource_state - one resource
 * @since: when it was begun or done, RFC 3339
 * @uuid:  chosen before anything is written: what has it is coffer's own work
 * @own:   coffer has made it, and did not find it there
 */
struct resource_state {
	char rid[CONFIG_NAME_CHARS];
	enum made made;
	char since[STATE_TIME_CHARS];
	char uuid[STATE_UUID_CHARS + 1];
	bool own;
};

/**
 * struct service_state - { 0 } is that of a service which nothing was done with
 * @frozen:  since when it is left alone at boot; "" for not
 * @started: it was started, and not stopped since
 * @action:  the verb under way, or that was cut off; ""
 * @failed:  the verb that failed last, and since when nothing succeeded; ""
 */
struct service_state {
	char id[STATE_UUID_CHARS + 1];
	char frozen[STATE_TIME_CHARS];
	bool started;
	char action[16];
	char failed[16];
	struct resource_state *resources;
	size_t count;
};
void service_state_done(struct service_state *state);

/** state_of() - of one resource, MADE_NOT where nothing is known; made if missing.
 * Fails: COF_E_NOMEM */
cof_result state_of(struct service_state *state, const char *rid, struct resource_state **ret_state,
		    struct cof_error *err);
/** state_made() - how far one resource is */
enum made state_made(const struct service_state *state, const char *rid);

/** state_parse() - Fails: COF_E_FORMAT, COF_E_NOMEM */
cof_result state_parse(struct span text, const char *subject, struct service_state *ret_state,
		       struct cof_error *err);
/** state_format() - @ret_text: appended. Fails: COF_E_NOMEM */
cof_result state_format(const struct service_state *state, struct buffer *ret_text,
			struct cof_error *err);

#endif
