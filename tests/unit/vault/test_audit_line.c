/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pure part of the audit log: a log as it is written, and every way to tamper with it.
 */

#include "audit_check.h"
#include "unit.h"

#include <stdio.h>

#define VAULT "00112233-4455-6677-8899-aabbccddeeff"
#define LINES 12
#define WHEN  1795280400 /* 2026-11-21T17:00:00Z */

/* A log whose lines 4, 8 and 12 are seals, and what is known of it. */
struct log {
	struct buffer lines[LINES];
	struct audit_chain chains[LINES];
	struct wrap_key *key;
	struct wrap_key *other_key;
	struct audit_known known;
};

static struct wrap_key *make_key(uint8_t fill)
{
	struct wrap_key *key = NULL;

	assert_ok(wrap_key_new(32, &key, NULL));
	memset(key->secret.data, fill, 32);
	return key;
}

/* Writes line @at, chained to the one before. */
static void write_line(struct log *log, size_t at, const struct wrap_key *key)
{
	_cleanup_json_ struct json *detail = json_new_object();
	struct audit_stamp stamp = { .seq = at + 1, .when = WHEN + (int64_t)at, .boot = "b" };
	struct audit_text text = { .event = "disk.open", .result = "done", .detail = detail };
	bool seals = at % 4 == 3;

	text.subject = "enc-a";
	if (at == 0) {
		text.event = AUDIT_BEGIN;
		json_set_text(detail, "vault", VAULT);
	}
	if (seals) {
		text.event = AUDIT_SEAL;
		json_set_uint(detail, "epoch", 1);
	}
	if (at > 0)
		stamp.prev = log->chains[at - 1];
	log->lines[at].len = 0;
	assert_ok(audit_line_format(&stamp, &text, &log->lines[at], NULL));
	if (seals)
		assert_ok(audit_line_seal(key, &log->lines[at], NULL));
	assert_ok(audit_chain_of(buffer_span(&log->lines[at]), &log->chains[at], NULL));
}

static int setup(void **state)
{
	struct log *log = calloc(1, sizeof(*log));

	assert_non_null(log);
	log->key = make_key(1);
	log->other_key = make_key(2);
	for (size_t i = 0; i < LINES; i++)
		write_line(log, i, log->key);
	log->known = (struct audit_known){ .vault = VAULT,
					   .key = log->key,
					   .epoch = 1,
					   .has_head = true,
					   .head_seq = LINES,
					   .head = log->chains[LINES - 1] };
	*state = log;
	return 0;
}

static int teardown(void **state)
{
	struct log *log = *state;

	for (size_t i = 0; i < LINES; i++)
		buffer_done(&log->lines[i]);
	wrap_key_free(log->key);
	wrap_key_free(log->other_key);
	free(log);
	return 0;
}

/* The lines named by @order, up to -1, as the bytes of a file. */
static void join(const struct log *log, const int order[], struct buffer *out)
{
	for (size_t i = 0; order[i] >= 0; i++) {
		assert_ok(buffer_add(out, log->lines[order[i]].data, log->lines[order[i]].len,
				     NULL));
		assert_ok(buffer_add_u8(out, '\n', NULL));
	}
}

static void join_all(const struct log *log, struct buffer *out)
{
	int order[LINES + 1];

	for (int i = 0; i < LINES; i++)
		order[i] = i;
	order[LINES] = -1;
	join(log, order, out);
}

static struct audit_verdict check(const struct log *log, struct span content)
{
	struct audit_check running;

	audit_check_start(&running, &log->known);
	assert_ok(audit_check_file(&running, "audit.log", content, NULL));
	audit_check_end(&running);
	return running.verdict;
}

static struct audit_verdict check_order(const struct log *log, const int order[])
{
	_cleanup_buffer_ struct buffer content = { 0 };

	join(log, order, &content);
	return check(log, buffer_span(&content));
}

static void test_check_of_a_whole_log_finds_nothing(void **state)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	struct audit_verdict verdict;

	join_all(*state, &content);
	verdict = check(*state, buffer_span(&content));
	assert_int_equal(verdict.fault, AUDIT_WHOLE);
	assert_int_equal(verdict.lines, LINES);
	assert_int_equal(verdict.last_seq, LINES);
	assert_int_equal(verdict.sealed_seq, LINES);
}

