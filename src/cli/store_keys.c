/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer store keys and stats.
 */

#include <stdio.h>

#include "number.h"
#include "store_call.h"
#include "table.h"
#include "verbs.h"

#define DAY_SECONDS 86400

static const char *const mode_names[] = {
	[KEYSTORE_PLAIN] = "none",
	[KEYSTORE_INTERNAL] = "internal",
	[KEYSTORE_STATIC] = "static",
};
static const char *const state_names[] = {
	[KEYSTORE_ACTIVE] = "active",
	[KEYSTORE_RETIRED] = "retired",
	[KEYSTORE_COMPROMISED] = "compromised",
};
static const char *const copy_names[] = {
	[COPY_GOOD] = "good",	[COPY_MISSING] = "missing", [COPY_DAMAGED] = "damaged",
	[COPY_OLDER] = "older", [COPY_DIFFERS] = "differs",
};

/* What one content key has to do with the packs. */
struct usage {
	uint64_t packs;
	uint64_t bytes;
};

/* A walk over the packs: places as in the keystore, and one more for those without a key. */
struct counting {
	const struct keystore_body *body;
	struct usage usages[KEYSTORE_KEYS_MAX + 1];
	struct json *packs;
	struct store_pack sum;
	uint64_t count;
};

static void counting_freep(struct counting **counting)
{
	if (*counting)
		json_free((*counting)->packs);
	free(*counting);
}

/* A store_pack_visit. */
static cof_result count_pack(const struct store_pack *pack, void *context, struct cof_error *err)
{
	struct counting *counting = context;
	struct json *json = json_new_object();
	size_t at = 0;

	while (at < counting->body->key_count &&
	       (counting->body->keys[at].id != pack->key_id ||
		counting->body->keys[at].generation != pack->key_generation))
		at++;
	counting->usages[at].packs++;
	counting->usages[at].bytes += pack->bytes;
	counting->count++;
	counting->sum.bytes += pack->bytes;
	counting->sum.chunks += pack->chunks;
	counting->sum.plain_bytes += pack->plain_bytes;
	counting->sum.stored_bytes += pack->stored_bytes;
	json_set_text(json, "pack", pack->id);
	json_set_uint(json, "key", pack->key_id);
	json_set_uint(json, "generation", pack->key_generation);
	json_set_uint(json, "bytes", pack->bytes);
	json_add(counting->packs, json);
	return COF_OK;
}

/* Packs that could not be counted are a failure, after the others were shown. */
static cof_result conclude(const struct cli_call *call, size_t damaged, struct cof_error *err)
{
	cof_result failure;

	if (!damaged)
		return COF_OK;
	failure =
		cof_raise(err, COF_E_FORMAT, call->args[0], "%zu packs cannot be opened", damaged);
	cof_error_try(err, "coffer store verify %s", call->args[0]);
	return failure;
}

/* ---- keys ---- */

static struct json *key_json(const struct keystore_key *key, const struct usage *usage)
{
	struct json *json = json_new_object();
	char when[32];

	json_set_uint(json, "key", key->id);
	json_set_uint(json, "generation", key->generation);
	json_set_text(json, "state", state_names[key->state]);
	json_set_text(json, "created", time_format((time_t)key->created, when));
	json_set_text(json, "retired",
		      key->retired ? time_format((time_t)key->retired, when) : NULL);
	json_set_uint(json, "packs", usage->packs);
	json_set_uint(json, "bytes", usage->bytes);
	return json;
}

/* The slots and the copies of the keystore. */
static void add_keystore(struct store *store, struct json *document)
{
	struct keyring *keyring = store_keyring(store);
	const struct keyring_copy *copies = keyring_copies(keyring);
	struct json *slots_json = json_new_array();
	struct json *copies_json = json_new_array();
	const struct keystore_slot *slots;
	size_t count = 0;

	slots = keyring_slots(keyring, &count);
	for (size_t i = 0; i < count; i++)
		json_add_text(slots_json,
			      slots[i].method == KEYSTORE_VAULT ? "vault" : "passphrase");
	for (size_t i = 0; i < KEYRING_COPIES; i++) {
		struct json *json = json_new_object();

		json_set_text(json, "file", copies[i].path);
		json_set_text(json, "state",
			      copy_names[copies[i].repaired ? COPY_GOOD : copies[i].state]);
		json_add(copies_json, json);
	}
	json_set_uint(document, "sequence", keyring_sequence(keyring));
	json_set(document, "opened_by", slots_json);
	json_set(document, "copies", copies_json);
}

/* One row for each key. */
static cof_result show_keys(const struct cli_call *call, const struct counting *counting,
			    struct json *keys, struct cof_error *err)
{
	static const char *const columns[] = { ">KEY",	  ">GEN",   "STATE",  "CREATED",
					       "RETIRED", ">PACKS", ">BYTES", NULL };
	const struct keystore_body *body = counting->body;
	_cleanup_(table_freep) struct table *table = NULL;

	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < body->key_count; i++) {
		const struct keystore_key *key = &body->keys[i];
		const struct usage *usage = &counting->usages[i];
		char id[16], generation[16], packs[24], size[16], created[32], retired[32];

		json_add(keys, key_json(key, usage));
		(void)snprintf(id, sizeof(id), "%u", key->id);
		(void)snprintf(generation, sizeof(generation), "%u", key->generation);
		(void)snprintf(packs, sizeof(packs), "%llu", (unsigned long long)usage->packs);
		TRY(table_add(
			table,
			(const char *const[]){
				id, generation, state_names[key->state],
				time_format((time_t)key->created, created),
				key->retired ? time_format((time_t)key->retired, retired) : NULL,
				packs, size_format(usage->bytes, size) },
			err));
	}
	if (!call->json)
		TRY(table_print(table, stdout, err));
	return COF_OK;
}

