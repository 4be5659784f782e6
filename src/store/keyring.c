/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening a group's keystore, and making new content keys: see keyring.h.
 */

#include "keyring.h"

#include <string.h>

#include "fault.h"
#include "keyring_internal.h"

#define ARGON2_PASSES 4
#define ARGON2_MEMORY_KIB                                                                          \
	(128u << 10) /* doc/decisions/store.md: the memory that a put may take                     \
		      */
#define CHEAP_PASSES	 1
#define CHEAP_MEMORY_KIB 8
#define DAY_SECONDS	 86400
#define LOCK_WAIT_MS	 30000

bool keyring_is_encrypted(const struct keyring *keyring)
{
	return keyring->file.encrypted;
}

bool keyring_has_method(const struct keyring *keyring, enum keystore_method method)
{
	for (size_t i = 0; i < keyring->file.slot_count; i++)
		if (keyring->file.slots[i].method == method)
			return true;
	return false;
}

const struct keyring_copy *keyring_copies(const struct keyring *keyring)
{
	return keyring->copies;
}

uint64_t keyring_sequence(const struct keyring *keyring)
{
	return keyring->file.sequence;
}

const struct keystore_slot *keyring_slots(const struct keyring *keyring, size_t *ret_count)
{
	*ret_count = keyring->file.slot_count;
	return keyring->file.slots;
}

const struct keystore_body *keyring_body(const struct keyring *keyring)
{
	return &keyring->body;
}

/* What a new passphrase is hardened with. */
static struct stretch_cost new_cost(void)
{
#ifdef COF_FAULTS
	const char *cost = getenv("COFFER_TEST_COST");

	if (cost && strcmp(cost, "cheap") == 0)
		return (struct stretch_cost){ STRETCH_ARGON2ID, CHEAP_PASSES, CHEAP_MEMORY_KIB };
#endif
	return (struct stretch_cost){ STRETCH_ARGON2ID, ARGON2_PASSES, ARGON2_MEMORY_KIB };
}

static cof_result check_passphrase(const struct slot_secret *passphrase, struct cof_error *err)
{
	ENSURE(passphrase->secret.len >= 1 && passphrase->secret.len <= KEYRING_PASSPHRASE_BYTES,
	       err, COF_E_USAGE, "passphrase", "has %zu bytes, must have 1 to %d",
	       passphrase->secret.len, KEYRING_PASSPHRASE_BYTES);
	return COF_OK;
}

/* The key that wraps the master key in a slot. @ret_key stays NULL where the secret is none for
 * this slot. */
static cof_result slot_key(const struct keystore_slot *slot, struct keyring_secret secret,
			   struct wrap_key **ret_key, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;

	if (slot->method == KEYSTORE_PASSPHRASE && secret.passphrase)
		return stretch(&slot->cost, slot_secret_span(secret.passphrase), slot->salt,
			       ret_key, err);
	if (slot->method != KEYSTORE_VAULT || !secret.vault_key)
		return COF_OK;
	TRY(wrap_key_new(AEAD_KEY_BYTES, &key, err));
	TRY(hkdf_sha256(slot_secret_span(secret.vault_key), SPAN(slot->salt, STRETCH_SALT_BYTES),
			span_of_text("coffer/store/slot/v1"), &key->secret, err));
	*ret_key = TAKE(key);
	return COF_OK;
}

/* Fills in a slot that a secret opens. */
static cof_result make_slot(const uint8_t *group, enum keystore_method method,
			    struct keyring_secret secret, const struct wrap_key *master,
			    struct keystore_slot *ret_slot, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	uint8_t context[KEYSTORE_SLOT_CONTEXT_BYTES];
	struct keystore_slot slot = { .method = method };

	if (method == KEYSTORE_PASSPHRASE)
		slot.cost = new_cost();
	TRY(random_bytes(slot.salt, STRETCH_SALT_BYTES, err));
	TRY(random_bytes(slot.nonce, AEAD_NONCE_BYTES, err));
	TRY(slot_key(&slot, secret, &key, err));
	keystore_slot_context(group, &slot, context);
	TRY(aead_seal(key, slot.nonce, SPAN(context, sizeof(context)), wrap_key_span(master),
		      &wrapped, err));
	memcpy(slot.wrapped, wrapped.data, PACK_WRAPPED_BYTES);
	*ret_slot = slot;
	return COF_OK;
}

