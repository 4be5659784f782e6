/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of a passphrase that were cut off, and what comes after them: no passphrase goes but the
 * one that was to be replaced.
 */

#include "fixture.h"
#include "recovery.h"

#define STEPS_MAX 40

static bool change(struct fixture *f, const char *from, const char *to)
{
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(from);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(to);
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);

	return !cof_failed(vault_passwd(vault, old, new, false, NULL, &f->err));
}

static bool opens(struct fixture *f, const char *secret)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);

	return !cof_failed(fixture_try_unlock(f, vault, secret));
}

static cof_result enroll(struct fixture *f, const char *existing, const char *text, int *ret_slot)
{
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(existing);
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(text);
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);

	return vault_enroll(vault, old, VAULT_PASSPHRASE, "", secret, false, false, ret_slot,
			    &f->err);
}

static size_t count_slots(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count;

	assert_ok(vault_slots(vault, &slots, &count, &f->err));
	return count;
}

/* How many tokens of ours the header has. */
static long count_tokens(struct fixture *f)
{
	return fixture_number("cryptsetup luksDump '%s/root.luks' | grep -c coffer-method",
			      f->paths.vault_dir);
}

static bool make_a(struct fixture *f)
{
	return !cof_failed(fixture_create(f, "a"));
}

static bool a_to_b(struct fixture *f)
{
	return change(f, "a", "b");
}

/* A vault in which a change from "a" to "b" was killed at the given point; false: it came to its
 * end. */
static bool make_cut_off(struct fixture *f, const char *fault)
{
	fixture_command("rm -rf '%s'", f->paths.vault_dir);
	assert_true(fixture_child(f, NULL, make_a));
	return !fixture_child(f, fault, a_to_b);
}

/* The same for every point that there is, or the share that is asked for, followed by @then. All of
 * it is done in children, which count the points from 1. */
static void after_each_cut(struct fixture *f, bool (*then)(struct fixture *f))
{
	char fault[32];
	int step = 1;

	for (;; step += fixture_stride()) {
		assert_true(step < STEPS_MAX);
		(void)snprintf(fault, sizeof(fault), "kill:#%d", step);
		if (!make_cut_off(f, fault))
			break;
		print_message("# after point %d\n", step);
		assert_true(fixture_child(f, NULL, then));
	}
	assert_true(step > 4);
}

/* Goes back to "a", then changes another passphrase. */
static bool go_back(struct fixture *f)
{
	return (!opens(f, "b") || change(f, "b", "a")) && !cof_failed(enroll(f, "a", "d", NULL)) &&
	       change(f, "d", "e") && opens(f, "a") && opens(f, "e") && !opens(f, "d");
}

static void test_vault_passwd_keeps_a_passphrase_that_was_taken_back(void **state)
{
	after_each_cut(*state, go_back);
}

/* Stays with "a", or "b" where "a" is gone, and changes another passphrase; and once more, as
 * after a kill at the very end, when the old one opens nothing any more. */
static bool stay(struct fixture *f)
{
	const char *live = opens(f, "a") ? "a" : "b";

	return !cof_failed(enroll(f, live, "d", NULL)) && change(f, "d", "e") &&
	       change(f, "d", "e") && opens(f, live) && opens(f, "e");
}

static void test_vault_passwd_keeps_a_passphrase_whose_change_was_not_finished(void **state)
{
	after_each_cut(*state, stay);
}

static void test_vault_passwd_leaves_no_token_without_keyslot(void **state)
{
	struct fixture *f = *state;

	assert_true(make_cut_off(f, "kill:passwd/old-removed"));
	assert_int_equal(count_tokens(f), 2);
	assert_true(change(f, "a", "b"));
	assert_int_equal(count_tokens(f), 1);
}

static void test_vault_enroll_removes_tokens_without_keyslot(void **state)
{
	struct fixture *f = *state;

	assert_true(make_cut_off(f, "kill:passwd/old-removed"));
	assert_ok(enroll(f, "b", "c", NULL));
	assert_int_equal(count_tokens(f), 2);
}

