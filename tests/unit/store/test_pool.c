/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_rig.h"

#include <sched.h>

#include "pool.h"

struct task {
	unsigned int number;
	unsigned int square;
};

/* Those that came first take longest. */
static cof_result square(void *job, size_t worker, void *context, struct cof_error *err)
{
	struct task *task = job;

	for (unsigned int i = 0; i < 200 - task->number; i++)
		(void)sched_yield();
	ENSURE(task->number != *(const unsigned int *)context, err, COF_E_IO, "task", "number %u",
	       task->number);
	task->square = task->number * task->number;
	return COF_OK;
}

static void run_all(size_t threads, size_t depth, unsigned int bad)
{
	_cleanup_(pool_freep) struct pool *pool = NULL;
	struct task tasks[100];
	unsigned int taken = 0;

	assert_ok(pool_new(threads, depth, (struct pool_work){ square, &bad }, &pool, NULL));
	for (unsigned int i = 0; i < 100 || !pool_is_empty(pool);) {
		if (i < 100 && !pool_is_full(pool)) {
			tasks[i].number = i;
			pool_submit(pool, &tasks[i++]);
			continue;
		}
		struct cof_error err = { 0 };
		void *job = NULL;
		cof_result result = pool_take(pool, &job, &err);

		assert_ptr_equal(job, &tasks[taken]);
		assert_int_equal(result.code, taken == bad ? COF_E_IO : COF_E_NONE);
		assert_int_equal(err.code, result.code);
		assert_true(taken == bad || tasks[taken].square == taken * taken);
		taken++;
	}
	assert_int_equal(taken, 100);
}

static void test_pool_gives_jobs_back_in_order(void **state)
{
	run_all(1, 1, 1000);
	run_all(4, 3, 1000);
	run_all(3, 8, 1000);
}

static void test_pool_hands_a_failure_to_who_takes_that_job(void **state)
{
	run_all(3, 8, 50);
}

static void test_pool_ends_with_jobs_at_hand(void **state)
{
	_cleanup_(pool_freep) struct pool *pool = NULL;
	static unsigned int none = 1000;
	static struct task tasks[4];

	assert_ok(pool_new(2, 4, (struct pool_work){ square, &none }, &pool, NULL));
	for (unsigned int i = 0; i < 4; i++)
		pool_submit(pool, &tasks[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_gives_jobs_back_in_order),
		cmocka_unit_test(test_pool_hands_a_failure_to_who_takes_that_job),
		cmocka_unit_test(test_pool_ends_with_jobs_at_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
