/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a configuration to resources in order, and every mistake on the way.
 */

#include <stdio.h>
#include <string.h>

#include "service_build.h"
#include "near.h"
#include "order.h"

/* One run of service_build(). */
struct building {
	struct service *service;
	struct config_mistakes *mistakes;
	struct reference_world world;
	unsigned char *needs; /* count * count */
	size_t at;	      /* the resource whose values are looked at */
};

/* The rank of a group; the count of groups where it is none. */
static unsigned int rank_of(const char *group)
{
	unsigned int rank = 0;

	while (driver_groups[rank] && strcmp(driver_groups[rank], group) != 0)
		rank++;
	return rank;
}

/* Says which types a group has. */
static void suggest_types(struct config_mistake *mistake, const char *group)
{
	size_t used = 0;

	for (size_t i = 0; drivers[i] && used < sizeof(mistake->remedy); i++)
		if (strcmp(drivers[i]->group, group) == 0)
			used += (size_t)snprintf(mistake->remedy + used,
						 sizeof(mistake->remedy) - used, "%s%s",
						 used ? ", " : "type = ", drivers[i]->type);
}

/* Sections that hold texts for references alone, or nothing that concerns coffer. */
static bool is_plain_section(const char *name)
{
	return strcmp(name, CONFIG_DEFAULT) == 0 || strcmp(name, "env") == 0 ||
	       strcmp(name, "labels") == 0 || strcmp(name, "metadata") == 0;
}

/* The driver of a section; NULL after a mistake. */
static const struct driver *driver_of(struct building *run, const struct config_section *section,
				      char group[static 16])
{
	const char *hash = strchr(section->name, '#');
	const struct config_line *type;
	const struct driver *driver;
	size_t len = hash ? (size_t)(hash - section->name) : 0;

	if (!hash || len == 0 || len >= 16 || !hash[1] || strchr(hash + 1, '#') ||
	    strchr(hash, '.')) {
		(void)config_mistake_add(run->mistakes, section->line, section->name, "",
					 "is no section such as disk#0");
		return NULL;
	}
	(void)snprintf(group, 16, "%.*s", (int)len, section->name);
	if (!driver_groups[rank_of(group)]) {
		(void)config_mistake_add(run->mistakes, section->line, section->name, "",
					 "coffer has no resources of the group \"%s\"", group);
		return NULL;
	}
	type = config_find(&run->service->config, section->name, "type", run->service->node);
	driver = type ? driver_find(group, type->value) : NULL;
	if (!driver)
		suggest_types(config_mistake_add(run->mistakes, type ? type->line : section->line,
						 section->name, "type",
						 type ? "\"%.80s\" is not known" : "is missing%s",
						 type ? type->value : ""),
			      group);
	return driver;
}

/* One resource; none after a mistake. */
static void add_resource(struct building *run, const struct config_section *section)
{
	struct service *service = run->service;
	struct resource *resource = &service->resources[service->count];

	*resource = (struct resource){ .line = section->line };
	(void)snprintf(resource->rid, sizeof(resource->rid), "%s", section->name);
	resource->driver = driver_of(run, section, resource->group);
	service->count += resource->driver != NULL;
}

/* Says what an unknown keyword was meant to be. */
static void suggest_keyword(struct config_mistake *mistake, const struct driver *driver,
			    const char *typed)
{
	const struct keyword *const lists[] = { driver ? driver->keywords : keywords_service,
						driver ? keywords_general : keywords_service };
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct keyword *keyword = lists[i]; keyword->name; keyword++)
			if (near_is_nearer(typed, keyword->name, &best))
				(void)snprintf(mistake->remedy, sizeof(mistake->remedy), "%s",
					       keyword->name);
}

/* reference_each_resource()'s visitor: the resource that is looked at needs another one. */
static cof_result note_need(const char *section, void *context, struct cof_error *err)
{
	struct building *run = context;
	struct service *service = run->service;

	for (size_t i = 0; i < service->count; i++) {
		if (strcmp(service->resources[i].rid, section) != 0)
			continue;
		ENSURE(!service->resources[i].driver->no_devices, err, COF_E_USAGE, NULL,
		       "refers to the devices of %s, which has none", section);
		run->needs[run->at * service->count + i] = 1;
		return COF_OK;
	}
	FAIL(err, COF_E_USAGE, NULL, "refers to the devices of [%s], which is no resource",
	     section);
}

/* One value: its references and its type. */
static cof_result check_value(struct building *run, const struct config_line *line,
			      const struct keyword *keyword, bool is_resource)
{
	_cleanup_free_ char *value = NULL;
	struct cof_error why = { 0 };
	cof_result checked =
		is_resource ? reference_each_resource(&run->world, line->section, line->keyword,
						      line->value, note_need, run, &why)
			    : COF_OK;

	if (!cof_failed(checked))
		checked = reference_expand(&run->world, line->section, line->keyword, line->value,
					   &value, &why);
	if (!cof_failed(checked) && keyword && value)
		checked = keyword_check(keyword, value, &why);
	if (!cof_failed(checked))
		return COF_OK;
	if (checked.code != COF_E_USAGE)
		return checked;
	(void)config_mistake_add(run->mistakes, line->line, line->section, line->keyword, "%s",
				 why.text);
	return COF_OK;
}

