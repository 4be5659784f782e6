/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_rig.h"

#include "pack_read.h"
#include "pack_write.h"

#define CHUNKS	    40
#define CHUNK_BYTES 5000

/* What a writer has told. */
struct told {
	uint8_t pack[STORE_UUID_BYTES];
	unsigned int packs;
	uint32_t records;
};

static cof_result note(const uint8_t *pack, const struct pack_entry *entries, uint32_t count,
		       void *context, struct cof_error *err)
{
	struct told *told = context;

	memcpy(told->pack, pack, STORE_UUID_BYTES);
	told->packs++;
	told->records += count;
	return COF_OK;
}

/* A group with a keyring and one pack of CHUNKS chunks. */
struct pack_rig {
	struct store_rig base;
	struct keyring *keyring;
	struct content_key *key;
	struct pack_source source;
	struct pack_tools tools;
	struct told told;
	uint8_t chunks[CHUNKS][CHUNK_BYTES];
};

static void write_pack(struct pack_rig *rig)
{
	struct pack_place place = { .backend = rig->base.backend,
				    .key = rig->key,
				    .key_id = rig->key ? 1 : 0,
				    .key_generation = rig->key ? 1 : 0,
				    .written = note,
				    .context = &rig->told };
	_cleanup_(pack_writer_freep) struct pack_writer *writer = NULL;

	memcpy(place.group, rig->base.place.group, STORE_UUID_BYTES);
	assert_ok(pack_writer_new(&place, &writer, NULL));
	for (size_t i = 0; i < CHUNKS; i++) {
		struct pack_entry entry = { .type = CHUNK_DATA,
					    .stored_bytes = CHUNK_BYTES,
					    .plain_bytes = CHUNK_BYTES };

		fill(rig->chunks[i], CHUNK_BYTES, i);
		assert_ok(
			mac_run(rig->tools.mac, SPAN(rig->chunks[i], CHUNK_BYTES), entry.id, NULL));
		assert_ok(pack_writer_add(writer, &entry, SPAN(rig->chunks[i], CHUNK_BYTES), NULL));
	}
	assert_ok(pack_writer_finish(writer, NULL));
	assert_ok(pack_writer_finish(writer, NULL)); /* nothing is at hand any more */
	assert_int_equal(rig->told.packs, 1);
}

static struct pack_rig *pack_rig_new(bool encrypted)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	struct pack_rig *rig = calloc(1, sizeof(*rig));
	struct keyring_spec spec = { .mode = encrypted ? KEYSTORE_STATIC : KEYSTORE_PLAIN };
	const struct keystore_key *facts;

	rig_open(&rig->base);
	slot_secret_of("vault", &secret);
	if (encrypted)
		spec.secret.vault_key = secret;
	assert_ok(keyring_create(&rig->base.place, &spec, 0, NULL));
	assert_ok(keyring_load(&rig->base.place, &rig->keyring, NULL));
	assert_ok(keyring_unlock(rig->keyring, spec.secret, NULL));
	assert_ok(keyring_active_key(rig->keyring, &rig->key, &facts, NULL));
	assert_ok(pack_tools_init(&rig->tools, keyring_body(rig->keyring)->id_key, NULL));
	rig->source = (struct pack_source){ .backend = rig->base.backend, .keyring = rig->keyring };
	memcpy(rig->source.group, rig->base.place.group, STORE_UUID_BYTES);
	write_pack(rig);
	return rig;
}

static void pack_rig_freep(struct pack_rig **rig)
{
	pack_tools_done(&(*rig)->tools);
	content_key_free((*rig)->key);
	keyring_free((*rig)->keyring);
	rig_close(&(*rig)->base);
	free(*rig);
}

#define _cleanup_pack_rig_ __attribute__((cleanup(pack_rig_freep)))

/* Everything that a pack has is what was put into it. */
static cof_result check_content(struct pack_rig *rig)
{
	_cleanup_(pack_closep) struct pack *pack = NULL;
	_cleanup_buffer_ struct buffer stored = { 0 };
	uint8_t out[CHUNK_BYTES];

	TRY(pack_open(&rig->source, rig->told.pack, &pack, NULL));
	TRY(pack_tools_take(&rig->tools, pack, NULL));
	assert_int_equal(pack->count, CHUNKS + 1);
	for (uint32_t i = 0; i < CHUNKS; i++) {
		size_t len = pack_stored_bytes(pack, i);

		stored.len = 0;
		TRY(buffer_reserve(&stored, len, NULL));
		TRY(rig->base.backend->ops->get(rig->base.backend, pack->name, pack->offsets[i],
						stored.data, len, NULL));
		TRY(pack_open_record(&rig->tools, pack, i, SPAN(stored.data, len), false, out,
				     NULL));
		assert_memory_equal(out, rig->chunks[i], CHUNK_BYTES);
	}
	return COF_OK;
}

