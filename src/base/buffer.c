/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"

#define BUFFER_FIRST_BYTES 256

struct span span_of_text(const char *text)
{
	return SPAN(text, strlen(text));
}

void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

cof_result buffer_reserve(struct buffer *buffer, size_t more_bytes, struct cof_error *err)
{
	size_t wanted;
	size_t room = buffer->room_bytes ? buffer->room_bytes : BUFFER_FIRST_BYTES;
	uint8_t *grown;

	ENSURE(!__builtin_add_overflow(buffer->len, more_bytes, &wanted) && wanted <= SIZE_MAX / 2,
	       err, COF_E_NOMEM, NULL, "%zu more bytes after %zu are too many", more_bytes,
	       buffer->len);
	if (wanted <= buffer->room_bytes)
		return COF_OK;
	while (room < wanted)
		room *= 2;
	grown = realloc(buffer->data, room);
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu bytes", room);
	buffer->data = grown;
	buffer->room_bytes = room;
	return COF_OK;
}

cof_result buffer_add(struct buffer *buffer, const void *data, size_t len, struct cof_error *err)
{
	if (len == 0)
		return COF_OK;
	TRY(buffer_reserve(buffer, len, err));
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	return COF_OK;
}

cof_result buffer_add_text(struct buffer *buffer, struct cof_error *err, const char *format, ...)
{
	va_list arguments;
	int needed;

	va_start(arguments, format);
	needed = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	ENSURE(needed >= 0, err, COF_E_FAILED, NULL, "text cannot be formatted");
	TRY(buffer_reserve(buffer, (size_t)needed + 1, err));
	va_start(arguments, format);
	(void)vsnprintf((char *)buffer->data + buffer->len, (size_t)needed + 1, format, arguments);
	va_end(arguments);
	buffer->len += (size_t)needed;
	return COF_OK;
}

/* Appends the low @bytes bytes of @value, most significant first. */
static cof_result add_big_endian(struct buffer *buffer, uint64_t value, size_t bytes,
				 struct cof_error *err)
{
	uint8_t encoded[8];

	for (size_t i = 0; i < bytes; i++)
		encoded[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	return buffer_add(buffer, encoded, bytes, err);
}

cof_result buffer_add_u8(struct buffer *buffer, uint8_t value, struct cof_error *err)
{
	return add_big_endian(buffer, value, 1, err);
}

cof_result buffer_add_be16(struct buffer *buffer, uint16_t value, struct cof_error *err)
{
	return add_big_endian(buffer, value, 2, err);
}

cof_result buffer_add_be32(struct buffer *buffer, uint32_t value, struct cof_error *err)
{
	return add_big_endian(buffer, value, 4, err);
}

cof_result buffer_add_be64(struct buffer *buffer, uint64_t value, struct cof_error *err)
{
	return add_big_endian(buffer, value, 8, err);
}

struct span buffer_span(const struct buffer *buffer)
{
	return SPAN(buffer->data, buffer->len);
}

struct reader reader_of(struct span bytes, const char *subject)
{
	return (struct reader){ .rest = bytes, .subject = subject };
}

cof_result reader_take(struct reader *reader, size_t len, struct span *ret_bytes,
		       struct cof_error *err)
{
	ENSURE(len <= reader->rest.len, err, COF_E_FORMAT, reader->subject,
	       "ends too early: %zu bytes are left where %zu are needed", reader->rest.len, len);
	*ret_bytes = SPAN(reader->rest.data, len);
	reader->rest.data = len ? reader->rest.data + len : reader->rest.data;
	reader->rest.len -= len;
	return COF_OK;
}

cof_result reader_copy(struct reader *reader, uint8_t *out, size_t len, struct cof_error *err)
{
	struct span bytes = { 0 };

	TRY(reader_take(reader, len, &bytes, err));
	memcpy(out, bytes.data, len);
	return COF_OK;
}

/* The next @bytes bytes as one number, most significant first. */
static cof_result read_big_endian(struct reader *reader, size_t bytes, uint64_t *ret_value,
				  struct cof_error *err)
{
	struct span encoded;
	uint64_t value = 0;

	TRY(reader_take(reader, bytes, &encoded, err));
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | encoded.data[i];
	*ret_value = value;
	return COF_OK;
}

cof_result reader_u8(struct reader *reader, uint8_t *ret_value, struct cof_error *err)
{
	uint64_t value;

	TRY(read_big_endian(reader, 1, &value, err));
	*ret_value = (uint8_t)value;
	return COF_OK;
}

cof_result reader_be16(struct reader *reader, uint16_t *ret_value, struct cof_error *err)
{
	uint64_t value;

	TRY(read_big_endian(reader, 2, &value, err));
	*ret_value = (uint16_t)value;
	return COF_OK;
}

cof_result reader_be32(struct reader *reader, uint32_t *ret_value, struct cof_error *err)
{
	uint64_t value;

	TRY(read_big_endian(reader, 4, &value, err));
	*ret_value = (uint32_t)value;
	return COF_OK;
}

cof_result reader_be64(struct reader *reader, uint64_t *ret_value, struct cof_error *err)
{
	return read_big_endian(reader, 8, ret_value, err);
}
