/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "disk_advice.h"
#include "luks_flags.h"

#define SECTOR_BYTES_SMALL 512u
#define SECTOR_BYTES_LARGE 4096u

/* What sort of device it is. */
static const char *kind_of(const struct device *device)
{
	if (device->backing_file[0])
		return "file";
	if (strcmp(device->transport, "nvme") == 0)
		return "nvme";
	return device->rotational ? "rotating" : "flash";
}

/* Larger sectors cost less where the device has them, or is no rotating disk: there a torn write
 * stays as small as one of its own sectors. */
static void advise_sector(const struct device *device, struct disk_advice *advice)
{
	bool fits = device->size_bytes % SECTOR_BYTES_LARGE == 0 &&
		    device->logical_sector_bytes <= SECTOR_BYTES_LARGE;
	bool gains = device->physical_sector_bytes >= SECTOR_BYTES_LARGE || !device->rotational ||
		     device->backing_file[0];

	advice->sector_bytes = fits && gains ? SECTOR_BYTES_LARGE : SECTOR_BYTES_SMALL;
	if (!fits)
		advice->why_sector = "its size is no multiple of 4096 bytes";
	else if (!gains)
		advice->why_sector = "its own sectors have 512 bytes, and a torn write stays as "
				     "small as one of them";
	else
		advice->why_sector = "an eighth of the work per byte that sectors of 512 make";
}

void disk_advise(const struct device *device, bool aes, struct disk_advice *ret_advice)
{
	struct disk_advice advice = { .kind = kind_of(device) };

	advise_sector(device, &advice);
	if (device->rotational && !device->backing_file[0]) {
		advice.why_flags = "the queues of dm-crypt sort what a rotating disk gets";
	} else if (!aes) {
		advice.why_flags = "without AES instructions, encrypting at once would hold up "
				   "whoever reads and writes";
	} else {
		advice.flags = LUKS_FLAG_NO_READ_WORKQUEUE | LUKS_FLAG_NO_WRITE_WORKQUEUE;
		advice.why_flags = "the queues cost more time than AES does";
	}
	*ret_advice = advice;
}
