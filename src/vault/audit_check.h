/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_AUDIT_CHECK_H
#define COF_VAULT_AUDIT_CHECK_H

/*
 * Whether an audit log is the one that was written: its chain, its seals, and what the keystore
 * knows of it. Pure; file by file. doc/format-audit.md, section 5.
 */

#include "audit_line.h"

/**
 * struct audit_known - what is known of a log apart from the log
 * @vault:    UUID of the vault, as text
 * @partial:  the oldest files are not read: nothing is known of where the chain begins
 * @key:      of the seals of @epoch; NULL: the vault is locked and no seal is checked; borrowed
 * @has_head: the keystore names a line: number @head_seq has the chain value @head
 */
struct audit_known {
	const char *vault;
	bool partial;
	const struct wrap_key *key;
	uint32_t epoch;
	bool has_head;
	uint64_t head_seq;
	struct audit_chain head;
};

/** enum audit_fault - what is wrong with a log */
enum audit_fault {
	AUDIT_WHOLE,
	AUDIT_REMOVED,	  /* lines are missing before this one */
	AUDIT_CHANGED,	  /* other bytes than were written */
	AUDIT_REORDERED,  /* in another place than it was written, or twice */
	AUDIT_CUT_OFF,	  /* what the keystore knows of is not there */
	AUDIT_FOREIGN,	  /* the log of another vault */
	AUDIT_UNFINISHED, /* the last line has no end, and nothing marks it: a power cut, or cut */
};

/**
 * struct audit_verdict - the first fault, and what was found
 * @file:     the file of the first bad line; of the last line where there is none
 * @line:     its number in that file, from 1; 0: the log has no line
 * @text:     what is wrong with it
 * @lines:    in all files
 * @last_seq: of the last line that is good
 * @sealed_seq: the last line whose seal was proven; what is after it is chained, but not sealed
 * @torn:     lines that a power cut left unfinished, and that are marked
 */
struct audit_verdict {
	enum audit_fault fault;
	char file[64];
	uint64_t line;
	char text[256];
	uint64_t lines;
	uint64_t last_seq;
	uint64_t sealed_seq;
	uint64_t torn;
};

/** struct audit_check - a log that is being checked; audit_check_start() */
struct audit_check {
	const struct audit_known *known; /* borrowed */
	struct audit_verdict verdict;
	struct audit_chain chain;
	uint64_t first_seq;
	uint64_t next_seq;
	uint32_t epoch;
	bool head_met;
	bool unfinished;
};

void audit_check_start(struct audit_check *check, const struct audit_known *known);
/** audit_check_file() - the next file of the log, oldest first; @name: for the verdict.
 * Fails: COF_E_NOMEM, COF_E_FAILED (the library) - never because of what the log holds */
cof_result audit_check_file(struct audit_check *check, const char *name, struct span content,
			    struct cof_error *err);
/** audit_check_end() - after the last file; the verdict is complete */
void audit_check_end(struct audit_check *check);

/** audit_fault_name() - "whole", "removed", "changed", "reordered", "cut-off", "foreign",
 * "unfinished"; static */
const char *audit_fault_name(enum audit_fault fault);

#endif
