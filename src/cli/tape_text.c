/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "parse.h"
#include "passphrase.h"
#include "tape_text.h"

cof_result tape_text_input(const struct cli_call *call, size_t index, struct slot_secret **ret_text,
			   struct cof_error *err)
{
	return keyfile_read(call->arg_count > index ? call->args[index] : "-", ret_text, err);
}

struct span tape_text_line(const struct slot_secret *text)
{
	struct span all = slot_secret_span(text);
	const uint8_t *end = memchr(all.data, '\n', all.len);

	if (end)
		all.len = (size_t)(end - all.data);
	return all;
}

cof_result tape_text_kek(const struct cli_call *call, struct slot_secret **ret_kek,
			 struct cof_error *err)
{
	const char *path = cli_value(call, "kek-file");

	*ret_kek = NULL;
	if (!path)
		return COF_OK;
	if (cli_flag(call, "bareos"))
		return passphrase_read(path, ret_kek, err);
	return keyfile_read(path, ret_kek, err);
}

cof_result tape_text_output(const struct cli_call *call, struct span secret, struct cof_error *err)
{
	const char *path = cli_find_offered(call->verb, "out") ? cli_value(call, "out") : NULL;

	if (path)
		return keyfile_write(path, secret, "", err);
	(void)fflush(stdout);
	TRY(fd_write_all(STDOUT_FILENO, secret, "standard output", err));
	if (isatty(STDOUT_FILENO))
		return fd_write_all(STDOUT_FILENO, SPAN("\n", 1), "terminal", err);
	return COF_OK;
}

cof_result tape_text_need_bareos(const struct cli_call *call, struct cof_error *err)
{
	char name[CLI_VERB_NAME_CHARS];

	if (cli_flag(call, "bareos"))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_USAGE, cli_verb_name(call->verb, name),
			     "needs to know whose form it is"));
	cof_error_try(err, "the same command with --bareos");
	return (cof_result){ COF_E_USAGE };
}
