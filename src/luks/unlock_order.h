/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_UNLOCK_ORDER_H
#define COF_LUKS_UNLOCK_ORDER_H

/*
 * Which keyslots are tried, and in which order. Private to src/luks; no I/O.
 */

#include "luks.h"

/**
 * struct unlock_slot - one keyslot as a candidate
 * @slot:      as luks_read() describes it
 * @bound:     its key is the one of the data; one that is not would yield another key
 * @preferred: marked in the header to be tried first
 * @ignored:   marked in the header to be tried only when it is asked for
 */
struct unlock_slot {
	struct luks_slot slot;
	bool bound;
	bool preferred;
	bool ignored;
};

/** unlock_slot_is_open() - whether the slot's area is not encrypted, so that it proves nothing */
bool unlock_slot_is_open(const struct luks_slot *slot);

/** unlock_slot_memory_hard() - whether trying it takes an Argon2 run */
bool unlock_slot_memory_hard(const struct luks_slot *slot);

/**
 * unlock_order() - keep the slots that are to be tried, in their order
 * @slots: changed in place: cheap before dear ones, preferred before others, then by number
 * @count: number of @slots
 * @wanted: a slot's number, or LUKS_ANY_SLOT
 *
 * Returns how many are left at the front of @slots.
 */
size_t unlock_order(struct unlock_slot *slots, size_t count, int wanted);

#endif
