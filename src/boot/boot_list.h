/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_BOOT_LIST_H
#define COF_BOOT_BOOT_LIST_H

/*
 * /etc/coffer/boot.list: which units wait for which file systems, and which bare mount points are
 * closed to writers. Pure. The format is doc/format-boot-list.md.
 */

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

#define BOOT_LIST_PATH	    "/etc/coffer/boot.list"
#define BOOT_LIST_MAX_BYTES (1u << 20)
#define BOOT_UNIT_MAX_CHARS 255 /* of a unit's name: systemd.unit(5) */
#define BOOT_PATH_MAX_CHARS 1023

/**
 * struct boot_wait - one unit that waits; all owned
 * @unit:   its whole name, "mysql.service"
 * @mounts: mount points that it waits for, NULL-terminated; none: those of all volumes
 * @line:   from 1
 * @unsure: the line names something that cannot be read, so that nobody knows what for it waits
 */
struct boot_wait {
	char *unit;
	char **mounts;
	size_t line;
	bool unsure;
};

/** struct boot_list - the whole file; @bare: closed mount points, NULL-terminated; owned */
struct boot_list {
	struct boot_wait *waits;
	size_t count;
	char **bare;
};
void boot_list_done(struct boot_list *list);

/** boot_mistake - is told of a line that cannot be used, and why */
typedef void (*boot_mistake)(const struct cof_error *mistake, void *context);

/**
 * boot_list_parse() - read the file
 * @path:    for errors, which name it with the line
 * @mistake: is told of each line that is wrong, which is passed over; but a unit of which only the
 *           mount points are wrong is in the list, and unsure. NULL: the first one is the failure
 * @ret_list: the caller runs boot_list_done(), also after a failure
 * Fails: COF_E_FORMAT, COF_E_NOMEM
 */
cof_result boot_list_parse(struct span text, const char *path, boot_mistake mistake, void *context,
			   struct boot_list *ret_list, struct cof_error *err);

/** boot_list_find() - the line of a unit; NULL when there is none; borrowed */
const struct boot_wait *boot_list_find(const struct boot_list *list, const char *unit);

/**
 * boot_list_set() - the file with a line for @unit; the line is where one was, else at the end, and
 * every other byte stays
 * @mounts: NULL-terminated; NULL: no line at all. Of a list of which only coffer's heading is left
 *          nothing is left
 * @ret_after: empty before
 * Fails: COF_E_NOMEM
 */
cof_result boot_list_set(struct span before, const char *unit, const char *const mounts[],
			 struct buffer *ret_after, struct cof_error *err);

/** boot_list_set_bare() - the file with or without the line that says that coffer has closed this
 * bare mount point. Fails: COF_E_NOMEM */
cof_result boot_list_set_bare(struct span before, const char *mount, bool closed,
			      struct buffer *ret_after, struct cof_error *err);

#endif
