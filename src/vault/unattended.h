/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_UNATTENDED_H
#define COF_VAULT_UNATTENDED_H

/*
 * Unlock methods that need nobody who knows a secret: the machine's TPM, a Tang server, a program
 * that fetches the secret, a FIDO2 token. They are enrolled with the system's own tools, and opened
 * by programs that run as children. doc/decisions/unattended.md says why.
 */

#include "vault.h"

/** enum vault_way_kind - how the secret of a keyslot is come by, in the order of trying */
enum vault_way_kind {
	VAULT_WAY_NONE, /* a person has it */
	VAULT_WAY_TPM2,
	VAULT_WAY_CLEVIS,
	VAULT_WAY_COMMAND,
	VAULT_WAY_FIDO2,
};

/**
 * struct vault_way - one such method of a vault
 * @method, @detail: as in struct vault_slot
 * @asks_pin: a person must give a PIN
 */
struct vault_way {
	enum vault_way_kind kind;
	int slot;
	int token;
	bool asks_pin;
	char method[24];
	char detail[VAULT_DETAIL_BYTES];
};

/** vault_ways() - in the order in which they are to be tried; works on a locked vault.
 * @ret_ways: caller frees */
cof_result vault_ways(struct vault *vault, struct vault_way **ret_ways, size_t *ret_count,
		      struct cof_error *err);

/**
 * vault_unlock_way() - unlock with one of them
 * @pin: NULL for none
 * Takes at most the time that coffer.conf gives it. Fails: COF_E_UNSUPPORTED (a program or device
 * is missing; the remedy names the package), COF_E_KEY (it opens nothing), COF_E_LOCKED (it asks
 * for a PIN), COF_E_REFUSED (a command
 * that others may change, or that this machine was never told to run), COF_E_FAILED (server away,
 * time-out), as vault_unlock()
 */
cof_result vault_unlock_way(struct vault *vault, const struct vault_way *way,
			    const struct slot_secret *pin, struct cof_error *err);

/**
 * vault_enroll_command() - a program whose output opens the vault
 * @command:  NULL-terminated; the first is an absolute path
 * @label:    may be NULL
 * @ret_slot: as vault_enroll()
 *
 * Runs it twice: what it gives must be the same. Fails: as vault_enroll(); COF_E_USAGE (no absolute
 * path; too long), COF_E_REFUSED (others may change the program; it gives too little, or something
 * else each time), COF_E_FORMAT (it gives too much), COF_E_FAILED (it fails, or takes too long)
 */
cof_result vault_enroll_command(struct vault *vault, const struct slot_secret *existing,
				const char *const command[], const char *label, bool fips,
				int *ret_slot, struct cof_error *err);

/**
 * struct vault_tool - what a tool of the system is to enrol
 * @kind:       VAULT_WAY_TPM2, VAULT_WAY_CLEVIS (Tang) or VAULT_WAY_FIDO2
 * @url:        Tang: of the server
 * @thumbprint: Tang: of a key with which the server signs
 * @pcrs:       TPM2: "7+11"
 */
struct vault_tool {
	enum vault_way_kind kind;
	const char *url;
	const char *thumbprint;
	const char *pcrs;
};

/** vault_check_tool() - that the programs it takes are installed. Fails: COF_E_UNSUPPORTED (the
 * remedy names the package) */
cof_result vault_check_tool(const struct vault_tool *tool, struct cof_error *err);

/**
 * vault_enroll_tool() - one more unlock method through systemd-cryptenroll or clevis
 *
 * The tool works on a copy of the header and gets the secret of a keyslot that only the copy has.
 * The copy takes the header's place once nothing but one keyslot and its token was added, and that
 * keyslot has opened with the new method. A method that opens the vault already is not added again.
 * Fault points "enroll/...". Fails: as vault_enroll() and vault_unlock_way(); COF_E_AUTH (the tool
 * did something else), COF_E_CONFLICT (somebody changed the header meanwhile)
 */
cof_result vault_enroll_tool(struct vault *vault, const struct slot_secret *existing,
			     const struct vault_tool *tool, int *ret_slot, struct cof_error *err);

#define TANG_KEYS_MAX	      8
#define TANG_THUMBPRINT_BYTES 44

/**
 * tang_look() - the thumbprints of the keys with which a Tang server signs, not believed yet
 * Fails: COF_E_UNSUPPORTED (clevis is not installed), COF_E_FAILED (no answer)
 */
cof_result tang_look(const struct paths *paths, const char *url,
		     char thumbprints[static TANG_KEYS_MAX][TANG_THUMBPRINT_BYTES],
		     size_t *ret_count, struct cof_error *err);

#endif
