/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "generate.h"
#include "name_list.h"

cof_result boot_open(const struct paths *paths, struct boot **ret_boot, struct cof_error *err)
{
	_cleanup_(boot_closep) struct boot *boot = calloc(1, sizeof(*boot));

	ENSURE(boot, err, COF_E_NOMEM, NULL, "no memory for the list");
	boot->paths = paths;
	TRY(path_format(&boot->path, err, "%s%s", paths->root, BOOT_LIST_PATH));
	TRY(cof_explain(boot_load(paths->root, paths->keys_socket, NULL, NULL, &boot->list,
				  &boot->tables, err),
			err, "mend that line with an editor", "cannot use %s", boot->path));
	if (!paths->root[0] && bus_is_there())
		TRY(bus_open(&boot->bus, err));
	*ret_boot = TAKE(boot);
	return COF_OK;
}

void boot_close(struct boot *boot)
{
	if (!boot)
		return;
	free(boot->path);
	boot_list_done(&boot->list);
	boot_tables_done(&boot->tables);
	bus_close(boot->bus);
	free(boot);
}

void boot_results_free(struct boot_result results[], size_t count)
{
	for (size_t i = 0; results && i < count; i++)
		name_list_free(results[i].mounts);
	free(results);
}

bool boot_is_mounted(const char *path)
{
	struct statx status;

	return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) ==
		       0 &&
	       (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Whether ROOT/FOLDER has a file of this name. */
static bool has_file(const struct paths *paths, const char *folder, const char *name)
{
	_cleanup_free_ char *path = NULL;

	return !cof_failed(path_format(&path, NULL, "%s%s/%s", paths->root, folder, name)) &&
	       path_exists(path);
}

bool boot_unit_exists(const struct paths *paths, const char *unit)
{
	static const char *const folders[] = { "/etc/systemd/system", "/run/systemd/system",
					       "/usr/local/lib/systemd/system",
					       "/usr/lib/systemd/system", "/lib/systemd/system" };
	char template[BOOT_UNIT_MAX_CHARS + 1];
	char script[BOOT_UNIT_MAX_CHARS + 1];
	const char *at = strchr(unit, '@');
	const char *dot = strrchr(unit, '.');

	(void)snprintf(template, sizeof(template), "%.*s%s", at ? (int)(at + 1 - unit) : 0, unit,
		       at && dot ? dot : "");
	(void)snprintf(script, sizeof(script), "%.*s", dot ? (int)(dot - unit) : 0, unit);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (has_file(paths, folders[i], unit) ||
		    (at && has_file(paths, folders[i], template)))
			return true;
	return strcmp(dot ? dot : "", ".service") == 0 && has_file(paths, "/etc/init.d", script);
}

char *boot_mount_risk(const struct boot_mount *mount, char out[static 256])
{
	out[0] = '\0';
	if (!mount->held)
		(void)snprintf(
			out, 256,
			"a boot with a locked vault stops at %.120s: its line in fstab needs "
			"nofail or noauto",
			mount->path);
	return out;
}
