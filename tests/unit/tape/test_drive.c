/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading, clearing and identifying keys, on emulated drives of several makers.
 */

#include "drive_rig.h"

static const char *const good[] = { "lto6",   "hp-lto4", "ibm-lto8", "quantum-lto4",
				    "t10000", "mhvtl",	 "plain" };
#define GOOD (sizeof(good) / sizeof(good[0]))

static void test_drive_load_encrypts_on_every_drive(void **state)
{
	for (size_t i = 0; i < GOOD; i++) {
		struct drive_loaded loaded;
		struct rig rig;

		rig_start(&rig, good[i]);
		assert_int_equal(rig_write(&rig, 0, "label"), 2); /* another tape was loaded */
		assert_int_equal(rig_write(&rig, 0, "label"), 0);
		assert_ok(rig_load(&rig, 0x5a, &loaded));
		assert_int_equal(loaded.status.encryption, ENCRYPT_ON);
		assert_int_equal(loaded.status.decryption, DECRYPT_MIXED);
		assert_int_equal(rig_write(&rig, 0, "secret"), 0);
		assert_int_equal(rig.emulator.medium->blocks[1].letter, 'E');
		/* Mixed: the clear label stays readable. */
		assert_ok(drive_rewind(rig.drive, NULL));
		assert_int_equal(rig_read(&rig, "label"), 0);
		assert_int_equal(rig_read(&rig, "secret"), 0);
		rig_stop(&rig);
	}
}

static void test_drive_load_and_clear_take_four_commands_at_most(void **state)
{
	for (size_t i = 0; i < GOOD; i++) {
		struct drive_loaded loaded;
		struct rig rig;
		bool changed;

		rig_start(&rig, good[i]);
		memset(rig.emulator.attentions, 0, sizeof(rig.emulator.attentions));
		assert_ok(rig_load(&rig, 1, &loaded));
		assert_in_range(rig.emulator.commands, 1, 4);
		rig.emulator.commands = 0;
		assert_ok(drive_clear_key(rig.drive, &changed, NULL));
		assert_true(changed);
		assert_in_range(rig.emulator.commands, 1, 4);
		rig.emulator.commands = 0;
		assert_ok(drive_clear_key(rig.drive, &changed, NULL));
		assert_false(changed);
		assert_int_equal(rig.emulator.commands, 1);
		rig_stop(&rig);
	}
}

static void test_drive_load_tells_the_tape_its_key(void **state)
{
	static const uint8_t akad[] = "CFK\1\2\3\4\5\6\7\10\11";
	struct drive_loaded loaded;
	const struct block *block;
	struct rig rig;

	rig_start(&rig, "lto6");
	assert_ok(rig_load(&rig, 1, &loaded));
	assert_true(loaded.locked && loaded.clear_on_demount && loaded.status.raw_forbidden);
	assert_int_equal(loaded.status.control, CONTROL_APPLICATION);
	assert_int_equal(rig_write(&rig, 0, "x"), 0);
	block = &rig.emulator.medium->blocks[0];
	assert_int_equal(block->ukad.len, KEY_TAG_CHARS);
	assert_memory_equal(block->ukad.data, RIG_TAG, KEY_TAG_CHARS);
	assert_int_equal(block->akad.len, 12);
	assert_memory_equal(block->akad.data, akad, 12);
	rig_stop(&rig);
	rig_start(&rig, "t10000");
	assert_ok(rig_load(&rig, 1, &loaded));
	assert_int_equal(rig_write(&rig, 0, "x"), 0);
	assert_int_equal(rig.emulator.medium->blocks[0].ukad.len, KEY_TAG_CHARS);
	assert_int_equal(rig.emulator.medium->blocks[0].akad.len, 0);
	rig_stop(&rig);
	rig_start(&rig, "plain");
	assert_ok(rig_load(&rig, 1, &loaded));
	assert_false(loaded.locked || loaded.clear_on_demount || loaded.status.raw_forbidden);
	assert_int_equal(loaded.status.kads.count, 0);
	rig_stop(&rig);
}

static void test_drive_clear_leaves_a_drive_that_reads_nothing(void **state)
{
	struct drive_loaded loaded;
	struct rig rig;
	bool changed;

	rig_start(&rig, "lto6");
	assert_ok(rig_load(&rig, 1, &loaded));
	assert_int_equal(rig_write(&rig, 0, "x"), 0);
	assert_ok(drive_clear_key(rig.drive, &changed, NULL));
	assert_ok(drive_rewind(rig.drive, NULL));
	assert_int_equal(rig_read(&rig, ""), 0x7401);
	rig_stop(&rig);
}

