/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_BACKEND_H
#define COF_STORE_BACKEND_H

/*
 * Where a storage group's objects are. The code above this cannot tell which backend it is on.
 *
 * An object has a name "FOLDER/NAME" of lower-case letters, digits and dots, and is written once:
 * only what swap() writes is ever replaced. All functions are safe from any thread.
 */

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

struct backend;
struct upload;

/** struct mapping - an object in memory; backend_unmap() */
struct mapping {
	struct span bytes;
	void *handle; /* the backend's own */
};

/** backend_visit - one object: @name without its folder; borrowed */
typedef cof_result (*backend_visit)(const char *name, uint64_t size_bytes, void *context,
				    struct cof_error *err);

/**
 * struct backend_ops - what a backend does
 * @free:    closes it
 * @put:     a new object, durable when this returns. Fails: COF_E_REFUSED (it is there already)
 * @upload:  the same for a large object that comes piece by piece: nothing is seen of it before
 *           @upload_finish
 * @upload_add: append; all pieces but the last are multiples of BACKEND_ALIGN_BYTES long and
 *           aligned to it in memory
 * @upload_finish: the object gets its name, its content durable; the name is durable after @sync.
 *           Fails: COF_E_REFUSED (it is there already)
 * @upload_free: forgets what was not finished; NULL is fine
 * @sync:    make durable which names a folder has
 * @get:     @len bytes at @offset_bytes. Fails: COF_E_NOENT, COF_E_FORMAT (ends before)
 * @size:    length of an object; @ret_found is false where there is none
 * @map:     a whole object in memory, for reading. Fails: COF_E_NOENT
 * @unmap:   the end of that
 * @remove:  not there is success; durable when this returns
 * @list:    every object of a folder, in no order; a missing folder has none
 * @swap:    replace a small object if it still has the content @expected; @expected empty: if
 *           there is none; durable when this returns. @ret_swapped is false when it had another
 *           content
 * @lock:    a lock between processes that ends with its holder at the latest.
 *           Fails: COF_E_BUSY (held by another for @timeout_ms)
 * @unlock:  gives it back; -1 is fine
 * All fail as well with COF_E_IO, COF_E_NOSPC, COF_E_NOMEM.
 */
struct backend_ops {
	void (*free)(struct backend *backend);
	cof_result (*put)(struct backend *backend, const char *name, struct span content,
			  struct cof_error *err);
	cof_result (*upload)(struct backend *backend, const char *name, struct upload **ret_upload,
			     struct cof_error *err);
	cof_result (*upload_add)(struct upload *upload, struct span piece, struct cof_error *err);
	cof_result (*upload_finish)(struct upload *upload, struct cof_error *err);
	void (*upload_free)(struct upload *upload);
	cof_result (*sync)(struct backend *backend, const char *folder, struct cof_error *err);
	cof_result (*get)(struct backend *backend, const char *name, uint64_t offset_bytes,
			  uint8_t *out, size_t len, struct cof_error *err);
	cof_result (*size)(struct backend *backend, const char *name, uint64_t *ret_size_bytes,
			   bool *ret_found, struct cof_error *err);
	cof_result (*map)(struct backend *backend, const char *name, struct mapping *ret_mapping,
			  struct cof_error *err);
	void (*unmap)(struct mapping *mapping);
	cof_result (*remove)(struct backend *backend, const char *name, struct cof_error *err);
	cof_result (*list)(struct backend *backend, const char *folder, backend_visit visit,
			   void *context, struct cof_error *err);
	cof_result (*swap)(struct backend *backend, const char *name, struct span expected,
			   struct span content, bool *ret_swapped, struct cof_error *err);
	cof_result (*lock)(struct backend *backend, const char *name, unsigned int timeout_ms,
			   int *ret_lock, struct cof_error *err);
	void (*unlock)(struct backend *backend, int lock);
};

#define BACKEND_ALIGN_BYTES 4096 /* what direct I/O wants: the largest logical block in use */

/** struct backend - one place; a backend's own structure begins with it
 * @place: what errors call it; owned by the backend */
struct backend {
	const struct backend_ops *ops;
	const char *place;
};

/** backend_get_small() - a whole small object. Fails: COF_E_NOENT, COF_E_FORMAT (more than
 * @max_bytes), COF_E_IO, COF_E_NOMEM */
cof_result backend_get_small(struct backend *backend, const char *name, size_t max_bytes,
			     struct buffer *ret_content, struct cof_error *err);

void backend_free(struct backend *backend);
DEFINE_FREEP(struct backend, backend_freep, backend_free)

/**
 * backend_file_open() - a folder of a file system
 * @folder: may be missing if @create, which makes it with mode 0700
 * Durable as the file system is: content is fsynced before it gets its name, folders after.
 * Fails: COF_E_NOENT, COF_E_REFUSED (others may write to it), COF_E_IO, COF_E_NOSPC
 */
cof_result backend_file_open(const char *folder, bool create, struct backend **ret_backend,
			     struct cof_error *err);

#endif
