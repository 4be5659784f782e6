/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk header check|backup|restore|repair.
 */

#include <stdio.h>
#include <string.h>

#include "disk_headers.h"
#include "number.h"
#include "passphrase.h"
#include "unlocking.h"
#include "verbs.h"

/* What a run has in hand. */
struct run {
	struct vault *vault; /* NULL where there is none */
	struct header_work work;
	char **all;
	const char *const *names;
	size_t count;
};

static void run_done(struct run *run)
{
	header_work_done(&run->work);
	vault_names_free(run->all);
	vault_close(run->vault);
}

/* Whether every name is a path, which can be looked at without the vault. */
static bool all_paths(const struct cli_call *call)
{
	for (size_t i = 0; i < call->arg_count; i++)
		if (!strchr(call->args[i], '/'))
			return false;
	return call->arg_count > 0;
}

/* Opens the vault. A locked one keeps nobody from looking at a device, or from mending one that
 * mends itself. */
static cof_result open_vault(struct cli_call *call, struct run *run, struct cof_error *err)
{
	struct cof_error error = { 0 };
	cof_result opened;

	if (!vault_exists(call->paths)) {
		if (!all_paths(call))
			return cli_raise_absent(call, err);
		return COF_OK;
	}
	opened = cli_open_vault(call, true, &run->vault, &error);
	if (opened.code == COF_E_LOCKED && all_paths(call))
		return cli_open_vault(call, false, &run->vault, err);
	if (cof_failed(opened) && err)
		*err = error;
	return opened;
}

/* Opens the vault and chooses the disks: those typed, or with --all every one of the vault. */
static cof_result run_init(struct cli_call *call, bool can_all, struct run *run,
			   struct cof_error *err)
{
	bool all = can_all && cli_flag(call, "all");

	ENSURE(all || call->arg_count > 0, err, COF_E_USAGE, NULL, "no device is named%s",
	       can_all ? ", nor --all" : "");
	ENSURE(!all || call->arg_count == 0, err, COF_E_USAGE, call->args[0],
	       "is one too many with --all");
	TRY(open_vault(call, run, err));
	TRY(header_work_init(run->vault, call->paths, &run->work, err));
	if (all)
		TRY(vault_names(run->vault, DISK_KIND, &run->all, err));
	run->names = all ? (const char *const *)(uintptr_t)run->all : call->args;
	while (run->names[run->count])
		run->count++;
	if (run->count == 0)
		cli_say(call, "the vault has no disks: nothing to do");
	return COF_OK;
}

/* Notes how one of several disks ended. The first failure is passed up, the others are told. */
static void note_failure(struct json *json, const struct cof_error *error, struct cof_error *first,
			 cof_result *result)
{
	if (error->code == COF_E_NONE)
		return;
	if (json)
		json_set(json, "error", cli_error_json(error));
	if (cof_failed(*result)) {
		cli_report(error);
		return;
	}
	*result = (cof_result){ error->code };
	if (first)
		*first = *error;
}

/* The document of a run, with an array for its disks; what is shown is taken. */
static struct json *disks_of(struct cli_call *call)
{
	struct json *document = json_new_object();
	struct json *disks = json_new_array();

	json_set(document, "disks", disks);
	cli_show(call, document);
	return disks;
}

/* ---- check ---- */

/* "first", "second" as JSON names them. */
static const char *area_name(enum luks_area_state state)
{
	static const char *const names[] = {
		[LUKS_AREA_NONE] = NULL,	   [LUKS_AREA_GOOD] = "good",
		[LUKS_AREA_NO_MAGIC] = "no-magic", [LUKS_AREA_OLDER] = "older",
		[LUKS_AREA_DAMAGED] = "damaged",
	};

	return names[state];
}

/* Calls @say for each line of what differs. */
static void each_change(const struct luks_diff *diff, void (*say)(const char *line, void *context),
			void *context)
{
	char line[320];

	for (size_t at = 0; at < diff->text.len;) {
		const char *start = (const char *)diff->text.data + at;
		size_t len = strcspn(start, "\n");

		if (len > diff->text.len - at)
			len = diff->text.len - at;
		(void)snprintf(line, sizeof(line), "%.*s", (int)len, start);
		say(line, context);
		at += len + 1;
	}
}

