/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forked.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "secret.h"

/* Whether the kernel lists @flag ("lo", "dd", "wf") for the mapping that holds @address. */
static bool mapping_has_flag(const void *address, const char *flag)
{
	_cleanup_file_ FILE *maps = fopen("/proc/self/smaps", "re");
	unsigned long long start, end;
	bool is_here = false;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			is_here = (uintptr_t)address >= start && (uintptr_t)address < end;
		else if (is_here && strncmp(line, "VmFlags:", 8) == 0)
			return strstr(line, flag) != NULL;
	}
	return false;
}

/* ---- making, copying, freeing ---- */

static void test_secret_new_is_zero_and_as_long_as_asked(void **state)
{
	static const size_t lengths[] = { 1, 15, 16, 17, 4000, 4096, 5000, 1 << 20 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		_cleanup_secret_ struct secret *secret = NULL;

		assert_ok(secret_new(lengths[i], &secret, NULL));
		assert_int_equal(secret->len, lengths[i]);
		for (size_t at = 0; at < secret->len; at++)
			assert_int_equal(secret->data[at], 0);
		memset(secret->data, 0xff, secret->len);
	}
}

static void test_secret_new_aligns_to_16_bytes(void **state)
{
	for (size_t len = 1; len < 100; len++) {
		_cleanup_secret_ struct secret *secret = NULL;

		assert_ok(secret_new(len, &secret, NULL));
		assert_int_equal((uintptr_t)secret->data % 16, 0);
	}
}

static void test_secret_new_refuses_zero_bytes(void **state)
{
	struct secret *secret = NULL;

	assert_fails(secret_new(0, &secret, NULL), COF_E_NOMEM);
	assert_null(secret);
}

static void test_secret_new_refuses_more_than_64_mib(void **state)
{
	struct secret *secret = NULL;

	assert_fails(secret_new(((size_t)64 << 20) + 1, &secret, NULL), COF_E_NOMEM);
	assert_fails(secret_new(SIZE_MAX, &secret, NULL), COF_E_NOMEM);
	assert_null(secret);
}

static void test_secret_free_takes_null(void **state)
{
	secret_free(NULL);
}

static void test_secret_copy_has_the_same_bytes(void **state)
{
	_cleanup_secret_ struct secret *secret = NULL;

	assert_ok(secret_copy(span_of_text("seventeen letters"), &secret, NULL));
	assert_int_equal(secret->len, 17);
	assert_memory_equal(secret->data, "seventeen letters", 17);
}

static void test_secret_copy_refuses_nothing(void **state)
{
	struct secret *secret = NULL;

	assert_fails(secret_copy(SPAN(NULL, 0), &secret, NULL), COF_E_NOMEM);
}

static void test_secret_random_differs_each_time(void **state)
{
	_cleanup_secret_ struct secret *first = NULL;
	_cleanup_secret_ struct secret *second = NULL;

	assert_ok(secret_random(64, &first, NULL));
	assert_ok(secret_random(64, &second, NULL));
	assert_false(ct_equal(secret_span(first), secret_span(second)));
}

static void test_secret_shrink_forgets_the_rest(void **state)
{
	_cleanup_secret_ struct secret *secret = NULL;

	assert_ok(secret_new(64, &secret, NULL));
	memset(secret->data, 'k', 64);
	secret_shrink(secret, 10);
	assert_int_equal(secret->len, 10);
	assert_memory_equal(secret->data, "kkkkkkkkkk", 10);
	for (size_t i = 10; i < 64; i++)
		assert_int_not_equal(secret->data[i], 'k');
}

static void test_secret_shrink_does_not_grow(void **state)
{
	_cleanup_secret_ struct secret *secret = NULL;

	assert_ok(secret_new(8, &secret, NULL));
	secret_shrink(secret, 9);
	assert_int_equal(secret->len, 8);
}

static void test_ct_equal_compares_bytes_and_lengths(void **state)
{
	assert_true(ct_equal(span_of_text("same"), span_of_text("same")));
	assert_true(ct_equal(SPAN(NULL, 0), span_of_text("")));
	assert_false(ct_equal(span_of_text("same"), span_of_text("samf")));
	assert_false(ct_equal(span_of_text("same"), span_of_text("Same")));
	assert_false(ct_equal(span_of_text("same"), span_of_text("same ")));
	assert_false(ct_equal(span_of_text("same"), SPAN(NULL, 0)));
}

