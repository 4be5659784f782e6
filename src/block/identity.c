/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "identity.h"

#define VPD_HEADER_BYTES 4
#define VPD_UNIT_SERIAL	 0x80 /* SPC-4, table 589 */

void text_tidy(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		if (isspace((unsigned char)*in)) {
			if (out > text && out[-1] != ' ')
				*out++ = ' ';
			continue;
		}
		*out++ = isprint((unsigned char)*in) ? *in : '?';
	}
	if (out > text && out[-1] == ' ')
		out--;
	*out = '\0';
}

void vpd_serial_parse(struct span page, char *out, size_t out_size_bytes)
{
	size_t len;

	out[0] = '\0';
	if (page.len < VPD_HEADER_BYTES || page.data[1] != VPD_UNIT_SERIAL)
		return;
	len = (size_t)page.data[2] << 8 | page.data[3];
	if (len > page.len - VPD_HEADER_BYTES)
		len = page.len - VPD_HEADER_BYTES;
	(void)snprintf(out, out_size_bytes, "%.*s", (int)len,
		       (const char *)page.data + VPD_HEADER_BYTES);
	text_tidy(out);
}

const char *transport_guess(const char *kname, const char *syspath)
{
	/* The first that fits: a disk behind a USB bridge has "ata" nowhere, one behind a SAS
	 * adapter is reached by SAS whatever it is. */
	static const struct {
		const char *kname;
		const char *path;
		const char *transport;
	} rules[] = {
		{ "loop", "", "loop" },	    { "dm-", "", "dm" },
		{ "md", "", "md" },	    { "nvme", "", "nvme" },
		{ "mmcblk", "", "mmc" },    { "nbd", "", "nbd" },
		{ "rbd", "", "rbd" },	    { "drbd", "", "drbd" },
		{ "bcache", "", "bcache" }, { "pmem", "", "pmem" },
		{ "xvd", "", "xen" },	    { "", "/virtio", "virtio" },
		{ "", "/usb", "usb" },	    { "", "/end_device-", "sas" },
		{ "", "/rport-", "fc" },    { "", "/session", "iscsi" },
		{ "", "/ata", "sata" },	    { "sd", "", "scsi" },
		{ "sr", "", "scsi" },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strncmp(kname, rules[i].kname, strlen(rules[i].kname)) == 0 &&
		    strstr(syspath, rules[i].path))
			return rules[i].transport;
	return "";
}

enum map_kind map_kind_of(const char *uuid)
{
	if (strncmp(uuid, "LVM-", 4) == 0)
		return MAP_LVM;
	if (strncmp(uuid, "CRYPT-", 6) == 0)
		return MAP_CRYPT;
	if (strncmp(uuid, "mpath-", 6) == 0)
		return MAP_MULTIPATH;
	/* kpartx names them part1-mpath-..., whatever they are on. */
	if (strncmp(uuid, "part", 4) == 0 && isdigit((unsigned char)uuid[4]))
		return MAP_PARTITION;
	return MAP_OTHER;
}

void lvm_group_of(const char *map_name, char *out, size_t out_size_bytes)
{
	size_t used = 0;

	for (const char *at = map_name; *at != '\0' && used + 1 < out_size_bytes; at++) {
		if (at[0] == '-' && at[1] != '-')
			break;
		at += at[0] == '-';
		out[used++] = *at;
	}
	out[used] = '\0';
}
