/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "entry_code.h"

#include <string.h>

#define SUBJECT "listing of a tree"

void entry_done(struct entry *entry)
{
	buffer_done(&entry->xattrs);
	free(entry->extents);
	entry->extents = NULL;
	free(entry->target);
	entry->target = NULL;
}

static cof_result encode_text(const char *text, struct buffer *out, struct cof_error *err)
{
	size_t len = strlen(text);

	TRY(buffer_add_be16(out, (uint16_t)len, err));
	return buffer_add(out, text, len, err);
}

/* What files have and nothing else. */
static cof_result encode_content(const struct entry *entry, struct buffer *out,
				 struct cof_error *err)
{
	TRY(buffer_add_be64(out, entry->size_bytes, err));
	TRY(buffer_add_be32(out, entry->extent_count, err));
	for (uint32_t i = 0; i < entry->extent_count; i++) {
		TRY(buffer_add_be64(out, entry->extents[i].offset, err));
		TRY(buffer_add_be64(out, entry->extents[i].len, err));
	}
	return recipe_root_encode(&entry->root, out, err);
}

static cof_result encode_rest(const struct entry *entry, struct buffer *out, struct cof_error *err)
{
	switch (entry->type) {
	case ENTRY_FILE:
		return encode_content(entry, out, err);
	case ENTRY_SYMLINK:
	case ENTRY_HARD_LINK:
		return encode_text(entry->target, out, err);
	case ENTRY_CHARACTER_DEVICE:
	case ENTRY_BLOCK_DEVICE:
		TRY(buffer_add_be32(out, entry->device_major, err));
		return buffer_add_be32(out, entry->device_minor, err);
	case ENTRY_FOLDER:
	case ENTRY_FIFO:
	case ENTRY_SOCKET:
	case ENTRY_LEAVE:
		break;
	}
	return COF_OK;
}

static cof_result encode_facts(const struct entry *entry, struct buffer *out, struct cof_error *err)
{
	TRY(encode_text(entry->name, out, err));
	TRY(buffer_add_be32(out, entry->mode, err));
	TRY(buffer_add_be32(out, entry->uid, err));
	TRY(buffer_add_be32(out, entry->gid, err));
	TRY(buffer_add_be64(out, (uint64_t)entry->mtime, err));
	TRY(buffer_add_be32(out, entry->mtime_ns, err));
	TRY(buffer_add_be16(out, entry->xattr_count, err));
	return buffer_add(out, entry->xattrs.data, entry->xattrs.len, err);
}

cof_result entry_encode(const struct entry *entry, struct buffer *out, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };

	TRY(buffer_add_u8(&bytes, (uint8_t)entry->type, err));
	if (entry->type != ENTRY_LEAVE) {
		TRY(encode_facts(entry, &bytes, err));
		TRY(encode_rest(entry, &bytes, err));
	}
	ENSURE(bytes.len <= ENTRY_MAX_BYTES, err, COF_E_FORMAT, entry->name,
	       "takes %zu bytes in the listing, and may take %zu", bytes.len, ENTRY_MAX_BYTES);
	TRY(buffer_add_be32(out, (uint32_t)bytes.len, err));
	return buffer_add(out, bytes.data, bytes.len, err);
}

static cof_result decode_text(struct reader *reader, char *out, size_t max_bytes,
			      struct cof_error *err)
{
	struct span text = { 0 };
	uint16_t len = 0;

	TRY(reader_be16(reader, &len, err));
	TRY(reader_take(reader, len, &text, err));
	ENSURE(len <= max_bytes && !memchr(text.data, '\0', len), err, COF_E_FORMAT, SUBJECT,
	       "has a text of %u bytes that is none", len);
	memcpy(out, text.data, len);
	out[len] = '\0';
	return COF_OK;
}

/* One component that leads nowhere else. */
static cof_result check_name(const char *name, struct cof_error *err)
{
	ENSURE(!strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0, err,
	       COF_E_FORMAT, SUBJECT, "has a name that leads elsewhere");
	return COF_OK;
}

cof_result entry_next_xattr(struct reader *rest, char ret_name[static 256], struct span *ret_value,
			    struct cof_error *err)
{
	struct span name = { 0 };
	uint32_t value_bytes = 0;
	uint8_t name_bytes = 0;

	TRY(reader_u8(rest, &name_bytes, err));
	TRY(reader_take(rest, name_bytes, &name, err));
	ENSURE(name_bytes >= 1 && !memchr(name.data, '\0', name_bytes), err, COF_E_FORMAT, SUBJECT,
	       "has an attribute without a name");
	TRY(reader_be32(rest, &value_bytes, err));
	TRY(reader_take(rest, value_bytes, ret_value, err));
	memcpy(ret_name, name.data, name_bytes);
	ret_name[name_bytes] = '\0';
	return COF_OK;
}

/* The attributes as they are stored, each of which can be read. */
static cof_result decode_xattrs(struct reader *reader, struct entry *entry, struct cof_error *err)
{
	const uint8_t *start;
	struct span value;
	char name[256];

	TRY(reader_be16(reader, &entry->xattr_count, err));
	start = reader->rest.data;
	for (uint16_t i = 0; i < entry->xattr_count; i++)
		TRY(entry_next_xattr(reader, name, &value, err));
	return buffer_add(&entry->xattrs, start, (size_t)(reader->rest.data - start), err);
}

