/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_rig.h"

#include "keyring_internal.h"

#define NOW 1800000000u
#define DAY 86400u

static void create(struct store_rig *rig, const char *passphrase, enum keystore_mode mode)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	struct keyring_spec spec = { .mode = mode, .rotate_days = 7 };

	if (passphrase) {
		slot_secret_of(passphrase, &secret);
		spec.secret.passphrase = secret;
	}
	assert_ok(keyring_create(&rig->place, &spec, NOW, NULL));
}

static cof_result unlock(struct store_rig *rig, const char *passphrase,
			 struct keyring **ret_keyring)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;

	TRY(keyring_load(&rig->place, ret_keyring, NULL));
	if (passphrase)
		slot_secret_of(passphrase, &secret);
	return keyring_unlock(*ret_keyring, (struct keyring_secret){ .passphrase = secret }, NULL);
}

static void test_keyring_opens_with_its_passphrase_alone(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *right = NULL;
	_cleanup_(keyring_freep) struct keyring *wrong = NULL;

	rig_open(&rig);
	create(&rig, "right", KEYSTORE_INTERNAL);
	assert_ok(unlock(&rig, "right", &right));
	assert_true(keyring_is_encrypted(right));
	assert_int_equal(keyring_body(right)->key_count, 1);
	assert_fails(unlock(&rig, "wrong", &wrong), COF_E_KEY);
}

static void test_keyring_opens_with_the_vaults_key(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	struct keyring_spec spec = { .mode = KEYSTORE_STATIC };

	rig_open(&rig);
	slot_secret_of("thirty-two bytes of the vault...", &secret);
	spec.secret.vault_key = secret;
	assert_ok(keyring_create(&rig.place, &spec, NOW, NULL));
	assert_ok(keyring_load(&rig.place, &keyring, NULL));
	assert_true(keyring_has_method(keyring, KEYSTORE_VAULT));
	assert_false(keyring_has_method(keyring, KEYSTORE_PASSPHRASE));
	assert_ok(keyring_unlock(keyring, spec.secret, NULL));
	/* The same bytes as a passphrase are none. */
	assert_fails(keyring_unlock(keyring, (struct keyring_secret){ .passphrase = secret }, NULL),
		     COF_E_KEY);
}

/* Puts a keystore with @count content keys in all places, as that many rotations would have. */
static void put_keys(struct keyring *keyring, size_t count)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	_cleanup_buffer_ struct buffer sealed = { 0 };
	_cleanup_secret_ struct secret *plain = NULL;
	struct keystore_body *body = &keyring->body;

	secret_free(body->secrets);
	assert_ok(secret_random(count * AEAD_KEY_BYTES, &body->secrets, NULL));
	body->key_count = count;
	for (size_t i = 0; i < count; i++)
		body->keys[i] = (struct keystore_key){ .id = (uint16_t)(i + 1),
						       .generation = 1,
						       .state = i + 1 < count ? KEYSTORE_RETIRED
									      : KEYSTORE_ACTIVE,
						       .created = NOW };
	assert_ok(keystore_body_encode(body, &plain, NULL));
	keyring->file.sequence++;
	assert_ok(keystore_encode_head(&keyring->file, (uint32_t)plain->len + AEAD_TAG_BYTES,
				       &content, NULL));
	assert_ok(aead_seal(keyring->master, keyring->file.nonce, buffer_span(&content),
			    secret_span(plain), &sealed, NULL));
	assert_ok(buffer_add(&content, sealed.data, sealed.len, NULL));
	assert_ok(sha256_append(&content, NULL));
	for (size_t i = 0; i < KEYRING_COPIES; i++)
		assert_ok(file_replace(keyring->copies[i].path, buffer_span(&content), 0600, NULL));
}

static void test_keyring_up_to_1023_keys_and_each_is_found(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;
	const struct keystore_body *body;
	bool rotated = false;

	rig_open(&rig);
	create(&rig, "right", KEYSTORE_INTERNAL);
	assert_ok(unlock(&rig, "right", &keyring));
	put_keys(keyring, KEYSTORE_KEYS_MAX - 1);
	assert_ok(keyring_settle(keyring, NOW + 7 * DAY, &rotated, NULL));
	assert_true(rotated);
	body = keyring_body(keyring);
	assert_int_equal(body->key_count, KEYSTORE_KEYS_MAX);
	for (size_t i = 0; i < body->key_count; i++) {
		_cleanup_(content_key_freep) struct content_key *key = NULL;

		assert_ok(keyring_find_key(keyring, body->keys[i].id, 1, "test", &key, NULL));
		assert_memory_equal(key->secret.data, body->secrets->data + i * AEAD_KEY_BYTES,
				    AEAD_KEY_BYTES);
		assert_int_equal(body->keys[i].state,
				 i + 1 < body->key_count ? KEYSTORE_RETIRED : KEYSTORE_ACTIVE);
	}
	assert_fails(keyring_settle(keyring, NOW + 14 * DAY, &rotated, NULL), COF_E_NOSPC);
}

