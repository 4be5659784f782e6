/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables through libsmartcols.
 */

#include <libsmartcols.h>
#include <string.h>

#include "screen.h"
#include "table.h"

#define TABLE_DEPTH_MAX	     8
#define TABLE_BRANCH_COLUMNS 2 /* what libsmartcols draws before a branch of the tree */

struct table {
	struct libscols_table *inner;
	size_t columns;
	struct libscols_line *last[TABLE_DEPTH_MAX]; /* the newest row of each depth */
	unsigned int depth;			     /* of the deepest row */
};

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->inner);
	free(table);
}

cof_result table_new(const char *const columns[], struct table **ret_table, struct cof_error *err)
{
	_cleanup_(table_freep) struct table *table = calloc(1, sizeof(*table));

	ENSURE(table, err, COF_E_NOMEM, NULL, "no memory for a table");
	table->inner = scols_new_table();
	ENSURE(table->inner, err, COF_E_NOMEM, NULL, "no memory for a table");
	for (; columns[table->columns]; table->columns++) {
		const char *name = columns[table->columns];
		int flags = name[0] == '>' ? SCOLS_FL_RIGHT : 0;

		if (table->columns == 0)
			flags |= SCOLS_FL_TREE;
		ENSURE(scols_table_new_column(table->inner, name + (name[0] == '>'), 0, flags), err,
		       COF_E_NOMEM, NULL, "no memory for a table");
	}
	*ret_table = TAKE(table);
	return COF_OK;
}

cof_result table_add_below(struct table *table, unsigned int depth, const char *const cells[],
			   struct cof_error *err)
{
	struct libscols_line *parent = NULL;
	struct libscols_line *line;

	if (depth > 0 && depth < TABLE_DEPTH_MAX)
		parent = table->last[depth - 1];
	line = scols_table_new_line(table->inner, parent);
	ENSURE(line, err, COF_E_NOMEM, NULL, "no memory for a table");
	for (size_t i = 0; i < table->columns; i++) {
		const char *cell = cells[i] && cells[i][0] ? cells[i] : "-";

		ENSURE(scols_line_set_data(line, i, cell) == 0, err, COF_E_NOMEM, NULL,
		       "no memory for a table");
	}
	if (depth < TABLE_DEPTH_MAX)
		table->last[depth] = line;
	if (depth > table->depth)
		table->depth = depth;
	return COF_OK;
}

cof_result table_add(struct table *table, const char *const cells[], struct cof_error *err)
{
	return table_add_below(table, 0, cells, err);
}

/* A column's name. */
static const char *name_of(struct table *table, size_t column)
{
	return scols_cell_get_data(
		scols_column_get_header(scols_table_get_column(table->inner, column)));
}

/* A row's text in a column, "-" where it has none. */
static const char *text_of(struct libscols_line *line, size_t column)
{
	return scols_cell_get_data(scols_line_get_cell(line, column));
}

/* How wide a column is, with the blank after it; 0 for one that has nothing in any row. */
static size_t column_width(struct table *table, size_t column)
{
	size_t widest = screen_width(name_of(table, column));
	bool empty = true;
	size_t rows = scols_table_get_nlines(table->inner);

	for (size_t i = 0; i < rows; i++) {
		const char *text = text_of(scols_table_get_line(table->inner, i), column);
		size_t width = screen_width(text);

		empty = empty && strcmp(text, "-") == 0;
		widest = width > widest ? width : widest;
	}
	return empty ? 0 : widest + 1;
}

/* Hides the columns that have nothing in any row; returns how wide the others are. */
static size_t hide_empty(struct table *table)
{
	size_t total = (size_t)table->depth * TABLE_BRANCH_COLUMNS;

	for (size_t i = 0; i < table->columns; i++) {
		struct libscols_column *column = scols_table_get_column(table->inner, i);
		size_t width = column_width(table, i);

		if (width == 0)
			(void)scols_column_set_flags(column, scols_column_get_flags(column) |
								     SCOLS_FL_HIDDEN);
		total += width;
	}
	return total;
}

/* One row as pairs of name and text, as many on a line as fit. */
static void print_pairs(struct table *table, struct libscols_line *line, size_t columns, FILE *file)
{
	size_t used = 0;

	for (size_t i = 0; i < table->columns; i++) {
		const char *name = name_of(table, i);
		const char *text = text_of(line, i);
		size_t width = screen_width(name) + 1 + screen_width(text);

		if (strcmp(text, "-") == 0)
			continue;
		if (used > 0 && used + 2 + width > columns) {
			(void)fprintf(file, "\n    ");
			used = 4;
		} else if (used > 0) {
			(void)fprintf(file, "  ");
			used += 2;
		}
		(void)fprintf(file, "%s %s", name, text);
		used += width;
	}
	(void)fputc('\n', file);
}

cof_result table_print(struct table *table, FILE *file, struct cof_error *err)
{
	size_t columns = screen_columns(fileno(file), SCREEN_ANY_COLUMNS);
	size_t rows = scols_table_get_nlines(table->inner);
	size_t width = (size_t)table->depth * TABLE_BRANCH_COLUMNS;

	for (size_t i = 0; i < table->columns; i++) {
		size_t filled = column_width(table, i);

		width += filled ? filled : screen_width(name_of(table, i)) + 1;
	}
	/* The last blank is not printed. */
	if (width - 1 > columns && hide_empty(table) - 1 > columns) {
		for (size_t i = 0; i < rows; i++)
			print_pairs(table, scols_table_get_line(table->inner, i), columns, file);
		return COF_OK;
	}
	ENSURE(scols_table_set_stream(table->inner, file) == 0 &&
		       scols_print_table(table->inner) == 0,
	       err, COF_E_IO, NULL, "a table cannot be printed");
	return COF_OK;
}
