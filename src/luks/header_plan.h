/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_HEADER_PLAN_H
#define COF_LUKS_HEADER_PLAN_H

/*
 * What the makers of plans share. Private to src/luks.
 */

#include "luks_header.h"

/** luks_writes_add() - append a copy of @bytes. Fails: COF_E_NOMEM */
cof_result luks_writes_add(struct luks_writes *writes, uint64_t offset_bytes, struct span bytes,
			   const char *what, struct cof_error *err);

#endif
