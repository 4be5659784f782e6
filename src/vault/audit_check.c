/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of an audit log. Only the first fault is reported: after it, nothing is certain.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_check.h"

/* The lines of one file. */
struct lines {
	struct audit_item *items;
	size_t count;
	size_t room;
};

static void lines_done(struct lines *lines)
{
	free(lines->items);
}

const char *audit_fault_name(enum audit_fault fault)
{
	static const char *const names[] = {
		[AUDIT_WHOLE] = "whole",	 [AUDIT_REMOVED] = "removed",
		[AUDIT_CHANGED] = "changed",	 [AUDIT_REORDERED] = "reordered",
		[AUDIT_CUT_OFF] = "cut-off",	 [AUDIT_FOREIGN] = "foreign",
		[AUDIT_UNFINISHED] = "unfinished",
	};

	return names[fault];
}

/* Notes the first fault; @line: from 1, 0 for none. */
__attribute__((format(printf, 5, 6))) static void blame(struct audit_check *check,
							enum audit_fault fault, const char *file,
							uint64_t line, const char *format, ...)
{
	struct audit_verdict *verdict = &check->verdict;
	va_list arguments;

	verdict->fault = fault;
	verdict->line = line;
	if (file)
		(void)snprintf(verdict->file, sizeof(verdict->file), "%s", file);
	va_start(arguments, format);
	(void)vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
	va_end(arguments);
}

/* Reads all lines of a file. One without a newline is not whole, whatever it says. */
static cof_result split(struct span content, struct lines *lines, bool *ret_unfinished,
			struct cof_error *err)
{
	struct span line;
	bool ended = true;

	while (audit_next_line(&content, &line, &ended)) {
		if (lines->count == lines->room) {
			size_t room = lines->room ? 2 * lines->room : 64;
			struct audit_item *grown =
				reallocarray(lines->items, room, sizeof(*grown));

			ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu lines", room);
			lines->items = grown;
			lines->room = room;
		}
		TRY(audit_item_read(line, &lines->items[lines->count], err));
		lines->items[lines->count].whole &= ended;
		lines->count++;
	}
	*ret_unfinished = !ended;
	return COF_OK;
}

/* Whether the line after item @at was chained to it as it is now. */
static bool next_agrees(const struct lines *lines, size_t at)
{
	return at + 1 < lines->count && lines->items[at + 1].whole &&
	       audit_chain_equal(&lines->items[at + 1].prev, &lines->items[at].own);
}

/* Whether number @seq comes anywhere behind item @at. */
static bool comes_later(const struct lines *lines, size_t at, uint64_t seq)
{
	for (size_t i = at + 1; i < lines->count; i++)
		if (lines->items[i].whole && lines->items[i].seq == seq)
			return true;
	return false;
}

/* Names the fault of a line whose number is not the next one. */
static void blame_number(struct audit_check *check, const char *name, const struct lines *lines,
			 size_t at)
{
	const struct audit_item *item = &lines->items[at];
	uint64_t wanted = check->next_seq;
	bool next_is_right = at + 1 < lines->count && lines->items[at + 1].whole &&
			     lines->items[at + 1].seq == wanted + 1;

	if (next_is_right && !next_agrees(lines, at) && !comes_later(lines, at, wanted))
		blame(check, AUDIT_CHANGED, name, at + 1, "says number %llu where %llu was written",
		      (unsigned long long)item->seq, (unsigned long long)wanted);
	else if (item->seq < wanted || comes_later(lines, at, wanted))
		blame(check, AUDIT_REORDERED, name, at + 1,
		      "is number %llu, and stands where %llu belongs",
		      (unsigned long long)item->seq, (unsigned long long)wanted);
	else
		blame(check, AUDIT_REMOVED, name, at + 1,
		      "is number %llu: the lines from %llu to %llu before it are missing",
		      (unsigned long long)item->seq, (unsigned long long)wanted,
		      (unsigned long long)item->seq - 1);
}

/* Names the fault of a line that is not chained to the one before. */
static cof_result blame_chain(struct audit_check *check, const char *name,
			      const struct lines *lines, size_t at, struct cof_error *err)
{
	const struct audit_item *item = &lines->items[at];
	bool is_last = at + 1 == lines->count;
	bool is_genuine = next_agrees(lines, at);

	if (is_last && item->role == AUDIT_IS_SEAL && check->known->key)
		TRY(audit_item_sealed(item, check->known->key, &is_genuine, err));
	else if (is_last)
		is_genuine = true;
	if (is_genuine && at > 0)
		blame(check, AUDIT_CHANGED, name, at,
		      "is not what the line after it was chained to");
	else
		blame(check, AUDIT_CHANGED, name, at + 1, "is not chained to the line before it");
	return COF_OK;
}

/* The first line of all: how the chain begins, and whose it is. */
static void check_first(struct audit_check *check, const char *name, const struct audit_item *item)
{
	static const struct audit_chain none;

	check->first_seq = item->seq;
	if (check->known->partial) {
		check->chain = item->prev;
		check->next_seq = item->seq;
		return;
	}
	if (item->role != AUDIT_IS_BEGIN || !audit_chain_equal(&item->prev, &none)) {
		blame(check, AUDIT_REMOVED, name, 1,
		      "is number %llu: the log's beginning is missing",
		      (unsigned long long)item->seq);
		return;
	}
	if (strcmp(item->vault, check->known->vault) != 0)
		blame(check, AUDIT_FOREIGN, name, 1, "is the log of vault %s, not of %s",
		      item->vault, check->known->vault);
	check->next_seq = item->seq;
}

