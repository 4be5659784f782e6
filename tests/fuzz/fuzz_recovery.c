/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recovery_parse(): whatever is typed is refused or becomes a text that parses to itself.
 */
#include <stdlib.h>

#include "recovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(slot_secret_freep) struct slot_secret *text = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *again = NULL;
	struct cof_error err = { 0 };
	cof_result result = recovery_parse(SPAN(data, len), &text, &err);

	if (cof_failed(result)) {
		if (result.code != COF_E_KEY || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (text->secret.len != RECOVERY_TEXT_CHARS ||
	    cof_failed(recovery_parse(slot_secret_span(text), &again, NULL)) ||
	    !ct_equal(slot_secret_span(text), slot_secret_span(again)))
		abort();
	/* The other question about the same input may not contradict. */
	if (len == RECOVERY_TEXT_CHARS && !recovery_looks_like(SPAN(data, len)))
		abort();
	return 0;
}