static void test_memory_wipe_leaves_zeros_and_neighbours(void **state)
{
	uint8_t bytes[] = { 1, 2, 3, 4, 5 };

	memory_wipe(bytes + 1, 3);
	assert_memory_equal(bytes, "\1\0\0\0\5", 5);
}

/* ---- guards ---- */

static volatile uint8_t *volatile touched; /* keeps compilers from seeing the overrun */
static volatile uint8_t seen;

static int write_past_the_end(void *argument)
{
	struct secret *secret;

	if (cof_failed(secret_new(32, &secret, NULL)))
		return 0;
	touched = secret->data + secret->len;
	*touched = 1;
	return 0;
}

static int read_past_the_end(void *argument)
{
	struct secret *secret;

	if (cof_failed(secret_new(4096, &secret, NULL)))
		return 0;
	touched = secret->data + secret->len;
	seen = *touched;
	return 0;
}

static int write_before_the_memory(void *argument)
{
	struct secret *secret;

	if (cof_failed(secret_new(32, &secret, NULL)))
		return 0;
	touched = (uint8_t *)secret - 1;
	*touched = 1;
	return 0;
}

static int use_after_free(void *argument)
{
	struct secret *secret;

	if (cof_failed(secret_new(32, &secret, NULL)))
		return 0;
	touched = secret->data;
	secret_free(secret);
	*touched = 1;
	return 0;
}

static void test_secret_write_past_the_end_stops_the_process(void **state)
{
	assert_forked_dies(write_past_the_end, NULL);
}

static void test_secret_read_past_the_end_stops_the_process(void **state)
{
	assert_forked_dies(read_past_the_end, NULL);
}

static void test_secret_write_before_the_memory_stops_the_process(void **state)
{
	assert_forked_dies(write_before_the_memory, NULL);
}

static void test_secret_use_after_free_stops_the_process(void **state)
{
	assert_forked_dies(use_after_free, NULL);
}

/* Writes one byte at @argument's offset from the data, then frees. */
static int write_beside_then_free(void *argument)
{
	const ptrdiff_t *offset = argument;
	struct secret *secret;

	if (cof_failed(secret_new(20, &secret, NULL)))
		return 0;
	touched = secret->data + *offset;
	*touched = 1;
	secret_free(secret);
	return 0;
}

static void test_secret_free_after_small_overrun_aborts(void **state)
{
	ptrdiff_t offset = 20;

	assert_int_equal(WTERMSIG(run_forked(write_beside_then_free, &offset)), SIGABRT);
}

static void test_secret_free_after_underrun_aborts(void **state)
{
	ptrdiff_t offset = -1;

	assert_int_equal(WTERMSIG(run_forked(write_beside_then_free, &offset)), SIGABRT);
}

static void test_secret_free_after_use_to_the_last_byte_is_fine(void **state)
{
	ptrdiff_t offset = 19;

	assert_forked_ok(write_beside_then_free, &offset);
}

/* ---- what the kernel is told ---- */

static void test_secret_memory_is_locked(void **state)
{
	_cleanup_secret_ struct secret *secret = NULL;

	if (!LOCKS_ARE_REAL) {
		print_message("skip: a sanitizer turns locks off\n");
		skip();
	}
	assert_ok(secret_new(32, &secret, NULL));
	assert_true(mapping_has_flag(secret->data, " lo"));
}

static void test_secret_memory_stays_out_of_core_files(void **state)
{
	_cleanup_secret_ struct secret *secret = NULL;

	assert_ok(secret_new(32, &secret, NULL));
	assert_true(mapping_has_flag(secret->data, " dd"));
}

/* Whether a secret made before fork() is gone here, and freeing it does no harm. */
static int inherited_secret_is_empty(void *argument)
{
	struct secret *secret = argument;
	bool is_empty = !secret->data && secret->len == 0;

	secret_free(secret);
	return is_empty ? 0 : 1;
}

static void test_secret_is_not_inherited_by_a_child(void **state)
{
	_cleanup_secret_ struct secret *secret = NULL;

	assert_ok(secret_copy(span_of_text("parent"), &secret, NULL));
	assert_forked_ok(inherited_secret_is_empty, secret);
	assert_memory_equal(secret->data, "parent", 6);
}