static void test_vault_passwd_goes_on_after_a_cut_while_the_old_slot_is_wiped(void **state)
{
	struct fixture *f = *state;
	long area;

	assert_true(make_cut_off(f, "kill:passwd/removing"));
	area = fixture_number("cryptsetup luksDump '%s/root.luks' |"
			      " sed -n 's/.*Area offset:\\([0-9]*\\).*/\\1/p' | head -1",
			      f->paths.vault_dir);
	fixture_command("dd if=/dev/urandom of='%s/root.luks' bs=4096 seek=%ld count=32"
			" conv=notrunc status=none",
			f->paths.vault_dir, area / 4096);
	assert_false(opens(f, "a"));
	assert_true(change(f, "a", "b"));
	assert_int_equal(count_slots(f), 1);
	assert_true(opens(f, "b"));
}

static void test_vault_passwd_to_the_new_one_finishes_a_change_that_was_cut_off(void **state)
{
	struct fixture *f = *state;

	assert_true(make_cut_off(f, "kill:passwd/both-kept"));
	assert_true(change(f, "b", "b"));
	assert_int_equal(count_slots(f), 1);
	assert_false(opens(f, "a"));
}

static void test_vault_passwd_to_the_old_one_takes_it_back(void **state)
{
	struct fixture *f = *state;

	assert_true(make_cut_off(f, "kill:passwd/both-kept"));
	assert_true(change(f, "a", "a"));
	assert_true(change(f, "wrong", "b"));
	assert_true(opens(f, "a"));
}

static void test_vault_passwd_to_another_slots_secret_makes_no_second_slot(void **state)
{
	struct fixture *f = *state;

	assert_ok(fixture_create(f, "a"));
	assert_ok(enroll(f, "a", "d", NULL));
	assert_true(change(f, "a", "d"));
	assert_int_equal(count_slots(f), 1);
	assert_true(opens(f, "d"));
}

static void test_vault_passwd_refuses_another_tools_recovery_key(void **state)
{
	struct fixture *f = *state;

	assert_ok(fixture_create(f, "a"));
	fixture_command("cd '%s' && printf a > a && printf rescue > rescue &&"
			" cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
			" --key-file a vault/root.luks rescue &&"
			" echo '{\"type\":\"systemd-recovery\",\"keyslots\":[\"1\"]}' |"
			" cryptsetup token import vault/root.luks",
			f->folder);
	assert_false(change(f, "rescue", "b"));
	assert_int_equal(f->err.code, COF_E_REFUSED);
	assert_true(opens(f, "rescue"));
}

static void test_vault_enroll_twice_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int slot;

	assert_ok(fixture_create(f, "a"));
	assert_ok(enroll(f, "a", "d", &slot));
	assert_int_equal(slot, 1);
	assert_ok(enroll(f, "a", "d", &slot));
	assert_int_equal(slot, -1);
	assert_int_equal(count_slots(f), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_passwd_keeps_a_passphrase_that_was_taken_back),
		FIXTURE_TEST(test_vault_passwd_keeps_a_passphrase_whose_change_was_not_finished),
		FIXTURE_TEST(test_vault_passwd_leaves_no_token_without_keyslot),
		FIXTURE_TEST(test_vault_enroll_removes_tokens_without_keyslot),
		FIXTURE_TEST(test_vault_passwd_goes_on_after_a_cut_while_the_old_slot_is_wiped),
		FIXTURE_TEST(test_vault_passwd_to_the_new_one_finishes_a_change_that_was_cut_off),
		FIXTURE_TEST(test_vault_passwd_to_the_old_one_takes_it_back),
		FIXTURE_TEST(test_vault_passwd_to_another_slots_secret_makes_no_second_slot),
		FIXTURE_TEST(test_vault_passwd_refuses_another_tools_recovery_key),
		FIXTURE_TEST(test_vault_enroll_twice_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
