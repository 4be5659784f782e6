/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_KEY_ROW_H
#define COF_CLI_KEY_ROW_H

/*
 * What the verbs about keys show of a record, without its secret.
 */

#include "json.h"
#include "record.h"

/** struct key_row - texts for a table */
struct key_row {
	char generation[24];
	char size[24]; /* of the secret, or of the data where there is none, in bytes */
	char created[32];
};

/** key_row_fill() - the texts, and the same as a JSON object, which the caller owns */
struct json *key_row_fill(const struct record *record, struct key_row *ret_row);

#endif
