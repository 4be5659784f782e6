/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "page.h"

#define HEAD_BYTES	 4 /* of every page: its code and its length */
#define CAPABILITY_BYTES 20
#define ALGORITHM_BYTES	 24
#define MANAGEMENT_BYTES 8
#define STATUS_BYTES	 24
#define NEXT_BYTES	 16
#define WRAPPING_BYTES	 14
#define KAD_HEAD_BYTES	 4

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

static uint64_t be64(const uint8_t *at)
{
	return (uint64_t)be32(at) << 32 | be32(at + 4);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* All of a page that was transferred and belongs to it. */
static cof_result open_page(struct span bytes, uint16_t code, size_t fixed_bytes,
			    struct span *ret_page, struct cof_error *err)
{
	char name[24];
	size_t len;

	(void)snprintf(name, sizeof(name), "page %04x", code);
	ENSURE(bytes.len >= HEAD_BYTES, err, COF_E_FORMAT, name, "has %zu bytes, at least %d",
	       bytes.len, HEAD_BYTES);
	ENSURE(be16(bytes.data) == code, err, COF_E_FORMAT, name, "is page %04x instead",
	       be16(bytes.data));
	len = least(bytes.len, HEAD_BYTES + (size_t)be16(bytes.data + 2));
	ENSURE(len >= fixed_bytes, err, COF_E_FORMAT, name, "has %zu bytes, at least %zu", len,
	       fixed_bytes);

	*ret_page = SPAN(bytes.data, len);
	return COF_OK;
}

/* The KADs that begin at an offset; the last one may be cut off. */
static void read_kads(struct span page, size_t offset, struct kads *ret_kads)
{
	struct kads kads = { 0 };

	while (page.len >= offset + KAD_HEAD_BYTES && kads.count < KADS_MAX) {
		struct kad *kad = &kads.items[kads.count++];
		const uint8_t *at = page.data + offset;
		size_t len = least(be16(at + 2), page.len - offset - KAD_HEAD_BYTES);

		kad->type = at[0];
		kad->check = at[1] & 0x07;
		kad->len = (uint8_t)least(len, KAD_KEPT_BYTES);
		memcpy(kad->data, at + KAD_HEAD_BYTES, kad->len);
		offset += KAD_HEAD_BYTES + len;
	}
	*ret_kads = kads;
}

const struct kad *kads_find(const struct kads *kads, uint8_t type)
{
	for (size_t i = 0; i < kads->count; i++)
		if (kads->items[i].type == type)
			return &kads->items[i];
	return NULL;
}

cof_result page_list_decode(struct span bytes, uint16_t code, struct page_list *ret_list,
			    struct cof_error *err)
{
	struct page_list list = { 0 };
	struct span page;

	TRY(open_page(bytes, code, HEAD_BYTES, &page, err));
	for (size_t at = HEAD_BYTES; at + 2 <= page.len && list.count < PAGE_LIST_MAX; at += 2)
		list.codes[list.count++] = be16(page.data + at);
	*ret_list = list;
	return COF_OK;
}

bool page_list_has(const struct page_list *list, uint16_t code)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->codes[i] == code)
			return true;
	return false;
}

/* One descriptor of page 0010h; bytes that a short one has not are 0. */
static void read_algorithm(struct span bytes, struct tape_algorithm *ret_algorithm)
{
	uint8_t at[ALGORITHM_BYTES] = { 0 };

	memcpy(at, bytes.data, least(bytes.len, sizeof(at)));
	*ret_algorithm = (struct tape_algorithm){
		.index = at[0],
		.for_medium = at[4] & 0x80,
		.decrypt = at[4] >> 2 & 0x03,
		.encrypt = at[4] & 0x03,
		.kad_format = at[5] & 0x08,
		.ukad_fixed = at[5] & 0x02,
		.akad_fixed = at[5] & 0x01,
		.ukad_bytes = be16(at + 6),
		.akad_bytes = be16(at + 8),
		.key_bytes = be16(at + 10),
		.decrypt_kad = at[12] >> 6,
		.raw_control = at[12] >> 1 & 0x07,
		.code = be32(at + 20),
	};
}

