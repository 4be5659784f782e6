/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pages of a drive, and the key that it is given.
 */

#include <string.h>

#include "drive.h"

#define OP_SECURITY_IN	0xa2
#define OP_SECURITY_OUT 0xb5
#define PROTOCOL_TAPE	0x20
#define PAGE_ROOM_BYTES 8192 /* bscrypto and stenc ask for as many */

/* Asks for a page; a refusal is an answer. */
static cof_result try_page(struct drive *drive, uint16_t code, uint8_t page[static PAGE_ROOM_BYTES],
			   struct sense *ret_sense, size_t *ret_len, struct cof_error *err)
{
	struct scsi_command command = {
		.cdb = { OP_SECURITY_IN, PROTOCOL_TAPE, (uint8_t)(code >> 8), (uint8_t)code, 0, 0,
			 0, 0, PAGE_ROOM_BYTES >> 8, 0 },
		.cdb_bytes = 12,
		.in = page,
		.in_room = PAGE_ROOM_BYTES,
		.timeout_ms = DRIVE_SHORT_MS,
	};

	return drive_try(drive, &command, ret_sense, ret_len, err);
}

/* Asks for a page that must be there. */
static cof_result ask_page(struct drive *drive, uint16_t code, uint8_t page[static PAGE_ROOM_BYTES],
			   struct span *ret_page, const char *doing, struct cof_error *err)
{
	struct sense sense;
	size_t len;

	TRY(try_page(drive, code, page, &sense, &len, err));
	if (sense.found)
		return sense_raise(sense, drive->name, doing, err);
	*ret_page = SPAN(page, len);
	return COF_OK;
}

cof_result drive_capabilities(struct drive *drive, struct tape_capabilities *ret_capabilities,
			      struct cof_error *err)
{
	uint8_t room[PAGE_ROOM_BYTES];
	struct span page;

	TRY(ask_page(drive, PAGE_CAPABILITIES, room, &page, "say how it encrypts", err));
	return page_capabilities_decode(page, ret_capabilities, err);
}

cof_result drive_management(struct drive *drive, struct tape_management *ret_management,
			    struct cof_error *err)
{
	uint8_t room[PAGE_ROOM_BYTES];
	struct sense sense;
	size_t len;

	*ret_management = (struct tape_management){ .scope_all = true };
	TRY(try_page(drive, PAGE_MANAGEMENT, room, &sense, &len, err));
	if (!sense.found)
		return page_management_decode(SPAN(room, len), ret_management, err);
	if (sense_explain(sense).code == COF_E_UNSUPPORTED)
		return COF_OK;
	return sense_raise(sense, drive->name, "say how it takes keys", err);
}

cof_result drive_status(struct drive *drive, struct tape_encryption *ret_status,
			struct cof_error *err)
{
	uint8_t room[PAGE_ROOM_BYTES];
	struct span page;

	TRY(ask_page(drive, PAGE_STATUS, room, &page, "say whether it encrypts", err));
	return page_status_decode(page, ret_status, err);
}

cof_result drive_next(struct drive *drive, struct tape_next *ret_next, struct cof_error *err)
{
	uint8_t room[PAGE_ROOM_BYTES];
	struct sense sense;
	size_t len;

	TRY(try_page(drive, PAGE_NEXT_BLOCK, room, &sense, &len, err));
	if (sense.found && sense.key == SENSE_BLANK_CHECK) {
		*ret_next = (struct tape_next){ .encryption = NEXT_NO_BLOCK };
		return COF_OK;
	}
	if (sense.found)
		return sense_raise(sense, drive->name, "say what the next block is", err);
	return page_next_decode(SPAN(room, len), ret_next, err);
}

bool drive_has_key(const struct tape_encryption *status)
{
	return status->encryption != ENCRYPT_OFF || status->decryption != DECRYPT_OFF;
}

/* Sends the page that sets or clears a key. */
static cof_result send_set(struct drive *drive, const struct tape_set *set, const char *doing,
			   struct cof_error *err)
{
	_cleanup_secret_ struct secret *page = NULL;
	uint8_t clear[PAGE_CLEAR_BYTES];
	struct scsi_command command = {
		.cdb = { OP_SECURITY_OUT, PROTOCOL_TAPE, 0, PAGE_SET_ENCRYPTION },
		.cdb_bytes = 12,
		.timeout_ms = DRIVE_SHORT_MS,
	};

	if (set->key) {
		TRY(page_set_encode(set, &page, err));
		command.out = secret_span(page);
	} else {
		page_clear_write(set, clear);
		command.out = SPAN(clear, sizeof(clear));
	}
	command.cdb[8] = (uint8_t)(command.out.len >> 8);
	command.cdb[9] = (uint8_t)command.out.len;
	return drive_execute(drive, &command, doing, NULL, err);
}

/* Fails where the drive's own settings keep keys out, before it is asked to take one. */
static cof_result check_control(const struct drive *drive,
				const struct tape_capabilities *capabilities, struct cof_error *err)
{
	if (capabilities->settable != SETTABLE_PREVENTED)
		return COF_OK;
	/* As the drive would say it: 05/74/21. */
	return sense_raise((struct sense){ .found = true, .key = 5, .asc = 0x74, .ascq = 0x21 },
			   drive->name, "take keys from this host", err);
}

