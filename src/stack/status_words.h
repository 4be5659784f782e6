/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_STATUS_WORDS_H
#define COF_STACK_STATUS_WORDS_H

/*
 * How the words for resources add up to those of a service, and how they are shown; pure.
 */

#include "driver.h"

#define STATUS_FLAGS 8

/**
 * struct status_row - one resource
 * @provisioned: MADE_DONE
 */
struct status_row {
	const char *rid;
	enum status_word word;
	bool disabled;
	bool optional;
	bool standby;
	bool monitored;
	bool running; /* an action on it is under way */
	bool provisioned;
	bool noted; /* there is something that a person should know */
};

/** enum provisioned - of a whole service */
enum provisioned { PROVISIONED_NO, PROVISIONED_YES, PROVISIONED_MIXED };

/** struct status_sum - what they add up to */
struct status_sum {
	enum status_word avail;	   /* of what the service cannot be without */
	enum status_word optional; /* of the others */
	enum status_word overall;  /* of both, and a warning where something is to be known */
	enum provisioned provisioned;
};

/** status_merge() - two words as one: n/a says nothing, up and down together are a warning */
enum status_word status_merge(enum status_word a, enum status_word b);

/** status_sum() - of @count rows; disabled ones do not count */
struct status_sum status_add_up(const struct status_row rows[], size_t count);

/** status_text() - "up"; "stdby up" where the resource is on standby; static */
const char *status_text(enum status_word word, bool standby);

/**
 * status_flags() - eight characters: R an action is under way, M watched, D disabled, O optional,
 * E in a container (never here), P not provisioned, S on standby, and restarts left (none); a dot
 * where it is not so
 */
char *status_flags(const struct status_row *row, char out[static STATUS_FLAGS + 1]);

#endif
