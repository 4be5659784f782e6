/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_ORDER_H
#define COF_STACK_ORDER_H

/*
 * In which order resources start, pure.
 */

#include "result.h"

/**
 * struct order_item - one resource
 * @rid:    borrowed
 * @rank:   of its group: where nothing else tells, lower ones start first
 * @needs:  bit per item that must be up before
 */
struct order_item {
	const char *rid;
	unsigned int rank;
	unsigned char *needs; /* one byte each, owned by the caller */
};

/**
 * order_items() - what starts first, second, ...: what others need before them, then by group, then
 * by rid in natural order
 * @ret_order: indices, @count of them
 * @ret_circle: the rid of an item that needs itself in the end; NULL: there is none; borrowed
 * Fails: COF_E_NOMEM
 */
cof_result order_items(const struct order_item items[], size_t count, size_t ret_order[],
		       const char **ret_circle, struct cof_error *err);

#endif
