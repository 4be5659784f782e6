/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_INTERNAL_H
#define COF_VAULT_INTERNAL_H

/*
 * What the files of this folder share and nothing outside may know. Files and rows of a vault:
 * doc/format-vault.md.
 */

#include "file.h"
#include "index.h"
#include "keystore.h"
#include "luks.h"
#include "sealed.h"
#include "slot_cost.h"
#include "token.h"

/* Keys of the keystore's own rows. */
#define ROW_IDENTITY	"vault/identity"
#define ROW_HEADER	"vault/header"
#define ROW_HEADER_SEAL "vault/header-seal"
#define ROW_MANIFEST	"vault/manifest"
#define ROW_RECORDS	"record/"
#define ROW_HISTORY	"history/"
#define ROW_INDEX	"index/"
#define ROW_MIRROR	"mirror/"
#define ROW_NOTES	"note/"

#define VAULT_LOCK_TIMEOUT_MS 30000
#define RESTORE_HEADER	      "coffer backup restore --header-only"
#define ROOT_KEY_BYTES	      64

/* ---- keys.c: keys derived from the root key, and values sealed with them ---- */

/**
 * struct keys - what seals and opens the values of one vault in one epoch
 * @source:    derives from the root key; owned
 * @index_key: of the index's digests; owned; NULL until keys_start()
 */
struct keys {
	struct key_source source;
	uint8_t uuid[VAULT_UUID_BYTES];
	uint32_t epoch;
	struct wrap_key *index_key;
};

void keys_done(struct keys *keys);
/** keys_start() - derive the index key. Fails: as the source */
cof_result keys_start(struct keys *keys, struct cof_error *err);
/** keys_from_root() - a source in this process, with its own copy of @root */
cof_result keys_from_root(const struct root_key *root, const uint8_t *uuid, uint32_t epoch,
			  struct keys *ret_keys, struct cof_error *err);

/** keys_seal() - @header: generation, id and created are the caller's; @stored: appended */
cof_result keys_seal(const struct keys *keys, const char *purpose, const char *kind,
		     const char *name, struct sealed_header header, struct span plain,
		     struct buffer *stored, struct cof_error *err);
/** keys_open() - @ret_header may be NULL. Fails: COF_E_AUTH (also: of another epoch) */
cof_result keys_open(const struct keys *keys, const char *purpose, const char *kind,
		     const char *name, struct span stored, const char *subject,
		     struct sealed_header *ret_header, struct secret **ret_plain,
		     struct cof_error *err);
/** keys_seal_record() - with the record's generation, id and created */
cof_result keys_seal_record(const struct keys *keys, const struct record *record,
			    struct buffer *stored, struct cof_error *err);
/** keys_open_record() - @ret_record's revision is @revision */
cof_result keys_open_record(const struct keys *keys, const char *kind, const char *name,
			    struct span stored, uint64_t revision, struct record **ret_record,
			    struct cof_error *err);

/* ---- changes.c: one transaction in the making ---- */

/** struct change_set - changes that own their keys and values */
struct change_set {
	struct keystore_change *changes;
	size_t count;
	size_t room;
};

void change_set_done(struct change_set *set);
/** change_set_put() - @value: taken, also on failure */
cof_result change_set_put(struct change_set *set, const char *key, struct buffer *value,
			  uint64_t expected_revision, struct cof_error *err);
cof_result change_set_delete(struct change_set *set, const char *key, uint64_t expected_revision,
			     struct cof_error *err);

/**
 * struct index_edit - a new state of the index
 * @vault: whose pages are the old state; NULL: there is none, all pages are written anew
 */
struct index_edit {
	struct vault *vault;
	const struct keys *keys;
	uint64_t manifest_expected;
	struct manifest manifest;
	struct index_page pages[INDEX_PAGES];
	bool loaded[INDEX_PAGES];
};

