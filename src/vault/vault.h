/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_VAULT_H
#define COF_VAULT_VAULT_H

/*
 * The vault: a LUKS2 header whose volume key is the root key (root.luks), and a keystore of
 * sealed records (vault.db), in one folder, with mirrors. The rules are in doc/keys.md.
 *
 * Several processes may use a vault at once; one `struct vault` is for one thread at a time.
 */

#include <time.h>

#include "json.h"
#include "paths.h"
#include "secret.h"

#define VAULT_UUID_BYTES     16
#define VAULT_ID_BYTES	     16
#define VAULT_NAME_MAX_BYTES 255

struct vault;

/* ---- making, opening, unlocking ---- */

/** enum vault_method - what enrols */
enum vault_method { VAULT_PASSPHRASE, VAULT_RECOVERY, VAULT_FILE };

/**
 * struct vault_kept - an unlock method that a revocation keeps
 * @slot:   its number, which stays
 * @label:  borrowed
 * @secret: borrowed
 * @strong: of a file: 256 random bits or more
 */
struct vault_kept {
	int slot;
	enum vault_method method;
	const char *label;
	const struct slot_secret *secret;
	bool strong;
};

/**
 * struct vault_new - what `coffer init` makes, and `coffer revoke`
 * @passphrase: of the first keyslot that is free; NULL for none, where something is kept; borrowed
 * @recovery:   text of the recovery key that was already given to the user, or NULL for none;
 *              borrowed
 * @fips:       no Argon2
 * @kept:       @kept_count of them; borrowed
 * @empty_slots: bits of those that stay free
 */
struct vault_new {
	const struct slot_secret *passphrase;
	const struct slot_secret *recovery;
	bool fips;
	const struct vault_kept *kept;
	size_t kept_count;
	uint32_t empty_slots;
};

/**
 * vault_create() - make a new vault in paths->vault_dir, which must be root's or ours alone
 *
 * All is made beside under temporary names and proven (unlocked again, identity opened) before
 * the header gets its name, as the last step; a run after a crash starts over. Fault points:
 * "init/...". Fails: COF_E_REFUSED (there is a vault, or a keystore with records whose header is
 * gone; others may write to the folder), COF_E_NOSPC, COF_E_IO, COF_E_NOMEM
 */
cof_result vault_create(const struct paths *paths, const struct vault_new *spec,
			struct cof_error *err);

/** vault_exists() - whether there is a vault, whole or damaged, in paths->vault_dir */
bool vault_exists(const struct paths *paths);

/**
 * vault_open() - open a vault, still locked; finishes or undoes what a crash left half-done
 * Fails: COF_E_NOENT (no vault: remedy `coffer init`), COF_E_FORMAT (header or keystore damaged;
 * the remedy names the copy or mirror that is whole), COF_E_REFUSED (others may write to the
 * folder), COF_E_IO
 */
cof_result vault_open(const struct paths *paths, struct vault **ret_vault, struct cof_error *err);
/**
 * vault_look() - the same for who only shows things: a vault that is damaged is opened as far as it
 * goes, for vault_slots(), vault_mirrors(), vault_names() and vault_revision() alone
 * @ret_finding: what is wrong with it; its code is COF_E_NONE where it opens
 * Fails: as vault_open(), but for COF_E_FORMAT and COF_E_AUTH
 */
cof_result vault_look(const struct paths *paths, struct vault **ret_vault,
		      struct cof_error *ret_finding, struct cof_error *err);
/** vault_explain_damage() - add to a failure of the keystore, if it means damage and has no remedy,
 * which whole copy is to take its place. @result is handed through */
cof_result vault_explain_damage(const struct paths *paths, cof_result result,
				struct cof_error *err);
void vault_close(struct vault *vault);
DEFINE_FREEP(struct vault, vault_closep, vault_close)

/**
 * struct vault_newer - a mirror's copy that is newer than the vault
 * @mirror:   borrowed from paths
 * @epoch, @revision: as its mark says
 * @readable: false: its records are not known
 * @records:  "kind/name" of those that the vault has not, or has in an older generation alone
 */
