/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "name_list.h"
#include "sysblock.h"

/* Whether a device is for `disk list`: neither memory nor hidden nor without a size. */
static bool is_listed(const struct block_roots *roots, const char *kname)
{
	return strncmp(kname, "ram", 3) != 0 && strncmp(kname, "zram", 4) != 0 &&
	       attribute_number(roots, kname, "hidden") == 0 &&
	       attribute_number(roots, kname, "size") != 0;
}

cof_result device_scan_in(const struct block_roots *roots, struct device_list *ret_list,
			  struct cof_error *err)
{
	_cleanup_(device_list_done) struct device_list list = { 0 };
	_cleanup_(link_table_done) struct link_table links = { 0 };
	_cleanup_(name_list_freep) char **names = NULL;

	TRY(sysblock_names(roots, &names, err));
	TRY(link_table_load(roots, &links, err));
	list.items = calloc(name_list_count(names) + 1, sizeof(struct device *));
	ENSURE(list.items, err, COF_E_NOMEM, NULL, "no memory for a list of devices");
	for (char **name = names; *name; name++) {
		cof_result result;

		if (!is_listed(roots, *name))
			continue;
		result = device_read(roots, &links, *name, &list.items[list.count], err);
		if (result.code == COF_E_NOENT) /* unplugged since the names were read */
			continue;
		TRY(result);
		list.count++;
	}
	*ret_list = list;
	list = (struct device_list){ 0 };
	return COF_OK;
}

cof_result device_scan(struct device_list *ret_list, struct cof_error *err)
{
	return device_scan_in(&block_roots_system, ret_list, err);
}
