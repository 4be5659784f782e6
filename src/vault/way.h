/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_WAY_H
#define COF_VAULT_WAY_H

/*
 * How the files of unattended unlocking work together. Private to src/vault.
 */

#include "child.h"
#include "internal.h"
#include "unattended.h"

#define PROGRAM_CLEVIS	    "/usr/bin/clevis"
#define PROGRAM_CLEVIS_BIND "/usr/bin/clevis-luks-bind"
#define PROGRAM_CRYPTENROLL "/usr/bin/systemd-cryptenroll"

/* Of a secret that a program gives: our own bound; a keyslot takes 8 MiB. */
#define WAY_SECRET_MAX_BYTES 4096

/* Of what a tool says: our own bound. */
#define WAY_OUTPUT_MAX_BYTES 65536

/** way_environment - all that a program of the system gets: none of ours */
extern const char *const way_environment[];

/** ways_of() - vault_ways() of any header */
cof_result ways_of(const char *header_path, struct vault_way **ret_ways, size_t *ret_count,
		   struct cof_error *err);
/**
 * way_open() - the volume key, by asking what the method asks
 * @header_path: the vault's, or a copy of it
 * Fails: as vault_unlock_way()
 */
cof_result way_open(const struct vault *vault, const char *header_path, const struct vault_way *way,
		    const struct slot_secret *pin, struct volume_key **ret_key,
		    struct cof_error *err);
/** way_timeout_ms() - how long one method may take */
unsigned int way_timeout_ms(const struct paths *paths);
/** way_fetch() - what a program writes on its stdout, in locked memory; nothing at all is
 * COF_E_FAILED. Fails: as child_fetch() */
cof_result way_fetch(const struct child_spec *spec, struct slot_secret **ret_secret,
		     struct cof_error *err);
/** way_check_program() - that a program of a package is there. Fails: COF_E_UNSUPPORTED */
cof_result way_check_program(const char *program, const char *package, struct cof_error *err);

/** way_check_hardware() - that there is a TPM, or a FIDO2 token is plugged in.
 * Fails: COF_E_UNSUPPORTED, as child_fetch() */
cof_result way_check_hardware(bool tpm2, struct cof_error *err);

/** command_fetch() - what a command gives, checked to be one that this machine was told to run
 * @line: the command as a JSON array */
cof_result command_fetch(const struct vault *vault, const char *line,
			 struct slot_secret **ret_secret, struct cof_error *err);

#endif
