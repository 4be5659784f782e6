/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A service in memory: its facts and its values.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "file.h"
#include "service_build.h"
#include "kdf.h"
#include "name_list.h"
#include "number.h"

#define CLUSTER "default" /* OpenSVC's name of a cluster that was given none */

void service_free(struct service *service)
{
	if (!service)
		return;
	for (size_t i = 0; i < SERVICE_FACTS_MAX; i++)
		free(service->fact_texts[i]);
	free(service->config_path);
	free(service->state_path);
	free(service->log_path);
	free(service->resources);
	service_state_done(&service->state);
	config_done(&service->config);
	free(service);
}

/* Adds a fact, of which the service owns the text. */
static cof_result add_fact(struct service *service, const char *name, struct cof_error *err,
			   const char *format, ...) __attribute__((format(printf, 4, 5)));

static cof_result add_fact(struct service *service, const char *name, struct cof_error *err,
			   const char *format, ...)
{
	size_t at = 0;
	va_list arguments;
	int len;

	while (service->facts[at].name)
		at++;
	va_start(arguments, format);
	len = vasprintf(&service->fact_texts[at], format, arguments);
	va_end(arguments);
	if (len < 0) {
		service->fact_texts[at] = NULL;
		FAIL(err, COF_E_NOMEM, name, "no memory for it");
	}
	service->facts[at] = (struct reference_fact){ name, service->fact_texts[at] };
	return COF_OK;
}

/* All that references without a dot can mean beside keywords. */
static cof_result add_facts(struct service *service, const char *id, struct cof_error *err)
{
	const struct service_path *path = &service->path;
	const char *node = service->node;

	TRY(add_fact(service, "nodename", err, "%s", node));
	TRY(add_fact(service, "short_nodename", err, "%.*s", (int)strcspn(node, "."), node));
	TRY(add_fact(service, "clusternodes", err, "%s", node));
	TRY(add_fact(service, "clustername", err, CLUSTER));
	TRY(add_fact(service, "namespace", err, "%s", path->ns));
	TRY(add_fact(service, "kind", err, "%s", path->kind));
	TRY(add_fact(service, "id", err, "%s", id));
	TRY(add_fact(service, "path", err, "%s", service->text));
	TRY(add_fact(service, "svcpath", err, "%s", service->text));
	TRY(add_fact(service, "name", err, "%s", path->name));
	TRY(add_fact(service, "svcname", err, "%s", path->name));
	TRY(add_fact(service, "short_name", err, "%.*s", (int)strcspn(path->name, "."),
		     path->name));
	TRY(add_fact(service, "short_svcname", err, "%.*s", (int)strcspn(path->name, "."),
		     path->name));
	TRY(add_fact(service, "domain", err, "%s.%s." CLUSTER, path->ns, path->kind));
	TRY(add_fact(service, "fqdn", err, "%s.%s.%s." CLUSTER, path->name, path->ns, path->kind));
	return COF_OK;
}

cof_result service_new(const struct paths *paths, const struct service_path *path, const char *id,
		       struct service **ret_service, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = calloc(1, sizeof(*service));
	struct utsname machine;
	uint8_t session[4];

	ENSURE(service, err, COF_E_NOMEM, path->name, "no memory for a service");
	service->paths = paths;
	service->path = *path;
	(void)service_path_format(path, service->text);
	(void)snprintf(service->node, sizeof(service->node), "%.63s",
		       uname(&machine) == 0 ? machine.nodename : "localhost");
	TRY(random_bytes(session, sizeof(session), err));
	(void)hex_format(session, sizeof(session), service->session);
	TRY(path_format(&service->config_path, err, "%s/etc/coffer/services/%s.conf", paths->root,
			service->text));
	TRY(path_format(&service->state_path, err, "%s/var/lib/coffer/services/%s.json",
			paths->root, service->text));
	TRY(path_format(&service->log_path, err, "%s/var/log/coffer/services/%s.log", paths->root,
			service->text));
	TRY(add_facts(service, id, err));

	*ret_service = TAKE(service);
	return COF_OK;
}

const struct resource *service_resource(const struct service *service, const char *rid)
{
	for (size_t i = 0; i < service->count; i++)
		if (strcmp(service->resources[i].rid, rid) == 0)
			return &service->resources[i];
	return NULL;
}

/* reference_world's fallback: what a resource's keyword is where it is not set. */
static const char *fallback_of(const char *section, const char *name, void *context)
{
	const struct resource *resource = service_resource(context, section);
	const struct keyword *keyword = resource ? keyword_find(resource->driver, name) : NULL;

	return keyword ? keyword->fallback : NULL;
}

/* The names of a list as words of one text. */
static cof_result join(char *const names[], char **ret_text, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	for (size_t i = 0; names[i]; i++)
		TRY(buffer_add_text(&text, err, "%s%s", i ? " " : "", names[i]));
	TRY(buffer_add(&text, "", 1, err));
	*ret_text = (char *)TAKE(text.data);
	return COF_OK;
}

/* reference_world's devices. */
static cof_result devices_of(const char *section, const char *what, void *context, char **ret_value,
			     struct cof_error *err)
{
	struct service *service = context;
	const struct resource *resource = service_resource(service, section);
	_cleanup_(name_list_freep) char **names = NULL;

	*ret_value = NULL;
	ENSURE(resource, err, COF_E_USAGE, section, "is no resource");
	TRY(resource->driver->devices(
		service, resource,
		strcmp(what, "exposed_devs") == 0 ? DEVICES_EXPOSED : DEVICES_SUB, &names, err));
	return names && names[0] ? join(names, ret_value, err) : COF_OK;
}

struct reference_world service_world(struct service *service)
{
	return (struct reference_world){
		.config = &service->config,
		.node = service->node,
		.facts = service->facts,
		.fallback = fallback_of,
		.devices = devices_of,
		.context = service,
	};
}

cof_result service_value(struct service *service, const struct resource *resource,
			 const char *keyword, char **ret_value, struct cof_error *err)
{
	const struct config_line *line =
		config_find(&service->config, resource->rid, keyword, service->node);
	const char *text = line ? line->value : fallback_of(resource->rid, keyword, service);
	struct reference_world world = service_world(service);

	*ret_value = NULL;
	if (!text)
		return COF_OK;
	return cof_explain(reference_expand(&world, resource->rid, keyword, text, ret_value, err),
			   err, NULL, "%s: the value of %s cannot be told", resource->rid, keyword);
}

bool service_flag(struct service *service, const struct resource *resource, const char *keyword)
{
	_cleanup_free_ char *value = NULL;

	return !cof_failed(service_value(service, resource, keyword, &value, NULL)) && value &&
	       keyword_bool(value);
}

cof_result service_require(struct service *service, const struct resource *resource,
			   const char *keyword, char **ret_value, struct cof_error *err)
{
	TRY(service_value(service, resource, keyword, ret_value, err));
	ENSURE(*ret_value && (*ret_value)[0], err, COF_E_NOENT, resource->rid,
	       "what its keyword %s speaks of is not there", keyword);
	return COF_OK;
}
