/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_UNIT_H
#define COF_TESTS_UNIT_H

/*
 * What every unit test includes: cmocka in the order it wants, and assertions for results.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "result.h"

/* Whether AddressSanitizer is built in, which has its own ways with memory. */
#if defined(__SANITIZE_ADDRESS__)
#define UNIT_HAS_ASAN true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_HAS_ASAN true
#endif
#endif
#ifndef UNIT_HAS_ASAN
#define UNIT_HAS_ASAN false
#endif

/* The call succeeds; a failure is printed with its text. */
#define assert_ok(call)                                                                            \
	do {                                                                                       \
		cof_result unit_result_ = (call);                                                  \
		if (cof_failed(unit_result_))                                                      \
			fail_msg("%s: %s", #call, cof_code_name(unit_result_.code));               \
	} while (0)

/* The call fails with just this code. */
#define assert_fails(call, expected)                                                               \
	do {                                                                                       \
		cof_result unit_result_ = (call);                                                  \
		if (unit_result_.code != (expected))                                               \
			fail_msg("%s: %s, expected %s", #call, cof_code_name(unit_result_.code),   \
				 cof_code_name(expected));                                         \
	} while (0)

#endif
