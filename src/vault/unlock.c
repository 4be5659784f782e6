/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unlocking: a root key counts only once the identity record has opened with a key derived from
 * it, because nothing authenticates a LUKS2 header.
 */

#include <string.h>

#include "audit_head.h"
#include "log.h"
#include "recovery.h"

#define HEADER_CIPHER  "aes-xts-plain64"
#define IDENTITY_BYTES (VAULT_UUID_BYTES + 4 + 8)

cof_result vault_check_header(const char *header_path, struct cof_error *err)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));

	ENSURE(info, err, COF_E_NOMEM, header_path, "no memory for a header");
	TRY(luks_read(header_path, NULL, info, err));
	ENSURE(info->version == 2, err, COF_E_AUTH, header_path,
	       "is a LUKS%d header, a vault's is LUKS2", info->version);
	ENSURE(strcmp(info->cipher, "aes") == 0 && strcmp(info->cipher_mode, "xts-plain64") == 0,
	       err, COF_E_AUTH, header_path, "its segment is encrypted with %s-%s, not with %s",
	       info->cipher, info->cipher_mode, HEADER_CIPHER);
	ENSURE(info->key_bytes == ROOT_KEY_BYTES, err, COF_E_AUTH, header_path,
	       "its volume key has %zu bytes, a root key has %d", info->key_bytes, ROOT_KEY_BYTES);
	for (size_t i = 0; i < info->slot_count; i++)
		ENSURE(strcmp(info->slots[i].cipher, HEADER_CIPHER) == 0, err, COF_E_AUTH,
		       header_path, "keyslot %d is encrypted with %s, not with %s",
		       info->slots[i].number, info->slots[i].cipher, HEADER_CIPHER);
	return COF_OK;
}

/* Tries a secret as a recovery key, however it was typed, then as it is. */
static cof_result try_secret(const char *header_path, const struct slot_secret *secret,
			     struct volume_key **ret_key, int *ret_slot, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	struct cof_error typing_error = { 0 };
	cof_result parsed = COF_OK;
	cof_result result;

	if (!recovery_looks_like(slot_secret_span(secret)))
		return luks_unlock(header_path, NULL, secret, LUKS_ANY_SLOT, ret_key, ret_slot,
				   err);
	parsed = recovery_parse(slot_secret_span(secret), &recovery, &typing_error);
	if (!cof_failed(parsed)) {
		result = luks_unlock(header_path, NULL, recovery, LUKS_ANY_SLOT, ret_key, ret_slot,
				     err);
		if (result.code != COF_E_KEY)
			return result;
	}
	/* A passphrase may look like a recovery key. */
	result = luks_unlock(header_path, NULL, secret, LUKS_ANY_SLOT, ret_key, ret_slot, err);
	if (result.code == COF_E_KEY && cof_failed(parsed)) {
		if (err)
			*err = typing_error;
		return parsed;
	}
	return result;
}

cof_result vault_open_header(const char *header_path, const struct slot_secret *secret,
			     struct volume_key **ret_key, int *ret_slot, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	int slot = -1;

	TRY(vault_check_header(header_path, err));
	TRY(try_secret(header_path, secret, &key, &slot, err));
	ENSURE(key->secret.len == ROOT_KEY_BYTES, err, COF_E_AUTH, header_path,
	       "yields a key of %zu bytes, a root key has %d", key->secret.len, ROOT_KEY_BYTES);
	*ret_key = TAKE(key);
	if (ret_slot)
		*ret_slot = slot;
	return COF_OK;
}

cof_result identity_seal(const struct keys *keys, time_t created, struct buffer *stored,
			 struct cof_error *err)
{
	_cleanup_buffer_ struct buffer plain = { 0 };
	struct sealed_header header = { .generation = keys->epoch, .created = (uint64_t)created };

	memcpy(header.id, keys->uuid, sizeof(header.id));
	TRY(buffer_add(&plain, keys->uuid, VAULT_UUID_BYTES, err));
	TRY(buffer_add_be32(&plain, keys->epoch, err));
	TRY(buffer_add_be64(&plain, (uint64_t)created, err));
	TRY(keys_seal(keys, "identity", "", "", header, buffer_span(&plain), stored, err));
	return COF_OK;
}

