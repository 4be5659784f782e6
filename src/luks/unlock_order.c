/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unlock_order.h"

#include <stdlib.h>
#include <string.h>

bool unlock_slot_is_open(const struct luks_slot *slot)
{
	return strncmp(slot->cipher, "cipher_null", strlen("cipher_null")) == 0;
}

bool unlock_slot_memory_hard(const struct luks_slot *slot)
{
	return strncmp(slot->pbkdf, "argon2", strlen("argon2")) == 0;
}

/* Order of two candidates, as qsort() wants it. */
static int candidate_compare(const void *left, const void *right)
{
	const struct unlock_slot *a = left;
	const struct unlock_slot *b = right;

	if (a->slot.cheap != b->slot.cheap)
		return a->slot.cheap ? -1 : 1;
	if (a->preferred != b->preferred)
		return a->preferred ? -1 : 1;
	return a->slot.number - b->slot.number;
}

size_t unlock_order(struct unlock_slot *slots, size_t count, int wanted)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		bool asked_for = wanted == LUKS_ANY_SLOT ? !slots[i].ignored
							 : slots[i].slot.number == wanted;

		if (asked_for && slots[i].bound && !unlock_slot_is_open(&slots[i].slot))
			slots[kept++] = slots[i];
	}
	qsort(slots, kept, sizeof(*slots), candidate_compare);
	return kept;
}