/* The whole keystore as bytes. */
static cof_result encode(const struct keystore_file *file, const struct keystore_body *body,
			 const struct wrap_key *master, struct buffer *out, struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_buffer_ struct buffer sealed = { 0 };
	size_t tag = master ? AEAD_TAG_BYTES : 0;

	TRY(keystore_body_encode(body, &plain, err));
	TRY(keystore_encode_head(file, (uint32_t)(plain->len + tag), out, err));
	if (!master) {
		TRY(buffer_add(out, plain->data, plain->len, err));
		return sha256_append(out, err);
	}
	TRY(aead_seal(master, file->nonce, buffer_span(out), secret_span(plain), &sealed, err));
	TRY(buffer_add(out, sealed.data, sealed.len, err));
	return sha256_append(out, err);
}

/* A content key in the lowest free place; those of before that were active are retired. */
static cof_result add_key(struct keystore_body *body, uint64_t now, struct cof_error *err)
{
	_cleanup_secret_ struct secret *secrets = NULL;
	_cleanup_secret_ struct secret *fresh = NULL;
	struct keystore_key *key;
	bool taken[KEYSTORE_KEYS_MAX + 1] = { false };
	uint16_t id = 1;

	ENSURE(body->key_count < KEYSTORE_KEYS_MAX, err, COF_E_NOSPC, "content keys",
	       "there are %zu already, and there may be no more", body->key_count);
	TRY(secret_random(AEAD_KEY_BYTES, &fresh, err));
	TRY(secret_new((body->key_count + 1) * AEAD_KEY_BYTES, &secrets, err));
	if (body->secrets)
		memcpy(secrets->data, body->secrets->data, body->key_count * AEAD_KEY_BYTES);
	memcpy(secrets->data + body->key_count * AEAD_KEY_BYTES, fresh->data, AEAD_KEY_BYTES);
	for (size_t i = 0; i < body->key_count; i++) {
		taken[body->keys[i].id] = true;
		if (body->keys[i].state == KEYSTORE_ACTIVE) {
			body->keys[i].state = KEYSTORE_RETIRED;
			body->keys[i].retired = now;
		}
	}
	while (taken[id])
		id++;
	key = &body->keys[body->key_count++];
	*key = (struct keystore_key){
		.id = id, .generation = 1, .state = KEYSTORE_ACTIVE, .created = now
	};
	secret_free(body->secrets);
	body->secrets = TAKE(secrets);
	return COF_OK;
}

/* Puts the next keystore in all places. */
static cof_result save(struct keyring *keyring, uint64_t now, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };

	keyring->file.sequence++;
	keyring->file.saved = now;
	TRY(random_bytes(keyring->file.nonce, AEAD_NONCE_BYTES, err));
	TRY(encode(&keyring->file, &keyring->body, keyring->master, &content, err));
	TRY(keyring_write_copies(keyring, buffer_span(&content), err));
	return keyring_read_copies(keyring, err);
}

/* The slots that a specification asks for. */
static cof_result make_slots(struct keyring *keyring, const struct keyring_spec *spec,
			     struct cof_error *err)
{
	const struct keyring_secret secret = spec->secret;
	struct keystore_file *file = &keyring->file;

