/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates of destroyed disks, from the log of a real vault.
 */

#include "audit_show.h"
#include "../vault/fixture.h"

/* Notes what `disk destroy` does. */
static void destroy(struct vault *vault, const char *name, const char *serial, bool started)
{
	struct json *detail = json_new_object();

	json_set_text(detail, "serial", serial);
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_DISK_DESTROY,
						 .subject = name,
						 .started = started,
						 .detail = detail });
}

static void test_certificate_is_the_last_one_with_its_seal(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_json_ struct json *found = NULL;
	const struct json *lines;
	struct audit_item item;
	struct audit_chain chain = { 0 };

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	destroy(vault, "enc-a", "S1", true);
	destroy(vault, "enc-a", "S1", false);
	destroy(vault, "enc-b", "S2", false);
	assert_ok(audit_flush(vault, &f->err));
	destroy(vault, "enc-a", "S3", true);
	assert_ok(audit_find_certificate(vault, "enc-a", &found, &f->err));
	assert_string_equal(json_get_text(json_get(json_get(found, "certificate"), "detail"),
					  "serial"),
			    "S1");
	assert_string_equal(json_get_text(json_get(found, "seal"), "event"), "audit.seal");
	/* What is handed on can be checked: the lines are chained from the first to the seal. */
	lines = json_get(found, "lines");
	assert_int_equal(json_length(lines), 3);
	for (size_t i = 0; i < json_length(lines); i++) {
		const char *text = json_text(json_at(lines, i));

		assert_ok(audit_item_read(span_of_text(text), &item, NULL));
		assert_true(item.whole);
		assert_true(i == 0 || audit_chain_equal(&item.prev, &chain));
		chain = item.own;
	}
	assert_int_equal(item.role, AUDIT_IS_SEAL);
}

static void test_certificate_is_missing_for_what_was_only_begun(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct json *found = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	destroy(vault, "enc-a", "S1", true);
	assert_fails(audit_find_certificate(vault, "enc-a", &found, &f->err), COF_E_NOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_certificate_is_the_last_one_with_its_seal),
		FIXTURE_TEST(test_certificate_is_missing_for_what_was_only_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
