/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "compress.h"

#include <zstd.h>

#define LEVEL	    1
#define PROBE_BYTES 4096	      /* of the chunk's middle; doc/decisions/store.md */
#define PROBE_FROM  (4 * PROBE_BYTES) /* for less, the probe costs as much as the work */
/* What is kept must save a thirty-second: reading it costs time each time. */
#define WORTH(plain_bytes) ((plain_bytes) - (plain_bytes) / 32)

struct compressor {
	ZSTD_CCtx *in;
	ZSTD_DCtx *out;
	struct buffer packed;
};

void compressor_free(struct compressor *compressor)
{
	if (!compressor)
		return;
	(void)ZSTD_freeCCtx(compressor->in);
	(void)ZSTD_freeDCtx(compressor->out);
	buffer_done(&compressor->packed);
	free(compressor);
}

cof_result compressor_new(struct compressor **ret_compressor, struct cof_error *err)
{
	_cleanup_(compressor_freep) struct compressor *compressor = calloc(1, sizeof(*compressor));

	ENSURE(compressor, err, COF_E_NOMEM, NULL, "no memory for a compressor");
	compressor->in = ZSTD_createCCtx();
	compressor->out = ZSTD_createDCtx();
	ENSURE(compressor->in && compressor->out, err, COF_E_NOMEM, NULL,
	       "no memory for a compressor");
	*ret_compressor = TAKE(compressor);
	return COF_OK;
}

/* One frame in the compressor's buffer. */
static cof_result run(struct compressor *compressor, struct span plain, size_t *ret_len,
		      struct cof_error *err)
{
	size_t room_bytes = ZSTD_compressBound(plain.len);
	size_t done;

	compressor->packed.len = 0;
	TRY(buffer_reserve(&compressor->packed, room_bytes, err));
	done = ZSTD_compressCCtx(compressor->in, compressor->packed.data, room_bytes, plain.data,
				 plain.len, LEVEL);
	ENSURE(!ZSTD_isError(done), err, COF_E_FAILED, NULL, "zstd: %s", ZSTD_getErrorName(done));
	*ret_len = done;
	return COF_OK;
}

cof_result compressor_pack(struct compressor *compressor, struct span plain,
			   struct span *ret_packed, struct cof_error *err)
{
	size_t len = 0;

	*ret_packed = SPAN(NULL, 0);
	if (plain.len >= PROBE_FROM) {
		struct span middle = SPAN(plain.data + (plain.len - PROBE_BYTES) / 2, PROBE_BYTES);

		TRY(run(compressor, middle, &len, err));
		if (len > WORTH(PROBE_BYTES))
			return COF_OK;
	}
	TRY(run(compressor, plain, &len, err));
	if (len <= WORTH(plain.len) && len < plain.len)
		*ret_packed = SPAN(compressor->packed.data, len);
	return COF_OK;
}

cof_result compressor_unpack(struct compressor *compressor, struct span packed, uint8_t *out,
			     size_t plain_bytes, const char *subject, struct cof_error *err)
{
	size_t done =
		ZSTD_decompressDCtx(compressor->out, out, plain_bytes, packed.data, packed.len);

	ENSURE(!ZSTD_isError(done), err, COF_E_FORMAT, subject, "does not decompress: %s",
	       ZSTD_getErrorName(done));
	ENSURE(done == plain_bytes, err, COF_E_FORMAT, subject,
	       "decompresses to %zu bytes, must be %zu", done, plain_bytes);
	return COF_OK;
}
