/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_TREE_RIG_H
#define COF_TESTS_TREE_RIG_H

/*
 * A made-up /sys, /proc and /dev for hardware that no test machine has: multipath, LVM, arrays,
 * NVMe. Device nodes are real nodes with numbers that nobody has, which takes root.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "child.h"
#include "file.h"
#include "sysblock.h"

#define TREE_MAJOR 240 /* for local use: the kernel's devices.txt */

/* struct tree - the three folders */
struct tree {
	char top[64];
	char sys[80];
	char dev[80];
	char proc[80];
	struct block_roots roots;
};

static inline void tree_require(void)
{
	if (geteuid() != 0) {
		print_message("skipped: needs root to make device nodes\n");
		skip();
	}
}

/* Writes a file below the tree's top, its folders too. */
static inline void tree_put(const struct tree *tree, const char *path, struct span content)
{
	char whole[512];
	char folder[512];
	int fd;

	(void)snprintf(whole, sizeof(whole), "%s/%s", tree->top, path);
	(void)snprintf(folder, sizeof(folder), "%s", whole);
	*strrchr(folder, '/') = '\0';
	assert_ok(folder_make(folder, 0755, NULL));
	fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.len), content.len);
	(void)close(fd);
}

static inline void tree_text(const struct tree *tree, const char *path, const char *text)
{
	tree_put(tree, path, span_of_text(text));
}

/* An attribute of a device that is there. */
static inline void tree_attribute(const struct tree *tree, const char *kname, const char *attribute,
				  const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "sys/class/block/%s/%s", kname, attribute);
	tree_text(tree, path, text);
}

static inline void tree_link(const struct tree *tree, const char *target, const char *path)
{
	char whole[512];
	char folder[512];

	(void)snprintf(whole, sizeof(whole), "%s/%s", tree->top, path);
	(void)snprintf(folder, sizeof(folder), "%s", whole);
	*strrchr(folder, '/') = '\0';
	assert_ok(folder_make(folder, 0755, NULL));
	assert_int_equal(symlink(target, whole), 0);
}

/* A device at @place below sys/devices, which ends in its kernel name, with its node. */
static inline void tree_device(const struct tree *tree, const char *place, unsigned int number,
			       uint64_t size_bytes)
{
	const char *kname = strrchr(place, '/') + 1;
	char target[256];
	char path[256];
	char text[64];

	(void)snprintf(path, sizeof(path), "sys/devices/%s/dev", place);
	(void)snprintf(text, sizeof(text), "%u:%u\n", TREE_MAJOR, number);
	tree_text(tree, path, text);
	(void)snprintf(target, sizeof(target), "../../devices/%s", place);
	(void)snprintf(path, sizeof(path), "sys/class/block/%s", kname);
	tree_link(tree, target, path);
	(void)snprintf(path, sizeof(path), "sys/dev/block/%u:%u", TREE_MAJOR, number);
	tree_link(tree, target, path);
	(void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)size_bytes / 512);
	tree_attribute(tree, kname, "size", text);
	(void)snprintf(path, sizeof(path), "%s/%s", tree->dev, kname);
	assert_int_equal(mknod(path, S_IFBLK | 0600, makedev(TREE_MAJOR, number)), 0);
}

/* Puts @upper on top of @lower. */
static inline void tree_stack(const struct tree *tree, const char *lower, const char *upper)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "sys/class/block/%s/holders/%s", lower, upper);
	tree_link(tree, "x", path);
	(void)snprintf(path, sizeof(path), "sys/class/block/%s/slaves/%s", upper, lower);
	tree_link(tree, "x", path);
}

/* A device-mapper device. */
static inline void tree_map(const struct tree *tree, const char *kname, unsigned int number,
			    const char *name, const char *uuid)
{
	char place[128];

	(void)snprintf(place, sizeof(place), "virtual/block/%s", kname);
	tree_device(tree, place, number, 1u << 30);
	tree_attribute(tree, kname, "dm/name", name);
	tree_attribute(tree, kname, "dm/uuid", uuid);
}

