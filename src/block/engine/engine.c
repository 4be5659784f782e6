/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening, closing and listing volumes of the engine: see engine.h.
 */

#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>

#include "carrier.h"
#include "fault.h"
#include "file.h"
#include "link.h"
#include "loop.h"
#include "message.h"
#include "mounts.h"
#include "places.h"
#include "spawn.h"

#define FUSE_NODE "/dev/fuse"
#define LOCK_FILE_MAX_BYTES 4096
/* Its last flush is of what was written since the loop device's, which is nothing. */
#define END_WAIT_MS 60000
#define POLL_MS 5

bool engine_can(char *why_not, size_t why_not_size_bytes)
{
	_cleanup_fd_ int fuse = open(FUSE_NODE, O_RDWR | O_CLOEXEC);

	if (fuse < 0) {
		(void)snprintf(why_not, why_not_size_bytes, "%s cannot be opened: %s", FUSE_NODE,
			       strerror(errno));
		return false;
	}
	return loop_can(why_not, why_not_size_bytes);
}

/* Whether a file system of the engine is mounted at @folder. */
static cof_result mounted_at(const char *folder, bool *ret_mounted, struct cof_error *err)
{
	_cleanup_file_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ struct mount_line *mount = malloc(sizeof(*mount));
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	bool mounted = false;

	if (!file)
		return cof_raise_errno(err, errno, "/proc/self/mountinfo", "cannot be read");
	ENSURE(mount, err, COF_E_NOMEM, "", "no memory for a line of mountinfo");
	while (!mounted && getline(&line, &room, file) > 0)
		mounted = mount_line_parse(line, mount) && strcmp(mount->folder, folder) == 0 &&
			  strncmp(mount->source, CARRIER_SOURCE_PREFIX,
				  strlen(CARRIER_SOURCE_PREFIX)) == 0;

	*ret_mounted = mounted;
	return COF_OK;
}

/* Unmounts, which ends the process. */
static cof_result carrier_unmount(const struct places *places, struct cof_error *err)
{
	bool mounted = false;

	TRY(mounted_at(places->folder, &mounted, err));
	while (mounted) {
		if (umount2(places->folder, UMOUNT_NOFOLLOW) < 0)
			return cof_raise_errno(err, errno, places->file,
					       "the file with the plaintext is in use");
		TRY(mounted_at(places->folder, &mounted, err));
	}
	return COF_OK;
}

/* Waits until the process has given its lock back, which it does last. */
static cof_result process_wait(const struct places *places, int lock_fd, struct cof_error *err)
{
	for (int waited_ms = 0; places_alive(lock_fd); waited_ms += POLL_MS) {
		ENSURE(waited_ms < END_WAIT_MS, err, COF_E_BUSY, places->folder,
		       "its process does not end within %d s", END_WAIT_MS / 1000);
		(void)poll(NULL, 0, POLL_MS);
	}
	return COF_OK;
}

/* Detaches the loop device, its stable name first, which comes back when that is refused. */
static cof_result detach(const struct paths *paths, const char *name,
			 const struct places *places, int lock_fd, struct cof_error *err)
{
	char device[LOOP_NAME_BYTES];
	cof_result detached;
	bool found = false;

	TRY(loop_find(places->file, device, &found, err));
	link_drop(paths, name, places);
	if (!found)
		return COF_OK;
	TRY(fault_point("engine-close/unlinked", err));
	detached = loop_detach(device, places->file, !places_alive(lock_fd), err);
	if (cof_failed(detached))
		link_put(paths, name, places, device);
	return detached;
}

/* Takes everything of a volume away, whether its process lives or not; the turn is ours. */
static cof_result take_down(const struct paths *paths, const char *name,
			    const struct places *places, int lock_fd, struct cof_error *err)
{
	TRY(detach(paths, name, places, lock_fd, err));
	TRY(fault_point("engine-close/detached", err));
	TRY(carrier_unmount(places, err));
	TRY(process_wait(places, lock_fd, err));
	TRY(fault_point("engine-close/ended", err));
	if (rmdir(places->folder) < 0 && errno != ENOENT)
		return cof_raise_errno(err, errno, places->folder, "cannot be removed");
	return COF_OK;
}

