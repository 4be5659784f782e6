/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define VOLUME_PREFIX "enc-"
#define DIGEST_DIGITS 8
#define ALLOWED_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789#+-.:=@_"

/*
 * The rank of a name in /dev/disk/by-id: what the medium itself says of its identity, and the
 * whole world over, comes before what is made of texts. Left out are names that come from the
 * content (lvm-pv-uuid-) or that an administrator chose (dm-name-): they move with the data.
 */
static int rank_of_id(const char *name)
{
	static const char *const order[] = {
		"dm-uuid-mpath-", "dm-uuid-part", "scsi-3",    "wwn-",	   "nvme-eui.",
		"nvme-nguid.",	  "nvme-",	  "ata-",      "virtio-",  "scsi-",
		"usb-",		  "mmc-",	  "memstick-", "md-uuid-", "dm-uuid-LVM-",
	};
	int count = (int)(sizeof(order) / sizeof(order[0]));

	for (int i = 0; i < count; i++) {
		if (strncmp(name, order[i], strlen(order[i])) != 0)
			continue;
		/* kpartx makes partitions of any map; only those of multipath maps count. */
		if (strcmp(order[i], "dm-uuid-part") == 0 && !strstr(name, "-mpath-"))
			return INT_MAX;
		return i;
	}
	return INT_MAX;
}

/* The rank of a link, lower is better; INT_MAX for one that will not do. */
static int rank_of(const char *link)
{
	const char *slash = strrchr(link, '/');
	size_t folder_len = slash ? (size_t)(slash - link) : 0;

	if (folder_len >= 6 && strncmp(slash - 6, "/by-id", 6) == 0)
		return rank_of_id(slash + 1);
	if (folder_len >= 8 && strncmp(slash - 8, "/by-path", 8) == 0)
		return INT_MAX - 1;
	return INT_MAX;
}

void stable_name_choose(char *const links[], const char **ret_link)
{
	const char *best = NULL;
	int best_rank = INT_MAX;

	for (size_t i = 0; links[i]; i++) {
		int rank = rank_of(links[i]);

		/* Of equals the first in byte order, so that each run chooses the same. */
		if (rank < best_rank || (best && rank == best_rank && strcmp(links[i], best) < 0)) {
			best = links[i];
			best_rank = rank;
		}
	}
	*ret_link = best;
}

cof_result volume_name_make(const char *base, const char *digest, char **ret_name,
			    struct cof_error *err)
{
	size_t base_len = strlen(base);
	size_t whole_len = strlen(VOLUME_PREFIX) + base_len;
	char name[VOLUME_NAME_MAX_CHARS + 1];
	char *copy;

	ENSURE(base_len > 0, err, COF_E_USAGE, NULL, "a volume cannot be called after nothing");
	(void)snprintf(name, sizeof(name), VOLUME_PREFIX "%s", base);
	if (whole_len > VOLUME_NAME_MAX_CHARS) {
		ENSURE(digest && strlen(digest) >= DIGEST_DIGITS, err, COF_E_USAGE, base,
		       "makes a name of %zu characters, %d are allowed", whole_len,
		       VOLUME_NAME_MAX_CHARS);
		(void)snprintf(name + VOLUME_NAME_MAX_CHARS - DIGEST_DIGITS - 1, DIGEST_DIGITS + 2,
			       "-%.*s", DIGEST_DIGITS, digest);
	}
	for (char *c = name; *c != '\0'; c++)
		if (!strchr(ALLOWED_CHARS, *c))
			*c = '_';
	copy = strdup(name);
	ENSURE(copy, err, COF_E_NOMEM, NULL, "no memory for a name");
	*ret_name = copy;
	return COF_OK;
}

cof_result volume_name_check(const char *name, struct cof_error *err)
{
	size_t len = strlen(name);
	size_t good = strspn(name, ALLOWED_CHARS);

	ENSURE(len > 0, err, COF_E_USAGE, NULL, "the name of a volume is empty");
	ENSURE(len <= VOLUME_NAME_MAX_CHARS, err, COF_E_USAGE, name,
	       "is a name of %zu characters, %d are allowed", len, VOLUME_NAME_MAX_CHARS);
	ENSURE(good == len, err, COF_E_USAGE, name,
	       "has a character at place %zu that is not one of A-Z a-z 0-9 # + - . : = @ _",
	       good + 1);
	/* '#' starts a comment in crypttab, '-' an option of every command. */
	ENSURE(name[0] != '#' && name[0] != '-', err, COF_E_USAGE, name,
	       "starts with '%c', which a name may not", name[0]);
	/* /dev/mapper/control is device-mapper's own. */
	ENSURE(strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "control") != 0,
	       err, COF_E_USAGE, name, "is a name with a meaning of its own");
	return COF_OK;
}
