/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_SERVICE_PATH_H
#define COF_STACK_SERVICE_PATH_H

/*
 * Names of services and of their secrets: NAMESPACE/KIND/NAME, pure.
 */

#include "result.h"

#define SERVICE_PART_CHARS 64 /* with the NUL: of a namespace or a name */
#define SERVICE_PATH_CHARS 144

/** struct service_path - one object */
struct service_path {
	char ns[SERVICE_PART_CHARS];
	char kind[8]; /* "svc" or "sec" */
	char name[SERVICE_PART_CHARS];
};

/**
 * service_path_parse() - "demo/svc/web"; "svc/web" and "web" are in the namespace "root"
 * @kind: which kind it must be, "svc" or "sec"
 *
 * A namespace and a name are 1 to 63 letters, digits and "._-", and begin with a letter or a digit.
 * Fails: COF_E_USAGE
 */
cof_result service_path_parse(const char *text, const char *kind, struct service_path *ret_path,
			      struct cof_error *err);

/** service_path_format() - "demo/svc/web"; returns @out */
char *service_path_format(const struct service_path *path, char out[static SERVICE_PATH_CHARS]);

/** service_part_is_allowed() - whether @text may be a namespace, a name, or a secret's key */
bool service_part_is_allowed(const char *text, size_t max_chars);

#endif