struct vault_newer {
	const char *mirror;
	uint32_t epoch;
	uint64_t revision;
	bool readable;
	char **records;
	size_t record_count;
};

/** vault_ask_older - told what going on with an older keystore forgets, before anything is
 * written; a failure ends the unlocking and is passed up */
typedef cof_result (*vault_ask_older)(const struct vault_newer newer[], size_t count, void *context,
				      struct cof_error *err);

/**
 * vault_accept_older() - let the next unlocking go on with a keystore that is older than a mark
 * says, because the user put it back on purpose; the copies in mirrors that are newer are set
 * aside first, and never overwritten
 * @ask: may be NULL
 */
void vault_accept_older(struct vault *vault, vault_ask_older ask, void *context);

/**
 * vault_rebuild_header() - write root.luks again from its copy in the keystore or in a mirror
 *
 * For a header that is missing, damaged or not the vault's; what is there is kept beside it as
 * root.luks.damaged-<date>. Fails: COF_E_REFUSED (it is the same as its copy), COF_E_FORMAT (no
 * copy is whole), COF_E_IO, COF_E_NOSPC
 */
cof_result vault_rebuild_header(const struct paths *paths, struct cof_error *err);

/**
 * vault_unlock() - with a passphrase, a recovery key as typed, or a key file's content
 * @ret_slot: the keyslot that opened; may be NULL
 *
 * Proves the root key by the identity record before anything else uses it, and checks that the
 * keystore is not older than the newest that is known (doc/keys.md, "marks").
 * Fails: COF_E_KEY (wrong passphrase; a recovery key's wrong group is named), COF_E_AUTH (the
 * header does not belong to this keystore, or records were altered or rolled back), COF_E_NOMEM
 */
cof_result vault_unlock(struct vault *vault, const struct slot_secret *secret, int *ret_slot,
			struct cof_error *err);

/**
 * struct key_source - who derives keys from the root key: a root key in this process, or the
 * agent, which gives out derived keys only
 * @derive: HKDF-SHA256(root key, salt = vault UUID, info = @info), 32 bytes
 */
struct key_source {
	cof_result (*derive)(void *context, struct span info, struct wrap_key **ret_key,
			     struct cof_error *err);
	void (*free)(void *context); /* may be NULL */
	void *context;
};

/**
 * vault_unlock_from() - with a key source that holds the root key already; proves it the same way
 * @source: taken, also on failure
 * Fails: COF_E_AUTH, COF_E_LOCKED (from the source)
 */
cof_result vault_unlock_from(struct vault *vault, struct key_source source, struct cof_error *err);
bool vault_is_unlocked(const struct vault *vault);

/** vault_root_key() - the root key after vault_unlock(), to hand to the agent; borrowed; NULL
 * when locked or unlocked from another source */
const struct root_key *vault_root_key(const struct vault *vault);

const uint8_t *vault_uuid(const struct vault *vault); /* VAULT_UUID_BYTES; borrowed */
uint32_t vault_epoch(const struct vault *vault);
const char *vault_header_path(const struct vault *vault); /* root.luks; borrowed */

/**
 * root_derive() - the one use of a root key (vault rule 1); for the agent and for vault_unlock()
 * @root: 64 bytes
 * @uuid: VAULT_UUID_BYTES
 */
cof_result root_derive(const struct root_key *root, const uint8_t *uuid, struct span info,
		       struct wrap_key **ret_key, struct cof_error *err);

/* ---- records ---- */

/**
 * struct record - one record, opened
 * @kind:       "disk", "disk-header", ...: lower-case letters and dashes, at most 31 bytes
 * @name:       unique in its kind; 1 to VAULT_NAME_MAX_BYTES bytes, no '/', not "." or ".."
 * @id:         random, of the record's first generation
 * @generation: 1, 2, ...; older ones are its history
 * @revision:   of the keystore, for compare-and-swap
 * @meta:       what is not secret; never NULL
 * @secret:     what is; may be NULL
 * @blob:       large and not secret (a header copy); may be empty
 */
struct record {
	char *kind;
	char *name;
	uint8_t id[VAULT_ID_BYTES];
	uint64_t generation;
	uint64_t revision;
	time_t created; /* of this generation, seconds since 1970 */
	struct json *meta;
	struct secret *secret;
	struct buffer blob;
};

