/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "status_words.h"

enum status_word status_merge(enum status_word a, enum status_word b)
{
	if (a == STATUS_NA)
		return b;
	if (b == STATUS_NA || a == b)
		return a;
	return STATUS_WARN;
}

struct status_sum status_add_up(const struct status_row rows[], size_t count)
{
	struct status_sum sum = { STATUS_NA, STATUS_NA, STATUS_NA, PROVISIONED_NO };
	bool noted = false;
	bool any_made = false;
	bool any_unmade = false;

	for (size_t i = 0; i < count; i++) {
		enum status_word *part = rows[i].optional ? &sum.optional : &sum.avail;

		if (rows[i].disabled)
			continue;
		/* What is on standby is up where the service is down, and that is as it should
		 * be. */
		if (!(rows[i].standby && rows[i].word == STATUS_UP))
			*part = status_merge(*part, rows[i].word);
		noted |= rows[i].noted;
		any_made |= rows[i].provisioned;
		any_unmade |= !rows[i].provisioned;
	}
	sum.overall = sum.optional == STATUS_DOWN && sum.avail == STATUS_UP
			      ? STATUS_WARN
			      : status_merge(sum.avail, sum.optional);
	if (noted)
		sum.overall = STATUS_WARN;
	if (any_made)
		sum.provisioned = any_unmade ? PROVISIONED_MIXED : PROVISIONED_YES;
	return sum;
}

const char *status_text(enum status_word word, bool standby)
{
	static const char *const words[] = { "n/a", "up", "down", "warn", "undef" };

	if (standby && word == STATUS_UP)
		return "stdby up";
	if (standby && word == STATUS_DOWN)
		return "stdby down";
	return words[word];
}

char *status_flags(const struct status_row *row, char out[static STATUS_FLAGS + 1])
{
	memcpy(out, "........", STATUS_FLAGS + 1);
	if (row->running)
		out[0] = 'R';
	if (row->monitored)
		out[1] = 'M';
	if (row->disabled)
		out[2] = 'D';
	if (row->optional)
		out[3] = 'O';
	if (!row->provisioned)
		out[5] = 'P';
	if (row->standby)
		out[6] = 'S';
	return out;
}
