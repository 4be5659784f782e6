/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk repair-crypttab, second half: the lines. Those of others stay as they are.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crypttab_judge.h"
#include "crypttab_repair.h"
#include "disk_format_job.h"
#include "disk_life.h"
#include "disk_result.h"
#include "key_place.h"
#include "name_list.h"

/* Whether a source means this very device. */
static bool means(const char *source, const struct device *device)
{
	_cleanup_(device_freep) struct device *found = NULL;

	return !cof_failed(device_find(source, &found, NULL)) && found->number == device->number;
}

/* Says something beside the device's line. */
static void __attribute__((format(printf, 2, 3)))
note(struct repair_device *device, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(device->note, sizeof(device->note), format, arguments);
	va_end(arguments);
}

/* Of several devices that one key opens, the one that the record speaks of; NULL: nobody knows. */
static const struct repair_device *owner_of(const struct repair *repair, size_t record)
{
	const struct disk *disk = &repair->set.items[record];
	const struct repair_device *owner = NULL;
	const struct repair_device *only = NULL;
	size_t owners = 0;
	size_t count = 0;

	for (size_t i = 0; i < repair->device_count; i++) {
		const struct repair_device *device = &repair->devices[i];

		if (device->record != record)
			continue;
		only = device;
		count++;
		if (strcmp(disk->uuid, device->luks_uuid) != 0 ||
		    !disk_has_stable_name(disk, device->device))
			continue;
		owner = device;
		owners++;
	}
	if (count == 1)
		return only;
	return owners == 1 ? owner : NULL;
}

/* The line of somebody else that opens the device. */
static bool find_foreign(const struct crypttab *table, const struct paths *paths,
			 const struct repair_device *device, const char *name,
			 struct crypttab_entry *ret_entry)
{
	for (size_t i = 0; crypttab_at(table, i, ret_entry); i++)
		if (strcmp(ret_entry->name, name) != 0 &&
		    strcmp(ret_entry->key, paths->keys_socket) != 0 &&
		    means(ret_entry->source, device->device))
			return true;
	return false;
}

/* What crypttab calls the device; NULL when nothing will do. */
static const char *source_of(const struct repair_device *device, const struct crypttab_entry *entry)
{
	if (entry && means(entry->source, device->device))
		return entry->source;
	if (device->device->stable[0])
		return device->device->stable;
	return device->device->backing_file[0] ? device->device->backing_file : NULL;
}

/* Whether the line of this device is left as it is, or not there; the note says why. */
static bool is_left(const struct paths *paths, const struct repair *repair,
		    const struct crypttab *table, const struct crypttab_entry *entry,
		    struct repair_device *device)
{
	const struct disk *disk = &repair->set.items[device->record];
	struct crypttab_entry foreign;

	device->line = entry ? "kept" : "none";
	if (owner_of(repair, device->record) != device)
		note(device, "the key of %s opens another device as well", disk->name);
	else if (!disk->ready)
		note(device, "%s is half done: run the command that was stopped again", disk->name);
	else if (!disk->crypttab && !entry && !repair->add)
		note(device, "%s has no line%s: `coffer disk repair-crypttab --add` gives it one",
		     disk->name, device->device->stable[0] ? "" : ", for want of a stable name");
	else if (!disk->crypttab && entry && !disk_line_is_ours(paths, disk, entry) &&
		 !crypttab_judge(paths, disk, true, entry))
		note(device, "its line has a key of its own");
	else if (!entry && find_foreign(table, paths, device, disk->name, &foreign))
		note(device, "the line %.100s opens it already", foreign.name);
	else if (!source_of(device, entry))
		note(device, "has no name that stays");
	else
		return false;
	return true;
}

/* The key and the options that a line is to have. A key of its own stays where the disk was to have
 * no line of ours, unless it is a file that is not there. */
static cof_result choose_key(const struct paths *paths, const struct disk *disk,
			     const struct crypttab_entry *entry, char **ret_key, char **ret_options,
			     struct cof_error *err)
{
	bool own = entry && !disk->crypttab && !disk_line_is_ours(paths, disk, entry);

