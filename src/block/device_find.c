/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "file.h"
#include "identity.h"
#include "name_list.h"
#include "probe.h"
#include "sysblock.h"

/* The ways to name a device by what is written on it. */
static const struct tag {
	const char *prefix;
	const char *blkid_name;
	const char *folder; /* of udev's links, for those who may not read the device */
	int (*compare)(const char *a, const char *b);
} tags[] = {
	{ "UUID=", "UUID", "by-uuid", strcasecmp },
	{ "LABEL=", "LABEL", "by-label", strcmp },
	{ "PARTUUID=", "PART_ENTRY_UUID", "by-partuuid", strcasecmp },
	{ "PARTLABEL=", "PART_ENTRY_NAME", "by-partlabel", strcmp },
};

/* Reads the device of that kernel name, links included. */
static cof_result read_by_kname(const struct block_roots *roots, const char *kname,
				struct device **ret_device, struct cof_error *err)
{
	_cleanup_(link_table_done) struct link_table links = { 0 };

	TRY(link_table_load(roots, &links, err));
	return device_read(roots, &links, kname, ret_device, err);
}

cof_result device_by_number_in(const struct block_roots *roots, dev_t number,
			       struct device **ret_device, struct cof_error *err)
{
	char kname[KNAME_ROOM];
	char name[32];

	(void)snprintf(name, sizeof(name), "%u:%u", major(number), minor(number));
	ENSURE(sysblock_by_number(roots, number, kname), err, COF_E_NOENT, name,
	       "is not the number of a block device of this machine");
	return read_by_kname(roots, kname, ret_device, err);
}

cof_result device_by_number(dev_t number, struct device **ret_device, struct cof_error *err)
{
	return device_by_number_in(&block_roots_system, number, ret_device, err);
}

/* The number of the block device at a path. */
static cof_result number_of_path(const char *path, dev_t *ret_number, bool *ret_found,
				 struct cof_error *err)
{
	struct stat st;

	*ret_found = false;
	if (stat(path, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return COF_OK;
		return cof_raise_errno(err, errno, path, "cannot be looked up");
	}
	if (!S_ISBLK(st.st_mode)) {
		cof_result refused =
			cof_raise(err, COF_E_USAGE, path, "is a %s, not a block device",
				  S_ISDIR(st.st_mode)	? "folder"
				  : S_ISREG(st.st_mode) ? "regular file"
							: "special file");

		if (S_ISREG(st.st_mode))
			cof_error_try(err, "losetup --find --show %s", path);
		return refused;
	}
	*ret_number = st.st_rdev;
	*ret_found = true;
	return COF_OK;
}

/* Looks in the folders where a bare name may be: sdj, wwn-0x5000..., mpatha. */
static cof_result number_of_bare_name(const struct block_roots *roots, const char *name,
				      dev_t *ret_number, bool *ret_found, struct cof_error *err)
{
	static const char *const folders[] = { "disk/by-id", "disk/by-path", "mapper" };

	*ret_found = sysblock_number(roots, name, ret_number);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && !*ret_found; i++) {
		_cleanup_free_ char *path = NULL;

		TRY(path_format(&path, err, "%s/%s/%s", roots->dev, folders[i], name));
		TRY(number_of_path(path, ret_number, ret_found, err));
	}
	return COF_OK;
}

/*
 * The device on which @value is written. All devices are asked, since udev's links show only one
 * of two copies: which of them is meant, nobody can know, so two are refused.
 */
static cof_result number_of_tag(const struct block_roots *roots, const struct tag *tag,
				const char *value, dev_t *ret_number, bool *ret_found,
				struct cof_error *err)
{
	_cleanup_(device_list_done) struct device_list list = { 0 };
	_cleanup_free_ char *path = NULL;
	const struct device *match = NULL;

