/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "file.h"
#include "identity.h"
#include "number.h"
#include "probe.h"

#define LUKS_TYPE  "crypto_LUKS" /* libblkid's name of both versions */
#define EDGE_BYTES (1u << 20)
/* So many are read however slow the device is: 0.6 s where each costs a disk's seek of 10 ms. */
#define SAMPLES_MIN    64
#define SAMPLES_MAX_MS 1000
/* A device with more signatures than these is described well enough. */
#define SIGNATURES_MAX 16

DEFINE_FREEP(struct blkid_struct_probe, probe_freep, blkid_free_probe)

/* A probe on @fd for superblocks and partition tables, also damaged ones. */
static cof_result new_probe(int fd, const char *node, blkid_probe *ret_probe, struct cof_error *err)
{
	_cleanup_(probe_freep) blkid_probe probe = blkid_new_probe();

	ENSURE(probe, err, COF_E_NOMEM, NULL, "no memory for a probe");
	ENSURE(blkid_probe_set_device(probe, fd, 0, 0) == 0 &&
		       blkid_probe_enable_superblocks(probe, 1) == 0 &&
		       blkid_probe_set_superblocks_flags(
			       probe, BLKID_SUBLKS_DEFAULT | BLKID_SUBLKS_USAGE |
					      BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM) == 0 &&
		       blkid_probe_enable_partitions(probe, 1) == 0 &&
		       blkid_probe_set_partitions_flags(probe,
							BLKID_PARTS_FORCE_GPT | BLKID_PARTS_MAGIC |
								BLKID_PARTS_ENTRY_DETAILS) == 0,
	       err, COF_E_IO, node, "cannot be probed");
	*ret_probe = TAKE(probe);
	return COF_OK;
}

/* The value of one of the probe's results, "" when it has none. */
static void probe_value(blkid_probe probe, const char *name, char *out, size_t out_size_bytes)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) != 0)
		value = NULL;
	(void)snprintf(out, out_size_bytes, "%s", value ? value : "");
	text_tidy(out);
}

/* How many partitions the table on the device has. */
static cof_result count_partitions(int fd, const char *node, int *ret_count, struct cof_error *err)
{
	_cleanup_(probe_freep) blkid_probe probe = NULL;
	blkid_partlist list;

	TRY(new_probe(fd, node, &probe, err));
	list = blkid_probe_get_partitions(probe);
	*ret_count = list ? blkid_partlist_numof_partitions(list) : 0;
	return COF_OK;
}

/* Adds the signature that the probe stopped at to the words. */
static cof_result add_signature(blkid_probe probe, int fd, const char *node,
				struct signatures *signatures, struct cof_error *err)
{
	char type[64];
	char label[64];
	char words[192];
	size_t used = strlen(signatures->text);
	int partitions;

	probe_value(probe, "TYPE", type, sizeof(type));
	probe_value(probe, "LABEL", label, sizeof(label));
	if (type[0] != '\0') {
		(void)snprintf(words, sizeof(words), label[0] ? "%s (label \"%s\")" : "%s", type,
			       label);
	} else {
		probe_value(probe, "PTTYPE", type, sizeof(type));
		if (type[0] == '\0')
			return COF_OK;
		TRY(count_partitions(fd, node, &partitions, err));
		(void)snprintf(words, sizeof(words), "partition table %s with %d partition%s", type,
			       partitions, partitions == 1 ? "" : "s");
	}
	signatures->count++;
	if (signatures->first[0] == '\0')
		(void)snprintf(signatures->first, sizeof(signatures->first), "%s", type);
	if (signatures->other[0] == '\0' && strcmp(type, LUKS_TYPE) != 0)
		(void)snprintf(signatures->other, sizeof(signatures->other), "%s", type);
	(void)snprintf(signatures->text + used, sizeof(signatures->text) - used, "%s%s",
		       used ? ", " : "", words);
	return COF_OK;
}

cof_result probe_signatures(int fd, const char *node, struct signatures *ret_signatures,
			    struct cof_error *err)
{
	_cleanup_(probe_freep) blkid_probe probe = NULL;
	struct signatures signatures = { 0 };
	int found = 0;

