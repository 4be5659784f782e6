/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_ENTRY_CODE_H
#define COF_STORE_ENTRY_CODE_H

/*
 * The bytes of a tree's listing, pure: doc/format-store.md, section 6.2.
 */

#include <time.h>

#include "recipe.h"

#define ENTRY_NAME_MAX_BYTES 255		/* NAME_MAX of Linux */
#define ENTRY_PATH_MAX_BYTES 4095		/* PATH_MAX without the NUL */
#define ENTRY_MAX_BYTES	     ((size_t)32 << 20) /* of one: our own bound */
#define ENTRY_EXTENTS_MAX    (1u << 20)
#define ENTRY_LENGTH_BYTES   4 /* before each entry */

/** enum entry_type - the values are those of the format */
enum entry_type {
	ENTRY_FILE = 1,
	ENTRY_FOLDER = 2,
	ENTRY_SYMLINK = 3,
	ENTRY_HARD_LINK = 4,
	ENTRY_CHARACTER_DEVICE = 5,
	ENTRY_BLOCK_DEVICE = 6,
	ENTRY_FIFO = 7,
	ENTRY_SOCKET = 8,
	ENTRY_LEAVE = 9, /* the folder ends; it has nothing else */
};

/** struct entry_extent - a part of a file that is no hole, in bytes */
struct entry_extent {
	uint64_t offset;
	uint64_t len;
};

/**
 * struct entry - one thing in a tree
 * @name:    one component; empty for the tree's own folder
 * @target:  owned; of a symbolic link; of a hard link the path from the tree's folder
 * @xattrs:  pairs as stored: length of the name (1), name, length of the value (4), value
 * @extents: of a file with holes; else there are none, and the content is all of it
 * @root:    a file's content
 */
struct entry {
	enum entry_type type;
	char name[ENTRY_NAME_MAX_BYTES + 1];
	char *target;
	uint32_t mode; /* 07777 */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime;
	uint32_t mtime_ns;
	struct buffer xattrs;
	uint16_t xattr_count;
	uint32_t device_major;
	uint32_t device_minor;
	uint64_t size_bytes;
	struct entry_extent *extents;
	uint32_t extent_count;
	struct recipe_root root;
};

void entry_done(struct entry *entry);

/** entry_encode() - append its length and it. Fails: COF_E_FORMAT (too large), COF_E_NOMEM */
cof_result entry_encode(const struct entry *entry, struct buffer *out, struct cof_error *err);
/** entry_decode() - without its length. @ret_entry: the caller runs entry_done(), also on failure.
 * Fails: COF_E_FORMAT, COF_E_NOMEM */
cof_result entry_decode(struct span bytes, struct entry *ret_entry, struct cof_error *err);

/** entry_next_xattr() - one pair of @rest, which goes on behind it. Fails: COF_E_FORMAT */
cof_result entry_next_xattr(struct reader *rest, char ret_name[static 256], struct span *ret_value,
			    struct cof_error *err);

#endif
