/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_LOOK_H
#define COF_STACK_LOOK_H

/*
 * How a service is now.
 */

#include "service.h"
#include "status_words.h"

/** struct look_resource - one resource */
struct look_resource {
	struct status_row row;
	const struct resource *resource;
	char label[512]; /* "loop /opt/web.img" */
	char note[STATUS_NOTE_CHARS];
};

/** struct look - a service; in the order in which it starts. look_done() frees */
struct look {
	struct look_resource *resources;
	size_t count;
	struct status_sum sum;
};
void look_done(struct look *look);

/** look_at_service() - looks at every resource; one that cannot be looked at is "undef".
 * Fails: COF_E_NOMEM */
cof_result look_at_service(struct service *service, struct look *ret_look, struct cof_error *err);

#define LOOK_NOTICE_CHARS 128

/** look_notice() - "frozen, not provisioned, idle"; returns @out */
char *look_notice(const struct service *service, const struct look *look,
		  char out[static LOOK_NOTICE_CHARS]);

/** struct look_devices - devices of one resource; each a list for name_list_free(), or NULL */
struct look_devices {
	char **base;
	char **sub;
	char **exposed;
};
void look_devices_done(struct look_devices *devices);

/** look_at_devices() - what a resource lies on and offers; those that are not there are left out.
 * base: the disks at the bottom. Fails: COF_E_NOMEM, as the driver */
cof_result look_at_devices(struct service *service, const struct resource *resource,
			   struct look_devices *ret_devices, struct cof_error *err);

#endif
