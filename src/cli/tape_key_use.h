/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_TAPE_KEY_USE_H
#define COF_CLI_TAPE_KEY_USE_H

/*
 * Putting a volume's key into a drive, as its policy says.
 */

#include "tape_use.h"

/**
 * struct tape_choice - the volume that a drive is to have the key of
 * @volume:  as the vault has it; its name is "" where a key is of no volume
 * @key:     NULL: none, by the volume's policy; owned, tape_choice_done()
 * @id:      of @key, base64url
 */
struct tape_choice {
	struct tape_volume volume;
	struct tape_key *key;
	char id[KEY_ID_CHARS + 1];
};
void tape_choice_done(struct tape_choice *choice);

/** tape_choose_volume() - the newest key of a volume that was named.
 * Fails: COF_E_NOENT (no such volume, or its key is gone), as vault_get() */
cof_result tape_choose_volume(struct vault *vault, const char *name, struct tape_choice *ret_choice,
			      struct cof_error *err);

/** tape_choose_needed() - the key that the loaded tape needs, by what stands on it; of a tape that
 * says nothing the volume of its barcode. Fails: COF_E_NOENT (not known), as drive_tape_tag() */
cof_result tape_choose_needed(struct vault *vault, struct drive *drive,
			      struct tape_choice *ret_choice, struct cof_error *err);

/** tape_check_cartridge() - that the loaded tape is the one that the volume was on.
 * Fails: COF_E_REFUSED (another serial number), as drive_attribute() */
cof_result tape_check_cartridge(struct drive *drive, const struct tape_volume *volume,
				struct cof_error *err);

/** tape_choose() - the key of the @volume that was named, else (NULL) the one that the tape needs,
 * and that the cartridge is that volume's. Fails: as the three above */
cof_result tape_choose(struct vault *vault, const char *volume, struct drive *drive,
		       struct tape_choice *ret_choice, struct cof_error *err);

/**
 * tape_put_key() - load the key; for a volume that is to stay clear, or may and cannot be
 * encrypted, clear what there is. In the audit log before it is done.
 * @ret_loaded: false: the drive has no key now. Fails: as drive_load_key(), as tape_job_note()
 */
cof_result tape_put_key(const struct cli_call *call, struct vault *vault, struct tape_use *use,
			const struct tape_choice *choice, bool *ret_has_key,
			struct drive_loaded *ret_loaded, struct cof_error *err);

#define TAPE_VOLUME_OPTION                                                                         \
	{                                                                                          \
		"volume", CLI_TEXT, "VOLUME", "the name of the volume, such as its barcode"        \
	}

#endif