cof_result identity_epoch(struct vault *vault, uint32_t *ret_epoch, uint8_t *ret_uuid,
			  bool *ret_found, struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };
	struct sealed_header header = { 0 };

	TRY(row_get(vault, ROW_IDENTITY, &row, err));
	if (row.found)
		TRY(sealed_parse(buffer_span(&row.value), ROW_IDENTITY, &header, NULL, err));
	*ret_found = row.found;
	*ret_epoch = header.epoch;
	if (ret_uuid)
		memcpy(ret_uuid, header.id, sizeof(header.id));
	return COF_OK;
}

/* Compares an opened identity with the vault that it was found in. */
static cof_result check_identity(const struct keys *keys, const struct secret *plain,
				 time_t *ret_created, struct cof_error *err)
{
	struct reader reader = reader_of(secret_span(plain), ROW_IDENTITY);
	struct span uuid;
	uint64_t created;
	uint32_t epoch;

	ENSURE(plain->len == IDENTITY_BYTES, err, COF_E_FORMAT, ROW_IDENTITY,
	       "has %zu bytes, must have %d", plain->len, IDENTITY_BYTES);
	TRY(reader_take(&reader, VAULT_UUID_BYTES, &uuid, err));
	TRY(reader_be32(&reader, &epoch, err));
	TRY(reader_be64(&reader, &created, err));
	ENSURE(memcmp(uuid.data, keys->uuid, VAULT_UUID_BYTES) == 0 && epoch == keys->epoch, err,
	       COF_E_AUTH, ROW_IDENTITY, "is that of another vault or epoch");
	*ret_created = (time_t)created;
	return COF_OK;
}

/* Reports that header and keystore do not belong together. */
static cof_result not_this_header(const struct vault *vault, const char *text,
				  struct cof_error *err)
{
	cof_result result = cof_raise(err, COF_E_AUTH, vault->header_path, "%s", text);

	return cof_explain(result, err, RESTORE_HEADER,
			   "cannot unlock vault %s: the header does not belong to it",
			   vault->paths->vault_dir);
}

cof_result vault_prove(struct vault *vault, struct keys *keys, time_t *ret_created,
		       struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_row_ struct row row = { 0 };
	struct sealed_header header;
	cof_result result;

	TRY(row_get(vault, ROW_IDENTITY, &row, err));
	ENSURE(row.found, err, COF_E_AUTH, vault->keystore_path,
	       "the keystore has no identity record");
	TRY(sealed_parse(buffer_span(&row.value), ROW_IDENTITY, &header, NULL, err));
	if (memcmp(header.id, vault->uuid, VAULT_UUID_BYTES) != 0)
		return not_this_header(vault, "its UUID is not the one in the keystore", err);
	keys->epoch = header.epoch;
	result = keys_open(keys, "identity", "", "", buffer_span(&row.value), ROW_IDENTITY, NULL,
			   &plain, err);
	if (result.code == COF_E_AUTH)
		return not_this_header(
			vault, "the key it yields does not open the vault's identity record", err);
	TRY(result);
	TRY(check_identity(keys, plain, ret_created, err));
	return COF_OK;
}

cof_result vault_check_same(struct vault *vault, struct cof_error *err)
{
	uint8_t uuid[VAULT_UUID_BYTES];
	uint32_t epoch;
	bool found;

	TRY(identity_epoch(vault, &epoch, uuid, &found, err));
	if (found && memcmp(uuid, vault->uuid, VAULT_UUID_BYTES) != 0)
		return not_this_header(vault, "its UUID is not the one in the keystore", err);
	return COF_OK;
}

cof_result vault_prove_secret(struct vault *vault, const struct slot_secret *secret,
			      struct volume_key **ret_key, int *ret_slot, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	_cleanup_(keys_done) struct keys keys = { 0 };
	time_t created;

	TRY(vault_check_same(vault, err));
	TRY(header_check_copy(vault, err));
	TRY(vault_open_header(vault->header_path, secret, &key, ret_slot, err));
	TRY(root_key_copy(volume_key_span(key), &root, err));
	TRY(keys_from_root(root, vault->uuid, vault->epoch, &keys, err));
	TRY(vault_prove(vault, &keys, &created, err));
	*ret_key = TAKE(key);
	return COF_OK;
}

