/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_SERVICE_H
#define COF_STACK_SERVICE_H

/*
 * A service: a stack of resources with an order, kept as a configuration and a state.
 *
 *   ROOT/etc/coffer/services/NS/svc/NAME.conf        the configuration
 *   ROOT/var/lib/coffer/services/NS/svc/NAME.json    the state
 *   ROOT/var/log/coffer/services/NS/svc/NAME.log     what was done
 */

#include "config.h"
#include "driver.h"
#include "reference.h"
#include "service_path.h"
#include "state.h"
#include "vault.h"

/** struct resource - one section with a driver */
struct resource {
	char rid[CONFIG_NAME_CHARS]; /* "disk#0" */
	char group[16];		     /* "disk" */
	size_t line;
	const struct driver *driver;
	bool disabled;
	bool optional;
	bool standby;
	bool monitored;
	bool provisions;   /* `provision` makes it */
	bool unprovisions; /* `unprovision` unmakes it */
};

/** service_say - a step, for who watches; both borrowed */
typedef void (*service_say)(void *context, const char *rid, const char *text);

#define SERVICE_FACTS_MAX 24

/**
 * struct service - one service in memory
 * @resources: in the order in which they start
 * @vault:     unlocked, or NULL: borrowed; set by who acts
 * @force:     the user said that what is in the way does not matter
 * @say:       may be NULL
 */
struct service {
	struct service_path path;
	char text[SERVICE_PATH_CHARS]; /* the path as text */
	char node[CONFIG_NAME_CHARS];
	char session[9]; /* of this run, for the log */
	const struct paths *paths;
	char *config_path;
	char *state_path;
	char *log_path;
	struct config config;
	struct service_state state;
	struct resource *resources;
	size_t count;
	struct reference_fact facts[SERVICE_FACTS_MAX];
	char *fact_texts[SERVICE_FACTS_MAX]; /* owned values of @facts */
	struct vault *vault;
	bool force;
	service_say say;
	void *say_context;
};

void service_free(struct service *service);
DEFINE_FREEP(struct service, service_freep, service_free)

/**
 * service_check() - a configuration before there is a service
 * @text:     of the file
 * @kw:       --kw assignments, NULL-terminated
 * @mistakes: all that is wrong; none: the service can be made
 * @ret_text: the configuration to keep; appended
 * Fails: COF_E_USAGE (an assignment of @kw), COF_E_NOMEM
 */
cof_result service_check(const struct paths *paths, const struct service_path *path,
			 struct span text, const char *const kw[], struct config_mistakes *mistakes,
			 struct buffer *ret_text, struct cof_error *err);

/** service_create() - keep a configuration that service_check() has found good
 * Fails: COF_E_REFUSED (there is such a service), COF_E_IO, COF_E_NOSPC. Fault points "create/..."
 */
cof_result service_create(const struct paths *paths, const struct service_path *path,
			  struct span text, struct cof_error *err);

/** service_load() - Fails: COF_E_NOENT (no such service), COF_E_USAGE (its configuration was
 * damaged by hand: line and keyword are named), COF_E_FORMAT (its state is damaged), COF_E_IO */
cof_result service_load(const struct paths *paths, const struct service_path *path,
			struct service **ret_service, struct cof_error *err);

/** service_list() - paths of all services as text, sorted; caller frees, name_list_free() */
cof_result service_list(const struct paths *paths, char ***ret_paths, struct cof_error *err);

/** service_lock() - keep others from acting on the service until the fd is closed.
 * Fails: COF_E_BUSY, COF_E_IO */
cof_result service_lock(const struct service *service, int *ret_fd, struct cof_error *err);

/** service_save() - make the state durable. Fails: COF_E_IO, COF_E_NOSPC */
cof_result service_save(struct service *service, struct cof_error *err);

/** service_forget() - configuration, state and log go, the configuration last. Fault points
 * "forget/...". Fails: COF_E_IO */
cof_result service_forget(const struct service *service, struct cof_error *err);

/** service_resource() - by its rid; NULL when there is none */
const struct resource *service_resource(const struct service *service, const char *rid);

/**
 * service_value() - value of a resource's keyword, with its references filled in
 * @ret_value: caller frees; NULL: it is not set, or speaks of devices that are not there yet
 * Fails: COF_E_USAGE, COF_E_NOMEM; as the drivers' @devices
 */
cof_result service_value(struct service *service, const struct resource *resource,
			 const char *keyword, char **ret_value, struct cof_error *err);
/** service_flag() - a keyword that is true or false */
bool service_flag(struct service *service, const struct resource *resource, const char *keyword);
/** service_require() - the same for a value without which nothing can be done.
 * Fails: as well COF_E_NOENT (what it refers to is not there) */
cof_result service_require(struct service *service, const struct resource *resource,
			   const char *keyword, char **ret_value, struct cof_error *err);

/** service_note() - a line in the service's log and in the journal, and to who watches; printf's.
 * @rid: "" for the service itself. What cannot be written is lost */
void service_note(struct service *service, const char *rid, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** service_note_failure() - the same for what failed */
void service_note_failure(struct service *service, const char *rid, const struct cof_error *why);

#endif