	TRY(device_scan_in(roots, &list, err));
	for (size_t i = 0; i < list.count; i++) {
		const struct device *device = list.items[i];
		char found[256];

		if (device->multipath_map[0] != '\0')
			continue;
		TRY(probe_tag(device->node, tag->blkid_name, found, sizeof(found), err));
		if (tag->compare(found, value) != 0)
			continue;
		ENSURE(!match, err, COF_E_REFUSED, value, "is written on both %s and %s",
		       match->node, device->node);
		match = device;
	}
	if (match) {
		*ret_number = match->number;
		*ret_found = true;
		return COF_OK;
	}
	TRY(path_format(&path, err, "%s/disk/%s/%s", roots->dev, tag->folder, value));
	return number_of_path(path, ret_number, ret_found, err);
}

/* The number of the device that @name means. */
static cof_result number_of_name(const struct block_roots *roots, const char *name,
				 dev_t *ret_number, bool *ret_found, struct cof_error *err)
{
	ENSURE(name[0] != '\0', err, COF_E_USAGE, NULL, "the name of a device is empty");
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		size_t len = strlen(tags[i].prefix);

		if (strncmp(name, tags[i].prefix, len) != 0)
			continue;
		ENSURE(name[len] != '\0' && !strchr(name + len, '/'), err, COF_E_USAGE, name,
		       "has no value that a device could have");
		return number_of_tag(roots, &tags[i], name + len, ret_number, ret_found, err);
	}
	if (strchr(name, '/'))
		return number_of_path(name, ret_number, ret_found, err);
	return number_of_bare_name(roots, name, ret_number, ret_found, err);
}

/* The partition of map @map that lies where leg partition @kname does, made by kpartx. */
static cof_result map_partition(const struct block_roots *roots, const char *kname, const char *map,
				char out[static KNAME_ROOM], struct cof_error *err)
{
	_cleanup_(name_list_freep) char **holders = NULL;
	uint64_t number = attribute_number(roots, kname, "partition");
	char prefix[32];
	char uuid[256];

	(void)snprintf(prefix, sizeof(prefix), "part%llu-mpath-", (unsigned long long)number);
	TRY(attribute_folder(roots, map, "holders", &holders, err));
	for (char **holder = holders; *holder; holder++) {
		(void)attribute_text(roots, *holder, "dm/uuid", uuid, sizeof(uuid));
		if (strncmp(uuid, prefix, strlen(prefix)) == 0) {
			(void)snprintf(out, KNAME_ROOM, "%.*s", KNAME_ROOM - 1, *holder);
			return COF_OK;
		}
	}
	/* Without one the leg's partition is answered, which the verdict then refuses. */
	(void)snprintf(out, KNAME_ROOM, "%.*s", KNAME_ROOM - 1, kname);
	return COF_OK;
}

cof_result device_find_in(const struct block_roots *roots, const char *name,
			  struct device **ret_device, struct cof_error *err)
{
	char kname[KNAME_ROOM];
	char map[KNAME_ROOM];
	char parent[KNAME_ROOM];
	char answer[KNAME_ROOM];
	bool is_leg;
	bool found = false;
	dev_t number;

	TRY(number_of_name(roots, name, &number, &found, err));
	ENSURE(found, err, COF_E_NOENT, name,
	       strchr(name, '/')   ? "does not exist"
	       : strchr(name, '=') ? "is written on no device"
				   : "no block device of that name is known");
	ENSURE(sysblock_by_number(roots, number, kname), err, COF_E_NOENT, name,
	       "is a device node, but the kernel has no device for it");
	TRY(sysblock_multipath_map(roots, kname, map, &is_leg, err));
	if (is_leg && sysblock_parent(roots, kname, parent))
		TRY(map_partition(roots, kname, map, answer, err));
	else
		(void)snprintf(answer, sizeof(answer), "%s", is_leg ? map : kname);
	return read_by_kname(roots, answer, ret_device, err);
}

cof_result device_find(const char *name, struct device **ret_device, struct cof_error *err)
{
	return device_find_in(&block_roots_system, name, ret_device, err);
}
