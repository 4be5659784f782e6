/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An audit log from a folder that others may have written to. */

#include "audit_check.h"
#include "fuzz.h"

void fuzz_one(struct span input)
{
	static struct wrap_key *key;
	struct audit_known known = { .vault = "00112233-4455-6677-8899-aabbccddeeff", .epoch = 1 };
	struct audit_check check;
	struct span rest = input;
	struct span line;
	size_t total = 0;
	bool ended;

	if (!key)
		FUZZ_CHECK(!cof_failed(wrap_key_new(32, &key, NULL)));
	known.key = key;
	known.has_head = input.len % 2;
	known.head_seq = 3;
	audit_check_start(&check, &known);
	FUZZ_CHECK(!cof_failed(audit_check_file(&check, "audit.log", input, NULL)));
	audit_check_end(&check);
	FUZZ_CHECK(check.verdict.sealed_seq <= check.verdict.last_seq);
	FUZZ_CHECK(!known.has_head || check.verdict.fault != AUDIT_WHOLE);
	while (audit_next_line(&rest, &line, &ended))
		total += line.len + ended;
	FUZZ_CHECK(total == input.len);
}
