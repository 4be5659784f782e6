/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus.h"

#include <string.h>
#include <systemd/sd-bus.h>

#include "clock.h"
#include "file.h"
#include "name_list.h"

#define BOOTED_FOLDER	  "/run/systemd/system" /* sd_booted(3) */
#define PRIVATE_ADDRESS	  "unix:path=/run/systemd/private"
#define SYSTEMD		  "org.freedesktop.systemd1"
#define MANAGER_PATH	  "/org/freedesktop/systemd1"
#define MANAGER		  SYSTEMD ".Manager"
#define UNIT		  SYSTEMD ".Unit"
#define NO_SUCH_UNIT	  SYSTEMD ".NoSuchUnit"
#define RELOAD_TIMEOUT_US (90 * 1000000ull)

struct bus {
	sd_bus *bus;
	char *job;    /* that is waited for */
	char *unit;   /* of it */
	char *result; /* how it ended */
};

DEFINE_FREEP(sd_bus_message, message_freep, sd_bus_message_unref)

bool bus_is_there(void)
{
	return path_exists(BOOTED_FOLDER);
}

void bus_close(struct bus *bus)
{
	if (!bus)
		return;
	sd_bus_flush_close_unref(bus->bus);
	free(bus->job);
	free(bus->unit);
	free(bus->result);
	free(bus);
}

void bus_unit_done(struct bus_unit *unit)
{
	free(unit->id);
	free(unit->active);
	free(unit->result);
	free(unit->enabled);
	name_list_free(unit->starters);
	name_list_free(unit->before);
	*unit = (struct bus_unit){ 0 };
}

/* Keeps how the job ended that is waited for. */
static int on_job_removed(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct bus *bus = context;
	const char *job;
	const char *unit;
	const char *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) < 0)
		return 0;
	if (bus->job && strcmp(job, bus->job) == 0 && !bus->result)
		bus->result = strdup(result);
	return 0;
}

/* Connects to systemd's own socket, which only root may, and which is there without dbus. */
static int connect_private(sd_bus **ret_bus)
{
	sd_bus *bus = NULL;
	int status = sd_bus_new(&bus);

	if (status >= 0)
		status = sd_bus_set_address(bus, PRIVATE_ADDRESS);
	if (status >= 0)
		status = sd_bus_start(bus);
	if (status < 0) {
		sd_bus_unref(bus);
		return status;
	}
	*ret_bus = bus;
	return 0;
}

cof_result bus_open(struct bus **ret_bus, struct cof_error *err)
{
	_cleanup_(bus_closep) struct bus *bus = calloc(1, sizeof(*bus));
	int status;

	ENSURE(bus, err, COF_E_NOMEM, NULL, "no memory to talk to systemd");
	status = connect_private(&bus->bus);
	if (status < 0)
		status = sd_bus_open_system(&bus->bus);
	ENSURE(status >= 0, err, COF_E_UNSUPPORTED, "systemd", "cannot be reached: %s",
	       strerror(-status));
	status = sd_bus_match_signal(bus->bus, NULL, NULL, MANAGER_PATH, MANAGER, "JobRemoved",
				     on_job_removed, bus);
	if (status >= 0)
		status = sd_bus_call_method(bus->bus, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe",
					    NULL, NULL, NULL);
	ENSURE(status >= 0, err, COF_E_UNSUPPORTED, "systemd", "does not answer: %s",
	       strerror(-status));
	*ret_bus = TAKE(bus);
	return COF_OK;
}

/* A failure in systemd's words; @error is freed. */
static cof_result raise_bus(const char *subject, sd_bus_error *error, int status,
			    struct cof_error *err)
{
	enum cof_code code =
		sd_bus_error_has_name(error, NO_SUCH_UNIT) ? COF_E_NOENT : COF_E_FAILED;
	cof_result raised = cof_raise(err, code, subject, "%s",
				      error->message ? error->message : strerror(-status));

	if (err) {
		size_t len = strlen(err->text);

		while (len > 0 && err->text[len - 1] == '.')
			err->text[--len] = '\0';
	}
	sd_bus_error_free(error);
	return raised;
}

/* A text property of a unit; "" where the unit has none of that name. */
static cof_result read_text(struct bus *bus, const char *path, const char *interface,
			    const char *name, char **ret_text, struct cof_error *err)
{
	if (sd_bus_get_property_string(bus->bus, SYSTEMD, path, interface, name, NULL, ret_text) >=
	    0)
		return COF_OK;
	return text_copy("", ret_text, err);
}

/* A property that is a list of names; empty where the unit has none. */
static cof_result read_names(struct bus *bus, const char *path, const char *name, char ***ret_names,
			     struct cof_error *err)
{
	_cleanup_(message_freep) sd_bus_message *reply = NULL;
	_cleanup_(name_list_freep) char **names = NULL;
	const char *text;

	TRY(name_list_new(&names, err));
	if (sd_bus_get_property(bus->bus, SYSTEMD, path, UNIT, name, NULL, &reply, "as") >= 0 &&
	    sd_bus_message_enter_container(reply, 'a', "s") >= 0)
		while (sd_bus_message_read_basic(reply, 's', &text) > 0)
			TRY(name_list_add(&names, text, err));
	*ret_names = TAKE(names);
	return COF_OK;
}