/* The algorithm for the tape that is loaded. */
static cof_result choose(struct drive *drive, const struct tape_capabilities *capabilities,
			 const struct tape_algorithm **ret_algorithm, struct cof_error *err)
{
	const struct tape_algorithm *algorithm = tape_algorithm_choose(capabilities);
	bool loaded;

	ENSURE(algorithm, err, COF_E_UNSUPPORTED, drive->name,
	       "has no AES-256 that encrypts and decrypts, among %zu algorithms",
	       capabilities->count);
	if (!algorithm->for_medium) {
		TRY(drive_has_tape(drive, &loaded, err));
		ENSURE(loaded, err, COF_E_NOENT, drive->name, "has no tape loaded");
		cof_ignore(cof_raise(err, COF_E_UNSUPPORTED, drive->name,
				     "cannot encrypt the tape that is loaded"));
		cof_error_try(err, "an LTO-4 cartridge or later; older ones are not encrypted");
		return (cof_result){ COF_E_UNSUPPORTED };
	}
	*ret_algorithm = algorithm;
	return COF_OK;
}

/* Whether the KAD that was sent is the one that the drive has. */
static bool same_kad(const struct kads *sent, const struct kads *there, uint8_t type)
{
	const struct kad *a = kads_find(sent, type);
	const struct kad *b = kads_find(there, type);

	return !a || (b && a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

/* That the drive has just what it was sent. */
static cof_result verify(struct drive *drive, const struct tape_set *set,
			 const struct tape_encryption *status, struct cof_error *err)
{
	ENSURE(status->encryption == set->encryption && status->decryption == set->decryption, err,
	       COF_E_CONFLICT, drive->name,
	       "has encryption mode %u and decryption mode %u after they were set to %u and %u",
	       status->encryption, status->decryption, set->encryption, set->decryption);
	if (set->encryption == ENCRYPT_OFF)
		return COF_OK;
	ENSURE(status->index == set->index, err, COF_E_CONFLICT, drive->name,
	       "uses algorithm %u after %u was set", status->index, set->index);
	ENSURE(same_kad(&set->kads, &status->kads, KAD_UNAUTHENTICATED) &&
		       same_kad(&set->kads, &status->kads, KAD_AUTHENTICATED),
	       err, COF_E_CONFLICT, drive->name, "has the key of somebody else after one was set");
	return COF_OK;
}

/* Reads the drive's state and compares it with what was sent. */
static cof_result check_set(struct drive *drive, const struct tape_set *set,
			    struct tape_encryption *ret_status, struct cof_error *err)
{
	TRY(drive_status(drive, ret_status, err));
	return verify(drive, set, ret_status, err);
}

/* Whether reads of encrypted blocks as they are can be forbidden: SSC-4, RDMC_C. */
static bool can_forbid_raw(const struct tape_algorithm *algorithm)
{
	return algorithm->raw_control == 4 || algorithm->raw_control == 5;
}

cof_result drive_load_key(struct drive *drive, const struct tape_key *key,
			  const uint8_t id[static KEY_ID_BYTES], struct drive_loaded *ret_loaded,
			  struct cof_error *err)
{
	struct tape_capabilities capabilities;
	struct tape_management management;
	const struct tape_algorithm *algorithm = NULL;
	struct tape_set set = { .encryption = ENCRYPT_ON, .decryption = DECRYPT_MIXED, .key = key };
	struct tape_set none = { 0 };
	cof_result checked;

	TRY(drive_capabilities(drive, &capabilities, err));
	TRY(check_control(drive, &capabilities, err));
	TRY(choose(drive, &capabilities, &algorithm, err));
	TRY(drive_management(drive, &management, err));
	set.scope = management.scope_all ? SCOPE_ALL : SCOPE_LOCAL;
	set.lock = management.lock;
	set.clear_on_demount = management.clear_on_demount;
	set.raw = can_forbid_raw(algorithm) ? RAW_FORBID : RAW_DEFAULT;
	set.index = algorithm->index;
	set.kad_format = algorithm->kad_format ? 2 : 0;
	key_tag_kads(id, algorithm, &set.kads);
	TRY(send_set(drive, &set, "take the key", err));
	checked = check_set(drive, &set, &ret_loaded->status, err);
	if (cof_failed(checked)) {
		/* A key that is not proven must not stay; the failure that led here is the one to
		 * tell. */
		none.scope = set.scope;
		none.index = set.index;
		cof_ignore(send_set(drive, &none, "forget the key", NULL));
		return checked;
	}
	ret_loaded->clear_on_demount = set.clear_on_demount;
	ret_loaded->locked = set.lock;
	return COF_OK;
}

cof_result drive_clear_key(struct drive *drive, bool *ret_changed, struct cof_error *err)
{
	struct tape_capabilities capabilities;
	struct tape_encryption status;
	struct tape_set set = { .scope = SCOPE_ALL };
	const struct tape_algorithm *algorithm;

	*ret_changed = false;
	TRY(drive_status(drive, &status, err));
	if (!drive_has_key(&status))
		return COF_OK;
	TRY(drive_capabilities(drive, &capabilities, err));
	TRY(check_control(drive, &capabilities, err));
	algorithm = tape_algorithm_choose(&capabilities);
	set.scope = status.nexus_scope;
	set.index = algorithm ? algorithm->index : status.index;
	TRY(send_set(drive, &set, "forget the key", err));
	TRY(check_set(drive, &set, &status, err));
	*ret_changed = true;
	return COF_OK;
}
