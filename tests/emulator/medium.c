/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "medium.h"

static const char magic[16] = "COFFER-TAPE-1\n";

/* A part of memory that was asked for. */
static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = need(malloc(len + 1));

	if (len)
		memcpy(copy, data, len);
	return copy;
}

/* Takes a KAD off the front of some bytes. */
static bool take_kad(const uint8_t **at, size_t *left, struct kad_bytes *kad)
{
	if (*left < 1 || **at > KAD_ROOM || *left < 1u + **at)
		return false;
	kad->len = **at;
	memcpy(kad->data, *at + 1, kad->len);
	*at += 1 + kad->len;
	*left -= 1 + kad->len;
	return true;
}

/* Takes in one part of the file. */
static bool read_part(struct medium *medium, char letter, const uint8_t *data, size_t len)
{
	struct kad_bytes ukad;
	struct kad_bytes akad;
	struct block *block;

	switch (letter) {
	case 'G':
		medium->generation = len ? data[0] : 0;
		return len == 1;
	case 'P':
		medium->read_only = true;
		return true;
	case 'A':
		if (len < 3 || len > 258)
			return false;
		medium_set_attribute(medium, (uint16_t)(data[0] << 8 | data[1]), data[2], data + 3,
				     (uint8_t)(len - 3));
		return true;
	case 'C':
	case 'F':
		(void)medium_add(medium, letter, data, len);
		return true;
	case 'E':
		if (!take_kad(&data, &len, &ukad) || !take_kad(&data, &len, &akad) ||
		    len < NONCE_BYTES + TAG_BYTES)
			return false;
		block = medium_add(medium, 'E', data, len);
		block->ukad = ukad;
		block->akad = akad;
		return true;
	default:
		return false;
	}
}

struct medium *medium_load(const char *path)
{
	struct medium *medium = need(calloc(1, sizeof(*medium)));
	FILE *file = fopen(path, "rb");
	char head[sizeof(magic)];
	bool good = file && fread(head, sizeof(head), 1, file) == 1 &&
		    memcmp(head, magic, sizeof(magic)) == 0;
	uint8_t part[5];

	(void)snprintf(medium->path, sizeof(medium->path), "%s", path);
	while (good && fread(part, sizeof(part), 1, file) == 1) {
		size_t len = (size_t)part[1] << 24 | (size_t)part[2] << 16 | part[3] << 8 | part[4];
		uint8_t *data = need(malloc(len + 1));

		good = len <= 2 * BLOCK_MAX && (len == 0 || fread(data, len, 1, file) == 1) &&
		       read_part(medium, (char)part[0], data, len);
		free(data);
	}
	if (file)
		(void)fclose(file);
	if (good)
		return medium;
	medium_free(medium);
	return NULL;
}

void medium_free(struct medium *medium)
{
	if (!medium)
		return;
	medium_cut(medium, 0);
	free(medium);
}

/* Writes a part of the file: up to three pieces as one. */
static void write_part(FILE *file, char letter, size_t count, const void *const pieces[],
		       const size_t lens[])
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += lens[i];
	(void)fputc(letter, file);
	for (int shift = 24; shift >= 0; shift -= 8)
		(void)fputc((int)(len >> shift & 0xff), file);
	for (size_t i = 0; i < count; i++)
		if (lens[i])
			(void)fwrite(pieces[i], lens[i], 1, file);
}

void medium_save(const struct medium *medium)
{
	char beside[600];
	FILE *file;

	(void)snprintf(beside, sizeof(beside), "%s.new", medium->path);
	file = need(fopen(beside, "wb"));
	(void)fwrite(magic, sizeof(magic), 1, file);
	write_part(file, 'G', 1, (const void *[]){ &medium->generation }, (const size_t[]){ 1 });
	if (medium->read_only)
		write_part(file, 'P', 0, NULL, NULL);
	for (size_t i = 0; i < medium->attribute_count; i++) {
		const struct attribute *one = &medium->attributes[i];
		uint8_t head[3] = { (uint8_t)(one->id >> 8), (uint8_t)one->id, one->format };

		write_part(file, 'A', 2, (const void *[]){ head, one->data },
			   (const size_t[]){ 3, one->len });
	}
	for (size_t i = 0; i < medium->count; i++) {
		const struct block *block = &medium->blocks[i];
		bool sealed = block->letter == 'E';

		write_part(file, block->letter, 3,
			   (const void *[]){ &block->ukad, &block->akad, block->data },
			   (const size_t[]){ sealed ? 1u + block->ukad.len : 0,
					     sealed ? 1u + block->akad.len : 0, block->len });
	}
	if (fclose(file) != 0 || rename(beside, medium->path) != 0)
		abort();
}

