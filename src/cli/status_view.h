/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_STATUS_VIEW_H
#define COF_CLI_STATUS_VIEW_H

/*
 * What `coffer status` shows, pure: facts in, one screen or JSON out.
 */

#include <stdio.h>

#include "agent.h"
#include "json.h"
#include "status_backup.h"
#include "vault.h"

/**
 * struct status_facts - all that status found out; borrowed
 * @state:   of the vault
 * @header:  whether root.luks is as its copy says
 * @header_unknown: that could not be found out, because of @header_missing or a keystore that
 *           cannot be read
 * @mirrors_unknown: a line of the configuration cannot be used, which may be about mirrors
 * @keystore_unknown: the keystore cannot be read, and with it the epoch, revision, disks and notes
 * @checked: every record was read, and opened: there are @records; and so were the copies in
 *           @mirrors_read mirrors
 * @created: seconds since 1970, 0 when the vault is locked
 * @copy_cause, @copy_remedy: of a vault that is absent: the copy that a mirror has; ""
 * @disks:   names of the disks that the vault knows, NULL-terminated; may be NULL
 * @notes:   on the last backup and drill; may be NULL
 * @disk_notes: what is wrong with disks' headers, NULL-terminated; may be NULL
 */
struct status_facts {
	enum { STATUS_ABSENT, STATUS_LOCKED, STATUS_UNLOCKED } state;
	enum vault_header header;
	bool header_unknown;
	bool header_missing;
	bool keystore_unknown;
	bool checked;
	size_t records;
	size_t mirrors_read;
	const char *folder;
	char uuid[37];
	uint32_t epoch;
	uint64_t revision;
	time_t created;
	const struct vault_slot *slots;
	size_t slot_count;
	const struct vault_mirror *mirrors;
	size_t mirror_count;
	bool mirrors_unknown;
	struct agent_status agent;
	char copy_cause[1024];
	char copy_remedy[512];
	const char *const *disks;
	size_t disks_open;
	size_t disks_dead;
	char *const *disk_notes;
	const struct status_backup *notes;
};

/** status_json() - the whole document */
struct json *status_json(const struct status_facts *facts);
/** status_print() - one screen for people */
void status_print(const struct status_facts *facts, FILE *file);
/** slots_json() - an array of unlock methods */
struct json *slots_json(const struct vault_slot *slots, size_t count);

/** mirrors_json() - an array of mirrors */
struct json *mirrors_json(const struct vault_mirror *mirrors, size_t count);

/** status_time_left() - "7h 59m"; returns @out */
#define STATUS_TIME_CHARS 32
char *status_time_left(uint64_t seconds, char out[static STATUS_TIME_CHARS]);

/** status_mirror_name() - "current", "behind", "away", "failed", "newer", "damaged" */
const char *status_mirror_name(const struct vault_mirror *mirror);
/** status_header_warning() - what to do about a header that is not VAULT_HEADER_KEPT */
const char *status_header_warning(enum vault_header header);

/** status_warnings() - what a person should do something about */
void status_warnings(const struct status_facts *facts, status_visit_warning visit, void *context);

#endif