cof_result page_capabilities_decode(struct span bytes, struct tape_capabilities *ret_capabilities,
				    struct cof_error *err)
{
	struct tape_capabilities capabilities = { 0 };
	struct span page;

	TRY(open_page(bytes, PAGE_CAPABILITIES, CAPABILITY_BYTES, &page, err));
	capabilities.external = page.data[4] >> 2 & 0x03;
	capabilities.settable = page.data[4] & 0x03;
	for (size_t at = CAPABILITY_BYTES;
	     at + ALGORITHM_BYTES <= page.len && capabilities.count < ALGORITHMS_MAX;) {
		size_t len = HEAD_BYTES + (size_t)be16(page.data + at + 2);

		/* A descriptor without a length would be read for ever. */
		ENSURE(len > HEAD_BYTES, err, COF_E_FORMAT, "page 0010",
		       "has an algorithm without a length");
		len = least(len, page.len - at);
		read_algorithm(SPAN(page.data + at, len),
			       &capabilities.algorithms[capabilities.count++]);
		at += len;
	}
	*ret_capabilities = capabilities;
	return COF_OK;
}

const struct tape_algorithm *tape_algorithm_choose(const struct tape_capabilities *capabilities)
{
	static const uint32_t codes[] = { ALGORITHM_AES_256_GCM, ALGORITHM_AES_256_CCM };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		for (size_t k = 0; k < capabilities->count; k++) {
			const struct tape_algorithm *one = &capabilities->algorithms[k];

			if (one->code == codes[i] && one->key_bytes == TAPE_KEY_BYTES &&
			    one->encrypt == CAPABLE_IN_HARDWARE &&
			    one->decrypt == CAPABLE_IN_HARDWARE)
				return one;
		}
	return NULL;
}

cof_result page_key_formats_decode(struct span bytes, struct key_formats *ret_formats,
				   struct cof_error *err)
{
	struct key_formats formats = { 0 };
	struct span page;

	TRY(open_page(bytes, PAGE_KEY_FORMATS, HEAD_BYTES, &page, err));
	formats.count = least(page.len - HEAD_BYTES, KEY_FORMATS_MAX);
	memcpy(formats.codes, page.data + HEAD_BYTES, formats.count);
	*ret_formats = formats;
	return COF_OK;
}

cof_result page_management_decode(struct span bytes, struct tape_management *ret_management,
				  struct cof_error *err)
{
	struct span page;

	TRY(open_page(bytes, PAGE_MANAGEMENT, MANAGEMENT_BYTES, &page, err));
	*ret_management = (struct tape_management){
		.lock = page.data[4] & 0x01,
		.clear_on_demount = page.data[5] & 0x04,
		.scope_all = page.data[7] & 0x04,
		.scope_local = page.data[7] & 0x02,
		.scope_public = page.data[7] & 0x01,
	};
	return COF_OK;
}

cof_result page_status_decode(struct span bytes, struct tape_encryption *ret_encryption,
			      struct cof_error *err)
{
	struct tape_encryption encryption = { 0 };
	struct span page;

	TRY(open_page(bytes, PAGE_STATUS, STATUS_BYTES, &page, err));
	encryption.nexus_scope = page.data[4] >> 5;
	encryption.key_scope = page.data[4] & 0x07;
	encryption.encryption = page.data[5];
	encryption.decryption = page.data[6];
	encryption.index = page.data[7];
	encryption.instance = be32(page.data + 8);
	encryption.control = page.data[12] >> 4 & 0x07;
	encryption.raw_forbidden = page.data[12] & 0x01;
	encryption.kad_format = page.data[13];
	read_kads(page, STATUS_BYTES, &encryption.kads);
	*ret_encryption = encryption;
	return COF_OK;
}

cof_result page_next_decode(struct span bytes, struct tape_next *ret_next, struct cof_error *err)
{
	struct tape_next next = { 0 };
	struct span page;

	TRY(open_page(bytes, PAGE_NEXT_BLOCK, NEXT_BYTES, &page, err));
	next.object = be64(page.data + 4);
	next.encryption = page.data[12] & 0x0f;
	next.index = page.data[13];
	next.kad_format = page.data[15];
	read_kads(page, NEXT_BYTES, &next.kads);
	*ret_next = next;
	return COF_OK;
}

