/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_UNLOCKING_H
#define COF_CLI_UNLOCKING_H

/*
 * How a verb gets at the vault, and where the secrets it needs come from.
 */

#include "cli.h"
#include "vault.h"

/* The options of every verb that unlocks the vault; entries of its list of options. */
#define CLI_PASSPHRASE_OPTION                                                                      \
	{                                                                                          \
		"passphrase-file", CLI_FILE, "FILE",                                               \
			"take the vault's passphrase or recovery key from the first line of "      \
			"FILE; - is standard "                                                     \
			"input"                                                                    \
	}
#define CLI_KEY_FILE_OPTION                                                                        \
	{                                                                                          \
		"key-file", CLI_FILE, "FILE", "unlock the vault with the whole content of FILE"    \
	}
#define CLI_UNLOCK_OPTIONS CLI_PASSPHRASE_OPTION, CLI_KEY_FILE_OPTION

/* The option of a verb that takes the secret of a disk as --passphrase-file. */
#define CLI_VAULT_PASSPHRASE "vault-passphrase-file"
#define CLI_VAULT_PASSPHRASE_OPTION                                                                \
	{                                                                                          \
		CLI_VAULT_PASSPHRASE, CLI_FILE, "FILE",                                            \
			"take the vault's own passphrase or recovery key from the first line of "  \
			"FILE"                                                                     \
	}

/* The options of every verb that makes a new passphrase or recovery key. */
#define CLI_NEW_PASSPHRASE_OPTION                                                                  \
	{                                                                                          \
		"new-passphrase-file", CLI_FILE, "FILE",                                           \
			"take the new passphrase from the first line of FILE, or from the next "   \
			"line of "                                                                 \
			"standard input for -"                                                     \
	}
#define CLI_RECOVERY_OPTIONS                                                                       \
	{ "recovery-out", CLI_FILE, "FILE",                                                        \
	  "write the recovery key to FILE with mode 0600, which must be kept elsewhere" },         \
	{                                                                                          \
		"no-recovery", CLI_FLAG, NULL, "make no recovery key"                              \
	}
#define CLI_FIPS_OPTION                                                                            \
	{                                                                                          \
		"fips", CLI_FLAG, NULL, "harden passphrases with PBKDF2 alone, without Argon2"     \
	}

#define CLI_TRIES 3 /* to type a passphrase, as login(1) and sudo(8) have it */

/** cli_credential - the systemd credential that holds the vault's passphrase */
#define CLI_CREDENTIAL "coffer.passphrase"

/** cli_check_folder() - the vault's place may be a folder. Fails: COF_E_USAGE (it is a file) */
cof_result cli_check_folder(const struct cli_call *call, struct cof_error *err);

/** cli_raise_absent() - that no vault is there. Fails always: COF_E_NOENT, COF_E_USAGE (a file) */
cof_result cli_raise_absent(const struct cli_call *call, struct cof_error *err);

/**
 * cli_open_vault() - open the vault of this run
 * @unlocked: unlock it too: with --passphrase-file or --key-file where the verb has them and they
 *            were given, else through the agent, else with the systemd credential, else by asking
 *            on the terminal (three times)
 * Fails: as vault_open() and vault_unlock(); COF_E_LOCKED (nobody to ask: names the ways); as
 * cli_raise_absent()
 */
cof_result cli_open_vault(struct cli_call *call, bool unlocked, struct vault **ret_vault,
			  struct cof_error *err);

/** cli_vault_for_closing() - the vault for what closes disks, unlocked where that needs no
 * question; NULL when there is none. With --force a vault that is damaged keeps no disk open; the
 * verb has --passphrase-file and --force. Fails: as cli_open_vault() */
cof_result cli_vault_for_closing(struct cli_call *call, struct vault **ret_vault,
				 struct cof_error *err);

/** cli_give() - hand the root key of an unlocked vault to the agent, and write that into the audit
 * log. Fails: as agent_give() */
cof_result cli_give(const struct cli_call *call, struct vault *vault, uint64_t limit_seconds,
		    struct cof_error *err);
/** cli_lock() - have the agent wipe the root key, and write that into the audit log.
 * Fails: as agent_lock() */
cof_result cli_lock(struct cli_call *call, bool *ret_was_unlocked, struct cof_error *err);

/** cli_vault_by_agent() - the vault of this run, if there is one and the agent holds its key;
 * nobody is asked. @ret_vault: set when this returns true; caller owns */
bool cli_vault_by_agent(const struct cli_call *call, struct vault **ret_vault);

/**
 * cli_ask_existing() - a secret that opens the vault now, proven by unlocking @vault with it
 * @vault: open and locked
 * Where it comes from is as above, but for the agent, which never gives the root key out.
 * Fails: as vault_unlock(); COF_E_LOCKED (nobody to ask)
 */
cof_result cli_ask_existing(struct cli_call *call, struct vault *vault,
			    struct slot_secret **ret_existing, struct cof_error *err);