/* A seal: of the present epoch it must be ours; one of an earlier epoch is proven by a later seal
 * alone, because its key is no more. */
static cof_result check_seal(struct audit_check *check, const char *name,
			     const struct audit_item *item, size_t at, struct cof_error *err)
{
	const struct audit_known *known = check->known;
	bool sealed;

	if (item->epoch < check->epoch || (known->key && item->epoch > known->epoch)) {
		blame(check, AUDIT_CHANGED, name, at + 1, "is a seal of epoch %u after one of %u",
		      item->epoch, check->epoch);
		return COF_OK;
	}
	check->epoch = item->epoch;
	if (!known->key || item->epoch != known->epoch)
		return COF_OK;
	TRY(audit_item_sealed(item, known->key, &sealed, err));
	if (sealed)
		check->verdict.sealed_seq = item->seq;
	else
		blame(check, AUDIT_CHANGED, name, at + 1,
		      "does not seal the lines before it: one after number %llu is not what the "
		      "vault wrote",
		      (unsigned long long)check->verdict.sealed_seq);
	return COF_OK;
}

/* Compares the line that the keystore names. */
static void check_head(struct audit_check *check, const char *name, const struct audit_item *item,
		       size_t at)
{
	const struct audit_known *known = check->known;

	if (!known->has_head || item->seq != known->head_seq)
		return;
	check->head_met = true;
	if (!audit_chain_equal(&item->own, &known->head))
		blame(check, AUDIT_CUT_OFF, name, at + 1,
		      "is not the line %llu that the keystore knows: the log was cut off before it "
		      "and went on, or is another one",
		      (unsigned long long)item->seq);
}

/* A line that cannot be read: left by a power cut if the next one says so. */
static void check_broken(struct audit_check *check, const char *name, const struct lines *lines,
			 size_t at)
{
	if (next_agrees(lines, at) && lines->items[at + 1].role == AUDIT_IS_TORN &&
	    check->verdict.lines > 0) {
		check->chain = lines->items[at].own;
		check->verdict.torn++;
		return;
	}
	if (at + 1 == lines->count && check->unfinished)
		return;
	blame(check, AUDIT_CHANGED, name, at + 1, "is no line of an audit log");
}

/* One line, with those around it. */
static cof_result check_line(struct audit_check *check, const char *name, const struct lines *lines,
			     size_t at, struct cof_error *err)
{
	const struct audit_item *item = &lines->items[at];
	uint64_t sealed_before = check->verdict.sealed_seq;

	if (!item->whole) {
		check_broken(check, name, lines, at);
		return COF_OK;
	}
	if (check->verdict.lines == 0)
		check_first(check, name, item);
	if (check->verdict.fault != AUDIT_WHOLE)
		return COF_OK;
	if (item->seq != check->next_seq) {
		blame_number(check, name, lines, at);
		return COF_OK;
	}
	if (!audit_chain_equal(&item->prev, &check->chain))
		return blame_chain(check, name, lines, at, err);
	if (item->role == AUDIT_IS_SEAL)
		TRY(check_seal(check, name, item, at, err));
	if (check->verdict.fault == AUDIT_WHOLE)
		check_head(check, name, item, at);
	if (check->verdict.fault != AUDIT_WHOLE) {
		check->verdict.sealed_seq = sealed_before;
		return COF_OK;
	}
	check->chain = item->own;
	check->verdict.last_seq = item->seq;
	check->next_seq = item->seq + 1;
	return COF_OK;
}

void audit_check_start(struct audit_check *check, const struct audit_known *known)
{
	*check = (struct audit_check){ .known = known, .next_seq = 1 };
}

cof_result audit_check_file(struct audit_check *check, const char *name, struct span content,
			    struct cof_error *err)
{
	_cleanup_(lines_done) struct lines lines = { 0 };

	if (check->verdict.fault == AUDIT_WHOLE && check->unfinished)
		blame(check, AUDIT_CHANGED, name, 1, "follows a file whose last line has no end");
	TRY(split(content, &lines, &check->unfinished, err));
	for (size_t i = 0; i < lines.count; i++) {
		if (check->verdict.fault == AUDIT_WHOLE)
			TRY(check_line(check, name, &lines, i, err));
		check->verdict.lines++;
	}
	if (check->verdict.fault == AUDIT_WHOLE && lines.count > 0) {
		(void)snprintf(check->verdict.file, sizeof(check->verdict.file), "%s", name);
		check->verdict.line = lines.count;
	}
	return COF_OK;
}

void audit_check_end(struct audit_check *check)
{
	const struct audit_known *known = check->known;

	if (check->verdict.fault != AUDIT_WHOLE)
		return;
	if (known->has_head && !check->head_met &&
	    !(known->partial && known->head_seq < check->first_seq))
		blame(check, AUDIT_CUT_OFF, NULL, check->verdict.line,
		      "ends with number %llu; the keystore knows of number %llu",
		      (unsigned long long)check->verdict.last_seq,
		      (unsigned long long)known->head_seq);
	else if (check->unfinished)
		blame(check, AUDIT_UNFINISHED, NULL, check->verdict.line,
		      "has no end: the power went while it was written, or it was cut off");
}