void index_edit_done(struct index_edit *edit);
/** index_edit_start() - from the vault's state as it is now */
cof_result index_edit_start(struct vault *vault, struct index_edit *edit, struct cof_error *err);
cof_result index_edit_put(struct index_edit *edit, const char *key, struct span value,
			  struct cof_error *err);
cof_result index_edit_remove(struct index_edit *edit, const char *key, struct cof_error *err);
/** index_edit_finish() - put the changed pages and the manifest into @set */
cof_result index_edit_finish(struct index_edit *edit, uint64_t revision, struct change_set *set,
			     struct cof_error *err);

/* ---- the vault ---- */

/** struct index_cache - pages that were opened, valid while the manifest names their digest */
struct index_cache {
	struct index_digest digest;
	struct index_page page;
};

/**
 * struct vault
 * @paths:    borrowed from who opened it, and so are the names of its mirrors
 * @keys:     only when unlocked
 * @root:     only when unlocked by a secret
 * @sealed_manifest, @manifest, @manifest_revision: the manifest that was opened last
 * @defer_mirrors: they are written by vault_sync() alone
 * @ask_older: agrees to an older keystore, which is accepted; may be NULL
 * @known_revision: the newest revision that a proven mark told of, when an older keystore was
 *            accepted
 */
struct vault {
	const struct paths *paths;
	char *header_path;
	char *new_header_path;
	char *keystore_path;
	char *mark_path;
	char *lock_path;
	const struct keystore_engine *engine;
	struct keystore *keystore;
	uint8_t uuid[VAULT_UUID_BYTES];
	char uuid_text[LUKS_UUID_CHARS + 1];
	uint32_t epoch;
	bool unlocked;
	bool defer_mirrors;
	bool header_mended;
	bool accept_older;
	vault_ask_older ask_older;
	void *ask_context;
	uint64_t known_revision;
	time_t created;
	struct keys keys;
	struct root_key *root;
	struct buffer sealed_manifest;
	uint64_t manifest_revision;
	struct manifest manifest;
	struct index_cache pages[INDEX_PAGES];
	struct {
		bool written;  /* lines that are not durable yet */
		bool deferred; /* and not to be sealed by this vault */
	} audit;
};

/** vault_new() - the object with its paths, nothing opened */
cof_result vault_new(const struct paths *paths, struct vault **ret_vault, struct cof_error *err);
/** vault_open_keystore() - the keystore at its place. Fails: as the engine's open */
cof_result vault_open_keystore(struct vault *vault, struct cof_error *err);
/** vault_read_header() - the vault's UUID from its header; one that cannot be read names its copy.
 * Fails: COF_E_FORMAT, COF_E_IO */
cof_result vault_read_header(struct vault *vault, struct cof_error *err);
/** vault_uuid_from_keystore() - the one of the keystore's identity, not proven. Fails: COF_E_FORMAT
 */
cof_result vault_uuid_from_keystore(struct vault *vault, struct cof_error *err);
/** vault_set_uuid() - from the text form. Fails: COF_E_FORMAT */
cof_result vault_set_uuid(struct vault *vault, const char *text, struct cof_error *err);
/** vault_take_lock() - the lock between processes, for who changes anything. Fails: COF_E_BUSY */
cof_result vault_take_lock(const struct vault *vault, unsigned int timeout_ms, int *ret_fd,
			   struct cof_error *err);
/** vault_forget_index() - drop what was opened with keys that are no longer the vault's */
void vault_forget_index(struct vault *vault);
/** vault_relock() - forget all keys */
void vault_relock(struct vault *vault);

/* ---- create.c ---- */

/** keystore_remove() - a database, and the journal that would be played into whatever comes at its
 * name. Fails: COF_E_IO */
cof_result keystore_remove(const char *path, struct cof_error *err);

/* ---- unlock.c ---- */

/** vault_open_header() - the root key that @secret opens, its header checked, not yet proven.
 * Fails: COF_E_KEY, COF_E_AUTH, COF_E_FORMAT, COF_E_NOMEM */
