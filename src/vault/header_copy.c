/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of the header that the keystore has. doc/format-vault.md, section 3.
 */

#include <string.h>

#include "clock.h"
#include "internal.h"

/* Another process may be about to copy the header that it has just changed. */
#define STATE_PATIENCE_MS 10000

static const uint8_t copy_magic[4] = { 'C', 'F', 'L', 'H' };

cof_result header_copy_read(const char *path, struct buffer *value, struct cof_error *err)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));

	ENSURE(info, err, COF_E_NOMEM, path, "no memory for a header");
	TRY(luks_read(path, NULL, info, err));
	TRY(buffer_add(value, copy_magic, sizeof(copy_magic), err));
	TRY(buffer_add_be64(value, info->sequence, err));
	TRY(luks_copy_header(path, value, err));
	return COF_OK;
}

cof_result header_copy_split(struct span value, uint64_t *ret_sequence, struct span *ret_copy,
			     struct cof_error *err)
{
	struct reader reader = reader_of(value, ROW_HEADER);
	struct span magic;

	TRY(reader_take(&reader, sizeof(copy_magic), &magic, err));
	ENSURE(memcmp(magic.data, copy_magic, sizeof(copy_magic)) == 0, err, COF_E_FORMAT,
	       ROW_HEADER, "is not the copy of a header");
	TRY(reader_be64(&reader, ret_sequence, err));
	*ret_copy = reader.rest;
	return COF_OK;
}

/* ---- the seal ---- */

enum seal { SEAL_NONE, SEAL_GOOD, SEAL_BROKEN };

/* Whether the copy is the one that was sealed last. One of an earlier epoch, from before a
 * revocation, says nothing. */
static enum seal check_seal(struct vault *vault, struct span value)
{
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_row_ struct row row = { 0 };
	struct sealed_header header;
	uint8_t hash[SHA256_BYTES];

	if (!vault->unlocked || cof_failed(row_get(vault, ROW_HEADER_SEAL, &row, NULL)) ||
	    !row.found)
		return SEAL_NONE;
	if (cof_failed(sealed_parse(buffer_span(&row.value), ROW_HEADER_SEAL, &header, NULL, NULL)))
		return SEAL_BROKEN;
	if (header.epoch < vault->epoch)
		return SEAL_NONE;
	if (cof_failed(keys_open(&vault->keys, "header", "", "", buffer_span(&row.value),
				 ROW_HEADER_SEAL, NULL, &plain, NULL)) ||
	    cof_failed(sha256(value, hash, NULL)))
		return SEAL_BROKEN;
	return ct_equal(secret_span(plain), SPAN(hash, sizeof(hash))) ? SEAL_GOOD : SEAL_BROKEN;
}

/* Adds the seal of a copy to a transaction; a locked vault has no keys for one, and the next
 * unlocking makes it. */
static cof_result add_seal(struct vault *vault, uint64_t sequence, struct span value,
			   struct change_set *set, struct cof_error *err)
{
	struct sealed_header header = { .generation = sequence, .created = (uint64_t)clock_now() };
	_cleanup_buffer_ struct buffer stored = { 0 };
	uint8_t hash[SHA256_BYTES];

	if (!vault->unlocked)
		return change_set_delete(set, ROW_HEADER_SEAL, KEYSTORE_ANY, err);
	memcpy(header.id, vault->uuid, sizeof(header.id));
	TRY(sha256(value, hash, err));
	TRY(keys_seal(&vault->keys, "header", "", "", header, SPAN(hash, sizeof(hash)), &stored,
		      err));
	return change_set_put(set, ROW_HEADER_SEAL, &stored, KEYSTORE_ANY, err);
}

cof_result header_check_seal(struct vault *vault, struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };

	TRY(row_get(vault, ROW_HEADER, &row, err));
	ENSURE(!row.found || check_seal(vault, buffer_span(&row.value)) != SEAL_BROKEN, err,
	       COF_E_AUTH, ROW_HEADER, "the copy of the header was altered, and not by coffer");
	return COF_OK;
}

/* ---- the copy ---- */

/* How a header and its copy compare. */
struct comparison {
	enum vault_header state;
	uint64_t sequence;
	uint64_t kept_sequence;
	uint64_t row_revision;
	enum seal seal;
	struct buffer value; /* the header at hand, as it would be stored */
};

static void comparison_done(struct comparison *comparison)
{
	buffer_done(&comparison->value);
}
#define _cleanup_comparison_ _cleanup_(comparison_done)

/* Compares the header at @path with the copy. The copy is read first: a change that comes between
 * makes the header look newer, never older. */
static cof_result compare(struct vault *vault, const char *path, struct comparison *comparison,
			  struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };
	struct span kept = { 0 };
	struct span copy;

	TRY(row_get(vault, ROW_HEADER, &row, err));
	comparison->row_revision = row.revision;
	TRY(header_copy_read(path, &comparison->value, err));
	TRY(header_copy_split(buffer_span(&comparison->value), &comparison->sequence, &copy, err));
	comparison->state = VAULT_HEADER_CHANGED;
	if (row.found)
		comparison->seal = check_seal(vault, buffer_span(&row.value));
	if (comparison->seal == SEAL_BROKEN) {
		comparison->state = VAULT_HEADER_FORGED;
		return COF_OK;
	}
	/* A copy that is not whole could mend nothing: it is as good as none. */
	if (!row.found ||
	    cof_failed(header_copy_split(buffer_span(&row.value), &comparison->kept_sequence, &kept,
					 NULL)) ||
	    !luks_copies_equal(kept, kept))
		return COF_OK;
	if (luks_copies_equal(copy, kept))
		comparison->state = VAULT_HEADER_KEPT;
	else if (comparison->sequence < comparison->kept_sequence)
		comparison->state = VAULT_HEADER_OLDER;
	else if (comparison->sequence == comparison->kept_sequence)
		comparison->state = VAULT_HEADER_DAMAGED;
	return COF_OK;
}

