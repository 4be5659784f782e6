/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands that fetch a keyslot's secret. Nothing authenticates a header, and one may come out of a
 * mirror or a backup: so a command in it is run only if this machine was told to, which a list in
 * the vault's folder says that goes to no mirror.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fault.h"
#include "kdf.h"
#include "number.h"
#include "way.h"

#define ALLOWED_FILE	  "commands.allowed"
#define ALLOWED_MAX_BYTES 65536
#define DIGEST_CHARS	  (2 * SHA256_BYTES)

/* What is shorter could be guessed; the same bound as keys of 128 bits have. */
#define SECRET_MIN_BYTES 16

/* ---- the program ---- */

/* Refuses a folder in which somebody else may replace what root runs. */
static cof_result check_place(const char *path, struct cof_error *err)
{
	_cleanup_free_ char *folder = strdup(path);
	bool first = true;

	ENSURE(folder, err, COF_E_NOMEM, path, "no memory left");
	for (char *slash = strrchr(folder, '/'); slash; slash = strrchr(folder, '/')) {
		const char *name = slash == folder ? "/" : folder;
		struct stat status;

		*slash = '\0';
		if (stat(name, &status) < 0)
			return cof_raise_errno(err, errno, name, "cannot be examined");
		/* The sticky bit keeps others from what is root's, not from adding to it. */
		if (first || (status.st_mode & S_ISVTX) == 0)
			TRY(folder_check_private(name, err));
		first = false;
	}
	return COF_OK;
}