cof_result vault_open_header(const char *header_path, const struct slot_secret *secret,
			     struct volume_key **ret_key, int *ret_slot, struct cof_error *err);
/** vault_check_header() - refuses a header whose keyslots or segment are encrypted in a way that
 * coffer never makes. Fails: COF_E_AUTH, as luks_read() */
cof_result vault_check_header(const char *header_path, struct cof_error *err);
/** vault_unlock_key() - with the volume key of the header at hand, which is proven and adopted.
 * Fails: as vault_unlock() */
cof_result vault_unlock_key(struct vault *vault, const struct volume_key *key,
			    struct cof_error *err);
/** vault_check_same() - refuses header and keystore of two vaults, before any secret is tried.
 * Fails: COF_E_AUTH, COF_E_FORMAT */
cof_result vault_check_same(struct vault *vault, struct cof_error *err);
/** vault_prove() - open the identity record with @keys, whose epoch is set from it.
 * Fails: COF_E_AUTH, COF_E_FORMAT */
cof_result vault_prove(struct vault *vault, struct keys *keys, time_t *ret_created,
		       struct cof_error *err);
/** vault_prove_secret() - header_check_copy(), vault_open_header() and vault_prove(), for who
 * changes the header. The lock is held. Fails: as they do */
cof_result vault_prove_secret(struct vault *vault, const struct slot_secret *secret,
			      struct volume_key **ret_key, int *ret_slot, struct cof_error *err);
/** identity_seal() - appended to @stored */
cof_result identity_seal(const struct keys *keys, time_t created, struct buffer *stored,
			 struct cof_error *err);
/** identity_epoch() - what the stored identity says in the clear, not proven. @ret_uuid: may be
 * NULL. Fails: COF_E_FORMAT */
cof_result identity_epoch(struct vault *vault, uint32_t *ret_epoch, uint8_t *ret_uuid,
			  bool *ret_found, struct cof_error *err);

/* ---- read.c ---- */

/** struct row - one row of the keystore; buffer_done(&row.value) */
struct row {
	struct buffer value;
	uint64_t revision;
	bool found;
};

void row_done(struct row *row);
#define _cleanup_row_ _cleanup_(row_done)
cof_result row_get(struct vault *vault, const char *key, struct row *ret_row,
		   struct cof_error *err);
/** row_get_known() - a row that the index covers. Fails: COF_E_AUTH (it is not the one that the
 * vault wrote last), COF_E_LOCKED */
cof_result row_get_known(struct vault *vault, const char *key, struct row *ret_row,
			 struct cof_error *err);
/** vault_read_manifest() - opened; borrowed until the next call.
 * Fails: COF_E_AUTH, COF_E_LOCKED (also: the vault was revoked meanwhile) */
cof_result vault_read_manifest(struct vault *vault, const struct manifest **ret_manifest,
			       struct cof_error *err);
/** vault_read_page() - a page of the index; borrowed until the manifest changes */
cof_result vault_read_page(struct vault *vault, const struct manifest *manifest, unsigned int page,
			   const struct index_page **ret_page, struct cof_error *err);
/** sealed_revision() - the vault's revision as its manifest says in the clear; 0: none */
cof_result sealed_revision(struct vault *vault, uint64_t *ret_revision, struct cof_error *err);

/* Keys of rows; caller frees. */
cof_result record_row_key(char **ret_key, const char *kind, const char *name,
			  struct cof_error *err);
cof_result history_row_key(char **ret_key, const char *kind, const char *name, uint64_t generation,
			   struct cof_error *err);

/** struct key_list - the keys of a walk, NULL-terminated for vault_names() */
struct key_list {
	char **keys;
	size_t count;
	size_t room;
};

void key_list_done(struct key_list *list);
/** key_list_walk() - every key below @prefix, in order */
cof_result key_list_walk(struct vault *vault, const char *prefix, struct key_list *ret_list,
			 struct cof_error *err);
/** row_key_split() - the kind and name (caller frees) and generation (0: a record's row) that a
 * key means. Fails: COF_E_FORMAT */
