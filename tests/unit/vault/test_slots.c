/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unlock methods, the copy of the header that follows their changes, and revocation.
 */

#include "fixture.h"
#include "recovery.h"

static void make(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
}

static cof_result enroll(struct fixture *f, struct vault *vault, enum vault_method method,
			 const struct slot_secret *secret)
{
	_cleanup_slot_secret_ struct slot_secret *existing = fixture_secret(PASSPHRASE);

	return vault_enroll(vault, existing, method, "a label", secret, true, false, NULL, &f->err);
}

static cof_result passwd(struct fixture *f, struct vault *vault, const char *from, const char *to)
{
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(from);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(to);

	return vault_passwd(vault, old, new, false, NULL, &f->err);
}

static size_t count_slots(struct fixture *f, struct vault *vault)
{
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count;

	assert_ok(vault_slots(vault, &slots, &count, &f->err));
	return count;
}

static void test_slot_cost_is_dear_for_what_people_choose_alone(void **state)
{
	(void)unsetenv("COFFER_TEST_COST");
	assert_int_equal(slot_cost(VAULT_PASSPHRASE, true, false), LUKS_COST_PEOPLE);
	assert_int_equal(slot_cost(VAULT_PASSPHRASE, true, true), LUKS_COST_PEOPLE_FIPS);
	assert_int_equal(slot_cost(VAULT_FILE, false, false), LUKS_COST_PEOPLE);
	assert_int_equal(slot_cost(VAULT_FILE, false, true), LUKS_COST_PEOPLE_FIPS);
	assert_int_equal(slot_cost(VAULT_FILE, true, false), LUKS_COST_RANDOM_KEY);
	assert_int_equal(slot_cost(VAULT_RECOVERY, false, false), LUKS_COST_RANDOM_KEY);
}

static void test_vault_enroll_file_opens_afterwards(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *key = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *again = NULL;

	make(f);
	assert_ok(slot_secret_random(64, &key, NULL));
	vault = fixture_open(f);
	assert_ok(enroll(f, vault, VAULT_FILE, key));
	again = fixture_open(f);
	assert_ok(vault_unlock(again, key, NULL, &f->err));
	assert_ok(vault_check(again, NULL, &f->err));
}

static void test_vault_enroll_recovery_refuses_a_text_with_a_typing_error(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *key = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_ok(recovery_generate(&key, NULL));
	key->secret.data[0] = key->secret.data[0] == 'A' ? 'B' : 'A';
	vault = fixture_open(f);
	assert_fails(enroll(f, vault, VAULT_RECOVERY, key), COF_E_KEY);
	assert_int_equal(count_slots(f, vault), 1);
}

static void test_vault_enroll_refuses_a_wrong_existing_secret(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *wrong = fixture_secret("wrong");
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	vault = fixture_open(f);
	assert_fails(vault_enroll(vault, wrong, VAULT_PASSPHRASE, NULL, wrong, false, false, NULL,
				  &f->err),
		     COF_E_KEY);
	assert_int_equal(count_slots(f, vault), 1);
}

static void test_vault_enroll_reports_a_full_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *key = fixture_secret("one more");
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	cof_result result = COF_OK;
	size_t enrolled = 1;
	size_t count;

	make(f);
	vault = fixture_open(f);
	for (; !cof_failed(result) && enrolled <= LUKS_SLOTS_MAX; enrolled++) {
		key->secret.data[0] = (uint8_t)('A' + enrolled);
		result = enroll(f, vault, VAULT_FILE, key);
	}
	assert_int_equal(result.code, COF_E_NOSPC);
	assert_ok(vault_slots(vault, &slots, &count, &f->err));
	print_message("# %zu slots fit\n", count);
	/* The one that did not fit has left no slot behind that nobody knows. */
	assert_int_equal(count, enrolled - 1);
	for (size_t i = 1; i < count; i++)
		assert_string_equal(slots[i].method, "file");
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	assert_ok(vault_check(vault, NULL, &f->err));
}

static void test_vault_slots_tells_methods_and_labels(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *key = fixture_secret("a file");
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count;

	make(f);
	vault = fixture_open(f);
	assert_ok(enroll(f, vault, VAULT_FILE, key));
	assert_ok(vault_slots(vault, &slots, &count, &f->err));
	assert_int_equal(count, 2);
	assert_string_equal(slots[0].method, "passphrase");
	assert_string_equal(slots[1].method, "file");
	assert_string_equal(slots[1].label, "a label");
	assert_true(slots[1].created[0] != '\0');
	assert_string_equal(slots[1].pbkdf, "pbkdf2");
}

/* A keyslot that cryptsetup adds, as a person would. */
static void add_with_cryptsetup(struct fixture *f)
{
	fixture_command("cd '%s' && printf '%%s' '" PASSPHRASE "' > old && printf other > new &&"
			" cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
			" --key-file old '%s/root.luks' new",
			f->folder, f->paths.vault_dir);
}

