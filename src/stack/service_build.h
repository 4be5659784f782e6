/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_SERVICE_BUILD_H
#define COF_STACK_SERVICE_BUILD_H

/*
 * What the files about services share; private to this folder.
 */

#include "service.h"

/** service_new() - a service without configuration and state: its places and facts.
 * @id: that {id} stands for */
cof_result service_new(const struct paths *paths, const struct service_path *path, const char *id,
		       struct service **ret_service, struct cof_error *err);

/** service_build() - the resources from the configuration, in order
 * @mistakes: what is wrong is added; then the resources are of no use
 * Fails: COF_E_NOMEM */
cof_result service_build(struct service *service, struct config_mistakes *mistakes,
			 struct cof_error *err);

/** service_world() - what references in the configuration mean; borrowed from @service */
struct reference_world service_world(struct service *service);

#endif
