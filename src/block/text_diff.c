/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text_diff.h"

#include <string.h>

#define CELLS_MAX (16u << 20) /* of the table of common lines: 4000 changed lines on both sides */

/* struct lines - a text cut at its line ends; spans without them */
struct lines {
	struct span *items;
	size_t count;
};

static void lines_done(struct lines *lines)
{
	free(lines->items);
}

static cof_result cut(struct span text, struct lines *lines, struct cof_error *err)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == '\n';
	lines->items = calloc(count, sizeof(*lines->items));
	ENSURE(lines->items, err, COF_E_NOMEM, NULL, "no memory for %zu lines", count);
	for (size_t at = 0; at < text.len;) {
		const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.data) - at : text.len - at;

		lines->items[lines->count++] = SPAN(text.data + at, len);
		at += len + 1;
	}
	return COF_OK;
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* struct diff - both texts, and how far they are the same at either end */
struct diff {
	struct lines before;
	struct lines after;
	size_t head;
	size_t rows; /* lines between head and tail */
	size_t columns;
	uint32_t *common; /* (rows + 1) x (columns + 1): lines in common from there on; or NULL */
	struct buffer *out;
};

static void diff_done(struct diff *diff)
{
	lines_done(&diff->before);
	lines_done(&diff->after);
	free(diff->common);
}

static uint32_t *cell(const struct diff *diff, size_t row, size_t column)
{
	return &diff->common[row * (diff->columns + 1) + column];
}

static bool is_same(const struct diff *diff, size_t row, size_t column)
{
	return same(diff->before.items[diff->head + row], diff->after.items[diff->head + column]);
}

/* Fills the table of the longest common subsequence, from its end. */
static cof_result compare(struct diff *diff, struct cof_error *err)
{
	if (diff->rows > CELLS_MAX || diff->columns > CELLS_MAX ||
	    (diff->rows + 1) * (diff->columns + 1) > CELLS_MAX)
		return COF_OK;
	diff->common = calloc((diff->rows + 1) * (diff->columns + 1), sizeof(*diff->common));
	ENSURE(diff->common, err, COF_E_NOMEM, NULL, "no memory to compare %zu lines", diff->rows);
	for (size_t row = diff->rows; row-- > 0;) {
		for (size_t column = diff->columns; column-- > 0;) {
			uint32_t down = *cell(diff, row + 1, column);
			uint32_t right = *cell(diff, row, column + 1);

			if (is_same(diff, row, column))
				*cell(diff, row, column) = *cell(diff, row + 1, column + 1) + 1;
			else
				*cell(diff, row, column) = down > right ? down : right;
		}
	}
	return COF_OK;
}

/* One line of the answer. */
static cof_result put(const struct diff *diff, char mark, struct span line, struct cof_error *err)
{
	TRY(buffer_add(diff->out, &mark, 1, err));
	TRY(buffer_add(diff->out, line.data, line.len, err));
	return buffer_add(diff->out, "\n", 1, err);
}

/* The lines between head and tail. */
static cof_result walk(const struct diff *diff, struct cof_error *err)
{
	const struct span *before = diff->before.items + diff->head;
	const struct span *after = diff->after.items + diff->head;
	size_t row = 0;
	size_t column = 0;

	while (row < diff->rows || column < diff->columns) {
		bool both = row < diff->rows && column < diff->columns && diff->common;

		if (both && is_same(diff, row, column)) {
			TRY(put(diff, ' ', before[row++], err));
			column++;
		} else if (row < diff->rows && (!both || *cell(diff, row + 1, column) >=
								 *cell(diff, row, column + 1))) {
			TRY(put(diff, '-', before[row++], err));
		} else {
			TRY(put(diff, '+', after[column++], err));
		}
	}
	return COF_OK;
}

cof_result text_diff(const char *path, struct span before, struct span after,
		     struct buffer *ret_diff, struct cof_error *err)
{
	_cleanup_(diff_done) struct diff diff = { .out = ret_diff };
	size_t tail = 0;

	if (same(before, after))
		return COF_OK;
	TRY(cut(before, &diff.before, err));
	TRY(cut(after, &diff.after, err));
	diff.rows = diff.before.count;
	diff.columns = diff.after.count;
	while (diff.rows > 0 && diff.columns > 0 &&
	       same(diff.before.items[diff.head], diff.after.items[diff.head])) {
		diff.head++;
		diff.rows--;
		diff.columns--;
	}
	while (diff.rows > 0 && diff.columns > 0 &&
	       is_same(&diff, diff.rows - 1, diff.columns - 1)) {
		tail++;
		diff.rows--;
		diff.columns--;
	}
	TRY(compare(&diff, err));
	TRY(buffer_add_text(ret_diff, err, "--- %s\n", path));
	if (diff.head > 0)
		TRY(put(&diff, ' ', diff.before.items[diff.head - 1], err));
	TRY(walk(&diff, err));
	if (tail > 0)
		TRY(put(&diff, ' ', diff.before.items[diff.head + diff.rows], err));
	return COF_OK;
}
