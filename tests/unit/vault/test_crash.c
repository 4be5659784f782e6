/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kill -9 after every step of making a vault, of a change of passphrase, of a revocation and of a
 * commit, then the same call again: nothing is lost, and the result is the one asked for.
 */

#include "fixture.h"

#define STEPS_MAX 100

typedef bool (*step_function)(struct fixture *f);

/* Runs @step, killed at its n-th fault point, and then what follows it, for every n that there
 * is, or the share of them that is asked for. Before each, @prepare makes the vault anew. The
 * children count the points from 1. */
static void kill_everywhere(struct fixture *f, step_function prepare, step_function step,
			    step_function then)
{
	char fault[32];
	int tried = 0;
	int point = 1;

	for (;; point += fixture_stride(), tried++) {
		assert_true(point < STEPS_MAX);
		fixture_command("rm -rf '%s' %s/coffer-* %s/coffer-*", f->paths.vault_dir,
				f->mirror_folder[0], f->mirror_folder[1]);
		if (prepare)
			assert_true(fixture_child(f, NULL, prepare));
		(void)snprintf(fault, sizeof(fault), "kill:#%d", point);
		if (fixture_child(f, fault, step))
			break;
		assert_true(fixture_child(f, NULL, then));
	}
	assert_true(fixture_child(f, NULL, then));
	print_message("# %d kills, up to point %d\n", tried, point - 1);
	/* Fewer would mean that the points are not compiled in. */
	assert_true(point > 4 && tried > 0);
}

static bool ok(struct fixture *f, cof_result result, const char *what)
{
	if (cof_failed(result))
		(void)fprintf(stderr, "%s: %s: %s (%s)\n", what, f->err.subject, f->err.text,
			      f->err.cause);
	return !cof_failed(result);
}

static bool has(struct fixture *f, struct vault *vault, const char *name, const char *secret)
{
	_cleanup_(record_freep) struct record *record = NULL;
	bool found = false;

	return ok(f, vault_get(vault, "disk", name, &record, &found, &f->err), "vault_get") &&
	       found && record->secret->len == strlen(secret) &&
	       memcmp(record->secret->data, secret, strlen(secret)) == 0;
}

/* Unlocks with @passphrase; everything opens, and nothing is left over. */
static struct vault *unlock_whole(struct fixture *f, const char *passphrase)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *leftover = NULL;

	if (!ok(f, vault_open(&f->paths, &vault, &f->err), "vault_open") ||
	    !ok(f, fixture_try_unlock(f, vault, passphrase), "vault_unlock") ||
	    !ok(f, vault_check(vault, NULL, &f->err), "vault_check"))
		return NULL;
	if (cof_failed(path_format(&leftover, NULL, "%s.new", vault_header_path(vault))) ||
	    path_exists(leftover))
		return NULL;
	return TAKE(vault);
}

static bool make_with_records(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	if (!ok(f, fixture_create(f, PASSPHRASE), "vault_create"))
		return false;
	vault = unlock_whole(f, PASSPHRASE);
	return vault && ok(f, fixture_put(f, vault, "disk", "a", "one", false), "put") &&
	       ok(f, fixture_put(f, vault, "disk", "a", "two", true), "put") &&
	       ok(f, fixture_put(f, vault, "disk", "b", "three", false), "put");
}

static bool records_are_there(struct fixture *f, struct vault *vault)
{
	_cleanup_(record_freep) struct record *first = NULL;
	bool found = false;

	return has(f, vault, "a", "two") && has(f, vault, "b", "three") &&
	       ok(f, vault_get_generation(vault, "disk", "a", 1, &first, &found, &f->err), "get") &&
	       found && memcmp(first->secret->data, "one", 3) == 0;
}

static bool init(struct fixture *f)
{
	return ok(f, fixture_create(f, PASSPHRASE), "vault_create");
}

/* What a person does whose `coffer init` was killed: the same again, unless it was done. */
static bool init_again(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	if (!vault_exists(&f->paths) && !init(f))
		return false;
	vault = unlock_whole(f, PASSPHRASE);
	return vault && ok(f, fixture_put(f, vault, "disk", "a", "one", false), "put");
}

static void test_vault_create_converges_after_a_kill_at_any_step(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 2);
	kill_everywhere(f, NULL, init, init_again);
}

static bool change_passphrase(struct fixture *f)
{
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;

	return ok(f, vault_open(&f->paths, &vault, &f->err), "vault_open") &&
	       ok(f, vault_passwd(vault, old, new, false, NULL, &f->err), "vault_passwd");
}

/* Before the second run, some secret opens the vault; after it, the new one and no other. */
static bool change_passphrase_again(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *between = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count;

	if (!ok(f, vault_open(&f->paths, &between, &f->err), "vault_open") ||
	    (cof_failed(fixture_try_unlock(f, between, PASSPHRASE)) &&
	     cof_failed(fixture_try_unlock(f, between, OTHER_PASSPHRASE))) ||
	    !records_are_there(f, between) || !change_passphrase(f))
		return false;
	vault = unlock_whole(f, OTHER_PASSPHRASE);
	if (!vault || !records_are_there(f, vault) ||
	    !ok(f, vault_slots(vault, &slots, &count, &f->err), "vault_slots"))
		return false;
	return count == 1 && strcmp(slots[0].method, "passphrase") == 0 &&
	       fixture_try_unlock(f, vault, PASSPHRASE).code == COF_E_KEY;
}

