/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of the vault that were set aside: they are kept for who may need them, and follow no
 * change.
 */

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "place.h"
#include "reach.h"
#include "shell.h"

/* Who is told of the copies. */
struct visitor {
	struct vault *vault;
	vault_visit_aside visit;
	void *context;
};

/* Whether a folder is known to hold a vault, and another one than this. */
static bool is_another_vault(const struct vault *vault, const char *folder)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));
	_cleanup_free_ char *header = NULL;

	return info && !cof_failed(path_format(&header, NULL, "%s/root.luks", folder)) &&
	       place_is_plain(header) && !cof_failed(luks_read(header, NULL, info, NULL)) &&
	       strcmp(info->uuid, vault->uuid_text) != 0;
}

/* Tells of what in @folder has a name that begins with @prefix. */
static cof_result visit_folder(const struct visitor *visitor, const char *folder,
			       const char *prefix, struct cof_error *err)
{
	_cleanup_dir_ DIR *dir = opendir(folder);

	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		_cleanup_free_ char *path = NULL;
		_cleanup_free_ char *remedy = NULL;
		char quoted[SHELL_WORD_CHARS];

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		TRY(path_format(&path, err, "%s/%s", folder, entry->d_name));
		if (is_another_vault(visitor->vault, path))
			continue;
		TRY(path_format(&remedy, err, "rm -r %s", shell_word(path, quoted)));
		TRY(visitor->visit(path, remedy, visitor->context, err));
	}
	return COF_OK;
}

/* Those beside the vault's folder, under the name that the remedies give them. */
static cof_result visit_beside(const struct visitor *visitor, struct cof_error *err)
{
	_cleanup_free_ char *folder = strdup(visitor->vault->paths->vault_dir);
	_cleanup_free_ char *prefix = NULL;
	char *slash = folder ? strrchr(folder, '/') : NULL;

	ENSURE(slash, err, COF_E_NOMEM, visitor->vault->paths->vault_dir, "no memory for its name");
	TRY(path_format(&prefix, err, "%s.aside", slash + 1));
	*slash = '\0';
	return visit_folder(visitor, folder[0] ? folder : "/", prefix, err);
}

cof_result vault_copies_aside(struct vault *vault, vault_visit_aside visit, void *context,
			      struct cof_error *err)
{
	const struct visitor visitor = { .vault = vault, .visit = visit, .context = context };
	_cleanup_free_ char *prefix = NULL;

	TRY(path_format(&prefix, err, COPY_PREFIX "%s.", vault->uuid_text));
	for (size_t i = 0; vault->paths->mirrors && vault->paths->mirrors[i]; i++) {
		const char *mirror = vault->paths->mirrors[i];

		if (reach_answers(mirror, mirror))
			TRY(visit_folder(&visitor, mirror, prefix, err));
	}
	return visit_beside(&visitor, err);
}
