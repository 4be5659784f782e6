/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of the command line: parse, work out the places, run the verb, report once.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "audit_call.h"
#include "cleanup.h"
#include "mirrors.h"
#include "parse.h"
#include "text.h"
#include "vault.h"

/* Refuses ordinary users where a verb needs root, with what to type. */
static cof_result check_root(const struct cli_verb *verb, struct cof_error *err)
{
	char name[CLI_VERB_NAME_CHARS];
	cof_result failure;

	if (!verb->needs_root || geteuid() == 0)
		return COF_OK;
	(void)cli_verb_name(verb, name);
	failure = cof_raise(err, COF_E_REFUSED, name, "only root may do that, and this is user %u",
			    (unsigned int)geteuid());
	cof_error_try(err, "sudo coffer %s%s", name, verb->arguments ? " ..." : "");
	return failure;
}

/* Whether a run may change a vault whose mirrors are to follow. */
static bool may_change(const struct cli_call *call)
{
	return call->verb->changes && !call->dry_run && call->paths && call->paths->mirrors;
}

/* Fails with a mistake in the configuration file. */
static cof_result pass_mistake(const struct cof_error *mistake, struct cof_error *err)
{
	if (err)
		*err = *mistake;
	return (cof_result){ mistake->code };
}

/* Runs the verb of a parsed command line. */
static cof_result run_verb(const struct cli_parsed *parsed, struct json **document, int *status,
			   struct cof_error *err)
{
	_cleanup_(paths_freep) struct paths *paths = NULL;
	struct cli_call call = {
		.verb = parsed->verb,
		.args = parsed->args,
		.arg_count = parsed->arg_count,
		.json = parsed->json,
		.dry_run = parsed->dry_run,
		.quiet = parsed->quiet,
		.values = parsed->values,
	};
	cof_result result;
	struct cof_error mistake = { 0 };
	uint64_t before;

	TRY(check_root(parsed->verb, err));
	if (!parsed->verb->placeless) {
		TRY(paths_new_usable(parsed->root, parsed->vault, parsed->config, &paths, &mistake,
				     err));
		if (mistake.code != COF_E_NONE && !parsed->verb->looks)
			return pass_mistake(&mistake, err);
		call.paths = paths;
		call.mistake = &mistake;
	}
	before = may_change(&call) ? vault_stamp(paths) : 0;
	cli_audit_start(&call);
	result = parsed->verb->run(&call, err);
	if (paths)
		result = vault_explain_damage(paths, result, err);
	cli_audit_end(&call, result, err);
	if (may_change(&call) && vault_stamp(paths) != before)
		mirrors_warn(&call, MIRRORS_AFTER_CHANGE);
	*document = call.document;
	*status = call.status;
	if (call.mistake_told)
		return result;
	if (mistake.code != COF_E_NONE && !cof_failed(result))
		return pass_mistake(&mistake, err);
	if (mistake.code != COF_E_NONE)
		cli_report(&mistake);
	return result;
}

/* Does what the command line asks for. @status: of a command that was run. */
static cof_result serve(const struct cli_parsed *parsed, struct json **document, int *status,
			struct cof_error *err)
{
	switch (parsed->ask) {
	case CLI_OVERVIEW:
		cli_help_overview(cli_verbs, stdout);
		return COF_OK;
	case CLI_HELP_NOUN:
		cli_help_noun(cli_verbs, parsed->noun, stdout);
		return COF_OK;
	case CLI_HELP_VERB:
		cli_help_verb(parsed->verb, stdout);
		return COF_OK;
	case CLI_VERSION:
		(void)printf("coffer " COF_VERSION "\n");
		return COF_OK;
	case CLI_RUN:
		break;
	}
	return run_verb(parsed, document, status, err);
}

/* A result that did not reach its reader is a failure. */
static cof_result flush_output(struct cof_error *err)
{
	bool bad = ferror(stdout);

	if (fflush(stdout) != 0)
		return cof_raise_errno(err, errno, "standard output", "cannot be written");
	ENSURE(!bad, err, COF_E_IO, "standard output", "cannot be written");
	return COF_OK;
}

int cli_main(int argc, char *argv[])
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	_cleanup_json_ struct json *document = NULL;
	struct cof_error err = { 0 };
	int status = 0;
	bool json = cli_wants_json(argc, argv);
	cof_result result = cli_parse(cli_verbs, argc, argv, &parsed, &err);

	if (!cof_failed(result))
		result = serve(&parsed, &document, &status, &err);
	if (cof_failed(result)) {
		cli_report(&err);
		if (json && !document)
			document = json_new_object();
		if (json)
			json_set(document, "error", cli_error_json(&err));
	}
	if (json && document)
		json_print(document, stdout);
	if (!cof_failed(result)) {
		result = flush_output(&err);
		if (cof_failed(result))
			cli_report(&err);
	}
	return cof_failed(result) ? cof_code_exit_status(result.code) : status;
}
