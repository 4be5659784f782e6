/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_TAPE_TEXT_H
#define COF_CLI_TAPE_TEXT_H

/*
 * What the verbs on keys and caches of other programs share: secrets in from a file or standard
 * input, and out where the user asked for just that.
 */

#include "cli.h"
#include "secret.h"

/* The options of verbs that read or write what belongs to Bareos. */
#define TAPE_BAREOS_OPTION                                                                         \
	{                                                                                          \
		"bareos", CLI_FLAG, NULL,                                                          \
			"in the form of Bareos, of whose KEK 16 characters count"                  \
	}
#define TAPE_KEK_OPTION                                                                            \
	{                                                                                          \
		"kek-file", CLI_FILE, "FILE",                                                      \
			"the key encryption key: the first line of FILE, or without --bareos its " \
			"16, 24 or 32 bytes"                                                       \
	}

/** tape_text_input() - all of the file that the argument at @index names, or of standard input.
 * Fails: as keyfile_read() */
cof_result tape_text_input(const struct cli_call *call, size_t index, struct slot_secret **ret_text,
			   struct cof_error *err);

/** tape_text_line() - the first line of a text, without its newline; borrowed */
struct span tape_text_line(const struct slot_secret *text);

/** tape_text_kek() - what --kek-file has; NULL where it was not given. Fails: as
 * passphrase_read() and keyfile_read() */
cof_result tape_text_kek(const struct cli_call *call, struct slot_secret **ret_kek,
			 struct cof_error *err);

/** tape_text_output() - a secret to the new file of --out, where the verb has it and it was given,
 * else to standard output: with a newline on a terminal alone.
 * Fails: as keyfile_write(); COF_E_IO */
cof_result tape_text_output(const struct cli_call *call, struct span secret, struct cof_error *err);

/** tape_text_need_bareos() - that --bareos was given, the only form that the verb knows.
 * Fails: COF_E_USAGE */
cof_result tape_text_need_bareos(const struct cli_call *call, struct cof_error *err);

#endif
