/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_PACK_CODE_H
#define COF_STORE_PACK_CODE_H

/*
 * The bytes of a pack, pure: head pages, table of contents, last page. doc/format-store.md,
 * section 4.
 */

#include "aead.h"
#include "kdf.h"

#define STORE_ID_BYTES	 SHA256_BYTES /* of a chunk: keyed digest of its plaintext */
#define STORE_UUID_BYTES 16	      /* of groups, packs and runs */

#define PACK_PAGE_BYTES	   4096
#define PACK_HEAD_BYTES	   (2 * PACK_PAGE_BYTES) /* two head pages, of which the newer one counts */
#define PACK_FULL_BYTES	   ((uint64_t)64 << 20)	 /* a pack has at most, and mostly, this length */
#define PACK_STRIPE_BYTES  ((uint32_t)1 << 20)	 /* that one checksum covers */
#define PACK_STRIPES_MAX   64
#define PACK_RECORDS_MAX   65536 /* of one pack: our own bound on what a table may ask for */
#define PACK_WRAPPED_BYTES (AEAD_KEY_BYTES + AEAD_TAG_BYTES)
#define PACK_ENTRY_BYTES   (1 + 1 + 4 + 4 + STORE_ID_BYTES)
#define PACK_TOC_ORDINAL   UINT32_MAX /* the table's place among the records, for its nonce */

/** enum chunk_type - what a record is; the values are those of the format */
enum chunk_type { CHUNK_DATA = 1, CHUNK_LIST = 2, CHUNK_TREE = 3, CHUNK_PADDING = 4 };

#define CHUNK_COMPRESSED 0x01 /* the only flag: a zstd frame */

/**
 * struct pack_head - one head page
 * @sequence: 1 for the page that a new pack has; the higher one counts
 * @key_id:   content key that wraps the pack's key, 1 to 1023; 0: the pack is not encrypted
 */
struct pack_head {
	bool encrypted;
	uint8_t group[STORE_UUID_BYTES];
	uint8_t pack[STORE_UUID_BYTES];
	uint32_t sequence;
	uint16_t key_id;
	uint32_t key_generation;
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t wrapped[PACK_WRAPPED_BYTES];
	uint64_t created;
};

/** struct pack_entry - one record
 * @stored_bytes: without the tag that an encrypted record has after it
 * @plain_bytes:  once it is decompressed */
struct pack_entry {
	uint8_t id[STORE_ID_BYTES];
	uint8_t type;
	uint8_t flags;
	uint32_t stored_bytes;
	uint32_t plain_bytes;
};

/** struct pack_tail - the last page
 * @toc_offset: where the table begins, bytes from the pack's start; it ends where the page begins
 * @toc_digest: SHA-256 of the table as stored
 * @crcs:       CRC-32C of each stripe from the first record to the table's end; the last is short
 */
struct pack_tail {
	uint8_t pack[STORE_UUID_BYTES];
	uint64_t toc_offset;
	uint64_t pack_bytes;
	uint8_t toc_digest[SHA256_BYTES];
	uint32_t stripes;
	uint32_t crcs[PACK_STRIPES_MAX];
};

/** pack_head_encode() - one page. Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result pack_head_encode(const struct pack_head *head, uint8_t out[static PACK_PAGE_BYTES],
			    struct cof_error *err);
/**
 * pack_head_decode() - the one of two pages that counts
 * @bytes:   PACK_HEAD_BYTES
 * @subject: what errors name
 * @ret_damaged: the other page, once written, is damaged; may be NULL
 * Fails: COF_E_FORMAT (no page is whole)
 */
cof_result pack_head_decode(struct span bytes, const char *subject, struct pack_head *ret_head,
			    bool *ret_damaged, struct cof_error *err);

/** pack_wrap_context() - what is authenticated with the wrapped key of a head */
#define PACK_WRAP_CONTEXT_BYTES (2 * STORE_UUID_BYTES + 2 + 4)
void pack_wrap_context(const struct pack_head *head, uint8_t out[static PACK_WRAP_CONTEXT_BYTES]);

/** pack_record_context() - what is authenticated with a record */
#define PACK_RECORD_CONTEXT_BYTES (STORE_UUID_BYTES + 4 + PACK_ENTRY_BYTES)
void pack_record_context(const uint8_t pack[static STORE_UUID_BYTES], uint32_t ordinal,
			 const struct pack_entry *entry,
			 uint8_t out[static PACK_RECORD_CONTEXT_BYTES]);
/** pack_toc_context() - what is authenticated with the table of @len bytes of plaintext */
#define PACK_TOC_CONTEXT_BYTES (2 * STORE_UUID_BYTES + 4)
void pack_toc_context(const struct pack_head *head, uint32_t len,
		      uint8_t out[static PACK_TOC_CONTEXT_BYTES]);
/** pack_nonce() - of a record or, for PACK_TOC_ORDINAL, of the table */
void pack_nonce(uint32_t ordinal, uint8_t out[static AEAD_NONCE_BYTES]);

/** pack_toc_bytes() - length of the table's plaintext for @count records: with the tag, whole
 * pages */
size_t pack_toc_bytes(size_t count, bool encrypted);
/** pack_toc_encode() - append the table's plaintext to @out. Fails: COF_E_NOMEM */
cof_result pack_toc_encode(const struct pack_entry *entries, uint32_t count, bool encrypted,
			   struct buffer *out, struct cof_error *err);
/**
 * pack_toc_decode() - the records of a pack
 * @data_bytes: what lies between the head pages and the table; the records fill it
 * @ret_entries: caller frees
 * Fails: COF_E_FORMAT, COF_E_NOMEM
 */
cof_result pack_toc_decode(struct span plain, bool encrypted, uint64_t data_bytes,
			   const char *subject, struct pack_entry **ret_entries,
			   uint32_t *ret_count, struct cof_error *err);

/** pack_tail_encode() - the last page. Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result pack_tail_encode(const struct pack_tail *tail, uint8_t out[static PACK_PAGE_BYTES],
			    struct cof_error *err);
/** pack_tail_decode() - @pack_bytes: length of the pack. Fails: COF_E_FORMAT */
cof_result pack_tail_decode(struct span page, uint64_t pack_bytes, const char *subject,
			    struct pack_tail *ret_tail, struct cof_error *err);

/** pack_padded() - the length of a pack whose records end at @data_end and whose table has
 * @toc_bytes: at most a sixteenth more than needed; doc/format-store.md, section 4.4 */
uint64_t pack_padded(uint64_t data_end, uint64_t toc_bytes);

#endif
