/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_IDENTITY_H
#define COF_BLOCK_IDENTITY_H

/*
 * What the kernel's texts about a device mean, pure; private to this folder.
 */

#include "buffer.h"

/** text_tidy() - in place: no blanks at the ends, runs of blanks become one, bytes that a
 * terminal should not get become '?' */
void text_tidy(char *text);

/**
 * vpd_serial_parse() - the serial number of a unit serial number page
 * (SPC-4, 7.8.19: page code 80h in byte 1, length in bytes 2 and 3, then ASCII)
 * @out: "" when the page is not one
 */
void vpd_serial_parse(struct span page, char *out, size_t out_size_bytes);

/** transport_guess() - from the kernel name and the device's place under /sys/devices; static */
const char *transport_guess(const char *kname, const char *syspath);

/** enum map_kind - what made a device-mapper device, told by its UUID's prefix */
enum map_kind { MAP_OTHER, MAP_LVM, MAP_CRYPT, MAP_MULTIPATH, MAP_PARTITION };
enum map_kind map_kind_of(const char *uuid);

/** lvm_group_of() - "vg-a" of "vg--a-lv": LVM joins group and volume by one dash and doubles the
 * dashes inside them */
void lvm_group_of(const char *map_name, char *out, size_t out_size_bytes);

#endif
