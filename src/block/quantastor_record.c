/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "quantastor.h"
#include "quantastor_record.h"

#define STATE_IMPORTED "imported"
#define STATE_DONE     "done"

struct json *quantastor_origin_to_meta(const struct quantastor_origin *origin)
{
	struct json *meta = json_new_object();
	struct json *line;

	json_set_text(meta, "folder", origin->folder);
	json_set_text(meta, "key_file", origin->key_file);
	json_set_text(meta, "header_file", origin->header_file);
	json_set_text(meta, "uuid", origin->uuid);
	json_set_text(meta, "state", origin->done ? STATE_DONE : STATE_IMPORTED);
	if (!origin->has_line)
		return meta;
	line = json_new_object();
	json_set_text(line, "source", origin->line_source);
	json_set_text(line, "key", origin->line_key);
	json_set_text(line, "options", origin->line_options);
	json_set(meta, "line", line);
	return meta;
}

cof_result quantastor_origin_of(const struct record *record, struct quantastor_origin *ret_origin,
				struct cof_error *err)
{
	const struct json *line = json_get(record->meta, "line");
	const char *state = json_get_text(record->meta, "state");
	struct quantastor_origin origin = {
		.folder = json_get_text(record->meta, "folder"),
		.key_file = json_get_text(record->meta, "key_file"),
		.header_file = json_get_text(record->meta, "header_file"),
		.uuid = json_get_text(record->meta, "uuid"),
		.has_line = line != NULL,
		.line_source = line ? json_get_text(line, "source") : NULL,
		.line_key = line ? json_get_text(line, "key") : NULL,
		.line_options = line ? json_get_text(line, "options") : NULL,
		.done = state && strcmp(state, STATE_DONE) == 0,
	};

	ENSURE(origin.folder && origin.key_file && origin.header_file && origin.uuid && state &&
		       (!line || (origin.line_source && origin.line_key && origin.line_options)),
	       err, COF_E_FORMAT, record->name, "the record of its import lacks a field");
	*ret_origin = origin;
	return COF_OK;
}

bool quantastor_is_imported(const struct record *record, const char *uuid)
{
	struct quantastor_origin origin;

	return !cof_failed(quantastor_origin_of(record, &origin, NULL)) && !origin.done &&
	       strcmp(origin.uuid, uuid) == 0;
}

/* What a walk over the imports counts. */
struct pending {
	size_t count;
	char *folder;
	size_t folder_size_bytes;
};

/* vault_each()'s visitor. */
static cof_result count_pending(const struct record *record, void *context, struct cof_error *err)
{
	struct pending *pending = context;
	struct quantastor_origin origin;

	TRY(quantastor_origin_of(record, &origin, err));
	if (origin.done)
		return COF_OK;
	if (pending->count++ == 0)
		(void)snprintf(pending->folder, pending->folder_size_bytes, "%s", origin.folder);
	return COF_OK;
}

cof_result quantastor_pending(struct vault *vault, size_t *ret_count, char *folder,
			      size_t folder_size_bytes, struct cof_error *err)
{
	struct pending pending = { .folder = folder, .folder_size_bytes = folder_size_bytes };

	TRY(vault_each(vault, DISK_IMPORT_KIND, count_pending, &pending, err));
	*ret_count = pending.count;
	return COF_OK;
}