	TRY(new_probe(fd, node, &probe, err));
	for (int i = 0; i < SIGNATURES_MAX; i++) {
		found = blkid_do_probe(probe);
		if (found != 0)
			break;
		TRY(add_signature(probe, fd, node, &signatures, err));
	}
	/* What could not be read could not be looked at: that is no empty device. */
	ENSURE(found >= 0, err, COF_E_IO, node, "cannot be read to see what is on it");
	*ret_signatures = signatures;
	return COF_OK;
}

cof_result probe_tag(const char *node, const char *tag, char *out, size_t out_size_bytes,
		     struct cof_error *err)
{
	_cleanup_(probe_freep) blkid_probe probe = NULL;
	_cleanup_fd_ int fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cof_result result;

	out[0] = '\0';
	if (fd < 0)
		return COF_OK;
	result = new_probe(fd, node, &probe, err);
	if (result.code == COF_E_IO) /* such as a drive without a medium */
		return COF_OK;
	TRY(result);
	if (blkid_do_safeprobe(probe) == 0)
		probe_value(probe, tag, out, out_size_bytes);
	return COF_OK;
}

bool bytes_are_blank(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return true;
	/* All are equal when each equals its neighbour: one comparison at memcmp's speed. */
	return (bytes[0] == 0x00 || bytes[0] == 0xff) && memcmp(bytes, bytes + 1, len - 1) == 0;
}

uint64_t probe_sample_offset(uint64_t size_bytes, unsigned int index)
{
	uint64_t part_bytes = (size_bytes - 2 * EDGE_BYTES) / PROBE_SAMPLES;
	/* Knuth's multiplicative hash: the same place in each run, another one in each part. */
	uint64_t inside = (uint32_t)((index + 1) * 2654435761u);
	unsigned int part = 0;

	for (unsigned int bit = 1; bit < PROBE_SAMPLES; bit <<= 1)
		part = part << 1 | ((index & bit) != 0);
	inside = part_bytes > PROBE_SAMPLE_BYTES ? inside % (part_bytes - PROBE_SAMPLE_BYTES) : 0;
	return (EDGE_BYTES + part * part_bytes + inside) / PROBE_SAMPLE_BYTES * PROBE_SAMPLE_BYTES;
}

/* Looks at samples between the edges, for as long as that may take. */
static cof_result probe_samples(int fd, uint64_t size_bytes, const char *node,
				char where[static PROBE_WHERE_BYTES], struct cof_error *err)
{
	uint8_t sample[PROBE_SAMPLE_BYTES];
	uint64_t until_ms = clock_ms() + SAMPLES_MAX_MS;
	char place[16];

	if (size_bytes < 2 * EDGE_BYTES + PROBE_SAMPLE_BYTES)
		return COF_OK;
	for (unsigned int i = 0; i < PROBE_SAMPLES; i++) {
		uint64_t offset_bytes = probe_sample_offset(size_bytes, i);

		if (i >= SAMPLES_MIN && clock_ms() >= until_ms)
			break;
		TRY(fd_pread_all(fd, sample, sizeof(sample), offset_bytes, node, err));
		if (bytes_are_blank(sample, sizeof(sample)))
			continue;
		(void)snprintf(where, PROBE_WHERE_BYTES, "at %s", size_format(offset_bytes, place));
		break;
	}
	return COF_OK;
}

cof_result probe_content(int fd, uint64_t size_bytes, const char *node,
			 char ret_where[static PROBE_WHERE_BYTES], struct cof_error *err)
{
	uint64_t edge_bytes = size_bytes < EDGE_BYTES ? size_bytes : EDGE_BYTES;
	_cleanup_free_ uint8_t *edge = malloc(EDGE_BYTES);
	char where[PROBE_WHERE_BYTES] = "";

	ENSURE(edge, err, COF_E_NOMEM, NULL, "no memory to look at a device");
	TRY(fd_pread_all(fd, edge, edge_bytes, 0, node, err));
	if (!bytes_are_blank(edge, edge_bytes)) {
		(void)snprintf(where, sizeof(where), "in the first MiB");
	} else {
		TRY(fd_pread_all(fd, edge, edge_bytes, size_bytes - edge_bytes, node, err));
		if (!bytes_are_blank(edge, edge_bytes))
			(void)snprintf(where, sizeof(where), "in the last MiB");
	}
	if (!where[0])
		TRY(probe_samples(fd, size_bytes, node, where, err));
	memcpy(ret_where, where, sizeof(where));
	return COF_OK;
}
