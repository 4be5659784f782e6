/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proving a backup: every record opens, and the rows are just those that the index of the vault
 * names. Row by row, so that what is kept is the digests alone.
 */

#include <stdio.h>
#include <string.h>

#include "audit_head.h"
#include "backup_stream.h"

/**
 * struct proof
 * @found:    the index as the rows make it
 * @said:     the index as its own rows say it, with the digests of those
 */
struct proof {
	struct backup *backup;
	struct index_page found[INDEX_PAGES];
	struct index_page said[INDEX_PAGES];
	struct index_digest said_digests[INDEX_PAGES];
	bool has_identity;
	bool has_manifest;
	struct manifest manifest;
	struct backup_content content;
};

static void proof_free(struct proof *proof)
{
	if (!proof)
		return;
	for (size_t i = 0; i < INDEX_PAGES; i++) {
		index_page_done(&proof->found[i]);
		index_page_done(&proof->said[i]);
	}
	free(proof);
}
DEFINE_FREEP(struct proof, proof_freep, proof_free)

/* Notes a row that the index must name. */
static cof_result add_row(struct proof *proof, const struct backup_item *row, struct cof_error *err)
{
	const struct wrap_key *key = proof->backup->keys.index_key;
	struct index_entry entry;
	bool is_new;

	TRY(index_key_digest(key, row->name, &entry.key, err));
	TRY(index_value_digest(key, row->name, row->value, &entry.value, err));
	return index_page_put(&proof->found[entry.key.bytes[0]], &entry, &is_new, err);
}

/* Opens a record, or an older generation of one. */
static cof_result take_record(struct proof *proof, const struct backup_item *row,
			      struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_free_ char *kind = NULL;
	_cleanup_free_ char *name = NULL;
	uint64_t generation;

	TRY(row_key_split(row->name, &kind, &name, &generation, err));
	TRY(keys_open_record(&proof->backup->keys, kind, name, row->value, 0, &record, err));
	ENSURE(generation == 0 || record->generation == generation, err, COF_E_AUTH, row->name,
	       "holds generation %llu", (unsigned long long)record->generation);
	if (generation)
		proof->content.older++;
	else
		proof->content.records++;
	return add_row(proof, row, err);
}

/* Opens a page of the index. */
static cof_result take_page(struct proof *proof, const struct backup_item *row,
			    struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	const char *name = row->name + strlen(ROW_INDEX);
	unsigned int page = 0;
	char known[3] = "";

	while (page < INDEX_PAGES && strcmp(index_page_name(page, known), name) != 0)
		page++;
	ENSURE(page < INDEX_PAGES, err, COF_E_FORMAT, row->name, "is no page of the index");
	TRY(keys_open(&proof->backup->keys, "index", "", name, row->value, row->name, NULL, &plain,
		      err));
	TRY(index_value_digest(proof->backup->keys.index_key, row->name, row->value,
			       &proof->said_digests[page], err));
	return index_page_decode(secret_span(plain), row->name, &proof->said[page], err);
}

/* Opens the manifest, which names the pages. */
static cof_result take_manifest(struct proof *proof, const struct backup_item *row,
				struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	struct sealed_header header;

	TRY(keys_open(&proof->backup->keys, "manifest", "", "", row->value, row->name, &header,
		      &plain, err));
	TRY(manifest_decode(secret_span(plain), row->name, &proof->manifest, err));
	ENSURE(header.generation == proof->backup->head.revision, err, COF_E_AUTH,
	       proof->backup->file, "says that it is of revision %llu, its manifest is of %llu",
	       (unsigned long long)proof->backup->head.revision,
	       (unsigned long long)header.generation);
	proof->has_manifest = true;
	return COF_OK;
}

/* Compares the header's copy with the seal that the vault made for it. */
static cof_result take_seal(struct proof *proof, const struct backup_item *row,
			    struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	struct sealed_header header;
	uint8_t hash[SHA256_BYTES];

	TRY(sealed_parse(row->value, row->name, &header, NULL, err));
	/* One of before a revocation says nothing. */
	if (header.epoch < proof->backup->head.epoch)
		return COF_OK;
	TRY(keys_open(&proof->backup->keys, "header", "", "", row->value, row->name, NULL, &plain,
		      err));
	TRY(sha256(buffer_span(&proof->backup->anchor), hash, err));
	ENSURE(ct_equal(secret_span(plain), SPAN(hash, sizeof(hash))), err, COF_E_AUTH,
	       proof->backup->file, "its copy of the header is not the one that the vault sealed");
	return COF_OK;
}

