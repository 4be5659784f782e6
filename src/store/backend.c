/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend.h"

void backend_free(struct backend *backend)
{
	if (backend)
		backend->ops->free(backend);
}

cof_result backend_get_small(struct backend *backend, const char *name, size_t max_bytes,
			     struct buffer *ret_content, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	uint64_t size_bytes = 0;
	bool found = false;

	TRY(backend->ops->size(backend, name, &size_bytes, &found, err));
	ENSURE(found, err, COF_E_NOENT, name, "is not in %s", backend->place);
	ENSURE(size_bytes <= max_bytes, err, COF_E_FORMAT, name,
	       "has %llu bytes, and at most %zu are allowed", (unsigned long long)size_bytes,
	       max_bytes);
	TRY(buffer_reserve(&content, size_bytes + 1, err));
	if (size_bytes)
		TRY(backend->ops->get(backend, name, 0, content.data, size_bytes, err));
	content.len = size_bytes;

	*ret_content = content;
	content = (struct buffer){ 0 };
	return COF_OK;
}
