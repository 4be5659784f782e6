/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of a backup. doc/format-backup.md.
 */

#include <string.h>

#include "backup_code.h"

#define LAST_FLAG 0x80000000u

static const uint8_t magic[8] = { 'C', 'o', 'f', 'B', 'c', 'k', 'U', 'p' };

/* ---- head ---- */

cof_result backup_head_encode(const struct backup_head *head, struct buffer *out,
			      struct cof_error *err)
{
	TRY(buffer_add(out, magic, sizeof(magic), err));
	TRY(buffer_add_u8(out, BACKUP_VERSION, err));
	TRY(buffer_add(out, head->id, sizeof(head->id), err));
	TRY(buffer_add(out, head->uuid, sizeof(head->uuid), err));
	TRY(buffer_add_be32(out, head->epoch, err));
	TRY(buffer_add_be64(out, head->revision, err));
	TRY(buffer_add_be64(out, head->created, err));
	TRY(buffer_add_be32(out, head->anchor_bytes, err));
	return COF_OK;
}

cof_result backup_head_decode(struct span bytes, const char *subject, struct backup_head *ret_head,
			      struct cof_error *err)
{
	struct reader reader = reader_of(bytes, subject);
	struct backup_head head = { 0 };
	struct span found;
	uint8_t version;

	TRY(reader_take(&reader, sizeof(magic), &found, err));
	ENSURE(memcmp(found.data, magic, sizeof(magic)) == 0, err, COF_E_FORMAT, subject,
	       "is no backup of a vault: it does not begin with %.8s", (const char *)magic);
	TRY(reader_u8(&reader, &version, err));
	ENSURE(version == BACKUP_VERSION, err, COF_E_FORMAT, subject,
	       "is a backup of version %u, known here is %d", version, BACKUP_VERSION);
	TRY(reader_take(&reader, sizeof(head.id), &found, err));
	memcpy(head.id, found.data, sizeof(head.id));
	TRY(reader_take(&reader, sizeof(head.uuid), &found, err));
	memcpy(head.uuid, found.data, sizeof(head.uuid));
	TRY(reader_be32(&reader, &head.epoch, err));
	TRY(reader_be64(&reader, &head.revision, err));
	TRY(reader_be64(&reader, &head.created, err));
	TRY(reader_be32(&reader, &head.anchor_bytes, err));
	ENSURE(head.anchor_bytes >= 1 && head.anchor_bytes <= BACKUP_ANCHOR_MAX_BYTES, err,
	       COF_E_FORMAT, subject,
	       "says that its header's copy has %u bytes, allowed are 1 to %u", head.anchor_bytes,
	       BACKUP_ANCHOR_MAX_BYTES);

	*ret_head = head;
	return COF_OK;
}

cof_result backup_info(const struct backup_head *head, struct buffer *info, struct cof_error *err)
{
	TRY(buffer_add_text(info, err, "coffer/backup/v1/%u", head->epoch));
	TRY(buffer_add_u8(info, 0, err));
	TRY(buffer_add(info, head->id, sizeof(head->id), err));
	return COF_OK;
}

/* ---- chunks ---- */

cof_result backup_frame_decode(struct span bytes, const char *subject,
			       struct backup_frame *ret_frame, struct cof_error *err)
{
	struct reader reader = reader_of(bytes, subject);
	struct backup_frame frame;
	uint32_t word;

	TRY(reader_be32(&reader, &word, err));
	frame.last = word & LAST_FLAG;
	frame.plain_bytes = word & ~LAST_FLAG;
	ENSURE(frame.last ? frame.plain_bytes >= 1 && frame.plain_bytes <= BACKUP_CHUNK_BYTES
			  : frame.plain_bytes == BACKUP_CHUNK_BYTES,
	       err, COF_E_FORMAT, subject, "has a chunk of %u bytes", frame.plain_bytes);

	*ret_frame = frame;
	return COF_OK;
}

