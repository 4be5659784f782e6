/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sense.h"

#define TYPED_MAX_BYTES SENSE_MAX_BYTES
#define WHOLE_MIN_BYTES 8 /* the fixed part of sense data */

struct sense sense_decode(struct span bytes)
{
	uint8_t format = bytes.len ? bytes.data[0] & 0x7f : 0;

	/* SPC-4, 4.5.3: fixed; the codes are there as far as the additional length goes. */
	if ((format == 0x70 || format == 0x71) && bytes.len > 2) {
		size_t end = bytes.len > 7 ? 8 + (size_t)bytes.data[7] : 3;

		if (end > bytes.len)
			end = bytes.len;
		return (struct sense){
			.found = true,
			.deferred = format == 0x71,
			.key = bytes.data[2] & 0x0f,
			.asc = end > 12 ? bytes.data[12] : 0,
			.ascq = end > 13 ? bytes.data[13] : 0,
		};
	}
	/* 4.5.2: with descriptors. */
	if ((format == 0x72 || format == 0x73) && bytes.len > 3)
		return (struct sense){
			.found = true,
			.deferred = format == 0x73,
			.key = bytes.data[1] & 0x0f,
			.asc = bytes.data[2],
			.ascq = bytes.data[3],
		};
	return (struct sense){ 0 };
}

bool sense_is(struct sense sense, uint8_t asc, uint8_t ascq)
{
	return sense.found && sense.asc == asc && sense.ascq == ascq;
}

char *sense_format(struct sense sense, char out[static 12])
{
	if (sense.key == SENSE_KEY_ANY)
		(void)snprintf(out, 12, "%02X/%02X", sense.asc, sense.ascq);
	else
		(void)snprintf(out, 12, "%02X/%02X/%02X", sense.key & 0x0f, sense.asc, sense.ascq);
	return out;
}

/* One byte in hex and what follows it; NULL where there is none. */
static const char *take_byte(const char *text, uint8_t *ret_byte)
{
	unsigned int value = 0;
	int digits = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (; digits < 2 && isxdigit((unsigned char)*text); digits++, text++)
		value = value * 16 +
			(unsigned int)(isdigit((unsigned char)*text)
					       ? *text - '0'
					       : tolower((unsigned char)*text) - 'a' + 10);
	*ret_byte = (uint8_t)value;
	return digits ? text : NULL;
}

cof_result sense_parse(const char *text, struct sense *ret_sense, struct cof_error *err)
{
	uint8_t bytes[TYPED_MAX_BYTES];
	size_t count = 0;

	while (*text && count < sizeof(bytes)) {
		const char *next = take_byte(text, &bytes[count]);

		ENSURE(next, err, COF_E_USAGE, "sense", "is not hex bytes such as 05/26/00");
		count++;
		text = next + strspn(next, "/,: ");
		ENSURE(*text || text == next, err, COF_E_USAGE, "sense", "ends too early");
	}
	ENSURE(!*text, err, COF_E_USAGE, "sense", "has more than %d bytes", TYPED_MAX_BYTES);
	if (count >= WHOLE_MIN_BYTES) {
		struct sense sense = sense_decode(SPAN(bytes, count));

		ENSURE(sense.found, err, COF_E_USAGE, "sense",
		       "begins with %02x, sense data with 70 to 73", bytes[0]);
		*ret_sense = sense;
		return COF_OK;
	}
	ENSURE(count == 2 || (count == 3 && bytes[0] <= 0x0f), err, COF_E_USAGE, "sense",
	       "needs a key, a code and a qualifier, such as 05/26/00");
	*ret_sense = (struct sense){
		.found = true,
		.key = count == 2 ? SENSE_KEY_ANY : bytes[0],
		.asc = bytes[count - 2],
		.ascq = bytes[count - 1],
	};
	return COF_OK;
}

cof_result sense_raise(struct sense sense, const char *subject, const char *doing,
		       struct cof_error *err)
{
	struct sense_text text = sense_explain(sense);
	/* What is no failure by itself is one of the command that it has ended. */
	enum cof_code failure = text.code == COF_E_NONE ? COF_E_FAILED : text.code;
	char code[12];

	cof_ignore(cof_raise(err, failure, subject, "did not %s: sense %s", doing,
			     sense_format(sense, code)));
	cof_error_cause(err, "%s", text.cause);
	cof_error_try(err, "%s", text.remedy);
	return (cof_result){ failure };
}