/* The parts of a file that are no holes: in order, inside of it, as long as its content. */
static cof_result decode_extents(struct reader *reader, struct entry *entry, struct cof_error *err)
{
	uint64_t sum = 0;
	uint64_t end = 0;

	ENSURE(entry->extent_count <= ENTRY_EXTENTS_MAX &&
		       entry->extent_count <= reader->rest.len / sizeof(*entry->extents),
	       err, COF_E_FORMAT, SUBJECT, "has a file of %u parts", entry->extent_count);
	if (!entry->extent_count)
		return COF_OK;
	entry->extents = calloc(entry->extent_count, sizeof(*entry->extents));
	ENSURE(entry->extents, err, COF_E_NOMEM, NULL, "no memory left");
	for (uint32_t i = 0; i < entry->extent_count; i++) {
		struct entry_extent *extent = &entry->extents[i];

		TRY(reader_be64(reader, &extent->offset, err));
		TRY(reader_be64(reader, &extent->len, err));
		ENSURE(extent->offset >= end && extent->offset <= entry->size_bytes &&
			       extent->len <= entry->size_bytes - extent->offset,
		       err, COF_E_FORMAT, SUBJECT, "has a file with parts that overlap");
		end = extent->offset + extent->len;
		sum += extent->len;
	}
	entry->root.bytes = sum; /* to be compared */
	return COF_OK;
}

static cof_result decode_content(struct reader *reader, struct entry *entry, struct cof_error *err)
{
	uint64_t expected;

	TRY(reader_be64(reader, &entry->size_bytes, err));
	ENSURE(entry->size_bytes <= INT64_MAX, err, COF_E_FORMAT, SUBJECT,
	       "has a file that is too long");
	TRY(reader_be32(reader, &entry->extent_count, err));
	TRY(decode_extents(reader, entry, err));
	expected = entry->extent_count ? entry->root.bytes : entry->size_bytes;
	TRY(recipe_root_decode(reader, &entry->root, err));
	/* A file that is one hole has no parts and no content. */
	ENSURE(entry->root.bytes == expected || (!entry->extent_count && !entry->root.bytes), err,
	       COF_E_FORMAT, SUBJECT, "has a file with %llu bytes of content instead of %llu",
	       (unsigned long long)entry->root.bytes, (unsigned long long)expected);
	return COF_OK;
}

static cof_result decode_rest(struct reader *reader, struct entry *entry, struct cof_error *err)
{
	switch (entry->type) {
	case ENTRY_FILE:
		return decode_content(reader, entry, err);
	case ENTRY_SYMLINK:
	case ENTRY_HARD_LINK:
		entry->target = malloc(ENTRY_PATH_MAX_BYTES + 1);
		ENSURE(entry->target, err, COF_E_NOMEM, NULL, "no memory left");
		TRY(decode_text(reader, entry->target, ENTRY_PATH_MAX_BYTES, err));
		ENSURE(entry->target[0], err, COF_E_FORMAT, SUBJECT, "has a link to nothing");
		return COF_OK;
	case ENTRY_CHARACTER_DEVICE:
	case ENTRY_BLOCK_DEVICE:
		TRY(reader_be32(reader, &entry->device_major, err));
		return reader_be32(reader, &entry->device_minor, err);
	case ENTRY_FOLDER:
	case ENTRY_FIFO:
	case ENTRY_SOCKET:
	case ENTRY_LEAVE:
		break;
	}
	return COF_OK;
}

static cof_result decode_facts(struct reader *reader, struct entry *entry, struct cof_error *err)
{
	uint64_t mtime = 0;

	TRY(decode_text(reader, entry->name, ENTRY_NAME_MAX_BYTES, err));
	TRY(check_name(entry->name, err));
	TRY(reader_be32(reader, &entry->mode, err));
	TRY(reader_be32(reader, &entry->uid, err));
	TRY(reader_be32(reader, &entry->gid, err));
	TRY(reader_be64(reader, &mtime, err));
	TRY(reader_be32(reader, &entry->mtime_ns, err));
	ENSURE((entry->mode & ~07777u) == 0 && entry->mtime_ns < 1000000000, err, COF_E_FORMAT,
	       SUBJECT, "has mode %o and %u nanoseconds", entry->mode, entry->mtime_ns);
	entry->mtime = (int64_t)mtime;
	return decode_xattrs(reader, entry, err);
}

cof_result entry_decode(struct span bytes, struct entry *ret_entry, struct cof_error *err)
{
	struct reader reader = reader_of(bytes, SUBJECT);
	uint8_t type = 0;

	TRY(reader_u8(&reader, &type, err));
	ENSURE(type >= ENTRY_FILE && type <= ENTRY_LEAVE, err, COF_E_FORMAT, SUBJECT,
	       "has an entry of unknown kind %u", type);
	ret_entry->type = type;
	if (type != ENTRY_LEAVE) {
		TRY(decode_facts(&reader, ret_entry, err));
		TRY(decode_rest(&reader, ret_entry, err));
	}
	ENSURE(!reader.rest.len, err, COF_E_FORMAT, SUBJECT, "has an entry that is too long");
	return COF_OK;
}
