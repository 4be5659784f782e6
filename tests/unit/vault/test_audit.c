/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The audit log of a real vault: what is written when, what the keystore notes, what stays found.
 */

#include "audit_file.h"
#include "audit_head.h"
#include "fixture.h"

static enum audit_fault fault_of(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);
	struct audit_verdict verdict;

	assert_ok(audit_verify(vault, &verdict, &f->err));
	return verdict.fault;
}

/* How far the keystore says that the log goes. */
static uint64_t noted(struct fixture *f, struct vault *vault)
{
	struct audit_chain chain;
	uint64_t seq = 0;
	bool found;

	assert_ok(audit_head_get(vault, &seq, &chain, &found, &f->err));
	return found ? seq : 0;
}

static long lines_with(struct fixture *f, const char *text)
{
	return fixture_number("grep -c '%s' '%s/audit.log' || true", text, f->paths.vault_dir);
}

static void test_audit_write_is_sealed_when_the_vault_is_closed(void **state)
{
	struct fixture *f = *state;
	struct vault *vault;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(audit_write(vault,
			      &(struct audit_entry){ .event = AUDIT_DISK_OPEN, .subject = "a" },
			      &f->err));
	assert_int_equal(lines_with(f, "audit.seal"), 1);
	vault_close(vault);
	assert_int_equal(lines_with(f, "audit.seal"), 2);
	assert_int_equal(fault_of(f), AUDIT_WHOLE);
}

static void test_audit_flush_seals_before_anything_is_destroyed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(audit_write(vault,
			      &(struct audit_entry){ .event = AUDIT_DISK_DESTROY,
						     .subject = "a",
						     .started = true },
			      &f->err));
	assert_ok(audit_flush(vault, &f->err));
	assert_int_equal(fixture_number("tail -n 1 '%s/audit.log' | grep -c audit.seal",
					f->paths.vault_dir),
			 1);
}

static void test_audit_write_fails_where_the_log_cannot_be_written(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct cof_error problem = { 0 };

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	fixture_command("mv '%s/audit.log' '%s/there' && ln -s ../there '%s/audit.log'",
			f->paths.vault_dir, f->folder, f->paths.vault_dir);
	assert_true(cof_failed(audit_write(
		vault, &(struct audit_entry){ .event = AUDIT_DISK_DESTROY, .started = true },
		&f->err)));
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_DISK_OPEN });
	assert_true(audit_take_problem(&problem));
	assert_false(audit_take_problem(&problem));
}

static void test_audit_write_refuses_too_long_a_detail(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *text = calloc(1, AUDIT_LINE_MAX_BYTES + 1);
	struct json *detail = json_new_object();

	assert_non_null(text);
	memset(text, 'x', AUDIT_LINE_MAX_BYTES);
	json_set_text(detail, "text", text);
	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_fails(audit_write(vault,
				 &(struct audit_entry){ .event = AUDIT_DISK_DESTROY,
							.detail = detail },
				 &f->err),
		     COF_E_USAGE);
}

static void test_commit_notes_how_far_the_log_goes(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	uint64_t before;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_int_equal(noted(f, vault), 0);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
	before = noted(f, vault);
	assert_true(before > 0);
	assert_ok(fixture_put(f, vault, "disk", "a", "two", false));
	assert_true(noted(f, vault) > before);
	assert_ok(vault_check(vault, NULL, &f->err));
	assert_int_equal(lines_with(f, "record.put"), 2);
}

static void test_opening_makes_no_transaction(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	uint64_t before;
	uint64_t after;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(vault_revision(vault, &before, &f->err));
	for (int i = 0; i < 1000; i++)
		audit_note(vault, &(struct audit_entry){ .event = AUDIT_DISK_OPEN });
	vault_close(TAKE(vault));
	vault = fixture_unlock(f);
	assert_ok(vault_revision(vault, &after, &f->err));
	assert_int_equal(before, after);
	/* One seal of vault_create(), and one for all thousand. */
	assert_int_equal(lines_with(f, "audit.seal"), 2);
}

static void test_keep_notes_the_end_once(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	uint64_t before;
	uint64_t after;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	audit_keep(vault);
	assert_true(noted(f, vault) > 0);
	assert_ok(vault_revision(vault, &before, &f->err));
	audit_keep(vault);
	assert_ok(vault_revision(vault, &after, &f->err));
	assert_int_equal(before, after);
}

