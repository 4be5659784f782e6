/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_PROBE_H
#define COF_BLOCK_PROBE_H

/*
 * What is on a device, as libblkid knows it, and whether there is anything at all; private to
 * this folder. Reads only.
 */

#include <stdint.h>

#include "result.h"

/**
 * struct signatures - what libblkid recognised
 * @first: its name for the first of them, "" when there is none
 * @other: the first of them that is no LUKS header, "" when there is none
 * @count: how many there are
 * @text:  all of them in words, "ext4 (label \"srv\"), partition table gpt with 2 partitions"
 */
struct signatures {
	char first[64];
	char other[64];
	size_t count;
	char text[384];
};

/** probe_signatures() - every signature on the device open as @fd, also those whose checksum is
 * wrong. Fails: COF_E_IO, COF_E_NOMEM */
cof_result probe_signatures(int fd, const char *node, struct signatures *ret_signatures,
			    struct cof_error *err);

/**
 * probe_tag() - one value that libblkid reads from a device: "UUID", "LABEL", "PART_ENTRY_UUID",
 * "PART_ENTRY_NAME"
 * A device that can't be opened or read has none. Fails: COF_E_NOMEM
 */
cof_result probe_tag(const char *node, const char *tag, char *out, size_t out_size_bytes,
		     struct cof_error *err);

/** bytes_are_blank() - whether all of them are 0x00, or all of them are 0xff; pure */
bool bytes_are_blank(const uint8_t *bytes, size_t len);

#define PROBE_SAMPLES	   512 /* a power of two */
#define PROBE_SAMPLE_BYTES 4096

/**
 * probe_sample_offset() - where sample @index of PROBE_SAMPLES lies, pure
 * @size_bytes: at least 2 MiB and a sample
 *
 * Between the first and the last MiB, one in each of as many equal parts, not at its beginning:
 * what is laid out in powers of two may have holes there. The order is such that each beginning of
 * it is spread evenly as well (bits reversed: van der Corput's sequence).
 */
uint64_t probe_sample_offset(uint64_t size_bytes, unsigned int index);

#define PROBE_WHERE_BYTES 48

/**
 * probe_content() - whether there is something in the first or the last MiB, or in samples between
 * @ret_where: "in the first MiB", "in the last MiB", "at 12.5G"; "" when all is blank
 *
 * The samples end after a second, but not before 64 of them were looked at.
 * Fails: COF_E_IO, COF_E_NOMEM
 */
cof_result probe_content(int fd, uint64_t size_bytes, const char *node,
			 char ret_where[static PROBE_WHERE_BYTES], struct cof_error *err);

#endif
