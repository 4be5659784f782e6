/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recipe.h"

#include <string.h>

#define LIST_MIN      16   /* references: shorter lists are not cut */
#define LIST_CUT_MASK 0x7f /* a list ends, on average, after 128 more */

void recipe_done(struct recipe *recipe)
{
	for (size_t i = 0; i < RECIPE_LEVELS_MAX; i++)
		buffer_done(&recipe->levels[i]);
}

static size_t count_of(const struct recipe *recipe, size_t level)
{
	return recipe->levels[level].len / sizeof(struct recipe_ref);
}

static cof_result encode_ref(const struct recipe_ref *ref, struct buffer *out,
			     struct cof_error *err)
{
	TRY(buffer_add(out, ref->id, STORE_ID_BYTES, err));
	return buffer_add_be64(out, ref->bytes, err);
}

static cof_result decode_ref(struct reader *reader, struct recipe_ref *ret_ref,
			     struct cof_error *err)
{
	struct span id = { 0 };

	TRY(reader_take(reader, STORE_ID_BYTES, &id, err));
	memcpy(ret_ref->id, id.data, STORE_ID_BYTES);
	TRY(reader_be64(reader, &ret_ref->bytes, err));
	ENSURE(ret_ref->bytes >= 1, err, COF_E_FORMAT, reader->subject,
	       "refers to a chunk of no bytes");
	return COF_OK;
}

/* Stores a level's list as one chunk, which becomes a reference of the next level. */
static cof_result store_list(struct recipe *recipe, size_t level, struct recipe_ref *ret_ref,
			     struct cof_error *err)
{
	const struct recipe_ref *refs = (const void *)recipe->levels[level].data;
	_cleanup_buffer_ struct buffer list = { 0 };
	size_t count = count_of(recipe, level);

	ret_ref->bytes = 0;
	for (size_t i = 0; i < count; i++) {
		TRY(encode_ref(&refs[i], &list, err));
		ret_ref->bytes += refs[i].bytes;
	}
	TRY(recipe->store(buffer_span(&list), ret_ref->id, recipe->context, err));
	recipe->levels[level].len = 0;
	return COF_OK;
}

cof_result recipe_add(struct recipe *recipe, const struct recipe_ref *ref, struct cof_error *err)
{
	struct recipe_ref next = *ref;

	for (size_t level = 0; level < RECIPE_LEVELS_MAX; level++) {
		size_t count;

		TRY(buffer_add(&recipe->levels[level], &next, sizeof(next), err));
		count = count_of(recipe, level);
		/* Where a list ends depends on what is in it, so that equal streams have equal
		 * lists. */
		if (count < RECIPE_LIST_MAX &&
		    (count < LIST_MIN || (next.id[STORE_ID_BYTES - 1] & LIST_CUT_MASK) != 0))
			return COF_OK;
		TRY(store_list(recipe, level, &next, err));
	}
	FAIL(err, COF_E_FORMAT, NULL, "a stream is too long");
}

/* Whether nothing is above a level. */
static bool is_top(const struct recipe *recipe, size_t level)
{
	for (size_t i = level + 1; i < RECIPE_LEVELS_MAX; i++)
		if (recipe->levels[i].len)
			return false;
	return true;
}

cof_result recipe_finish(struct recipe *recipe, struct recipe_root *ret_root, struct cof_error *err)
{
	struct recipe_root root = { 0 };
	size_t level = 0;

	while (count_of(recipe, level) > RECIPE_ROOT_MAX || !is_top(recipe, level)) {
		struct recipe_ref ref;

		ENSURE(level + 1 < RECIPE_LEVELS_MAX, err, COF_E_FORMAT, NULL,
		       "a stream is too long");
		if (count_of(recipe, level)) {
			TRY(store_list(recipe, level, &ref, err));
			TRY(buffer_add(&recipe->levels[level + 1], &ref, sizeof(ref), err));
		}
		level++;
	}
	root.level = (uint8_t)level;
	root.count = (uint8_t)count_of(recipe, level);
	if (root.count)
		memcpy(root.refs, recipe->levels[level].data, recipe->levels[level].len);
	for (size_t i = 0; i < root.count; i++)
		root.bytes += root.refs[i].bytes;
	recipe->levels[level].len = 0;
	*ret_root = root;
	return COF_OK;
}