static void test_vault_passwd_converges_after_a_kill_at_any_step(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 1);
	kill_everywhere(f, make_with_records, change_passphrase, change_passphrase_again);
}

static bool change_passphrase_with_the_new(struct fixture *f)
{
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	cof_result result;
	size_t count;

	if (!ok(f, vault_open(&f->paths, &vault, &f->err), "vault_open"))
		return false;
	result = vault_passwd(vault, new, new, false, NULL, &f->err);
	if (result.code == COF_E_KEY) /* it was never made: the old one is untouched */
		return unlock_whole(f, PASSPHRASE) != NULL;
	if (!ok(f, result, "vault_passwd") ||
	    !ok(f, vault_slots(vault, &slots, &count, &f->err), "vault_slots"))
		return false;
	/* One that was added but had not taken the old one's place yet leaves the old one. */
	return count == 1 || (count == 2 && !cof_failed(fixture_try_unlock(f, vault, PASSPHRASE)));
}

static void test_vault_passwd_goes_on_with_the_new_passphrase_after_a_kill(void **state)
{
	struct fixture *f = *state;

	kill_everywhere(f, make_with_records, change_passphrase, change_passphrase_with_the_new);
}

static bool enroll_another(struct fixture *f)
{
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;

	return ok(f, vault_open(&f->paths, &vault, &f->err), "vault_open") &&
	       ok(f,
		  vault_enroll(vault, old, VAULT_PASSPHRASE, "anna", new, false, false, NULL,
			       &f->err),
		  "vault_enroll");
}

/* The same again makes no second slot, and the one that was cut off has its name. */
static bool enroll_again(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *old = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	size_t count;

	if (!enroll_another(f))
		return false;
	old = unlock_whole(f, PASSPHRASE);
	vault = unlock_whole(f, OTHER_PASSPHRASE);
	if (!old || !vault || !records_are_there(f, vault) ||
	    !ok(f, vault_mirrors(vault, &mirrors, &count, &f->err), "vault_mirrors") ||
	    mirrors[0].state != MIRROR_CURRENT ||
	    !ok(f, vault_slots(vault, &slots, &count, &f->err), "vault_slots"))
		return false;
	return count == 2 && strcmp(slots[1].method, "passphrase") == 0 &&
	       strcmp(slots[1].label, "anna") == 0;
}

static void test_vault_enroll_converges_after_a_kill_at_any_step(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 1);
	kill_everywhere(f, make_with_records, enroll_another, enroll_again);
}

static bool revoke_all(struct fixture *f)
{
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_new spec = { .passphrase = new };

	return ok(f, vault_open(&f->paths, &vault, &f->err), "vault_open") &&
	       ok(f, vault_revoke(vault, old, &spec, &f->err), "vault_revoke");
}

/* After the kill the vault is wholly in the old epoch or wholly in the new one. */
static bool revoke_again(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *between = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	if (!ok(f, vault_open(&f->paths, &between, &f->err), "vault_open"))
		return false;
	if (!cof_failed(fixture_try_unlock(f, between, PASSPHRASE))) {
		if (vault_epoch(between) != 1 || !records_are_there(f, between) || !revoke_all(f))
			return false;
	}
	vault = unlock_whole(f, OTHER_PASSPHRASE);
	return vault && vault_epoch(vault) == 2 && records_are_there(f, vault) &&
	       fixture_try_unlock(f, vault, PASSPHRASE).code == COF_E_KEY;
}

static void test_vault_revoke_converges_after_a_kill_at_any_step(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 1);
	kill_everywhere(f, make_with_records, revoke_all, revoke_again);
}

static bool commit_one(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);

	return ok(f, fixture_put(f, vault, "disk", "c", "four", true), "put");
}

/* The record is there or it is not; the others are, and no mark raises a false alarm. */
static bool commit_again(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = unlock_whole(f, PASSPHRASE);

	return vault && records_are_there(f, vault) && commit_one(f) && has(f, vault, "c", "four");
}

static void test_vault_commit_survives_a_kill_at_any_step(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 2);
	kill_everywhere(f, make_with_records, commit_one, commit_again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_create_converges_after_a_kill_at_any_step),
		FIXTURE_TEST(test_vault_passwd_converges_after_a_kill_at_any_step),
		FIXTURE_TEST(test_vault_passwd_goes_on_with_the_new_passphrase_after_a_kill),
		FIXTURE_TEST(test_vault_enroll_converges_after_a_kill_at_any_step),
		FIXTURE_TEST(test_vault_revoke_converges_after_a_kill_at_any_step),
		FIXTURE_TEST(test_vault_commit_survives_a_kill_at_any_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
