/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer audit`: shows the audit log, compares it with its seals, writes it to a file.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit_show.h"
#include "clock.h"
#include "file.h"
#include "number.h"
#include "unlocking.h"
#include "verbs.h"

/* A moment, or how long ago. */
static cof_result read_since(const char *text, int64_t *ret_since, struct cof_error *err)
{
	uint64_t seconds;

	if (!text || !cof_failed(audit_time_parse(text, ret_since, NULL)))
		return COF_OK;
	ENSURE(!cof_failed(duration_parse(text, &seconds, NULL)) && seconds < INT64_MAX, err,
	       COF_E_USAGE, "--since",
	       "%s is neither a time such as 2026-11-20T17:00:00Z or 2026-11-20, nor a duration "
	       "such as 8h",
	       text);
	*ret_since = (int64_t)clock_now() - (int64_t)seconds;
	return COF_OK;
}

/* Whether @event is of the class @name: that, or that with a dot behind it. */
static bool is_of_class(const char *event, const char *name)
{
	size_t len = strlen(name);

	return strncmp(event, name, len) == 0 && (event[len] == '\0' || event[len] == '.');
}

/* Refuses an event of a class that no verb writes: nothing would ever be found. */
static cof_result check_event(const char *event, struct cof_error *err)
{
	static const char *const classes[] = { "audit", "record", "vault" };
	const char *before = "";
	char known[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (is_of_class(event, classes[i]))
			return COF_OK;
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s, ", classes[i]);
	}
	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *noun = cli_verbs[i]->noun;

		/* What enrols unlock methods is an event of the vault. */
		if (!noun || strcmp(noun, "enroll") == 0)
			continue;
		if (is_of_class(event, noun))
			return COF_OK;
		if (used < sizeof(known) && !is_of_class(before, noun))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s, ", noun);
		before = noun;
	}
	cof_ignore(cof_raise(err, COF_E_USAGE, "--event", "there are no events %s", event));
	cof_error_try(err, "%.*s", (int)strlen(known) - 2, known);
	return (cof_result){ COF_E_USAGE };
}

/* The filter that the options make. */
static cof_result read_filter(const struct cli_call *call, struct audit_filter *filter,
			      struct cof_error *err)
{
	*filter = (struct audit_filter){ .event = cli_value(call, "event"),
					 .subject = cli_value(call, "subject") };
	if (filter->event)
		TRY(check_event(filter->event, err));
	TRY(read_since(cli_value(call, "since"), &filter->since, err));
	return cli_number(call, "limit", 0, &filter->limit, err);
}

/* Checks the log, and notes in it that it was checked. */
static cof_result verify(struct vault *vault, struct audit_verdict *verdict, struct cof_error *err)
{
	struct json *detail;

	TRY(audit_verify(vault, verdict, err));
	detail = json_new_object();
	json_set_text(detail, "state", audit_fault_name(verdict->fault));
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_VERIFY, .detail = detail });
	return COF_OK;
}

/* --verify: what the check found. */
static cof_result run_verify(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct json *document = json_new_object();
	struct audit_verdict verdict;
	cof_result result;

	cli_show(call, document);
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(verify(vault, &verdict, err));
	json_set(document, "verdict", audit_verdict_json(&verdict));
	result = audit_judge(call->paths->vault_dir, &verdict, err);
	if (!cof_failed(result))
		cli_say(call, "%llu lines, whole; sealed up to number %llu of %llu%s.",
			(unsigned long long)verdict.lines, (unsigned long long)verdict.sealed_seq,
			(unsigned long long)verdict.last_seq,
			verdict.torn ? "; some were left unfinished by a power cut, and are marked"
				     : "");
	return result;
}

/* --accept: a damaged log is set aside. */
static cof_result run_accept(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct audit_verdict verdict;
	struct json *document = json_new_object();

	cli_show(call, document);
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(audit_verify(vault, &verdict, err));
	json_set(document, "verdict", audit_verdict_json(&verdict));
	json_set_bool(document, "changed", verdict.fault != AUDIT_WHOLE && !call->dry_run);
	if (verdict.fault == AUDIT_WHOLE) {
		cli_say(call, "The audit log is whole: nothing to do.");
		return COF_OK;
	}
	if (!call->dry_run)
		TRY(audit_accept(vault, &verdict, err));
	cli_say(call, "%s the damaged log aside as *.damaged-*, and %s a new one.",
		call->dry_run ? "Would set" : "Set", call->dry_run ? "begin" : "began");
	return COF_OK;
}

/* Writes a document to a new file of mode 0600. */
static cof_result write_document(const struct json *document, const char *path,
				 struct cof_error *err)
{
	_cleanup_free_ char *text = json_format(document);

	ENSURE(text, err, COF_E_NOMEM, path, "no memory for it");
	return file_create(path, span_of_text(text), 0600, err);
}

/* What --export answers with. */
static struct json *exported_json(const char *path, const struct audit_verdict *verdict,
				  bool changed)
{
	struct json *document = json_new_object();

	json_set_text(document, "file", path);
	json_set_bool(document, "changed", changed);
	json_set(document, "verdict", audit_verdict_json(verdict));
	return document;
}

/* --export: all lines and the verdict. */
static cof_result run_export(struct cli_call *call, const char *path, struct cof_error *err)
{
	static const struct audit_filter all = { .event = "" };
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_json_ struct json *document = json_new_object();
	struct json *lines = NULL;
	struct audit_verdict verdict;
	char uuid[37];

	ENSURE(!path_exists(path), err, COF_E_REFUSED, path, "is there already");
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(verify(vault, &verdict, err));
	TRY(audit_gather(vault, &all, &lines, err));
	json_set(document, "lines", lines);
	json_set_text(document, "vault", cli_uuid_format(vault_uuid(vault), uuid));
	json_set(document, "verdict", audit_verdict_json(&verdict));
	if (!call->dry_run)
		TRY(write_document(document, path, err));
	cli_say(call, "%s %zu lines to %s.", call->dry_run ? "Would write" : "Wrote",
		json_length(lines), path);
	cli_show(call, exported_json(path, &verdict, !call->dry_run));
	return audit_judge(call->paths->vault_dir, &verdict, err);
}

/* --certificate: that a disk was destroyed, with the seal that covers the line. */
static cof_result run_certificate(struct cli_call *call, const char *name, const char *path,
				  struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_json_ struct json *document = NULL;
	struct audit_verdict verdict;
	char uuid[37];

	ENSURE(!path || !path_exists(path), err, COF_E_REFUSED, path, "is there already");
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(audit_verify(vault, &verdict, err));
	TRY(audit_find_certificate(vault, name, &document, err));
	json_set_text(document, "vault", cli_uuid_format(vault_uuid(vault), uuid));
	json_set(document, "verdict", audit_verdict_json(&verdict));
	if (path && !call->dry_run)
		TRY(write_document(document, path, err));
	if (path)
		cli_say(call, "%s the certificate of %s to %s.",
			call->dry_run ? "Would write" : "Wrote", name, path);
	else if (!call->json)
		json_print(document, stdout);
	cli_show(call, TAKE(document));
	return audit_judge(call->paths->vault_dir, &verdict, err);
}

/* Numbers that are missing in the table look like lines that somebody took out. */
static void say_seals(const struct cli_call *call, const struct audit_filter *filter,
		      const struct json *lines)
{
	size_t count = json_length(lines);
	uint64_t first;
	uint64_t last;

	if (filter->event || filter->subject || count == 0)
		return;
	first = json_get_uint(json_at(lines, 0), "seq", 0);
	last = json_get_uint(json_at(lines, count - 1), "seq", 0);
	if (last - first + 1 != count)
		cli_say(call, "Seals, which have numbers too, are not shown: `coffer audit --event "
			      "audit.seal` shows them, `coffer audit --verify` proves that no line "
			      "is missing.");
}

