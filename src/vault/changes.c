/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "clock.h"
#include "internal.h"

void change_set_done(struct change_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		free((void *)(uintptr_t)set->changes[i].key);
		free((void *)(uintptr_t)set->changes[i].value.data);
	}
	free(set->changes);
	*set = (struct change_set){ 0 };
}

/* Appends a change without a value. */
static cof_result add_change(struct change_set *set, const char *key, uint64_t expected_revision,
			     struct cof_error *err)
{
	_cleanup_free_ char *copy = strdup(key);

	ENSURE(copy, err, COF_E_NOMEM, key, "no memory for a change");
	if (set->count == set->room) {
		size_t room = set->room ? 2 * set->room : 8;
		struct keystore_change *grown = reallocarray(set->changes, room, sizeof(*grown));

		ENSURE(grown, err, COF_E_NOMEM, key, "no memory for %zu changes", room);
		set->changes = grown;
		set->room = room;
	}
	set->changes[set->count++] = (struct keystore_change){
		.key = TAKE(copy),
		.expected_revision = expected_revision,
	};
	return COF_OK;
}

cof_result change_set_put(struct change_set *set, const char *key, struct buffer *value,
			  uint64_t expected_revision, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer taken = *value;

	*value = (struct buffer){ 0 };
	TRY(add_change(set, key, expected_revision, err));
	set->changes[set->count - 1].value = buffer_span(&taken);
	taken = (struct buffer){ 0 };
	return COF_OK;
}

cof_result change_set_delete(struct change_set *set, const char *key, uint64_t expected_revision,
			     struct cof_error *err)
{
	return add_change(set, key, expected_revision, err);
}

void index_edit_done(struct index_edit *edit)
{
	for (size_t i = 0; i < INDEX_PAGES; i++)
		index_page_done(&edit->pages[i]);
}

cof_result index_edit_start(struct vault *vault, struct index_edit *edit, struct cof_error *err)
{
	const struct manifest *manifest;

	TRY(vault_read_manifest(vault, &manifest, err));
	edit->vault = vault;
	edit->keys = &vault->keys;
	edit->manifest = *manifest;
	edit->manifest_expected = vault->manifest_revision;
	return COF_OK;
}

/* A copy of a page's old state, to be changed. */
static cof_result load_page(struct index_edit *edit, unsigned int number, struct cof_error *err)
{
	const struct index_page *old;
	bool is_new;

	if (edit->loaded[number])
		return COF_OK;
	if (edit->vault) {
		TRY(vault_read_page(edit->vault, &edit->manifest, number, &old, err));
		for (size_t i = 0; i < old->count; i++)
			TRY(index_page_put(&edit->pages[number], &old->entries[i], &is_new, err));
	}
	edit->loaded[number] = true;
	return COF_OK;
}

cof_result index_edit_put(struct index_edit *edit, const char *key, struct span value,
			  struct cof_error *err)
{
	struct index_entry entry;
	unsigned int number;
	bool is_new;

	TRY(index_key_digest(edit->keys->index_key, key, &entry.key, err));
	TRY(index_value_digest(edit->keys->index_key, key, value, &entry.value, err));
	number = entry.key.bytes[0];
	TRY(load_page(edit, number, err));
	TRY(index_page_put(&edit->pages[number], &entry, &is_new, err));
	edit->manifest.rows += is_new ? 1 : 0;
	return COF_OK;
}

cof_result index_edit_remove(struct index_edit *edit, const char *key, struct cof_error *err)
{
	struct index_digest digest;
	unsigned int number;

	TRY(index_key_digest(edit->keys->index_key, key, &digest, err));
	number = digest.bytes[0];
	TRY(load_page(edit, number, err));
	ENSURE(index_page_remove(&edit->pages[number], &digest), err, COF_E_AUTH, key,
	       "is not among the rows that the vault wrote");
	edit->manifest.rows--;
	return COF_OK;
}

/* Seals one page into the transaction and notes its digest in the manifest. */
static cof_result finish_page(struct index_edit *edit, unsigned int number,
			      const struct sealed_header *header, struct change_set *set,
			      struct cof_error *err)
{
	_cleanup_buffer_ struct buffer plain = { 0 };
	_cleanup_buffer_ struct buffer stored = { 0 };
	struct index_digest *digest = &edit->manifest.pages[number];
	char key[sizeof(ROW_INDEX) + 2] = ROW_INDEX;
	char name[3];

	strcat(key, index_page_name(number, name));
	if (edit->pages[number].count == 0) {
		memset(digest, 0, sizeof(*digest));
		return change_set_delete(set, key, KEYSTORE_ANY, err);
	}
	TRY(index_page_encode(&edit->pages[number], &plain, err));
	TRY(keys_seal(edit->keys, "index", "", name, *header, buffer_span(&plain), &stored, err));
	TRY(index_value_digest(edit->keys->index_key, key, buffer_span(&stored), digest, err));
	/* The manifest changes with every page: its revision stands for theirs. */
	TRY(change_set_put(set, key, &stored, KEYSTORE_ANY, err));
	return COF_OK;
}

cof_result index_edit_finish(struct index_edit *edit, uint64_t revision, struct change_set *set,
			     struct cof_error *err)
{
	_cleanup_buffer_ struct buffer plain = { 0 };
	_cleanup_buffer_ struct buffer stored = { 0 };
	struct sealed_header header = { .generation = revision, .created = (uint64_t)clock_now() };

	memcpy(header.id, edit->keys->uuid, sizeof(header.id));
	for (unsigned int i = 0; i < INDEX_PAGES; i++) {
		if (edit->loaded[i] || !edit->vault)
			TRY(finish_page(edit, i, &header, set, err));
	}
	TRY(manifest_encode(&edit->manifest, &plain, err));
	TRY(keys_seal(edit->keys, "manifest", "", "", header, buffer_span(&plain), &stored, err));
	TRY(change_set_put(set, ROW_MANIFEST, &stored, edit->manifest_expected, err));
	return COF_OK;
}