/* The nonce of a chunk: never twice with one key, which is of this file alone. */
static void nonce_of(const struct backup_place *place, uint8_t out[static AEAD_NONCE_BYTES])
{
	memset(out, 0, AEAD_NONCE_BYTES);
	out[0] = place->last;
	for (size_t i = 0; i < 8; i++)
		out[AEAD_NONCE_BYTES - 1 - i] = (uint8_t)(place->index >> 8 * i);
}

cof_result backup_chunk_seal(const struct wrap_key *key, const struct backup_place *place,
			     struct span plain, struct buffer *out, struct cof_error *err)
{
	uint8_t nonce[AEAD_NONCE_BYTES];

	nonce_of(place, nonce);
	TRY(buffer_add_be32(out, (uint32_t)plain.len | (place->last ? LAST_FLAG : 0), err));
	return aead_seal(key, nonce, SPAN(place->head, sizeof(place->head)), plain, out, err);
}

cof_result backup_chunk_open(const struct wrap_key *key, const struct backup_place *place,
			     struct span sealed, const char *subject, struct secret **ret_plain,
			     struct cof_error *err)
{
	uint8_t nonce[AEAD_NONCE_BYTES];

	nonce_of(place, nonce);
	return aead_open(key, nonce, SPAN(place->head, sizeof(place->head)), sealed, subject,
			 ret_plain, err);
}

/* ---- items ---- */

cof_result backup_item_begin(const struct backup_item *item, struct buffer *out,
			     struct cof_error *err)
{
	size_t name_bytes = strlen(item->name);

	ENSURE(name_bytes <= KEYSTORE_KEY_MAX_BYTES && item->value.len <= BACKUP_ITEM_MAX_BYTES,
	       err, COF_E_USAGE, item->name, "has %zu bytes, a backup takes at most %u",
	       item->value.len, BACKUP_ITEM_MAX_BYTES);
	TRY(buffer_add_u8(out, (uint8_t)item->kind, err));
	TRY(buffer_add_be16(out, (uint16_t)name_bytes, err));
	TRY(buffer_add_be32(out, (uint32_t)item->value.len, err));
	TRY(buffer_add(out, item->name, name_bytes, err));
	return COF_OK;
}

bool backup_file_name_is_good(const char *name)
{
	static const char digits[] = "0123456789";
	const char *number = name + strlen("audit-");

	return strcmp(name, "audit.log") == 0 ||
	       (strncmp(name, "audit-", strlen("audit-")) == 0 && strspn(number, digits) == 20 &&
		strcmp(number + 20, ".log") == 0);
}

void backup_parser_done(struct backup_parser *parser)
{
	buffer_done(&parser->pending);
}

/* What an item's first bytes say. */
struct item_head {
	uint8_t kind;
	uint16_t name_bytes;
	uint32_t value_bytes;
};

/* Reads the first bytes of an item, which are all there. */
static cof_result read_item_head(const struct backup_parser *parser, struct item_head *ret_head,
				 struct cof_error *err)
{
	struct reader reader = reader_of(buffer_span(&parser->pending), parser->subject);
	struct item_head head;

	TRY(reader_u8(&reader, &head.kind, err));
	TRY(reader_be16(&reader, &head.name_bytes, err));
	TRY(reader_be32(&reader, &head.value_bytes, err));
	ENSURE(head.kind >= BACKUP_ROW && head.kind <= BACKUP_END, err, COF_E_FORMAT,
	       parser->subject, "has an item of the unknown kind %u", head.kind);
	ENSURE(head.name_bytes <= KEYSTORE_KEY_MAX_BYTES &&
		       head.value_bytes <= BACKUP_ITEM_MAX_BYTES &&
		       (head.kind != BACKUP_ROW || head.value_bytes > 0),
	       err, COF_E_FORMAT, parser->subject, "has an item of %u and %u bytes",
	       head.name_bytes, head.value_bytes);
	*ret_head = head;
	return COF_OK;
}

/* Checks that an item may be called so, and that it comes after the one before. */
static cof_result check_name(const struct backup_parser *parser, const struct backup_item *item,
			     struct cof_error *err)
{
	bool good = false;

