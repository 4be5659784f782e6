/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot_tables.h"

#include <string.h>

#include "fstab.h"
#include "name_list.h"
#include "tabfile.h"
#include "boot_unit.h"

#define KEY_FOLDER "/run/coffer/"
#define KEY_SOCKET "/keys.sock"

static void mount_done(struct boot_mount *mount)
{
	free(mount->path);
	free(mount->spec);
	free(mount->type);
	free(mount->options);
	free(mount->volume);
}

void boot_tables_done(struct boot_tables *tables)
{
	for (size_t i = 0; i < tables->volume_count; i++) {
		free(tables->volumes[i].name);
		free(tables->volumes[i].source);
	}
	free(tables->volumes);
	for (size_t i = 0; i < tables->mount_count; i++)
		mount_done(&tables->mounts[i]);
	free(tables->mounts);
	*tables = (struct boot_tables){ 0 };
}

/* Whether a line of crypttab has its key from the vault. */
static bool is_ours(const char *key, const char *keys_socket)
{
	size_t len = strlen(key);

	if (keys_socket)
		return strcmp(key, keys_socket) == 0;
	return strstr(key, KEY_FOLDER) && len > strlen(KEY_SOCKET) &&
	       strcmp(key + len - strlen(KEY_SOCKET), KEY_SOCKET) == 0;
}

static cof_result read_volumes(struct span text, const char *keys_socket,
			       struct boot_tables *tables, struct cof_error *err)
{
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct crypttab_entry entry;

	TRY(crypttab_parse(text, &crypttab, err));
	for (size_t i = 0; crypttab_at(crypttab, i, &entry); i++) {
		struct boot_volume *volumes;

		if (!is_ours(entry.key, keys_socket))
			continue;
		volumes = reallocarray(tables->volumes, tables->volume_count + 1, sizeof(*volumes));
		ENSURE(volumes, err, COF_E_NOMEM, NULL, "no memory for the volumes");
		tables->volumes = volumes;
		volumes[tables->volume_count] = (struct boot_volume){ 0 };
		TRY(text_copy(entry.name, &volumes[tables->volume_count].name, err));
		tables->volume_count++;
		TRY(text_copy(entry.source, &volumes[tables->volume_count - 1].source, err));
	}
	return COF_OK;
}

/* The vault's volume that fstab means by @spec, or "". */
static const char *volume_of(const struct boot_tables *tables, const char *spec)
{
	static const char *const folders[] = { "/dev/mapper/", "/dev/coffer/" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		size_t len = strlen(folders[i]);

		for (size_t at = 0;
		     strncmp(spec, folders[i], len) == 0 && at < tables->volume_count; at++)
			if (strcmp(tables->volumes[at].name, spec + len) == 0)
				return tables->volumes[at].name;
	}
	return "";
}

/* Whether a list with commas has a word. */
static bool has_option(const char *options, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = options; *at; at += strcspn(at, ","), at += *at == ',')
		if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

/* One field, decoded; what is too long becomes "". */
static cof_result copy_field(struct span field, const char *otherwise, char **ret_text,
			     struct cof_error *err)
{
	char text[BOOT_PATH_MAX_CHARS + 1];
	bool fits = fstab_decode(field, text, sizeof(text));

	return text_copy(fits && text[0] ? text : otherwise, ret_text, err);
}

/* Fills in one line. */
static cof_result read_mount(const struct boot_tables *tables, const struct fstab_entry *entry,
			     struct boot_mount *mount, struct cof_error *err)
{
	size_t len;

	TRY(copy_field(entry->file, "", &mount->path, err));
	for (len = strlen(mount->path); len > 1 && mount->path[len - 1] == '/'; len--)
		mount->path[len - 1] = '\0';
	TRY(copy_field(entry->spec, "", &mount->spec, err));
	TRY(copy_field(entry->type, "auto", &mount->type, err));
	TRY(copy_field(entry->options, "defaults", &mount->options, err));
	TRY(text_copy(volume_of(tables, mount->spec), &mount->volume, err));
	mount->checked = entry->pass.len > 0 && !fstab_is(entry->pass, "0");
	mount->held = has_option(mount->options, "nofail") ||
		      has_option(mount->options, "noauto") || has_option(mount->options, "_netdev");
	return COF_OK;
}

