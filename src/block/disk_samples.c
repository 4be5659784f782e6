/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether data are what they were, told by pieces of them.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "disk_job.h"
#include "file.h"
#include "kdf.h"
#include "number.h"
#include "sector.h"

#define PIECES	    256
#define PIECE_BYTES 4096

/* How the data are read. */
struct sampling {
	int fd;
	const char *node;
	uint64_t offset_bytes; /* of the data on the device */
	uint64_t iv_offset;
	uint32_t sector_bytes;
	struct sector_cipher *cipher; /* NULL: they are plain */
};

static void sampling_done(struct sampling *sampling)
{
	fd_closep(&sampling->fd);
	sector_cipher_free(sampling->cipher);
}

/* Opens the header with the key and takes over what it says. */
static cof_result sampling_unlock(struct sampling *sampling, const struct slot_secret *key,
				  struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	struct sector_spec spec;
	struct luks_info info;

	TRY(luks_read(sampling->node, NULL, &info, err));
	TRY(luks_unlock(sampling->node, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL, err));
	TRY(sector_spec_parse(info.cipher, info.cipher_mode, volume_key->secret.len, &spec, err));
	TRY(sector_cipher_new(&spec, volume_key, &sampling->cipher, err));
	sampling->offset_bytes = info.data_offset_bytes;
	sampling->iv_offset = info.iv_offset;
	sampling->sector_bytes = info.sector_bytes;
	return COF_OK;
}

/* Reads one piece, decrypted. */
static cof_result read_piece(const struct sampling *sampling, uint64_t at_bytes, uint8_t *out,
			     struct cof_error *err)
{
	TRY(fd_pread_all(sampling->fd, out, PIECE_BYTES, sampling->offset_bytes + at_bytes,
			 sampling->node, err));
	if (!sampling->cipher)
		return COF_OK;
	return sector_cipher_decrypt(sampling->cipher, sampling->iv_offset + at_bytes / 512,
				     sampling->sector_bytes, out, out, PIECE_BYTES, err);
}

cof_result disk_samples(const char *node, const struct slot_secret *key, uint64_t data_bytes,
			char out[static JOB_PROOF_CHARS + 1], struct cof_error *err)
{
	_cleanup_(sampling_done) struct sampling sampling = { .fd = -1, .node = node };
	_cleanup_buffer_ struct buffer pieces = { 0 };
	uint64_t last = (data_bytes - PIECE_BYTES) / PIECE_BYTES;
	uint8_t digest[SHA256_BYTES];

	sampling.fd = open(node, O_RDONLY | O_CLOEXEC);
	if (sampling.fd < 0)
		return cof_raise_errno(err, errno, node, "cannot be opened");
	if (key)
		TRY(sampling_unlock(&sampling, key, err));
	TRY(buffer_reserve(&pieces, (size_t)PIECES * PIECE_BYTES, err));
	for (uint64_t i = 0; i < PIECES; i++) {
		/* In this order, since last * i may not fit: last / (PIECES - 1) loses nothing that
		 * matters but the very last piece, which is named. */
		uint64_t at = i == PIECES - 1 ? last : last / (PIECES - 1) * i;

		TRY(read_piece(&sampling, at * PIECE_BYTES, pieces.data + pieces.len, err));
		pieces.len += PIECE_BYTES;
	}
	TRY(sha256(buffer_span(&pieces), digest, err));
	(void)hex_format(digest, sizeof(digest), out);
	return COF_OK;
}

cof_result disk_compare_samples(const struct changing *changing, const struct slot_secret *key,
				struct cof_error *err)
{
	char now[JOB_PROOF_CHARS + 1];

	if (!changing->job.proof[0])
		return COF_OK;
	TRY(disk_samples(changing->node, key, changing->job.data_bytes, now, err));
	if (strcmp(now, changing->job.proof) == 0)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_FAILED, changing->disk->name,
			     "its data are not what they were before: %d pieces of them were "
			     "compared",
			     PIECES));
	cof_error_cause(err, "somebody wrote to %s meanwhile, or the device loses what is written",
			changing->node);
	if (!key)
		return (cof_result){ COF_E_FAILED };
	cof_error_try(err,
		      "coffer disk open %s --force --read-only, to look at them; without "
		      "--read-only it takes them as they are",
		      changing->disk->name);
	return (cof_result){ COF_E_FAILED };
}