void medium_cut(struct medium *medium, size_t position)
{
	while (medium->count > position)
		free(medium->blocks[--medium->count].data);
}

struct block *medium_add(struct medium *medium, char letter, const uint8_t *data, size_t len)
{
	struct block *block = &medium->blocks[medium->count++];

	assert(medium->count < BLOCKS_MAX);
	*block = (struct block){ .letter = letter, .data = copy_of(data, len), .len = len };
	return block;
}

size_t block_size(const struct block *block)
{
	return block->letter == 'E' ? block->len - NONCE_BYTES - TAG_BYTES : block->len;
}

void block_encrypt(struct block *block, const uint8_t key[KEY_BYTES])
{
	EVP_CIPHER_CTX *context = need(EVP_CIPHER_CTX_new());
	uint8_t *sealed = need(malloc(block->len + NONCE_BYTES + TAG_BYTES));
	uint8_t *text = sealed + NONCE_BYTES + TAG_BYTES;
	int len;

	if (RAND_bytes(sealed, NONCE_BYTES) != 1 ||
	    EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, sealed) != 1 ||
	    EVP_EncryptUpdate(context, NULL, &len, block->akad.data, block->akad.len) != 1 ||
	    EVP_EncryptUpdate(context, text, &len, block->data, (int)block->len) != 1 ||
	    EVP_EncryptFinal_ex(context, text + len, &len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, sealed + NONCE_BYTES) !=
		    1)
		abort();
	EVP_CIPHER_CTX_free(context);
	free(block->data);
	block->data = sealed;
	block->len += NONCE_BYTES + TAG_BYTES;
	block->letter = 'E';
}

bool block_decrypt(const struct block *block, const uint8_t key[KEY_BYTES], uint8_t *out,
		   size_t *ret_len)
{
	EVP_CIPHER_CTX *context = need(EVP_CIPHER_CTX_new());
	uint8_t tag[TAG_BYTES];
	bool good;
	int len = 0;
	int rest = 0;

	memcpy(tag, block->data + NONCE_BYTES, TAG_BYTES);
	good = EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, block->data) == 1 &&
	       EVP_DecryptUpdate(context, NULL, &rest, block->akad.data, block->akad.len) == 1 &&
	       EVP_DecryptUpdate(context, out, &len, block->data + NONCE_BYTES + TAG_BYTES,
				 (int)block_size(block)) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
	       EVP_DecryptFinal_ex(context, out + len, &rest) == 1;
	EVP_CIPHER_CTX_free(context);
	*ret_len = block_size(block);
	return good;
}

struct attribute *medium_attribute(struct medium *medium, uint16_t id)
{
	for (size_t i = 0; i < medium->attribute_count; i++)
		if (medium->attributes[i].id == id)
			return &medium->attributes[i];
	return NULL;
}

void medium_set_attribute(struct medium *medium, uint16_t id, uint8_t format, const uint8_t *data,
			  uint8_t len)
{
	struct attribute *one = medium_attribute(medium, id);
	struct attribute *at = medium->attributes;

	if (!one) {
		assert(medium->attribute_count < ATTRIBUTES_MAX);
		/* The chip answers in the order of the ids. */
		while (at < medium->attributes + medium->attribute_count && at->id < id)
			at++;
		memmove(at + 1, at,
			(size_t)(medium->attributes + medium->attribute_count - at) * sizeof(*at));
		medium->attribute_count++;
		one = at;
	}
	*one = (struct attribute){ .id = id, .format = format, .len = len };
	if (len)
		memcpy(one->data, data, len);
}
