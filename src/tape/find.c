/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "find.h"
#include "name_list.h"
#include "number.h"

#define TYPE_TAPE    1 /* SPC-4, peripheral device types */
#define TYPE_CHANGER 8

/* A small text of /sys; "" where it is not there. */
static void attribute(const char *device, const char *name, char *out, size_t out_size_bytes)
{
	char path[PATH_MAX];

	out[0] = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", device, name) < sizeof(path))
		cof_ignore(file_read_line(path, out, out_size_bytes, NULL));
}

/* The type of a device; -1 where /sys does not say. */
static int type_of(const char *device)
{
	char text[16];

	attribute(device, "type", text, sizeof(text));
	return text[0] ? (int)strtol(text, NULL, 10) : -1;
}

/* Whether a name is that of the node that does not rewind: nst0, not nst0a or st0. */
static bool is_main_node(const char *name)
{
	return strncmp(name, "nst", 3) == 0 && name[3] &&
	       strspn(name + 3, "0123456789") == strlen(name + 3);
}

/* The first name in a folder of a device, or of the tape nodes the main one; "" for none. */
static cof_result name_in(const char *device, const char *folder, bool main_node, char *out,
			  size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_free_ char *path = NULL;
	bool found;

	out[0] = '\0';
	TRY(path_format(&path, err, "%s/%s", device, folder));
	TRY(name_list_of_folder(path, &names, &found, err));
	for (size_t i = 0; names[i]; i++) {
		if (main_node && !is_main_node(names[i]))
			continue;
		(void)snprintf(out, out_size_bytes, "%s", names[i]);
		break;
	}
	return COF_OK;
}

/* All about the device whose folder in /sys is @device. */
static cof_result read_place(const char *root, const char *device, struct tape_place *ret_place,
			     struct cof_error *err)
{
	struct tape_place place = { .is_changer = type_of(device) == TYPE_CHANGER };
	char tape[64];
	char sg[64];

	TRY(name_in(device, "scsi_tape", true, tape, sizeof(tape), err));
	TRY(name_in(device, "scsi_generic", false, sg, sizeof(sg), err));
	(void)snprintf(place.name, sizeof(place.name), "%s", tape[0] ? tape : sg);
	if (tape[0])
		(void)snprintf(place.tape, sizeof(place.tape), "%s/dev/%s", root, tape);
	place.has_sg = sg[0] != '\0';
	(void)snprintf(place.node, sizeof(place.node), "%s/dev/%s", root, sg[0] ? sg : tape);
	attribute(device, "vendor", place.vendor, sizeof(place.vendor));
	attribute(device, "model", place.model, sizeof(place.model));
	attribute(device, "rev", place.revision, sizeof(place.revision));
	*ret_place = place;
	return COF_OK;
}

/* The path that somebody means: below the root, and where a link leads. */
static cof_result resolve(const char *root, const char *typed, char out[static PATH_MAX],
			  struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	bool below = root[0] && strncmp(typed, root, strlen(root)) == 0;

	if (!strchr(typed, '/'))
		TRY(path_format(&path, err, "%s/dev/%s", root, typed));
	else
		TRY(path_format(&path, err, "%s%s", typed[0] == '/' && !below ? root : "", typed));
	if (!realpath(path, out))
		(void)snprintf(out, PATH_MAX, "%s", path);
	return COF_OK;
}

cof_result tape_find(const char *root, const char *typed, struct tape_place *ret_place,
		     struct cof_error *err)
{
	static const char *const classes[] = { "scsi_tape", "scsi_generic" };
	char path[PATH_MAX];
	cof_result missing;

	TRY(resolve(root, typed, path, err));
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *device = NULL;

		TRY(path_format(&device, err, "%s/sys/class/%s/%s/device", root, classes[i],
				path_base(path)));
		if (!path_exists(device))
			continue;
		ENSURE(type_of(device) == TYPE_TAPE, err, COF_E_USAGE, typed,
		       "is no tape drive, but a device of type %d", type_of(device));
		return read_place(root, device, ret_place, err);
	}
	if (path_exists(path) && strlen(path) < sizeof(ret_place->node)) {
		/* Systems that have no /sys, and sockets of tests. */
		*ret_place = (struct tape_place){ 0 };
		(void)snprintf(ret_place->name, sizeof(ret_place->name), "%.63s", path_base(path));
		(void)snprintf(ret_place->node, sizeof(ret_place->node), "%.255s", path);
		return COF_OK;
	}
	missing = cof_raise(err, COF_E_NOENT, typed, "is no tape drive of this machine");
	cof_error_try(err, "coffer tape list, which shows them");
	return missing;
}

/* Drives before changers, each in natural order. */
static int compare(const void *a, const void *b)
{
	const struct tape_place *first = a;
	const struct tape_place *second = b;

	if (first->is_changer != second->is_changer)
		return first->is_changer ? 1 : -1;
	return natural_compare(first->name, second->name);
}

/* Adds the devices of a class that are not in the list yet. */
static cof_result add_class(const char *root, const char *class, struct tape_place **places,
			    size_t *count, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_free_ char *folder = NULL;
	bool found;

	TRY(path_format(&folder, err, "%s/sys/class/%s", root, class));
	TRY(name_list_of_folder(folder, &names, &found, err));
	for (size_t i = 0; names[i]; i++) {
		_cleanup_free_ char *device = NULL;
		struct tape_place place;
		struct tape_place *more;
		bool known = false;
		int type;

		TRY(path_format(&device, err, "%s/%s/device", folder, names[i]));
		type = type_of(device);
		if (type != TYPE_TAPE && type != TYPE_CHANGER)
			continue;
		TRY(read_place(root, device, &place, err));
		for (size_t k = 0; k < *count; k++)
			known = known || strcmp((*places)[k].node, place.node) == 0;
		if (known)
			continue;
		more = reallocarray(*places, *count + 1, sizeof(*more));
		ENSURE(more, err, COF_E_NOMEM, NULL, "no memory for %zu drives", *count + 1);
		*places = more;
		more[(*count)++] = place;
	}
	return COF_OK;
}

cof_result tape_find_all(const char *root, struct tape_place **ret_places, size_t *ret_count,
			 struct cof_error *err)
{
	_cleanup_free_ struct tape_place *places = NULL;
	size_t count = 0;

	TRY(add_class(root, "scsi_generic", &places, &count, err));
	TRY(add_class(root, "scsi_tape", &places, &count, err));
	if (count > 1)
		qsort(places, count, sizeof(*places), compare);
	*ret_places = TAKE(places);
	*ret_count = count;
	return COF_OK;
}
