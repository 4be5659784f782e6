/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_SYSBLOCK_H
#define COF_BLOCK_SYSBLOCK_H

/*
 * Block devices as /sys, /proc and /dev/disk show them; private to this folder. The three trees
 * are parameters, so that a test can show the code hardware that the machine does not have.
 */

#include "device.h"

#define KNAME_ROOM 64 /* the kernel's DISK_NAME_LEN is 32, and partitions add some digits */

/** struct block_roots - where the kernel's trees are */
struct block_roots {
	const char *sys;
	const char *dev;
	const char *proc;
};

/** block_roots_system - /sys, /dev and /proc */
extern const struct block_roots block_roots_system;

/** attribute_raw() - the first line of an attribute; "" and false when not there */
bool attribute_raw(const struct block_roots *roots, const char *kname, const char *attribute,
		   char *out, size_t out_size_bytes);
/** attribute_text() - the same, tidied for people: not for paths */
bool attribute_text(const struct block_roots *roots, const char *kname, const char *attribute,
		    char *out, size_t out_size_bytes);
/** attribute_number() - the same as a number; 0 when not there */
uint64_t attribute_number(const struct block_roots *roots, const char *kname,
			  const char *attribute);
/** attribute_folder() - the names in a folder of the device, sorted; not there is an empty list.
 * Fails: COF_E_NOMEM */
cof_result attribute_folder(const struct block_roots *roots, const char *kname, const char *folder,
			    char ***ret_names, struct cof_error *err);

/** sysblock_names() - every block device there is, partitions too, in natural order.
 * Fails: COF_E_IO (no /sys), COF_E_NOMEM */
cof_result sysblock_names(const struct block_roots *roots, char ***ret_names,
			  struct cof_error *err);
/** sysblock_number() - of a device; false when there is none of that name */
bool sysblock_number(const struct block_roots *roots, const char *kname, dev_t *ret_number);
/** sysblock_by_number() - the kernel name; false when there is none */
bool sysblock_by_number(const struct block_roots *roots, dev_t number,
			char kname[static KNAME_ROOM]);
/** sysblock_path() - the device's place under /sys/devices; "" when there is none */
void sysblock_path(const struct block_roots *roots, const char *kname, char *out,
		   size_t out_size_bytes);
/** sysblock_parent() - the whole disk of a partition; "" and false for what is no partition */
bool sysblock_parent(const struct block_roots *roots, const char *kname,
		     char parent[static KNAME_ROOM]);
/** sysblock_partitions() - of a whole disk. Fails: COF_E_NOMEM */
cof_result sysblock_partitions(const struct block_roots *roots, const char *kname,
			       char ***ret_names, struct cof_error *err);
/**
 * sysblock_holders() - the devices on top: those that the kernel lists, and loop devices whose
 * backing file is this device, which it does not list. Fails: COF_E_NOMEM
 */
cof_result sysblock_holders(const struct block_roots *roots, const char *kname, char ***ret_names,
			    struct cof_error *err);
/** sysblock_multipath_map() - the map of which this, or the disk of this partition, is a leg;
 * "" and false for none. Fails: COF_E_NOMEM */
cof_result sysblock_multipath_map(const struct block_roots *roots, const char *kname,
				  char map[static KNAME_ROOM], bool *ret_found,
				  struct cof_error *err);

/** struct link_table - every link under /dev/disk and where it points */
struct link_table {
	struct {
		char *path;
		dev_t number;
	} * items;
	size_t count;
};
/** link_table_load() - no /dev/disk is an empty table. Fails: COF_E_NOMEM */
cof_result link_table_load(const struct block_roots *roots, struct link_table *ret_table,
			   struct cof_error *err);
void link_table_done(struct link_table *table);

/** device_read() - all about one device. Fails: COF_E_NOENT, COF_E_NOMEM */
cof_result device_read(const struct block_roots *roots, const struct link_table *links,
		       const char *kname, struct device **ret_device, struct cof_error *err);
/** device_scan_in(), device_find_in(), device_by_number_in() - see device.h */
cof_result device_scan_in(const struct block_roots *roots, struct device_list *ret_list,
			  struct cof_error *err);
cof_result device_find_in(const struct block_roots *roots, const char *name,
			  struct device **ret_device, struct cof_error *err);
cof_result device_by_number_in(const struct block_roots *roots, dev_t number,
			       struct device **ret_device, struct cof_error *err);

#endif
