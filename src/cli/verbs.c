/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All verbs, in the order of the manual.
 */

#include "verbs.h"

const struct cli_verb *const cli_verbs[] = {
	&cli_verb_init,
	&cli_verb_unlock,
	&cli_verb_lock,
	&cli_verb_status,
	&cli_verb_audit,
	&cli_verb_slots,
	&cli_verb_enroll_passphrase,
	&cli_verb_enroll_recovery,
	&cli_verb_enroll_file,
	&cli_verb_passwd,
	&cli_verb_revoke,
	&cli_verb_key_list,
	&cli_verb_key_show,
	&cli_verb_key_export,
	&cli_verb_key_history,
	&cli_verb_key_rotate,
	&cli_verb_backup_create,
	&cli_verb_backup_verify,
	&cli_verb_backup_restore,
	&cli_verb_drill,
	&cli_verb_disk_list,
	&cli_verb_disk_format,
	&cli_verb_disk_adopt,
	&cli_verb_disk_open,
	&cli_verb_disk_close,
	&cli_verb_disk_destroy,
	&cli_verb_disk_status,
	&cli_verb_disk_header_check,
	&cli_verb_disk_header_backup,
	&cli_verb_disk_header_restore,
	&cli_verb_disk_header_repair,
	&cli_verb_disk_repair_crypttab,
	&cli_verb_swap_encrypt,
	&cli_verb_swap_status,
	&cli_verb_help,
	&cli_verb_completion,
	&cli_verb_agent,
	&cli_verb_key_server,
	&cli_verb_engine_serve,
	NULL,
};
