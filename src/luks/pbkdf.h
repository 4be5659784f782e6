/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_PBKDF_H
#define COF_LUKS_PBKDF_H

/*
 * How dear the next keyslot or digest is made. Private to src/luks.
 */

#include "context.h"

/**
 * pbkdf_set() - choose the PBKDF of what @context writes next
 *
 * LUKS1 knows pbkdf2 alone, so LUKS_COST_PEOPLE is pbkdf2 of the same 2 s there.
 * Fails: COF_E_FAILED
 */
cof_result pbkdf_set(struct luks_context *context, enum luks_cost cost, struct cof_error *err);

#endif
