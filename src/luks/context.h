/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_CONTEXT_H
#define COF_LUKS_CONTEXT_H

/*
 * One use of libcryptsetup: its handle, the last line it complained with, and how its negative
 * errno values become errors. Private to src/luks.
 */

#include <libcryptsetup.h>

#include "disk_header.h"
#include "luks.h"
#include "snapshot.h"

/**
 * struct luks_context - an open header
 * @cd:      libcryptsetup's handle
 * @subject: what errors name: the file or device that holds the header; owned
 * @on_disk: its binary header, checked; zero before luks_format()
 * @first_damaged:  of the header's two copies, the first is not as it should be
 * @second_damaged: or the second
 * @snapshot: what @cd has in place of the device, unless it is to write
 * @last_line: libcryptsetup's last error line, without newline; never holds a secret
 */
struct luks_context {
	struct crypt_device *cd;
	char *subject;
	struct disk_header on_disk;
	bool first_damaged;
	bool second_damaged;
	struct snapshot snapshot;
	char last_line[256];
};

/**
 * luks_context_new() - a handle without a header, for luks_format()
 * Fails: COF_E_NOENT, COF_E_IO, COF_E_NOMEM
 */
cof_result luks_context_new(const char *device, const char *header,
			    struct luks_context **ret_context, struct cof_error *err);
/**
 * luks_context_of_mapping() - a handle without any device, to remove the mapping @name by
 *
 * Without a handle of ours, libcryptsetup would load the header of the mapping's device, and
 * mend it. Fails: COF_E_NOMEM
 */
cof_result luks_context_of_mapping(const char *name, struct luks_context **ret_context,
				   struct cof_error *err);
/**
 * luks_context_load() - a handle with the header of @header, or of @device where that is NULL
 *
 * The header is a copy in memory, without keyslot areas, so that the device is never written:
 * also not where one of the two copies of a LUKS2 header is damaged. @device is what a mapping
 * is made of. Fails: COF_E_NOENT, COF_E_FORMAT (no header, damaged, or cut off), COF_E_IO,
 * COF_E_NOMEM
 */
cof_result luks_context_load(const char *device, const char *header,
			     struct luks_context **ret_context, struct cof_error *err);
/**
 * luks_context_load_slot() - copy the area of a keyslot, for a handle that is to open it
 * Fails: COF_E_FORMAT (cut off), COF_E_IO, COF_E_NOMEM, COF_E_FAILED
 */
cof_result luks_context_load_slot(struct luks_context *context, int slot, struct cof_error *err);
/**
 * luks_context_load_to_write() - the same with the header on the device, for what changes it
 * @proven: the caller holds the header's volume key. Then, where one of the two copies of a LUKS2
 *          header is damaged, libcryptsetup mends it from the other on the way
 *
 * Where a change was cut short, so that one copy is behind, that copy is always mended.
 * Fails: as luks_context_load(); COF_E_FORMAT (a copy is damaged, and nothing is proven)
 */
cof_result luks_context_load_to_write(const char *device, const char *header, bool proven,
				      struct luks_context **ret_context, struct cof_error *err);
void luks_context_free(struct luks_context *context);
DEFINE_FREEP(struct luks_context, luks_context_freep, luks_context_free)
#define _cleanup_context_ _cleanup_(luks_context_freep)

/**
 * luks_raise() - a libcryptsetup failure as an error, with its last line as the cause
 * @negative_errno: what the library returned
 * @format: what could not be done, printf's
 */
cof_result luks_raise(struct luks_context *context, int negative_errno, struct cof_error *err,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));

/** luks_code_of() - the code for what libcryptsetup returned; does no I/O */
enum cof_code luks_code_of(int negative_errno);

/** luks_header_end() - size in bytes of the metadata and the keyslots area */
cof_result luks_header_end(struct luks_context *context, uint64_t *ret_bytes,
			   struct cof_error *err);

/** luks_sync() - fsync the device or file at @path. Fails: COF_E_IO, COF_E_NOSPC, COF_E_NOENT */
cof_result luks_sync(const char *path, struct cof_error *err);

/*
 * A memory-hard derivation needs up to 256 MiB for a header of ours and 1 GiB for others, so one
 * runs at a time in a process.
 */
void luks_memory_hard_begin(void);
void luks_memory_hard_end(void);

/* libcryptsetup's part that talks to device-mapper counts its users without a lock of its own. */
void luks_mapper_begin(void);
void luks_mapper_end(void);

/** luks_slots_collect() - the keyslots in use, in the order of their numbers */
void luks_slots_collect(struct luks_context *context, struct luks_slot slots[LUKS_SLOTS_MAX],
			size_t *ret_count);

/** luks_slots_remove_unbound() - the keyslots whose key is not the data's. Fails: as
 * luks_slot_remove() */
cof_result luks_slots_remove_unbound(const char *device, const char *header,
				     struct cof_error *err);

/**
 * luks_slot_is_scratch() - whether a slot holds no key, but what a re-encryption needs to repair
 * the step that it is at: up to 16 MiB that mean nothing at any other moment, so that they are no
 * part of a copy, and no copy is written over them
 */
bool luks_slot_is_scratch(const struct luks_slot *slot);

#endif
