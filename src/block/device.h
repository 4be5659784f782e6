/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DEVICE_H
#define COF_BLOCK_DEVICE_H

/*
 * Block devices of this machine: discovery, stable names, and who uses them.
 */

#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

#define VOLUME_NAME_MAX_CHARS 78 /* crypttab(5) socket key files: address of 107 bytes, see disks */

/**
 * struct device - one block device; all texts owned, "" where unknown
 * @node:     /dev/sdj
 * @kname:    kernel name, "sdj"
 * @number:   major and minor
 * @stable:   the best name under /dev/disk/by-id, as a whole path, or ""
 * @links:    every /dev/disk/... link, NULL-terminated
 * @transport: "sata", "sas", "nvme", "usb", "virtio", "loop", "dm", "md", ...
 * @backing_file: of a loop device
 * @multipath_map: kname of the map of which this is a leg, or ""
 * @legs:     knames of the legs of a multipath map, NULL-terminated
 * @parent:   kname of the whole disk of a partition, or ""
 * @holders:  knames of devices on top, NULL-terminated
 */
struct device {
	char *node;
	char *kname;
	dev_t number;
	char *stable;
	char **links;
	char *vendor;
	char *model;
	char *serial;
	char *wwn;
	char *transport;
	char *backing_file;
	char *multipath_map;
	char **legs;
	char *parent;
	char **holders;
	uint64_t size_bytes;
	uint32_t logical_sector_bytes;
	uint32_t physical_sector_bytes;
	bool rotational;
	bool removable;
	bool read_only;
	bool discards;
};

void device_free(struct device *device);
DEFINE_FREEP(struct device, device_freep, device_free)

/** struct device_list - devices in natural order of their kernel names */
struct device_list {
	struct device **items; /* owned */
	size_t count;
};
void device_list_done(struct device_list *list);

/**
 * device_scan() - all block devices of the machine that have a size, without ram disks
 * Works as an ordinary user too, with what can be read.
 */
cof_result device_scan(struct device_list *ret_list, struct cof_error *err);

/**
 * device_find() - one device by any name: /dev node, any link, kernel name, UUID=..., by-id
 * basename. The leg of a multipath map is answered with the map.
 * Fails: COF_E_NOENT (does not exist), COF_E_USAGE (exists, but is no block device)
 */
cof_result device_find(const char *name, struct device **ret_device, struct cof_error *err);

/** device_by_number() - the same by its number. Fails: COF_E_NOENT */
cof_result device_by_number(dev_t number, struct device **ret_device, struct cof_error *err);

/**
 * stable_name_choose() - the best of a device's links, pure
 * @links: NULL-terminated paths under /dev/disk/by-id and by-path
 * @ret_link: borrowed from @links; NULL when none will do
 * Order: dm-uuid-mpath- > scsi-3, wwn- > nvme-eui., nvme-nguid. > nvme- > ata- > virtio- > by-path
 */
void stable_name_choose(char *const links[], const char **ret_link);

/**
 * volume_name_make() - "enc-<by-id basename>" (or of a backing file), pure
 * @base: basename; characters other than A-Z a-z 0-9 # + - . : = @ _ become _; a name that would
 *        pass VOLUME_NAME_MAX_CHARS is cut and ends in 8 hex digits of its SHA-256, supplied
 *        by the caller as @digest so that this stays pure; may be NULL for a short name
 */
cof_result volume_name_make(const char *base, const char *digest, char **ret_name,
			    struct cof_error *err);
/** volume_name_check() - whether @name may be a volume's. Fails: COF_E_USAGE, saying why not */
cof_result volume_name_check(const char *name, struct cof_error *err);

/**
 * struct verdict - may this device be overwritten?
 * @state: VERDICT_FREE: nothing on it and nobody uses it; VERDICT_HOLDS_DATA: something
 *         recognisable or unknown content (--force overrides); VERDICT_IN_USE: never touched;
 *         VERDICT_UNFIT: read-only, too small: never
 * @reason: what was found, "mounted at /srv/data (ext4)", "LVM2_member", "partition table gpt
 *          with 2 partitions", "unknown content in the first MiB" or "at 12.5G"
 * @remedy: what to type instead, or ""
 * @signature: blkid's type, "" when none
 * @passing: it is in use by another command of coffer, which will end
 */
struct verdict {
	enum verdict_state {
		VERDICT_FREE,
		VERDICT_HOLDS_DATA,
		VERDICT_IN_USE,
		VERDICT_UNFIT
	} state;
	char reason[512];
	char remedy[256];
	char signature[64];
	bool passing;
};

/**
 * device_verdict() - look whether a device may be overwritten; changes nothing
 *
 * In use: mounted (it, a partition, or anything on top), swap, holders, member of an active map
 * or array, backing of the root file system, opened exclusively by somebody, or open in the
 * user-space engine.
 * Holds data: any signature that libblkid knows, partitions, or the first or last MiB, or one of
 * up to 512 samples between them, neither all zeroes nor all ones. Unfit: read-only, smaller than
 * 32 MiB.
 */
cof_result device_verdict(const struct device *device, struct verdict *ret_verdict,
			  struct cof_error *err);

/**
 * device_use() - who uses it, in words for `disk list`: "mounted at /srv", "swap", "LVM (vg0)",
 * "md0", "multipath leg of mpatha", "open as enc-...", "" when nobody does
 */
cof_result device_use(const struct device *device, char *out, size_t out_size_bytes,
		      struct cof_error *err);

/**
 * device_claim() - open with O_EXCL, so that neither the kernel nor another program takes it
 * @ret_fd: caller closes. Fails: COF_E_BUSY, COF_E_NOENT, COF_E_IO
 */
cof_result device_claim(const struct device *device, bool read_only, int *ret_fd,
			struct cof_error *err);

/**
 * device_wipe_signatures() - remove every signature that libblkid knows, backup copies at the
 * device's end included, so that nothing finds the old content beside the new header
 * @fd: from device_claim(), writable; borrowed
 * Fails: COF_E_IO
 */
cof_result device_wipe_signatures(const struct device *device, int fd, struct cof_error *err);

#endif
