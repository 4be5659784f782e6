/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making, opening and unlocking a vault, and the records in it.
 */

#include "fixture.h"
#include "recovery.h"

static void test_vault_create_makes_a_vault_that_unlocks(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_true(vault_is_unlocked(vault));
	assert_int_equal(vault_epoch(vault), 1);
	assert_true(vault_created(vault) > 0);
	assert_non_null(vault_root_key(vault));
}

static void test_vault_create_leaves_no_temporary_names(void **state)
{
	struct fixture *f = *state;

	assert_ok(fixture_create(f, PASSPHRASE));
	fixture_command(
		"test \"$(ls -A '%s' | tr '\\n' ' ')\" = "
		"'.audit-lock .lock audit.log root.luks vault.db vault.mark '",
		f->paths.vault_dir);
}

static void test_vault_create_makes_files_for_their_owner_alone(void **state)
{
	struct fixture *f = *state;

	assert_ok(fixture_create(f, PASSPHRASE));
	fixture_command("test -z \"$(find '%s' -perm /077)\"", f->paths.vault_dir);
}

static void test_vault_create_refuses_a_second_vault(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	assert_fails(fixture_create(f, OTHER_PASSPHRASE), COF_E_REFUSED);
	vault = fixture_unlock(f);
}

static void test_vault_create_refuses_records_without_a_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "enc-a", "key", false));
	assert_int_equal(unlink(vault_header_path(vault)), 0);
	assert_fails(fixture_create(f, PASSPHRASE), COF_E_REFUSED);
	assert_non_null(strstr(f->err.remedy, "restore"));
	assert_true(vault_exists(&f->paths));
}

static void test_vault_create_starts_over_without_records(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, OTHER_PASSPHRASE));
	fixture_command("rm '%s/root.luks'", f->paths.vault_dir);
	assert_false(vault_exists(&f->paths));
	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
}

static void test_vault_create_refuses_a_keystore_that_cannot_be_read(void **state)
{
	struct fixture *f = *state;

	fixture_command("mkdir '%s' && echo something > '%s/vault.db'", f->paths.vault_dir,
			f->paths.vault_dir);
	assert_fails(fixture_create(f, PASSPHRASE), COF_E_REFUSED);
	fixture_command("test \"$(cat '%s/vault.db')\" = something", f->paths.vault_dir);
}

static void test_vault_open_reports_no_vault(void **state)
{
	struct fixture *f = *state;
	struct vault *vault = NULL;

	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_NOENT);
	assert_non_null(strstr(f->err.remedy, "coffer init"));
	assert_false(vault_exists(&f->paths));
}

static void test_vault_open_reports_a_missing_keystore(void **state)
{
	struct fixture *f = *state;
	struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	assert_ok(fixture_create(f, PASSPHRASE));
	fixture_command("rm '%s/vault.db'", f->paths.vault_dir);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_FORMAT);
	assert_non_null(strstr(f->err.remedy, f->mirror_folder[0]));
}

static void test_vault_open_names_the_mirror_of_a_truncated_keystore(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *restored = NULL;
	struct vault *vault;

	fixture_mirrors(f, 1);
	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "enc-a", "key", false));
	vault_close(TAKE(vault));
	fixture_command("truncate -s 8192 '%s/vault.db'", f->paths.vault_dir);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_FORMAT);
	assert_non_null(strstr(f->err.remedy, f->mirror_folder[0]));
	/* What the remedy says works. */
	fixture_command("%s", f->err.remedy);
	restored = fixture_unlock(f);
	fixture_expect(f, restored, "disk", "enc-a", "key");
}

static void test_vault_unlock_refuses_a_wrong_passphrase(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, "wrong"), COF_E_KEY);
	assert_false(vault_is_unlocked(vault));
	assert_null(vault_root_key(vault));
}

/* A vault with a recovery key, which is returned. */
static struct slot_secret *create_with_recovery(struct fixture *f)
{
	_cleanup_slot_secret_ struct slot_secret *passphrase = fixture_secret(PASSPHRASE);
	struct slot_secret *recovery = NULL;
	struct vault_new spec = { .passphrase = passphrase };

	assert_ok(recovery_generate(&recovery, &f->err));
	spec.recovery = recovery;
	assert_ok(vault_create(&f->paths, &spec, &f->err));
	return recovery;
}