	TRY(wrap_key_random(AEAD_KEY_BYTES, &keyring->master, err));
	if (secret.passphrase) {
		TRY(check_passphrase(secret.passphrase, err));
		TRY(make_slot(keyring->group, KEYSTORE_PASSPHRASE, secret, keyring->master,
			      &file->slots[file->slot_count], err));
		file->slot_count++;
	}
	if (secret.vault_key) {
		TRY(make_slot(keyring->group, KEYSTORE_VAULT, secret, keyring->master,
			      &file->slots[file->slot_count], err));
		file->slot_count++;
	}
	ENSURE(file->slot_count, err, COF_E_USAGE, "--encrypt", "needs a passphrase or the vault");
	return COF_OK;
}

cof_result keyring_create(const struct keyring_place *place, const struct keyring_spec *spec,
			  uint64_t now, struct cof_error *err)
{
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;

	TRY(keyring_alloc(place, &keyring, err));
	/* What a run that was cut off has left is replaced: nothing depends on it. */
	cof_ignore(keyring_read_copies(keyring, NULL));
	keyring->file = (struct keystore_file){ .sequence = keyring->file.sequence,
						.encrypted = spec->mode != KEYSTORE_PLAIN };
	memcpy(keyring->file.group, place->group, STORE_UUID_BYTES);
	TRY(wrap_key_random(AEAD_KEY_BYTES, &keyring->body.id_key, err));
	TRY(wrap_key_random(AEAD_KEY_BYTES, &keyring->body.chunker_key, err));
	keyring->body.mode = spec->mode;
	keyring->body.rotate_days = spec->mode == KEYSTORE_INTERNAL ? spec->rotate_days : 0;
	if (keyring->file.encrypted) {
		TRY(make_slots(keyring, spec, err));
		TRY(add_key(&keyring->body, now, err));
	}
	return save(keyring, now, err);
}

/* The master key, if one of the slots opens. */
static cof_result open_slots(const struct keyring *keyring, struct keyring_secret secret,
			     struct wrap_key **ret_master, struct cof_error *err)
{
	for (size_t i = 0; i < keyring->file.slot_count; i++) {
		const struct keystore_slot *slot = &keyring->file.slots[i];
		_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
		_cleanup_secret_ struct secret *master = NULL;
		uint8_t context[KEYSTORE_SLOT_CONTEXT_BYTES];

		TRY(slot_key(slot, secret, &key, err));
		keystore_slot_context(keyring->group, slot, context);
		if (!key || cof_failed(aead_open(key, slot->nonce, SPAN(context, sizeof(context)),
						 SPAN(slot->wrapped, PACK_WRAPPED_BYTES), NULL,
						 &master, NULL)))
			continue;
		return wrap_key_copy(secret_span(master), ret_master, err);
	}
	FAIL(err, COF_E_KEY, keyring->backend->place, "%s",
	     secret.passphrase ? "the passphrase does not open it"
			       : "the vault's key for it does not open it");
}

/* Opens the body of the copy that counts with the master key. */
static cof_result open_body(struct keyring *keyring, struct cof_error *err)
{
	const struct keystore_file *file = &keyring->file;
	const char *path = keyring->copies[keyring->best].path;
	_cleanup_secret_ struct secret *plain = NULL;

	keystore_body_done(&keyring->body);
	keyring->body = (struct keystore_body){ 0 };
	if (!file->encrypted)
		return keystore_body_decode(file->body, path, &keyring->body, err);
	TRY(aead_open(keyring->master, file->nonce, file->head, file->body, path, &plain, err));
	return keystore_body_decode(secret_span(plain), path, &keyring->body, err);
}

cof_result keyring_unlock(struct keyring *keyring, struct keyring_secret secret,
			  struct cof_error *err)
{
	bool found = true;

