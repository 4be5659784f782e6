/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_CRC32C_H
#define COF_BASE_CRC32C_H

#include <stdint.h>

#include "buffer.h"

/**
 * crc32c() - CRC-32C (Castagnoli: RFC 3720, appendix B.4) of bytes that may come in pieces
 * @crc: 0 for the first piece, then what the call before returned
 * Finds accidents, not forgeries. With the processor's instruction where it has one (SSE4.2).
 */
uint32_t crc32c(uint32_t crc, struct span bytes);

/** crc32c_plainly() - the same without that instruction */
uint32_t crc32c_plainly(uint32_t crc, struct span bytes);

#endif