static void test_vault_slots_shows_another_tools_slot_as_unknown(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count;

	make(f);
	add_with_cryptsetup(f);
	vault = fixture_open(f);
	assert_ok(vault_slots(vault, &slots, &count, &f->err));
	assert_int_equal(count, 2);
	assert_string_equal(slots[1].method, "unknown");
}

static void test_vault_sync_keeps_a_header_that_another_tool_changed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *rebuilt = NULL;

	make(f);
	vault = fixture_unlock(f);
	add_with_cryptsetup(f);
	assert_ok(vault_sync(vault, &f->err));
	fixture_command("rm '%s/root.luks'", f->paths.vault_dir);
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	rebuilt = fixture_open(f);
	assert_ok(fixture_try_unlock(f, rebuilt, "other"));
}

static void test_vault_unlock_keeps_a_header_that_another_tool_changed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	bool kept;

	make(f);
	add_with_cryptsetup(f);
	vault = fixture_unlock(f);
	assert_ok(header_is_kept(vault, vault_header_path(vault), &kept, &f->err));
	assert_true(kept);
}

static void test_vault_sync_does_not_keep_a_header_that_is_not_proven(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *locked = NULL;
	_cleanup_(vault_closep) struct vault *unlocked = NULL;
	bool kept;

	make(f);
	unlocked = fixture_unlock(f);
	fixture_command("cp '%s/root.luks' '%s/good'", f->paths.vault_dir, f->folder);
	/* The vault's UUID, a high sequence number, and another volume key. */
	fixture_command(
		"cd '%s' && uuid=$(cryptsetup luksUUID vault/root.luks) &&"
		" truncate -s 20M other && echo pass | cryptsetup luksFormat -q --type luks2"
		" --uuid $uuid --key-size 512 --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
		" other - && for i in $(seq 40); do cryptsetup config --label l$i other ||"
		" exit 1; done && cp other vault/root.luks",
		f->folder);
	locked = fixture_open(f);
	assert_ok(vault_sync(locked, &f->err));
	assert_fails(vault_sync(unlocked, &f->err), COF_E_KEY);
	fixture_command("cp '%s/good' '%s/root.luks'", f->folder, f->paths.vault_dir);
	assert_ok(header_is_kept(unlocked, vault_header_path(unlocked), &kept, &f->err));
	assert_true(kept);
}

static void test_vault_sync_does_not_keep_a_damaged_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *damaged = NULL;
	_cleanup_(vault_closep) struct vault *rebuilt = NULL;
	long area;

	make(f);
	vault = fixture_unlock(f);
	/* The keyslot's area, which no checksum covers. */
	area = fixture_number("cryptsetup luksDump '%s/root.luks' |"
			      " sed -n 's/.*Area offset:\\([0-9]*\\).*/\\1/p'",
			      f->paths.vault_dir);
	fixture_command("dd if=/dev/urandom of='%s/root.luks' bs=4096 seek=%ld count=64"
			" conv=notrunc status=none",
			f->paths.vault_dir, area / 4096);
	assert_ok(vault_sync(vault, &f->err));
	damaged = fixture_open(f);
	assert_fails(fixture_try_unlock(f, damaged, PASSPHRASE), COF_E_KEY);
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	rebuilt = fixture_unlock(f);
}

static void test_vault_check_reports_an_older_header_that_was_put_back(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *key = fixture_secret("a file");
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	fixture_command("cp '%s/root.luks' '%s/old'", f->paths.vault_dir, f->folder);
	vault = fixture_open(f);
	assert_ok(enroll(f, vault, VAULT_FILE, key));
	fixture_command("cp '%s/old' '%s/root.luks'", f->folder, f->paths.vault_dir);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_FORMAT);
	assert_non_null(strstr(f->err.text, "older"));
}

static void test_vault_passwd_replaces_the_passphrase(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	vault = fixture_open(f);
	assert_ok(passwd(f, vault, PASSPHRASE, OTHER_PASSPHRASE));
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_KEY);
	assert_ok(fixture_try_unlock(f, vault, OTHER_PASSPHRASE));
	assert_int_equal(count_slots(f, vault), 1);
}

static void test_vault_passwd_leaves_the_other_slots(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *key = fixture_secret("a file");
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	add_with_cryptsetup(f);
	vault = fixture_open(f);
	assert_ok(enroll(f, vault, VAULT_FILE, key));
	assert_ok(passwd(f, vault, PASSPHRASE, OTHER_PASSPHRASE));
	assert_int_equal(count_slots(f, vault), 3);
	assert_ok(fixture_try_unlock(f, vault, "other"));
	assert_ok(vault_unlock(vault, key, NULL, &f->err));
}

static void test_vault_passwd_to_the_same_does_nothing(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	vault = fixture_open(f);
	assert_ok(passwd(f, vault, PASSPHRASE, PASSPHRASE));
	assert_int_equal(count_slots(f, vault), 1);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
}

static void test_vault_passwd_refuses_a_wrong_passphrase(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	vault = fixture_open(f);
	assert_fails(passwd(f, vault, "wrong", OTHER_PASSPHRASE), COF_E_KEY);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
}