static void add_change(const char *line, void *context)
{
	json_add_text(context, line);
}

static void say_change(const char *line, void *context)
{
	cli_say(context, "  %s", line);
}

/* One disk as JSON. */
static struct json *report_json(const struct header_report *report)
{
	struct json *json = json_new_object();
	struct json *changes = json_new_array();
	char taken[32];

	json_set_text(json, "name", report->name[0] ? report->name : NULL);
	json_set_text(json, "source", report->source);
	json_set_text(json, "uuid", report->uuid[0] ? report->uuid : NULL);
	json_set_uint(json, "luks", (uint64_t)report->state.version);
	json_set_text(json, "first", area_name(report->state.first));
	json_set_text(json, "second", area_name(report->state.second));
	if (report->key_tried)
		json_set_bool(json, "key_opens", report->key_opens);
	else
		json_set_null(json, "key_opens");
	json_set_text(json, "copy", header_copy_word(report->copy));
	if (report->generation) {
		json_set_uint(json, "generation", report->generation);
		json_set_text(json, "taken", time_format(report->taken, taken));
	}
	each_change(&report->diff, add_change, changes);
	json_set(json, "changes", changes);
	json_set_bool(json, "kept", report->kept);
	json_set_bool(json, "good", report->good);
	json_set_text(json, "problem", report->problem[0] ? report->problem : NULL);
	json_set_text(json, "remedy", report->remedy[0] ? report->remedy : NULL);
	return json;
}

/* One disk in words; what is wrong is left to the error. */
static void say_report(struct cli_call *call, const struct header_report *report)
{
	const char *name = report->name[0] ? report->name : report->source;

	if (report->good)
		cli_say(call, "%s (%s): the header is good%s%s", name, report->source,
			report->key_tried ? ", the vault's key opens it" : "",
			report->kept ? ", and new: it was copied into the vault" : "");
	else
		cli_say(call, "%s (%s): the header is not good", name, report->source);
	if (!report->known)
		cli_say(call, "  the vault does not know it, or is locked: its key was not tried");
	if (report->diff.text.len)
		cli_say(call, "  since the copy of generation %llu:",
			(unsigned long long)(report->generation - report->kept));
	each_change(&report->diff, say_change, call);
}

/* Looks at one disk. */
static cof_result check_one(struct cli_call *call, struct run *run, const char *name,
			    struct json *disks, struct cof_error *err)
{
	_cleanup_(header_report_done) struct header_report report = { 0 };
	struct json *json;

	TRY(header_check(&run->work, name, &report, err));
	json = report_json(&report);
	json_add(disks, json);
	say_report(call, &report);
	if (report.good)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_FORMAT, report.name[0] ? report.name : report.source, "%s",
			     report.problem));
	cof_error_try(err, "%s", report.remedy);
	return (cof_result){ COF_E_FORMAT };
}

/* coffer disk header check. */
static cof_result run_check(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(run_done) struct run run = { 0 };
	cof_result result = COF_OK;
	struct json *disks;

	TRY(run_init(call, true, &run, err));
	disks = disks_of(call);
	for (size_t i = 0; i < run.count; i++) {
		struct cof_error error = { 0 };

		cof_ignore(check_one(call, &run, run.names[i], disks, &error));
		note_failure(NULL, &error, err, &result);
	}
	return result;
}

/* ---- backup ---- */

/* Writes a header to a file that cryptsetup takes. */
static cof_result write_out(struct cli_call *call, struct span copy, struct json *json,
			    struct cof_error *err)
{
	const char *path = cli_value(call, "out");

	if (!path)
		return COF_OK;
	ENSURE(access(path, F_OK) != 0, err, COF_E_REFUSED, path,
	       "exists already, and is not overwritten");
	if (!call->dry_run)
		TRY(luks_write_header_copy(copy, path, err));
	json_set_text(json, "file", path);
	cli_say(call, "%s %s, which `cryptsetup luksHeaderRestore --header-backup-file` takes",
		call->dry_run ? "would write" : "wrote", path);
	return COF_OK;
}

