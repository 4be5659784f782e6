/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "recovery.h"

#define KEY_BYTES	 32
#define DATA_CHARS	 (RECOVERY_GROUP_CHARS - 1)
#define TYPED_CHARS	 (RECOVERY_GROUPS * RECOVERY_GROUP_CHARS) /* without separators: 65 */
#define LOOKS_LIKE_SLACK 5

#define DIGIT_BITS	 5
#define FIELD_SIZE	 32
#define FIELD_POLYNOMIAL 0x25 /* x^5 + x^2 + 1, primitive: doc/format-recovery-key.md, section 3   \
			       */

static const char alphabet[FIELD_SIZE] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Whether people put @c between groups. */
static bool is_separator(uint8_t c)
{
	return c == ' ' || c == '-' || c == '\t' || c == '\r' || c == '\n';
}

/* The upper case of an ASCII letter, whatever the locale. */
static uint8_t to_upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

/* The value of a typed character, FIELD_SIZE for one that no key has. */
static uint8_t digit_value(uint8_t c)
{
	uint8_t value = 0;

	c = to_upper(c);
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	while (value < FIELD_SIZE && (uint8_t)alphabet[value] != c)
		value++;
	return value;
}

/* Multiplies by x in GF(32). */
static uint8_t field_double(uint8_t value)
{
	return (uint8_t)((value << 1) ^ (value & 0x10 ? FIELD_POLYNOMIAL : 0));
}

/*
 * The check digit of group @group, counted from 0: its number from 1, plus x^1 to x^4 times the
 * data digits. The weights differ from each other and from the check digit's own weight of 1, so
 * that two characters that changed places are noticed; the number notices groups that did.
 */
static uint8_t check_digit(const uint8_t data[static DATA_CHARS], size_t group)
{
	uint8_t sum = 0;

	for (size_t i = DATA_CHARS; i > 0; i--)
		sum = field_double(sum ^ data[i - 1]);
	return sum ^ (uint8_t)(group + 1);
}

/* The 5 bits of @key from bit 5 * @index on, most significant first; zeros past its end. */
static uint8_t key_digit(const uint8_t key[static KEY_BYTES], size_t index)
{
	size_t bit = index * DIGIT_BITS;
	unsigned int high = key[bit / 8];
	unsigned int low = bit / 8 + 1 < KEY_BYTES ? key[bit / 8 + 1] : 0;

	return (high << 8 | low) >> (16 - DIGIT_BITS - bit % 8) & (FIELD_SIZE - 1);
}

/* Writes the key's one form from its digits, group after group with a dash between. */
static void write_text(const uint8_t digits[static TYPED_CHARS],
		       uint8_t text[static RECOVERY_TEXT_CHARS])
{
	for (size_t i = 0; i < TYPED_CHARS; i++) {
		if (i > 0 && i % RECOVERY_GROUP_CHARS == 0)
			*text++ = '-';
		*text++ = (uint8_t)alphabet[digits[i]];
	}
}

cof_result recovery_generate(struct slot_secret **ret_text, struct cof_error *err)
{
	_cleanup_secret_ struct secret *key = NULL;
	_cleanup_secret_ struct secret *digits = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *text = NULL;

	TRY(secret_random(KEY_BYTES, &key, err));
	TRY(secret_new(TYPED_CHARS, &digits, err));
	TRY(slot_secret_new(RECOVERY_TEXT_CHARS, &text, err));
	for (size_t group = 0; group < RECOVERY_GROUPS; group++) {
		uint8_t *at = digits->data + group * RECOVERY_GROUP_CHARS;

		for (size_t i = 0; i < DATA_CHARS; i++)
			at[i] = key_digit(key->data, group * DATA_CHARS + i);
		at[DATA_CHARS] = check_digit(at, group);
	}
	write_text(digits->data, text->secret.data);

	*ret_text = TAKE(text);
	return COF_OK;
}

/* How many characters are no separators. */
static size_t count_typed(struct span typed)
{
	size_t count = 0;

	for (size_t i = 0; i < typed.len; i++)
		count += !is_separator(typed.data[i]);
	return count;
}

bool recovery_looks_like(struct span typed)
{
	size_t count = count_typed(typed);

	for (size_t i = 0; i < typed.len; i++) {
		uint8_t c = to_upper(typed.data[i]);
		bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');

		if (!letter_or_digit && !is_separator(c))
			return false;
	}
	return count >= TYPED_CHARS - LOOKS_LIKE_SLACK && count <= TYPED_CHARS + LOOKS_LIKE_SLACK;
}

/* Fills @digits with the values of the first TYPED_CHARS characters; returns how many there are. */
static size_t read_digits(struct span typed, uint8_t digits[static TYPED_CHARS])
{
	size_t count = 0;

	for (size_t i = 0; i < typed.len && count < TYPED_CHARS; i++) {
		if (!is_separator(typed.data[i]))
			digits[count++] = digit_value(typed.data[i]);
	}
	return count;
}

/* Whether the group at @at, counted from 0, is one that recovery_generate() can have made. */
static bool group_is_right(const uint8_t at[static RECOVERY_GROUP_CHARS], size_t group)
{
	/* The last data character carries one bit of the key; the other four are zero. */
	const uint8_t unused_bits = group == RECOVERY_GROUPS - 1 ? 0x0f : 0;

	for (size_t i = 0; i < RECOVERY_GROUP_CHARS; i++) {
		if (at[i] >= FIELD_SIZE)
			return false;
	}
	return at[DATA_CHARS] == check_digit(at, group) && !(at[DATA_CHARS - 1] & unused_bits);
}

/* The number of the first of the @count / 5 whole groups that is wrong; if none, the next one's. */
static size_t first_wrong_group(const uint8_t *digits, size_t count)
{
	size_t group = 0;

	while ((group + 1) * RECOVERY_GROUP_CHARS <= count &&
	       group_is_right(digits + group * RECOVERY_GROUP_CHARS, group))
		group++;
	return group + 1;
}

/* Raises a wrong number of characters, with the place where one is probably missing or too many. */
static cof_result raise_wrong_count(size_t count, size_t first_wrong, struct cof_error *err)
{
	cof_result failure = cof_raise(err, COF_E_KEY, "recovery key",
				       "has %zu characters, must be %d", count, TYPED_CHARS);

	if (first_wrong <= RECOVERY_GROUPS)
		cof_error_cause(err, "the first group that is not right is group %zu", first_wrong);
	else
		cof_error_cause(err, "all %d groups are there, and something follows them",
				RECOVERY_GROUPS);
	return failure;
}

cof_result recovery_parse(struct span typed, struct slot_secret **ret_text, struct cof_error *err)
{
	_cleanup_secret_ struct secret *digits = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *text = NULL;
	size_t count = count_typed(typed);
	size_t first_wrong;

	TRY(secret_new(TYPED_CHARS, &digits, err));
	TRY(slot_secret_new(RECOVERY_TEXT_CHARS, &text, err));
	first_wrong = first_wrong_group(digits->data, read_digits(typed, digits->data));
	if (count != TYPED_CHARS)
		return raise_wrong_count(count, first_wrong, err);
	ENSURE(first_wrong > RECOVERY_GROUPS, err, COF_E_KEY, "recovery key",
	       "group %zu of %d has a typing error", first_wrong, RECOVERY_GROUPS);
	write_text(digits->data, text->secret.data);

	*ret_text = TAKE(text);
	return COF_OK;
}
