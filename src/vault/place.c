/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a mirror's copy of this vault is, and the rule that nothing is written below a mount point
 * with nothing mounted. doc/format-vault.md, section 6.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mountpoint.h"
#include "place.h"
#include "reach.h"

void place_done(struct place *place)
{
	if (place->fd >= 0)
		(void)close(place->fd);
	*place = PLACE_NONE;
}

cof_result place_open(const char *folder, struct place *place, struct cof_error *err)
{
	place_done(place);
	place->fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place->fd < 0 && errno == ENOENT)
		return COF_OK;
	ENSURE(place->fd >= 0 || (errno != ENOTDIR && errno != ELOOP), err, COF_E_REFUSED, folder,
	       "is a symbolic link or no folder");
	if (place->fd < 0)
		return cof_raise_errno(err, errno, folder, "cannot be opened");
	(void)snprintf(place->path, sizeof(place->path), "/proc/self/fd/%d", place->fd);
	return COF_OK;
}

cof_result place_file(const struct place *place, const char *file, char **ret_path,
		      struct cof_error *err)
{
	return path_format(ret_path, err, "%s/%s", place->path, file);
}

cof_result place_check_elsewhere(const struct vault *vault, const char *mirror,
				 const struct place *place, struct cof_error *err)
{
	struct stat own;
	struct stat other;

	if (stat(vault->paths->vault_dir, &own) < 0)
		return cof_raise_errno(err, errno, vault->paths->vault_dir, "cannot be examined");
	ENSURE(stat(mirror, &other) < 0 || other.st_dev != own.st_dev || other.st_ino != own.st_ino,
	       err, COF_E_REFUSED, mirror, "is the vault's own folder");
	ENSURE(place->fd < 0 || fstat(place->fd, &other) < 0 || other.st_dev != own.st_dev ||
		       other.st_ino != own.st_ino,
	       err, COF_E_REFUSED, mirror, "leads to the vault's own folder");
	return COF_OK;
}

cof_result place_aside_name(const char *path, const char *why, char **ret_name,
			    struct cof_error *err)
{
	_cleanup_free_ char *name = NULL;
	time_t now = clock_now();
	struct tm parts;
	char date[32];

	/* FAT takes no colons. */
	(void)strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &parts));
	TRY(path_format(&name, err, "%s.%s-%s", path, why, date));
	for (unsigned int number = 2; path_exists(name); number++) {
		free(TAKE(name));
		TRY(path_format(&name, err, "%s.%s-%s-%u", path, why, date, number));
	}

	*ret_name = TAKE(name);
	return COF_OK;
}

bool place_is_plain(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* ---- mount points ---- */

/* Whether what is mounted where the mirror lies shows that this is no bare mount point. */
static bool is_safe_to_fill(const char *mirror, const char *mount)
{
	_cleanup_free_ char *now = NULL;

	if (mount_is_root(mirror))
		return true;
	return mount && !cof_failed(mount_of(mirror, &now, NULL)) && strcmp(now, mount) == 0;
}

/* Says of a mirror whose folder is missing what is to be done. */
static void explain_missing(const char *mirror, const char *mount, struct place_absence *absence)
{
	_cleanup_free_ char *above = strdup(mirror);
	char *slash = above ? strrchr(above, '/') : NULL;

	(void)snprintf(absence->reason, sizeof(absence->reason), "there is no folder %.200s",
		       mirror);
	if (slash)
		slash[slash == above] = '\0';
	if (mount && strcmp(mount, "/") != 0 && above && is_safe_to_fill(above, mount))
		(void)snprintf(absence->remedy, sizeof(absence->remedy),
			       "mkdir %s && coffer unlock", mirror);
	else
		(void)snprintf(absence->remedy, sizeof(absence->remedy),
			       "mount what holds %.200s, or make the folder, then coffer unlock",
			       mirror);
}

/*
 * Whether a copy lies in the bare mount point of a mirror that was last on what was mounted there.
 * An empty folder is none: it is made by who wants the folder itself to be the mirror from now on.
 */
static bool lies_under_mount(const char *folder, const char *mount, struct place_absence *absence)
{
	_cleanup_free_ char *mark = NULL;
	struct stat status;

	if (!mount || strcmp(mount, "/") == 0 || mount_is_root(mount) ||
	    cof_failed(path_format(&mark, NULL, "%s/vault.mark", folder)) ||
	    lstat(mark, &status) < 0)
		return false;
	(void)snprintf(absence->reason, sizeof(absence->reason),
		       "nothing is mounted at %.120s, where it was written last; the copy below it "
		       "is an older one: is it mounted?",
		       mount);
	(void)snprintf(absence->remedy, sizeof(absence->remedy),
		       "mount what belongs at %.150s, then coffer unlock; to have the folder "
		       "itself as the mirror, move %.150s away",
		       mount, folder);
	return true;
}

bool place_is_away(const struct vault *vault, const char *mirror, const char *folder, bool written,
		   const char *mount, struct place_absence *absence)
{
	struct stat status;
	char unmounted[200];

	if (!reach_answers(mirror, folder)) {
		(void)snprintf(absence->reason, sizeof(absence->reason),
			       "it does not answer: nothing came from it within %d seconds",
			       REACH_SECONDS);
		(void)snprintf(absence->remedy, sizeof(absence->remedy),
			       "see to the server or the disk behind %.200s, then coffer unlock",
			       mirror);
		return true;
	}
	if (mount_find_missing(vault->paths->fstab, mirror, unmounted, sizeof(unmounted))) {
		(void)snprintf(absence->reason, sizeof(absence->reason),
			       "nothing is mounted at %s, for which fstab has a line", unmounted);
		(void)snprintf(absence->remedy, sizeof(absence->remedy),
			       "mount %s && coffer unlock", unmounted);
		return true;
	}
	if (lstat(folder, &status) == 0)
		return written && lies_under_mount(folder, mount, absence);
	if (stat(mirror, &status) < 0 || !S_ISDIR(status.st_mode)) {
		explain_missing(mirror, mount, absence);
		return true;
	}
	if (!written || is_safe_to_fill(mirror, mount))
		return false;
	if (mount && strcmp(mount, "/") != 0 && !mount_is_root(mount))
		(void)snprintf(absence->reason, sizeof(absence->reason),
			       "it was written before, and nothing is mounted at %.180s: is it "
			       "mounted?",
			       mount);
	else
		(void)snprintf(absence->reason, sizeof(absence->reason),
			       "%.180s is not there, although it was written before: is it "
			       "mounted?",
			       folder);
	(void)snprintf(absence->remedy, sizeof(absence->remedy),
		       "mount what belongs at %.150s, then coffer unlock; for a folder without a "
		       "medium of its own: mkdir -m 700 %.150s",
		       mount ? mount : mirror, folder);
	return true;
}