/* Shows the lines that the options ask for; nothing is proven by that. */
static cof_result run_show(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_json_ struct json *document = json_new_object();
	struct audit_filter filter;
	struct json *lines = NULL;

	TRY(read_filter(call, &filter, err));
	TRY(cli_open_vault(call, false, &vault, err));
	TRY(audit_gather(vault, &filter, &lines, err));
	json_set(document, "lines", lines);
	if (!call->json)
		TRY(audit_table(lines, stdout, err));
	say_seals(call, &filter, lines);
	cli_show(call, TAKE(document));
	return COF_OK;
}

/* coffer audit. */
static cof_result run_audit(struct cli_call *call, struct cof_error *err)
{
	const char *certificate = cli_value(call, "certificate");
	const char *path = cli_value(call, "export");
	bool verifies = cli_flag(call, "verify");
	bool accepts = cli_flag(call, "accept");

	ENSURE(verifies + accepts + (path || certificate) <= 1, err, COF_E_USAGE, "coffer audit",
	       "--verify, --accept, and --export or --certificate exclude each other");
	if (verifies)
		return run_verify(call, err);
	if (accepts)
		return run_accept(call, err);
	if (certificate)
		return run_certificate(call, certificate, path, err);
	return path ? run_export(call, path, err) : run_show(call, err);
}

const struct cli_verb cli_verb_audit = {
	.verb = "audit",
	.summary = "show the audit log, prove it, or write it to a file",
	.description =
		"The log has a line for every use of a key, every change and every refusal: what, "
		"when, by whom, and what came of it. Each line is chained to the one before, and "
		"each command that has the vault unlocked seals what it wrote. The same goes to "
		"the systemd journal.\n\n"
		"Without --verify the lines are shown as they are; a locked vault is enough for "
		"that. --verify finds the first line that was removed, changed, put elsewhere or "
		"cut off, and the log of another vault. --accept sets such a log aside and begins "
		"a new one.",
	.options =
		(const struct cli_option[]){
			{ "since", CLI_TEXT, "TIME",
			  "lines from then on: 2026-11-20T17:00:00Z, 2026-11-20, or 8h ago" },
			{ "event", CLI_TEXT, "EVENT",
			  "lines of one event, disk.open, or of a class of them, disk" },
			{ "subject", CLI_TEXT, "NAME", "lines about one disk or record" },
			{ "limit", CLI_NUMBER, "N", "the last N lines; all unless told otherwise" },
			{ "verify", CLI_FLAG, NULL, "prove that the log is whole" },
			{ "export", CLI_FILE, "FILE",
			  "write all lines and the verdict to FILE as JSON, with mode 0600" },
			{ "certificate", CLI_TEXT, "NAME",
			  "show the line that says that disk NAME was destroyed, and its seal" },
			{ "accept", CLI_FLAG, NULL, "set a damaged log aside, begin a new one" },
			CLI_UNLOCK_OPTIONS,
			{ 0 },
		},
	.examples =
		(const struct cli_example[]){
			{ "coffer audit --since 24h", "What happened since yesterday." },
			{ "coffer audit --event key", "Every use of a key." },
			{ "coffer audit --verify", "Whether anybody changed the log." },
			{ "coffer audit --certificate enc-wwn-0x5000c500a1b2c3d4 --export "
			  "/root/certificate.json",
			  "That a disk was destroyed, to hand on." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_audit,
};
