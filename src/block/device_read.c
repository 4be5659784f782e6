/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <libudev.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "identity.h"
#include "name_list.h"
#include "number.h"
#include "sysblock.h"

#define SECTOR_BYTES  512 /* /sys/class/block/X/size counts these, whatever the device's sector */
#define IDENTITY_ROOM 256
#define VPD_PAGE_ROOM 260 /* header and the 255 bytes of an SPC-2 page */

/* Reads the serial number that a SCSI or ATA disk gives; the kernel keeps the page as it came. */
static void read_vpd_serial(const struct block_roots *roots, const char *kname, char *out,
			    size_t out_size_bytes)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];
	uint8_t page[VPD_PAGE_ROOM];
	ssize_t len;

	out[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/class/block/%s/device/vpd_pg80", roots->sys, kname);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = read(fd, page, sizeof(page));
	if (len > 0)
		vpd_serial_parse(SPAN(page, len), out, out_size_bytes);
}

/* The first of some attributes that is there and not empty. */
static void first_attribute(const struct block_roots *roots, const char *kname,
			    const char *const attributes[], char *out, size_t out_size_bytes)
{
	out[0] = '\0';
	for (size_t i = 0; attributes[i] && out[0] == '\0'; i++)
		(void)attribute_text(roots, kname, attributes[i], out, out_size_bytes);
}

/* What udev noted of a device, where /sys says nothing; its values are shown to people. */
static void udev_property(struct udev_device *udev, const char *const keys[], char *out,
			  size_t out_size_bytes)
{
	for (size_t i = 0; udev && keys[i] && out[0] == '\0'; i++) {
		const char *value = udev_device_get_property_value(udev, keys[i]);

		(void)snprintf(out, out_size_bytes, "%s", value ? value : "");
		text_tidy(out);
	}
}

/*
 * Fills in who made the device. /sys comes first and udev second, so that a serial number reads
 * the same whether or not udev has run: records compare it.
 */
static cof_result read_identity(const struct block_roots *roots, const char *kname,
				struct udev_device *udev, struct device *device,
				struct cof_error *err)
{
	char vendor[IDENTITY_ROOM];
	char model[IDENTITY_ROOM];
	char serial[IDENTITY_ROOM];
	char wwn[IDENTITY_ROOM];

	(void)attribute_text(roots, kname, "device/vendor", vendor, sizeof(vendor));
	if (strncmp(vendor, "0x", 2) == 0) /* of PCI and virtio it is a number */
		vendor[0] = '\0';
	first_attribute(roots, kname, (const char *const[]){ "device/model", "device/name", NULL },
			model, sizeof(model));
	read_vpd_serial(roots, kname, serial, sizeof(serial));
	if (serial[0] == '\0')
		first_attribute(roots, kname,
				(const char *const[]){ "serial", "device/serial", NULL }, serial,
				sizeof(serial));
	first_attribute(roots, kname, (const char *const[]){ "wwid", "device/wwid", NULL }, wwn,
			sizeof(wwn));

	udev_property(udev, (const char *const[]){ "ID_VENDOR", NULL }, vendor, sizeof(vendor));
	udev_property(udev, (const char *const[]){ "ID_MODEL", NULL }, model, sizeof(model));
	udev_property(udev,
		      (const char *const[]){ "ID_SCSI_SERIAL", "SCSI_IDENT_SERIAL",
					     "ID_SERIAL_SHORT", NULL },
		      serial, sizeof(serial));
	udev_property(udev, (const char *const[]){ "ID_WWN_WITH_EXTENSION", "ID_WWN", NULL }, wwn,
		      sizeof(wwn));

	TRY(text_copy(vendor, &device->vendor, err));
	TRY(text_copy(model, &device->model, err));
	TRY(text_copy(serial, &device->serial, err));
	TRY(text_copy(wwn, &device->wwn, err));
	return COF_OK;
}

DEFINE_FREEP(struct udev, udev_freep, (void)udev_unref)
DEFINE_FREEP(struct udev_device, udev_device_freep, (void)udev_device_unref)

/* Fills in what the queue says; a partition has that of its disk. */
static void read_limits(const struct block_roots *roots, const char *disk, struct device *device)
{
	device->logical_sector_bytes =
		(uint32_t)attribute_number(roots, disk, "queue/logical_block_size");
	device->physical_sector_bytes =
		(uint32_t)attribute_number(roots, disk, "queue/physical_block_size");
	device->rotational = attribute_number(roots, disk, "queue/rotational") != 0;
	device->discards = attribute_number(roots, disk, "queue/discard_max_bytes") != 0;
	device->removable = attribute_number(roots, disk, "removable") != 0;
}