/* Looks at one row. Those that the index does not name (notes, mirrors) prove nothing. */
static cof_result take_row(struct proof *proof, const struct backup_item *row,
			   struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;

	if (strncmp(row->name, ROW_RECORDS, strlen(ROW_RECORDS)) == 0 ||
	    strncmp(row->name, ROW_HISTORY, strlen(ROW_HISTORY)) == 0)
		return take_record(proof, row, err);
	if (strcmp(row->name, ROW_AUDIT) == 0)
		return add_row(proof, row, err);
	if (strncmp(row->name, ROW_INDEX, strlen(ROW_INDEX)) == 0)
		return take_page(proof, row, err);
	if (strcmp(row->name, ROW_MANIFEST) == 0)
		return take_manifest(proof, row, err);
	if (strcmp(row->name, ROW_HEADER_SEAL) == 0)
		return take_seal(proof, row, err);
	if (strcmp(row->name, ROW_IDENTITY) != 0)
		return COF_OK;
	proof->has_identity = true;
	return keys_open(&proof->backup->keys, "identity", "", "", row->value, row->name, NULL,
			 &plain, err);
}

static cof_result take_item(const struct backup_item *item, void *context, struct cof_error *err)
{
	struct proof *proof = context;

	if (item->kind == BACKUP_ROW)
		return take_row(proof, item, err);
	proof->content.audit_files += item->kind == BACKUP_AUDIT;
	proof->content.config = proof->content.config || item->kind == BACKUP_CONFIG;
	return COF_OK;
}

/* Whether two pages name the same rows; both are in the order of their keys. */
static bool pages_are_equal(const struct index_page *a, const struct index_page *b)
{
	return a->count == b->count &&
	       (a->count == 0 ||
		memcmp(a->entries, b->entries, a->count * sizeof(a->entries[0])) == 0);
}

/* Compares what was found with what the manifest and the pages say. */
static cof_result conclude(const struct proof *proof, struct cof_error *err)
{
	const char *file = proof->backup->file;
	uint64_t rows = 0;

	ENSURE(proof->has_identity && proof->has_manifest, err, COF_E_AUTH, file,
	       "has no identity or no manifest");
	for (unsigned int i = 0; i < INDEX_PAGES; i++) {
		ENSURE(memcmp(&proof->said_digests[i], &proof->manifest.pages[i],
			      sizeof(proof->said_digests[i])) == 0,
		       err, COF_E_AUTH, file, "its index is not the one that the vault wrote last");
		ENSURE(pages_are_equal(&proof->found[i], &proof->said[i]), err, COF_E_AUTH, file,
		       "its records are not those that the vault wrote last");
		rows += proof->found[i].count;
	}
	ENSURE(rows == proof->manifest.rows &&
		       proof->content.records == manifest_records(&proof->manifest, NULL),
	       err, COF_E_AUTH, file, "has %llu records, the vault wrote %llu",
	       (unsigned long long)proof->content.records,
	       (unsigned long long)manifest_records(&proof->manifest, NULL));
	return COF_OK;
}

cof_result backup_prove(struct backup *backup, struct backup_content *ret_content,
			struct cof_error *err)
{
	_cleanup_(proof_freep) struct proof *proof = calloc(1, sizeof(*proof));

	ENSURE(proof, err, COF_E_NOMEM, backup->file, "no memory for a proof");
	proof->backup = backup;
	TRY(backup_walk(backup, take_item, proof, err));
	TRY(conclude(proof, err));
	*ret_content = proof->content;
	return COF_OK;
}

/* ---- records of one kind ---- */

struct picking {
	const struct backup *backup;
	char prefix[sizeof(ROW_RECORDS) + 33];
	vault_visit visit;
	void *context;
};

static cof_result pick(const struct backup_item *item, void *context, struct cof_error *err)
{
	const struct picking *picking = context;
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_free_ char *kind = NULL;
	_cleanup_free_ char *name = NULL;
	uint64_t generation;

	if (item->kind != BACKUP_ROW ||
	    strncmp(item->name, picking->prefix, strlen(picking->prefix)) != 0)
		return COF_OK;
	TRY(row_key_split(item->name, &kind, &name, &generation, err));
	TRY(keys_open_record(&picking->backup->keys, kind, name, item->value, 0, &record, err));
	return picking->visit(record, picking->context, err);
}

cof_result backup_each(struct backup *backup, const char *kind, vault_visit visit, void *context,
		       struct cof_error *err)
{
	struct picking picking = { .backup = backup, .visit = visit, .context = context };

	(void)snprintf(picking.prefix, sizeof(picking.prefix), ROW_RECORDS "%s/", kind);
	return backup_walk(backup, pick, &picking, err);
}