/* Copies one header of a disk of the vault, unless an older version is asked for. */
static cof_result backup_known(struct cli_call *call, struct run *run, const char *name,
			       uint64_t generation, struct json *json, struct cof_error *err)
{
	_cleanup_(header_job_done) struct header_job job = { 0 };
	_cleanup_buffer_ struct buffer copy = { 0 };
	bool kept = false;

	if (generation) {
		TRY(header_load(run->vault, name, generation, &copy, err));
		return write_out(call, buffer_span(&copy), json, err);
	}
	TRY(header_job_find(&run->work, name, &job, err));
	json_set_text(json, "source", job.device->node);
	if (!job.known) {
		ENSURE(cli_value(call, "out"), err,
		       run->vault && !run->work.unlocked ? COF_E_LOCKED : COF_E_NOENT,
		       job.device->node,
		       "the vault does not know it; --out FILE writes its header");
		TRY(luks_copy_header(job.device->node, &copy, err));
		return write_out(call, buffer_span(&copy), json, err);
	}
	json_set_text(json, "name", job.disk.name);
	if (!call->dry_run) {
		TRY(header_backup(&run->work, &job, &kept, &generation, err));
		json_set_uint(json, "generation", generation);
		cli_say(call, "%s: %s generation %llu", job.disk.name,
			kept ? "copied the header, as" : "the header is copied already:",
			(unsigned long long)generation);
	} else {
		cli_say(call, "%s: would copy the header where it differs", job.disk.name);
	}
	json_set_bool(json, "changed", kept);
	TRY(luks_copy_header(job.device->node, &copy, err));
	return write_out(call, buffer_span(&copy), json, err);
}

/* coffer disk header backup. */
static cof_result run_backup(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(run_done) struct run run = { 0 };
	cof_result result = COF_OK;
	struct json *disks;
	uint64_t generation;

	TRY(cli_number(call, "generation", 0, &generation, err));
	ENSURE(!generation || cli_value(call, "out"), err, COF_E_USAGE, "--generation",
	       "is for --out: the vault has that version already");
	ENSURE(!cli_value(call, "out") || (call->arg_count == 1 && !cli_flag(call, "all")), err,
	       COF_E_USAGE, "--out", "takes the header of one disk");
	TRY(run_init(call, true, &run, err));
	disks = disks_of(call);
	for (size_t i = 0; i < run.count; i++) {
		struct json *json = json_new_object();
		struct cof_error error = { 0 };

		json_add(disks, json);
		json_set_text(json, "name", run.names[i]);
		cof_ignore(backup_known(call, &run, run.names[i], generation, json, &error));
		note_failure(json, &error, err, &result);
	}
	return result;
}

/* ---- repair and restore ---- */

/* What a plan writes, as JSON and in words. */
static void show_plan(struct cli_call *call, const struct header_plan *plan, struct json *json)
{
	const char *node = plan->job.device->node;
	struct json *writes = json_new_array();

	json_set_text(json, "name", plan->job.known ? plan->job.disk.name : NULL);
	json_set_text(json, "source", node);
	for (size_t i = 0; i < plan->writes.count; i++) {
		const struct luks_write *write = &plan->writes.items[i];
		struct json *item = json_new_object();

		json_set_text(item, "what", write->what);
		json_set_uint(item, "offset", write->offset_bytes);
		json_set_uint(item, "bytes", write->bytes.len);
		json_add(writes, item);
		cli_say(call, "%s: %s %zu bytes at %llu: %s", node,
			call->dry_run ? "would write" : "writing", write->bytes.len,
			(unsigned long long)write->offset_bytes, write->what);
	}
	json_set(json, "writes", writes);
}

/* Asks, where something goes that was not damage. */
static cof_result confirm(struct cli_call *call, const char *typed, const struct header_plan *plan,
			  struct cof_error *err)
{
	char text[512];