static void test_vault_passwd_refuses_to_replace_the_recovery_key(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *recovery = NULL;
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_ok(recovery_generate(&recovery, NULL));
	vault = fixture_open(f);
	assert_ok(enroll(f, vault, VAULT_RECOVERY, recovery));
	assert_fails(vault_passwd(vault, recovery, new, false, NULL, &f->err), COF_E_REFUSED);
	assert_int_equal(count_slots(f, vault), 2);
}

static void test_vault_revoke_shuts_out_an_old_header_with_an_old_secret(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *attacked = NULL;
	struct vault_new spec = { .passphrase = new };
	uint8_t uuid[VAULT_UUID_BYTES];

	make(f);
	fixture_command("cp '%s/root.luks' '%s/stolen'", f->paths.vault_dir, f->folder);
	vault = fixture_open(f);
	memcpy(uuid, vault_uuid(vault), sizeof(uuid));
	assert_ok(vault_revoke(vault, old, &spec, &f->err));
	assert_int_equal(vault_epoch(vault), 2);
	assert_memory_equal(vault_uuid(vault), uuid, sizeof(uuid));
	fixture_expect(f, vault, "disk", "a", "one");
	assert_ok(vault_check(vault, NULL, &f->err));
	fixture_command("cp '%s/stolen' '%s/root.luks'", f->folder, f->paths.vault_dir);
	attacked = fixture_open(f);
	assert_fails(fixture_try_unlock(f, attacked, PASSPHRASE), COF_E_AUTH);
}

static void test_vault_revoke_refuses_a_wrong_secret(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *wrong = fixture_secret("wrong");
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_new spec = { .passphrase = wrong };

	make(f);
	vault = fixture_open(f);
	assert_fails(vault_revoke(vault, wrong, &spec, &f->err), COF_E_KEY);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	assert_int_equal(vault_epoch(vault), 1);
}

static void test_vault_get_reports_a_revocation_by_another_process(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *other = NULL;
	struct vault_new spec = { .passphrase = secret };
	struct record *record = NULL;
	bool found;

	make(f);
	vault = fixture_unlock(f);
	other = fixture_open(f);
	assert_ok(vault_revoke(other, secret, &spec, &f->err));
	assert_fails(vault_get(vault, "disk", "a", &record, &found, &f->err), COF_E_LOCKED);
	assert_non_null(strstr(f->err.text, "revoked"));
}

static void test_vault_revoke_leaves_no_old_header_in_folder_or_mirror(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_new spec = { .passphrase = new };

	fixture_mirrors(f, 1);
	make(f);
	vault = fixture_open(f);
	assert_ok(vault_revoke(vault, old, &spec, &f->err));
	fixture_command("for h in $(find '%s' -name 'root.luks*'); do ! printf '%%s' '" PASSPHRASE
			"' | cryptsetup open --test-passphrase --key-file - $h 2>/dev/null ||"
			" exit 1; done",
			f->folder);
	fixture_command("test $(find '%s' -name 'root.luks*' | wc -l) = 2", f->folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_slot_cost_is_dear_for_what_people_choose_alone),
		FIXTURE_TEST(test_vault_enroll_file_opens_afterwards),
		FIXTURE_TEST(test_vault_enroll_recovery_refuses_a_text_with_a_typing_error),
		FIXTURE_TEST(test_vault_enroll_refuses_a_wrong_existing_secret),
		FIXTURE_TEST(test_vault_enroll_reports_a_full_header),
		FIXTURE_TEST(test_vault_slots_tells_methods_and_labels),
		FIXTURE_TEST(test_vault_slots_shows_another_tools_slot_as_unknown),
		FIXTURE_TEST(test_vault_sync_keeps_a_header_that_another_tool_changed),
		FIXTURE_TEST(test_vault_unlock_keeps_a_header_that_another_tool_changed),
		FIXTURE_TEST(test_vault_sync_does_not_keep_a_header_that_is_not_proven),
		FIXTURE_TEST(test_vault_sync_does_not_keep_a_damaged_header),
		FIXTURE_TEST(test_vault_check_reports_an_older_header_that_was_put_back),
		FIXTURE_TEST(test_vault_passwd_replaces_the_passphrase),
		FIXTURE_TEST(test_vault_passwd_leaves_the_other_slots),
		FIXTURE_TEST(test_vault_passwd_to_the_same_does_nothing),
		FIXTURE_TEST(test_vault_passwd_refuses_a_wrong_passphrase),
		FIXTURE_TEST(test_vault_passwd_refuses_to_replace_the_recovery_key),
		FIXTURE_TEST(test_vault_revoke_shuts_out_an_old_header_with_an_old_secret),
		FIXTURE_TEST(test_vault_revoke_refuses_a_wrong_secret),
		FIXTURE_TEST(test_vault_get_reports_a_revocation_by_another_process),
		FIXTURE_TEST(test_vault_revoke_leaves_no_old_header_in_folder_or_mirror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
