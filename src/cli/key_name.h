/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_KEY_NAME_H
#define COF_CLI_KEY_NAME_H

/*
 * How people name a record: KIND/NAME, or just the name of a disk.
 */

#include "result.h"
#include "vault.h"

/** struct key_name - a record's kind and name */
struct key_name {
	char kind[32];
	char name[VAULT_NAME_MAX_BYTES + 1];
};

/** key_name_parse() - pure. Fails: COF_E_USAGE (too long, or empty before or after the slash) */
cof_result key_name_parse(const char *text, struct key_name *ret_name, struct cof_error *err);

/** key_missing() - the failure for a record that is not there: COF_E_NOENT */
cof_result key_missing(const char *kind, const char *name, struct cof_error *err);

#endif
