/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_BUFFER_H
#define COF_BASE_BUFFER_H

/*
 * Bounded bytes: a borrowed span, a growing buffer, and a reader that cannot run over the end.
 * None of these is for secrets: they live in crypto/secret.h.
 */

#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "result.h"

/** struct span - bytes that somebody else owns */
struct span {
	const uint8_t *data;
	size_t len;
};

#define SPAN(pointer, length) ((struct span){ (const uint8_t *)(pointer), (length) })

/** span_of_text() - the bytes of @text without the NUL */
struct span span_of_text(const char *text);

/** struct buffer - bytes that grow; { 0 } is empty and valid; buffer_done() frees */
struct buffer {
	uint8_t *data;
	size_t len;
	size_t room_bytes;
};

void buffer_done(struct buffer *buffer);
#define _cleanup_buffer_ _cleanup_(buffer_done)

/** buffer_reserve() - make room for @more_bytes after the end. Fails: COF_E_NOMEM */
cof_result buffer_reserve(struct buffer *buffer, size_t more_bytes, struct cof_error *err);
/** buffer_add() - append @len bytes. Fails: COF_E_NOMEM */
cof_result buffer_add(struct buffer *buffer, const void *data, size_t len, struct cof_error *err);
/** buffer_add_text() - append printf-formatted text (no NUL is counted). Fails: COF_E_NOMEM */
cof_result buffer_add_text(struct buffer *buffer, struct cof_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
cof_result buffer_add_u8(struct buffer *buffer, uint8_t value, struct cof_error *err);
/* Big-endian, as all of coffer's formats are. */
cof_result buffer_add_be16(struct buffer *buffer, uint16_t value, struct cof_error *err);
cof_result buffer_add_be32(struct buffer *buffer, uint32_t value, struct cof_error *err);
cof_result buffer_add_be64(struct buffer *buffer, uint64_t value, struct cof_error *err);

/** buffer_span() - the content, borrowed until the next change */
struct span buffer_span(const struct buffer *buffer);

/**
 * struct reader - reads a span from front to back; every read fails with COF_E_FORMAT past the end
 * @rest:    what is not read yet
 * @subject: what the errors name; borrowed
 */
struct reader {
	struct span rest;
	const char *subject;
};

struct reader reader_of(struct span bytes, const char *subject);
/** reader_take() - the next @len bytes, borrowed from the span */
cof_result reader_take(struct reader *reader, size_t len, struct span *ret_bytes,
		       struct cof_error *err);
/** reader_copy() - the next @len bytes, copied to @out */
cof_result reader_copy(struct reader *reader, uint8_t *out, size_t len, struct cof_error *err);
cof_result reader_u8(struct reader *reader, uint8_t *ret_value, struct cof_error *err);
cof_result reader_be16(struct reader *reader, uint16_t *ret_value, struct cof_error *err);
cof_result reader_be32(struct reader *reader, uint32_t *ret_value, struct cof_error *err);
cof_result reader_be64(struct reader *reader, uint64_t *ret_value, struct cof_error *err);

#endif
