/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_HEADER_PLAN_H
#define COF_LUKS_HEADER_PLAN_H

/*
 * What the makers of plans share. Private to src/luks.
 */

#include "header_area.h"

/** struct header_areas - both places of one device */
struct header_areas {
	struct header_area first;
	struct header_area second;
};
void header_areas_done(struct header_areas *areas);

/** header_areas_read() - read and judge both; caller runs header_areas_done(). Fails: COF_E_NOENT,
 * COF_E_IO, COF_E_NOMEM */
cof_result header_areas_read(const char *device, struct header_areas *ret_areas,
			     struct cof_error *err);

/** luks_writes_add() - append a copy of @bytes. Fails: COF_E_NOMEM */
cof_result luks_writes_add(struct luks_writes *writes, uint64_t offset_bytes, struct span bytes,
			   const char *what, struct cof_error *err);

#endif
