/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "file.h"
#include "identity.h"
#include "name_list.h"
#include "sysblock.h"

const struct block_roots block_roots_system = {
	.sys = "/sys",
	.dev = "/dev",
	.proc = "/proc",
};

bool attribute_raw(const struct block_roots *roots, const char *kname, const char *attribute,
		   char *out, size_t out_size_bytes)
{
	char path[PATH_MAX];

	out[0] = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s/class/block/%s/%s", roots->sys, kname,
			     attribute) >= sizeof(path))
		return false;
	if (cof_failed(file_read_line(path, out, out_size_bytes, NULL))) {
		out[0] = '\0';
		return false;
	}
	return true;
}

bool attribute_text(const struct block_roots *roots, const char *kname, const char *attribute,
		    char *out, size_t out_size_bytes)
{
	if (!attribute_raw(roots, kname, attribute, out, out_size_bytes))
		return false;
	text_tidy(out);
	return true;
}

uint64_t attribute_number(const struct block_roots *roots, const char *kname, const char *attribute)
{
	char text[32];

	if (!attribute_text(roots, kname, attribute, text, sizeof(text)))
		return 0;
	return strtoull(text, NULL, 10);
}

cof_result attribute_folder(const struct block_roots *roots, const char *kname, const char *folder,
			    char ***ret_names, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	bool found;

	TRY(path_format(&path, err, "%s/class/block/%s/%s", roots->sys, kname, folder));
	return name_list_of_folder(path, ret_names, &found, err);
}

cof_result sysblock_names(const struct block_roots *roots, char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_free_ char *path = NULL;
	bool found;

	TRY(path_format(&path, err, "%s/class/block", roots->sys));
	TRY(name_list_of_folder(path, &names, &found, err));
	ENSURE(found, err, COF_E_IO, path, "cannot be read, so no block device can be found");
	*ret_names = TAKE(names);
	return COF_OK;
}

bool sysblock_number(const struct block_roots *roots, const char *kname, dev_t *ret_number)
{
	char text[32];
	unsigned int high;
	unsigned int low;

	if (!attribute_text(roots, kname, "dev", text, sizeof(text)) ||
	    sscanf(text, "%u:%u", &high, &low) != 2)
		return false;
	*ret_number = makedev(high, low);
	return true;
}

bool sysblock_by_number(const struct block_roots *roots, dev_t number,
			char kname[static KNAME_ROOM])
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	ssize_t len;
	const char *slash;

	(void)snprintf(path, sizeof(path), "%s/dev/block/%u:%u", roots->sys, major(number),
		       minor(number));
	len = readlink(path, target, sizeof(target) - 1);
	if (len <= 0)
		return false;
	target[len] = '\0';
	slash = strrchr(target, '/');
	return (size_t)snprintf(kname, KNAME_ROOM, "%s", slash ? slash + 1 : target) < KNAME_ROOM;
}

void sysblock_path(const struct block_roots *roots, const char *kname, char *out,
		   size_t out_size_bytes)
{
	_cleanup_free_ char *real = NULL;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/class/block/%s", roots->sys, kname);
	real = realpath(path, NULL);
	(void)snprintf(out, out_size_bytes, "%s", real ? real : "");
}

bool sysblock_parent(const struct block_roots *roots, const char *kname,
		     char parent[static KNAME_ROOM])
{
	char path[PATH_MAX];
	char *slash;

	parent[0] = '\0';
	if (attribute_number(roots, kname, "partition") == 0)
		return false;
	/* A partition's folder lies in that of its disk. */
	sysblock_path(roots, kname, path, sizeof(path));
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	*slash = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	return (size_t)snprintf(parent, KNAME_ROOM, "%s", slash + 1) < KNAME_ROOM;
}

cof_result sysblock_partitions(const struct block_roots *roots, const char *kname,
			       char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **inside = NULL;
	_cleanup_(name_list_freep) char **partitions = NULL;
	size_t len = strlen(kname);

	TRY(name_list_new(&partitions, err));
	TRY(attribute_folder(roots, kname, ".", &inside, err));
	for (char **name = inside; *name; name++)
		if (strncmp(*name, kname, len) == 0 &&
		    attribute_number(roots, *name, "partition") != 0)
			TRY(name_list_add(&partitions, *name, err));
	*ret_names = TAKE(partitions);
	return COF_OK;
}

/* Whether the loop device @loop has the device with this number as its backing file. */
static bool loop_is_on(const struct block_roots *roots, const char *loop, dev_t number)
{
	char file[PATH_MAX];
	struct stat st;

	return attribute_raw(roots, loop, "loop/backing_file", file, sizeof(file)) &&
	       strncmp(file, "/dev/", 5) == 0 && stat(file, &st) == 0 && S_ISBLK(st.st_mode) &&
	       st.st_rdev == number;
}

cof_result sysblock_holders(const struct block_roots *roots, const char *kname, char ***ret_names,
			    struct cof_error *err)
{
	_cleanup_(name_list_freep) char **all = NULL;
	_cleanup_(name_list_freep) char **holders = NULL;
	dev_t number;

	TRY(attribute_folder(roots, kname, "holders", &holders, err));
	TRY(sysblock_names(roots, &all, err));
	if (sysblock_number(roots, kname, &number))
		for (char **name = all; *name; name++)
			if (strncmp(*name, "loop", 4) == 0 && strcmp(*name, kname) != 0 &&
			    loop_is_on(roots, *name, number))
				TRY(name_list_add(&holders, *name, err));
	*ret_names = TAKE(holders);
	return COF_OK;
}

cof_result sysblock_multipath_map(const struct block_roots *roots, const char *kname,
				  char map[static KNAME_ROOM], bool *ret_found,
				  struct cof_error *err)
{
	_cleanup_(name_list_freep) char **holders = NULL;
	char parent[KNAME_ROOM];
	char uuid[256];

	map[0] = '\0';
	*ret_found = false;
	if (!sysblock_parent(roots, kname, parent))
		(void)snprintf(parent, sizeof(parent), "%s", kname);
	TRY(attribute_folder(roots, parent, "holders", &holders, err));
	for (char **holder = holders; *holder && !*ret_found; holder++) {
		(void)attribute_text(roots, *holder, "dm/uuid", uuid, sizeof(uuid));
		if (map_kind_of(uuid) == MAP_MULTIPATH && strlen(*holder) < KNAME_ROOM) {
			(void)snprintf(map, KNAME_ROOM, "%s", *holder);
			*ret_found = true;
		}
	}
	return COF_OK;
}
