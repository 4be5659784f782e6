/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files and locks of one volume: see places.h.
 */

#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "carrier.h"
#include "file.h"

#define NAME_MAX_CHARS 127 /* engine.h: name[128] */
#define TURN_WAIT_MS 60000
#define POLL_MS 10

cof_result places_make(const struct paths *paths, const char *name, struct places *ret_places,
		       struct cof_error *err)
{
	/* No comma and no backslash: the name becomes part of a mount option. */
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789#+-.:=@_";
	_cleanup_places_ struct places places = { 0 };

	ENSURE(name[0] != '\0' && name[0] != '.' && strlen(name) <= NAME_MAX_CHARS, err,
	       COF_E_USAGE, name, "a volume's name has 1 to %d characters and begins with no dot",
	       NAME_MAX_CHARS);
	ENSURE(name[strspn(name, allowed)] == '\0', err, COF_E_USAGE, name,
	       "a volume's name has letters, digits and # + - . : = @ _ only");
	TRY(path_format(&places.folder, err, "%s/%s", paths->engine_dir, name));
	TRY(path_format(&places.file, err, "%s/%s/%s", paths->engine_dir, name, CARRIER_FILE));
	TRY(path_format(&places.lock, err, "%s/%s.lock", paths->engine_dir, name));

	*ret_places = places;
	places = (struct places){ 0 };
	return COF_OK;
}

void places_done(struct places *places)
{
	free(places->folder);
	free(places->file);
	free(places->lock);
	*places = (struct places){ 0 };
}

/* Opens the lock file and tries to have the turn; got is false when it is another's, or when the
 * file was removed meanwhile by the one whose turn it was. */
static cof_result turn_try(const struct places *places, int *ret_fd, bool *ret_got,
			   struct cof_error *err)
{
	_cleanup_fd_ int fd = open(places->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat facts;

	if (fd < 0)
		return cof_raise_errno(err, errno, places->lock, "cannot be opened");
	*ret_got = false;
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return cof_raise_errno(err, errno, places->lock, "cannot be locked");
	} else if (fstat(fd, &facts) == 0 && facts.st_nlink > 0) {
		*ret_got = true;
		*ret_fd = TAKE_FD(fd);
	}
	return COF_OK;
}

cof_result places_turn(const struct places *places, int *ret_fd, struct cof_error *err)
{
	bool got = false;
	int fd = -1;

	for (int waited_ms = 0; !got; waited_ms += POLL_MS) {
		ENSURE(waited_ms < TURN_WAIT_MS, err, COF_E_BUSY, places->folder,
		       "another command opens or closes it, for more than %d s",
		       TURN_WAIT_MS / 1000);
		TRY(turn_try(places, &fd, &got, err));
		if (!got)
			(void)poll(NULL, 0, POLL_MS);
	}

	*ret_fd = fd;
	return COF_OK;
}

bool places_alive(int lock_fd)
{
	if (flock(lock_fd, LOCK_SH | LOCK_NB) < 0)
		return true;
	(void)flock(lock_fd, LOCK_UN);
	return false;
}
