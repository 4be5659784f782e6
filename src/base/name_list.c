/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "name_list.h"
#include "number.h"

cof_result name_list_new(char ***ret_list, struct cof_error *err)
{
	char **list = calloc(1, sizeof(*list));

	ENSURE(list, err, COF_E_NOMEM, NULL, "no memory for a list of names");
	*ret_list = list;
	return COF_OK;
}

void name_list_free(char **list)
{
	for (char **name = list; name && *name; name++)
		free(*name);
	free(list);
}

size_t name_list_count(char *const list[])
{
	size_t count = 0;

	while (list[count])
		count++;
	return count;
}

cof_result text_copy(const char *text, char **ret_copy, struct cof_error *err)
{
	char *copy = strdup(text ? text : "");

	ENSURE(copy, err, COF_E_NOMEM, NULL, "no memory for a text");
	*ret_copy = copy;
	return COF_OK;
}

cof_result name_list_add(char ***list, const char *name, struct cof_error *err)
{
	size_t count = name_list_count(*list);
	char **grown = realloc(*list, (count + 2) * sizeof(*grown));

	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu names", count + 1);
	*list = grown;
	TRY(text_copy(name, &grown[count], err));
	grown[count + 1] = NULL;
	return COF_OK;
}

bool name_list_has(char *const list[], const char *name)
{
	for (size_t i = 0; list[i]; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

/* natural_compare() as qsort() wants it. */
static int compare_names(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return natural_compare(*left, *right);
}

void name_list_sort(char **list)
{
	qsort(list, name_list_count(list), sizeof(*list), compare_names);
}

cof_result name_list_of_folder(const char *path, char ***ret_names, bool *ret_found,
			       struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_dir_ DIR *dir = opendir(path);
	const struct dirent *entry;

	TRY(name_list_new(&names, err));
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			TRY(name_list_add(&names, entry->d_name, err));
	name_list_sort(names);
	*ret_names = TAKE(names);
	*ret_found = dir != NULL;
	return COF_OK;
}