	if (plan->foreign[0])
		(void)snprintf(text, sizeof(text), "%.300s will be lost from %s", plan->foreign,
			       plan->job.device->node);
	else if (plan->good)
		(void)snprintf(text, sizeof(text), "its header, which is good, will be replaced%s",
			       plan->job.known ? "" : ", and no vault keeps it");
	else
		return COF_OK;
	return cli_confirm_destroy(call, typed, plan->job.device->serial, text, err);
}

/* Shows a plan, asks, and does it. */
static cof_result act(struct cli_call *call, struct run *run, const char *typed,
		      struct header_plan *plan, struct json *json, bool restore,
		      struct cof_error *err)
{
	const char *name = plan->job.known ? plan->job.disk.name : plan->job.device->node;

	show_plan(call, plan, json);
	json_set_bool(json, "changed", false);
	if (plan->writes.count == 0 && !restore) {
		cli_say(call, "%s: the header is good: nothing to do", name);
		return COF_OK;
	}
	if (call->dry_run)
		return COF_OK;
	TRY(confirm(call, typed, plan, err));
	TRY(restore ? header_restore_run(&run->work, plan, err)
		    : header_repair_run(&run->work, plan, err));
	json_set_bool(json, "changed", plan->writes.count > 0);
	cli_say(call, "%s: the header is %s%s%s", name,
		plan->writes.count == 0 ? "the same as the copy"
		: restore		? "restored"
					: "good again",
		plan->job.known ? ", the vault's key opens it" : "",
		plan->job.known ? "" : ": its key was not tried, the vault does not know it");
	return COF_OK;
}

/* Repairs one header. */
static cof_result repair_one(struct cli_call *call, struct run *run, const char *typed,
			     struct json *json, struct cof_error *err)
{
	_cleanup_(header_plan_done) struct header_plan plan = { 0 };

	TRY(header_repair_plan(&run->work, typed, cli_flag(call, "force"), &plan, err));
	return act(call, run, typed, &plan, json, false, err);
}

/* coffer disk header repair. */
static cof_result run_repair(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(run_done) struct run run = { 0 };
	cof_result result = COF_OK;
	struct json *disks;

	TRY(run_init(call, true, &run, err));
	disks = disks_of(call);
	for (size_t i = 0; i < run.count; i++) {
		struct json *json = json_new_object();
		struct cof_error error = { 0 };

		json_add(disks, json);
		json_set_text(json, "name", run.names[i]);
		cof_ignore(repair_one(call, &run, run.names[i], json, &error));
		note_failure(json, &error, err, &result);
	}
	return result;
}

/* coffer disk header restore. */
static cof_result run_restore(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(run_done) struct run run = { 0 };
	_cleanup_(header_plan_done) struct header_plan plan = { 0 };
	struct header_restore_spec spec = { .file = cli_value(call, "from"),
					    .force = cli_flag(call, "force") };
	struct json *json = json_new_object();

	json_add(disks_of(call), json);
	TRY(cli_number(call, "generation", 0, &spec.generation, err));
	ENSURE(!spec.generation || !spec.file, err, COF_E_USAGE, "--generation",
	       "and --from exclude each other");
	TRY(run_init(call, false, &run, err));
	TRY(header_restore_plan(&run.work, run.names[0], &spec, &plan, err));
	return act(call, &run, run.names[0], &plan, json, true, err);
}

const struct cli_verb cli_verb_disk_header_check = {
	.noun = "disk",
	.verb = "header check",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "look whether disks' LUKS headers are whole, and what changed in them",
	.description =
		"Compares the two headers that LUKS2 keeps on a disk (LUKS1 keeps one) with each "
		"other and with the newest copy in the vault, says in words what changed since, "
		"and tries the vault's key. Exit status 8 means that something is wrong; the "
		"message says what mends it.\n\n"
		"The disk is never written to. A header that another tool has changed, and that "
		"the vault's key still opens, becomes a new version of the copy in the vault. With "
		"a locked vault a device can be looked at all the same, without the last two.",
	.options =
		(const struct cli_option[]){ { "all", CLI_FLAG, NULL, "every disk of the vault" },
					     CLI_PASSPHRASE_OPTION,
					     { 0 } },
	.examples = (const struct cli_example[]){ { "coffer disk header check --all",
						    "whether every header is as it was" },
						  { 0 } },
	.shows = true,
	.needs_root = true,
	.run = run_check,
};