/* Refuses a program that somebody else than root could change. */
static cof_result check_program(const char *program, struct cof_error *err)
{
	_cleanup_free_ char *real = NULL;
	struct stat status;

	ENSURE(program[0] == '/', err, COF_E_USAGE, program, "is no absolute path");
	real = realpath(program, NULL);
	if (!real || stat(real, &status) < 0)
		return cof_raise_errno(err, errno, program, "cannot be run");
	ENSURE(S_ISREG(status.st_mode) && access(real, X_OK) == 0, err, COF_E_REFUSED, program,
	       "is no program");
	if ((status.st_uid != 0 && status.st_uid != geteuid()) ||
	    (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		cof_result failure =
			cof_raise(err, COF_E_REFUSED, program,
				  "belongs to user %u with mode %04o: others than root can change "
				  "it",
				  status.st_uid, status.st_mode & 07777);

		cof_error_try(err, "chown root %s; chmod go-w %s", program, program);
		return failure;
	}
	/* Of a link, both the place where it is and the one to which it leads. */
	TRY(check_place(program, err));
	return check_place(real, err);
}

/* ---- the list of what was allowed ---- */

/* The path of the list; caller frees. */
static cof_result allowed_path(const struct vault *vault, char **ret_path, struct cof_error *err)
{
	return path_format(ret_path, err, "%s/" ALLOWED_FILE, vault->paths->vault_dir);
}

/* The line that allows a command. */
static cof_result allowed_line(const char *command, char out[DIGEST_CHARS + 2],
			       struct cof_error *err)
{
	uint8_t digest[SHA256_BYTES];

	TRY(sha256(span_of_text(command), digest, err));
	(void)hex_format(digest, sizeof(digest), out);
	out[DIGEST_CHARS] = '\n';
	out[DIGEST_CHARS + 1] = '\0';
	return COF_OK;
}

/* Whether a command is on the list, which is read into @list. */
static cof_result is_allowed(const struct vault *vault, const char *line, struct buffer *list,
			     bool *ret_allowed, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	*ret_allowed = false;
	TRY(allowed_path(vault, &path, err));
	if (!path_exists(path))
		return COF_OK;
	TRY(file_read_plain(path, ALLOWED_MAX_BYTES, list, err));
	*ret_allowed = strstr((const char *)list->data, line) != NULL;
	return COF_OK;
}

/* Puts a command on the list. */
static cof_result allow(const struct vault *vault, const char *command, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer list = { 0 };
	_cleanup_free_ char *path = NULL;
	char line[DIGEST_CHARS + 2];
	bool allowed;

	TRY(allowed_line(command, line, err));
	TRY(is_allowed(vault, line, &list, &allowed, err));
	if (!allowed) {
		TRY(allowed_path(vault, &path, err));
		TRY(buffer_add_text(&list, err, "%s", line));
		TRY(file_replace(path, buffer_span(&list), 0600, err));
	}
	return fault_point("enroll/command-allowed", err);
}

/* ---- what it gives ---- */

/* Runs a command. */
static cof_result run(const struct vault *vault, const char *const command[],
		      struct slot_secret **ret_secret, struct cof_error *err)
{
	struct child_spec spec = { .argv = command,
				   .environment = way_environment,
				   .apart = true,
				   .timeout_ms = way_timeout_ms(vault->paths) };

	TRY(check_program(command[0], err));
	return way_fetch(&spec, ret_secret, err);
}

/* The words of a command, as execve() takes them; caller frees the array, @json owns the words. */
static cof_result words_of(const struct json *json, const char ***ret_words, struct cof_error *err)
{
	size_t count = json_length(json);
	const char **words = calloc(count + 1, sizeof(*words));

	ENSURE(words, err, COF_E_NOMEM, NULL, "no memory for a command");
	for (size_t i = 0; i < count; i++)
		words[i] = json_text(json_at(json, i));
	*ret_words = words;
	return COF_OK;
}

cof_result command_fetch(const struct vault *vault, const char *line,
			 struct slot_secret **ret_secret, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer list = { 0 };
	_cleanup_json_ struct json *json = NULL;
	_cleanup_free_ const char **words = NULL;
	char digest[DIGEST_CHARS + 2];
	bool allowed;

	TRY(allowed_line(line, digest, err));
	TRY(is_allowed(vault, digest, &list, &allowed, err));
	TRY(json_parse(span_of_text(line), "command", &json, err));
	TRY(words_of(json, &words, err));
	if (!allowed) {
		cof_result failure =
			cof_raise(err, COF_E_REFUSED, words[0],
				  "the header names this command, but this machine was never told "
				  "to run it");

		cof_error_cause(err, "a header that somebody changed, or that came out of a mirror "
				     "or a backup, could make root run anything");
		cof_error_try(err, "coffer enroll command with the same words, if it is right");
		return failure;
	}
	return run(vault, words, ret_secret, err);
}

/* Refuses a secret that could be guessed: an error text, or a few bytes. */
static cof_result check_secret(const char *program, const struct slot_secret *secret,
			       const struct slot_secret *again, struct cof_error *err)
{
	struct span bytes = slot_secret_span(secret);
	bool seen[256] = { false };
	size_t kinds = 0;

	ENSURE(ct_equal(bytes, slot_secret_span(again)), err, COF_E_REFUSED, program,
	       "gave something else the second time");
	for (size_t i = 0; i < bytes.len; i++) {
		kinds += !seen[bytes.data[i]];
		seen[bytes.data[i]] = true;
	}
	memory_wipe(seen, sizeof(seen));
	ENSURE(bytes.len >= SECRET_MIN_BYTES && kinds >= SECRET_MIN_BYTES / 2, err, COF_E_REFUSED,
	       program,
	       "gave a secret that is easy to guess: at least %d bytes, %d of them different, "
	       "are needed",
	       SECRET_MIN_BYTES, SECRET_MIN_BYTES / 2);
	return COF_OK;
}

cof_result vault_enroll_command(struct vault *vault, const struct slot_secret *existing,
				const char *const command[], const char *label, bool fips,
				int *ret_slot, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *again = NULL;
	_cleanup_json_ struct json *json = json_new_array();
	_cleanup_free_ char *text = NULL;
	struct token token = { .kind = VAULT_WAY_COMMAND };

	for (size_t i = 0; command[i]; i++) {
		for (const char *at = command[i]; *at; at++)
			ENSURE((unsigned char)*at >= ' ' && *at != 0x7f, err, COF_E_USAGE,
			       command[0], "a word of the command has a control character");
		json_add_text(json, command[i]);
	}
	text = json_format(json);
	ENSURE(strlen(text) < sizeof(token.detail), err, COF_E_USAGE, command[0],
	       "the command has %zu bytes, at most %zu are possible", strlen(text),
	       sizeof(token.detail) - 1);
	(void)snprintf(token.detail, sizeof(token.detail), "%s", text);
	token_note(&token, "command", label);
	TRY(run(vault, command, &secret, err));
	TRY(run(vault, command, &again, err));
	TRY(check_secret(command[0], secret, again, err));
	TRY(allow(vault, text, err));
	return enroll_secret(vault, existing, &token, secret, slot_cost(VAULT_FILE, false, fips),
			     ret_slot, err);
}
