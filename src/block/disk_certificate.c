/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the audit log keeps of a disk that was destroyed, pure.
 */

#include <stdio.h>

#include "disk_destroy.h"

/* What a reader of the certificate must not take for granted. */
static const char *limits_of(const struct destroy_steps *steps)
{
	if (steps->missing)
		return "the device was not there: its header and keyslots are on it still, and "
		       "whoever has a copy of the vault from before can open it";
	if (steps->flash)
		return "flash keeps old blocks where nothing can overwrite them: what makes the "
		       "data unreadable is that the key in the vault is gone";
	return "blocks that the drive has replaced by others were not overwritten: what makes the "
	       "data unreadable is that the key in the vault is gone";
}

/* Adds what is known of backups, which bring back what was not overwritten. */
static void add_backups(struct json *certificate, const struct destroy_steps *steps)
{
	char limits[512];

	json_set_known(certificate, "last_backup", steps->last_backup);
	if (steps->last_backup[0])
		json_set_bool(certificate, "backups_hold_key", steps->backup_holds);
	else
		json_set_null(certificate, "backups_hold_key");
	(void)snprintf(limits, sizeof(limits), "%s%s", limits_of(steps),
		       steps->backup_holds ? "; backups of the vault from before still have a key "
					     "and a copy of the header, and with both whatever was "
					     "not overwritten can be read"
					   : "");
	json_set_text(certificate, "limits", limits);
}

struct json *destroy_certificate(const struct disk *disk, const struct destroy_steps *steps,
				 const char *const mirrors_left[], const char *const copies_aside[])
{
	struct json *certificate = json_new_object();
	struct json *mirrors = json_new_array();
	struct json *copies = json_new_array();
	bool removed = !(mirrors_left && mirrors_left[0]) && !(copies_aside && copies_aside[0]);

	json_set_known(certificate, "by_id", disk->stable);
	json_set_known(certificate, "backing_file", disk->backing_file);
	json_set_known(certificate, "serial", disk->serial);
	json_set_known(certificate, "wwn", disk->wwn);
	json_set_known(certificate, "vendor", disk->vendor);
	json_set_known(certificate, "model", disk->model);
	json_set_known(certificate, "uuid", disk->uuid);
	json_set_uint(certificate, "size", disk->size_bytes);
	json_set_bool(certificate, "missing", steps->missing);
	json_set_bool(certificate, "overwritten", steps->overwritten);
	json_set_uint(certificate, "overwritten_bytes", steps->overwritten_bytes);
	json_set_bool(certificate, "read_back", steps->overwritten);
	json_set_bool(certificate, "discarded", steps->discarded);
	json_set_bool(certificate, "keys_removed", removed);
	json_set_bool(certificate, "header_copies_removed", removed);
	for (size_t i = 0; mirrors_left && mirrors_left[i]; i++)
		json_add_text(mirrors, mirrors_left[i]);
	for (size_t i = 0; copies_aside && copies_aside[i]; i++)
		json_add_text(copies, copies_aside[i]);
	json_set(certificate, "mirrors_left", mirrors);
	json_set(certificate, "copies_set_aside", copies);
	add_backups(certificate, steps);
	return certificate;
}

void destroy_steps_to_meta(const struct destroy_steps *steps, struct json *meta)
{
	struct json *object = json_new_object();

	json_set_bool(object, "missing", steps->missing);
	json_set_bool(object, "overwritten", steps->overwritten);
	json_set_bool(object, "discarded", steps->discarded);
	json_set_bool(object, "flash", steps->flash);
	json_set_uint(object, "overwritten_bytes", steps->overwritten_bytes);
	json_set_text(object, "last_backup", steps->last_backup);
	json_set_bool(object, "backup_holds", steps->backup_holds);
	json_set(meta, "steps", object);
}

struct destroy_steps destroy_steps_of(const struct json *meta)
{
	const struct json *object = json_get(meta, "steps");

	const char *backup = json_get_text(object, "last_backup");
	struct destroy_steps steps = {
		.missing = json_get_bool(object, "missing", false),
		.overwritten = json_get_bool(object, "overwritten", false),
		.discarded = json_get_bool(object, "discarded", false),
		.flash = json_get_bool(object, "flash", false),
		.overwritten_bytes = json_get_uint(object, "overwritten_bytes", 0),
		.backup_holds = json_get_bool(object, "backup_holds", false),
	};

	(void)snprintf(steps.last_backup, sizeof(steps.last_backup), "%s", backup ? backup : "");
	return steps;
}