/* Puts a mount before the first one that lies below it. */
static cof_result place_mount(struct boot_tables *tables, struct boot_mount *mount,
			      struct cof_error *err)
{
	struct boot_mount *mounts =
		reallocarray(tables->mounts, tables->mount_count + 1, sizeof(*mounts));
	size_t at = 0;

	ENSURE(mounts, err, COF_E_NOMEM, NULL, "no memory for the mounts");
	tables->mounts = mounts;
	while (at < tables->mount_count && !boot_is_below(mounts[at].path, mount->path))
		at++;
	memmove(&mounts[at + 1], &mounts[at], (tables->mount_count - at) * sizeof(*mounts));
	mounts[at] = *mount;
	tables->mount_count++;
	*mount = (struct boot_mount){ 0 };
	return COF_OK;
}

static cof_result read_mounts(struct span text, struct boot_tables *tables, struct cof_error *err)
{
	struct fstab_entry entry;
	size_t line = 0;
	size_t at = 0;

	while (fstab_next(text, &at, &line, &entry)) {
		_cleanup_(mount_done) struct boot_mount mount = { 0 };

		TRY(read_mount(tables, &entry, &mount, err));
		if (!fstab_is(entry.type, "swap") && mount.spec[0] &&
		    !cof_failed(boot_mount_check(mount.path, NULL)))
			TRY(place_mount(tables, &mount, err));
	}
	return COF_OK;
}

cof_result boot_tables_read(struct span crypttab, struct span fstab, const char *keys_socket,
			    struct boot_tables *ret_tables, struct cof_error *err)
{
	_cleanup_(boot_tables_done) struct boot_tables tables = { 0 };

	TRY(read_volumes(crypttab, keys_socket, &tables, err));
	TRY(read_mounts(fstab, &tables, err));
	*ret_tables = tables;
	tables = (struct boot_tables){ 0 };
	return COF_OK;
}

const struct boot_mount *boot_mount_find(const struct boot_tables *tables, const char *path)
{
	for (size_t i = 0; i < tables->mount_count; i++)
		if (strcmp(tables->mounts[i].path, path) == 0)
			return &tables->mounts[i];
	return NULL;
}

bool boot_is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 && (path[len] == '/' || strcmp(above, "/") == 0) &&
	       path[len] != '\0';
}

cof_result boot_wait_mounts(const struct boot_wait *wait, const struct boot_tables *tables,
			    char ***ret_mounts, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **mounts = NULL;

	TRY(name_list_new(&mounts, err));
	for (size_t i = 0; !wait->unsure && wait->mounts[i]; i++)
		TRY(name_list_add(&mounts, wait->mounts[i], err));
	for (size_t i = 0; !wait->unsure && !wait->mounts[0] && i < tables->mount_count; i++)
		if (tables->mounts[i].volume[0] && !name_list_has(mounts, tables->mounts[i].path))
			TRY(name_list_add(&mounts, tables->mounts[i].path, err));
	*ret_mounts = TAKE(mounts);
	return COF_OK;
}

/* Whether a unit of the list waits for this mount point by name. */
static bool is_named(const struct boot_list *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++)
		if (name_list_has(list->waits[i].mounts, path))
			return true;
	return false;
}

cof_result boot_all_mounts(const struct boot_list *list, const struct boot_tables *tables,
			   char ***ret_mounts, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **mounts = NULL;

	TRY(name_list_new(&mounts, err));
	for (size_t i = 0; i < tables->mount_count; i++) {
		const struct boot_mount *mount = &tables->mounts[i];

		if ((mount->volume[0] || is_named(list, mount->path)) &&
		    !name_list_has(mounts, mount->path))
			TRY(name_list_add(&mounts, mount->path, err));
	}
	for (size_t i = 0; i < list->count; i++)
		for (char **path = list->waits[i].mounts; *path; path++)
			if (!name_list_has(mounts, *path))
				TRY(name_list_add(&mounts, *path, err));
	*ret_mounts = TAKE(mounts);
	return COF_OK;
}
