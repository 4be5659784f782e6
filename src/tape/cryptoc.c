/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "cryptoc.h"

#define HEAD_BYTES  32
#define ENTRY_BYTES 280
#define ID_BYTES    21 /* with its NUL */
#define VERSION_AT  24
#define COUNT_AT    28
#define VOLUME_AT   16 /* behind two pointers of the process that wrote it */
#define KEY_AT	    (VOLUME_AT + CRYPTOC_NAME_BYTES)
#define ADDED_AT    (KEY_AT + CRYPTOC_NAME_BYTES)
#define VERSION	    1

static const char id[ID_BYTES] = "BAREOS Crypto Cache\n";

/* Numbers are in the order of the machine that wrote them; Bareos runs where that is little-endian.
 */
static uint32_t le32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

/* A text in a field of fixed length, up to its NUL. */
static struct span field_text(const uint8_t *field)
{
	return SPAN(field, strnlen((const char *)field, CRYPTOC_NAME_BYTES));
}

/* Whether a name has nothing that a terminal, a tab-separated file or JSON would take for more than
 * a character: Bareos allows letters, digits and a few marks. */
static bool is_name(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 0x7f || text.data[i] == '"' ||
		    text.data[i] == '\\')
			return false;
	return true;
}

static bool is_base64(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!text.data[i] ||
		    !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
			    text.data[i]))
			return false;
	return true;
}

cof_result cryptoc_check(const struct cryptoc_entry *entry, const char *subject,
			 struct cof_error *err)
{
	ENSURE(entry->volume.len > 0 && entry->volume.len < CRYPTOC_NAME_BYTES, err, COF_E_FORMAT,
	       subject, "a volume's name has %zu characters, must have 1 to %d", entry->volume.len,
	       CRYPTOC_NAME_BYTES - 1);
	ENSURE(is_name(entry->volume), err, COF_E_FORMAT, subject,
	       "a volume's name has characters that none can have");
	ENSURE(entry->key.len > 0 && entry->key.len < CRYPTOC_NAME_BYTES, err, COF_E_FORMAT,
	       subject, "the key of %.*s has %zu characters, must have 1 to %d",
	       (int)entry->volume.len, (const char *)entry->volume.data, entry->key.len,
	       CRYPTOC_NAME_BYTES - 1);
	ENSURE(is_base64(entry->key), err, COF_E_FORMAT, subject, "the key of %.*s is not base64",
	       (int)entry->volume.len, (const char *)entry->volume.data);
	return COF_OK;
}

cof_result cryptoc_open(struct span bytes, const char *subject, struct cryptoc *ret_cache,
			struct cof_error *err)
{
	struct cryptoc cache = { .bytes = bytes };
	uint32_t version;
	uint32_t count;

	ENSURE(bytes.len >= HEAD_BYTES && memcmp(bytes.data, id, ID_BYTES) == 0, err, COF_E_FORMAT,
	       subject, "is no crypto cache of Bareos");
	version = le32(bytes.data + VERSION_AT);
	count = le32(bytes.data + COUNT_AT);
	ENSURE(version == VERSION, err, COF_E_FORMAT, subject,
	       "is a crypto cache of version %u, %d is known", version, VERSION);
	ENSURE((bytes.len - HEAD_BYTES) / ENTRY_BYTES == count &&
		       (bytes.len - HEAD_BYTES) % ENTRY_BYTES == 0,
	       err, COF_E_FORMAT, subject, "has %zu bytes, with %u entries it must have %llu",
	       bytes.len, count, HEAD_BYTES + (unsigned long long)count * ENTRY_BYTES);
	cache.count = count;
	for (size_t i = 0; i < cache.count; i++) {
		struct cryptoc_entry entry = cryptoc_at(&cache, i);

		TRY(cryptoc_check(&entry, subject, err));
	}
	*ret_cache = cache;
	return COF_OK;
}

struct cryptoc_entry cryptoc_at(const struct cryptoc *cache, size_t index)
{
	const uint8_t *at = cache->bytes.data + HEAD_BYTES + index * ENTRY_BYTES;
	uint64_t added;

	memcpy(&added, at + ADDED_AT, sizeof(added));
	return (struct cryptoc_entry){
		.volume = field_text(at + VOLUME_AT),
		.key = field_text(at + KEY_AT),
		.added = (time_t)le64toh(added),
	};
}

bool cryptoc_find(const struct cryptoc *cache, struct span volume, size_t *ret_index)
{
	for (size_t i = 0; i < cache->count; i++) {
		struct cryptoc_entry entry = cryptoc_at(cache, i);

		if (entry.volume.len != volume.len ||
		    memcmp(entry.volume.data, volume.data, volume.len) != 0)
			continue;
		*ret_index = i;
		return true;
	}
	return false;
}

cof_result cryptoc_encode(const struct cryptoc_entry entries[], size_t count,
			  struct secret **ret_bytes, struct cof_error *err)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	uint32_t version = htole32(VERSION);
	uint32_t number = htole32((uint32_t)count);

	TRY(secret_new(HEAD_BYTES + count * ENTRY_BYTES, &bytes, err));
	memcpy(bytes->data, id, ID_BYTES);
	memcpy(bytes->data + VERSION_AT, &version, sizeof(version));
	memcpy(bytes->data + COUNT_AT, &number, sizeof(number));
	for (size_t i = 0; i < count; i++) {
		uint8_t *at = bytes->data + HEAD_BYTES + i * ENTRY_BYTES;
		uint64_t added = htole64((uint64_t)entries[i].added);

		memcpy(at + VOLUME_AT, entries[i].volume.data, entries[i].volume.len);
		memcpy(at + KEY_AT, entries[i].key.data, entries[i].key.len);
		memcpy(at + ADDED_AT, &added, sizeof(added));
	}

	*ret_bytes = TAKE(bytes);
	return COF_OK;
}

cof_result cryptoc_line(struct span *text, size_t *number, struct cryptoc_entry *ret_entry,
			bool *ret_found, struct cof_error *err)
{
	struct cryptoc_entry entry = { 0 };
	char subject[32];

	*ret_found = false;
	while (text->len > 0 && !*ret_found) {
		const uint8_t *end = memchr(text->data, '\n', text->len);
		size_t len = end ? (size_t)(end - text->data) : text->len;
		struct span line = SPAN(text->data, len);
		const uint8_t *tab;

		*text = SPAN(text->data + len + (end != NULL), text->len - len - (end != NULL));
		++*number;
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0)
			continue;
		(void)snprintf(subject, sizeof(subject), "line %zu", *number);
		tab = memchr(line.data, '\t', line.len);
		ENSURE(tab, err, COF_E_FORMAT, subject, "has no tab between volume and key");
		entry.volume = SPAN(line.data, (size_t)(tab - line.data));
		entry.key = SPAN(tab + 1, line.len - entry.volume.len - 1);
		TRY(cryptoc_check(&entry, subject, err));
		*ret_found = true;
	}
	*ret_entry = entry;
	return COF_OK;
}
