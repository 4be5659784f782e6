/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_VERDICT_RIG_H
#define COF_TESTS_VERDICT_RIG_H

/*
 * What the tests of verdicts share: a loop device, and assertions on the verdict on it.
 */

#include "loop_rig.h"

static inline int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	*state = rig;
	return 0;
}

static inline int teardown(void **state)
{
	struct rig *rig = *state;

	rig_done(rig);
	free(rig);
	return 0;
}

/* The device of the test, of the usual size. */
static inline struct rig *fresh(void **state)
{
	struct rig *rig = *state;

	rig_require();
	rig_init(rig, RIG_BYTES, 0);
	return rig;
}

/* The verdict on the device @node. */
static inline struct verdict verdict_on(const char *node)
{
	_cleanup_(device_freep) struct device *device = NULL;
	struct verdict verdict = { 0 };

	assert_ok(device_find(node, &device, NULL));
	assert_ok(device_verdict(device, &verdict, NULL));
	return verdict;
}

/* The state is this and the reason has that in it. */
static inline void check(const struct verdict *verdict, enum verdict_state state, const char *words)
{
	if (verdict->state != state || !strstr(verdict->reason, words))
		fail_msg("state %d \"%s\", expected %d \"%s\"", verdict->state, verdict->reason,
			 state, words);
}

/* The device holds data: this signature, and a reason with these words. */
static inline void check_holds(const struct rig *rig, const char *signature, const char *words)
{
	struct verdict verdict = verdict_on(rig->node);

	check(&verdict, VERDICT_HOLDS_DATA, words);
	assert_string_equal(verdict.signature, signature);
	assert_non_null(strstr(verdict.remedy, "--force"));
	assert_non_null(strstr(verdict.remedy, rig->node));
}

/* Writes a partition table by sfdisk's script. */
static inline void partition(const struct rig *rig, const char *script)
{
	const char *const argv[] = { "sfdisk", "--quiet", "--no-reread", "--wipe",
				     "never",  rig->node, NULL };
	int status = -1;

	assert_ok(child_run(argv, span_of_text(script), 60000, NULL, &status, NULL));
	assert_int_equal(status, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
