/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proofs that outlast the unlocking: when a disk is opened with its stored key, the digest of its
 * header is noted under /run. As long as the header stays as it was, the key in the vault still
 * opens it, and a locked vault need not be unlocked to close the disk.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "file.h"
#include "kdf.h"
#include "name_list.h"
#include "number.h"

/* ROOT/run/coffer/proof/NAME. */
static cof_result proof_path(const struct paths *paths, const char *name, char **ret_path,
			     struct cof_error *err)
{
	return path_format(ret_path, err, "%s/run/coffer/proof/%s", paths->root, name);
}

/* The digest of a header copy as hex. */
static cof_result digest_of(struct span copy, char out[static 2 * SHA256_BYTES + 1],
			    struct cof_error *err)
{
	uint8_t digest[SHA256_BYTES];

	TRY(sha256(copy, digest, err));
	(void)hex_format(digest, sizeof(digest), out);
	return COF_OK;
}

cof_result disk_proof_write(const struct paths *paths, const char *name, struct span copy,
			    struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *path = NULL;
	char digest[2 * SHA256_BYTES + 1];

	TRY(digest_of(copy, digest, err));
	TRY(path_format(&folder, err, "%s/run/coffer/proof", paths->root));
	TRY(folder_make(folder, 0700, err));
	TRY(proof_path(paths, name, &path, err));
	return file_replace(path, span_of_text(digest), 0600, err);
}

cof_result disk_proof_holds(const struct paths *paths, const char *name, const char *source,
			    bool *ret_holds, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	char noted[2 * SHA256_BYTES + 1];
	char digest[2 * SHA256_BYTES + 1];

	*ret_holds = false;
	TRY(proof_path(paths, name, &path, err));
	if (!path_exists(path))
		return COF_OK;
	TRY(file_read_line(path, noted, sizeof(noted), err));
	if (cof_failed(luks_copy_header(source, &copy, NULL)))
		return COF_OK; /* no header to speak of any more: that is the answer */
	TRY(digest_of(buffer_span(&copy), digest, err));
	*ret_holds = strcmp(noted, digest) == 0;
	return COF_OK;
}

bool disk_proof_exists(const struct paths *paths, const char *name)
{
	_cleanup_free_ char *path = NULL;

	return !cof_failed(proof_path(paths, name, &path, NULL)) && path_exists(path);
}

cof_result disk_proof_names(const struct paths *paths, char ***ret_names, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	bool found;

	TRY(path_format(&folder, err, "%s/run/coffer/proof", paths->root));
	return name_list_of_folder(folder, ret_names, &found, err);
}

void disk_proof_remove(const struct paths *paths, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (!cof_failed(proof_path(paths, name, &path, NULL)))
		(void)unlink(path);
}

void disk_proof_renew(const struct paths *paths, const char *name, const char *source)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	if (disk_proof_exists(paths, name) && !cof_failed(luks_copy_header(source, &copy, NULL)))
		cof_ignore(disk_proof_write(paths, name, buffer_span(&copy), NULL));
}
