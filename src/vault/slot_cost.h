/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_SLOT_COST_H
#define COF_VAULT_SLOT_COST_H

#include "luks.h"
#include "vault.h"

/** slot_cost() - how dear guessing the secret of a method is made */
enum luks_cost slot_cost(enum vault_method method, bool strong, bool fips);

#endif
