/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_INDEX_H
#define COF_VAULT_INDEX_H

/*
 * The index: which rows the keystore must hold, so that a row that was removed, swapped or rolled
 * back is noticed when it is read. Its 256 pages hold a keyed digest for each row; the manifest
 * holds a keyed digest of each page. Pure; doc/format-vault.md, section 4.
 */

#include "kdf.h"
#include "vault.h"

#define INDEX_PAGES	   256
#define INDEX_DIGEST_BYTES 16
#define INDEX_KINDS_MAX	   64

/** struct index_digest - the first half of an HMAC-SHA-256 */
struct index_digest {
	uint8_t bytes[INDEX_DIGEST_BYTES];
};

/** index_key_digest() - of a row's key; its first byte is the number of its page */
cof_result index_key_digest(const struct wrap_key *index_key, const char *key,
			    struct index_digest *ret_digest, struct cof_error *err);
/** index_value_digest() - of a row: its key and its stored value */
cof_result index_value_digest(const struct wrap_key *index_key, const char *key, struct span value,
			      struct index_digest *ret_digest, struct cof_error *err);

struct index_entry {
	struct index_digest key;
	struct index_digest value;
};

/** struct index_page - entries in the order of their keys; { 0 } is empty and valid */
struct index_page {
	struct index_entry *entries;
	size_t count;
	size_t room;
};

void index_page_done(struct index_page *page);

/** index_page_find() - the entry of a key, or NULL; borrowed until the next change */
const struct index_entry *index_page_find(const struct index_page *page,
					  const struct index_digest *key);
/** index_page_put() - add or replace. @ret_is_new: it was added. Fails: COF_E_NOMEM */
cof_result index_page_put(struct index_page *page, const struct index_entry *entry,
			  bool *ret_is_new, struct cof_error *err);
/** index_page_remove() - returns whether there was one */
bool index_page_remove(struct index_page *page, const struct index_digest *key);
/** index_page_encode() - appended to @out. Fails: COF_E_NOMEM */
cof_result index_page_encode(const struct index_page *page, struct buffer *out,
			     struct cof_error *err);
/** index_page_decode() - caller runs index_page_done(). Fails: COF_E_FORMAT, COF_E_NOMEM */
cof_result index_page_decode(struct span bytes, const char *subject, struct index_page *ret_page,
			     struct cof_error *err);

/**
 * struct manifest - what the index holds together
 * @revision: of the vault: grows by at least one with each commit
 * @rows:     in all pages
 * @kinds:    how many records (newest generations) of each kind there are, none of them 0
 * @pages:    digest of each page as stored; zeroes: the page is empty and not stored
 */
struct manifest {
	uint64_t revision;
	uint64_t rows;
	size_t kind_count;
	struct manifest_kind {
		char kind[32];
		uint64_t records;
	} kinds[INDEX_KINDS_MAX];
	struct index_digest pages[INDEX_PAGES];
};

/** manifest_records() - of @kind, NULL: of all kinds */
uint64_t manifest_records(const struct manifest *manifest, const char *kind);
/** manifest_count() - one record of @kind more, or less. Fails: COF_E_USAGE (too many kinds) */
cof_result manifest_count(struct manifest *manifest, const char *kind, bool more,
			  struct cof_error *err);
/** manifest_encode() - all but the revision, appended to @out. Fails: COF_E_NOMEM */
cof_result manifest_encode(const struct manifest *manifest, struct buffer *out,
			   struct cof_error *err);
/** manifest_decode() - @ret_manifest's revision is 0. Fails: COF_E_FORMAT */
cof_result manifest_decode(struct span bytes, const char *subject, struct manifest *ret_manifest,
			   struct cof_error *err);

/** index_page_name() - "00" to "ff"; returns @out */
char *index_page_name(unsigned int page, char out[static 3]);
/** index_digest_is_zero() - whether the page is one that is not stored */
bool index_digest_is_zero(const struct index_digest *digest);

#endif
