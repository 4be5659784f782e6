/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_NAME_LIST_H
#define COF_BASE_NAME_LIST_H

/*
 * NULL-terminated lists of owned texts, as struct device has them.
 */

#include "cleanup.h"
#include "result.h"

/** name_list_new() - an empty list; caller owns, name_list_free(). Fails: COF_E_NOMEM */
cof_result name_list_new(char ***ret_list, struct cof_error *err);
/** name_list_free() - NULL does nothing */
void name_list_free(char **list);
DEFINE_FREEP(char *, name_list_freep, name_list_free)

/** name_list_add() - append a copy of @name; @list moves. Fails: COF_E_NOMEM */
cof_result name_list_add(char ***list, const char *name, struct cof_error *err);
size_t name_list_count(char *const list[]);
bool name_list_has(char *const list[], const char *name);
/** name_list_sort() - in natural order: sdb2 before sdb10 */
void name_list_sort(char **list);

/** name_list_of_folder() - the names in a folder, sorted, without those that begin with a dot; not
 * there is an empty list, and *ret_found false. Fails: COF_E_NOMEM */
cof_result name_list_of_folder(const char *path, char ***ret_names, bool *ret_found,
			       struct cof_error *err);

/** text_copy() - strdup() of @text, with NULL taken for "". Fails: COF_E_NOMEM */
cof_result text_copy(const char *text, char **ret_copy, struct cof_error *err);

#endif
