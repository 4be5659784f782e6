/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_REFERENCE_H
#define COF_STACK_REFERENCE_H

/*
 * References in values, such as {fqdn} or {disk#0.exposed_devs[0]}, pure but for what the caller
 * answers about devices.
 *
 *   {name}             a fact of the service, or else a keyword of the same section or of DEFAULT
 *   {section.keyword}  a keyword of another section
 *   {rid.exposed_devs} what a resource offers; {rid.sub_devs}: what it lies on
 *   {x[1]}  {#x}       the second word; how many words there are
 *   {upper:x}          and lower, capitalize, title, swapcase
 */

#include "config.h"

/** struct reference_fact - a name that is not a keyword, and its value */
struct reference_fact {
	const char *name;
	const char *value;
};

#define REFERENCE_VALUE_MAX_BYTES 65536

/**
 * struct reference_world - what a reference may mean; all borrowed
 * @node:  name of this machine, which decides what a scoped keyword is
 * @facts: end with { 0 }
 * @fallback: value of a keyword that is not set, or NULL: it has none; may be NULL
 * @devices: the words for rid.exposed_devs and the like; *ret_value NULL: not known now, as long
 *           as the resource is down; caller of it frees. NULL: nothing is known yet.
 *           Fails: COF_E_USAGE (no such resource)
 */
struct reference_world {
	const struct config *config;
	const char *node;
	const struct reference_fact *facts;
	const char *(*fallback)(const char *section, const char *keyword, void *context);
	cof_result (*devices)(const char *section, const char *what, void *context,
			      char **ret_value, struct cof_error *err);
	void *context;
};

/**
 * reference_expand() - @text with every reference replaced
 * @section, @keyword: where it stands
 * @ret_value: caller frees; NULL: it speaks of devices that are not there yet
 *
 * Fails: COF_E_USAGE (unknown, circular or ill-formed reference, or the value gets too long; the
 * error's text says which), COF_E_NOMEM; as @devices
 */
cof_result reference_expand(const struct reference_world *world, const char *section,
			    const char *keyword, const char *text, char **ret_value,
			    struct cof_error *err);

typedef cof_result (*reference_visit)(const char *section, void *context, struct cof_error *err);
/**
 * reference_each_resource() - call @visit for each resource whose devices a value speaks of
 * It is found through keywords that the value refers to as well. Fails: as reference_expand()
 */
cof_result reference_each_resource(const struct reference_world *world, const char *section,
				   const char *keyword, const char *text, reference_visit visit,
				   void *context, struct cof_error *err);

#endif
