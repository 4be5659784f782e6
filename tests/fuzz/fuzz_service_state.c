/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A service's state, its log's lines and its name, from any bytes; a state that was read is written
 * as one that reads the same.
 */

#include "fuzz.h"
#include "service_log.h"

void fuzz_one(struct span input)
{
	_cleanup_(service_state_done) struct service_state state = { 0 };
	_cleanup_(service_state_done) struct service_state again = { 0 };
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_json_ struct json *json = NULL;
	_cleanup_free_ char *name = fuzz_text(input);
	char formatted[SERVICE_PATH_CHARS];
	struct service_log_line line;
	struct service_path path;
	struct service_path same;

	if (service_log_parse(input, &line, &json))
		FUZZ_CHECK(line.time && line.rid && line.text);
	if (!cof_failed(service_path_parse(name, "svc", &path, NULL))) {
		FUZZ_CHECK(!cof_failed(service_path_parse(service_path_format(&path, formatted),
							  "svc", &same, NULL)));
		FUZZ_CHECK(strcmp(path.ns, same.ns) == 0 && strcmp(path.name, same.name) == 0);
	}
	if (cof_failed(state_parse(input, "state", &state, NULL)))
		return;
	FUZZ_CHECK(!cof_failed(state_format(&state, &text, NULL)));
	FUZZ_CHECK(!cof_failed(state_parse(buffer_span(&text), "state", &again, NULL)));
	FUZZ_CHECK(state.count == again.count && strcmp(state.id, again.id) == 0);
}
