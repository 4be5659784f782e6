/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer service status|devs|list: how services are, as trees.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "look.h"
#include "name_list.h"
#include "screen.h"
#include "service_call.h"
#include "table.h"
#include "verbs.h"
#include "wrap.h"

#define WORD_COLUMN  37 /* where the words for status stand, as OpenSVC has them */
#define FLAGS_COLUMN 28
#define TEXT_COLUMN  48

/* Prints a line of the tree; a text that has no room beside goes below. @bar: what the tree goes on
 * with there */
static void print_line(const char *left, const char *word, const char *text, const char *bar)
{
	size_t columns = screen_columns(STDOUT_FILENO, SCREEN_ANY_COLUMNS);
	bool beside = columns == SCREEN_ANY_COLUMNS || TEXT_COLUMN + screen_width(text) <= columns;

	if (!text[0] || !beside)
		(void)printf("%-*s%s\n", WORD_COLUMN, left, word);
	else
		(void)printf("%-*s%-*s%s\n", WORD_COLUMN, left, TEXT_COLUMN - WORD_COLUMN, word,
			     text);
	if (!text[0] || beside)
		return;
	(void)printf("%s", bar);
	wrap_line(stdout, columns, strlen(bar), strlen(bar), text);
}

/* One resource of `service status`. */
static void print_resource(const struct look_resource *look, bool last)
{
	char flags[STATUS_FLAGS + 1];
	char left[CONFIG_NAME_CHARS + 64];
	char text[sizeof(look->label) + sizeof(look->note) + 8];

	(void)snprintf(left, sizeof(left), "      %s %-*s%s ", last ? "`-" : "|-", FLAGS_COLUMN - 9,
		       look->row.rid, status_flags(&look->row, flags));
	(void)snprintf(text, sizeof(text), "%s%s%s", look->label, look->note[0] ? " -- " : "",
		       look->note);
	print_line(left, status_text(look->row.word, look->row.standby), text,
		   last ? "           " : "      |    ");
}

/* The tree of one service. */
static cof_result print_service(struct service *service, bool resources, struct cof_error *err)
{
	_cleanup_(look_done) struct look look = { 0 };
	char notice[LOOK_NOTICE_CHARS];
	char left[CONFIG_NAME_CHARS + 8];

	TRY(look_at_service(service, &look, err));
	print_line(service->text, status_text(look.sum.avail, false), "", "");
	(void)printf("`- instances\n");
	(void)snprintf(left, sizeof(left), "   `- %s", service->node);
	print_line(left, status_text(look.sum.avail, false), look_notice(service, &look, notice),
		   resources ? "      |  " : "         ");
	for (size_t i = 0; resources && i < look.count; i++)
		print_resource(&look.resources[i], i + 1 == look.count);
	return COF_OK;
}

/* coffer service status. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	struct json *document;

	TRY(service_of_call(call, &service, err));
	if (!call->json)
		return print_service(service, true, err);
	TRY(service_json(service, &document, err));
	cli_show(call, document);
	return COF_OK;
}

/* The names of one role as a branch. */
static void print_branch(const char *role, char *const names[], bool last_role, const char *bar)
{
	if (!names || !names[0])
		return;
	(void)printf("%s  %s %s\n", bar, last_role ? "`-" : "|-", role);
	for (size_t i = 0; names[i]; i++)
		(void)printf("%s  %s  %s %s\n", bar, last_role ? " " : "|",
			     names[i + 1] ? "|-" : "`-", names[i]);
}

/* A list of names as JSON. */
static struct json *names_json(char *const names[])
{
	struct json *array = json_new_array();

	for (size_t i = 0; names && names[i]; i++)
		json_add_text(array, names[i]);
	return array;
}

/* The devices of one resource. */
static cof_result show_devices(const struct cli_call *call, struct service *service,
			       const struct resource *resource, bool last, struct json *devices,
			       struct cof_error *err)
{
	_cleanup_(look_devices_done) struct look_devices look = { 0 };
	const char *bar = last ? " " : "|";
	struct json *item = json_new_object();
	char type[40];
	bool sub;
	bool exposed;

