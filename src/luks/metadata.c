/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "metadata.h"

#include <string.h>

#include "json.h"
#include "number.h"

/* Whether any text of @array begins with @prefix. */
static bool any_begins(const struct json *array, const char *prefix)
{
	for (size_t i = 0; array && i < json_length(array); i++) {
		const char *text = json_text(json_at(array, i));

		if (text && strncmp(text, prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

struct segment_walk {
	struct json *data; /* the first segment that carries data, borrowed */
	size_t count;
};

/* Counts the segments that carry data; a re-encryption keeps flagged copies of older ones. */
static bool visit_segment(const char *key, struct json *segment, void *context)
{
	struct segment_walk *walk = context;

	if (any_begins(json_get(segment, "flags"), "backup-"))
		return true;
	if (!walk->data || strcmp(key, "0") == 0)
		walk->data = segment;
	walk->count++;
	return true;
}

cof_result luks_metadata_parse(struct span json, const char *subject,
			       struct luks_metadata *ret_metadata, struct cof_error *err)
{
	_cleanup_json_ struct json *root = NULL;
	struct luks_metadata metadata = { 0 };
	struct segment_walk walk = { 0 };
	struct json *config;
	struct json *mandatory;
	const char *type;
	const char *length;
	const char *integrity;

	TRY(json_parse(json, subject, &root, err));
	ENSURE(json_get(root, "segments"), err, COF_E_FORMAT, subject,
	       "its LUKS header describes no data segments");
	json_each(json_get(root, "segments"), visit_segment, &walk);

	if (walk.data) {
		type = json_get_text(walk.data, "type");
		metadata.hw_opal = type && strncmp(type, "hw-opal", strlen("hw-opal")) == 0;
		length = json_get_text(walk.data, "size");
		ENSURE(length, err, COF_E_FORMAT, subject, "its data segment has no size");
		if (strcmp(length, "dynamic") != 0 &&
		    cof_failed(uint_parse(length, UINT64_MAX, &metadata.length_bytes, NULL)))
			FAIL(err, COF_E_FORMAT, subject, "its data segment's size is \"%.40s\"",
			     length);
		integrity = json_get_text(json_get(walk.data, "integrity"), "type");
		(void)snprintf(metadata.integrity, sizeof(metadata.integrity), "%s",
			       integrity ? integrity : "");
	}
	config = json_get(root, "config");
	mandatory = json_get(json_get(config, "requirements"), "mandatory");
	metadata.reencrypting = walk.count > 1 || any_begins(mandatory, "online-reencrypt") ||
				any_begins(mandatory, "offline-reencrypt");

	*ret_metadata = metadata;
	return COF_OK;
}