void record_free(struct record *record);
DEFINE_FREEP(struct record, record_freep, record_free)

/** record_new() - a record to be put: generation 0, empty meta. Fails: COF_E_NOMEM, COF_E_USAGE
 * (kind or name not allowed) */
cof_result record_new(const char *kind, const char *name, struct record **ret_record,
		      struct cof_error *err);

/**
 * vault_get() - the newest generation
 * Fails: COF_E_LOCKED, COF_E_AUTH (altered, copied from elsewhere, rolled back), COF_E_FORMAT
 */
cof_result vault_get(struct vault *vault, const char *kind, const char *name,
		     struct record **ret_record, bool *ret_found, struct cof_error *err);
/** vault_get_generation() - one of the history; found is false when it was destroyed */
cof_result vault_get_generation(struct vault *vault, const char *kind, const char *name,
				uint64_t generation, struct record **ret_record, bool *ret_found,
				struct cof_error *err);

typedef cof_result (*vault_visit)(const struct record *record, void *context,
				  struct cof_error *err);
/** vault_each() - every record of @kind (NULL: of all kinds), newest generations, by name */
cof_result vault_each(struct vault *vault, const char *kind, vault_visit visit, void *context,
		      struct cof_error *err);
/** vault_each_generation() - all generations of one record, newest first */
cof_result vault_each_generation(struct vault *vault, const char *kind, const char *name,
				 vault_visit visit, void *context, struct cof_error *err);
/** vault_names() - names of @kind's records without opening them: works on a locked vault.
 * @ret_names: NULL-terminated; caller frees with vault_names_free() */
cof_result vault_names(struct vault *vault, const char *kind, char ***ret_names,
		       struct cof_error *err);
void vault_names_free(char **names);
DEFINE_FREEP(char *, vault_names_freep, vault_names_free)

/**
 * struct vault_write - one change of a transaction
 * @record: put: stored as generation record->generation + 1, provided that the stored one still
 *          is record->generation (0: that there is none); after success its generation,
 *          id, revision and created are those stored. borrowed
 * @remove: instead, delete all generations
 * @keep_history: the generation before stays readable
 * @forget_history: no generation before stays, however old
 */
struct vault_write {
	struct record *record;
	bool remove;
	bool keep_history;
	bool forget_history;
};

/**
 * vault_commit() - all writes or none; when it returns they are durable, have been read back and
 * opened, and the mirrors that are there have them (vault rules 9 and 10)
 * Fails: COF_E_CONFLICT (somebody changed one: read again), COF_E_LOCKED, COF_E_NOSPC, COF_E_IO,
 * COF_E_BUSY (another process keeps the vault for long), COF_E_USAGE (a part is too large),
 * COF_E_AUTH (the keystore was altered)
 */
cof_result vault_commit(struct vault *vault, const struct vault_write writes[], size_t count,
			struct cof_error *err);

/* ---- unlock methods ---- */

#define VAULT_DETAIL_BYTES 1024 /* our own bound: a command line, or a URL */

/** struct vault_slot - one keyslot of the vault's header and what is known of it */
struct vault_slot {
	int number;
	char method[24];  /* "passphrase", "recovery", "file", or a token's type, "unknown" */
	char label[64];	  /* given by the user or "" */
	char created[32]; /* RFC 3339 or "" */
	char pbkdf[16];
	bool unattended; /* opens without a person: tpm2, tang, ... */
	char detail[VAULT_DETAIL_BYTES]; /* PCRs, a server's URL, a command line, or "" */
};

/** vault_slots() - works on a locked vault. @ret_slots: caller frees */
cof_result vault_slots(struct vault *vault, struct vault_slot **ret_slots, size_t *ret_count,
		       struct cof_error *err);

/**
 * vault_enroll() - one more unlock method; copies and mirrors follow
 * @existing: a secret that opens the vault now (the agent never gives the root key out); borrowed
 * @secret:   the new one, which the user has already (durably, if it is a file); borrowed
 * @strong:   VAULT_FILE: 256 random bits or more: a cheap PBKDF is enough
 * @ret_slot: -1: @secret opened the vault already, so nothing was changed; may be NULL
 *
 * A run after a crash finds what was made and finishes it. Fault points "enroll/...".
 * Fails: COF_E_KEY, COF_E_NOSPC (32 slots), COF_E_IO, COF_E_FORMAT (the header is damaged, or older
 * than its copy, which would be lost)
 */
