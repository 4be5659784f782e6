/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_TABLE_H
#define COF_BASE_TABLE_H

/*
 * Tables on a terminal, through libsmartcols, which nothing else includes.
 */

#include <stdio.h>

#include "cleanup.h"
#include "result.h"

struct table;

/**
 * table_new() - an empty table
 * @columns: names of the columns, NULL-terminated; a leading '>' aligns the column to the right
 * Fails: COF_E_NOMEM
 */
cof_result table_new(const char *const columns[], struct table **ret_table,
		     struct cof_error *err);
void table_free(struct table *table);
DEFINE_FREEP(struct table, table_freep, table_free)

/** table_add() - one row; NULL cells show as "-"; fewer cells than columns is a programming
 * error */
cof_result table_add(struct table *table, const char *const cells[], struct cof_error *err);
/**
 * table_add_below() - the same as a branch of the tree under the row that was added last at
 * depth - 1; rows of depth 0 are roots
 */
cof_result table_add_below(struct table *table, unsigned int depth, const char *const cells[],
			   struct cof_error *err);
/**
 * table_print() - as wide as needed; on a screen that is narrower (screen_columns()) without the
 * columns that are empty, and where that is too wide still, each row as pairs "NAME text"
 */
cof_result table_print(struct table *table, FILE *file, struct cof_error *err);

#endif