static void check_round_trip(bool encrypted)
{
	_cleanup_pack_rig_ struct pack_rig *rig = pack_rig_new(encrypted);
	char name[PACK_NAME_CHARS];

	assert_ok(check_content(rig));
	assert_ok(pack_check(rig->base.backend, pack_name(rig->told.pack, name), rig->source.group,
			     NULL));
}

static void test_pack_gives_back_what_it_took(void **state)
{
	check_round_trip(true);
	check_round_trip(false);
}

static void test_pack_record_opens_in_its_place_alone(void **state)
{
	_cleanup_pack_rig_ struct pack_rig *rig = pack_rig_new(true);
	_cleanup_(pack_closep) struct pack *pack = NULL;
	uint8_t stored[CHUNK_BYTES + AEAD_TAG_BYTES];
	uint8_t out[CHUNK_BYTES];

	assert_ok(pack_open(&rig->source, rig->told.pack, &pack, NULL));
	assert_ok(pack_tools_take(&rig->tools, pack, NULL));
	assert_ok(rig->base.backend->ops->get(rig->base.backend, pack->name, pack->offsets[3],
					      stored, sizeof(stored), NULL));
	assert_ok(pack_open_record(&rig->tools, pack, 3, SPAN(stored, sizeof(stored)), true, out,
				   NULL));
	assert_fails(pack_open_record(&rig->tools, pack, 4, SPAN(stored, sizeof(stored)), false,
				      out, NULL),
		     COF_E_AUTH);
	pack->entries[3].type = CHUNK_LIST;
	assert_fails(pack_open_record(&rig->tools, pack, 3, SPAN(stored, sizeof(stored)), false,
				      out, NULL),
		     COF_E_AUTH);
	pack->entries[3].type = CHUNK_DATA;
	pack->entries[3].id[0] ^= 1;
	assert_fails(pack_open_record(&rig->tools, pack, 3, SPAN(stored, sizeof(stored)), false,
				      out, NULL),
		     COF_E_AUTH);
}

/* A changed byte anywhere: checksums and keys find it, and no wrong chunk comes out. */
static void check_flips(bool encrypted)
{
	_cleanup_pack_rig_ struct pack_rig *rig = pack_rig_new(encrypted);
	_cleanup_buffer_ struct buffer content = { 0 };
	char name[PACK_NAME_CHARS];
	char path[160];

	(void)pack_name(rig->told.pack, name);
	(void)snprintf(path, sizeof(path), "%s/%s", rig->base.data, name);
	assert_ok(file_read(path, PACK_FULL_BYTES, &content, NULL));
	for (size_t i = 0; i < content.len; i += i < PACK_HEAD_BYTES ? 211 : 2711) {
		content.data[i] ^= 0x40;
		assert_ok(file_replace(path, buffer_span(&content), 0600, NULL));
		assert_fails(pack_check(rig->base.backend, name, rig->source.group, NULL),
			     COF_E_FORMAT);
		cof_ignore(check_content(rig)); /* asserts what comes out */
		content.data[i] ^= 0x40;
	}
}

static void test_pack_every_change_is_found(void **state)
{
	check_flips(true);
	check_flips(false);
}

static void test_pack_of_full_length_is_followed_by_the_next(void **state)
{
	_cleanup_pack_rig_ struct pack_rig *rig = pack_rig_new(true);
	struct pack_place place = { .backend = rig->base.backend,
				    .key = rig->key,
				    .key_id = 1,
				    .key_generation = 1,
				    .written = note,
				    .context = &rig->told };
	_cleanup_(pack_writer_freep) struct pack_writer *writer = NULL;
	_cleanup_free_ uint8_t *chunk = calloc(1, 256 << 10);
	struct pack_entry entry = { .type = CHUNK_DATA,
				    .stored_bytes = 256 << 10,
				    .plain_bytes = 256 << 10 };
	char name[PACK_NAME_CHARS];
	uint64_t size_bytes;
	bool found;

	assert_ok(pack_writer_new(&place, &writer, NULL));
	rig->told.packs = 0;
	for (uint32_t i = 0; rig->told.packs == 0; i++) {
		memcpy(entry.id, &i, sizeof(i));
		assert_ok(pack_writer_add(writer, &entry, SPAN(chunk, 256 << 10), NULL));
	}
	assert_ok(rig->base.backend->ops->size(rig->base.backend, pack_name(rig->told.pack, name),
					       &size_bytes, &found, NULL));
	assert_int_equal(size_bytes, PACK_FULL_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack_gives_back_what_it_took),
		cmocka_unit_test(test_pack_record_opens_in_its_place_alone),
		cmocka_unit_test(test_pack_every_change_is_found),
		cmocka_unit_test(test_pack_of_full_length_is_followed_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
