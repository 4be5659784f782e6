/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_TAPE_USE_H
#define COF_CLI_TAPE_USE_H

/*
 * What the verbs on tape drives share: the drive that was named, and what the vault knows of keys.
 */

#include "cli.h"
#include "find.h"
#include "job.h"
#include "tape_volume.h"

/** struct tape_use - a drive in use by this run; { .job.fd = -1 } before */
struct tape_use {
	struct tape_place place;
	struct drive *drive;
	struct tape_job job;
};
#define TAPE_USE_NONE ((struct tape_use){ .job.fd = -1 })
void tape_use_done(struct tape_use *use);

/**
 * tape_use_begin() - open the drive that somebody named; what a killed command has left in it is
 * cleared, and said
 * @shows: the verb changes nothing: another command may be at work with the drive
 * Fails: as tape_find(), drive_open(), and tape_job_begin()
 */
cof_result tape_use_begin(const struct cli_call *call, const char *name, bool shows,
			  struct tape_use *ret_use, struct cof_error *err);

/** struct tape_known - what the vault tells without asking anybody; { 0 } where there is none */
struct tape_known {
	struct vault *vault;
	char **keys; /* ids of all keys */
};
void tape_known_done(struct tape_known *known);

/** tape_known_load() - unlocked where the command line or the agent has the key, else locked.
 * Fails: as cli_open_vault() with a secret that was given; all else is nothing known */
cof_result tape_known_load(struct cli_call *call, struct tape_known *known, struct cof_error *err);

/**
 * struct tape_owner - whose a tag is
 * @known:  the vault has the key
 * @volume: that it was made for; "" where the vault is locked
 */
struct tape_owner {
	bool known;
	char volume[VAULT_NAME_MAX_BYTES + 1];
};
struct tape_owner tape_owner_of(const struct tape_known *known, const struct key_tag *tag);

/** tape_tag_json() - {"tag","ours","known","volume"}, or null where there is no tag; caller owns */
struct json *tape_tag_json(const struct key_tag *tag, const struct tape_owner *owner);
/** tape_tag_words() - "coffer1:..., the key of volume A00001L6"; returns @out */
#define TAPE_TAG_WORDS 640
char *tape_tag_words(const struct key_tag *tag, const struct tape_owner *owner,
		     char out[static TAPE_TAG_WORDS]);

/** tape_root() - the prefix of /sys, /dev and /run; borrowed */
const char *tape_root(const struct cli_call *call);

/** tape_next_words() - what a next block is; static */
const char *tape_next_words(const struct tape_next *next);
/** tape_next_name() - the same as one word for programs; static */
const char *tape_next_name(const struct tape_next *next);

#endif