/* Refuses a header that must neither be changed nor replace its copy. */
static cof_result check_comparison(const struct vault *vault, const struct comparison *comparison,
				   struct cof_error *err)
{
	cof_result result = COF_OK;

	if (comparison->state == VAULT_HEADER_OLDER)
		result = cof_raise(
			err, COF_E_FORMAT, vault->header_path,
			"an older header was put back: its sequence number is %llu, that of its "
			"copy %llu",
			(unsigned long long)comparison->sequence,
			(unsigned long long)comparison->kept_sequence);
	if (comparison->state == VAULT_HEADER_DAMAGED)
		result = cof_raise(
			err, COF_E_FORMAT, vault->header_path,
			"is damaged: it differs from its copy under the same sequence number %llu",
			(unsigned long long)comparison->sequence);
	if (cof_failed(result)) {
		cof_error_cause(err, "a change now would put this header in the place of the good "
				     "copy in the keystore");
		cof_error_try(err, RESTORE_HEADER);
	}
	return result;
}

cof_result header_is_kept(struct vault *vault, const char *path, bool *ret_kept,
			  struct cof_error *err)
{
	_cleanup_comparison_ struct comparison comparison = { 0 };

	TRY(compare(vault, path, &comparison, err));
	*ret_kept = comparison.state == VAULT_HEADER_KEPT;
	return COF_OK;
}

cof_result header_keep(struct vault *vault, struct cof_error *err)
{
	_cleanup_comparison_ struct comparison comparison = { 0 };
	_cleanup_(change_set_done) struct change_set set = { 0 };

	TRY(compare(vault, vault->header_path, &comparison, err));
	if (comparison.state == VAULT_HEADER_KEPT)
		return COF_OK;
	TRY(check_comparison(vault, &comparison, err));
	TRY(add_seal(vault, comparison.sequence, buffer_span(&comparison.value), &set, err));
	TRY(change_set_put(&set, ROW_HEADER, &comparison.value, comparison.row_revision, err));
	TRY(vault->engine->commit(vault->keystore, set.changes, set.count, NULL, err));
	return COF_OK;
}

/* Seals a copy that has no seal yet, which is the header's own, if that is the vault's. */
static cof_result seal_kept(struct vault *vault, const struct comparison *comparison,
			    struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(change_set_done) struct change_set set = { 0 };

	TRY(volume_key_copy(root_key_span(vault->root), &key, err));
	TRY(luks_verify(vault->header_path, NULL, key, err));
	TRY(add_seal(vault, comparison->sequence, buffer_span(&comparison->value), &set, err));
	TRY(vault->engine->commit(vault->keystore, set.changes, set.count, NULL, err));
	return COF_OK;
}

bool vault_header_mended(const struct vault *vault)
{
	return vault->header_mended;
}

cof_result header_refresh(struct vault *vault, bool *ret_changed, struct cof_error *err)
{
	_cleanup_comparison_ struct comparison comparison = { 0 };
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	*ret_changed = false;
	/* A header that somebody put there must not replace the copy that could mend this; and who
	 * has derived keys only cannot tell whose it is. */
	if (!vault->root)
		return COF_OK;
	TRY(compare(vault, vault->header_path, &comparison, err));
	/* Every change of a header raises its number. Bytes that differ under the same number are
	 * damage, under a lower one an older header: neither may replace the good copy. */
	if (comparison.state == VAULT_HEADER_KEPT && comparison.seal == SEAL_NONE)
		return seal_kept(vault, &comparison, err);
	if (comparison.state != VAULT_HEADER_CHANGED && comparison.state != VAULT_HEADER_FORGED)
		return COF_OK;
	TRY(volume_key_copy(root_key_span(vault->root), &key, err));
	TRY(luks_verify(vault->header_path, NULL, key, err));
	TRY(header_keep(vault, err));
	vault->header_mended = comparison.state == VAULT_HEADER_FORGED;
	*ret_changed = true;
	return COF_OK;
}

cof_result header_check_copy(struct vault *vault, struct cof_error *err)
{
	_cleanup_comparison_ struct comparison comparison = { 0 };

	TRY(compare(vault, vault->header_path, &comparison, err));
	return check_comparison(vault, &comparison, err);
}

cof_result vault_header_state(struct vault *vault, enum vault_header *ret_state,
			      struct cof_error *err)
{
	_cleanup_comparison_ struct comparison first = { 0 };
	_cleanup_comparison_ struct comparison second = { 0 };
	_cleanup_fd_ int lock = -1;

	TRY(compare(vault, vault->header_path, &first, err));
	*ret_state = first.state;
	/* What somebody is just changing looks changed or damaged; with the lock that is told. */
	if (first.state == VAULT_HEADER_KEPT ||
	    cof_failed(vault_take_lock(vault, STATE_PATIENCE_MS, &lock, NULL)))
		return COF_OK;
	TRY(compare(vault, vault->header_path, &second, err));
	*ret_state = second.state;
	return COF_OK;
}
