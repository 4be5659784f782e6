/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot.list: whatever is read can be made into drop-ins that name no line of their own, an edit
 * does what it says and nothing twice, and the same bytes as fstab and crypttab do no harm.
 */

#include "boot_unit.h"
#include "fuzz.h"
#include "boot_tables.h"
#include "name_list.h"

static void pass_over(const struct cof_error *mistake, void *context)
{
	(void)context;
	FUZZ_CHECK(mistake->text[0]);
}

/* A drop-in has as many lines as it has settings: no name breaks out of its line. */
static void check_drop_in(const struct boot_wait *wait, const struct boot_tables *tables)
{
	_cleanup_(name_list_freep) char **mounts = NULL;
	_cleanup_buffer_ struct buffer text = { 0 };
	size_t lines = 0;

	FUZZ_CHECK(!cof_failed(boot_wait_mounts(wait, tables, &mounts, NULL)));
	FUZZ_CHECK(!cof_failed(boot_drop_in(wait->unit, wait->unit, mounts, &text, NULL)));
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	FUZZ_CHECK(lines == 4 + (boot_unit_is_service(wait->unit) ? 0 : 5) +
				    (mounts[0] ? name_list_count(mounts) : 1));
}

/* A unit is there after it was added, once, and gone after it was removed. */
static void check_edit(struct span input)
{
	static const char *const mounts[] = { "/a b", "/c\\d#e", NULL };
	_cleanup_(boot_list_done) struct boot_list list = { 0 };
	_cleanup_(boot_list_done) struct boot_list after = { 0 };
	_cleanup_buffer_ struct buffer once = { 0 };
	_cleanup_buffer_ struct buffer twice = { 0 };
	_cleanup_buffer_ struct buffer gone = { 0 };
	const struct boot_wait *wait;

	FUZZ_CHECK(!cof_failed(boot_list_set(input, "x.service", mounts, &once, NULL)));
	FUZZ_CHECK(
		!cof_failed(boot_list_set(buffer_span(&once), "x.service", mounts, &twice, NULL)));
	FUZZ_CHECK(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	FUZZ_CHECK(!cof_failed(
		boot_list_parse(buffer_span(&once), "f", pass_over, NULL, &list, NULL)));
	wait = boot_list_find(&list, "x.service");
	FUZZ_CHECK(wait && strcmp(wait->mounts[0], mounts[0]) == 0 &&
		   strcmp(wait->mounts[1], mounts[1]) == 0);
	FUZZ_CHECK(!cof_failed(boot_list_set(buffer_span(&once), "x.service", NULL, &gone, NULL)));
	FUZZ_CHECK(!cof_failed(
		boot_list_parse(buffer_span(&gone), "f", pass_over, NULL, &after, NULL)));
	FUZZ_CHECK(!boot_list_find(&after, "x.service"));
}

void fuzz_one(struct span input)
{
	_cleanup_(boot_list_done) struct boot_list list = { 0 };
	_cleanup_(boot_tables_done) struct boot_tables tables = { 0 };
	_cleanup_(name_list_freep) char **mounts = NULL;

	cof_ignore(boot_tables_read(input, input, NULL, &tables, NULL));
	FUZZ_CHECK(!cof_failed(boot_list_parse(input, "f", pass_over, NULL, &list, NULL)));
	for (size_t i = 0; i < list.count; i++)
		check_drop_in(&list.waits[i], &tables);
	FUZZ_CHECK(!cof_failed(boot_all_mounts(&list, &tables, &mounts, NULL)));
	for (size_t i = 1; i < tables.mount_count; i++)
		FUZZ_CHECK(!boot_is_below(tables.mounts[i - 1].path, tables.mounts[i].path));
	check_edit(input);
}