static void test_drive_forgets_the_key_with_the_tape(void **state)
{
	struct tape_encryption status;
	struct drive_loaded loaded;
	struct rig rig;

	rig_start(&rig, "lto6");
	assert_ok(rig_load(&rig, 1, &loaded));
	emulator_load(&rig.emulator, NULL);
	assert_ok(drive_status(rig.drive, &status, NULL));
	assert_false(drive_has_key(&status));
	assert_fails(rig_load(&rig, 1, &loaded), COF_E_NOENT);
	rig_stop(&rig);
}

static void test_drive_load_refuses_what_does_not_encrypt(void **state)
{
	struct drive_loaded loaded;
	struct rig rig;
	bool changed;

	rig_start(&rig, "none");
	assert_fails(rig_load(&rig, 1, &loaded), COF_E_UNSUPPORTED);
	rig_stop(&rig);
	rig_start(&rig, "lto6");
	rig_tape(&rig, 3);
	assert_fails(rig_load(&rig, 1, &loaded), COF_E_UNSUPPORTED);
	rig_stop(&rig);
	rig_start(&rig, "short");
	assert_fails(rig_load(&rig, 1, &loaded), COF_E_FORMAT);
	assert_fails(drive_clear_key(rig.drive, &changed, NULL), COF_E_FORMAT);
	rig_stop(&rig);
	rig_start(&rig, "library");
	assert_fails(rig_load(&rig, 1, &loaded), COF_E_REFUSED);
	assert_false(rig.emulator.parameters.set);
	rig_stop(&rig);
}

static void test_drive_goes_on_after_a_unit_attention_at_any_time(void **state)
{
	for (unsigned int at = 0; at < 4; at++) {
		struct drive_loaded loaded;
		struct rig rig;
		struct tape_capabilities capabilities;

		rig_start(&rig, "lto6");
		for (unsigned int i = 0; i < at; i++)
			assert_ok(drive_capabilities(rig.drive, &capabilities, NULL));
		rig.emulator.attentions[0] = (struct attention){ 0x29, 0x00 };
		assert_ok(rig_load(&rig, 1, &loaded));
		rig_stop(&rig);
	}
}

static void test_drive_that_vanishes_is_told(void **state)
{
	for (unsigned int after = 1; after <= 4; after++) {
		struct drive_loaded loaded;
		struct rig rig;

		rig_start(&rig, "lto6");
		memset(rig.emulator.attentions, 0, sizeof(rig.emulator.attentions));
		rig.emulator.vanish_after = after;
		assert_fails(rig_load(&rig, 1, &loaded), COF_E_NOENT);
		rig_stop(&rig);
	}
}

/* Another host sets a key of its own, or turns encryption off. */
static void set_by_other(struct rig *rig, uint8_t mode)
{
	uint8_t page[52] = { 0x00, 0x10, 0, 48, 0x40, 0, mode, (uint8_t)(mode ? 3 : 0), 1 };
	uint8_t cdb[16] = { 0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, sizeof(page) };
	struct answer answer = { 0 };

	rig->meddle = NULL;
	rig->emulator.attentions[1] = (struct attention){ 0 };
	page[19] = 32;
	memset(page + 20, 7, 32);
	assert_int_equal(rig_send(rig, 1, cdb, SPAN(page, sizeof(page)), &answer), 0);
}

static void set_other_key(struct rig *rig)
{
	set_by_other(rig, 2);
}

static void clear_other_key(struct rig *rig)
{
	set_by_other(rig, 0);
}

static void test_drive_load_notices_another_host(void **state)
{
	void (*const meddlers[])(struct rig *) = { set_other_key, clear_other_key };

	for (size_t i = 0; i < 2; i++) {
		struct tape_encryption status;
		struct drive_loaded loaded;
		struct rig rig;

		rig_start(&rig, "lto6");
		rig.meddle_after = 0xb5;
		rig.meddle = meddlers[i];
		assert_fails(rig_load(&rig, 1, &loaded), COF_E_CONFLICT);
		assert_true(rig.drive->other_host);
		/* What is not proven does not stay. */
		assert_ok(drive_status(rig.drive, &status, NULL));
		assert_false(drive_has_key(&status));
		rig_stop(&rig);
	}
}

static void test_drive_locks_against_another_host(void **state)
{
	struct drive_loaded loaded;
	struct rig rig;

	rig_start(&rig, "lto6");
	assert_ok(rig_load(&rig, 1, &loaded));
	set_other_key(&rig);
	assert_int_equal(rig_write(&rig, 0, "x"), 2); /* unit attention 2A/11 */
	assert_int_equal(rig_write(&rig, 0, "x"), 2);
	assert_int_equal(rig_read(&rig, ""), 0x2a13);
	rig_stop(&rig);
}

