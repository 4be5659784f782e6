/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cleanup.h"
#include "number.h"
#include "order.h"

/* Whether all that an item needs is taken. */
static bool is_ready(const struct order_item *item, size_t count, const bool taken[])
{
	for (size_t i = 0; i < count; i++)
		if (item->needs[i] && !taken[i])
			return false;
	return true;
}

/* Whether @a starts before @b, where both could. */
static bool goes_before(const struct order_item *a, const struct order_item *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	return natural_compare(a->rid, b->rid) < 0;
}

cof_result order_items(const struct order_item items[], size_t count, size_t ret_order[],
		       const char **ret_circle, struct cof_error *err)
{
	_cleanup_free_ bool *taken = calloc(count + 1, sizeof(*taken));

	ENSURE(taken, err, COF_E_NOMEM, NULL, "no memory for %zu resources", count);
	*ret_circle = NULL;
	for (size_t done = 0; done < count; done++) {
		size_t best = count;
		size_t left = count;

		for (size_t i = 0; i < count; i++) {
			if (taken[i])
				continue;
			left = left == count ? i : left;
			if (is_ready(&items[i], count, taken) &&
			    (best == count || goes_before(&items[i], &items[best])))
				best = i;
		}
		if (best == count) {
			*ret_circle = items[left].rid;
			return COF_OK;
		}
		taken[best] = true;
		ret_order[done] = best;
	}
	return COF_OK;
}