	if (secret.passphrase)
		TRY(check_passphrase(secret.passphrase, err));
	for (;;) {
		cof_result opened = COF_OK;

		ENSURE(keyring->file.encrypted || !secret.passphrase, err, COF_E_USAGE,
		       keyring->backend->place, "is not encrypted, so that no passphrase opens it");
		wrap_key_freep(&keyring->master);
		if (keyring->file.encrypted)
			TRY(open_slots(keyring, secret, &keyring->master, err));
		opened = open_body(keyring, err);
		if (!cof_failed(opened))
			break;
		/* Somebody made this copy look whole; another one may be. */
		keyring_pass_over(keyring, &found);
		if (!found)
			return opened;
	}
	keyring->unlocked = true;
	return COF_OK;
}

cof_result keyring_repair(struct keyring *keyring, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	struct span best = buffer_span(&keyring->contents[keyring->best]);

	TRY(buffer_add(&content, best.data, best.len, err));
	return keyring_write_copies(keyring, buffer_span(&content), err);
}

/* The key that is used now. */
static const struct keystore_key *active_key(const struct keyring *keyring)
{
	const struct keystore_body *body = &keyring->body;

	for (size_t i = body->key_count; i > 0; i--)
		if (body->keys[i - 1].state == KEYSTORE_ACTIVE)
			return &body->keys[i - 1];
	return NULL;
}

/* Whether it is time for another one. */
static bool is_due(const struct keyring *keyring, uint64_t now)
{
	const struct keystore_key *key = active_key(keyring);
	uint64_t period = (uint64_t)keyring->body.rotate_days * DAY_SECONDS;

	if (keyring->body.mode == KEYSTORE_PLAIN)
		return false;
	return !key || (keyring->body.mode == KEYSTORE_INTERNAL && now >= key->created &&
			now - key->created >= period);
}

/* Settles with the lock held. */
static cof_result settle(struct keyring *keyring, uint64_t now, bool *ret_rotated,
			 struct cof_error *err)
{
	TRY(keyring_read_copies(keyring, err));
	TRY(open_body(keyring, err));
	*ret_rotated = is_due(keyring, now);
	if (!*ret_rotated)
		return keyring_repair(keyring, err);
	TRY(add_key(&keyring->body, now, err));
	TRY(save(keyring, now, err));
	return fault_point("store/keys-rotated", err);
}

cof_result keyring_settle(struct keyring *keyring, uint64_t now, bool *ret_rotated,
			  struct cof_error *err)
{
	struct backend *backend = keyring->backend;
	bool rotated = false;
	int lock = -1;
	cof_result settled;

	TRY(backend->ops->lock(backend, "keyring", LOCK_WAIT_MS, &lock, err));
	settled = settle(keyring, now, &rotated, err);
	backend->ops->unlock(backend, lock);
	TRY(settled);
	if (ret_rotated)
		*ret_rotated = rotated;
	return COF_OK;
}

/* The bytes of the content key at a place in the list. */
static cof_result copy_key(const struct keystore_body *body, size_t at,
			   struct content_key **ret_key, struct cof_error *err)
{
	return content_key_copy(SPAN(body->secrets->data + at * AEAD_KEY_BYTES, AEAD_KEY_BYTES),
				ret_key, err);
}

cof_result keyring_active_key(const struct keyring *keyring, struct content_key **ret_key,
			      const struct keystore_key **ret_facts, struct cof_error *err)
{
	const struct keystore_key *key = active_key(keyring);

	*ret_key = NULL;
	*ret_facts = key;
	if (!key)
		return COF_OK;
	return copy_key(&keyring->body, (size_t)(key - keyring->body.keys), ret_key, err);
}

cof_result keyring_find_key(const struct keyring *keyring, uint16_t id, uint32_t generation,
			    const char *subject, struct content_key **ret_key,
			    struct cof_error *err)
{
	const struct keystore_body *body = &keyring->body;

	for (size_t i = 0; i < body->key_count; i++)
		if (body->keys[i].id == id && body->keys[i].generation == generation)
			return copy_key(body, i, ret_key, err);
	FAIL(err, COF_E_AUTH, subject,
	     "needs content key %u of generation %u, which the keystore has not", id, generation);
}
