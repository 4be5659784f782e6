/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_TAPE_VOLUME_H
#define COF_TAPE_TAPE_VOLUME_H

/*
 * Tapes and their keys in the vault. A record `tape/VOLUME` says which key a volume is written with
 * and keeps its history; a record `tape-key/ID` is one key, by the id that stands on the tape. A
 * key stays when its volume gets a new one, so that what was written before stays readable.
 */

#include "bareos.h"
#include "key_tag.h"
#include "vault.h"

#define TAPE_KIND     "tape"
#define TAPE_KEY_KIND "tape-key"

/**
 * enum tape_policy - whether a volume is encrypted
 * @POLICY_MUST:  always: without the key nothing is written
 * @POLICY_MAY:   where the drive and the tape can
 * @POLICY_NEVER: it is not
 */
enum tape_policy { POLICY_MUST, POLICY_MAY, POLICY_NEVER };

/** tape_policy_name() - "must", "may", "never"; static */
const char *tape_policy_name(enum tape_policy policy);
/** tape_policy_parse() - Fails: COF_E_USAGE */
cof_result tape_policy_parse(const char *text, enum tape_policy *ret_policy, struct cof_error *err);

/**
 * struct tape_volume - one volume
 * @key:   id of the key that it is written with, base64url; "" for policy never
 * @ready: a drive has had the key, and the tape's chip says so
 * @barcode, @serial: of the cartridge, "" where not known
 */
struct tape_volume {
	char name[VAULT_NAME_MAX_BYTES + 1];
	char key[KEY_ID_CHARS + 1];
	enum tape_policy policy;
	bool ready;
	char barcode[33];
	char serial[33];
};

/** tape_volume_from_meta() - pure. Fails: COF_E_FORMAT */
cof_result tape_volume_from_meta(const struct json *meta, const char *name,
				 struct tape_volume *ret_volume, struct cof_error *err);
struct json *tape_volume_to_meta(const struct tape_volume *volume); /* caller owns */

/** tape_volume_check() - that a name can be a record's. Fails: COF_E_USAGE */
cof_result tape_volume_check(const char *name, struct cof_error *err);

/**
 * tape_volume_get() - a volume of the vault
 * @ret_record: for tape_volume_put(); NULL where it is not found; may be NULL
 * Fails: as vault_get(), COF_E_FORMAT
 */
cof_result tape_volume_get(struct vault *vault, const char *name, struct tape_volume *ret_volume,
			   struct record **ret_record, bool *ret_found, struct cof_error *err);

/**
 * tape_volume_put() - write a volume; with a new key what it was before stays in its history
 * @record: as read; NULL for a new one
 * @key:    a new key to be written with it, in one transaction; NULL for none
 * Fails: as vault_commit()
 */
cof_result tape_volume_put(struct vault *vault, struct record *record,
			   const struct tape_volume *volume, const struct tape_key *key,
			   struct cof_error *err);

/**
 * tape_import_bareos() - the records of a volume of Bareos, to be committed together
 * @volume: gets the id of its key
 * @ret_key: its secret is the whole passphrase, so that it can be exported again
 * Fails: COF_E_NOMEM, COF_E_FAILED, COF_E_USAGE (a name that no record can have)
 */
cof_result tape_import_bareos(struct tape_volume *volume,
			      const struct bareos_passphrase *passphrase, struct record **ret_key,
			      struct record **ret_volume, struct cof_error *err);

/** tape_passphrase_get() - the passphrase of a key that came from Bareos; not found for any other.
 * Fails: as vault_get() */
cof_result tape_passphrase_get(struct vault *vault, const char *id,
			       struct bareos_passphrase **ret_passphrase, time_t *ret_created,
			       bool *ret_found, struct cof_error *err);

/**
 * tape_key_get() - the key of an id
 * @id:         base64url; of an A-KAD alone its first characters
 * @ret_id:     the whole id
 * @ret_volume: that it was made for; "" where that is not known
 * Fails: as vault_get(), COF_E_FORMAT, COF_E_CONFLICT (two keys begin like that)
 */
cof_result tape_key_get(struct vault *vault, const char *id, struct tape_key **ret_key,
			char ret_id[static KEY_ID_CHARS + 1],
			char ret_volume[static VAULT_NAME_MAX_BYTES + 1], bool *ret_found,
			struct cof_error *err);

#endif
