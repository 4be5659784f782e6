/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the command and the engine's process tell each other. */

#include "fuzz.h"
#include "message.h"

void fuzz_one(struct span input)
{
	struct order order;
	struct engine_volume volume;
	struct cof_error error = { 0 };

	if (!cof_failed(order_parse(input, &order, NULL))) {
		_cleanup_free_ char *line = order_format(&order);
		struct order again;

		FUZZ_CHECK(!cof_failed(order_parse(span_of_text(line), &again, NULL)));
		FUZZ_CHECK(strcmp(order.source, again.source) == 0);
	}
	if (!cof_failed(facts_parse(input, &volume, NULL))) {
		_cleanup_free_ char *line = facts_format(&volume);

		FUZZ_CHECK(!cof_failed(facts_parse(span_of_text(line), &volume, NULL)));
	}
	if (cof_failed(reply_parse(input, "fuzz", &error)))
		FUZZ_CHECK(error.code != COF_E_NONE);
}
