/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree.h"

#include <string.h>

#define SUBJECT "listing of a tree"

/* What is not parsed yet, and how deep it is. */
struct parsing {
	struct fetch *fetch;
	tree_visit visit;
	void *context;
	struct buffer rest;
	size_t depth;
	bool begun;
};

/* One whole entry. */
static cof_result take_entry(struct parsing *parsing, struct span bytes, struct cof_error *err)
{
	_cleanup_(entry_done) struct entry entry = { 0 };
	bool is_first = !parsing->begun;

	TRY(entry_decode(bytes, &entry, err));
	/* The tree's own folder comes first, and everything else is in it. */
	ENSURE(is_first ? entry.type == ENTRY_FOLDER && !entry.name[0]
			: parsing->depth > 0 && (entry.name[0] || entry.type == ENTRY_LEAVE),
	       err, COF_E_FORMAT, SUBJECT, "has an entry where none may be");
	parsing->begun = true;
	if (entry.type == ENTRY_FOLDER)
		parsing->depth++;
	if (entry.type == ENTRY_LEAVE)
		parsing->depth--;
	return parsing->visit(&entry, parsing->context, err);
}

/* All whole entries of what is there. */
static cof_result parse(struct parsing *parsing, struct cof_error *err)
{
	struct reader reader = reader_of(buffer_span(&parsing->rest), SUBJECT);

	for (;;) {
		struct reader ahead = reader;
		struct span bytes = { 0 };
		uint32_t len = 0;

		if (cof_failed(reader_be32(&ahead, &len, NULL)))
			break;
		ENSURE(len <= ENTRY_MAX_BYTES, err, COF_E_FORMAT, SUBJECT,
		       "has an entry of %u bytes", len);
		if (cof_failed(reader_take(&ahead, len, &bytes, NULL)))
			break;
		reader = ahead;
		TRY(take_entry(parsing, bytes, err));
	}
	if (reader.rest.len)
		memmove(parsing->rest.data, reader.rest.data, reader.rest.len);
	parsing->rest.len = reader.rest.len;
	return COF_OK;
}

/* A recipe_load. */
static cof_result load_list(const uint8_t id[static STORE_ID_BYTES], struct buffer *ret_list,
			    void *context, struct cof_error *err)
{
	const struct parsing *parsing = context;

	return fetch_chunk(parsing->fetch, id, CHUNK_LIST, ret_list, err);
}

/* A recipe_visit. */
static cof_result visit_ref(const struct recipe_ref *ref, unsigned int level, void *context,
			    struct cof_error *err)
{
	struct parsing *parsing = context;
	_cleanup_buffer_ struct buffer chunk = { 0 };

	if (level)
		return COF_OK;
	TRY(fetch_chunk(parsing->fetch, ref->id, CHUNK_TREE, &chunk, err));
	ENSURE(chunk.len == ref->bytes, err, COF_E_FORMAT, SUBJECT,
	       "has a chunk of another length");
	TRY(buffer_add(&parsing->rest, chunk.data, chunk.len, err));
	return parse(parsing, err);
}

cof_result tree_each(struct fetch *fetch, const struct recipe_root *listing, tree_visit visit,
		     void *context, struct cof_error *err)
{
	struct parsing parsing = { .fetch = fetch, .visit = visit, .context = context };
	_cleanup_buffer_ struct buffer rest = { 0 };
	cof_result walked = recipe_each(listing, load_list, visit_ref, &parsing, err);

	rest = parsing.rest;
	TRY(walked);
	ENSURE(parsing.begun && !parsing.depth && !rest.len, err, COF_E_FORMAT, SUBJECT,
	       "is cut off");
	return COF_OK;
}
