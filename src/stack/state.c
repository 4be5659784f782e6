/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "state.h"

#define FORMAT 1

static const char *const made_words[] = { "no", "begun", "done" };

void service_state_done(struct service_state *state)
{
	free(state->resources);
	*state = (struct service_state){ 0 };
}

/* The entry of a resource; NULL where there is none. */
static struct resource_state *find(const struct service_state *state, const char *rid)
{
	for (size_t i = 0; i < state->count; i++)
		if (strcmp(state->resources[i].rid, rid) == 0)
			return &state->resources[i];
	return NULL;
}

cof_result state_of(struct service_state *state, const char *rid, struct resource_state **ret_state,
		    struct cof_error *err)
{
	struct resource_state *found = find(state, rid);

	if (!found) {
		struct resource_state *grown =
			reallocarray(state->resources, state->count + 1, sizeof(*grown));

		ENSURE(grown, err, COF_E_NOMEM, rid, "no memory for its state");
		state->resources = grown;
		found = &grown[state->count++];
		*found = (struct resource_state){ .made = MADE_NOT };
		(void)snprintf(found->rid, sizeof(found->rid), "%s", rid);
	}
	*ret_state = found;
	return COF_OK;
}

enum made state_made(const struct service_state *state, const char *rid)
{
	const struct resource_state *found = find(state, rid);

	return found ? found->made : MADE_NOT;
}

/* Copies a text member, which may be missing; false where it is too long. */
static bool copy_text(const struct json *object, const char *key, char *out, size_t out_size_bytes)
{
	const char *text = json_get_text(object, key);

	return snprintf(out, out_size_bytes, "%s", text ? text : "") < (int)out_size_bytes;
}

/* What reading the resources fills. */
struct reading {
	struct service_state *state;
	bool good;
	cof_result result;
	struct cof_error *err;
};

/* json_each()'s visitor: one resource. */
static bool read_resource(const char *rid, struct json *value, void *context)
{
	struct reading *reading = context;
	const char *made = json_get_text(value, "provisioned");
	struct resource_state *state;

	reading->good = false;
	if (strlen(rid) >= sizeof(state->rid) || !made)
		return false;
	reading->result = state_of(reading->state, rid, &state, reading->err);
	if (cof_failed(reading->result))
		return false;
	for (unsigned int i = 0; i < sizeof(made_words) / sizeof(made_words[0]); i++) {
		if (strcmp(made, made_words[i]) != 0)
			continue;
		state->made = (enum made)i;
		reading->good = true;
	}
	state->own = json_get_bool(value, "own", false);
	reading->good = reading->good &&
			copy_text(value, "since", state->since, sizeof(state->since)) &&
			copy_text(value, "uuid", state->uuid, sizeof(state->uuid));
	return reading->good;
}

cof_result state_parse(struct span text, const char *subject, struct service_state *ret_state,
		       struct cof_error *err)
{
	_cleanup_json_ struct json *json = NULL;
	_cleanup_(service_state_done) struct service_state state = { 0 };
	struct reading reading = { .state = &state, .good = true, .err = err };

	TRY(json_parse(text, subject, &json, err));
	ENSURE(json_get_uint(json, "format", 0) == FORMAT, err, COF_E_FORMAT, subject,
	       "is no state of a service");
	json_each(json_get(json, "resources"), read_resource, &reading);
	TRY(reading.result);
	ENSURE(reading.good && copy_text(json, "id", state.id, sizeof(state.id)) &&
		       copy_text(json, "frozen", state.frozen, sizeof(state.frozen)) &&
		       copy_text(json, "action", state.action, sizeof(state.action)) &&
		       copy_text(json, "failed", state.failed, sizeof(state.failed)),
	       err, COF_E_FORMAT, subject, "has a part that is damaged");
	state.started = json_get_bool(json, "started", false);

	*ret_state = state;
	state = (struct service_state){ 0 };
	return COF_OK;
}

cof_result state_format(const struct service_state *state, struct buffer *ret_text,
			struct cof_error *err)
{
	_cleanup_json_ struct json *json = json_new_object();
	_cleanup_free_ char *text = NULL;
	struct json *resources = json_new_object();

	json_set_uint(json, "format", FORMAT);
	json_set_text(json, "id", state->id);
	json_set_known(json, "frozen", state->frozen);
	json_set_bool(json, "started", state->started);
	json_set_known(json, "action", state->action);
	json_set_known(json, "failed", state->failed);
	json_set(json, "resources", resources);
	for (size_t i = 0; i < state->count; i++) {
		const struct resource_state *resource = &state->resources[i];
		struct json *item = json_new_object();

		json_set_text(item, "provisioned", made_words[resource->made]);
		json_set_text(item, "since", resource->since);
		json_set_known(item, "uuid", resource->uuid);
		json_set_bool(item, "own", resource->own);
		json_set(resources, resource->rid, item);
	}
	text = json_format(json);
	TRY(buffer_add(ret_text, text, strlen(text), err));
	return buffer_add(ret_text, "\n", 1, err);
}