	*ret_options = NULL;
	if (own && !(crypttab_judge(paths, disk, true, entry) & LINE_NO_KEY))
		return text_copy(entry->key, ret_key, err);
	TRY(text_copy(disk_line_key(paths, disk), ret_key, err));
	if (!entry)
		return text_copy(DISK_CRYPTTAB_OPTIONS, ret_options, err);
	/* Options that somebody chose stay; those of a file that is gone, where they fit. */
	return own ? adopt_options(entry->options, ret_options, err) : COF_OK;
}

/* The line of one device that a key of the vault opens. */
static cof_result set_line(const struct paths *paths, const struct repair *repair,
			   struct crypttab *table, struct repair_device *device,
			   struct cof_error *err)
{
	const struct disk *disk = &repair->set.items[device->record];
	_cleanup_free_ char *source = NULL;
	_cleanup_free_ char *key = NULL;
	_cleanup_free_ char *options = NULL;
	struct crypttab_entry entry;
	bool there = crypttab_find(table, disk->name, &entry);

	if (is_left(paths, repair, table, there ? &entry : NULL, device))
		return COF_OK;
	TRY(text_copy(source_of(device, there ? &entry : NULL), &source, err));
	TRY(choose_key(paths, disk, there ? &entry : NULL, &key, &options, err));
	if (!there)
		device->line = "added";
	else if (strcmp(entry.source, source) != 0 || strcmp(entry.key, key) != 0)
		device->line = "changed";
	if (strcmp(disk->uuid, device->luks_uuid) != 0)
		note(device, "its LUKS UUID is not the record's, so `coffer disk open` refuses it");
	return crypttab_set(table, disk->name, source, key, options, err);
}

/* Makes comments of lines for our key server of which the vault knows nothing. */
static cof_result comment_stale(const struct paths *paths, struct repair *repair,
				struct crypttab *table, struct cof_error *err)
{
	struct crypttab_entry entry;

	TRY(name_list_new(&repair->stale, err));
	for (size_t i = 0; crypttab_at(table, i, &entry); i++)
		if (strcmp(entry.key, paths->keys_socket) == 0 &&
		    !disk_set_find(&repair->set, entry.name, NULL) &&
		    !name_list_has(repair->stale, entry.name))
			TRY(name_list_add(&repair->stale, entry.name, err));
	for (char **name = repair->stale; *name; name++)
		TRY(crypttab_comment_out(table, *name, err));
	return COF_OK;
}

/* Finds the lines that lead to other disks while their own are not there: nobody knows where to. */
static cof_result find_stray(const struct paths *paths, struct repair *repair,
			     const struct crypttab *table, struct cof_error *err)
{
	struct crypttab_entry entry;

	TRY(name_list_new(&repair->stray, err));
	for (size_t i = 0; i < repair->set.count; i++) {
		const struct disk *disk = &repair->set.items[i];

		if (!repair->has_device[i] && disk->ready &&
		    crypttab_find(table, disk->name, &entry) &&
		    (crypttab_judge(paths, disk, false, &entry) & LINE_OTHER_DISK))
			TRY(name_list_add(&repair->stray, disk->name, err));
	}
	return COF_OK;
}

cof_result repair_lines(const struct paths *paths, struct repair *repair, struct cof_error *err)
{
	_cleanup_(crypttab_freep) struct crypttab *table = NULL;

	TRY(crypttab_parse(buffer_span(&repair->text[0]), &table, err));
	TRY(comment_stale(paths, repair, table, err));
	TRY(find_stray(paths, repair, table, err));
	for (size_t i = 0; i < repair->device_count; i++)
		if (repair->devices[i].record != SIZE_MAX)
			TRY(set_line(paths, repair, table, &repair->devices[i], err));
	return crypttab_format(table, &repair->text[1], err);
}

/* tab_edit()'s rewrite: the plan's text, if it was made for what is there. */
static cof_result rewrite(const char *path, struct span before, void *context,
			  struct buffer *ret_after, struct cof_error *err)
{
	const struct repair *repair = context;
	const struct buffer *planned = &repair->text[0];

	ENSURE(before.len == planned->len &&
		       (before.len == 0 || memcmp(before.data, planned->data, before.len) == 0),
	       err, COF_E_CONFLICT, path, "was changed since it was read");
	return buffer_add(ret_after, repair->text[1].data, repair->text[1].len, err);
}

cof_result repair_run(const struct paths *paths, struct repair *repair, struct cof_error *err)
{
	return tab_edit(paths->crypttab, &tab_file_crypttab, rewrite, repair, err);
}
