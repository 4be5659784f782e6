/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "key_row.h"
#include "number.h"

struct json *key_row_fill(const struct record *record, struct key_row *ret_row)
{
	struct json *item = json_new_object();
	size_t bytes = record->secret ? record->secret->len : record->blob.len;

	(void)snprintf(ret_row->generation, sizeof(ret_row->generation), "%llu",
		       (unsigned long long)record->generation);
	(void)snprintf(ret_row->size, sizeof(ret_row->size), "%zu", bytes);
	(void)time_format(record->created, ret_row->created);
	json_set_text(item, "kind", record->kind);
	json_set_text(item, "name", record->name);
	json_set_uint(item, "generation", record->generation);
	json_set_uint(item, "bytes", bytes);
	json_set_bool(item, "secret", record->secret != NULL);
	json_set_text(item, "created", ret_row->created);
	return item;
}