static inline void tree_init(struct tree *tree)
{
	*tree = (struct tree){ .top = "/tmp/coffer-test-XXXXXX" };
	assert_non_null(mkdtemp(tree->top));
	(void)snprintf(tree->sys, sizeof(tree->sys), "%s/sys", tree->top);
	(void)snprintf(tree->dev, sizeof(tree->dev), "%s/dev", tree->top);
	(void)snprintf(tree->proc, sizeof(tree->proc), "%s/proc", tree->top);
	tree->roots = (struct block_roots){ tree->sys, tree->dev, tree->proc };
	assert_ok(folder_make(tree->dev, 0755, NULL));
	assert_ok(folder_make(tree->proc, 0755, NULL));
	tree_text(tree, "proc/self/mountinfo", "");
}

static inline void tree_done(struct tree *tree)
{
	const char *const argv[] = { "rm", "-r", tree->top, NULL };

	if (tree->top[0] != '\0')
		assert_ok(child_check(argv, 10000, NULL));
}

/* A line of mountinfo for the device. */
static inline void tree_mount(const struct tree *tree, unsigned int number, const char *target)
{
	char line[256];

	(void)snprintf(line, sizeof(line),
		       "22 1 0:5 / /proc rw - proc proc rw\n"
		       "36 35 %u:%u / %s rw,noatime shared:1 - xfs /dev/whatever rw\n",
		       TREE_MAJOR, number, target);
	tree_text(tree, "proc/self/mountinfo", line);
}

/*
 * sda is a SATA disk with a partition; sdb and sdc are the legs of the map dm-0, which has a
 * partition dm-1, and the legs have it as the kernel sees it.
 */
static inline void tree_machine(struct tree *tree)
{
	static const char ata[] = "pci0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
	static const uint8_t serial[] = "\0\x80\0\x0a  WD-1234 ";

	tree_init(tree);
	tree_device(tree, ata, 0, 1u << 30);
	tree_attribute(tree, "sda", "device/vendor", "ATA     \n");
	tree_attribute(tree, "sda", "device/model", "WDC  WD10\n");
	tree_attribute(tree, "sda", "device/wwid", "naa.5000\n");
	tree_attribute(tree, "sda", "queue/rotational", "1\n");
	tree_attribute(tree, "sda", "queue/logical_block_size", "512\n");
	tree_attribute(tree, "sda", "queue/physical_block_size", "4096\n");
	tree_attribute(tree, "sda", "queue/discard_max_bytes", "4096\n");
	tree_attribute(tree, "sda", "removable", "1\n");
	tree_put(tree, "sys/class/block/sda/device/vpd_pg80", SPAN(serial, sizeof(serial) - 1));
	tree_device(tree, "pci0/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1", 1, 1u << 29);
	tree_attribute(tree, "sda1", "partition", "1\n");
	tree_attribute(tree, "sda1", "ro", "1\n");
	tree_link(tree, "../../sda", "dev/disk/by-id/ata-WDC_1234");
	tree_link(tree, "../../sda", "dev/disk/by-id/wwn-0x5000");
	tree_link(tree, "../../sda", "dev/disk/by-path/pci-0-ata-1");
	tree_link(tree, "../../sda1", "dev/disk/by-id/wwn-0x5000-part1");
	tree_link(tree, "../../nowhere", "dev/disk/by-id/wwn-0xdead");

	tree_device(tree, "pci0/host1/rport-1:0-1/block/sdb", 16, 1u << 30);
	tree_attribute(tree, "sdb", "device/vendor", "NETAPP\n");
	tree_attribute(tree, "sdb", "device/wwid", "naa.600a\n");
	tree_device(tree, "pci0/host1/rport-1:0-1/block/sdb/sdb1", 17, 1u << 29);
	tree_attribute(tree, "sdb1", "partition", "1\n");
	tree_device(tree, "pci0/host2/rport-2:0-1/block/sdc", 32, 1u << 30);
	tree_attribute(tree, "sdc", "device/wwid", "naa.600a\n");
	tree_map(tree, "dm-0", 100, "mpatha", "mpath-3600a");
	tree_stack(tree, "sdb", "dm-0");
	tree_stack(tree, "sdc", "dm-0");
	tree_link(tree, "../../dm-0", "dev/disk/by-id/scsi-3600a");
	tree_link(tree, "../../dm-0", "dev/disk/by-id/dm-uuid-mpath-3600a");
	tree_link(tree, "../dm-0", "dev/mapper/mpatha");
}

#endif