static void test_check_goes_on_over_files(void **state)
{
	const struct log *log = *state;

	for (int first = 1; first < LINES; first++) {
		_cleanup_buffer_ struct buffer one = { 0 };
		_cleanup_buffer_ struct buffer two = { 0 };
		struct audit_check running;

		audit_check_start(&running, &log->known);
		for (int i = 0; i < LINES; i++)
			join(log, (const int[]){ i, -1 }, i < first ? &one : &two);
		assert_ok(audit_check_file(&running, "audit-1.log", buffer_span(&one), NULL));
		assert_ok(audit_check_file(&running, "audit.log", buffer_span(&two), NULL));
		audit_check_end(&running);
		assert_int_equal(running.verdict.fault, AUDIT_WHOLE);
		assert_int_equal(running.verdict.sealed_seq, LINES);
	}
}

static void test_check_finds_every_removed_line(void **state)
{
	for (int gone = 0; gone < LINES; gone++) {
		struct audit_verdict verdict;
		int order[LINES + 1];
		int used = 0;

		for (int i = 0; i < LINES; i++)
			if (i != gone)
				order[used++] = i;
		order[used] = -1;
		verdict = check_order(*state, order);
		if (gone == LINES - 1) {
			assert_int_equal(verdict.fault, AUDIT_CUT_OFF);
			continue;
		}
		assert_int_equal(verdict.fault, AUDIT_REMOVED);
		assert_int_equal(verdict.line, gone + 1);
	}
}

static void test_check_finds_every_pair_of_swapped_lines(void **state)
{
	for (int a = 1; a < LINES; a++)
		for (int b = a + 1; b < LINES; b++) {
			struct audit_verdict verdict;
			int order[LINES + 1];

			for (int i = 0; i < LINES; i++)
				order[i] = i == a ? b : i == b ? a : i;
			order[LINES] = -1;
			verdict = check_order(*state, order);
			assert_int_equal(verdict.fault, AUDIT_REORDERED);
			assert_int_equal(verdict.line, a + 1);
		}
}

static void test_check_finds_every_line_that_is_there_twice(void **state)
{
	for (int twice = 0; twice < LINES; twice++) {
		struct audit_verdict verdict;
		int order[LINES + 2];
		int used = 0;

		for (int i = 0; i < LINES; i++) {
			order[used++] = i;
			if (i == twice)
				order[used++] = i;
		}
		order[used] = -1;
		verdict = check_order(*state, order);
		assert_int_equal(verdict.fault, AUDIT_REORDERED);
		assert_int_equal(verdict.line, twice + 2);
	}
}

/* Number of the line that byte @offset is in, from 1. */
static uint64_t line_at(const struct buffer *content, size_t offset)
{
	uint64_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += content->data[i] == '\n';
	return line;
}

static void test_check_finds_every_changed_byte(void **state)
{
	_cleanup_buffer_ struct buffer content = { 0 };

	join_all(*state, &content);
	for (size_t i = 0; i < content.len; i++) {
		uint64_t line = line_at(&content, i);
		struct audit_verdict verdict;

		content.data[i] ^= 1;
		verdict = check(*state, buffer_span(&content));
		content.data[i] ^= 1;
		if (verdict.fault == AUDIT_WHOLE)
			fail_msg("byte %zu of line %llu", i, (unsigned long long)line);
		/* A newline joins two lines, and the last line has nothing after it to tell. */
		if (content.data[i] != '\n' && line < LINES && verdict.line != line)
			fail_msg("byte %zu of line %llu: blamed is %llu: %s", i,
				 (unsigned long long)line, (unsigned long long)verdict.line,
				 verdict.text);
	}
}

static void test_check_finds_a_log_cut_off_at_every_byte(void **state)
{
	const struct log *log = *state;
	_cleanup_buffer_ struct buffer content = { 0 };

	join_all(log, &content);
	for (size_t len = 0; len < content.len; len++) {
		struct audit_verdict verdict = check(log, SPAN(content.data, len));

		assert_int_not_equal(verdict.fault, AUDIT_WHOLE);
	}
}