cof_result row_key_split(const char *key, char **ret_kind, char **ret_name,
			 uint64_t *ret_generation, struct cof_error *err);

/* ---- records.c ---- */

/** vault_check_rows() - every row opens, and they are just those that the vault wrote.
 * @ret_records may be NULL */
cof_result vault_check_rows(struct vault *vault, size_t *ret_records, struct cof_error *err);

/* ---- commit.c ---- */

/** commit_follow_up() - the mark and the mirrors, after the keystore has changed. The lock is
 * held. Never fails: what could not be written is caught up with later */
void commit_follow_up(struct vault *vault);
/** commit_prove() - read a transaction back through another connection, and open its records.
 * Fails: COF_E_IO, COF_E_AUTH */
cof_result commit_prove(struct vault *vault, const struct change_set *set, struct cof_error *err);
/** commit_bump() - a commit that changes nothing but the vault's revision, which is above all that
 * are known then. The lock is held. Fails: as a commit, COF_E_FAILED (there is no higher one) */
cof_result commit_bump(struct vault *vault, struct cof_error *err);

/* ---- header_copy.c ---- */

/** header_copy_read() - the stored form of a copy of @path, appended to @value */
cof_result header_copy_read(const char *path, struct buffer *value, struct cof_error *err);
/** header_copy_split() - the sequence number and the copy proper of a stored form */
cof_result header_copy_split(struct span value, uint64_t *ret_sequence, struct span *ret_copy,
			     struct cof_error *err);
/** header_keep() - copy the header into the keystore, after a change that coffer made itself to a
 * header that was proven and compared with its copy before. The lock is held. Nothing to do when
 * the copy is the same. Fails: as header_check_copy() */
cof_result header_keep(struct vault *vault, struct cof_error *err);
/** header_refresh() - the same for a header that another tool has changed, if it can be proven to
 * be the vault's: the root key must be here. The lock is held */
cof_result header_refresh(struct vault *vault, bool *ret_changed, struct cof_error *err);
/** header_check_seal() - that the copy in the keystore is the one that the vault wrote last, as far
 * as the keys are here to tell. Fails: COF_E_AUTH */
cof_result header_check_seal(struct vault *vault, struct cof_error *err);
/** header_is_kept() - whether the header at @path is, byte for byte, the one that the keystore has
 * a copy of */
cof_result header_is_kept(struct vault *vault, const char *path, bool *ret_kept,
			  struct cof_error *err);
/** header_check_copy() - that the header may be changed: it is the one that the keystore has a copy
 * of, or newer. The lock is held. Fails: COF_E_FORMAT (damaged, or an older one was put back) */
cof_result header_check_copy(struct vault *vault, struct cof_error *err);

/* ---- header.c ---- */

/** header_converge() - finish or undo what a revocation or a creation that was killed left */
cof_result header_converge(struct vault *vault, struct cof_error *err);
/** header_install_new() - give the new header its name; the old one's bytes are wiped */
cof_result header_install_new(struct vault *vault, struct cof_error *err);
/** header_new_file() - an empty file for a new header, whatever was there is removed */
cof_result header_new_file(const char *path, struct cof_error *err);
/** header_format() - a new header at vault->new_header_path with the methods of @spec, durable.
 * @fault: first part of the names of the fault points */
cof_result header_format(struct vault *vault, const struct vault_new *spec, const char *uuid,
			 uint32_t epoch, const char *fault, struct volume_key **ret_key,
			 struct cof_error *err);
/** header_uuid_parse() - the bytes of a UUID in text form. Fails: COF_E_FORMAT */
cof_result header_uuid_parse(const char *text, uint8_t out[static VAULT_UUID_BYTES],
			     struct cof_error *err);
/** header_sync() - fsync a header file */
cof_result header_sync(const char *path, struct cof_error *err);

/* ---- slots.c ---- */

