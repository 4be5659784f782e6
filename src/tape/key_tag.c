/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base64url.h"
#include "key_tag.h"
#include "number.h"

#define TAG_PREFIX   "coffer1:"
#define AKAD_PREFIX  "CFK"
#define AKAD_BYTES   12 /* as IBM's and LTFS' key identifiers: three characters and nine bytes */
#define PREFIX_BYTES 9

char *key_id_format(const uint8_t id[static KEY_ID_BYTES], char out[static KEY_ID_CHARS + 1])
{
	return base64url_format(id, KEY_ID_BYTES, out);
}

bool key_id_parse(const char *text, uint8_t ret_id[static KEY_ID_BYTES])
{
	_cleanup_buffer_ struct buffer bytes = { 0 };

	if (strlen(text) != KEY_ID_CHARS ||
	    cof_failed(base64url_decode(text, "key id", &bytes, NULL)) || bytes.len != KEY_ID_BYTES)
		return false;
	memcpy(ret_id, bytes.data, KEY_ID_BYTES);
	return true;
}

char *key_tag_format(const uint8_t id[static KEY_ID_BYTES], char out[static KEY_TAG_CHARS + 1])
{
	memcpy(out, TAG_PREFIX, strlen(TAG_PREFIX));
	(void)key_id_format(id, out + strlen(TAG_PREFIX));
	return out;
}

void key_tag_kads(const uint8_t id[static KEY_ID_BYTES], const struct tape_algorithm *algorithm,
		  struct kads *ret_kads)
{
	struct kads kads = { 0 };
	char tag[KEY_TAG_CHARS + 1];

	if (algorithm->ukad_bytes >= KEY_TAG_CHARS && algorithm->ukad_bytes <= KAD_KEPT_BYTES) {
		struct kad *kad = &kads.items[kads.count++];

		/* Zeros fill up one of fixed length. */
		kad->type = KAD_UNAUTHENTICATED;
		kad->len = (uint8_t)(algorithm->ukad_fixed ? algorithm->ukad_bytes : KEY_TAG_CHARS);
		memcpy(kad->data, key_tag_format(id, tag), KEY_TAG_CHARS);
	}
	if (algorithm->akad_bytes >= AKAD_BYTES && algorithm->akad_bytes <= KAD_KEPT_BYTES) {
		struct kad *kad = &kads.items[kads.count++];

		kad->type = KAD_AUTHENTICATED;
		kad->len = (uint8_t)(algorithm->akad_fixed ? algorithm->akad_bytes : AKAD_BYTES);
		memcpy(kad->data, AKAD_PREFIX, strlen(AKAD_PREFIX));
		memcpy(kad->data + strlen(AKAD_PREFIX), id, PREFIX_BYTES);
	}
	*ret_kads = kads;
}

/* The bytes without zeros and blanks at their end. */
static struct span trimmed(struct span bytes)
{
	while (bytes.len > 0 &&
	       (bytes.data[bytes.len - 1] == '\0' || bytes.data[bytes.len - 1] == ' '))
		bytes.len--;
	return bytes;
}

/* For people: as it is, or in hex where a terminal should not get it. */
static void describe(struct span bytes, char out[static KEY_TAG_TEXT_CHARS + 1])
{
	bool printable = true;

	if (bytes.len > KAD_KEPT_BYTES)
		bytes.len = KAD_KEPT_BYTES;
	for (size_t i = 0; i < bytes.len; i++)
		printable = printable && bytes.data[i] >= ' ' && bytes.data[i] < 0x7f;
	if (printable)
		(void)snprintf(out, KEY_TAG_TEXT_CHARS + 1, "%.*s", (int)bytes.len,
			       (const char *)bytes.data);
	else
		(void)hex_format(bytes.data, bytes.len, out);
}

struct key_tag key_tag_of_text(struct span bytes)
{
	struct key_tag tag = { 0 };
	uint8_t id[KEY_ID_BYTES];

	bytes = trimmed(bytes);
	if (bytes.len == 0)
		return tag;
	tag.found = true;
	describe(bytes, tag.text);
	if (bytes.len == KEY_TAG_CHARS && memcmp(tag.text, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 &&
	    key_id_parse(tag.text + strlen(TAG_PREFIX), id)) {
		tag.ours = true;
		(void)key_id_format(id, tag.id);
	}
	return tag;
}

struct key_tag key_tag_read(const struct kads *kads)
{
	const struct kad *ukad = kads_find(kads, KAD_UNAUTHENTICATED);
	const struct kad *akad = kads_find(kads, KAD_AUTHENTICATED);
	struct key_tag tag = { 0 };

	if (ukad)
		tag = key_tag_of_text(SPAN(ukad->data, ukad->len));
	if (tag.ours || !akad || akad->len < AKAD_BYTES)
		return tag;
	if (memcmp(akad->data, AKAD_PREFIX, strlen(AKAD_PREFIX)) == 0) {
		tag = (struct key_tag){ .found = true, .ours = true, .partial = true };
		(void)base64url_format(akad->data + strlen(AKAD_PREFIX), PREFIX_BYTES, tag.id);
		describe(SPAN(akad->data, AKAD_BYTES), tag.text);
	} else if (!tag.found) {
		tag = key_tag_of_text(SPAN(akad->data, akad->len));
	}
	return tag;
}
