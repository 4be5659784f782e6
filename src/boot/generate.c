/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "generate.h"

#include <string.h>

#include "file.h"
#include "name_list.h"
#include "boot_unit.h"

#define TAB_MAX_BYTES (4u << 20)

/* What one run writes. */
struct generating {
	const char *folder;
	boot_mistake mistake;
	void *context;
};

/* Reads a file below @root; none is an empty one. */
static cof_result read_text(const char *root, const char *file, size_t max_bytes,
			    struct buffer *ret_text, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	cof_result read;

	TRY(path_format(&path, err, "%s%s", root, file));
	read = file_read(path, max_bytes, ret_text, err);
	return read.code == COF_E_NOENT ? COF_OK : read;
}

cof_result boot_load(const char *root, const char *keys_socket, boot_mistake mistake, void *context,
		     struct boot_list *ret_list, struct boot_tables *ret_tables,
		     struct cof_error *err)
{
	_cleanup_buffer_ struct buffer list = { 0 };
	_cleanup_buffer_ struct buffer fstab = { 0 };
	_cleanup_buffer_ struct buffer crypttab = { 0 };
	_cleanup_free_ char *path = NULL;

	*ret_list = (struct boot_list){ 0 };
	*ret_tables = (struct boot_tables){ 0 };
	TRY(path_format(&path, err, "%s%s", root, BOOT_LIST_PATH));
	TRY(read_text(root, BOOT_LIST_PATH, BOOT_LIST_MAX_BYTES, &list, err));
	TRY(read_text(root, "/etc/fstab", TAB_MAX_BYTES, &fstab, err));
	TRY(read_text(root, "/etc/crypttab", TAB_MAX_BYTES, &crypttab, err));
	TRY(boot_list_parse(buffer_span(&list), path, mistake, context, ret_list, err));
	return boot_tables_read(buffer_span(&crypttab), buffer_span(&fstab), keys_socket,
				ret_tables, err);
}

/* Writes one drop-in. What systemd reads here is made anew at each boot, so it is not synced. */
static cof_result write_drop_in(const char *folder, const char *unit, const struct buffer *text,
				struct cof_error *err)
{
	_cleanup_free_ char *parent = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_file_ FILE *file = NULL;

	TRY(path_format(&parent, err, "%s/%s.d", folder, unit));
	TRY(folder_make(parent, 0755, err));
	TRY(path_format(&path, err, "%s/%s", parent, BOOT_DROP_IN_NAME));
	file = fopen(path, "we");
	ENSURE(file && fwrite(text->data, 1, text->len, file) == text->len && fflush(file) == 0,
	       err, COF_E_IO, path, "cannot be written");
	return COF_OK;
}

/* Tells of what failed and goes on. */
static void write_or_tell(const struct generating *generating, const char *unit,
			  const struct buffer *text)
{
	struct cof_error wrong = { 0 };

	if (cof_failed(write_drop_in(generating->folder, unit, text, &wrong)))
		generating->mistake(&wrong, generating->context);
}

/* The drop-ins of one unit of the list, and of what may start it: of units of these names there
 * need be none, then nobody reads them. */
static cof_result generate_unit(const struct generating *generating, const struct boot_wait *wait,
				const struct boot_tables *tables, struct cof_error *err)
{
	static const char *const starters[] = { ".service", ".socket", ".timer", ".path" };
	_cleanup_(name_list_freep) char **mounts = NULL;
	size_t stem = strlen(wait->unit) - strlen(".service");

	TRY(boot_wait_mounts(wait, tables, &mounts, err));
	for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]); i++) {
		_cleanup_buffer_ struct buffer text = { 0 };
		char unit[BOOT_UNIT_MAX_CHARS + 1];

		if (boot_unit_is_service(wait->unit))
			(void)snprintf(unit, sizeof(unit), "%.*s%s", (int)stem, wait->unit,
				       starters[i]);
		else
			(void)snprintf(unit, sizeof(unit), "%s", wait->unit);
		TRY(boot_drop_in(unit, wait->unit, mounts, &text, err));
		write_or_tell(generating, unit, &text);
		if (!boot_unit_is_service(wait->unit))
			break;
	}
	if (!mounts[0] && !wait->unsure) {
		struct cof_error wrong = { 0 };

		cof_ignore(cof_raise(&wrong, COF_E_NOENT, wait->unit,
				     "waits, but fstab has no file system of the vault"));
		generating->mistake(&wrong, generating->context);
	}
	return COF_OK;
}

cof_result boot_generate(const struct boot_list *list, const struct boot_tables *tables,
			 const char *folder, boot_mistake mistake, void *context,
			 struct cof_error *err)
{
	struct generating generating = { .folder = folder, .mistake = mistake, .context = context };
	_cleanup_(name_list_freep) char **mounts = NULL;
	_cleanup_buffer_ struct buffer target = { 0 };
	_cleanup_buffer_ struct buffer mount = { 0 };
	char unit[BOOT_UNIT_MAX_CHARS + 1];

	if (list->count == 0)
		return COF_OK;
	for (size_t i = 0; i < list->count; i++)
		TRY(generate_unit(&generating, &list->waits[i], tables, err));
	TRY(boot_all_mounts(list, tables, &mounts, err));
	TRY(boot_target_drop_in(list, mounts, &target, err));
	write_or_tell(&generating, BOOT_TARGET, &target);
	TRY(boot_mount_drop_in(&mount, err));
	for (char **path = mounts; *path; path++)
		if (boot_mount_unit(*path, unit))
			write_or_tell(&generating, unit, &mount);
	return COF_OK;
}
