/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_PASSPHRASE_H
#define COF_CRYPTO_PASSPHRASE_H

/*
 * Where passphrases come from: a terminal, a file, standard input, a systemd credential.
 */

#include "secret.h"

#define PASSPHRASE_MAX_BYTES 512	/* as systemd's and cryptsetup's prompts */
#define KEYFILE_MAX_BYTES (8u << 20)	/* cryptsetup's limit for key files: 8 MiB */

/**
 * passphrase_ask() - ask on the controlling terminal with echo off
 * @prompt: without the colon
 * @confirm: ask twice, fail with COF_E_USAGE if they differ
 *
 * The terminal's state comes back also after Ctrl-C, Ctrl-Z (then it asks again) and SIGTERM.
 * For a process whose other threads block these signals. Fails: COF_E_UNSUPPORTED (no terminal: the
 * remedy names --passphrase-file), COF_E_USAGE (empty, too long, or they differ), COF_E_FAILED
 * (a signal came that does not end the process), COF_E_IO, COF_E_NOMEM
 */
cof_result passphrase_ask(const char *prompt, bool confirm, struct slot_secret **ret_passphrase,
			  struct cof_error *err);

/**
 * passphrase_read() - the first line of a file, without its newline
 * @path: "-" is standard input; read byte by byte so that the next passphrase_read() of it finds
 *        the next line
 * Fails: COF_E_NOENT, COF_E_IO, COF_E_USAGE (empty, or over PASSPHRASE_MAX_BYTES), COF_E_NOMEM
 */
cof_result passphrase_read(const char *path, struct slot_secret **ret_passphrase,
			   struct cof_error *err);

/**
 * passphrase_from_credential() - the first line of a credential that systemd gave to this service
 * @name: in the folder that $CREDENTIALS_DIRECTORY names (systemd.exec(5), LoadCredential=)
 * @ret_found: false when there is no such folder or credential; then @ret_passphrase is not set
 * Fails: COF_E_IO, COF_E_USAGE (@name is a path; empty, or too long), COF_E_NOMEM
 */
cof_result passphrase_from_credential(const char *name, struct slot_secret **ret_passphrase,
				      bool *ret_found, struct cof_error *err);

/**
 * keyfile_read() - the whole content of a key file, newlines included
 * @path: "-" is standard input
 * Fails: COF_E_NOENT, COF_E_IO, COF_E_USAGE (empty, over KEYFILE_MAX_BYTES), COF_E_NOMEM
 */
cof_result keyfile_read(const char *path, struct slot_secret **ret_key, struct cof_error *err);

/**
 * keyfile_write() - a new file of mode 0600, durable, that must not exist
 * @end: bytes after the secret, "\n" or ""
 * Fails: COF_E_REFUSED (exists), COF_E_IO, COF_E_NOSPC, COF_E_NOENT (no such folder), COF_E_NOMEM
 */
cof_result keyfile_write(const char *path, struct span secret, const char *end,
			 struct cof_error *err);

#endif
