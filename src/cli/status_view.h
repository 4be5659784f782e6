/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_STATUS_VIEW_H
#define COF_CLI_STATUS_VIEW_H

/*
 * What `coffer status` shows, pure: facts in, one screen or JSON out.
 */

#include <stdio.h>

#include "agent.h"
#include "finding.h"
#include "json.h"
#include "status_backup.h"
#include "vault.h"

#define STATUS_DISKS_SHOWN 10 /* so that the whole fits a screen of 24 lines */

/**
 * struct status_disk - one disk of the vault
 * @state:  "open", "closed", "dead", "absent", "half-formatted", ...; static
 * @source: the device on which it is open, or ""
 * @header: "good", "damaged", "older", "other", "unknown"; "" where it was not looked at; static
 */
struct status_disk {
	const char *name;
	const char *state;
	char source[256];
	const char *header;
};

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
 * @disks:   those that the vault knows
 * @notes:   on the last backup and drill; may be NULL
 * @findings: what is wrong or due; may be NULL
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
	const struct status_disk *disks;
	size_t disk_count;
	const struct status_backup *notes;
	const struct finding_list *findings;
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
/* ---- what is wrong or due (status_findings.c) ---- */

/** status_has_recovery() - whether any slot opens with a recovery key */
bool status_has_recovery(const struct status_facts *facts);
/** status_header_error() - what is wrong with a header that is not VAULT_HEADER_KEPT, and what to
 * do about it */
void status_header_error(enum vault_header header, struct cof_error *ret_error);
/** status_header_warning() - the same as one line; returns @out */
char *status_header_warning(enum vault_header header, char out[static FINDING_TEXT_CHARS]);
/** status_findings() - add what a person should do something about. Fails: COF_E_NOMEM */
cof_result status_findings(const struct status_facts *facts, struct finding_list *list,
			   struct cof_error *err);

#endif
