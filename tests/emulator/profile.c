/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drives that differ, as their manuals and their users' reports say.
 */

#include <string.h>

#include "emulator.h"

#define GCM 0x00010014u
#define CCM 0x80010010u

#define LTO                                                                                        \
	.first_index = 1, .algorithms = 1, .code = GCM, .ukad_max = 32, .akad_max = 12,            \
	.lock = true, .clear_on_demount = true, .scope_all = true, .raw_control = 4

static const struct profile profiles[] = {
	{ .name = "lto6",
	  .vendor = "COFFER",
	  .product = "ULT-TD6",
	  .revision = "1",
	  LTO,
	  .kad_format = true },
	{ .name = "hp-lto4",
	  .vendor = "HP",
	  .product = "Ultrium 4-SCSI",
	  .revision = "B63W",
	  LTO,
	  .key_limit = 10,
	  .blank_check = true },
	{ .name = "ibm-lto8",
	  .vendor = "IBM",
	  .product = "ULT3580-HH8",
	  .revision = "M571",
	  .first_index = 1,
	  .algorithms = 3,
	  .code = GCM,
	  .ukad_max = 32,
	  .akad_max = 12,
	  .clear_on_demount = true,
	  .scope_all = true },
	{ .name = "quantum-lto4",
	  .vendor = "QUANTUM",
	  .product = "ULTRIUM 4",
	  .revision = "2210",
	  .first_index = 0,
	  .algorithms = 1,
	  .code = GCM,
	  .ukad_max = 32,
	  .akad_max = 12,
	  .clear_on_demount = true,
	  .scope_all = true },
	{ .name = "t10000",
	  .vendor = "STK",
	  .product = "T10000D",
	  .revision = "4.16",
	  .first_index = 1,
	  .algorithms = 1,
	  .code = CCM,
	  .ukad_max = 30,
	  .kad_needed = true,
	  .clear_on_demount = true,
	  .scope_all = true,
	  .lock = true },
	{ .name = "library",
	  .vendor = "IBM",
	  .product = "ULT3580-TD6",
	  .revision = "J2D0",
	  LTO,
	  .by_library = true },
	{ .name = "mhvtl",
	  .vendor = "STK",
	  .product = "ULT-TD5",
	  .revision = "107",
	  LTO,
	  .length_extra = 12 },
	{ .name = "short",
	  .vendor = "COFFER",
	  .product = "CUT-OFF",
	  .revision = "1",
	  LTO,
	  .short_pages = true },
	{ .name = "plain",
	  .vendor = "COFFER",
	  .product = "NO-MANAGEMENT",
	  .revision = "1",
	  .first_index = 1,
	  .algorithms = 1,
	  .code = GCM,
	  .no_management = true,
	  .scope_all = true },
	{ .name = "none", .vendor = "HP", .product = "Ultrium 3-SCSI", .revision = "G64W" },
	{ .name = "blocking",
	  .vendor = "COFFER",
	  .product = "WAITS",
	  .revision = "1",
	  LTO,
	  .blocks_when_empty = true },
};

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}