/* What may be caught up with once the keys are there; none of it keeps the vault locked. */
static void catch_up(struct vault *vault)
{
	_cleanup_fd_ int lock = -1;
	struct cof_error err = { 0 };
	struct mark mark = { 0 };
	bool changed = false;

	/* Whoever holds the lock writes a new mark and copy himself. */
	if (cof_failed(vault_take_lock(vault, 0, &lock, &err)))
		return;
	if (cof_failed(header_refresh(vault, &changed, &err)))
		log_debug("vault", "header copy: %s: %s", err.subject, err.text);
	mark_load(vault, vault->mark_path, &mark);
	/* Without the newest mark, a commit was cut off before its mirrors were written as well. */
	if (changed || !mark.proven || mark.revision < vault->manifest.revision)
		commit_follow_up(vault);
}

/* Takes over proven keys and the root key, which may be elsewhere; @keys and @root are emptied. On
 * failure the vault is locked. */
static cof_result adopt_keys(struct vault *vault, struct keys *keys, struct root_key **root,
			     time_t created, struct cof_error *err)
{
	const struct manifest *manifest;
	cof_result result;

	vault_relock(vault);
	vault->keys = *keys;
	*keys = (struct keys){ 0 };
	vault->root = TAKE(*root);
	vault->epoch = vault->keys.epoch;
	vault->created = created;
	vault->unlocked = true;
	result = keys_start(&vault->keys, err);
	if (!cof_failed(result))
		result = vault_read_manifest(vault, &manifest, err);
	if (!cof_failed(result))
		result = mark_check(vault, err);
	if (cof_failed(result)) {
		vault_relock(vault);
		return result;
	}
	catch_up(vault);
	return COF_OK;
}

/* Says of a secret that opens nothing when that may be the fault of the header. */
static cof_result explain_wrong_key(struct vault *vault, cof_result result, struct cof_error *err)
{
	enum vault_header state;

	if (result.code != COF_E_KEY || cof_failed(vault_header_state(vault, &state, NULL)) ||
	    (state != VAULT_HEADER_OLDER && state != VAULT_HEADER_DAMAGED))
		return result;
	cof_error_cause(err,
			"the header is %s its copy in the keystore, which other secrets may open",
			state == VAULT_HEADER_OLDER ? "older than" : "damaged: it differs from");
	cof_error_try(err, RESTORE_HEADER);
	return result;
}

cof_result vault_unlock_key(struct vault *vault, const struct volume_key *key,
			    struct cof_error *err)
{
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	_cleanup_(keys_done) struct keys keys = { 0 };
	time_t created;

	TRY(root_key_copy(volume_key_span(key), &root, err));
	TRY(keys_from_root(root, vault->uuid, vault->epoch, &keys, err));
	TRY(vault_prove(vault, &keys, &created, err));
	return adopt_keys(vault, &keys, &root, created, err);
}

/* vault_unlock() but for the line in the audit log. */
static cof_result unlock(struct vault *vault, const struct slot_secret *secret, int *ret_slot,
			 struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	int slot;

	TRY(vault_check_same(vault, err));
	TRY(explain_wrong_key(
		vault, vault_open_header(vault->header_path, secret, &key, &slot, err), err));
	TRY(vault_unlock_key(vault, key, err));
	*ret_slot = slot;
	return COF_OK;
}

cof_result vault_unlock(struct vault *vault, const struct slot_secret *secret, int *ret_slot,
			struct cof_error *err)
{
	struct cof_error why = { 0 };
	int slot = -1;
	cof_result result = unlock(vault, secret, &slot, &why);

	audit_note_expiry(vault);
	if (cof_failed(result)) {
		audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_UNLOCK_FAILED,
							 .why = &why });
		if (err)
			*err = why;
		return result;
	}
	audit_note_slot(vault, AUDIT_VAULT_UNLOCK, slot);
	if (ret_slot)
		*ret_slot = slot;
	return COF_OK;
}

cof_result vault_unlock_from(struct vault *vault, struct key_source source, struct cof_error *err)
{
	_cleanup_(keys_done) struct keys keys = { .source = source };
	struct root_key *elsewhere = NULL;
	time_t created;

	memcpy(keys.uuid, vault->uuid, VAULT_UUID_BYTES);
	TRY(vault_prove(vault, &keys, &created, err));
	TRY(adopt_keys(vault, &keys, &elsewhere, created, err));
	return COF_OK;
}