static void test_check_without_a_note_finds_a_last_line_cut_off_at_every_byte(void **state)
{
	struct log *log = *state;
	_cleanup_buffer_ struct buffer content = { 0 };
	size_t last = log->lines[LINES - 1].len + 1;

	log->known.has_head = false;
	join_all(log, &content);
	for (size_t len = content.len - last + 1; len < content.len; len++) {
		struct audit_verdict verdict = check(log, SPAN(content.data, len));

		assert_int_equal(verdict.fault, AUDIT_UNFINISHED);
		assert_int_equal(verdict.line, LINES);
	}
}

/* Chains all lines from @from on anew, as who does not have the key can. */
static void forge_from(struct log *log, size_t from)
{
	log->lines[from].len = 0;
	for (size_t i = from; i < LINES; i++)
		write_line(log, i, log->other_key);
}

static void test_check_finds_lines_that_were_chained_anew(void **state)
{
	struct log *log = *state;

	log->known.has_head = false;
	for (size_t from = LINES; from > 0; from--) {
		_cleanup_buffer_ struct buffer content = { 0 };
		struct audit_verdict verdict;

		forge_from(log, from - 1);
		join_all(log, &content);
		verdict = check(log, buffer_span(&content));
		assert_int_equal(verdict.fault, AUDIT_CHANGED);
		/* The first seal after it. */
		assert_int_equal(verdict.line, (from + 3) / 4 * 4);
	}
}

static void test_check_finds_lines_that_replace_what_was_noted(void **state)
{
	struct log *log = *state;
	_cleanup_buffer_ struct buffer content = { 0 };
	struct audit_verdict verdict;

	/* Cut off after a seal, and gone on from there by the vault itself. */
	log->known.head.bytes[0] ^= 1;
	join_all(log, &content);
	verdict = check(log, buffer_span(&content));
	assert_int_equal(verdict.fault, AUDIT_CUT_OFF);
	assert_int_equal(verdict.line, LINES);
}

static void test_check_finds_the_log_of_another_vault(void **state)
{
	struct log *log = *state;
	_cleanup_buffer_ struct buffer content = { 0 };

	log->known.vault = "ffffffff-4455-6677-8899-aabbccddeeff";
	join_all(log, &content);
	assert_int_equal(check(log, buffer_span(&content)).fault, AUDIT_FOREIGN);
}

static void test_check_of_a_locked_vault_still_follows_the_chain(void **state)
{
	struct log *log = *state;
	_cleanup_buffer_ struct buffer content = { 0 };

	log->known.key = NULL;
	join_all(log, &content);
	assert_int_equal(check(log, buffer_span(&content)).fault, AUDIT_WHOLE);
	content.data[log->lines[0].len + 30] ^= 1;
	assert_int_equal(check(log, buffer_span(&content)).fault, AUDIT_CHANGED);
}

static void test_check_takes_seals_of_an_earlier_epoch_when_a_later_one_follows(void **state)
{
	struct log *log = *state;
	_cleanup_buffer_ struct buffer content = { 0 };
	struct audit_verdict verdict;

	log->known.epoch = 2;
	log->known.key = log->other_key;
	join_all(log, &content);
	verdict = check(log, buffer_span(&content));
	assert_int_equal(verdict.fault, AUDIT_WHOLE);
	assert_int_equal(verdict.sealed_seq, 0);
}

static void test_check_refuses_a_seal_of_a_later_epoch(void **state)
{
	struct log *log = *state;
	_cleanup_buffer_ struct buffer content = { 0 };

	log->known.epoch = 0;
	join_all(log, &content);
	assert_int_equal(check(log, buffer_span(&content)).fault, AUDIT_CHANGED);
}

static void test_check_counts_a_torn_line_that_is_marked(void **state)
{
	struct log *log = *state;
	struct audit_stamp stamp = { .seq = LINES + 1, .when = WHEN };
	struct audit_text text = { .event = AUDIT_TORN, .result = "done" };
	_cleanup_buffer_ struct buffer content = { 0 };
	struct audit_verdict verdict;

	join_all(log, &content);
	assert_ok(buffer_add_text(&content, NULL, "{\"seq\":13,\"ti\n"));
	assert_ok(audit_chain_of(span_of_text("{\"seq\":13,\"ti"), &stamp.prev, NULL));
	assert_ok(audit_line_format(&stamp, &text, &content, NULL));
	assert_ok(buffer_add_u8(&content, '\n', NULL));
	verdict = check(log, buffer_span(&content));
	assert_int_equal(verdict.fault, AUDIT_WHOLE);
	assert_int_equal(verdict.torn, 1);
	assert_int_equal(verdict.last_seq, LINES + 1);
	content.data[content.len - 100] ^= 1;
	assert_int_not_equal(check(log, buffer_span(&content)).fault, AUDIT_WHOLE);
}