static void test_drive_clear_fails_where_the_key_stays(void **state)
{
	struct drive_loaded loaded;
	struct rig rig;
	bool changed;

	rig_start(&rig, "lto6");
	assert_ok(rig_load(&rig, 1, &loaded));
	rig.meddle_after = 0xb5;
	rig.meddle = set_other_key;
	assert_fails(drive_clear_key(rig.drive, &changed, NULL), COF_E_CONFLICT);
	rig_stop(&rig);
}

static void test_drive_tag_is_found_without_trying_keys(void **state)
{
	struct drive_loaded loaded;
	struct tape_next next;
	struct key_tag tag;
	struct rig rig;
	uint64_t object;

	rig_start(&rig, "hp-lto4");
	assert_ok(drive_tape_tag(rig.drive, &tag, &next, NULL));
	assert_false(tag.found);
	assert_int_equal(next.encryption, NEXT_NO_BLOCK); /* 08/14/03 */
	assert_int_equal(rig_write(&rig, 0, "clear label"), 0);
	assert_ok(rig_load(&rig, 1, &loaded));
	assert_int_equal(rig_write(&rig, 0, "secret"), 0);
	assert_ok(drive_rewind(rig.drive, NULL));
	for (uint8_t byte = 2; byte < 14; byte++) {
		assert_ok(rig_load(&rig, byte, &loaded));
		assert_ok(drive_tape_tag(rig.drive, &tag, &next, NULL));
		assert_true(tag.ours);
		assert_false(tag.partial);
		assert_string_equal(tag.text, RIG_TAG);
		assert_string_equal(tag.id, &RIG_TAG[8]);
		assert_int_equal(next.encryption, NEXT_CLEAR);
		assert_ok(drive_position(rig.drive, &object, NULL));
		assert_int_equal(object, 0);
	}
	assert_int_equal(rig.emulator.wrong_keys, 0);
	rig_stop(&rig);
}

static void test_drive_load_says_that_too_many_keys_were_wrong(void **state)
{
	struct drive_loaded loaded;
	struct rig rig;

	rig_start(&rig, "hp-lto4");
	assert_ok(rig_load(&rig, 1, &loaded));
	assert_int_equal(rig_write(&rig, 0, "secret"), 0);
	for (uint8_t byte = 10; byte < 20; byte++) {
		assert_ok(rig_load(&rig, byte, &loaded));
		assert_ok(drive_rewind(rig.drive, NULL));
		assert_int_equal(rig_read(&rig, ""), 0x7403);
	}
	assert_fails(rig_load(&rig, 1, &loaded), COF_E_KEY);
	emulator_load(&rig.emulator, rig.tape);
	assert_ok(rig_load(&rig, 1, &loaded));
	rig_stop(&rig);
}

static void test_drive_tag_of_the_chip_counts_last(void **state)
{
	struct drive_loaded loaded;
	struct tape_next next;
	struct key_tag tag;
	struct rig rig;
	char text[DRIVE_TEXT_CHARS + 1];

	rig_start(&rig, "lto6");
	assert_ok(
		drive_set_attribute(rig.drive, MAM_KEY_ID, "coffer1:EBESExQVFhcYGRobHB0eHw", NULL));
	assert_ok(drive_attribute(rig.drive, MAM_KEY_ID, text, NULL));
	assert_string_equal(text, "coffer1:EBESExQVFhcYGRobHB0eHw");
	assert_ok(drive_tape_tag(rig.drive, &tag, &next, NULL));
	assert_true(tag.ours);
	assert_string_equal(tag.id, "EBESExQVFhcYGRobHB0eHw");
	assert_ok(rig_load(&rig, 1, &loaded));
	assert_int_equal(rig_write(&rig, 0, "secret"), 0);
	assert_ok(drive_tape_tag(rig.drive, &tag, &next, NULL));
	assert_string_equal(tag.text, RIG_TAG);
	rig_stop(&rig);
}

static void test_drive_says_what_it_is(void **state)
{
	struct drive_identity identity;
	struct rig rig;
	bool loaded;
	char text[DRIVE_TEXT_CHARS + 1];

	rig_start(&rig, "hp-lto4");
	assert_ok(drive_identify(rig.drive, &identity, NULL));
	assert_string_equal(identity.vendor, "HP");
	assert_string_equal(identity.product, "Ultrium 4-SCSI");
	assert_string_equal(identity.revision, "B63W");
	assert_string_equal(identity.serial, "EMU-hp-lto4");
	assert_ok(drive_has_tape(rig.drive, &loaded, NULL));
	assert_true(loaded);
	assert_ok(drive_attribute(rig.drive, MAM_SERIAL, text, NULL));
	assert_string_equal(text, "SN123");
	assert_fails(drive_locate(rig.drive, UINT64_C(1) << 32, NULL), COF_E_UNSUPPORTED);
	emulator_load(&rig.emulator, NULL);
	assert_ok(drive_has_tape(rig.drive, &loaded, NULL));
	assert_false(loaded);
	assert_fails(drive_rewind(rig.drive, NULL), COF_E_NOENT);
	rig_stop(&rig);
}

