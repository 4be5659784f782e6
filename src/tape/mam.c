/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "mam.h"

#define LOG_HEAD_BYTES	      4
#define LOG_FIRST_ENCRYPTED   0x0200 /* SSC-4, volume statistics log page */
#define LOG_FIRST_CLEAR	      0x0201
#define LOG_RECORD_HEAD_BYTES 4 /* length, reserved, partition */

cof_result mam_find(struct span answer, uint16_t id, struct mam_attribute *ret_attribute,
		    bool *ret_found, struct cof_error *err)
{
	struct reader reader = reader_of(answer, "attributes of the tape");
	uint32_t available;

	TRY(reader_be32(&reader, &available, err));
	if (reader.rest.len > available)
		reader.rest.len = available;
	*ret_found = false;
	while (reader.rest.len >= 5) {
		struct mam_attribute attribute;
		uint16_t len;
		uint8_t flags;

		TRY(reader_be16(&reader, &attribute.id, err));
		TRY(reader_u8(&reader, &flags, err));
		TRY(reader_be16(&reader, &len, err));
		if (len > reader.rest.len)
			len = (uint16_t)reader.rest.len;
		TRY(reader_take(&reader, len, &attribute.value, err));
		attribute.format = flags & 0x03;
		attribute.read_only = flags & 0x80;
		if (attribute.id != id)
			continue;
		*ret_attribute = attribute;
		*ret_found = true;
		break;
	}
	return COF_OK;
}

void mam_text(struct span value, char *out, size_t out_size_bytes)
{
	size_t len = value.len;

	while (len > 0 && (value.data[len - 1] == ' ' || value.data[len - 1] == '\0'))
		len--;
	if (len > out_size_bytes - 1)
		len = out_size_bytes - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = value.data[i] >= ' ' && value.data[i] < 0x7f ? (char)value.data[i] : '?';
	out[len] = '\0';
}

bool mam_object(struct span value, uint64_t *ret_object)
{
	uint64_t object = 0;
	bool ones = true;

	if (value.len == 0 || value.len > sizeof(object))
		return false;
	for (size_t i = 0; i < value.len; i++) {
		object = object << 8 | value.data[i];
		ones = ones && value.data[i] == 0xff;
	}
	*ret_object = object;
	return !ones;
}

cof_result mam_encode(const struct mam_attribute attributes[], size_t count, struct buffer *out,
		      struct cof_error *err)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		ENSURE(attributes[i].value.len <= UINT16_MAX, err, COF_E_FORMAT, NULL,
		       "an attribute of %zu bytes, at most %d", attributes[i].value.len,
		       UINT16_MAX);
		bytes += 5 + attributes[i].value.len;
	}
	TRY(buffer_add_be32(out, (uint32_t)bytes, err));
	for (size_t i = 0; i < count; i++) {
		TRY(buffer_add_be16(out, attributes[i].id, err));
		TRY(buffer_add_u8(out, attributes[i].format, err));
		TRY(buffer_add_be16(out, (uint16_t)attributes[i].value.len, err));
		TRY(buffer_add(out, attributes[i].value.data, attributes[i].value.len, err));
	}
	return COF_OK;
}

/* The position for partition 0 among the records of a parameter; false for none. */
static bool partition_object(struct span value, uint64_t *ret_object)
{
	while (value.len > LOG_RECORD_HEAD_BYTES) {
		size_t len = 1 + (size_t)value.data[0];
		bool first = value.data[2] == 0 && value.data[3] == 0;

		if (len > value.len)
			len = value.len;
		if (len <= LOG_RECORD_HEAD_BYTES)
			return false;
		if (first)
			return mam_object(SPAN(value.data + LOG_RECORD_HEAD_BYTES,
					       len - LOG_RECORD_HEAD_BYTES),
					  ret_object);
		value = SPAN(value.data + len, value.len - len);
	}
	return false;
}

cof_result volume_log_decode(struct span bytes, struct volume_log *ret_log, struct cof_error *err)
{
	struct reader reader = reader_of(bytes, "log page 17");
	struct volume_log log = { 0 };
	struct span value;
	uint8_t page;
	uint8_t subpage;
	uint16_t code;
	uint16_t len;
	uint8_t control;
	uint8_t value_len;

	TRY(reader_u8(&reader, &page, err));
	TRY(reader_u8(&reader, &subpage, err));
	TRY(reader_be16(&reader, &len, err));
	ENSURE((page & 0x3f) == LOG_VOLUME_STATISTICS, err, COF_E_FORMAT, reader.subject,
	       "is page %02x instead", page & 0x3f);
	if (reader.rest.len > len)
		reader.rest.len = len;
	while (reader.rest.len >= LOG_HEAD_BYTES) {
		TRY(reader_be16(&reader, &code, err));
		TRY(reader_u8(&reader, &control, err));
		TRY(reader_u8(&reader, &value_len, err));
		if (value_len > reader.rest.len)
			value_len = (uint8_t)reader.rest.len;
		TRY(reader_take(&reader, value_len, &value, err));
		if (code == LOG_FIRST_ENCRYPTED)
			log.has_encrypted = partition_object(value, &log.first_encrypted);
		else if (code == LOG_FIRST_CLEAR)
			log.has_clear = partition_object(value, &log.first_clear);
	}
	*ret_log = log;
	return COF_OK;
}
