/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_RECIPE_H
#define COF_STORE_RECIPE_H

/*
 * Which chunks a stream consists of: a list; a long one is cut into chunks itself, and so on until
 * few are left. Pure: storing and loading is the caller's. doc/format-store.md, section 6.1.
 */

#include "pack_code.h"

#define RECIPE_ROOT_MAX	  32   /* references in a root */
#define RECIPE_LIST_MAX	  1024 /* in a stored list */
#define RECIPE_LEVELS_MAX 8    /* 32 * 16^7 references at the least */
#define RECIPE_REF_BYTES  (STORE_ID_BYTES + 8)

/** struct recipe_ref - one chunk: @bytes of the stream are in it or below it */
struct recipe_ref {
	uint8_t id[STORE_ID_BYTES];
	uint64_t bytes;
};

/** struct recipe_root - a whole stream. @level: 0: the references are data, else lists */
struct recipe_root {
	uint8_t level;
	uint8_t count;
	uint64_t bytes;
	struct recipe_ref refs[RECIPE_ROOT_MAX];
};

/** recipe_store - keep a list as a chunk */
typedef cof_result (*recipe_store)(struct span list, uint8_t ret_id[static STORE_ID_BYTES],
				   void *context, struct cof_error *err);

/** struct recipe - one being made; { .store = ... } is empty; recipe_done() frees */
struct recipe {
	recipe_store store;
	void *context;
	struct buffer levels[RECIPE_LEVELS_MAX]; /* struct recipe_ref each */
};

void recipe_done(struct recipe *recipe);
/** recipe_add() - the next chunk of the stream. Fails: as @store, COF_E_NOMEM */
cof_result recipe_add(struct recipe *recipe, const struct recipe_ref *ref, struct cof_error *err);
/** recipe_finish() - the root; the recipe is empty afterwards. Fails: as recipe_add() */
cof_result recipe_finish(struct recipe *recipe, struct recipe_root *ret_root,
			 struct cof_error *err);

/** recipe_root_encode() - append a root. Fails: COF_E_NOMEM */
cof_result recipe_root_encode(const struct recipe_root *root, struct buffer *out,
			      struct cof_error *err);
/** recipe_root_decode() - Fails: COF_E_FORMAT */
cof_result recipe_root_decode(struct reader *reader, struct recipe_root *ret_root,
			      struct cof_error *err);
/** recipe_list_decode() - the references of a stored list. @refs: room for RECIPE_LIST_MAX.
 * Fails: COF_E_FORMAT */
cof_result recipe_list_decode(struct span list, const char *subject, struct recipe_ref *refs,
			      size_t *ret_count, struct cof_error *err);

/** recipe_load - the content of a list; @ret_list: borrowed by the caller, who runs buffer_done()
 */
typedef cof_result (*recipe_load)(const uint8_t id[static STORE_ID_BYTES], struct buffer *ret_list,
				  void *context, struct cof_error *err);
/** recipe_visit - one reference; @level 0 is data, others are lists, told before what is in them */
typedef cof_result (*recipe_visit)(const struct recipe_ref *ref, unsigned int level, void *context,
				   struct cof_error *err);

/** recipe_each() - all references of a stream, in order. Fails: as @load and @visit;
 * COF_E_FORMAT (a list has another length than its reference says) */
cof_result recipe_each(const struct recipe_root *root, recipe_load load, recipe_visit visit,
		       void *context, struct cof_error *err);

#endif