static void test_key_tag_reads_what_others_write(void **state)
{
	struct kads kads = { .count = 1, .items = { { .type = KAD_UNAUTHENTICATED, .len = 5 } } };
	struct key_tag tag;

	memcpy(kads.items[0].data, "key-7", 5);
	tag = key_tag_read(&kads);
	assert_true(tag.found && !tag.ours);
	assert_string_equal(tag.text, "key-7");
	memcpy(kads.items[0].data, "\1\2\3\4\5", 5);
	assert_string_equal(key_tag_read(&kads).text, "0102030405");
	kads.items[0] = (struct kad){ .type = KAD_AUTHENTICATED, .len = 12 };
	memcpy(kads.items[0].data, "CFK\1\2\3\4\5\6\7\10\11", 12);
	tag = key_tag_read(&kads);
	assert_true(tag.ours && tag.partial);
	assert_string_equal(tag.id, "AQIDBAUGBwgJ");
	memcpy(kads.items[0].data, "TST", 3);
	assert_false(key_tag_read(&kads).ours);
	tag = key_tag_of_text(span_of_text("coffer1:AQIDBAUGBwgJCgsMDQ4PE!"));
	assert_true(tag.found && !tag.ours);
	assert_false(key_tag_of_text(SPAN("\0\0  ", 4)).found);
	assert_true(key_tag_of_text(SPAN(RIG_TAG "\0\0", KEY_TAG_CHARS + 2)).ours);
}

static void test_emulator_is_as_strict_as_a_drive(void **state)
{
	/* Offset and byte of a page that is otherwise good. */
	static const uint8_t wrongs[][2] = { { 4, 0x42 }, { 4, 0x60 }, { 5, 0x01 }, { 5, 0x02 },
					     { 5, 0x08 }, { 6, 1 },    { 7, 1 },    { 8, 0 },
					     { 9, 1 },	  { 10, 3 },   { 11, 1 },   { 17, 1 },
					     { 19, 31 },  { 3, 0x5d }, { 52, 2 },   { 53, 1 },
					     { 55, 31 } };

	for (size_t i = 0; i <= sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		uint8_t page[86] = { 0x00, 0x10, 0, 82, 0x40, 0, 2, 3, 1 };
		uint8_t cdb[16] = { 0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, sizeof(page) };
		struct answer answer = { 0 };
		struct rig rig;

		rig_start(&rig, "lto6");
		rig.emulator.attentions[0] = (struct attention){ 0 };
		page[19] = 32;
		page[55] = 30;
		if (i > 0)
			page[wrongs[i - 1][0]] = wrongs[i - 1][1];
		if (rig_send(&rig, 0, cdb, SPAN(page, sizeof(page)), &answer) != (i ? 2 : 0))
			fail_msg("%zu", i);
		if (i)
			assert_int_equal(answer.sense[12], 0x26);
		rig_stop(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drive_load_encrypts_on_every_drive),
		cmocka_unit_test(test_drive_load_and_clear_take_four_commands_at_most),
		cmocka_unit_test(test_drive_load_tells_the_tape_its_key),
		cmocka_unit_test(test_drive_clear_leaves_a_drive_that_reads_nothing),
		cmocka_unit_test(test_drive_forgets_the_key_with_the_tape),
		cmocka_unit_test(test_drive_load_refuses_what_does_not_encrypt),
		cmocka_unit_test(test_drive_goes_on_after_a_unit_attention_at_any_time),
		cmocka_unit_test(test_drive_that_vanishes_is_told),
		cmocka_unit_test(test_drive_load_notices_another_host),
		cmocka_unit_test(test_drive_locks_against_another_host),
		cmocka_unit_test(test_drive_clear_fails_where_the_key_stays),
		cmocka_unit_test(test_drive_tag_is_found_without_trying_keys),
		cmocka_unit_test(test_drive_load_says_that_too_many_keys_were_wrong),
		cmocka_unit_test(test_drive_tag_of_the_chip_counts_last),
		cmocka_unit_test(test_drive_says_what_it_is),
		cmocka_unit_test(test_key_tag_reads_what_others_write),
		cmocka_unit_test(test_emulator_is_as_strict_as_a_drive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
