/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_SECRET_CALL_H
#define COF_CLI_SECRET_CALL_H

/*
 * What the verbs on secrets of services share.
 */

#include "secret_store.h"
#include "unlocking.h"

#define SECRET_KEY_OPTION                                                                          \
	{                                                                                          \
		"key", CLI_TEXT, "KEY", "name of the key in the object"                            \
	}

/** secret_key_option() - the value of --key. Fails: COF_E_USAGE (it was not given) */
cof_result secret_key_option(const struct cli_call *call, const char **ret_key,
			     struct cof_error *err);

#endif
