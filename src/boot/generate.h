/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_GENERATE_H
#define COF_BOOT_GENERATE_H

/*
 * What coffer's generator leaves for systemd at boot and at each daemon-reload.
 */

#include "boot_tables.h"

/**
 * boot_load() - the list, fstab and crypttab below @root; a missing file is an empty one
 * @keys_socket, @mistake: as boot_tables_read() and boot_list_parse() take them
 * Both results are the caller's to free, also after a failure.
 * Fails: COF_E_IO, as boot_list_parse() and boot_tables_read()
 */
cof_result boot_load(const char *root, const char *keys_socket, boot_mistake mistake, void *context,
		     struct boot_list *ret_list, struct boot_tables *ret_tables,
		     struct cof_error *err);

/**
 * boot_generate() - write the drop-ins of all units of the list
 * @folder:  where, as systemd.generator(7) gives it; nothing is written elsewhere
 * @mistake: is told of each drop-in that cannot be written; the others are written all the same
 * An empty list writes nothing. Fails: COF_E_NOMEM
 */
cof_result boot_generate(const struct boot_list *list, const struct boot_tables *tables,
			 const char *folder, boot_mistake mistake, void *context,
			 struct cof_error *err);

#endif
