/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "file.h"
#include "mapping.h"

/* First line of a mapping's file in /sys; a mapping that has gone meanwhile reads as "". */
static cof_result sys_line(const char *sys, const char *entry, const char *file, char *out,
			   size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	cof_result result;

	TRY(path_format(&path, err, "%s/class/block/%s/%s", sys, entry, file));
	result = file_read_line(path, out, out_size_bytes, err);
	if (result.code == COF_E_NOENT)
		out[0] = '\0';
	else
		TRY(result);
	return COF_OK;
}

/* The device that a mapping lies on: /dev/ and its first slave's name, "" where it has none. */
static cof_result source_read(const char *sys, const char *entry, char *out, size_t out_size_bytes,
			      struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_dir_ DIR *folder = NULL;
	const struct dirent *slave;

	out[0] = '\0';
	TRY(path_format(&path, err, "%s/class/block/%s/slaves", sys, entry));
	folder = opendir(path);
	while (folder && (slave = readdir(folder)) != NULL) {
		if (slave->d_name[0] == '.')
			continue;
		(void)snprintf(out, out_size_bytes, "/dev/%.64s", slave->d_name);
		/* The kernel writes a slash in a device's name as an exclamation mark. */
		for (char *at = out; *at; at++)
			*at = *at == '!' ? '/' : *at;
		break;
	}
	return COF_OK;
}

/* Describes the mapping in the /sys entry @entry, which is called @name. */
static cof_result mapping_read(const char *sys, const char *entry, const char *name,
			       struct luks_mapping *ret_mapping, struct cof_error *err)
{
	struct luks_mapping mapping = { 0 };
	char line[256];

	(void)snprintf(mapping.name, sizeof(mapping.name), "%s", name);
	(void)snprintf(mapping.device, sizeof(mapping.device), "/dev/mapper/%s", name);
	TRY(sys_line(sys, entry, "dm/uuid", line, sizeof(line), err));
	mapping_uuid_parse(line, mapping.uuid);
	TRY(sys_line(sys, entry, "ro", line, sizeof(line), err));
	mapping.read_only = strcmp(line, "1") == 0;
	TRY(source_read(sys, entry, mapping.source, sizeof(mapping.source), err));

	*ret_mapping = mapping;
	return COF_OK;
}

cof_result mapping_find_below(const char *sys, const char *name, struct luks_mapping *ret_mapping,
			      bool *ret_found, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_dir_ DIR *folder = NULL;
	const struct dirent *entry;
	char line[256];

	TRY(path_format(&path, err, "%s/class/block", sys));
	folder = opendir(path);
	if (!folder && errno != ENOENT)
		return cof_raise_errno(err, errno, path, "cannot be listed");
	while (folder && (entry = readdir(folder)) != NULL) {
		if (strncmp(entry->d_name, "dm-", 3) != 0)
			continue;
		TRY(sys_line(sys, entry->d_name, "dm/name", line, sizeof(line), err));
		if (strcmp(line, name) != 0)
			continue;
		TRY(mapping_read(sys, entry->d_name, name, ret_mapping, err));
		*ret_found = true;
		return COF_OK;
	}

	*ret_found = false;
	return COF_OK;
}

cof_result luks_mapping_find(const char *name, struct luks_mapping *ret_mapping, bool *ret_found,
			     struct cof_error *err)
{
	TRY(mapping_find_below("/sys", name, ret_mapping, ret_found, err));
	return COF_OK;
}
