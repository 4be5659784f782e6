/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "sysblock.h"

void link_table_done(struct link_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->items[i].path);
	free(table->items);
	*table = (struct link_table){ 0 };
}

/* Adds @path, if it leads to a block device: udev may leave links behind that lead nowhere. */
static cof_result add_link(struct link_table *table, char **path, struct cof_error *err)
{
	struct stat st;
	void *grown;

	if (stat(*path, &st) != 0 || !S_ISBLK(st.st_mode))
		return COF_OK;
	grown = reallocarray(table->items, table->count + 1, sizeof(table->items[0]));
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu device links", table->count + 1);
	table->items = grown;
	table->items[table->count].number = st.st_rdev;
	table->items[table->count].path = TAKE(*path);
	table->count++;
	return COF_OK;
}

/* Adds the links of one folder, such as /dev/disk/by-id. */
static cof_result add_folder(struct link_table *table, const char *folder, struct cof_error *err)
{
	_cleanup_dir_ DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		TRY(path_format(&path, err, "%s/%s", folder, entry->d_name));
		TRY(add_link(table, &path, err));
	}
	return COF_OK;
}

/* By path, so that a device's links come in the same order every time. */
static int compare_links(const void *a, const void *b)
{
	const __typeof__(((struct link_table *)NULL)->items[0]) *left = a;
	const __typeof__(((struct link_table *)NULL)->items[0]) *right = b;

	return strcmp(left->path, right->path);
}

cof_result link_table_load(const struct block_roots *roots, struct link_table *ret_table,
			   struct cof_error *err)
{
	_cleanup_(link_table_done) struct link_table table = { 0 };
	_cleanup_free_ char *top = NULL;
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;

	TRY(path_format(&top, err, "%s/disk", roots->dev));
	dir = opendir(top);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *folder = NULL;

		if (strncmp(entry->d_name, "by-", 3) != 0)
			continue;
		TRY(path_format(&folder, err, "%s/%s", top, entry->d_name));
		TRY(add_folder(&table, folder, err));
	}
	if (table.count)
		qsort(table.items, table.count, sizeof(table.items[0]), compare_links);
	*ret_table = table;
	table = (struct link_table){ 0 };
	return COF_OK;
}
