/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crc32c.h"

#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* reflected: RFC 3720, appendix B.4 */

uint32_t crc32c_plainly(uint32_t crc, struct span bytes)
{
	crc = ~crc;
	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.data[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
	}
	return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, struct span bytes)
{
	uint64_t wide = ~crc;
	uint64_t word;
	size_t at = 0;

	for (; at + sizeof(word) <= bytes.len; at += sizeof(word)) {
		memcpy(&word, bytes.data + at, sizeof(word));
		wide = _mm_crc32_u64(wide, word);
	}
	crc = (uint32_t)wide;
	for (; at < bytes.len; at++)
		crc = _mm_crc32_u8(crc, bytes.data[at]);
	return ~crc;
}
#endif

uint32_t crc32c(uint32_t crc, struct span bytes)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return by_instruction(crc, bytes);
#endif
	return crc32c_plainly(crc, bytes);
}