cof_result vault_enroll(struct vault *vault, const struct slot_secret *existing,
			enum vault_method method, const char *label,
			const struct slot_secret *secret, bool strong, bool fips, int *ret_slot,
			struct cof_error *err);

/**
 * vault_passwd() - replace the secret of the slot that @existing opens; the new slot is proven
 * before the old one goes, and no other goes. Where @existing opens nothing any more, or is @secret
 * itself, what a killed run to @secret has begun is finished. Fault points "passwd/...".
 * Fails as vault_enroll(); COF_E_REFUSED (@existing is the recovery key, which would be gone)
 */
cof_result vault_passwd(struct vault *vault, const struct slot_secret *existing,
			const struct slot_secret *secret, bool fips, int *ret_slot,
			struct cof_error *err);

/**
 * vault_revoke() - new header, new root key, epoch + 1; every record re-wrapped in one
 * transaction; only the secrets named here open it afterwards (vault rule 4)
 * @existing: a secret that opens the vault now
 * @spec:     the new header's methods
 * Fault points "revoke/...". Fails as vault_create(), COF_E_KEY, COF_E_FORMAT (as vault_enroll())
 */
cof_result vault_revoke(struct vault *vault, const struct slot_secret *existing,
			const struct vault_new *spec, struct cof_error *err);

/* ---- state ---- */

/**
 * struct vault_mirror - one mirror and how it is
 * @folder:   borrowed from paths
 * @epoch, @revision: of its copy, 0 when unknown
 * @written:  it was written at some time, so that its copy outlives a change that it did not get
 * @with_vault: it can be reached, and is on the vault's own file system: what takes one takes both
 * @reason:   why it is not current; "" when there is nothing to say
 * @remedy:   what to type; "" when it is current
 */
struct vault_mirror {
	const char *folder;
	enum {
		MIRROR_CURRENT,
		MIRROR_BEHIND,
		MIRROR_AWAY,
		MIRROR_FAILED,
		MIRROR_NEWER,
		MIRROR_DAMAGED,
	} state;
	uint32_t epoch;
	uint64_t revision;
	bool written;
	bool with_vault;
	char reason[256];
	char remedy[512];
};

/**
 * enum vault_header - how root.luks compares with the copy of it in the keystore
 * @VAULT_HEADER_KEPT:    the same
 * @VAULT_HEADER_CHANGED: newer, or there is no whole copy: another tool has changed it, and
 *                        unlocking with a secret copies it
 * @VAULT_HEADER_OLDER:   an older one was put back
 * @VAULT_HEADER_DAMAGED: other bytes, though no tool has changed it
 * @VAULT_HEADER_FORGED:  the copy is not the one that the vault wrote, which only an unlocked vault
 *                        can tell; unlocking with a secret writes it again
 */
enum vault_header {
	VAULT_HEADER_KEPT,
	VAULT_HEADER_CHANGED,
	VAULT_HEADER_OLDER,
	VAULT_HEADER_DAMAGED,
	VAULT_HEADER_FORGED,
};

/** vault_header_mended() - whether unlocking found a forged copy and has written it again */
bool vault_header_mended(const struct vault *vault);
/** vault_header_state() - works on a locked vault, where nothing of it is proven.
 * Fails: COF_E_FORMAT (it is no header at all), COF_E_IO */
cof_result vault_header_state(struct vault *vault, enum vault_header *ret_state,
			      struct cof_error *err);

/** vault_mirrors() - works on a locked vault. Of several mirrors that are newer the newest alone
 * has the remedy that brings it back. @ret_mirrors: caller frees */
cof_result vault_mirrors(struct vault *vault, struct vault_mirror **ret_mirrors, size_t *ret_count,
			 struct cof_error *err);
