/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "unlock_order.h"

/* A keyslot of the usual kind. */
static struct unlock_slot slot_of(int number, bool cheap)
{
	struct unlock_slot slot = { .slot = { .number = number, .cheap = cheap }, .bound = true };

	(void)snprintf(slot.slot.cipher, sizeof(slot.slot.cipher), "aes-xts-plain64");
	(void)snprintf(slot.slot.pbkdf, sizeof(slot.slot.pbkdf), cheap ? "pbkdf2" : "argon2id");
	return slot;
}

static void test_unlock_order_puts_cheap_before_dear(void **state)
{
	struct unlock_slot slots[] = { slot_of(0, false), slot_of(1, true), slot_of(2, false),
				       slot_of(3, true) };

	(void)state;
	assert_int_equal(unlock_order(slots, 4, LUKS_ANY_SLOT), 4);
	assert_int_equal(slots[0].slot.number, 1);
	assert_int_equal(slots[1].slot.number, 3);
	assert_int_equal(slots[2].slot.number, 0);
	assert_int_equal(slots[3].slot.number, 2);
}

static void test_unlock_order_puts_preferred_before_others(void **state)
{
	struct unlock_slot slots[] = { slot_of(0, false), slot_of(1, false), slot_of(2, true) };

	(void)state;
	slots[1].preferred = true;
	assert_int_equal(unlock_order(slots, 3, LUKS_ANY_SLOT), 3);
	assert_int_equal(slots[0].slot.number, 2);
	assert_int_equal(slots[1].slot.number, 1);
	assert_int_equal(slots[2].slot.number, 0);
}

static void test_unlock_order_leaves_out_ignored(void **state)
{
	struct unlock_slot slots[] = { slot_of(0, true), slot_of(1, true) };

	(void)state;
	slots[0].ignored = true;
	assert_int_equal(unlock_order(slots, 2, LUKS_ANY_SLOT), 1);
	assert_int_equal(slots[0].slot.number, 1);
}

static void test_unlock_order_keeps_ignored_that_is_asked_for(void **state)
{
	struct unlock_slot slots[] = { slot_of(0, true), slot_of(1, true) };

	(void)state;
	slots[0].ignored = true;
	assert_int_equal(unlock_order(slots, 2, 0), 1);
	assert_int_equal(slots[0].slot.number, 0);
}

static void test_unlock_order_leaves_out_unbound(void **state)
{
	struct unlock_slot slots[] = { slot_of(0, true) };

	(void)state;
	slots[0].bound = false;
	assert_int_equal(unlock_order(slots, 1, LUKS_ANY_SLOT), 0);
	assert_int_equal(unlock_order(slots, 1, 0), 0);
}

static void test_unlock_order_leaves_out_unencrypted(void **state)
{
	struct unlock_slot slots[] = { slot_of(0, true) };

	(void)state;
	(void)snprintf(slots[0].slot.cipher, sizeof(slots[0].slot.cipher), "cipher_null-ecb");
	assert_int_equal(unlock_order(slots, 1, LUKS_ANY_SLOT), 0);
	assert_int_equal(unlock_order(slots, 1, 0), 0);
}

static void test_unlock_order_of_nothing_is_nothing(void **state)
{
	struct unlock_slot slots[1];

	(void)state;
	assert_int_equal(unlock_order(slots, 0, LUKS_ANY_SLOT), 0);
}

static void test_unlock_memory_hard_is_argon2_alone(void **state)
{
	struct unlock_slot dear = slot_of(0, false);
	struct unlock_slot cheap = slot_of(0, true);

	(void)state;
	assert_true(unlock_slot_memory_hard(&dear.slot));
	assert_false(unlock_slot_memory_hard(&cheap.slot));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unlock_order_puts_cheap_before_dear),
		cmocka_unit_test(test_unlock_order_puts_preferred_before_others),
		cmocka_unit_test(test_unlock_order_leaves_out_ignored),
		cmocka_unit_test(test_unlock_order_keeps_ignored_that_is_asked_for),
		cmocka_unit_test(test_unlock_order_leaves_out_unbound),
		cmocka_unit_test(test_unlock_order_leaves_out_unencrypted),
		cmocka_unit_test(test_unlock_order_of_nothing_is_nothing),
		cmocka_unit_test(test_unlock_memory_hard_is_argon2_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
