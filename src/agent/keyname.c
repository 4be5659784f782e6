/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which volume a client of the key server asks for.
 */

#include <string.h>

#include "keyname.h"

#define SUBJECT		 "key server client"
#define MARK		 "/cryptsetup/"
#define MARK_BYTES	 (sizeof(MARK) - 1)
#define NONCE_MAX_DIGITS 16 /* 64 bits in hex */

/* How many bytes at the front of @bytes are lower-case or upper-case hex digits. */
static size_t count_hex(struct span bytes)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t count = 0;

	while (count < bytes.len && bytes.data[count] != '\0' && strchr(digits, bytes.data[count]))
		count++;
	return count;
}

static cof_result check_name(struct span name, struct cof_error *err)
{
	ENSURE(name.len >= 1 && name.len <= KEYNAME_MAX_BYTES, err, COF_E_FORMAT, SUBJECT,
	       "volume name is %zu bytes, must be 1 to %d", name.len, KEYNAME_MAX_BYTES);
	for (size_t i = 0; i < name.len; i++)
		ENSURE(name.data[i] > ' ' && name.data[i] < 0x7f && name.data[i] != '/', err,
		       COF_E_FORMAT, SUBJECT, "volume name has byte 0x%02x at %zu", name.data[i],
		       i);
	ENSURE(name.data[0] != '.' || (name.len > 1 && (name.data[1] != '.' || name.len > 2)), err,
	       COF_E_FORMAT, SUBJECT, "volume name is a folder's");
	return COF_OK;
}

cof_result keyname_parse(struct span address, char out[static KEYNAME_MAX_BYTES + 1],
			 struct cof_error *err)
{
	struct reader reader = reader_of(address, SUBJECT);
	struct span part = { 0 };
	uint8_t first = 0;

	TRY(reader_u8(&reader, &first, err));
	ENSURE(first == '\0', err, COF_E_FORMAT, SUBJECT, "address is not an abstract one");
	TRY(reader_take(&reader, count_hex(reader.rest), &part, err));
	ENSURE(part.len >= 1 && part.len <= NONCE_MAX_DIGITS, err, COF_E_FORMAT, SUBJECT,
	       "address starts with %zu hex digits, must be 1 to %d", part.len, NONCE_MAX_DIGITS);
	TRY(reader_take(&reader, MARK_BYTES, &part, err));
	ENSURE(memcmp(part.data, MARK, MARK_BYTES) == 0, err, COF_E_FORMAT, SUBJECT,
	       "address does not name a volume");
	TRY(check_name(reader.rest, err));

	memcpy(out, reader.rest.data, reader.rest.len);
	out[reader.rest.len] = '\0';
	return COF_OK;
}
