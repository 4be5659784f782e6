/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting and getting one stream of bytes.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "fetch.h"
#include "file.h"
#include "ingest.h"

/* ---- put ---- */

/* A put under way. */
struct putting {
	struct ingest *ingest;
	struct recipe recipe;
};

static void putting_done(struct putting *putting)
{
	ingest_free(putting->ingest);
	recipe_done(&putting->recipe);
}

/* A recipe_store. */
static cof_result store_list(struct span list, uint8_t ret_id[static STORE_ID_BYTES], void *context,
			     struct cof_error *err)
{
	struct putting *putting = context;

	return ingest_store(putting->ingest, CHUNK_LIST, list, ret_id, err);
}

/* Of struct ingest_sink. */
static cof_result note_chunk(const struct recipe_ref *ref, void *context, struct cof_error *err)
{
	struct putting *putting = context;

	return recipe_add(&putting->recipe, ref, err);
}

/* Reads a file descriptor to its end. */
static cof_result read_all(struct putting *putting, int fd, uint64_t total_bytes,
			   struct progress *progress, uint64_t *ret_bytes, struct cof_error *err)
{
	uint64_t done_bytes = 0;
	uint8_t *out = NULL;
	size_t room = 0;
	ssize_t got;

	for (;;) {
		TRY(ingest_room(putting->ingest, &out, &room, err));
		got = read(fd, out, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cof_raise_errno(err, errno, "input", "cannot be read");
		if (got == 0)
			break;
		TRY(ingest_wrote(putting->ingest, (size_t)got, err));
		done_bytes += (uint64_t)got;
		progress_amount(progress, 0, done_bytes, total_bytes);
	}
	*ret_bytes = done_bytes;
	return ingest_end(putting->ingest, err);
}

cof_result store_put_stream(struct store *store, const char *name, int fd, uint64_t total_bytes,
			    struct progress *progress, struct store_result *ret_result,
			    struct cof_error *err)
{
	_cleanup_(putting_done) struct putting putting = { .recipe.store = store_list };
	struct ingest_sink sink = { .chunk = note_chunk, .context = &putting };
	struct store_result result = { .version.kind = VERSION_STREAM };
	struct version *version = &result.version;

	putting.recipe.context = &putting;
	TRY(store_begin_put(store, name, version, &result.rotated, err));
	TRY(ingest_new(store, sink, &putting.ingest, err));
	TRY(read_all(&putting, fd, total_bytes, progress, &version->bytes, err));
	TRY(ingest_drain(putting.ingest, err));
	TRY(recipe_finish(&putting.recipe, &version->root, err));
	TRY(ingest_commit(putting.ingest, &version->new_bytes, err));
	TRY(catalogue_commit(store, version, err));
	*ret_result = result;
	return COF_OK;
}

cof_result store_begin_put(struct store *store, const char *name, struct version *version,
			   bool *ret_rotated, struct cof_error *err)
{
	struct version other;
	bool found = false;
	cof_result failure;

	TRY(version_check_name(name, err));
	TRY(store_find(store, name, &other, &found, err));
	if (found) {
		failure = cof_raise(err, COF_E_REFUSED, name,
				    "is the name of a version that is there already");
		cof_error_try(err, "another name, or `coffer store remove` first");
		return failure;
	}
	(void)snprintf(version->name, sizeof(version->name), "%s", name);
	version->created = store_now();
	return keyring_settle(store->keyring, version->created, ret_rotated, err);
}

/* ---- get ---- */

/* A get under way. */
struct getting {
	int fd;
	uint64_t done_bytes;
	uint64_t total_bytes;
	struct progress *progress;
};

/* Of struct fetch_sink. */
static cof_result write_bytes(struct span bytes, void *context, struct cof_error *err)
{
	struct getting *getting = context;

	TRY(fd_write_all(getting->fd, bytes, "output", err));
	getting->done_bytes += bytes.len;
	progress_amount(getting->progress, 0, getting->done_bytes, getting->total_bytes);
	return COF_OK;
}

cof_result store_get_stream(struct store *store, const char *name, int fd,
			    struct progress *progress, struct store_result *ret_result,
			    struct cof_error *err)
{
	_cleanup_(fetch_freep) struct fetch *fetch = NULL;
	struct getting getting = { .fd = fd, .progress = progress };
	struct fetch_sink sink = { .data = write_bytes, .context = &getting };
	struct store_result result = { 0 };
	bool found = false;

	TRY(store_find(store, name, &result.version, &found, err));
	if (!found)
		return store_raise_no_version(store, name, err);
	ENSURE(result.version.kind == VERSION_STREAM, err, COF_E_USAGE, name,
	       "is a tree, which cannot be one stream");
	getting.total_bytes = result.version.bytes;
	TRY(fetch_new(store, sink, &fetch, err));
	TRY(fetch_stream(fetch, &result.version.root, err));
	TRY(fetch_finish(fetch, err));
	*ret_result = result;
	return COF_OK;
}
