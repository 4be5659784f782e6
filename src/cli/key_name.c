/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How people name a record, pure.
 */

#include <stdio.h>
#include <string.h>

#include "key_name.h"

#define KIND_DEFAULT "disk"

cof_result key_name_parse(const char *text, struct key_name *ret_name, struct cof_error *err)
{
	const char *slash = strchr(text, '/');
	size_t kind_len = slash ? (size_t)(slash - text) : strlen(KIND_DEFAULT);
	const char *name = slash ? slash + 1 : text;

	ENSURE(kind_len > 0 && kind_len < sizeof(ret_name->kind), err, COF_E_USAGE, "KEY",
	       "the kind before the slash has %zu characters, must have 1 to %zu", kind_len,
	       sizeof(ret_name->kind) - 1);
	ENSURE(name[0] && strlen(name) < sizeof(ret_name->name), err, COF_E_USAGE, "KEY",
	       "the name has %zu characters, must have 1 to %d", strlen(name),
	       VAULT_NAME_MAX_BYTES);
	ENSURE(!strchr(name, '/'), err, COF_E_USAGE, "KEY", "has more than one slash");
	memset(ret_name, 0, sizeof(*ret_name));
	memcpy(ret_name->kind, slash ? text : KIND_DEFAULT, kind_len);
	(void)snprintf(ret_name->name, sizeof(ret_name->name), "%s", name);
	return COF_OK;
}

cof_result key_missing(const char *kind, const char *name, struct cof_error *err)
{
	cof_result failure =
		cof_raise(err, COF_E_NOENT, name, "the vault has no %s of that name", kind);

	cof_error_try(err, "coffer key list");
	return failure;
}