/** slot_set_token() - the token of a slot that has none yet. @replaces: as in struct token */
cof_result slot_set_token(const char *header_path, enum vault_method method, const char *label,
			  int slot, uint32_t replaces, struct cof_error *err);
/** token_note() - the method, label and time of a token of ours */
void token_note(struct token *token, const char *method, const char *label);
/** slot_method_name() - static */
const char *slot_method_name(enum vault_method method);
/** slot_name_by() - the token of a slot that has none yet; a slot that was @added just now goes
 * again when that fails. @token: but for its slots */
cof_result slot_name_by(const char *header_path, const struct token *token, int slot, bool added,
			struct cof_error *err);
/** slot_name() - the same, and a slot that was @added just now goes again when that fails */
cof_result slot_name(const char *header_path, enum vault_method method, const char *label, int slot,
		     bool added, struct cof_error *err);
/** slot_prove() - that @secret opens @slot (or LUKS_ANY_SLOT) and yields @key.
 * Fails: COF_E_KEY, COF_E_AUTH */
cof_result slot_prove(const char *header_path, const struct volume_key *key,
		      const struct slot_secret *secret, int slot, struct cof_error *err);

/**
 * struct slots_seen - the keyslots of a header and what their tokens say
 * @in_use:     bit n: there is keyslot n
 * @cheap:      bit n: what opens it is random
 * @with_token: bit n: some token, of whichever tool, belongs to it
 * @orphans:    bit n: token n is ours and belongs to no keyslot
 * @ours:       number of our token of each keyslot; -1: none
 * @tokens:     that token; else another tool's; else empty
 */
struct slots_seen {
	uint32_t in_use;
	uint32_t cheap;
	uint32_t with_token;
	uint32_t orphans;
	int ours[LUKS_SLOTS_MAX];
	struct token tokens[LUKS_SLOTS_MAX];
};

/** slots_see() - @ret_seen: caller frees */
cof_result slots_see(const char *header_path, struct slots_seen **ret_seen, struct cof_error *err);
/** slot_find() - the slot that @secret opens, but for @except; -1: none
 * @cost: of the method: for random secrets slots of the other kind are not tried */
cof_result slot_find(const char *header_path, const struct slots_seen *seen,
		     const struct slot_secret *secret, enum luks_cost cost, int except,
		     int *ret_slot, struct cof_error *err);
/** slot_set_replaces() - change a slot's token, if it has one of ours */
cof_result slot_set_replaces(const char *header_path, const struct slots_seen *seen, int slot,
			     uint32_t replaces, struct cof_error *err);
/** slots_tidy() - remove our tokens that belong to no keyslot, and what tokens say of replacing a
 * slot that is no more or is among @kept, as bits. The lock is held */
cof_result slots_tidy(const char *header_path, uint32_t kept, struct cof_error *err);

typedef cof_result (*slot_token_visit)(int number, const struct token *token, void *context,
				       struct cof_error *err);
/** slot_tokens_each() - every token that can be read */
cof_result slot_tokens_each(const char *header_path, slot_token_visit visit, void *context,
			    struct cof_error *err);
/** slot_normalize() - the form in which a method's secret opens its slot: recovery keys are
 * parsed. NULL: as it is */
cof_result slot_normalize(enum vault_method method, const struct slot_secret *secret,
			  struct slot_secret **ret_secret, struct cof_error *err);

/* ---- enroll.c ---- */

/** enroll_secret() - vault_enroll() of a secret in its normal form. @token: but for its slots */
cof_result enroll_secret(struct vault *vault, const struct slot_secret *existing,
			 const struct token *token, const struct slot_secret *secret,
			 enum luks_cost cost, int *ret_slot, struct cof_error *err);

/* ---- mark.c ---- */

#define MARK_MAX_BYTES 4096 /* of the file; it has about 100 */

/** struct mark - what a mark says
 * @proven: it opens with the vault's keys */
struct mark {
	bool exists;
	bool proven;
	uint32_t epoch;
	uint64_t revision;
};

