/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_PACK_WRITE_H
#define COF_STORE_PACK_WRITE_H

/*
 * Writes chunks into packs, one pack after the other. A pack that was not finished leaves nothing:
 * its key is forgotten with it, so that no nonce is ever used twice.
 */

#include "backend.h"
#include "pack_code.h"

/** pack_written - a pack that is durable; its name is once the folder is synced. @entries are in
 * the order of their ordinals; borrowed */
typedef cof_result (*pack_written)(const uint8_t pack[static STORE_UUID_BYTES],
				   const struct pack_entry *entries, uint32_t count, void *context,
				   struct cof_error *err);

/**
 * struct pack_place - where packs go and who wraps their keys; borrowed for as long as a writer
 * lives
 * @key: content key, or NULL where the group is not encrypted
 * @written: called for each pack
 */
struct pack_place {
	struct backend *backend;
	uint8_t group[STORE_UUID_BYTES];
	const struct content_key *key;
	uint16_t key_id;
	uint32_t key_generation;
	uint64_t now;
	pack_written written;
	void *context;
};

struct pack_writer;

cof_result pack_writer_new(const struct pack_place *place, struct pack_writer **ret_writer,
			   struct cof_error *err);
/** pack_writer_free() - the pack at hand is given up */
void pack_writer_free(struct pack_writer *writer);
DEFINE_FREEP(struct pack_writer, pack_writer_freep, pack_writer_free)

/**
 * pack_writer_add() - one more record, in the pack at hand or the next one
 * @entry:  id, type, flags and lengths
 * @stored: entry->stored_bytes, which are sealed here where the group is encrypted
 * Fails: COF_E_NOSPC, COF_E_IO, COF_E_NOMEM, COF_E_FAILED
 */
cof_result pack_writer_add(struct pack_writer *writer, const struct pack_entry *entry,
			   struct span stored, struct cof_error *err);
/** pack_writer_finish() - pad and close the pack at hand, if there is one. Fails: as above */
cof_result pack_writer_finish(struct pack_writer *writer, struct cof_error *err);

/** pack_name() - "packs/0011..ff"; returns @out */
#define PACK_NAME_CHARS 48
char *pack_name(const uint8_t pack[static STORE_UUID_BYTES], char out[static PACK_NAME_CHARS]);

/** pack_wrap_key() - the key that wraps the key of one pack: HKDF-SHA256(content key, salt = pack's
 * id, "coffer/store/pack/v1") */
cof_result pack_wrap_key(const struct content_key *key, const uint8_t pack[static STORE_UUID_BYTES],
			 struct wrap_key **ret_key, struct cof_error *err);

#endif
