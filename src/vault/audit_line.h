/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_AUDIT_LINE_H
#define COF_VAULT_AUDIT_LINE_H

/*
 * Lines of the audit log: how they are written, read, chained and sealed. Pure.
 * doc/format-audit.md, sections 2 to 4.
 */

#include "json.h"
#include "kdf.h"

#define AUDIT_LINE_MAX_BYTES 65536
#define AUDIT_VAULT_CHARS    36

/* Events that the log itself makes. */
#define AUDIT_BEGIN "audit.begin"
#define AUDIT_TORN  "audit.torn"
#define AUDIT_SEAL  "audit.seal"

/** struct audit_chain - SHA-256 of a line without its newline; zeroes: there is none before */
struct audit_chain {
	uint8_t bytes[SHA256_BYTES];
};

/** audit_chain_of() - Fails: COF_E_FAILED (the library) */
cof_result audit_chain_of(struct span line, struct audit_chain *ret_chain, struct cof_error *err);
bool audit_chain_equal(const struct audit_chain *a, const struct audit_chain *b);

/**
 * struct audit_stamp - where and when a line is written
 * @seq:          from 1
 * @when:         seconds since 1970
 * @back_seconds: the clock shows that much less than at the line before; 0 otherwise
 * @boot:         boot id; NULL: unknown
 * @prev:         of the line before
 */
struct audit_stamp {
	uint64_t seq;
	int64_t when;
	uint64_t back_seconds;
	const char *boot;
	struct audit_chain prev;
};

/**
 * struct audit_text - what a line says
 * @result: "done", "started", "refused" or "failed"
 * @code:   why not; NULL where it was done
 * @detail: borrowed; may be NULL
 * @who:    borrowed; may be NULL
 */
struct audit_text {
	const char *event;
	const char *subject; /* may be NULL */
	const char *result;
	const char *code;
	struct json *detail;
	struct json *who;
};

/** audit_line_format() - one line without its newline, appended to @out.
 * Fails: COF_E_USAGE (longer than AUDIT_LINE_MAX_BYTES), COF_E_NOMEM */
cof_result audit_line_format(const struct audit_stamp *stamp, const struct audit_text *text,
			     struct buffer *out, struct cof_error *err);
/** audit_line_seal() - add the seal to a whole line in @line: an HMAC of all that is before it.
 * Fails: COF_E_FORMAT (no line), COF_E_NOMEM */
cof_result audit_line_seal(const struct wrap_key *key, struct buffer *line, struct cof_error *err);

enum audit_role { AUDIT_IS_EVENT, AUDIT_IS_BEGIN, AUDIT_IS_TORN, AUDIT_IS_SEAL };

/**
 * struct audit_item - one line as it was read, not trusted
 * @text:  without its newline; borrowed
 * @whole: it is a line of ours, and a newline follows. Else all below but @own is zero
 * @own:   its chain value
 * @when:  seconds since 1970; 0 where it says none
 * @epoch: of a seal
 * @vault: of the first line
 */
struct audit_item {
	struct span text;
	bool whole;
	enum audit_role role;
	uint64_t seq;
	int64_t when;
	struct audit_chain prev;
	struct audit_chain own;
	uint32_t epoch;
	char vault[AUDIT_VAULT_CHARS + 1];
};

/** audit_item_read() - @line without its newline; what is no line of ours is not whole.
 * Fails: COF_E_FAILED (the library) */
cof_result audit_item_read(struct span line, struct audit_item *ret_item, struct cof_error *err);
/** audit_item_sealed() - whether a seal is that of @key */
cof_result audit_item_sealed(const struct audit_item *item, const struct wrap_key *key,
			     bool *ret_sealed, struct cof_error *err);
/** audit_next_line() - cut the next line off @rest; false at its end. @ret_ended: by a newline */
bool audit_next_line(struct span *rest, struct span *ret_line, bool *ret_ended);
/** audit_time_parse() - "2026-11-20T17:00:00Z", or its date alone, in seconds since 1970.
 * Fails: COF_E_USAGE */
cof_result audit_time_parse(const char *text, int64_t *ret_when, struct cof_error *err);

#endif