/** mark_load() - missing or damaged is exists == false. On a locked vault never proven */
void mark_load(struct vault *vault, const char *path, struct mark *ret_mark);
/** mark_write() - the vault's own mark, for the state of the keystore as it is */
cof_result mark_write(struct vault *vault, struct cof_error *err);
/** mark_check() - that no mark that can be reached knows of anything newer than the keystore.
 * Fails: COF_E_AUTH; COF_E_FAILED (accepted, but there is no higher revision) */
cof_result mark_check(struct vault *vault, struct cof_error *err);
/** mark_is_newer() - than a keystore of @epoch and @revision */
bool mark_is_newer(const struct mark *mark, uint32_t epoch, uint64_t revision);

/** mark_counts_newer() - the same for a mark that was loaded for @vault: with the keys a forged one
 * is told from a true one; without them its word counts */
bool mark_counts_newer(const struct vault *vault, const struct mark *mark, uint64_t revision);

/* ---- mirror.c ---- */

/** mirrors_write() - bring all that can be reached up to date. The lock is held. Never fails */
void mirrors_write(struct vault *vault);
/** mirror_path() - of @file in the mirror's folder for this vault; caller frees */
cof_result mirror_path(const struct vault *vault, const char *mirror, const char *file,
		       char **ret_path, struct cof_error *err);
/** mirror_is_away() - whether it is not to be written or read now, as place_is_away() */
bool mirror_is_away(struct vault *vault, const char *mirror, const char *folder);
/** mirror_set_aside() - rename the copy in a mirror to coffer-UUID.WHY-DATE, and leave an empty
 * folder in its place. @why: "newer" or "damaged". Fails: COF_E_REFUSED (a link), COF_E_IO */
cof_result mirror_set_aside(struct vault *vault, const char *mirror, const char *why,
			    struct cof_error *err);

/* ---- mirror_state.c ---- */

/** mirror_recall() - what the keystore remembers of a mirror: an empty object when it was never
 * written; caller frees */
cof_result mirror_recall(struct vault *vault, const char *mirror, struct json **ret_state,
			 struct cof_error *err);
/** mirror_expect() - remember, before a mirror is written, which mark it will have then, and which
 * it has until then; both as digests. Fails: COF_E_IO, COF_E_NOSPC */
cof_result mirror_expect(struct vault *vault, const char *mirror, const char *before,
			 const char *mark, struct cof_error *err);
/** mirror_note() - remember that a mirror was written, or why it could not be (NULL: it was); only
 * a change is stored */
cof_result mirror_note(struct vault *vault, const char *mirror, const char *failure,
		       enum cof_code code, struct cof_error *err);

/** mirror_set_damage() - remember what is damaged in a mirror's copy; NULL: nothing is any more.
 * The lock is held */
cof_result mirror_set_damage(struct vault *vault, const char *mirror, const char *damage,
			     struct cof_error *err);

/** mirror_header_is_current() - whether the header at @path is the one that the keystore has a copy
 * of */
bool mirror_header_is_current(struct vault *vault, const char *path);

/* ---- mirror_copy.c ---- */

/** copy_try_newest() - add to a damage report how the newest whole copy in a mirror is put in the
 * place of the vault; on an unlocked vault one that was altered too is passed over. @result is
 * handed through */
cof_result copy_try_newest(struct vault *vault, cof_result result, struct cof_error *err);
/** newer_done() - frees its records */
void newer_done(struct vault_newer *newer);
#define _cleanup_newer_ _cleanup_(newer_done)
/** copy_forgotten() - the records that the copy in @mirror has and the vault has not; see struct
 * vault_newer. Never fails: what cannot be read is not known */
void copy_forgotten(struct vault *vault, const char *mirror, struct vault_newer *newer);
#define COPY_PREFIX "coffer-" /* of a copy's folder in a mirror; the vault's UUID follows */

/** copy_remedy() - the shell line that puts @folder, a copy, in the place of the vault's folder */
void copy_remedy(const struct paths *paths, const char *folder, char *out, size_t room);

#endif
