/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proofs that outlast the unlocking: when a disk is opened with its stored key, the digest of its
 * header is noted under /run, with the state of the vault that the key is from. As long as header
 * and record stay as they were, the key in the vault still opens it, and a locked vault need not be
 * unlocked to close the disk. An older vault that was put back may have another key.
 */

#include <inttypes.h>
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

/* What a note holds. */
struct noted {
	char header[2 * SHA256_BYTES + 1];
	struct vault_position position;
};

/* Reads a note; one that is not of this form proves nothing. */
static bool read_noted(const char *path, struct noted *ret_noted)
{
	char line[256];
	char digest[2 * SHA256_BYTES + 1] = "";
	unsigned long long generation = 0;
	unsigned long long revision = 0;
	int read = 0;

	if (!cof_failed(file_read_line(path, line, sizeof(line), NULL)))
		read = sscanf(line, "%64s %" SCNu32 " %llu %llu %64s", ret_noted->header,
			      &ret_noted->position.epoch, &revision, &generation, digest);
	ret_noted->position.revision = revision;
	ret_noted->position.generation = generation;
	return read == 5 && !cof_failed(hex_parse(digest, ret_noted->position.digest,
						  sizeof(ret_noted->position.digest), NULL));
}

/* Whether the vault's record is the noted one or came after it. A revocation seals it anew. */
static bool is_same_or_later(const struct vault_position *now, const struct vault_position *noted)
{
	if (now->epoch != noted->epoch)
		return now->epoch > noted->epoch;
	if (now->generation != noted->generation)
		return now->generation > noted->generation;
	return memcmp(now->digest, noted->digest, sizeof(now->digest)) == 0;
}

cof_result disk_proof_write(struct vault *vault, const struct paths *paths, const char *name,
			    struct span copy, struct cof_error *err)
{
	struct vault_position position;
	_cleanup_buffer_ struct buffer note = { 0 };
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *path = NULL;
	char header[2 * SHA256_BYTES + 1];
	char digest[2 * SHA256_BYTES + 1];

	TRY(vault_locate(vault, DISK_KIND, name, &position, err));
	TRY(digest_of(copy, header, err));
	(void)hex_format(position.digest, sizeof(position.digest), digest);
	TRY(buffer_add_text(&note, err, "%s %" PRIu32 " %llu %llu %s", header, position.epoch,
			    (unsigned long long)position.revision,
			    (unsigned long long)position.generation, digest));
	TRY(path_format(&folder, err, "%s/run/coffer/proof", paths->root));
	TRY(folder_make(folder, 0700, err));
	TRY(proof_path(paths, name, &path, err));
	return file_replace(path, buffer_span(&note), 0600, err);
}

cof_result disk_proof_holds(struct vault *vault, const struct paths *paths, const char *name,
			    const char *source, bool *ret_holds, bool *ret_older,
			    struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	struct vault_position now;
	struct noted noted;
	char header[2 * SHA256_BYTES + 1];

	*ret_holds = false;
	*ret_older = false;
	TRY(proof_path(paths, name, &path, err));
	if (!path_exists(path) || !read_noted(path, &noted))
		return COF_OK;
	TRY(vault_locate(vault, DISK_KIND, name, &now, err));
	*ret_older = now.epoch < noted.position.epoch ||
		     (now.epoch == noted.position.epoch && now.revision < noted.position.revision);
	if (cof_failed(luks_copy_header(source, &copy, NULL)))
		return COF_OK; /* no header to speak of any more: that is the answer */
	TRY(digest_of(buffer_span(&copy), header, err));
	*ret_holds = strcmp(noted.header, header) == 0 && is_same_or_later(&now, &noted.position);
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

void disk_proof_renew(struct vault *vault, const struct paths *paths, const char *name,
		      const char *source)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	if (disk_proof_exists(paths, name) && !cof_failed(luks_copy_header(source, &copy, NULL)))
		cof_ignore(disk_proof_write(vault, paths, name, buffer_span(&copy), NULL));
}
