/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where services are kept.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fault.h"
#include "file.h"
#include "service_build.h"
#include "name_list.h"
#include "number.h"
#include "uuid.h"

#define STATE_MAX_BYTES (1u << 20)
#define LOCK_TIMEOUT_MS 2000
#define NO_ID		"00000000-0000-0000-0000-000000000000"

cof_result service_check(const struct paths *paths, const struct service_path *path,
			 struct span text, const char *const kw[], struct config_mistakes *mistakes,
			 struct buffer *ret_text, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	bool changed = false;

	TRY(service_new(paths, path, NO_ID, &service, err));
	TRY(config_parse(text, &service->config, mistakes, err));
	for (; *kw; kw++) {
		TRY(config_set(&service->config, *kw, err));
		changed = true;
	}
	TRY(service_build(service, mistakes, err));
	if (changed)
		return config_format(&service->config, ret_text, err);
	return buffer_add(ret_text, text.data, text.len, err);
}

/* Makes the folder that a file goes into. */
static cof_result make_folder_of(const char *file, mode_t mode, struct cof_error *err)
{
	_cleanup_free_ char *folder = strndup(file, (size_t)(path_base(file) - file - 1));

	ENSURE(folder, err, COF_E_NOMEM, file, "no memory for its folder");
	return folder_make(folder, mode, err);
}

cof_result service_create(const struct paths *paths, const struct service_path *path,
			  struct span text, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	_cleanup_fd_ int lock = -1;

	TRY(service_new(paths, path, NO_ID, &service, err));
	TRY(make_folder_of(service->config_path, 0755, err));
	TRY(service_lock(service, &lock, err));
	if (path_exists(service->config_path)) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, service->text, "is there already"));
		cof_error_try(err, "another name, or coffer service purge %s first", service->text);
		return (cof_result){ COF_E_REFUSED };
	}
	/* A state without a configuration is what a killed purge has left. */
	TRY(uuid_random(service->state.id, err));
	TRY(service_save(service, err));
	TRY(fault_point("create/state", err));
	TRY(file_create(service->config_path, text, 0644, err));
	return fault_point("create/config", err);
}

/* Reads the state; a service without one was put there by hand, and nothing is done with it yet. */
static cof_result load_state(const struct service *service, struct service_state *ret_state,
			     struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	if (path_exists(service->state_path)) {
		TRY(file_read(service->state_path, STATE_MAX_BYTES, &text, err));
		return state_parse(buffer_span(&text), service->state_path, ret_state, err);
	}
	return uuid_random(ret_state->id, err);
}

/* Reads the configuration; its first mistake is the failure. */
static cof_result load_config(struct service *service, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_free_ struct config_mistakes *mistakes = calloc(1, sizeof(*mistakes));

	ENSURE(mistakes, err, COF_E_NOMEM, service->text, "no memory for a configuration");
	TRY(file_read(service->config_path, CONFIG_MAX_BYTES, &text, err));
	TRY(config_parse(buffer_span(&text), &service->config, mistakes, err));
	TRY(service_build(service, mistakes, err));
	if (mistakes->count == 0)
		return COF_OK;
	return config_mistake_raise(&mistakes->items[0], service->config_path, err);
}

cof_result service_load(const struct paths *paths, const struct service_path *path,
			struct service **ret_service, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	_cleanup_(service_freep) struct service *places = NULL;
	_cleanup_(service_state_done) struct service_state state = { 0 };

	TRY(service_new(paths, path, NO_ID, &places, err));
	if (!path_exists(places->config_path)) {
		cof_ignore(cof_raise(err, COF_E_NOENT, places->text, "there is no such service"));
		cof_error_try(err, "coffer service list");
		return (cof_result){ COF_E_NOENT };
	}
	TRY(load_state(places, &state, err));
	TRY(service_new(paths, path, state.id, &service, err));
	service->state = state;
	state = (struct service_state){ 0 };
	TRY(load_config(service, err));

	*ret_service = TAKE(service);
	return COF_OK;
}

/* Adds the services of one namespace. */
static cof_result list_namespace(const char *folder, const char *ns, char ***names,
				 struct cof_error *err)
{
	_cleanup_(name_list_freep) char **files = NULL;
	_cleanup_free_ char *path = NULL;
	bool found;

	TRY(path_format(&path, err, "%s/%s/svc", folder, ns));
	TRY(name_list_of_folder(path, &files, &found, err));
	for (size_t i = 0; files[i]; i++) {
		size_t len = strlen(files[i]);
		char name[SERVICE_PATH_CHARS];

		if (len <= 5 || strcmp(files[i] + len - 5, ".conf") != 0)
			continue;
		(void)snprintf(name, sizeof(name), "%.63s/svc/%.*s", ns, (int)(len - 5), files[i]);
		TRY(name_list_add(names, name, err));
	}
	return COF_OK;
}

cof_result service_list(const struct paths *paths, char ***ret_paths, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **namespaces = NULL;
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_free_ char *folder = NULL;
	bool found;

	TRY(name_list_new(&names, err));
	TRY(path_format(&folder, err, "%s/etc/coffer/services", paths->root));
	TRY(name_list_of_folder(folder, &namespaces, &found, err));
	for (size_t i = 0; namespaces[i]; i++)
		TRY(list_namespace(folder, namespaces[i], &names, err));
	name_list_sort(names);
	*ret_paths = TAKE(names);
	return COF_OK;
}

cof_result service_lock(const struct service *service, int *ret_fd, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(make_folder_of(service->state_path, 0700, err));
	TRY(path_format(&path, err, "%s.lock", service->state_path));
	return cof_explain(file_lock(path, LOCK_TIMEOUT_MS, ret_fd, err), err,
			   "the same again, once that command has ended",
			   "another command acts on %s", service->text);
}

cof_result service_save(struct service *service, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	TRY(make_folder_of(service->state_path, 0700, err));
	TRY(state_format(&service->state, &text, err));
	return file_replace(service->state_path, buffer_span(&text), 0600, err);
}

cof_result service_forget(const struct service *service, struct cof_error *err)
{
	_cleanup_free_ char *older = NULL;

	/* The state goes with the configuration or after it: without a state, what is provisioned
	 * would be taken for somebody's data. */
	TRY(path_format(&older, err, "%s.1", service->log_path));
	TRY(file_remove(older, err));
	TRY(file_remove(service->log_path, err));
	TRY(fault_point("forget/log", err));
	TRY(file_remove(service->config_path, err));
	TRY(fault_point("forget/config", err));
	TRY(file_remove(service->state_path, err));
	return fault_point("forget/state", err);
}