/* Whether a child, which inherits no lock, locks its own secrets and all it maps later. */
static int child_locks_anew(void *argument)
{
	struct secret *secret;
	void *page;

	if (cof_failed(secret_new(32, &secret, NULL)))
		return 1;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || !mapping_has_flag(secret->data, " lo"))
		return 2;
	return mapping_has_flag(page, " lo") ? 0 : 3;
}

static void test_secret_new_in_a_child_locks_anew(void **state)
{
	if (!LOCKS_ARE_REAL) {
		print_message("skip: a sanitizer turns locks off\n");
		skip();
	}
	assert_ok(secret_harden(NULL));
	assert_forked_ok(child_locks_anew, NULL);
}

static int hardens_itself(void *argument)
{
	struct rlimit limit;

	if (prctl(PR_SET_DUMPABLE, 1) != 0 || cof_failed(secret_harden(NULL)) ||
	    cof_failed(secret_harden(NULL)))
		return 1;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 2;
	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : 3;
}

static void test_secret_harden_leaves_no_core_file(void **state)
{
	assert_forked_ok(hardens_itself, NULL);
}

static void *make_and_free(void *argument)
{
	bool *all_well = argument;

	for (int i = 0; i < 50; i++) {
		struct secret *secret;

		if (cof_failed(secret_random(48, &secret, NULL))) {
			*all_well = false;
			return NULL;
		}
		secret_free(secret);
	}
	return NULL;
}

static void test_secret_new_from_many_threads_works(void **state)
{
	bool all_well[8];
	pthread_t threads[8];

	for (size_t i = 0; i < 8; i++) {
		all_well[i] = true;
		assert_int_equal(pthread_create(&threads[i], NULL, make_and_free, &all_well[i]), 0);
	}
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(all_well[i]);
	}
}

/* ---- what can go wrong ---- */

/* Whether secret_new() fails with COF_E_NOMEM and the text has @expected. */
static int fails_for_want_of_memory(const char *expected, struct cof_error *err)
{
	struct secret *secret = NULL;
	cof_result result = secret_new(1000, &secret, err);

	if (result.code != COF_E_NOMEM || secret)
		return 1;
	return strstr(err->text, expected) ? 0 : 2;
}

static int lock_limit_is_small(void *argument)
{
	const struct rlimit limit = { 65536, 65536 };
	struct cof_error err = { 0 };

	if (!LOCKS_ARE_REAL || setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
	    setresuid(65534, 65534, 65534) != 0)
		return NOT_POSSIBLE_HERE;
	if (fails_for_want_of_memory("this process cannot be locked", &err) != 0)
		return 1;
	if (!strstr(err.cause, "65536 bytes"))
		return 2;
	return strstr(err.remedy, "LimitMEMLOCK") ? 0 : 3;
}

static void test_secret_new_without_lock_limit_names_the_remedy(void **state)
{
	assert_forked_ok(lock_limit_is_small, NULL);
}

/* A system call that fails, and what the error then says. */
struct denial {
	unsigned int number, errno_value;
	const char *expected;
};

static int system_call_is_denied(void *argument)
{
	const struct denial *denial = argument;
	struct cof_error err = { 0 };

	if (!deny_syscall(denial->number, denial->errno_value))
		return NOT_POSSIBLE_HERE;
	return fails_for_want_of_memory(denial->expected, &err);
}

/* Checks one denial that happens to be a lock, which a sanitizer would not let happen. */
static void check_lock_denial(unsigned int number, const char *expected)
{
	struct denial denial = { number, ENOMEM, expected };

	if (!LOCKS_ARE_REAL) {
		print_message("skip: a sanitizer turns locks off\n");
		skip();
	}
	assert_forked_ok(system_call_is_denied, &denial);
}

static void test_secret_new_when_mlockall_fails_is_nomem(void **state)
{
	check_lock_denial(SYS_mlockall, "this process cannot be locked");
}

static void test_secret_new_when_mlock_fails_is_nomem(void **state)
{
	check_lock_denial(SYS_mlock, "a secret cannot be locked");
}