/* Everything about a group's keys that is no secret. */
static cof_result show_all_keys(struct cli_call *call, struct store *store,
				struct counting *counting, struct cof_error *err)
{
	const struct keystore_body *body = keyring_body(store_keyring(store));
	struct json *document = json_new_object();
	struct json *keys = json_new_array();
	const struct usage *plain = &counting->usages[body->key_count];
	char size[16];

	json_set_text(document, "mode", mode_names[body->mode]);
	json_set_uint(document, "rotate_days", body->rotate_days);
	json_set(document, "keys", keys);
	json_set_uint(document, "plain_packs", plain->packs);
	json_set(document, "packs", TAKE(counting->packs));
	add_keystore(store, document);
	cli_show(call, document);
	if (body->mode == KEYSTORE_PLAIN) {
		cli_say(call, "%s is not encrypted: %llu packs with %s have no key", call->args[0],
			(unsigned long long)plain->packs, size_format(plain->bytes, size));
		return COF_OK;
	}
	TRY(show_keys(call, counting, keys, err));
	if (body->mode == KEYSTORE_INTERNAL)
		cli_say(call, "A new key is made every %u days.", body->rotate_days);
	else
		cli_say(call, "One key stays.");
	return COF_OK;
}

/* Opens the group and counts. */
static cof_result count(struct cli_call *call, struct store **ret_store,
			struct counting **ret_counting, size_t *ret_damaged, struct cof_error *err)
{
	struct counting *counting;

	TRY(store_call_enter(call, ret_store, err));
	counting = calloc(1, sizeof(*counting));
	ENSURE(counting, err, COF_E_NOMEM, NULL, "no memory left");
	*ret_counting = counting;
	counting->body = keyring_body(store_keyring(*ret_store));
	counting->packs = json_new_array();
	return store_each_pack(*ret_store, count_pack, counting, ret_damaged, err);
}

/* coffer store keys. */
static cof_result run_keys(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(counting_freep) struct counting *counting = NULL;
	size_t damaged = 0;

	TRY(count(call, &store, &counting, &damaged, err));
	TRY(show_all_keys(call, store, counting, err));
	return conclude(call, damaged, err);
}

const struct cli_verb cli_verb_store_keys = {
	.noun = "store",
	.verb = "keys",
	.arguments = "DIR",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "show which content key encrypts what in a storage group",
	.description =
		"Opens every pack with the content key that it names, which proves that this one "
		"and no other wraps the pack's key, and counts packs and bytes for each key. With "
		"--json each pack is there by itself, and the copies of the keystore and what "
		"opens it as well. No key is shown.",
	.options = (const struct cli_option[]){ STORE_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer store keys /srv/backup", "one line for each key" }, { 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_keys,
};

/* ---- stats ---- */

/* A store_visit. */
static cof_result count_version(const struct version *version, void *context, struct cof_error *err)
{
	struct usage *usage = context;

	usage->packs++;
	usage->bytes += version->bytes;
	return COF_OK;
}

/* coffer store stats. */
static cof_result run_stats(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(counting_freep) struct counting *counting = NULL;
	struct usage versions = { 0 };
	struct json *document;
	size_t damaged = 0;
	size_t bad_records = 0;
	char size[16];

	TRY(count(call, &store, &counting, &damaged, err));
	TRY(store_each(store, count_version, &versions, &bad_records, err));
	document = json_new_object();
	json_set_uint(document, "versions", versions.packs);
	json_set_uint(document, "bytes", versions.bytes);
	json_set_uint(document, "chunks", counting->sum.chunks);
	json_set_uint(document, "unique_bytes", counting->sum.plain_bytes);
	json_set_uint(document, "compressed_bytes", counting->sum.stored_bytes);
	json_set_uint(document, "packs", counting->count);
	json_set_uint(document, "pack_bytes", counting->sum.bytes);
	json_set_bool(document, "encrypted", keyring_is_encrypted(store_keyring(store)));
	json_set_uint(document, "encrypted_bytes",
		      counting->sum.bytes - counting->usages[counting->body->key_count].bytes);
	cli_show(call, document);
	cli_say(call, "Versions:   %llu, with %s", (unsigned long long)versions.packs,
		size_format(versions.bytes, size));
	cli_say(call, "Each once:  %s in %llu chunks", size_format(counting->sum.plain_bytes, size),
		(unsigned long long)counting->sum.chunks);
	cli_say(call, "Compressed: %s", size_format(counting->sum.stored_bytes, size));
	cli_say(call, "On disk:    %s in %llu packs", size_format(counting->sum.bytes, size),
		(unsigned long long)counting->count);
	return conclude(call, damaged + bad_records, err);
}

const struct cli_verb cli_verb_store_stats = {
	.noun = "store",
	.verb = "stats",
	.arguments = "DIR",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "show how much a storage group holds, and what that takes",
	.description =
		"Counts the bytes of all versions, what is left when each chunk counts once, "
		"what compression makes of it, and what the packs take, which may hold data "
		"of versions that were removed.",
	.options = (const struct cli_option[]){ STORE_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){ { "coffer store stats /srv/backup", "four lines" },
					      { 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_stats,
};