static void test_line_format_refuses_a_line_that_is_too_long(void **state)
{
	_cleanup_json_ struct json *detail = json_new_object();
	_cleanup_buffer_ struct buffer out = { 0 };
	struct audit_text text = { .event = "disk.open", .result = "done", .detail = detail };
	char *long_text = calloc(1, AUDIT_LINE_MAX_BYTES + 1);

	assert_non_null(long_text);
	memset(long_text, 'a', AUDIT_LINE_MAX_BYTES);
	json_set_text(detail, "long", long_text);
	free(long_text);
	assert_fails(audit_line_format(&(struct audit_stamp){ .seq = 1 }, &text, &out, NULL),
		     COF_E_USAGE);
	assert_int_equal(out.len, 0);
}

static void test_line_format_keeps_a_subject_with_a_newline_on_one_line(void **state)
{
	_cleanup_buffer_ struct buffer out = { 0 };
	struct audit_text text = { .event = "disk.open", .result = "done", .subject = "a\nb\"}" };
	struct audit_item item;

	assert_ok(audit_line_format(&(struct audit_stamp){ .seq = 7, .back_seconds = 3 }, &text,
				    &out, NULL));
	assert_null(memchr(out.data, '\n', out.len));
	assert_ok(audit_item_read(buffer_span(&out), &item, NULL));
	assert_true(item.whole);
	assert_int_equal(item.seq, 7);
}

static void test_line_seal_refuses_what_is_no_line(void **state)
{
	const struct log *log = *state;
	_cleanup_buffer_ struct buffer out = { 0 };

	assert_fails(audit_line_seal(log->key, &out, NULL), COF_E_FORMAT);
}

static void test_time_parse_takes_times_and_dates_alone(void **state)
{
	int64_t when;

	assert_ok(audit_time_parse("2026-11-21T17:00:00Z", &when, NULL));
	assert_int_equal(when, WHEN);
	assert_ok(audit_time_parse("2026-11-21", &when, NULL));
	assert_int_equal(when, WHEN - 17 * 3600);
	assert_fails(audit_time_parse("2026-11-21T17:00:00", &when, NULL), COF_E_USAGE);
	assert_fails(audit_time_parse("yesterday", &when, NULL), COF_E_USAGE);
	assert_fails(audit_time_parse("1969-11-21", &when, NULL), COF_E_USAGE);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_check_of_a_whole_log_finds_nothing),
		LOG_TEST(test_check_goes_on_over_files),
		LOG_TEST(test_check_finds_every_removed_line),
		LOG_TEST(test_check_finds_every_pair_of_swapped_lines),
		LOG_TEST(test_check_finds_every_line_that_is_there_twice),
		LOG_TEST(test_check_finds_every_changed_byte),
		LOG_TEST(test_check_finds_a_log_cut_off_at_every_byte),
		LOG_TEST(test_check_without_a_note_finds_a_last_line_cut_off_at_every_byte),
		LOG_TEST(test_check_finds_lines_that_were_chained_anew),
		LOG_TEST(test_check_finds_lines_that_replace_what_was_noted),
		LOG_TEST(test_check_finds_the_log_of_another_vault),
		LOG_TEST(test_check_of_a_locked_vault_still_follows_the_chain),
		LOG_TEST(test_check_takes_seals_of_an_earlier_epoch_when_a_later_one_follows),
		LOG_TEST(test_check_refuses_a_seal_of_a_later_epoch),
		LOG_TEST(test_check_counts_a_torn_line_that_is_marked),
		LOG_TEST(test_line_format_refuses_a_line_that_is_too_long),
		LOG_TEST(test_line_format_keeps_a_subject_with_a_newline_on_one_line),
		LOG_TEST(test_line_seal_refuses_what_is_no_line),
		LOG_TEST(test_time_parse_takes_times_and_dates_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
