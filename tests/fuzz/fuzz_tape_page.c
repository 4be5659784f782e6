/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages of a drive: the first byte chooses the decoder. */

#include "fuzz.h"
#include "page.h"

/* KADs stay within what is kept of them. */
static void check_kads(const struct kads *kads)
{
	FUZZ_CHECK(kads->count <= KADS_MAX);
	for (size_t i = 0; i < kads->count; i++)
		FUZZ_CHECK(kads->items[i].len <= KAD_KEPT_BYTES);
}

/* A part that was given out lies within the input. */
static void check_part(struct span part, struct span whole)
{
	FUZZ_CHECK(part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

/* Those that say what a drive can do. */
static void try_capabilities(uint8_t which, struct span page)
{
	struct tape_capabilities capabilities;
	struct tape_management management;
	struct key_formats formats;
	struct page_list list;

	if (which == 0 && !cof_failed(page_list_decode(page, PAGE_IN_SUPPORT, &list, NULL)))
		FUZZ_CHECK(list.count <= PAGE_LIST_MAX && 2 * list.count + 4 <= page.len);
	if (which == 1 && !cof_failed(page_capabilities_decode(page, &capabilities, NULL))) {
		FUZZ_CHECK(capabilities.count <= ALGORITHMS_MAX);
		(void)tape_algorithm_choose(&capabilities);
	}
	if (which == 2)
		cof_ignore(page_management_decode(page, &management, NULL));
	if (which == 3 && !cof_failed(page_key_formats_decode(page, &formats, NULL)))
		FUZZ_CHECK(formats.count <= KEY_FORMATS_MAX);
}

void fuzz_one(struct span input)
{
	struct tape_encryption status;
	struct wrapping_key key;
	struct tape_next next;
	struct span random;
	struct span page;

	if (input.len == 0)
		return;
	page = SPAN(input.data + 1, input.len - 1);
	try_capabilities(input.data[0], page);
	if (input.data[0] == 4 && !cof_failed(page_status_decode(page, &status, NULL)))
		check_kads(&status.kads);
	if (input.data[0] == 5 && !cof_failed(page_next_decode(page, &next, NULL)))
		check_kads(&next.kads);
	if (input.data[0] == 6 && !cof_failed(page_random_decode(page, &random, NULL)))
		check_part(random, page);
	if (input.data[0] == 7 && !cof_failed(page_wrapping_key_decode(page, &key, NULL)))
		check_part(key.key, page);
}
