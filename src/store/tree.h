/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_TREE_H
#define COF_STORE_TREE_H

/*
 * Listings of trees: what put, get and verify share.
 */

#include "entry_code.h"
#include "fetch.h"

/** tree_visit - one entry; it may be changed, and what it holds be taken */
typedef cof_result (*tree_visit)(struct entry *entry, void *context, struct cof_error *err);

/** tree_each() - every entry of a listing, in order; folders begin and end in pairs.
 * Fails: COF_E_FORMAT, COF_E_AUTH, as @visit */
cof_result tree_each(struct fetch *fetch, const struct recipe_root *listing, tree_visit visit,
		     void *context, struct cof_error *err);

#endif