static void test_vault_unlock_takes_a_recovery_key_in_any_form(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *recovery = create_with_recovery(f);
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);
	uint8_t *text = recovery->secret.data;

	for (size_t i = 0; i < recovery->secret.len; i++) {
		if (text[i] == '-')
			text[i] = ' ';
		else if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (uint8_t)(text[i] | 0x20);
	}
	assert_ok(vault_unlock(vault, recovery, NULL, &f->err));
}

static void test_vault_unlock_names_the_wrong_group_of_a_recovery_key(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *recovery = create_with_recovery(f);
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);
	uint8_t *third_group = recovery->secret.data + 2 * (RECOVERY_GROUP_CHARS + 1);

	third_group[0] = third_group[0] == 'A' ? 'B' : 'A';
	assert_fails(vault_unlock(vault, recovery, NULL, &f->err), COF_E_KEY);
	assert_non_null(strstr(f->err.text, "3"));
}

static cof_result refuse_to_derive(void *context, struct span info, struct wrap_key **ret_key,
				   struct cof_error *err)
{
	FAIL(err, COF_E_LOCKED, "agent", "is locked");
}

static void count_free(void *context)
{
	(*(int *)context)++;
}

static void test_vault_unlock_from_frees_a_source_that_fails(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	int freed = 0;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_open(f);
	assert_fails(vault_unlock_from(vault,
				       (struct key_source){ refuse_to_derive, count_free, &freed },
				       &f->err),
		     COF_E_LOCKED);
	assert_int_equal(freed, 1);
	assert_false(vault_is_unlocked(vault));
}

/* Derives with a root key that somebody else holds, as the agent does. */
static cof_result derive_with(void *context, struct span info, struct wrap_key **ret_key,
			      struct cof_error *err)
{
	const struct vault *holder = context;

	return root_derive(vault_root_key(holder), vault_uuid(holder), info, ret_key, err);
}

static void test_vault_unlock_from_opens_records(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *holder = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	holder = fixture_unlock(f);
	assert_ok(fixture_put(f, holder, "disk", "enc-a", "key", false));
	vault = fixture_open(f);
	assert_ok(vault_unlock_from(vault, (struct key_source){ derive_with, NULL, holder },
				    &f->err));
	fixture_expect(f, vault, "disk", "enc-a", "key");
	assert_null(vault_root_key(vault));
}

static void test_vault_unlock_from_refuses_another_root_key(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *holder = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *second = NULL;
	_cleanup_free_ char *first = f->paths.vault_dir;

	assert_ok(fixture_create(f, PASSPHRASE));
	holder = fixture_unlock(f);
	assert_ok(path_format(&second, NULL, "%s/second", f->folder));
	f->paths.vault_dir = second;
	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_open(f);
	assert_fails(
		vault_unlock_from(vault, (struct key_source){ derive_with, NULL, holder }, &f->err),
		COF_E_AUTH);
	f->paths.vault_dir = TAKE(first);
}

static void test_vault_get_refuses_a_locked_vault(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct record *record = NULL;
	bool found;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_open(f);
	assert_fails(vault_get(vault, "disk", "a", &record, &found, &f->err), COF_E_LOCKED);
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_LOCKED);
	assert_fails(vault_commit(vault, NULL, 0, &f->err), COF_E_LOCKED);
}

static void test_vault_commit_stores_what_vault_get_reads(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *again = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "enc-a", "the key of a", false));
	again = fixture_unlock(f);
	fixture_expect(f, again, "disk", "enc-a", "the key of a");
}

static void test_vault_commit_keeps_a_blob_of_16_mib(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(record_freep) struct record *again = NULL;
	struct vault_write write = { 0 };
	bool found;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(record_new("disk-header", "enc-a", &record, &f->err));
	assert_ok(buffer_reserve(&record->blob, 16u << 20, &f->err));
	record->blob.len = 16u << 20;
	assert_ok(random_bytes(record->blob.data, record->blob.len, &f->err));
	write.record = record;
	assert_ok(vault_commit(vault, &write, 1, &f->err));
	assert_ok(vault_get(vault, "disk-header", "enc-a", &again, &found, &f->err));
	assert_true(found);
	assert_true(ct_equal(buffer_span(&again->blob), buffer_span(&record->blob)));
}

