/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_RUNNER_H
#define COF_STACK_RUNNER_H

/*
 * Acting on a service: first a plan, then the steps, with undo and a state that a run after a crash
 * goes on from.
 */

#include "service.h"

/** enum service_verb - what is done */
enum service_verb { SERVICE_PROVISION, SERVICE_START, SERVICE_STOP, SERVICE_UNPROVISION };

/** service_verb_name() - "provision"; static */
const char *service_verb_name(enum service_verb verb);

/**
 * struct service_step - one resource of a plan, in the order in which it is worked on
 * @does:   something is to be done
 * @text:   what, or why not: "make /opt/web.img, 1G", "start", "is up"
 * @plan:   of SERVICE_PROVISION, what is written on
 */
struct service_step {
	const struct resource *resource;
	bool does;
	char text[256];
	struct provision_plan plan;
};

/** struct service_plan - all of them; service_plan_done() */
struct service_plan {
	enum service_verb verb;
	bool all; /* no resource was left out by --rid */
	struct service_step *steps;
	size_t count;
};
void service_plan_done(struct service_plan *plan);
/** service_plan_does() - whether any step has something to do */
bool service_plan_does(const struct service_plan *plan);

/**
 * service_plan() - what a verb would do; changes nothing
 * @rids: these resources alone, NULL-terminated; an empty list: all
 *
 * SERVICE_STOP proves, unless service->force is set, that all that is up could be started again.
 * Fails: COF_E_NOENT (no such resource), COF_E_REFUSED (something must not be touched; it is not
 * provisioned; it could not be started again), COF_E_UNSUPPORTED (this machine cannot)
 */
cof_result service_plan(struct service *service, enum service_verb verb, const char *const rids[],
			struct service_plan *ret_plan, struct cof_error *err);

/** service_plan_needs_vault() - whether a verb would use the vault, which service_plan() needs then
 * as well; looks at what is up */
cof_result service_needs_vault(struct service *service, enum service_verb verb,
			       const char *const rids[], bool *ret_needs, struct cof_error *err);

/**
 * service_run() - do what was planned
 *
 * The caller holds service_lock(). Where a step of provision or start fails, what this run has
 * started is stopped again, unless the service says `rollback = false`; what was made stays for the
 * next run, which goes on from there. Fault points "service/..." and the drivers' own.
 */
cof_result service_run(struct service *service, const struct service_plan *plan,
		       struct cof_error *err);

/** service_freeze() - leave the service alone at boot, or no longer. @ret_changed: it was not so */
cof_result service_freeze(struct service *service, bool frozen, bool *ret_changed,
			  struct cof_error *err);

#endif