/* The lock file goes last: whoever waits for it sees that it has gone and makes a new one. */
static cof_result take_away(const struct paths *paths, const char *name,
			    const struct places *places, int lock_fd, struct cof_error *err)
{
	TRY(take_down(paths, name, places, lock_fd, err));
	if (unlink(places->lock) < 0 && errno != ENOENT)
		return cof_raise_errno(err, errno, places->lock, "cannot be removed");

	return COF_OK;
}

/* A path that still holds when the process has gone to another folder. */
static cof_result absolute(const char *path, char *out, size_t out_size_bytes,
			   struct cof_error *err)
{
	_cleanup_free_ char *whole = realpath(path, NULL);

	if (!whole)
		return cof_raise_errno(err, errno, path, "cannot be found");
	ENSURE(strlen(whole) < out_size_bytes, err, COF_E_USAGE, path,
	       "its path has %zu characters, at most %zu fit", strlen(whole), out_size_bytes - 1);
	memcpy(out, whole, strlen(whole) + 1);

	return COF_OK;
}

/* Starts the process and puts the loop device on top; the turn is ours. */
static cof_result put_up(const struct paths *paths, const struct places *places,
			 struct order *order, const struct volume_key *key,
			 struct engine_volume *ret_volume, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer facts = { 0 };
	struct engine_volume volume = { 0 };

	TRY(folder_make(places->folder, 0700, err));
	TRY(fault_point("engine-open/folder", err));
	TRY(spawn_engine(paths, order, key, err));
	TRY(fault_point("engine-open/served", err));
	TRY(file_read(places->lock, LOCK_FILE_MAX_BYTES, &facts, err));
	TRY(facts_parse(buffer_span(&facts), &volume, err));
	TRY(loop_attach(places->file, order->read_only, volume.sector_bytes, volume.device, err));
	TRY(fault_point("engine-open/attached", err));
	link_put(paths, order->name, places, volume.device);
	link_find(paths, order->name, volume.device, volume.link);
	TRY(fault_point("engine-open/linked", err));

	*ret_volume = volume;
	return COF_OK;
}

cof_result engine_open(const struct paths *paths, const char *source, const char *header,
		       const char *name, const struct volume_key *volume_key, bool read_only,
		       struct engine_volume *ret_volume, struct cof_error *err)
{
	_cleanup_places_ struct places places = { 0 };
	_cleanup_fd_ int turn = -1;
	struct order order = { .read_only = read_only };
	char device[LOOP_NAME_BYTES] = "";
	bool found = false;
	cof_result result;

	TRY(places_make(paths, name, &places, err));
	(void)snprintf(order.name, sizeof(order.name), "%s", name);
	TRY(absolute(source, order.source, sizeof(order.source), err));
	if (header)
		TRY(absolute(header, order.header, sizeof(order.header), err));
	TRY(folder_make_private(paths->engine_dir, err));
	TRY(places_turn(&places, &turn, err));
	TRY(loop_find(places.file, device, &found, err));
	ENSURE(!found || !places_alive(turn), err, COF_E_BUSY, name, "it is open already, as %s",
	       device);
	/* What a killed process or a killed command has left. */
	TRY(take_down(paths, name, &places, turn, err));
	result = put_up(paths, &places, &order, volume_key, ret_volume, err);
	if (cof_failed(result))
		/* The first failure is what counts; what stays is cleared up by the next open. */
		cof_ignore(take_away(paths, name, &places, turn, NULL));

	return result;
}

cof_result engine_close(const struct paths *paths, const char *name, struct cof_error *err)
{
	_cleanup_places_ struct places places = { 0 };
	_cleanup_fd_ int turn = -1;

	TRY(places_make(paths, name, &places, err));
	if (path_exists(places.folder) || path_exists(places.lock)) {
		TRY(folder_make(paths->engine_dir, 0700, err));
		TRY(places_turn(&places, &turn, err));
		TRY(take_away(paths, name, &places, turn, err));
	}
	return COF_OK;
}

cof_result engine_link(const struct paths *paths, const char *name, struct cof_error *err)
{
	_cleanup_places_ struct places places = { 0 };
	_cleanup_fd_ int turn = -1;
	char device[LOOP_NAME_BYTES] = "";
	char link[LINK_PATH_BYTES];
	bool found = false;

	TRY(places_make(paths, name, &places, err));
	if (!path_exists(places.lock))
		return COF_OK;
	TRY(places_turn(&places, &turn, err));
	TRY(loop_find(places.file, device, &found, err));
	link_find(paths, name, device, link);
	if (found && !link[0])
		link_put(paths, name, &places, device);
	return COF_OK;
}