/**
 * vault_check_mirrors() - read the copy in every mirror that can be reached to the end: the
 * keystore, with every row if the vault is unlocked, the header, the mark and the audit log
 * @ret_read: how many were read
 * What is damaged is remembered, so that vault_mirrors() says so; whoever writes that mirror next
 * keeps the copy as coffer-UUID.damaged-DATE and writes it anew.
 * Fails: COF_E_FORMAT (the first that is damaged, after all were read), COF_E_BUSY, as a commit
 */
cof_result vault_check_mirrors(struct vault *vault, size_t *ret_read, struct cof_error *err);
/**
 * vault_visit_aside - called for each copy that was set aside; all borrowed
 * @remedy: the shell line that removes it
 */
typedef cof_result (*vault_visit_aside)(const char *path, const char *remedy, void *context,
					struct cof_error *err);
/**
 * vault_copies_aside() - the copies of this vault that coffer, or who did as it advised, has set
 * aside: coffer-UUID.* in the mirrors that answer, and VAULT.aside* beside the vault's folder. They
 * hold the records of their time, and follow no change.
 * Fails: as @visit, COF_E_NOMEM
 */
cof_result vault_copies_aside(struct vault *vault, vault_visit_aside visit, void *context,
			      struct cof_error *err);
/**
 * struct vault_copy - a copy of some vault in a mirror, found without that vault
 * @mirror: borrowed from paths
 * @folder: the copy's own
 * @epoch, @revision: as its manifest says in the clear, not proven
 */
struct vault_copy {
	const char *mirror;
	char folder[512];
	char uuid[37];
	uint32_t epoch;
	uint64_t revision;
};

/** vault_copies() - all that are whole in the mirrors of @paths, the newest of each vault first; no
 * vault need be there. @ret_copies: caller frees */
cof_result vault_copies(const struct paths *paths, struct vault_copy **ret_copies,
			size_t *ret_count, struct cof_error *err);
/** vault_copies_explain() - add to the error of a vault that is not there which copies there are
 * and how to bring one back; nothing where there is none. Returns whether there is one */
bool vault_copies_explain(const struct paths *paths, struct cof_error *err);
/** vault_defer_mirrors() - until vault_sync() write no mirror: one on a share may block for ever */
void vault_defer_mirrors(struct vault *vault);
/** vault_sync() - bring header copy and mirrors up to date; a mirror that is away is no failure */
cof_result vault_sync(struct vault *vault, struct cof_error *err);
/** vault_revision() - of the vault: grows with every commit of records, as its manifest says;
 * works on a locked vault, where it is not proven */
cof_result vault_revision(struct vault *vault, uint64_t *ret_revision, struct cof_error *err);
/**
 * struct vault_position - the state of the vault that a record is of; not proven
 * @epoch, @revision: of the vault
 * @generation: of the record; 0: there is none
 * @digest: of the record as it is stored, SHA-256
 */
struct vault_position {
	uint32_t epoch;
	uint64_t revision;
	uint64_t generation;
	uint8_t digest[32];
};

/** vault_locate() - works on a locked vault. Fails: COF_E_FORMAT, COF_E_IO */
cof_result vault_locate(struct vault *vault, const char *kind, const char *name,
			struct vault_position *ret_position, struct cof_error *err);
/** vault_check_older() - what unlocking checks, for a locked vault too, where marks are believed as
 * they stand: that none that can be reached is newer than the keystore. Fails: COF_E_AUTH */
cof_result vault_check_older(struct vault *vault, struct cof_error *err);
/** vault_stamp() - a number that changes with whatever is written to the keystore; 0: there is none
 * that can be read */
uint64_t vault_stamp(const struct paths *paths);
/** vault_check() - every record opens, the set is whole, the engine's own check passes, and the
 * header is not older than its copy. Fails: COF_E_LOCKED, COF_E_AUTH, COF_E_FORMAT */
cof_result vault_check(struct vault *vault, size_t *ret_records, struct cof_error *err);
/** vault_check_keystore() - the engine's own check; works on a locked vault. Fails: COF_E_FORMAT */
cof_result vault_check_keystore(struct vault *vault, struct cof_error *err);
/** vault_created() - of the identity record; 0 while locked */
time_t vault_created(const struct vault *vault);

#endif
