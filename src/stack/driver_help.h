/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_DRIVER_HELP_H
#define COF_STACK_DRIVER_HELP_H

/*
 * What several drivers need.
 */

#include "service.h"

/** help_one_name() - a list of one name; caller frees, name_list_free(). Fails: COF_E_NOMEM */
cof_result help_one_name(const char *name, char ***ret_names, struct cof_error *err);

/** help_words() - the words of a text as such a list */
cof_result help_words(const char *text, char ***ret_names, struct cof_error *err);

/** help_can_always() - a driver's probe, where any machine will do */
bool help_can_always(char *why_not, size_t why_not_size_bytes);

/** help_sub_device() - a driver's devices of the role sub: what its keyword dev says */
cof_result help_sub_device(struct service *service, const struct resource *resource,
			   char ***ret_names, struct cof_error *err);

/**
 * help_plan_device() - the plan of who writes on the device of its keyword dev
 * @what: "write a LUKS2 header"
 * @ours: the signature of what this run's forerunner may have begun there, "crypto_LUKS"; such a
 *        device is free. NULL: none was begun
 * Fails: COF_E_REFUSED (it is in use or unfit; or it holds data, and service->force is not set),
 * as device_find()
 */
cof_result help_plan_device(struct service *service, const struct resource *resource,
			    const char *what, const char *ours, struct provision_plan *ret_plan,
			    struct cof_error *err);

/** help_clear_device() - remove what a plan says is overwritten. Fails: COF_E_BUSY, COF_E_IO */
cof_result help_clear_device(const struct provision_plan *plan, struct cof_error *err);

#endif