cof_result recipe_root_encode(const struct recipe_root *root, struct buffer *out,
			      struct cof_error *err)
{
	TRY(buffer_add_u8(out, root->level, err));
	TRY(buffer_add_u8(out, root->count, err));
	TRY(buffer_add_be64(out, root->bytes, err));
	for (size_t i = 0; i < root->count; i++)
		TRY(encode_ref(&root->refs[i], out, err));
	return COF_OK;
}

cof_result recipe_root_decode(struct reader *reader, struct recipe_root *ret_root,
			      struct cof_error *err)
{
	struct recipe_root root = { 0 };
	uint64_t sum = 0;

	TRY(reader_u8(reader, &root.level, err));
	TRY(reader_u8(reader, &root.count, err));
	TRY(reader_be64(reader, &root.bytes, err));
	ENSURE(root.level < RECIPE_LEVELS_MAX && root.count <= RECIPE_ROOT_MAX &&
		       (root.count || !root.level),
	       err, COF_E_FORMAT, reader->subject, "has a recipe of %u references at level %u",
	       root.count, root.level);
	for (size_t i = 0; i < root.count; i++) {
		TRY(decode_ref(reader, &root.refs[i], err));
		ENSURE(!__builtin_add_overflow(sum, root.refs[i].bytes, &sum), err, COF_E_FORMAT,
		       reader->subject, "has a recipe of too many bytes");
	}
	ENSURE(sum == root.bytes, err, COF_E_FORMAT, reader->subject,
	       "has a recipe of %llu bytes instead of %llu", (unsigned long long)sum,
	       (unsigned long long)root.bytes);
	*ret_root = root;
	return COF_OK;
}

cof_result recipe_list_decode(struct span list, const char *subject, struct recipe_ref *refs,
			      size_t *ret_count, struct cof_error *err)
{
	struct reader reader = reader_of(list, subject);
	size_t count = list.len / RECIPE_REF_BYTES;

	ENSURE(list.len % RECIPE_REF_BYTES == 0 && count >= 1 && count <= RECIPE_LIST_MAX, err,
	       COF_E_FORMAT, subject, "is no list: it has %zu bytes", list.len);
	for (size_t i = 0; i < count; i++)
		TRY(decode_ref(&reader, &refs[i], err));
	*ret_count = count;
	return COF_OK;
}

/* One walk. */
struct walk {
	recipe_load load;
	recipe_visit visit;
	void *context;
};

/* One reference and all below it. */
static cof_result walk_ref(const struct walk *walk, const struct recipe_ref *ref,
			   unsigned int level, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer list = { 0 };
	_cleanup_free_ struct recipe_ref *refs = NULL;
	uint64_t sum = 0;
	size_t count = 0;

	TRY(walk->visit(ref, level, walk->context, err));
	if (level == 0)
		return COF_OK;
	TRY(walk->load(ref->id, &list, walk->context, err));
	refs = calloc(RECIPE_LIST_MAX, sizeof(*refs));
	ENSURE(refs, err, COF_E_NOMEM, NULL, "no memory for a list");
	TRY(recipe_list_decode(buffer_span(&list), "list of chunks", refs, &count, err));
	for (size_t i = 0; i < count; i++)
		ENSURE(!__builtin_add_overflow(sum, refs[i].bytes, &sum), err, COF_E_FORMAT,
		       "list of chunks", "has too many bytes");
	ENSURE(sum == ref->bytes, err, COF_E_FORMAT, "list of chunks",
	       "has %llu bytes instead of %llu", (unsigned long long)sum,
	       (unsigned long long)ref->bytes);
	for (size_t i = 0; i < count; i++)
		TRY(walk_ref(walk, &refs[i], level - 1, err));
	return COF_OK;
}

cof_result recipe_each(const struct recipe_root *root, recipe_load load, recipe_visit visit,
		       void *context, struct cof_error *err)
{
	const struct walk walk = { load, visit, context };

	for (size_t i = 0; i < root->count; i++)
		TRY(walk_ref(&walk, &root->refs[i], root->level, err));
	return COF_OK;
}
