/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which volumes are open: the kernel's mount table says so, the lock files have the facts.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "carrier.h"
#include "engine.h"
#include "file.h"
#include "link.h"
#include "loop.h"
#include "message.h"
#include "mounts.h"
#include "places.h"

#define LOCK_FILE_MAX_BYTES 4096

/** struct list - grows */
struct list {
	struct engine_volume *items; /* owned */
	size_t count;
};

static void list_done(struct list *list)
{
	free(list->items);
}

/* The name of a volume of ours from its mount, or NULL; borrowed. */
static const char *name_of(const struct paths *paths, const struct mount_line *mount)
{
	size_t prefix = strlen(CARRIER_SOURCE_PREFIX);
	size_t folder = strlen(paths->engine_dir);

	if (strncmp(mount->source, CARRIER_SOURCE_PREFIX, prefix) != 0 ||
	    strncmp(mount->folder, paths->engine_dir, folder) != 0 ||
	    mount->folder[folder] != '/' ||
	    strcmp(mount->folder + folder + 1, mount->source + prefix) != 0)
		return NULL;
	return mount->source + prefix;
}

/* Fills in one volume; without a readable lock file only the name and the device. */
static cof_result volume_look(const struct paths *paths, const char *name,
			      struct engine_volume *volume, struct cof_error *err)
{
	_cleanup_places_ struct places places = { 0 };
	_cleanup_buffer_ struct buffer facts = { 0 };
	_cleanup_fd_ int lock = -1;
	bool found = false;

	TRY(places_make(paths, name, &places, err));
	lock = open(places.lock, O_RDONLY | O_CLOEXEC);
	if (lock < 0 || cof_failed(file_read(places.lock, LOCK_FILE_MAX_BYTES, &facts, NULL)) ||
	    cof_failed(facts_parse(buffer_span(&facts), volume, NULL)))
		(void)snprintf(volume->name, sizeof(volume->name), "%s", name);
	if (lock < 0 || !places_alive(lock))
		volume->pid = 0;
	TRY(loop_find(places.file, volume->device, &found, err));
	link_find(paths, name, volume->device, volume->link);

	return COF_OK;
}

/* One more volume at the end. */
static cof_result list_add(struct list *list, const struct paths *paths, const char *name,
			   struct cof_error *err)
{
	struct engine_volume *items =
		reallocarray(list->items, list->count + 1, sizeof(*list->items));

	ENSURE(items, err, COF_E_NOMEM, name, "no memory for a list of volumes");
	list->items = items;
	items[list->count] = (struct engine_volume){ 0 };
	TRY(volume_look(paths, name, &items[list->count], err));
	list->count++;

	return COF_OK;
}

cof_result engine_list(const struct paths *paths, struct engine_volume **ret_volumes,
		       size_t *ret_count, struct cof_error *err)
{
	_cleanup_(list_done) struct list list = { 0 };
	_cleanup_file_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ struct mount_line *mount = malloc(sizeof(*mount));
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	if (!file)
		return cof_raise_errno(err, errno, "/proc/self/mountinfo", "cannot be read");
	ENSURE(mount, err, COF_E_NOMEM, "", "no memory for a line of mountinfo");
	link_sweep(paths);
	while (getline(&line, &room, file) > 0) {
		const char *name = NULL;

		if (mount_line_parse(line, mount))
			name = name_of(paths, mount);
		if (name)
			TRY(list_add(&list, paths, name, err));
	}

	*ret_count = list.count;
	*ret_volumes = TAKE(list.items);
	return COF_OK;
}
