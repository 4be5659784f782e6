/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_AUDIT_HEAD_H
#define COF_VAULT_AUDIT_HEAD_H

/*
 * The audit log as the vault's other files see it: what the keystore knows of it, and its end.
 */

#include "audit.h"
#include "internal.h"

#define ROW_AUDIT "audit/head"

/** audit_note_slot() - that the keyslot @slot was used or made */
void audit_note_slot(struct vault *vault, const char *event, int slot);
/** audit_finish() - seal what this vault wrote, before its keys go. Never fails */
void audit_finish(struct vault *vault);
/**
 * audit_head_put() - seal the log and have @edit's transaction note how far it goes
 * @vault: unlocked with the keys before the transaction
 *
 * A log that does not hold the line which was noted before, or that cannot be written, leaves the
 * note as it is. Fails: as index_edit_put() - never because of the log
 */
cof_result audit_head_put(struct vault *vault, struct index_edit *edit, struct change_set *set,
			  struct cof_error *err);
/** audit_head_get() - what the keystore notes. Fails: COF_E_AUTH, COF_E_FORMAT, COF_E_LOCKED */
cof_result audit_head_get(struct vault *vault, uint64_t *ret_seq, struct audit_chain *ret_chain,
			  bool *ret_found, struct cof_error *err);
/** audit_verify_in() - the log in @folder, of a locked vault as well; the log's lock is held, or
 * nobody writes there. Fails: as audit_look() */
cof_result audit_verify_in(struct vault *vault, const char *folder,
			   struct audit_verdict *ret_verdict, struct cof_error *err);
/**
 * audit_copy() - bring a copy of the log, in the folder @to, up to date
 *
 * A copy that the log goes on from is replaced. Any other one, and a file that the log has no more,
 * is kept: beside the new one as NAME.newer-DATE, or, where the log itself is damaged, in its
 * place; that is audit_take_problem()'s. Fails: COF_E_NOSPC, COF_E_IO, COF_E_BUSY
 */
cof_result audit_copy(struct vault *vault, const char *to, struct cof_error *err);
/** audit_new_vault() - set the log of an earlier vault in this folder aside */
void audit_new_vault(struct vault *vault);
/** audit_problem() - keep a failure for audit_take_problem() */
void audit_problem(const struct cof_error *problem);
/** audit_seal_log() - seal and make durable, and say how far the log goes.
 * @ret_any: there is a log */
cof_result audit_seal_log(struct vault *vault, uint64_t *ret_seq, struct audit_chain *ret_chain,
			  bool *ret_any, struct cof_error *err);

#endif
