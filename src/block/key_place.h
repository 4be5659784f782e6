/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_KEY_PLACE_H
#define COF_BLOCK_KEY_PLACE_H

/*
 * Where the key of a disk is: in the vault, in a key file that cryptsetup reads by itself, or in
 * both. doc/decisions/key-places.md.
 */

#include "disk.h"
#include "tabfile.h"

/** disk_line_key() - what crypttab names as the key of a disk: its key file, or the key server;
 * borrowed */
const char *disk_line_key(const struct paths *paths, const struct disk *disk);

/** disk_line_is_ours() - whether a line's key is one that coffer has written for this disk, pure */
bool disk_line_is_ours(const struct paths *paths, const struct disk *disk,
		       const struct crypttab_entry *line);

/**
 * disk_record_key() - the key of a disk: of its record, or of its key file where the vault has none
 * @ret_key: caller owns
 * Fails: COF_E_FORMAT (there is neither), as key_place_read()
 */
cof_result disk_record_key(const struct record *record, struct slot_secret **ret_key,
			   struct cof_error *err);

/**
 * key_place_read() - the content of a disk's key file
 * Fails: COF_E_NOENT (not there; says so where nothing is mounted at the mount point on which it
 * was), COF_E_IO, COF_E_USAGE (empty, too large), COF_E_NOMEM
 */
cof_result key_place_read(const struct disk *disk, struct slot_secret **ret_key,
			  struct cof_error *err);

/**
 * key_place_check() - that the key file of a disk, if it has one, can be read and holds @key
 * Fails: COF_E_KEY (it holds another one), as key_place_read()
 */
cof_result key_place_check(const struct disk *disk, const struct slot_secret *key,
			   struct cof_error *err);

/**
 * key_place_follow() - the key file of a disk, if it has one, gets a new key: whole, durable, and
 * read back. Fails: COF_E_IO, COF_E_NOSPC, as key_place_read()
 */
cof_result key_place_follow(const struct disk *disk, const struct slot_secret *key,
			    struct cof_error *err);

/** disk_leave_key_file() - the key file of a disk, if it has one, becomes one that is still to be
 * removed, pure */
void disk_leave_key_file(struct disk *disk);

/** key_left_is_away() - whether a key file that is still to be removed was on a medium that is away
 * now, where nothing can remove it */
bool key_left_is_away(const struct disk *disk);

/**
 * key_place_shred() - overwrite and remove a key file; not there is success
 * @ret_limits: what that does not promise there, in words; "" for nothing to add
 * Fails: COF_E_REFUSED (no regular file), COF_E_IO
 */
#define KEY_PLACE_LIMITS_CHARS 96
cof_result key_place_shred(const char *path, char ret_limits[static KEY_PLACE_LIMITS_CHARS],
			   struct cof_error *err);

/** struct key_relocate_spec - options of `key relocate` */
struct key_relocate_spec {
	const char *folder; /* absolute; NULL: the vault */
	bool only;	    /* with a folder: the vault forgets the key */
	bool dry_run;
};

/** key_relocate_check() - that key files may be put into the folder, as far as one can tell
 * without a disk. Fails: COF_E_NOENT, COF_E_USAGE, COF_E_REFUSED, COF_E_IO */
cof_result key_relocate_check(const struct paths *paths, const struct key_relocate_spec *spec,
			      struct cof_error *err);

/**
 * key_relocate_check_mounted() - that something is mounted wherever on the way to the folder the
 * key file of a disk was on a medium, whatever fstab says: what is written below a bare mount point
 * lies on the system's disk, and is hidden by what is mounted later
 * Fails: COF_E_NOENT
 */
cof_result key_relocate_check_mounted(const struct disk_set *set,
				      const struct key_relocate_spec *spec, struct cof_error *err);

/**
 * key_relocate() - the keys of disks get another place
 * @names:   volumes or devices as typed; borrowed
 * @results: @count of them, filled in
 *
 * Per disk: key durable at the new place → read from there, it opens the device → the record says
 * so → crypttab → the old key file overwritten and removed, and with @only the key and its history
 * removed from the vault. At each moment the place that the record names has the key. Fault points
 * "relocate/...". Fails: the first one's failure, after all were tried
 */
cof_result key_relocate(struct vault *vault, const struct paths *paths, const char *const names[],
			size_t count, const struct key_relocate_spec *spec,
			struct progress *progress, struct disk_result results[],
			struct cof_error *err);

#endif
