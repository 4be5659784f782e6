/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_RESULT_H
#define COF_BLOCK_DISK_RESULT_H

/*
 * What the disk verbs share: results of several devices, and the device that a record means.
 */

#include "disk.h"

/** disk_result_start() - an empty result for what the user typed */
void disk_result_start(struct disk_result *result, const char *typed);
/** disk_result_open() - fill in where the volume is open */
void disk_result_open(struct disk_result *result, const struct disk_open_state *state);
/** disk_result_fail() - what failed for one device; a volume that is open is so all the same */
void disk_result_fail(struct disk_result *result, const struct cof_error *failure);
/** disk_fail_all() - a failure before any device was looked at is that of every one of them;
 * @result is handed through */
cof_result disk_fail_all(cof_result result, struct disk_result results[], size_t count,
			 const struct cof_error *err);

/**
 * disk_copy_record() - the record of a disk's header copy, with the header as it is now
 * @key:        the stored key: where there is a copy already that differs, the header must hold
 *              the same volume key and not be older; NULL for a header that was just written
 * @ret_record: caller owns and commits it
 * @ret_same:   the copy in the vault is up to date
 *
 * Fails: COF_E_REFUSED (another volume key, or an older header), COF_E_KEY, as vault_get()
 */
cof_result disk_copy_record(struct vault *vault, const struct paths *paths, const char *name,
			    const char *source, const struct slot_secret *key,
			    struct record **ret_record, bool *ret_same, struct cof_error *err);

/**
 * disk_update() - the record of a disk that was just opened with its key: it is ready, its header
 * has a copy, and its facts are those of @device. Fails as vault_commit()
 */
cof_result disk_update(struct vault *vault, const struct paths *paths, const char *name,
		       const struct device *device, struct cof_error *err);

/**
 * disk_choose_name() - a volume's name: as asked for, or after the device's stable name or backing
 * file
 * @asked_for: NULL for none
 * @verb:      that the remedy names, "format"
 * Fails: COF_E_USAGE (not allowed), COF_E_REFUSED (the device has no name to go by)
 */
cof_result disk_choose_name(const char *asked_for, const struct device *device, const char *verb,
			    char out[static VOLUME_NAME_MAX_CHARS + 1], struct cof_error *err);

/** disk_check_twins() - that two devices of one command line are not the same one, nor would get
 * the same volume name; pure. Fails: COF_E_USAGE, COF_E_REFUSED */
cof_result disk_check_twins(const struct device *first, const char *first_name,
			    const struct device *second, const char *second_name,
			    struct cof_error *err);

/** disk_work_word() - "half-destroyed": what a disk is that is not ready; static */
const char *disk_work_word(const struct disk *disk);
/** disk_work_verb() - "destroy": what finishes a disk that is not ready; static */
const char *disk_work_verb(const struct disk *disk);
/** disk_work_name() - what that verb calls the disk: the volume, the by-id path or "DEV"; borrowed
 * from @disk */
const char *disk_work_name(const struct disk *disk);

/** disk_check_work() - that no other verb than @work has left this disk half done; pure.
 * Fails: COF_E_REFUSED */
cof_result disk_check_work(const struct disk *disk, enum disk_work work, struct cof_error *err);

/** disk_is_changing() - whether its data are in the middle of being encrypted or the like, so that
 * the header says only for this moment where which of them are; pure */
bool disk_is_changing(const struct disk *disk);
/** disk_refuse_changing() - refuse such a disk, naming the verb that goes on; pure.
 * Fails: COF_E_REFUSED */
cof_result disk_refuse_changing(const struct disk *disk, struct cof_error *err);

/** disk_proof_names() - every volume with such a note, sorted; caller frees, name_list_free().
 * Fails: COF_E_NOMEM */
cof_result disk_proof_names(const struct paths *paths, char ***ret_names, struct cof_error *err);

/**
 * disk_proof_renew() - after a header that was proven again has changed: the note of the proof
 * follows it, where there is one; only closing with a locked vault needs it
 */
void disk_proof_renew(struct vault *vault, const struct paths *paths, const char *name,
		      const char *source);

/**
 * disk_lookup() - the disk of the vault that a typed name means: by volume, by the LUKS UUID on a
 * device, by a device's stable name
 * @ret_disk:   borrowed from @set
 * @ret_number: of the device that was typed; 0 for a volume's name
 * Fails: COF_E_NOENT, COF_E_USAGE
 */
cof_result disk_lookup(const struct disk_set *set, const char *typed, const struct disk **ret_disk,
		       dev_t *ret_number, struct cof_error *err);

/** disk_check_header() - that a header may be changed: both copies whole, no re-encryption under
 * way; pure. Fails: COF_E_FORMAT, COF_E_REFUSED */
cof_result disk_check_header(const char *node, const struct luks_info *info, struct cof_error *err);
/** disk_check_free_slot() - that one more keyslot is possible; pure. Fails: COF_E_REFUSED */
cof_result disk_check_free_slot(const char *node, const struct luks_info *info,
				struct cof_error *err);

/** disk_carries() - whether a folder lies on the device, through whatever is between; a folder that
 * is not there does not, and one on btrfs is not recognised. Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result disk_carries(const struct device *device, const char *folder, bool *ret_carries,
			struct cof_error *err);

/** disk_backs_root() - whether the running system's / or /usr lies on the device, through whatever
 * is between. One on btrfs is not recognised. Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result disk_backs_root(const struct device *device, bool *ret_backs, struct cof_error *err);

/** disk_map_name() - what device-mapper calls the device @kname; "" for a device of another kind */
cof_result disk_map_name(const char *kname, char *out, size_t out_size_bytes,
			 struct cof_error *err);

/** struct disk_finder - the machine's devices with the LUKS UUIDs that are on them */
struct disk_finder {
	struct device_list devices;
	char (*uuids)[LUKS_UUID_CHARS + 1]; /* per device, "" without a valid header */
};
void disk_finder_done(struct disk_finder *finder);
/** disk_finder_init() - scan once, read all headers in parallel */
cof_result disk_finder_init(struct disk_finder *ret_finder, struct cof_error *err);

/** disk_has_stable_name() - whether a device goes by the record's by-id name or backing file */
bool disk_has_stable_name(const struct disk *disk, const struct device *device);

/**
 * disk_finder_find() - the device of a record: the one with its stable name if that has its UUID,
 * otherwise the only one with its UUID
 * @ret_device: borrowed from the finder
 *
 * Fails: COF_E_NOENT (no such header), COF_E_REFUSED (the stable name leads to another header, or
 * several devices have this one), COF_E_FORMAT (the header is gone from the device)
 */
cof_result disk_finder_find(const struct disk_finder *finder, const struct disk *disk,
			    const struct device **ret_device, struct cof_error *err);

/** disk_check_mode() - that a volume which is open already is not open for writing, where it is to
 * be read alone. Fails: COF_E_BUSY */
cof_result disk_check_mode(const struct disk_open_state *state, const char *name, bool read_only,
			   struct cof_error *err);

#endif