/* Fills in the links that lead to the device and the best of them. */
static cof_result read_links(const struct link_table *links, struct device *device,
			     struct cof_error *err)
{
	const char *best = NULL;

	TRY(name_list_new(&device->links, err));
	for (size_t i = 0; i < links->count; i++)
		if (links->items[i].number == device->number)
			TRY(name_list_add(&device->links, links->items[i].path, err));
	stable_name_choose(device->links, &best);
	return text_copy(best, &device->stable, err);
}

/* Fills in what is below and above: disk, map and legs, holders. */
static cof_result read_relations(const struct block_roots *roots, const char *disk,
				 struct device *device, struct cof_error *err)
{
	char map[KNAME_ROOM];
	char uuid[IDENTITY_ROOM];
	char file[PATH_MAX];
	bool is_leg;

	TRY(text_copy(strcmp(disk, device->kname) == 0 ? "" : disk, &device->parent, err));
	TRY(sysblock_multipath_map(roots, device->kname, map, &is_leg, err));
	TRY(text_copy(map, &device->multipath_map, err));
	TRY(sysblock_holders(roots, device->kname, &device->holders, err));
	(void)attribute_text(roots, device->kname, "dm/uuid", uuid, sizeof(uuid));
	if (map_kind_of(uuid) == MAP_MULTIPATH)
		TRY(attribute_folder(roots, device->kname, "slaves", &device->legs, err));
	else
		TRY(name_list_new(&device->legs, err));
	(void)attribute_raw(roots, device->kname, "loop/backing_file", file, sizeof(file));
	return text_copy(file, &device->backing_file, err);
}

/* The node's path: the kernel writes '!' where the node is in a folder, as in cciss!c0d0. */
static cof_result make_node(const struct block_roots *roots, const char *kname, char **ret_node,
			    struct cof_error *err)
{
	_cleanup_free_ char *name = NULL;

	TRY(text_copy(kname, &name, err));
	for (char *mark = strchr(name, '!'); mark; mark = strchr(mark, '!'))
		*mark = '/';
	return path_format(ret_node, err, "%s/%s", roots->dev, name);
}

/* Fills in who made the device: a map has the data of its first leg, a partition of its disk. */
static cof_result read_maker(const struct block_roots *roots, const char *disk,
			     struct device *device, struct cof_error *err)
{
	_cleanup_(udev_freep) struct udev *udev = NULL;
	_cleanup_(udev_device_freep) struct udev_device *known = NULL;
	const char *source = device->legs[0] ? device->legs[0] : disk;
	dev_t number;

	/* udev's data are about this machine, whatever tree is shown to us. */
	if (roots == &block_roots_system && sysblock_number(roots, source, &number)) {
		udev = udev_new();
		known = udev ? udev_device_new_from_devnum(udev, 'b', number) : NULL;
	}
	return read_identity(roots, source, known, device, err);
}

cof_result device_read(const struct block_roots *roots, const struct link_table *links,
		       const char *kname, struct device **ret_device, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = calloc(1, sizeof(*device));
	char disk[KNAME_ROOM];
	char syspath[PATH_MAX];
	uint64_t sectors;

	ENSURE(device, err, COF_E_NOMEM, NULL, "no memory for a device");
	ENSURE(strlen(kname) < KNAME_ROOM && sysblock_number(roots, kname, &device->number), err,
	       COF_E_NOENT, kname, "is not known to the kernel");
	if (!sysblock_parent(roots, kname, disk))
		(void)snprintf(disk, sizeof(disk), "%s", kname);
	TRY(text_copy(kname, &device->kname, err));
	TRY(make_node(roots, kname, &device->node, err));
	sectors = attribute_number(roots, kname, "size");
	TRY(size_mul(sectors, SECTOR_BYTES, &device->size_bytes, err));
	device->read_only = attribute_number(roots, kname, "ro") != 0;
	read_limits(roots, disk, device);
	TRY(read_links(links, device, err));
	TRY(read_relations(roots, disk, device, err));
	TRY(read_maker(roots, disk, device, err));
	sysblock_path(roots, kname, syspath, sizeof(syspath));
	TRY(text_copy(transport_guess(kname, syspath), &device->transport, err));

	*ret_device = TAKE(device);
	return COF_OK;
}
