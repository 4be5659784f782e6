/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_MIRROR_CHECK_H
#define COF_VAULT_MIRROR_CHECK_H

/*
 * Whether the copy in a mirror is what was written there. doc/format-vault.md, section 6.
 */

#include "internal.h"

#define MIRROR_DAMAGE_CHARS 256

/**
 * mirror_glance() - look at the copy's keystore, reading no more than a few rows
 * @folder:     of the copy
 * @ret_same:   its revision and its copy of the header are the vault's
 * @ret_damage: why it cannot be read, or ""; a copy that has no keystore is not damaged
 */
void mirror_glance(struct vault *vault, const char *folder, bool *ret_same,
		   char ret_damage[static MIRROR_DAMAGE_CHARS]);
/** mirror_damage() - what is known to be damaged in a mirror's copy: what vault_check_mirrors() has
 * found, or what a glance shows; "" for nothing. @ret_same: as mirror_glance() */
void mirror_damage(struct vault *vault, const char *mirror, const char *folder, bool *ret_same,
		   char ret_damage[static MIRROR_DAMAGE_CHARS]);

#endif
