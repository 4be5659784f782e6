/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <string.h>

#include "near.h"

#define WORD_MAX_LETTERS 31

/* The smaller of two. */
static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t near_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX_LETTERS + 1];
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);

	if (a_len > WORD_MAX_LETTERS || b_len > WORD_MAX_LETTERS)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i - 1) % 3];
		const size_t *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = least(changed, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

bool near_is_nearer(const char *typed, const char *candidate, size_t *best)
{
	size_t len = strlen(typed);
	size_t distance = near_distance(typed, candidate);
	/* A beginning is as good as one wrong letter. */
	bool beginning = len >= 2 && strncmp(typed, candidate, len) == 0;

	if (beginning && distance > 1)
		distance = 1;
	if (distance >= *best || distance > 1 + len / 4)
		return false;
	*best = distance;
	return true;
}