/* The interface of a kind of unit that has a result, or NULL. */
static const char *result_interface(const char *name)
{
	static const char *const kinds[][2] = { { ".service", SYSTEMD ".Service" },
						{ ".socket", SYSTEMD ".Socket" },
						{ ".mount", SYSTEMD ".Mount" },
						{ ".timer", SYSTEMD ".Timer" },
						{ ".path", SYSTEMD ".Path" } };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(dot, kinds[i][0]) == 0)
			return kinds[i][1];
	return NULL;
}

cof_result bus_look(struct bus *bus, const char *name, struct bus_unit *ret_unit,
		    struct cof_error *err)
{
	_cleanup_(message_freep) sd_bus_message *reply = NULL;
	_cleanup_free_ char *load = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	const char *interface = result_interface(name);
	const char *path;
	int status;

	*ret_unit = (struct bus_unit){ 0 };
	status = sd_bus_call_method(bus->bus, SYSTEMD, MANAGER_PATH, MANAGER, "LoadUnit", &error,
				    &reply, "s", name);
	if (status < 0 || sd_bus_message_read(reply, "o", &path) < 0)
		return raise_bus(name, &error, status, err);
	TRY(read_text(bus, path, UNIT, "LoadState", &load, err));
	ret_unit->known = strcmp(load, "not-found") != 0;
	TRY(read_text(bus, path, UNIT, "Id", &ret_unit->id, err));
	TRY(read_text(bus, path, UNIT, "ActiveState", &ret_unit->active, err));
	TRY(read_text(bus, path, UNIT, "UnitFileState", &ret_unit->enabled, err));
	if (interface)
		TRY(read_text(bus, path, interface, "Result", &ret_unit->result, err));
	else
		TRY(text_copy("", &ret_unit->result, err));
	TRY(read_names(bus, path, "TriggeredBy", &ret_unit->starters, err));
	return read_names(bus, path, "Before", &ret_unit->before, err);
}

/* Takes in what systemd says until the job has ended. */
static cof_result wait_job(struct bus *bus, unsigned int timeout_ms, struct cof_error *err)
{
	uint64_t end_ms = clock_ms() + timeout_ms;

	while (!bus->result) {
		uint64_t now_ms = clock_ms();
		int status = sd_bus_process(bus->bus, NULL);

		ENSURE(status >= 0, err, COF_E_FAILED, "systemd", "does not answer any more: %s",
		       strerror(-status));
		if (status > 0 || bus->result)
			continue;
		ENSURE(now_ms < end_ms, err, COF_E_BUSY, bus->unit, "is not done after %u seconds",
		       timeout_ms / 1000);
		ENSURE(sd_bus_wait(bus->bus, (end_ms - now_ms) * 1000) >= 0, err, COF_E_FAILED,
		       "systemd", "does not answer any more");
	}
	return COF_OK;
}

/* What a job's result means to a person: org.freedesktop.systemd1(5), JobRemoved. */
static const char *result_words(const char *result)
{
	static const char *const words[][2] = {
		{ "failed", "failed" },
		{ "timeout", "took too long, and systemd gave up" },
		{ "canceled", "was called off by another command" },
		{ "dependency", "was not tried: something that it needs has failed" },
		{ "skipped", "has a condition that is not met" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], result) == 0)
			return words[i][1];
	return result;
}

cof_result bus_run(struct bus *bus, enum bus_verb verb, const char *name, unsigned int timeout_ms,
		   struct cof_error *err)
{
	_cleanup_(message_freep) sd_bus_message *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	const char *job;
	int status;

	free(TAKE(bus->result));
	free(TAKE(bus->job));
	free(TAKE(bus->unit));
	status = sd_bus_call_method(bus->bus, SYSTEMD, MANAGER_PATH, MANAGER,
				    verb == BUS_STOP ? "StopUnit" : "StartUnit", &error, &reply,
				    "ss", name,
				    verb == BUS_START_ALONE ? "ignore-dependencies" : "replace");
	if (status < 0 || sd_bus_message_read(reply, "o", &job) < 0)
		return raise_bus(name, &error, status, err);
	TRY(text_copy(job, &bus->job, err));
	TRY(text_copy(name, &bus->unit, err));
	TRY(wait_job(bus, timeout_ms, err));
	ENSURE(strcmp(bus->result, "done") == 0, err, COF_E_FAILED, name, "%s",
	       result_words(bus->result));
	return COF_OK;
}

void bus_forgive(struct bus *bus, const char *name)
{
	(void)sd_bus_call_method(bus->bus, SYSTEMD, MANAGER_PATH, MANAGER, "ResetFailedUnit", NULL,
				 NULL, "s", name);
}

cof_result bus_reload(struct bus *bus, struct cof_error *err)
{
	_cleanup_(message_freep) sd_bus_message *call = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int status = sd_bus_message_new_method_call(bus->bus, &call, SYSTEMD, MANAGER_PATH, MANAGER,
						    "Reload");

	if (status >= 0)
		status = sd_bus_call(bus->bus, call, RELOAD_TIMEOUT_US, &error, NULL);
	if (status < 0)
		return raise_bus("systemd", &error, status, err);
	return COF_OK;
}
