/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_SHADOW_H
#define COF_VAULT_SHADOW_H

/*
 * The copy of a vault in a mirror, opened beside the vault.
 */

#include "audit_head.h"
#include "place.h"

/** struct shadow - a vault object for a copy, whose keys are borrowed: nothing of it but what is
 * opened here is its own */
struct shadow {
	struct vault vault;
	struct place place;
};

/** shadow_open() - open the copy at @folder; still locked, its epoch unknown.
 * Fails: COF_E_NOENT, COF_E_REFUSED (a link), COF_E_FORMAT, COF_E_IO */
cof_result shadow_open(const struct paths *paths, const char *folder, struct shadow **ret_shadow,
		       struct cof_error *err);
void shadow_free(struct shadow *shadow);
DEFINE_FREEP(struct shadow, shadow_freep, shadow_free)

/** shadow_check_rows() - that @vault, if its keys are here and of the copy's epoch, would have
 * written every row. Fails: COF_E_AUTH, COF_E_FORMAT */
cof_result shadow_check_rows(struct shadow *shadow, const struct vault *vault,
			     struct cof_error *err);
/** shadow_verify_log() - audit_verify_in() for the copy's audit log, and what its keystore knows;
 * with the keys of @vault, if they are here and of the copy's epoch. Fails: as audit_look() */
cof_result shadow_verify_log(struct shadow *shadow, const struct vault *vault,
			     struct audit_verdict *ret_verdict, struct cof_error *err);

#endif