	json_set(devices, resource->rid, item);
	TRY(look_at_devices(service, resource, &look, err));
	(void)snprintf(type, sizeof(type), "%s.%s", resource->driver->group,
		       resource->driver->type);
	json_set_text(item, "type", type);
	json_set(item, "base", names_json(look.base));
	json_set(item, "sub", names_json(look.sub));
	json_set(item, "exposed", names_json(look.exposed));
	if (call->json)
		return COF_OK;
	sub = look.sub && look.sub[0];
	exposed = look.exposed && look.exposed[0];
	(void)printf("%s %s (%s)\n", last ? "`-" : "|-", resource->rid, type);
	print_branch("base", look.base, !sub && !exposed, bar);
	print_branch("sub", look.sub, !exposed, bar);
	print_branch("exposed", look.exposed, true, bar);
	return COF_OK;
}

/* coffer service devs. */
static cof_result run_devs(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	struct json *document = json_new_object();
	struct json *devices = json_new_object();

	cli_show(call, document);
	json_set(document, "resources", devices);
	TRY(service_of_call(call, &service, err));
	json_set_text(document, "path", service->text);
	if (!call->json)
		(void)printf("%s\n", service->text);
	for (size_t i = 0; i < service->count; i++)
		TRY(show_devices(call, service, &service->resources[i], i + 1 == service->count,
				 devices, err));
	return COF_OK;
}

/* One service of the list; one that cannot be read is told and does not keep the others away. */
static cof_result list_one(const struct cli_call *call, const char *name, struct table *table,
			   struct json *array, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	_cleanup_(look_done) struct look look = { 0 };
	struct service_path path;
	struct json *item;
	char notice[LOOK_NOTICE_CHARS];

	TRY(service_path_parse(name, "svc", &path, err));
	TRY(service_load(call->paths, &path, &service, err));
	TRY(look_at_service(service, &look, err));
	TRY(service_json(service, &item, err));
	json_add(array, item);
	return table_add(table,
			 (const char *const[]){ name, status_text(look.sum.avail, false),
						look_notice(service, &look, notice) },
			 err);
}

/* coffer service list. */
static cof_result run_list(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "SERVICE", "AVAIL", "STATE", NULL };
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_(table_freep) struct table *table = NULL;
	struct json *document = json_new_object();
	struct json *array = json_new_array();
	cof_result first = COF_OK;

	cli_show(call, document);
	json_set(document, "services", array);
	TRY(service_list(call->paths, &names, err));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; names[i]; i++) {
		struct cof_error why = { 0 };
		cof_result listed = list_one(call, names[i], table, array, &why);

		if (!cof_failed(listed))
			continue;
		if (cof_failed(first))
			cli_report(&why);
		else if (err)
			*err = why;
		first = cof_failed(first) ? first : listed;
	}
	if (!call->json && names[0])
		TRY(table_print(table, stdout, err));
	if (!names[0])
		cli_say(call, "There are no services.");
	return first;
}

const struct cli_verb cli_verb_service_status = {
	.noun = "service",
	.verb = "status",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "show how a service and each of its resources are",
	.description =
		"The resources stand in the order in which they start. Each has eight flags, a "
		"dot where one does not hold: R an action is under way, M watched, D disabled, O "
		"optional, E in a container, P not provisioned, S on standby, and how many "
		"restarts are left. Coffer sets M, D, O, P and S.\n\n"
		"The words: up, down, warn (something is not as it should be), undef (it could "
		"not be found out), n/a. A service is up where all its resources are up that are "
		"neither optional nor disabled, down where all are down, and warn where they "
		"differ.\n\n"
		"With --json: avail (those resources), optional (the others), overall (both, and "
		"warn where one has a note), provisioned (true, false or \"mixed\"), and each "
		"resource.",
	.options = (const struct cli_option[]){ { "r", CLI_FLAG, NULL,
						  "with the resources, which are always shown" },
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer service status demo/svc/web", "as a tree" },
			{ "coffer service status demo/svc/web --json", "for programs" },
			{ 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_status,
};

const struct cli_verb cli_verb_service_devs = {
	.noun = "service",
	.verb = "devs",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "show on which devices a service lies",
	.description =
		"For each resource: base, the disks at the bottom; sub, the devices that it "
		"takes; exposed, those that it offers. Devices that are not there now are left "
		"out.",
	.examples =
		(const struct cli_example[]){ { "coffer service devs demo/svc/web", "as a tree" },
					      { 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_devs,
};

const struct cli_verb cli_verb_service_list = {
	.noun = "service",
	.verb = "list",
	.summary = "list all services and how they are",
	.description = "One line for each service. `coffer service status` shows the resources.",
	.examples = (const struct cli_example[]){ { "coffer service list", "as a table" },
						  { "coffer service list --json", "for programs" },
						  { 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_list,
};