	switch (item->kind) {
	case BACKUP_ROW:
		good = *item->name;
		break;
	case BACKUP_AUDIT:
		good = backup_file_name_is_good(item->name);
		break;
	case BACKUP_CONFIG:
		good = strcmp(item->name, BACKUP_CONFIG_NAME) == 0;
		break;
	case BACKUP_END:
		good = !*item->name;
		break;
	}
	ENSURE(good, err, COF_E_FORMAT, parser->subject, "has an item with a name that is none");
	ENSURE(item->kind > parser->kind_before || (item->kind == parser->kind_before &&
						    strcmp(item->name, parser->before) > 0),
	       err, COF_E_FORMAT, parser->subject, "has its items in another order than they come");
	return COF_OK;
}

/* The end says how many items there are. */
static cof_result take_end(struct backup_parser *parser, const struct backup_item *item,
			   struct cof_error *err)
{
	struct reader reader = reader_of(item->value, parser->subject);
	uint64_t count;

	TRY(reader_be64(&reader, &count, err));
	ENSURE(reader.rest.len == 0 && count == parser->count, err, COF_E_FORMAT, parser->subject,
	       "says that it has %llu items, and has %llu", (unsigned long long)count,
	       (unsigned long long)parser->count);
	parser->ended = true;
	return COF_OK;
}

/* Hands out the item that is whole. */
static cof_result take_item(struct backup_parser *parser, const struct item_head *head,
			    struct cof_error *err)
{
	const uint8_t *at = parser->pending.data + BACKUP_ITEM_HEAD_BYTES;
	char name[KEYSTORE_KEY_MAX_BYTES + 1] = "";
	struct backup_item item = { .kind = (enum backup_kind)head->kind,
				    .name = name,
				    .value = SPAN(at + head->name_bytes, head->value_bytes) };

	memcpy(name, at, head->name_bytes);
	ENSURE(strlen(name) == head->name_bytes, err, COF_E_FORMAT, parser->subject,
	       "has an item whose name has a NUL byte");
	TRY(check_name(parser, &item, err));
	if (item.kind == BACKUP_END)
		return take_end(parser, &item, err);
	parser->count++;
	parser->kind_before = item.kind;
	memcpy(parser->before, name, sizeof(name));
	return parser->visit(&item, parser->context, err);
}

/* Moves as much of @piece to the pending item as makes it @wanted_bytes long. */
static cof_result fill(struct backup_parser *parser, struct span *piece, size_t wanted_bytes,
		       bool *ret_full, struct cof_error *err)
{
	size_t missing = wanted_bytes - parser->pending.len;
	size_t len = missing < piece->len ? missing : piece->len;

	TRY(buffer_add(&parser->pending, piece->data, len, err));
	*piece = SPAN(piece->data + len, piece->len - len);
	*ret_full = len == missing;
	return COF_OK;
}

cof_result backup_parser_feed(struct backup_parser *parser, struct span piece,
			      struct cof_error *err)
{
	while (piece.len > 0) {
		struct item_head head;
		bool full = true;

		ENSURE(!parser->ended, err, COF_E_FORMAT, parser->subject,
		       "has something behind its end");
		if (parser->pending.len < BACKUP_ITEM_HEAD_BYTES)
			TRY(fill(parser, &piece, BACKUP_ITEM_HEAD_BYTES, &full, err));
		if (!full)
			break;
		TRY(read_item_head(parser, &head, err));
		TRY(fill(parser, &piece,
			 BACKUP_ITEM_HEAD_BYTES + (size_t)head.name_bytes + head.value_bytes, &full,
			 err));
		if (!full)
			break;
		TRY(take_item(parser, &head, err));
		parser->pending.len = 0;
	}
	return COF_OK;
}

cof_result backup_parser_finish(const struct backup_parser *parser, struct cof_error *err)
{
	ENSURE(parser->ended, err, COF_E_FORMAT, parser->subject, "has no end");
	return COF_OK;
}
