/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fstab: an edit changes the fields it is about and no other byte, the same edit twice is one, and
 * what reads /proc/swaps, resume= and both texts' difference takes any bytes.
 */

#include "fstab.h"
#include "fuzz.h"
#include "swap.h"
#include "text_diff.h"

#define SPEC "/dev/mapper/swap"

/* How many swap entries say one of two words, and whether any says the second. */
static size_t count_swaps(struct span text, const char *first, const char *second, bool *ret_second)
{
	struct fstab_entry entry;
	char decoded[512];
	size_t count = 0;
	size_t line = 0;
	size_t at = 0;

	*ret_second = false;
	while (fstab_next(text, &at, &line, &entry)) {
		bool is_first = fstab_decode(entry.spec, decoded, sizeof(decoded)) &&
				strcmp(decoded, first) == 0;
		bool is_second = fstab_is(entry.spec, second);

		FUZZ_CHECK(entry.spec.len > 0 && entry.type.len > 0);
		if (!fstab_is(entry.type, "swap"))
			continue;
		count += is_first || is_second;
		*ret_second |= is_second;
	}
	return count;
}

/* Reads whatever else reads text here. */
static void read_all(struct span input)
{
	_cleanup_free_ struct swap_area *areas = NULL;
	_cleanup_buffer_ struct buffer none = { 0 };
	char value[64];
	size_t count;
	size_t at = 0;

	FUZZ_CHECK(!cof_failed(swap_table_parse(input, &areas, &count, NULL)));
	FUZZ_CHECK(!cof_failed(swap_resume_none(input, &none, NULL)));
	while (swap_resume_next(buffer_span(&none), "RESUME=", &at, value, sizeof(value)))
		FUZZ_CHECK(strcmp(value, "none") == 0);
}

void fuzz_one(struct span input)
{
	_cleanup_buffer_ struct buffer once = { 0 };
	_cleanup_buffer_ struct buffer twice = { 0 };
	_cleanup_buffer_ struct buffer diff = { 0 };
	char spec[] = "UUID=1";
	char *specs[] = { spec, NULL };
	bool has_nul = input.len > 0 && memchr(input.data, '\0', input.len);
	size_t before;
	size_t after;
	bool there;

	read_all(input);
	FUZZ_CHECK(cof_failed(fstab_swap_set(input, specs, SPEC, "sw", &once, NULL)) == has_nul);
	if (has_nul)
		return;
	before = count_swaps(input, spec, SPEC, &there);
	after = count_swaps(buffer_span(&once), spec, SPEC, &there);
	FUZZ_CHECK(there && after == (before ? before : 1));
	FUZZ_CHECK(
		!cof_failed(fstab_swap_set(buffer_span(&once), specs, SPEC, "sw", &twice, NULL)));
	FUZZ_CHECK(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);
	FUZZ_CHECK(!cof_failed(text_diff("f", input, buffer_span(&once), &diff, NULL)));
}
