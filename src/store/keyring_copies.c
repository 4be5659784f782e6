/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three copies of a keystore: which one counts, and how the others become like it.
 */

#include <string.h>

#include "fault.h"
#include "file.h"
#include "keyring_internal.h"
#include "number.h"

/* Objects beside the data; the third copy is a file in the state folder. */
static const char *const object_names[KEYRING_COPIES - 1] = { "keys/a", "keys/b" };
static const char *const point_names[KEYRING_COPIES] = { "store/keys-a", "store/keys-b",
							 "store/keys-state" };

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (size_t i = 0; i < KEYRING_COPIES; i++) {
		free(keyring->copies[i].path);
		buffer_done(&keyring->contents[i]);
	}
	wrap_key_free(keyring->master);
	keystore_body_done(&keyring->body);
	free(keyring->state_folder);
	free(keyring);
}

cof_result keyring_alloc(const struct keyring_place *place, struct keyring **ret_keyring,
			 struct cof_error *err)
{
	_cleanup_(keyring_freep) struct keyring *keyring = calloc(1, sizeof(*keyring));
	char group[2 * STORE_UUID_BYTES + 1];

	ENSURE(keyring, err, COF_E_NOMEM, NULL, "no memory for a keyring");
	keyring->backend = place->backend;
	memcpy(keyring->group, place->group, STORE_UUID_BYTES);
	TRY(path_format(&keyring->state_folder, err, "%s", place->state_folder));
	for (size_t i = 0; i + 1 < KEYRING_COPIES; i++)
		TRY(path_format(&keyring->copies[i].path, err, "%s/%s", place->backend->place,
				object_names[i]));
	TRY(path_format(&keyring->copies[KEYRING_COPIES - 1].path, err, "%s/%s.keys",
			place->state_folder, hex_format(place->group, STORE_UUID_BYTES, group)));
	*ret_keyring = TAKE(keyring);
	return COF_OK;
}

/* The bytes of one copy; a missing one has none. */
static cof_result read_copy(struct keyring *keyring, size_t number, struct cof_error *err)
{
	struct buffer *content = &keyring->contents[number];

	content->len = 0;
	buffer_done(content);
	*content = (struct buffer){ 0 };
	if (number + 1 < KEYRING_COPIES)
		return backend_get_small(keyring->backend, object_names[number], KEYSTORE_MAX_BYTES,
					 content, err);
	return file_read_plain(keyring->copies[number].path, KEYSTORE_MAX_BYTES, content, err);
}

/* Reads one copy and judges it alone. @ret_file: set where it is whole */
static cof_result examine_copy(struct keyring *keyring, size_t number,
			       struct keystore_file *ret_file, struct cof_error *err)
{
	struct keyring_copy *copy = &keyring->copies[number];
	cof_result read = read_copy(keyring, number, err);

	copy->sequence = 0;
	copy->repaired = false;
	copy->state = COPY_DAMAGED;
	if (read.code == COF_E_NOENT)
		copy->state = COPY_MISSING;
	if (read.code == COF_E_NOENT || read.code == COF_E_FORMAT || read.code == COF_E_REFUSED)
		return COF_OK;
	TRY(read);
	if (cof_failed(keystore_decode(buffer_span(&keyring->contents[number]), copy->path,
				       ret_file, NULL)) ||
	    memcmp(ret_file->group, keyring->group, STORE_UUID_BYTES) != 0)
		return COF_OK;
	copy->state = COPY_GOOD;
	copy->sequence = ret_file->sequence;
	return COF_OK;
}

/* Whether @a counts rather than @b. An encrypted group is one for good, so a copy without
 * encryption never counts beside one that has it. */
static bool counts_more(const struct keystore_file *a, const struct keystore_file *b)
{
	if (a->encrypted != b->encrypted)
		return a->encrypted;
	return a->sequence > b->sequence;
}