static void test_note_does_not_move_over_damage(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct cof_error problem = { 0 };
	uint64_t before;

	(void)audit_take_problem(&problem); /* an earlier test's */
	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	audit_keep(vault);
	before = noted(f, vault);
	/* The seal, and a line that it covers: the seal alone would be made again as it was. */
	fixture_command("head -n -2 '%s/audit.log' > '%s/cut' && cp '%s/cut' '%s/audit.log'",
			f->paths.vault_dir, f->folder, f->folder, f->paths.vault_dir);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
	assert_int_equal(noted(f, vault), before);
	assert_true(audit_take_problem(&problem));
	assert_int_equal(problem.code, COF_E_AUTH);
	vault_close(TAKE(vault));
	assert_int_equal(fault_of(f), AUDIT_CUT_OFF);
}

/* A vault whose log lacks the line that is noted. */
static struct vault *make_damaged(struct fixture *f)
{
	struct vault *vault;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	audit_keep(vault);
	fixture_command("rm '%s/audit.log'", f->paths.vault_dir);
	return vault;
}

static void test_revocation_keeps_the_note_of_a_damaged_log(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = make_damaged(f);
	struct vault_new spec = { .passphrase = secret };

	assert_ok(vault_revoke(vault, secret, &spec, &f->err));
	assert_ok(vault_check(vault, NULL, &f->err));
	vault_close(TAKE(vault));
	assert_int_equal(fault_of(f), AUDIT_CUT_OFF);
}

static void test_accept_begins_with_a_number_that_was_never_used(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = make_damaged(f);
	struct audit_verdict verdict;
	uint64_t before = noted(f, vault);

	assert_ok(audit_verify(vault, &verdict, &f->err));
	assert_int_equal(verdict.fault, AUDIT_CUT_OFF);
	assert_ok(audit_accept(vault, &verdict, &f->err));
	assert_true(noted(f, vault) > before);
	assert_ok(audit_verify(vault, &verdict, &f->err));
	assert_int_equal(verdict.fault, AUDIT_WHOLE);
}

static void test_verify_wants_an_unlocked_vault(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct audit_verdict verdict;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_open(f);
	assert_fails(audit_verify(vault, &verdict, &f->err), COF_E_LOCKED);
}

static void test_note_that_was_removed_is_found(void **state)
{
	const struct keystore_change removal = { .key = ROW_AUDIT,
						 .expected_revision = KEYSTORE_ANY };
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct audit_verdict verdict;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	audit_keep(vault);
	assert_ok(vault->engine->commit(vault->keystore, &removal, 1, NULL, &f->err));
	assert_fails(audit_verify(vault, &verdict, &f->err), COF_E_AUTH);
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_AUTH);
}

static void test_new_vault_sets_an_older_log_aside(void **state)
{
	struct fixture *f = *state;

	assert_ok(fixture_create(f, PASSPHRASE));
	fixture_command("cd '%s' && rm root.luks vault.db vault.mark", f->paths.vault_dir);
	assert_ok(fixture_create(f, PASSPHRASE));
	assert_int_equal(fault_of(f), AUDIT_WHOLE);
	fixture_command("ls '%s'/audit.log.old-*", f->paths.vault_dir);
}

static void test_mirror_gets_the_log_byte_for_byte(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	audit_keep(vault);
	fixture_command("cmp '%s/audit.log' '%s'/coffer-*/audit.log", f->paths.vault_dir,
			f->mirror_folder[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_audit_write_is_sealed_when_the_vault_is_closed),
		FIXTURE_TEST(test_audit_flush_seals_before_anything_is_destroyed),
		FIXTURE_TEST(test_audit_write_fails_where_the_log_cannot_be_written),
		FIXTURE_TEST(test_audit_write_refuses_too_long_a_detail),
		FIXTURE_TEST(test_commit_notes_how_far_the_log_goes),
		FIXTURE_TEST(test_opening_makes_no_transaction),
		FIXTURE_TEST(test_keep_notes_the_end_once),
		FIXTURE_TEST(test_note_does_not_move_over_damage),
		FIXTURE_TEST(test_revocation_keeps_the_note_of_a_damaged_log),
		FIXTURE_TEST(test_accept_begins_with_a_number_that_was_never_used),
		FIXTURE_TEST(test_verify_wants_an_unlocked_vault),
		FIXTURE_TEST(test_note_that_was_removed_is_found),
		FIXTURE_TEST(test_new_vault_sets_an_older_log_aside),
		FIXTURE_TEST(test_mirror_gets_the_log_byte_for_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