/** cli_try - try to open something with a secret. Fails: COF_E_KEY (it is a wrong one) */
typedef cof_result (*cli_try)(const struct slot_secret *secret, void *context,
			      struct cof_error *err);

/** cli_secret_is_given() - whether the command line names the vault's secret */
bool cli_secret_is_given(const struct cli_call *call);

/**
 * cli_open_with() - something that the vault's secrets open: with that of --passphrase-file or
 * --key-file, else with the systemd credential, else by asking on the terminal (three times)
 * @subject: what the question names
 * Fails: as @try; COF_E_LOCKED (nobody to ask)
 */
cof_result cli_open_with(const struct cli_call *call, const char *subject, cli_try try,
			 void *context, struct slot_secret **ret_secret, struct cof_error *err);

/**
 * cli_unlock_somehow() - unlock with what the command line names; else with a method that needs
 * nobody, one after the other; else by asking a person
 * @vault: open and locked
 *
 * --method NAME: with methods of that name alone; --no-unattended: with none. What did not open is
 * said on stderr. Fails: as cli_ask_existing() and vault_unlock_way(); COF_E_USAGE (options that do
 * not go together), COF_E_NOENT (no method of that name)
 */
cof_result cli_unlock_somehow(struct cli_call *call, struct vault *vault, struct cof_error *err);

/**
 * cli_is_given() - whether the command line names a secret of the vault
 */
bool cli_is_given(const struct cli_call *call);

/** cli_show_slot() - answers with a new unlock method, or that nothing was @changed */
void cli_show_slot(struct cli_call *call, int slot, bool changed);

/** CLI_LABEL_OPTION - of every verb that adds an unlock method with a token of ours */
#define CLI_LABEL_OPTION                                                                           \
	{                                                                                          \
		"label", CLI_TEXT, "TEXT", "a name by which `coffer slots` shows the method"       \
	}

/**
 * cli_ask_new() - a new passphrase, from the file that @option names or typed twice
 * A weak one is warned of: a person is asked whether to take it, a script goes on.
 * Fails: COF_E_USAGE (empty, or three times not the same), COF_E_UNSUPPORTED (no terminal; the
 * remedy names @option), COF_E_REFUSED (the question was not answered)
 */
cof_result cli_ask_new(struct cli_call *call, const char *option,
		       struct slot_secret **ret_passphrase, struct cof_error *err);

/**
 * cli_check_recovery() - what CLI_RECOVERY_OPTIONS say can be done; before anything is asked
 * Fails: COF_E_USAGE (both options), COF_E_REFUSED (a place in the vault; no terminal, no option)
 */
cof_result cli_check_recovery(const struct cli_call *call, struct cof_error *err);

/** cli_new_recovery() - a new recovery key that the user has before anything depends on it
 * @file: where it goes, durable when this returns, or NULL: shown on the terminal. A recovery key
 *        that is in @file already is used, so that a run after a crash converges
 * @ret_reused: it was in the file
 * Fails: COF_E_REFUSED (the file holds something else; no terminal), COF_E_IO, COF_E_NOSPC
 */
cof_result cli_new_recovery(struct cli_call *call, const char *file,
			    struct slot_secret **ret_recovery, bool *ret_reused,
			    struct cof_error *err);

/** cli_opens() - whether @secret opens the vault of this run, which is opened afresh for that */
cof_result cli_opens(struct cli_call *call, const struct slot_secret *secret, bool *ret_opens,
		     struct cof_error *err);

/** cli_is_fips() - --fips was given, or none of the vault's slots for people uses Argon2 */
cof_result cli_is_fips(struct cli_call *call, struct vault *vault, bool *ret_fips,
		       struct cof_error *err);

/**
 * cli_ask_exchange() - a secret that opens the vault now, and the new passphrase (passwd.c)
 * @ret_done: after a crash the old one may open nothing any more while the new one does: the new
 *            one has taken effect already, and @ret_existing is not set
 * Fails: as cli_ask_existing() and cli_ask_new(); COF_E_USAGE (they are the same)
 */
cof_result cli_ask_exchange(struct cli_call *call, struct vault *vault,
			    struct slot_secret **ret_existing, struct slot_secret **ret_new,
			    bool *ret_done, struct cof_error *err);

/** cli_show_changed() - answers {"vault":{"folder","changed"}} (passwd.c) */
void cli_show_changed(struct cli_call *call, bool changed);

/** cli_check_given() - that the secrets named on the command line can be read, for dry runs;
 * standard input is left alone. Fails: COF_E_USAGE, COF_E_NOENT, COF_E_IO */
cof_result cli_check_given(const struct cli_call *call, struct cof_error *err);

/** cli_warn_readable() - notice where a key file is for others than its owner as well; - and what
 * is no regular file is passed over */
void cli_warn_readable(const struct cli_call *call, const char *key_file);

/** cli_uuid_format() - a vault's UUID as text; returns @out */
char *cli_uuid_format(const uint8_t uuid[static VAULT_UUID_BYTES], char out[static 37]);

#endif
