/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_VERBS_H
#define COF_CLI_VERBS_H

/*
 * The table of each verb, defined in the file that runs it. A new verb is one line here and one
 * in verbs.c.
 */

#include "cli.h"

extern const struct cli_verb cli_verb_init;
extern const struct cli_verb cli_verb_unlock;
extern const struct cli_verb cli_verb_lock;
extern const struct cli_verb cli_verb_status;
extern const struct cli_verb cli_verb_start;
extern const struct cli_verb cli_verb_stop;
extern const struct cli_verb cli_verb_doctor;
extern const struct cli_verb cli_verb_audit;
extern const struct cli_verb cli_verb_slots;
extern const struct cli_verb cli_verb_enroll_passphrase;
extern const struct cli_verb cli_verb_enroll_recovery;
extern const struct cli_verb cli_verb_enroll_file;
extern const struct cli_verb cli_verb_enroll_tpm2;
extern const struct cli_verb cli_verb_enroll_fido2;
extern const struct cli_verb cli_verb_enroll_tang;
extern const struct cli_verb cli_verb_enroll_command;
extern const struct cli_verb cli_verb_passwd;
extern const struct cli_verb cli_verb_revoke;
extern const struct cli_verb cli_verb_key_list;
extern const struct cli_verb cli_verb_key_show;
extern const struct cli_verb cli_verb_key_export;
extern const struct cli_verb cli_verb_key_history;
extern const struct cli_verb cli_verb_key_rotate;
extern const struct cli_verb cli_verb_key_relocate;
extern const struct cli_verb cli_verb_backup_create;
extern const struct cli_verb cli_verb_backup_verify;
extern const struct cli_verb cli_verb_backup_restore;
extern const struct cli_verb cli_verb_drill;
extern const struct cli_verb cli_verb_disk_list;
extern const struct cli_verb cli_verb_disk_format;
extern const struct cli_verb cli_verb_disk_adopt;
extern const struct cli_verb cli_verb_disk_encrypt;
extern const struct cli_verb cli_verb_disk_rekey;
extern const struct cli_verb cli_verb_disk_decrypt;
extern const struct cli_verb cli_verb_disk_open;
extern const struct cli_verb cli_verb_disk_close;
extern const struct cli_verb cli_verb_disk_destroy;
extern const struct cli_verb cli_verb_disk_status;
extern const struct cli_verb cli_verb_disk_header_check;
extern const struct cli_verb cli_verb_disk_header_backup;
extern const struct cli_verb cli_verb_disk_header_restore;
extern const struct cli_verb cli_verb_disk_header_repair;
extern const struct cli_verb cli_verb_disk_repair_crypttab;
extern const struct cli_verb cli_verb_disk_bench;
extern const struct cli_verb cli_verb_disk_tune;
extern const struct cli_verb cli_verb_swap_encrypt;
extern const struct cli_verb cli_verb_swap_status;
extern const struct cli_verb cli_verb_boot_add;
extern const struct cli_verb cli_verb_boot_remove;
extern const struct cli_verb cli_verb_boot_list;
extern const struct cli_verb cli_verb_boot_status;
extern const struct cli_verb cli_verb_tape_list;
extern const struct cli_verb cli_verb_tape_status;
extern const struct cli_verb cli_verb_tape_next;
extern const struct cli_verb cli_verb_tape_which_key;
extern const struct cli_verb cli_verb_tape_label;
extern const struct cli_verb cli_verb_tape_load;
extern const struct cli_verb cli_verb_tape_clear;
extern const struct cli_verb cli_verb_tape_run;
extern const struct cli_verb cli_verb_tape_explain;
extern const struct cli_verb cli_verb_tape_mtx_changer;
extern const struct cli_verb cli_verb_tape_key_generate;
extern const struct cli_verb cli_verb_tape_key_wrap;
extern const struct cli_verb cli_verb_tape_key_unwrap;
extern const struct cli_verb cli_verb_tape_key_base64;
extern const struct cli_verb cli_verb_tape_cache_dump;
extern const struct cli_verb cli_verb_tape_cache_populate;
extern const struct cli_verb cli_verb_tape_cache_update;
extern const struct cli_verb cli_verb_tape_cache_reset;
extern const struct cli_verb cli_verb_tape_cache_export;
extern const struct cli_verb cli_verb_import_quantastor;
extern const struct cli_verb cli_verb_import_bareos;
extern const struct cli_verb cli_verb_store_create;
extern const struct cli_verb cli_verb_store_put;
extern const struct cli_verb cli_verb_store_get;
extern const struct cli_verb cli_verb_store_list;
extern const struct cli_verb cli_verb_store_show;
extern const struct cli_verb cli_verb_store_remove;
extern const struct cli_verb cli_verb_store_stats;
extern const struct cli_verb cli_verb_store_keys;
extern const struct cli_verb cli_verb_store_verify;
extern const struct cli_verb cli_verb_service_create;
extern const struct cli_verb cli_verb_service_provision;
extern const struct cli_verb cli_verb_service_start;
extern const struct cli_verb cli_verb_service_stop;
extern const struct cli_verb cli_verb_service_restart;
extern const struct cli_verb cli_verb_service_status;
extern const struct cli_verb cli_verb_service_devs;
extern const struct cli_verb cli_verb_service_list;
extern const struct cli_verb cli_verb_service_unprovision;
extern const struct cli_verb cli_verb_service_purge;
extern const struct cli_verb cli_verb_service_freeze;
extern const struct cli_verb cli_verb_service_thaw;
extern const struct cli_verb cli_verb_service_log;
extern const struct cli_verb cli_verb_secret_create;
extern const struct cli_verb cli_verb_secret_add;
extern const struct cli_verb cli_verb_secret_change;
extern const struct cli_verb cli_verb_secret_keys;
extern const struct cli_verb cli_verb_secret_decode;
extern const struct cli_verb cli_verb_secret_remove;
extern const struct cli_verb cli_verb_secret_restore;
extern const struct cli_verb cli_verb_help;
extern const struct cli_verb cli_verb_completion;
extern const struct cli_verb cli_verb_agent;
extern const struct cli_verb cli_verb_key_server;
extern const struct cli_verb cli_verb_engine_serve;
extern const struct cli_verb cli_verb_token_key;

#endif