/* Chooses among the copies that are whole, and says how the others differ. */
static bool choose(struct keyring *keyring)
{
	bool found = false;

	for (size_t i = 0; i < KEYRING_COPIES; i++) {
		struct keystore_file file;

		if (keyring->copies[i].state == COPY_MISSING ||
		    keyring->copies[i].state == COPY_DAMAGED ||
		    cof_failed(
			    keystore_decode(buffer_span(&keyring->contents[i]), NULL, &file, NULL)))
			continue;
		if (!found || counts_more(&file, &keyring->file)) {
			keyring->file = file;
			keyring->best = i;
		}
		found = true;
	}
	for (size_t i = 0; found && i < KEYRING_COPIES; i++) {
		struct keyring_copy *copy = &keyring->copies[i];
		struct span best = buffer_span(&keyring->contents[keyring->best]);
		struct span own = buffer_span(&keyring->contents[i]);

		if (copy->state == COPY_MISSING || copy->state == COPY_DAMAGED)
			continue;
		if (own.len == best.len && memcmp(own.data, best.data, own.len) == 0)
			copy->state = COPY_GOOD;
		else
			copy->state =
				copy->sequence < keyring->file.sequence ? COPY_OLDER : COPY_DIFFERS;
	}
	return found;
}

cof_result keyring_read_copies(struct keyring *keyring, struct cof_error *err)
{
	struct keystore_file file;
	size_t missing = 0;
	cof_result failure;

	for (size_t i = 0; i < KEYRING_COPIES; i++) {
		TRY(examine_copy(keyring, i, &file, err));
		missing += keyring->copies[i].state == COPY_MISSING;
	}
	if (choose(keyring))
		return COF_OK;
	if (missing == KEYRING_COPIES)
		failure = cof_raise(err, COF_E_NOENT, keyring->backend->place,
				    "has no keystore, and there is no copy of it");
	else
		failure = cof_raise(err, COF_E_FORMAT, keyring->backend->place,
				    "no copy of its keystore is whole");
	cof_error_cause(err, "looked for %s, %s and %s", keyring->copies[0].path,
			keyring->copies[1].path, keyring->copies[2].path);
	cof_error_try(err, "put a copy of the keystore back in one of these places");
	return failure;
}

void keyring_pass_over(struct keyring *keyring, bool *ret_found)
{
	struct span bad = buffer_span(&keyring->contents[keyring->best]);

	for (size_t i = 0; i < KEYRING_COPIES; i++) {
		struct span own = buffer_span(&keyring->contents[i]);

		if (i != keyring->best && own.len == bad.len &&
		    memcmp(own.data, bad.data, own.len) == 0)
			keyring->copies[i].state = COPY_DAMAGED;
	}
	keyring->copies[keyring->best].state = COPY_DAMAGED;
	*ret_found = choose(keyring);
}

/* Puts @content into one place. */
static cof_result write_copy(struct keyring *keyring, size_t number, struct span content,
			     struct cof_error *err)
{
	struct backend *backend = keyring->backend;
	const char *path = keyring->copies[number].path;
	bool swapped = false;

	if (number + 1 == KEYRING_COPIES) {
		TRY(folder_make_private(keyring->state_folder, err));
		return file_replace(path, content, 0600, err);
	}
	TRY(backend->ops->swap(backend, object_names[number],
			       buffer_span(&keyring->contents[number]), content, &swapped, err));
	ENSURE(swapped, err, COF_E_CONFLICT, path, "was changed by another process meanwhile");
	return COF_OK;
}

cof_result keyring_write_copies(struct keyring *keyring, struct span content, struct cof_error *err)
{
	for (size_t i = 0; i < KEYRING_COPIES; i++) {
		struct buffer *own = &keyring->contents[i];

		if (own->len == content.len && memcmp(own->data, content.data, content.len) == 0)
			continue;
		TRY(cof_explain(write_copy(keyring, i, content, err), err, NULL,
				"the keys of %s cannot be kept safe", keyring->backend->place));
		TRY(fault_point(point_names[i], err));
		keyring->copies[i].repaired = keyring->copies[i].state != COPY_GOOD;
	}
	return COF_OK;
}

cof_result keyring_load(const struct keyring_place *place, struct keyring **ret_keyring,
			struct cof_error *err)
{
	_cleanup_(keyring_freep) struct keyring *keyring = NULL;

	TRY(keyring_alloc(place, &keyring, err));
	TRY(keyring_read_copies(keyring, err));
	*ret_keyring = TAKE(keyring);
	return COF_OK;
}
