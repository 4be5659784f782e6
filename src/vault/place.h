/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_PLACE_H
#define COF_VAULT_PLACE_H

/*
 * Where a mirror's copy of this vault is: the folder, held open, and whether what should be mounted
 * there is mounted. doc/format-vault.md, section 6.
 */

#include "internal.h"

#define PLACE_PATH_CHARS   40
#define PLACE_REASON_CHARS 256
#define PLACE_REMEDY_CHARS 512

/**
 * struct place - a mirror's folder for this vault, held open: others may be able to write to the
 * mirror, and put a symbolic link in the place of that folder or of a file in it, to have root
 * write elsewhere
 * @fd:   -1: there is none
 * @path: of the open folder, whatever is done to its name
 */
struct place {
	int fd;
	char path[PLACE_PATH_CHARS];
};
#define PLACE_NONE ((struct place){ .fd = -1 })

void place_done(struct place *place);
#define _cleanup_place_ _cleanup_(place_done)

/** place_open() - one that is not there yet is no failure. Fails: COF_E_REFUSED, COF_E_IO */
cof_result place_open(const char *folder, struct place *place, struct cof_error *err);
/** place_file() - the path of a file in the open folder; caller frees */
cof_result place_file(const struct place *place, const char *file, char **ret_path,
		      struct cof_error *err);
/** place_check_elsewhere() - refuses a mirror that is the vault itself: its files would be replaced
 * by what they are to be mended from. Fails: COF_E_REFUSED, COF_E_IO */
cof_result place_check_elsewhere(const struct vault *vault, const char *mirror,
				 const struct place *place, struct cof_error *err);
/** place_aside_name() - a name for @path when it is set aside, PATH.WHY-DATE, which nothing has
 * yet; caller frees. Fails: COF_E_NOMEM */
cof_result place_aside_name(const char *path, const char *why, char **ret_name,
			    struct cof_error *err);
/** place_is_plain() - whether there is a regular file, not a link to one */
bool place_is_plain(const char *path);

/** struct place_absence - why a mirror is not to be written, and what to do about it */
struct place_absence {
	char reason[PLACE_REASON_CHARS];
	char remedy[PLACE_REMEDY_CHARS];
};

/**
 * place_is_away() - whether a mirror cannot be reached, or what should be mounted there is not
 * @folder:  for this vault; where it is there, the mirror is
 * @written: it was written before, while @mount was the mount point that it is on (NULL: unknown)
 */
bool place_is_away(const struct vault *vault, const char *mirror, const char *folder, bool written,
		   const char *mount, struct place_absence *absence);

#endif