static void test_vault_commit_fills_in_what_was_stored(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { 0 };
	uint8_t id[VAULT_ID_BYTES];

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(record_new("disk", "a", &record, &f->err));
	write.record = record;
	assert_ok(vault_commit(vault, &write, 1, &f->err));
	assert_int_equal(record->generation, 1);
	assert_true(record->revision > 0 && record->created > 0);
	memcpy(id, record->id, sizeof(id));
	assert_ok(vault_commit(vault, &write, 1, &f->err));
	assert_int_equal(record->generation, 2);
	assert_memory_equal(record->id, id, sizeof(id));
}

static void test_vault_commit_reports_a_conflict(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *other = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { 0 };
	bool found;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	other = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
	assert_ok(vault_get(vault, "disk", "a", &record, &found, &f->err));
	assert_ok(fixture_put(f, other, "disk", "a", "two", false));
	write.record = record;
	assert_fails(vault_commit(vault, &write, 1, &f->err), COF_E_CONFLICT);
	fixture_expect(f, vault, "disk", "a", "two");
}

static void test_vault_commit_writes_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *a = NULL;
	_cleanup_(record_freep) struct record *b = NULL;
	_cleanup_(record_freep) struct record *got = NULL;
	struct vault_write writes[2] = { 0 };
	bool found;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "b", "old", false));
	assert_ok(record_new("disk", "a", &a, &f->err));
	assert_ok(record_new("disk", "b", &b, &f->err));
	writes[0].record = a;
	writes[1].record = b;
	assert_fails(vault_commit(vault, writes, 2, &f->err), COF_E_CONFLICT);
	assert_ok(vault_get(vault, "disk", "a", &got, &found, &f->err));
	assert_false(found);
	assert_int_equal(a->generation, 0);
}

static void test_vault_commit_keeps_history_when_asked(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *first = NULL;
	_cleanup_(record_freep) struct record *second = NULL;
	bool found;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
	assert_ok(fixture_put(f, vault, "disk", "a", "two", true));
	assert_ok(fixture_put(f, vault, "disk", "a", "three", false));
	assert_ok(vault_get_generation(vault, "disk", "a", 1, &first, &found, &f->err));
	assert_true(found);
	assert_memory_equal(first->secret->data, "one", 3);
	assert_ok(vault_get_generation(vault, "disk", "a", 2, &second, &found, &f->err));
	assert_false(found);
	fixture_expect(f, vault, "disk", "a", "three");
}

static cof_result note_secret(const struct record *record, void *context, struct cof_error *err)
{
	char *text = context;

	strncat(text, (const char *)record->secret->data, record->secret->len);
	strcat(text, " ");
	return COF_OK;
}

static void test_vault_each_generation_goes_from_the_newest(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char text[64] = "";

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", true));
	assert_ok(fixture_put(f, vault, "disk", "a", "two", true));
	assert_ok(fixture_put(f, vault, "disk", "a", "three", true));
	assert_ok(vault_each_generation(vault, "disk", "a", note_secret, text, &f->err));
	assert_string_equal(text, "three two one ");
}

static void test_vault_each_visits_one_kind_by_name(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char one[64] = "";
	char all[64] = "";

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "b", "kb", false));
	assert_ok(fixture_put(f, vault, "disk", "a", "ka", false));
	assert_ok(fixture_put(f, vault, "disk-header", "a", "ha", false));
	assert_ok(vault_each(vault, "disk", note_secret, one, &f->err));
	assert_string_equal(one, "ka kb ");
	assert_ok(vault_each(vault, NULL, note_secret, all, &f->err));
	assert_int_equal(strlen(all), strlen("ka kb ha "));
}

static void test_vault_names_works_on_a_locked_vault(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *locked = NULL;
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_(vault_names_freep) char **none = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "b", "kb", false));
	assert_ok(fixture_put(f, vault, "disk", "a", "ka", false));
	locked = fixture_open(f);
	assert_ok(vault_names(locked, "disk", &names, &f->err));
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	assert_null(names[2]);
	assert_ok(vault_names(locked, "tape", &none, &f->err));
	assert_null(none[0]);
}

