/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands that somebody pastes into a shell.
 */

#include "unit.h"

#include "shell.h"

static void test_shell_leaves_a_plain_path(void **state)
{
	char line[64];

	(void)state;
	assert_true(shell_command("umount", "/srv/b-1_x.y", line, sizeof(line)));
	assert_string_equal(line, "umount /srv/b-1_x.y");
}

static void test_shell_quotes_what_is_not_one_word(void **state)
{
	char line[64];

	(void)state;
	assert_true(shell_command("umount", "/srv/a b", line, sizeof(line)));
	assert_string_equal(line, "umount '/srv/a b'");
	assert_true(shell_command("umount", "/srv/$(x);*", line, sizeof(line)));
	assert_string_equal(line, "umount '/srv/$(x);*'");
	assert_true(shell_command("umount", "", line, sizeof(line)));
	assert_string_equal(line, "umount ''");
}

static void test_shell_quotes_a_quote(void **state)
{
	char line[64];

	(void)state;
	assert_true(shell_command("umount", "/srv/it's", line, sizeof(line)));
	assert_string_equal(line, "umount '/srv/it'\\''s'");
}

static void test_shell_without_room_gives_nothing(void **state)
{
	char line[16];

	(void)state;
	assert_true(shell_command("umount", "/srv/567", line, sizeof(line)));
	assert_false(shell_command("umount", "/srv/5678", line, sizeof(line)));
	assert_string_equal(line, "");
	assert_false(shell_command("umount", "/srv/ 56", line, sizeof(line)));
	assert_string_equal(line, "");
}

static void test_shell_word_is_whole_or_nothing(void **state)
{
	char word[SHELL_WORD_CHARS];
	char text[SHELL_WORD_CHARS + 1];

	(void)state;
	assert_string_equal(shell_word("/mnt/a stick", word), "'/mnt/a stick'");
	memset(text, 'a', sizeof(text));
	text[SHELL_WORD_CHARS - 1] = '\0';
	assert_string_equal(shell_word(text, word), text);
	text[SHELL_WORD_CHARS - 1] = 'a';
	text[SHELL_WORD_CHARS] = '\0';
	assert_string_equal(shell_word(text, word), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shell_leaves_a_plain_path),
		cmocka_unit_test(test_shell_quotes_what_is_not_one_word),
		cmocka_unit_test(test_shell_quotes_a_quote),
		cmocka_unit_test(test_shell_without_room_gives_nothing),
		cmocka_unit_test(test_shell_word_is_whole_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
