/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_AES_SUPPORT_H
#define COF_BLOCK_AES_SUPPORT_H

/*
 * Whether AES is done by instructions of the processor: what it says, and what the kernel uses.
 * That a module is loaded, which QuantaStor has people look for, tells neither: it may be built in,
 * under another name, or be loaded with the first disk.
 */

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "result.h"

/**
 * struct aes_support
 * @processor: it has AES instructions
 * @wide:      and does several blocks at a time with them (x86: vaes)
 * @instructions: what they are called, "aes, vaes", or ""
 * @driver:    what the kernel uses for xts(aes), "xts-aes-aesni"; "" until something has used it
 * @generic:   that driver does without the instructions
 */
struct aes_support {
	bool processor;
	bool wide;
	char instructions[32];
	char driver[64];
	bool generic;
};

/** aes_support_of_cpuinfo() - from /proc/cpuinfo: the "flags" of x86 and the "Features" of ARM,
 * pure */
void aes_support_of_cpuinfo(struct span text, struct aes_support *support);
/** aes_support_of_crypto() - from /proc/crypto: of the drivers of xts(aes), the one of the highest
 * priority, which the kernel takes; pure */
void aes_support_of_crypto(struct span text, struct aes_support *support);

/** aes_support_read() - both, of this machine. What cannot be read is not there */
void aes_support_read(struct aes_support *ret_support);

#endif