static void test_keyring_a_clock_that_goes_back_makes_no_key(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;
	bool rotated = true;

	rig_open(&rig);
	create(&rig, "right", KEYSTORE_INTERNAL);
	assert_ok(unlock(&rig, "right", &keyring));
	assert_ok(keyring_settle(keyring, NOW - 30 * DAY, &rotated, NULL));
	assert_false(rotated);
	assert_ok(keyring_settle(keyring, NOW + 7 * DAY - 1, &rotated, NULL));
	assert_false(rotated);
}

static void test_keyring_a_key_that_it_has_not_is_said(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;
	_cleanup_(content_key_freep) struct content_key *key = NULL;

	rig_open(&rig);
	create(&rig, "right", KEYSTORE_STATIC);
	assert_ok(unlock(&rig, "right", &keyring));
	assert_fails(keyring_find_key(keyring, 1, 2, "test", &key, NULL), COF_E_AUTH);
	assert_fails(keyring_find_key(keyring, 2, 1, "test", &key, NULL), COF_E_AUTH);
}

static void test_keyring_two_processes_make_one_key(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *one = NULL;
	_cleanup_(keyring_freep) struct keyring *two = NULL;
	bool rotated = false;

	rig_open(&rig);
	create(&rig, "right", KEYSTORE_INTERNAL);
	assert_ok(unlock(&rig, "right", &one));
	assert_ok(unlock(&rig, "right", &two));
	assert_ok(keyring_settle(one, NOW + 7 * DAY, &rotated, NULL));
	assert_true(rotated);
	assert_ok(keyring_settle(two, NOW + 7 * DAY, &rotated, NULL));
	assert_false(rotated);
	assert_int_equal(keyring_body(two)->key_count, 2);
}

static void test_keyring_of_a_plain_group_needs_nothing(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;
	_cleanup_(keyring_freep) struct keyring *given = NULL;
	_cleanup_(content_key_freep) struct content_key *key = NULL;
	const struct keystore_key *facts;

	rig_open(&rig);
	create(&rig, NULL, KEYSTORE_PLAIN);
	assert_ok(unlock(&rig, NULL, &keyring));
	assert_ok(keyring_active_key(keyring, &key, &facts, NULL));
	assert_null(key);
	assert_fails(unlock(&rig, "something", &given), COF_E_USAGE);
}

static void test_keyring_passes_over_a_copy_that_was_made_to_look_newer(void **state)
{
	_cleanup_rig_ struct store_rig rig;
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	char path[128];

	rig_open(&rig);
	create(&rig, "right", KEYSTORE_INTERNAL);
	(void)snprintf(path, sizeof(path), "%s/keys/b", rig.data);
	assert_ok(file_read(path, KEYSTORE_MAX_BYTES, &copy, NULL));
	copy.data[26] = 1; /* the highest byte of the sequence */
	copy.len -= SHA256_BYTES;
	assert_ok(sha256_append(&copy, NULL));
	assert_ok(file_replace(path, buffer_span(&copy), 0600, NULL));
	assert_ok(unlock(&rig, "right", &keyring));
	assert_int_equal(keyring_copies(keyring)[1].state, COPY_DAMAGED);
	assert_ok(keyring_repair(keyring, NULL));
	assert_true(keyring_copies(keyring)[1].repaired);
}

/* Hardens cheaply: nothing here is about that. */
static int be_cheap(void **state)
{
	return setenv("COFFER_TEST_COST", "cheap", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keyring_opens_with_its_passphrase_alone),
		cmocka_unit_test(test_keyring_opens_with_the_vaults_key),
		cmocka_unit_test(test_keyring_up_to_1023_keys_and_each_is_found),
		cmocka_unit_test(test_keyring_a_clock_that_goes_back_makes_no_key),
		cmocka_unit_test(test_keyring_a_key_that_it_has_not_is_said),
		cmocka_unit_test(test_keyring_two_processes_make_one_key),
		cmocka_unit_test(test_keyring_of_a_plain_group_needs_nothing),
		cmocka_unit_test(test_keyring_passes_over_a_copy_that_was_made_to_look_newer),
	};

	return cmocka_run_group_tests(tests, be_cheap, NULL);
}