/* All lines of one section. @driver: NULL: it is the service's own. */
static cof_result check_lines(struct building *run, const char *section,
			      const struct driver *driver)
{
	const struct config *config = &run->service->config;
	bool free_names = !driver && strcmp(section, CONFIG_DEFAULT) != 0;

	for (size_t i = 0; i < config->count; i++) {
		const struct config_line *line = &config->lines[i];
		const struct keyword *keyword = keyword_find(driver, line->keyword);
		const char *unsupported = keyword_unsupported(line->keyword);
		struct config_mistake *mistake;

		if (strcmp(line->section, section) != 0)
			continue;
		if (keyword || free_names) {
			TRY(check_value(run, line, free_names ? NULL : keyword, driver != NULL));
			continue;
		}
		mistake =
			config_mistake_add(run->mistakes, line->line, section, line->keyword, "%s",
					   unsupported ? unsupported : "is no keyword here");
		if (!unsupported)
			suggest_keyword(mistake, driver, line->keyword);
	}
	return COF_OK;
}

/* Keywords without which a resource is nothing. */
static void check_required(struct building *run, const struct resource *resource)
{
	for (const struct keyword *keyword = resource->driver->keywords; keyword->name; keyword++)
		if (keyword->required && !config_find(&run->service->config, resource->rid,
						      keyword->name, run->service->node))
			(void)config_mistake_add(run->mistakes, resource->line, resource->rid,
						 keyword->name, "is missing");
}

/* Puts the resources in the order in which they start. */
static cof_result put_in_order(struct building *run, struct cof_error *err)
{
	struct service *service = run->service;
	size_t count = service->count;
	_cleanup_free_ struct order_item *items = calloc(count + 1, sizeof(*items));
	_cleanup_free_ size_t *order = calloc(count + 1, sizeof(*order));
	struct resource *ordered = calloc(count + 1, sizeof(*ordered));
	const char *circle;

	if (!items || !order || !ordered) {
		free(ordered);
		FAIL(err, COF_E_NOMEM, service->text, "no memory for %zu resources", count);
	}
	for (size_t i = 0; i < count; i++)
		items[i] = (struct order_item){ .rid = service->resources[i].rid,
						.rank = rank_of(service->resources[i].group),
						.needs = &run->needs[i * count] };
	if (cof_failed(order_items(items, count, order, &circle, err)) || circle) {
		free(ordered);
		ENSURE(circle, err, COF_E_NOMEM, service->text, "no memory for its order");
		(void)config_mistake_add(run->mistakes, service_resource(service, circle)->line,
					 circle, "",
					 "needs, by way of other resources, its own devices");
		return COF_OK;
	}
	for (size_t i = 0; i < count; i++)
		ordered[i] = service->resources[order[i]];
	free(service->resources);
	service->resources = ordered;
	return COF_OK;
}

/* The general keywords of a resource. */
static void read_flags(struct service *service, struct resource *resource)
{
	resource->disabled = service_flag(service, resource, "disable");
	resource->optional = service_flag(service, resource, "optional");
	resource->standby = service_flag(service, resource, "standby");
	resource->monitored = service_flag(service, resource, "monitor");
	resource->provisions = service_flag(service, resource, "provision");
	resource->unprovisions = service_flag(service, resource, "unprovision");
}

cof_result service_build(struct service *service, struct config_mistakes *mistakes,
			 struct cof_error *err)
{
	struct building run = { .service = service, .mistakes = mistakes };
	const struct config *config = &service->config;
	_cleanup_free_ unsigned char *needs = NULL;

	service->resources = calloc(config->section_count + 1, sizeof(*service->resources));
	ENSURE(service->resources, err, COF_E_NOMEM, service->text, "no memory for resources");
	for (size_t i = 0; i < config->section_count; i++)
		if (!is_plain_section(config->sections[i].name))
			add_resource(&run, &config->sections[i]);
	needs = calloc(service->count * service->count + 1, 1);
	ENSURE(needs, err, COF_E_NOMEM, service->text, "no memory for resources");
	run.needs = needs;
	run.world = service_world(service);
	run.world.devices = NULL;
	for (size_t i = 0; i < config->section_count; i++)
		if (is_plain_section(config->sections[i].name))
			TRY(check_lines(&run, config->sections[i].name, NULL));
	for (run.at = 0; run.at < service->count; run.at++) {
		const struct resource *resource = &service->resources[run.at];

		TRY(check_lines(&run, resource->rid, resource->driver));
		check_required(&run, resource);
	}
	TRY(put_in_order(&run, err));
	for (size_t i = 0; i < service->count && mistakes->count == 0; i++)
		read_flags(service, &service->resources[i]);
	return COF_OK;
}
