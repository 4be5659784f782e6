/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_PACK_READ_H
#define COF_STORE_PACK_READ_H

/*
 * Reads packs: what is in them, their records, and whether they are whole.
 */

#include "backend.h"
#include "bulk.h"
#include "compress.h"
#include "keyring.h"
#include "pack_code.h"

/**
 * struct pack - one pack and its table of contents
 * @entries, @offsets: of each record; an offset is in bytes from the pack's start
 * @key:    NULL where it is not encrypted
 * @users:  of the shelf
 */
struct pack {
	struct pack_head head;
	struct pack_tail tail;
	char name[48];
	struct pack_entry *entries;
	uint32_t *offsets;
	uint32_t count;
	struct data_key *key;
	unsigned int users;
	uint64_t used_at;
};

/** struct pack_source - where packs are and who has their keys; borrowed
 * @id_key: of chunks' ids; for packs that are not encrypted each record's id is checked */
struct pack_source {
	struct backend *backend;
	const struct keyring *keyring;
	uint8_t group[STORE_UUID_BYTES];
};

/** pack_open() - read head, tail and table, and check all of them.
 * Fails: COF_E_NOENT, COF_E_FORMAT (damaged), COF_E_AUTH (altered, or of another group),
 * COF_E_IO, COF_E_NOMEM */
cof_result pack_open(const struct pack_source *source, const uint8_t id[static STORE_UUID_BYTES],
		     struct pack **ret_pack, struct cof_error *err);
void pack_close(struct pack *pack);
DEFINE_FREEP(struct pack, pack_closep, pack_close)

/** pack_read_head() - the head alone, which needs no key. Fails: as pack_open() */
cof_result pack_read_head(struct backend *backend, const char *name, struct pack_head *ret_head,
			  struct cof_error *err);

/** struct pack_tools - what a thread needs to open records */
struct pack_tools {
	struct gcm *gcm; /* of the pack at hand; NULL where that is not encrypted */
	struct mac *mac; /* of ids */
	struct compressor *compressor;
	struct buffer plain;
};

cof_result pack_tools_init(struct pack_tools *tools, const struct wrap_key *id_key,
			   struct cof_error *err);
void pack_tools_done(struct pack_tools *tools);
/** pack_tools_take() - the records that follow are of this pack. Fails: COF_E_NOMEM */
cof_result pack_tools_take(struct pack_tools *tools, const struct pack *pack,
			   struct cof_error *err);
/** pack_stored_bytes() - length of a record with its tag */
size_t pack_stored_bytes(const struct pack *pack, uint32_t ordinal);

/**
 * pack_open_record() - one record's plaintext
 * @stored: pack_stored_bytes() of it
 * @prove:  compute the id as well; what is not encrypted is always proven
 * @out:    receives plain_bytes of its entry
 * Fails: COF_E_AUTH, COF_E_FORMAT (damaged)
 */
cof_result pack_open_record(struct pack_tools *tools, const struct pack *pack, uint32_t ordinal,
			    struct span stored, bool prove, uint8_t *out, struct cof_error *err);

/** pack_check() - everything that needs no key: pages, table, all checksums.
 * Fails: COF_E_FORMAT (damaged: says where), COF_E_IO */
cof_result pack_check(struct backend *backend, const char *name,
		      const uint8_t group[static STORE_UUID_BYTES], struct cof_error *err);
/** pack_check_pages() - both head pages and the last page alone. Fails: as pack_check() */
cof_result pack_check_pages(struct backend *backend, const char *name,
			    const uint8_t group[static STORE_UUID_BYTES], struct cof_error *err);
/**
 * pack_prove() - that every record opens and has the id that the table says
 * @bad: receives the ids of records that do not, STORE_ID_BYTES each
 * Goes on after the first one. Fails: COF_E_AUTH, COF_E_FORMAT (the first one's), COF_E_IO
 */
cof_result pack_prove(const struct pack_source *source, const struct pack *pack,
		      struct pack_tools *tools, struct buffer *bad, struct cof_error *err);

#endif
