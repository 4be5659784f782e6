/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_EMULATOR_MEDIUM_H
#define COF_TESTS_EMULATOR_MEDIUM_H

/*
 * The tape of an emulated drive, in a file that any program with AES-GCM can read:
 *
 *	"COFFER-TAPE-1\n\0\0", then parts: a letter, a length (4 bytes, big-endian), that many bytes
 *
 *	G  LTO generation, one byte; one below 4 cannot be encrypted
 *	P  write-protected, no bytes
 *	A  an attribute of the chip: id (2 bytes), format (1 byte), value
 *	C  a clear block
 *	F  a filemark, no bytes
 *	E  an encrypted block: U-KAD (length, bytes), A-KAD (length, bytes), nonce (12 bytes),
 *	   tag (16 bytes), ciphertext: AES-256-GCM, with the A-KAD authenticated
 *
 * C, F and E stand in the order of the tape.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KAD_ROOM       64
#define KEY_BYTES      32
#define NONCE_BYTES    12
#define TAG_BYTES      16
#define BLOCKS_MAX     4096
#define BLOCK_MAX      (256u << 10)
#define ATTRIBUTES_MAX 32

struct kad_bytes {
	uint8_t len;
	uint8_t data[KAD_ROOM];
};

/* struct block - one logical object; a filemark has no data */
struct block {
	char letter; /* C, E or F */
	struct kad_bytes ukad;
	struct kad_bytes akad;
	uint8_t *data; /* of E: nonce, tag, ciphertext */
	size_t len;
};

struct attribute {
	uint16_t id;
	uint8_t format;
	uint8_t len;
	uint8_t data[255];
};

struct medium {
	char path[512];
	uint8_t generation;
	bool read_only;
	size_t attribute_count;
	struct attribute attributes[ATTRIBUTES_MAX];
	size_t count;
	struct block blocks[BLOCKS_MAX];
};

/* medium_load() - NULL where the file is not there or no tape */
struct medium *medium_load(const char *path);
void medium_free(struct medium *medium);
/* medium_save() - after each change; aborts where it cannot */
void medium_save(const struct medium *medium);

/* medium_cut() - forget what begins at a position */
void medium_cut(struct medium *medium, size_t position);
/* medium_add() - a block or filemark behind all others */
struct block *medium_add(struct medium *medium, char letter, const uint8_t *data, size_t len);
/* block_encrypt() - of a new block, with a nonce of its own */
void block_encrypt(struct block *block, const uint8_t key[KEY_BYTES]);
/* block_decrypt() - into @out, which has room for the block's length; false: a wrong key */
bool block_decrypt(const struct block *block, const uint8_t key[KEY_BYTES], uint8_t *out,
		   size_t *ret_len);
/* block_size() - of its data when clear */
size_t block_size(const struct block *block);

struct attribute *medium_attribute(struct medium *medium, uint16_t id);
void medium_set_attribute(struct medium *medium, uint16_t id, uint8_t format, const uint8_t *data,
			  uint8_t len);

#endif