static void test_vault_commit_removes_all_generations(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { .remove = true };
	struct record *none = NULL;
	size_t records;
	bool found;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", true));
	assert_ok(fixture_put(f, vault, "disk", "a", "two", true));
	assert_ok(vault_get(vault, "disk", "a", &record, &found, &f->err));
	write.record = record;
	assert_ok(vault_commit(vault, &write, 1, &f->err));
	assert_ok(vault_get(vault, "disk", "a", &none, &found, &f->err));
	assert_false(found);
	assert_ok(vault_get_generation(vault, "disk", "a", 1, &none, &found, &f->err));
	assert_false(found);
	assert_ok(vault_check(vault, &records, &f->err));
	assert_int_equal(records, 0);
}

static void test_vault_check_counts_records(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char name[16];
	size_t records;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	for (int i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "disk%d", i);
		assert_ok(fixture_put(f, vault, "disk", name, "key", true));
	}
	assert_ok(fixture_put(f, vault, "disk", "disk3", "key 2", true));
	assert_ok(vault_check(vault, &records, &f->err));
	assert_int_equal(records, 30);
}

static bool put_many(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);
	char name[32];

	for (int i = 0; i < 15; i++) {
		(void)snprintf(name, sizeof(name), "p%d-%d", (int)getpid(), i);
		if (cof_failed(fixture_put(f, vault, "disk", name, name, false)))
			return false;
	}
	return true;
}

static void test_vault_is_written_by_several_processes_at_once(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	size_t records;
	int status;

	assert_ok(fixture_create(f, PASSPHRASE));
	for (int i = 0; i < 3; i++) {
		if (fork() == 0)
			_exit(put_many(f) ? 0 : 1);
	}
	vault = fixture_unlock(f);
	/* Reading meanwhile gives no false alarm. */
	for (int i = 0; i < 30; i++)
		assert_ok(vault_check(vault, &records, &f->err));
	for (int i = 0; i < 3; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_ok(vault_check(vault, &records, &f->err));
	assert_int_equal(records, 45);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_create_makes_a_vault_that_unlocks),
		FIXTURE_TEST(test_vault_create_leaves_no_temporary_names),
		FIXTURE_TEST(test_vault_create_makes_files_for_their_owner_alone),
		FIXTURE_TEST(test_vault_create_refuses_a_second_vault),
		FIXTURE_TEST(test_vault_create_refuses_records_without_a_header),
		FIXTURE_TEST(test_vault_create_starts_over_without_records),
		FIXTURE_TEST(test_vault_create_refuses_a_keystore_that_cannot_be_read),
		FIXTURE_TEST(test_vault_open_reports_no_vault),
		FIXTURE_TEST(test_vault_open_reports_a_missing_keystore),
		FIXTURE_TEST(test_vault_open_names_the_mirror_of_a_truncated_keystore),
		FIXTURE_TEST(test_vault_unlock_refuses_a_wrong_passphrase),
		FIXTURE_TEST(test_vault_unlock_takes_a_recovery_key_in_any_form),
		FIXTURE_TEST(test_vault_unlock_names_the_wrong_group_of_a_recovery_key),
		FIXTURE_TEST(test_vault_unlock_from_frees_a_source_that_fails),
		FIXTURE_TEST(test_vault_unlock_from_opens_records),
		FIXTURE_TEST(test_vault_unlock_from_refuses_another_root_key),
		FIXTURE_TEST(test_vault_get_refuses_a_locked_vault),
		FIXTURE_TEST(test_vault_commit_stores_what_vault_get_reads),
		FIXTURE_TEST(test_vault_commit_keeps_a_blob_of_16_mib),
		FIXTURE_TEST(test_vault_commit_fills_in_what_was_stored),
		FIXTURE_TEST(test_vault_commit_reports_a_conflict),
		FIXTURE_TEST(test_vault_commit_writes_all_or_nothing),
		FIXTURE_TEST(test_vault_commit_keeps_history_when_asked),
		FIXTURE_TEST(test_vault_each_generation_goes_from_the_newest),
		FIXTURE_TEST(test_vault_each_visits_one_kind_by_name),
		FIXTURE_TEST(test_vault_names_works_on_a_locked_vault),
		FIXTURE_TEST(test_vault_commit_removes_all_generations),
		FIXTURE_TEST(test_vault_check_counts_records),
		FIXTURE_TEST(test_vault_is_written_by_several_processes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