const struct cli_verb cli_verb_disk_header_backup = {
	.noun = "disk",
	.verb = "header backup",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "copy disks' LUKS headers into the vault, or to a file for cryptsetup",
	.description =
		"Takes a copy of the header into the vault now, unless the newest one is the same. "
		"Coffer does so by itself after each change that it makes, and when it finds "
		"one that another tool has made. All versions are kept, until the disk is "
		"destroyed: `coffer key history disk-header/NAME` lists them with their dates.\n\n"
		"With --out the header goes to a new file of mode 0600 as well, which plain "
		"cryptsetup restores: cryptsetup luksHeaderRestore DEV --header-backup-file FILE. "
		"Whoever has that file and a key or passphrase of the disk can read the disk.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL, "every disk of the vault" },
			{ "out", CLI_FILE, "FILE",
			  "write the header to FILE, which must not exist, for cryptsetup" },
			{ "generation", CLI_NUMBER, "N",
			  "with --out: a version in the vault, of the disk called DEV, which need "
			  "not be attached" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk header backup enc-wwn-0x5000c500a1b2c3d4 --out "
			  "/media/stick/disk.header",
			  "A header for the day on which there is no coffer." },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_backup,
};

const struct cli_verb cli_verb_disk_header_restore = {
	.noun = "disk",
	.verb = "header restore",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "put a copy of a disk's LUKS header back",
	.description =
		"Writes a version of the header that the vault keeps, or a file, back to a disk "
		"that is closed, and proves that the vault's key opens it. `coffer disk header "
		"repair` is for damage, and chooses what to write by itself.\n\n"
		"Refused: a disk in use, a device that is not the disk of the record, a copy that "
		"the vault's key does not open, and one of another volume key than the data, as it "
		"was before a re-encryption. A header that is good and differs, so that keyslots "
		"would be lost, is replaced with --force alone, after a question; it becomes a "
		"version in the vault first.",
	.options =
		(const struct cli_option[]){
			{ "generation", CLI_NUMBER, "N",
			  "which version of `coffer key history disk-header/NAME`; the newest "
			  "unless told otherwise" },
			{ "from", CLI_FILE, "FILE",
			  "from a backup of cryptsetup luksHeaderBackup, or an exported copy" },
			{ "force", CLI_FLAG, NULL,
			  "although the present header is good, or something else is there" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk header restore /dev/sdj --dry-run",
			  "what would be written" },
			{ "coffer disk header restore /dev/sdj --generation 2 --force",
			  "an older version, with the keyslots of then" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_restore,
};

const struct cli_verb cli_verb_disk_header_repair = {
	.noun = "disk",
	.verb = "header repair",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "mend damaged LUKS headers by the least change, also of open disks",
	.description =
		"Chooses the least change that makes a header good again, shows it, and tries it "
		"out in memory before anything is written: put back the magic bytes, where `wipefs "
		"-a` took only them; write one of LUKS2's two headers again from the other; put "
		"back keyslots that were overwritten, from the copy in the vault; or all of it. A "
		"good header is left alone, with exit status 0.\n\n"
		"A disk that is open can be repaired while it is used, and should be before it is "
		"closed. Of a device that the vault does not know, the first two work. Where "
		"something else was written over the header, such as a file system, --force is "
		"needed, and a question is asked.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL, "every disk of the vault" },
			{ "force", CLI_FLAG, NULL,
			  "although something else was written over the header" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){ { "coffer disk header repair /dev/sdj --dry-run",
						"what is wrong, and what "
						"would be written" },
					      { "coffer disk header repair /dev/sdj", "mend it" },
					      { 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_repair,
};