cof_result page_random_decode(struct span bytes, struct span *ret_random, struct cof_error *err)
{
	struct span page;

	TRY(open_page(bytes, PAGE_RANDOM, HEAD_BYTES, &page, err));
	*ret_random = SPAN(page.data + HEAD_BYTES, page.len - HEAD_BYTES);
	return COF_OK;
}

cof_result page_wrapping_key_decode(struct span bytes, struct wrapping_key *ret_key,
				    struct cof_error *err)
{
	struct span page;

	TRY(open_page(bytes, PAGE_WRAPPING_KEY, WRAPPING_BYTES, &page, err));
	ret_key->type = be32(page.data + 4);
	ret_key->format = be32(page.data + 8);
	ret_key->key = SPAN(page.data + WRAPPING_BYTES,
			    least(be16(page.data + 12), page.len - WRAPPING_BYTES));
	return COF_OK;
}

/* Writes a number of two bytes; returns where the next one goes. */
static uint8_t *put16(uint8_t *to, size_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return to + 2;
}

/* How many bytes all KADs have, which must be in order. */
static cof_result measure_kads(const struct kads *kads, size_t *ret_bytes, struct cof_error *err)
{
	size_t bytes = 0;

	ENSURE(kads->count <= KADS_MAX, err, COF_E_FORMAT, NULL, "%zu KADs, at most %d",
	       kads->count, KADS_MAX);
	for (size_t i = 0; i < kads->count; i++) {
		ENSURE(i == 0 || kads->items[i - 1].type < kads->items[i].type, err, COF_E_FORMAT,
		       NULL, "KAD %u after KAD %u", kads->items[i].type, kads->items[i - 1].type);
		ENSURE(kads->items[i].len <= KAD_KEPT_BYTES, err, COF_E_FORMAT, NULL,
		       "KAD of %u bytes, at most %d", kads->items[i].len, KAD_KEPT_BYTES);
		bytes += KAD_HEAD_BYTES + kads->items[i].len;
	}
	*ret_bytes = bytes;
	return COF_OK;
}

/* Everything before the key; returns where that goes. */
static uint8_t *put_fixed(const struct tape_set *set, size_t page_bytes, size_t key_bytes,
			  uint8_t *at)
{
	at = put16(at, PAGE_SET_ENCRYPTION);
	at = put16(at, page_bytes - HEAD_BYTES);
	*at++ = (uint8_t)(set->scope << 5 | set->lock);
	*at++ = (uint8_t)(set->raw << 4 | set->clear_on_demount << 2);
	*at++ = set->encryption;
	*at++ = set->decryption;
	*at++ = set->index;
	*at++ = 0; /* the key as it is, not wrapped */
	*at++ = set->kad_format;
	memset(at, 0, 7);
	return put16(at + 7, key_bytes);
}

void page_clear_write(const struct tape_set *set, uint8_t out[static PAGE_CLEAR_BYTES])
{
	(void)put_fixed(set, PAGE_CLEAR_BYTES, 0, out);
}

cof_result page_set_encode(const struct tape_set *set, struct secret **ret_page,
			   struct cof_error *err)
{
	_cleanup_secret_ struct secret *page = NULL;
	struct span key = set->key ? tape_key_span(set->key) : SPAN(NULL, 0);
	size_t kad_bytes;
	uint8_t *at;

	TRY(measure_kads(&set->kads, &kad_bytes, err));
	TRY(secret_new(PAGE_CLEAR_BYTES + key.len + kad_bytes, &page, err));
	at = put_fixed(set, page->len, key.len, page->data);
	if (key.len)
		memcpy(at, key.data, key.len);
	at += key.len;
	for (size_t i = 0; i < set->kads.count; i++) {
		const struct kad *kad = &set->kads.items[i];

		*at++ = kad->type;
		*at++ = 0;
		at = put16(at, kad->len);
		memcpy(at, kad->data, kad->len);
		at += kad->len;
	}

	*ret_page = TAKE(page);
	return COF_OK;
}