static void test_secret_new_when_mmap_fails_is_nomem(void **state)
{
	struct denial denial = { SYS_mmap, ENOMEM, "no memory for a secret" };

	skip_under_valgrind();
	assert_forked_ok(system_call_is_denied, &denial);
}

static void test_secret_new_when_madvise_fails_is_nomem(void **state)
{
	struct denial denial = { SYS_madvise, EINVAL, "cannot be protected" };

	assert_forked_ok(system_call_is_denied, &denial);
}

static void test_secret_new_when_core_files_stay_on_is_nomem(void **state)
{
	struct denial denial = { SYS_prlimit64, EPERM, "core files" };

	assert_forked_ok(system_call_is_denied, &denial);
}

static int no_lock_limit_but_refused(void *argument)
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct cof_error err = { 0 };

	if (!LOCKS_ARE_REAL || setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
	    !deny_syscall(SYS_mlockall, EPERM))
		return NOT_POSSIBLE_HERE;
	if (fails_for_want_of_memory("this process cannot be locked", &err) != 0)
		return 1;
	return strstr(err.cause, "bytes") ? 2 : 0;
}

static void test_secret_new_refused_without_limit_names_no_limit(void **state)
{
	assert_forked_ok(no_lock_limit_but_refused, NULL);
}

static int random_is_denied(void *argument)
{
	struct secret *secret = NULL;

	if (!deny_syscall(SYS_getrandom, ENOSYS))
		return NOT_POSSIBLE_HERE;
	return secret_random(32, &secret, NULL).code == COF_E_FAILED && !secret ? 0 : 1;
}

static void test_secret_random_without_random_bytes_fails(void **state)
{
	assert_forked_ok(random_is_denied, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_new_is_zero_and_as_long_as_asked),
		cmocka_unit_test(test_secret_new_aligns_to_16_bytes),
		cmocka_unit_test(test_secret_new_refuses_zero_bytes),
		cmocka_unit_test(test_secret_new_refuses_more_than_64_mib),
		cmocka_unit_test(test_secret_free_takes_null),
		cmocka_unit_test(test_secret_copy_has_the_same_bytes),
		cmocka_unit_test(test_secret_copy_refuses_nothing),
		cmocka_unit_test(test_secret_random_differs_each_time),
		cmocka_unit_test(test_secret_shrink_forgets_the_rest),
		cmocka_unit_test(test_secret_shrink_does_not_grow),
		cmocka_unit_test(test_ct_equal_compares_bytes_and_lengths),
		cmocka_unit_test(test_memory_wipe_leaves_zeros_and_neighbours),
		cmocka_unit_test(test_secret_write_past_the_end_stops_the_process),
		cmocka_unit_test(test_secret_read_past_the_end_stops_the_process),
		cmocka_unit_test(test_secret_write_before_the_memory_stops_the_process),
		cmocka_unit_test(test_secret_use_after_free_stops_the_process),
		cmocka_unit_test(test_secret_free_after_small_overrun_aborts),
		cmocka_unit_test(test_secret_free_after_underrun_aborts),
		cmocka_unit_test(test_secret_free_after_use_to_the_last_byte_is_fine),
		cmocka_unit_test(test_secret_memory_is_locked),
		cmocka_unit_test(test_secret_memory_stays_out_of_core_files),
		cmocka_unit_test(test_secret_is_not_inherited_by_a_child),
		cmocka_unit_test(test_secret_new_in_a_child_locks_anew),
		cmocka_unit_test(test_secret_harden_leaves_no_core_file),
		cmocka_unit_test(test_secret_new_from_many_threads_works),
		cmocka_unit_test(test_secret_new_without_lock_limit_names_the_remedy),
		cmocka_unit_test(test_secret_new_when_mlockall_fails_is_nomem),
		cmocka_unit_test(test_secret_new_when_mlock_fails_is_nomem),
		cmocka_unit_test(test_secret_new_when_mmap_fails_is_nomem),
		cmocka_unit_test(test_secret_new_when_madvise_fails_is_nomem),
		cmocka_unit_test(test_secret_new_when_core_files_stay_on_is_nomem),
		cmocka_unit_test(test_secret_new_refused_without_limit_names_no_limit),
		cmocka_unit_test(test_secret_random_without_random_bytes_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
