/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_USAGE_WORDS_H
#define COF_BLOCK_USAGE_WORDS_H

/*
 * Who holds a device, in words, pure; private to this folder.
 */

#include <stdbool.h>

/**
 * struct usage - who uses a device
 * @text:   "mounted at /srv", "open as enc-wwn-0x5000..."; "" when nobody does
 * @detail: what the verdict adds to it: " (ext4)", ", mounted at /srv (ext4)"
 * @remedy: what to type to end it, or ""
 */
struct usage {
	char text[256];
	char detail[256];
	char remedy[256];
};

/**
 * usage_of_holder() - fill in text and remedy for the device on top called @kname
 * @map_name: of a device-mapper device, or ""
 * @map_uuid: the same
 */
void usage_of_holder(const char *kname, const char *map_name, const char *map_uuid,
		     struct usage *ret_usage);

#endif
