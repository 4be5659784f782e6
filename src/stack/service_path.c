/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "service_path.h"

bool service_part_is_allowed(const char *text, size_t max_chars)
{
	if (!isalnum((unsigned char)text[0]) || strlen(text) > max_chars)
		return false;
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return false;
	return true;
}

/* Copies the part up to @end, which must be one. */
static cof_result copy_part(const char *text, const char *end, const char *what,
			    char out[static SERVICE_PART_CHARS], struct cof_error *err)
{
	size_t len = (size_t)(end - text);
	char part[SERVICE_PART_CHARS] = "";

	if (len < sizeof(part))
		memcpy(part, text, len);
	ENSURE(service_part_is_allowed(part, sizeof(part) - 1), err, COF_E_USAGE, what,
	       "\"%.*s\" must be 1 to %d letters, digits and . _ -, and begin with a letter or a "
	       "digit",
	       (int)(len > 80 ? 80 : len), text, SERVICE_PART_CHARS - 1);
	memcpy(out, part, sizeof(part));
	return COF_OK;
}

cof_result service_path_parse(const char *text, const char *kind, struct service_path *ret_path,
			      struct cof_error *err)
{
	struct service_path path = { .ns = "root" };
	const char *last = strrchr(text, '/');
	const char *first = strchr(text, '/');
	const char *typed_kind = first == last ? text : first ? first + 1 : NULL;

	(void)snprintf(path.kind, sizeof(path.kind), "%s", kind);
	if (last) {
		size_t kind_len = (size_t)(last - typed_kind);

		if (kind_len != strlen(kind) || strncmp(typed_kind, kind, kind_len) != 0) {
			cof_ignore(cof_raise(err, COF_E_USAGE, text, "is not NAMESPACE/%s/NAME",
					     kind));
			if (!strchr(last + 1, '/') && first == last)
				cof_error_try(err, "%.*s/%s/%s", (int)(last - text), text, kind,
					      last + 1);
			return (cof_result){ COF_E_USAGE };
		}
		if (first != last)
			TRY(copy_part(text, first, "namespace", path.ns, err));
	}
	TRY(copy_part(last ? last + 1 : text, text + strlen(text), "name", path.name, err));

	*ret_path = path;
	return COF_OK;
}

char *service_path_format(const struct service_path *path, char out[static SERVICE_PATH_CHARS])
{
	(void)snprintf(out, SERVICE_PATH_CHARS, "%s/%s/%s", path->ns, path->kind, path->name);
	return out;
}
