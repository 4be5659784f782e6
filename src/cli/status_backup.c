/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status_backup.h"

#include <string.h>

#include "audit_line.h"
#include "status_line.h"

#define DAY_SECONDS   86400
#define DUE_DAYS      90   /* our own: a quarter */
#define AHEAD_SECONDS 3600 /* clocks are put right by less */
#define MAKE_BACKUP   "coffer backup create FILE"
#define NEW_KEYS      "coffer key rotate --all, then coffer backup create FILE"
#define TRY_BACKUP    "coffer drill FILE"

void status_backup_done(struct status_backup *notes)
{
	json_free(notes->backup);
	json_free(notes->drill);
	*notes = (struct status_backup){ 0 };
}

/* How long ago the time of a note was, as a person says it; returns @out. */
static char *age(const struct status_backup *notes, const struct json *note, char out[static 48])
{
	const char *text = json_get_text(note, "time");
	int64_t when = 0;
	unsigned long long seconds;

	(void)snprintf(out, 48, "at an unknown time");
	if (!text || cof_failed(audit_time_parse(text, &when, NULL)))
		return out;
	seconds = notes->now > when ? (unsigned long long)(notes->now - when) : 0;
	if (seconds >= 2 * DAY_SECONDS)
		(void)snprintf(out, 48, "%llu days ago", seconds / DAY_SECONDS);
	else if (seconds >= 7200)
		(void)snprintf(out, 48, "%llu hours ago", seconds / 3600);
	else if (seconds >= 120)
		(void)snprintf(out, 48, "%llu minutes ago", seconds / 60);
	else
		(void)snprintf(out, 48, "just now");
	return out;
}

/* What is due of one of the two. */
static cof_result judge_age(const struct status_backup *notes, const struct json *note,
			    const char *what, const char *remedy, struct finding_list *list,
			    struct cof_error *err)
{
	const char *text = json_get_text(note, "time");
	int64_t when = 0;

	if (!text || cof_failed(audit_time_parse(text, &when, NULL)))
		return COF_OK;
	if (when > notes->now + AHEAD_SECONDS)
		return finding_note(list, AREA_SYSTEM, COF_E_FAILED, "clock", "timedatectl status",
				    err, "the last %s was made at %.40s, which is still to come",
				    what, text);
	if (notes->now - when <= DUE_DAYS * DAY_SECONDS)
		return COF_OK;
	return finding_note(list, AREA_BACKUP, COF_E_FAILED, "", remedy, err,
			    "the last %s was %lld days ago", what,
			    (long long)(notes->now - when) / DAY_SECONDS);
}

/* What is due of the last backup. */
static cof_result judge_backup(const struct status_backup *notes, struct finding_list *list,
			       struct cof_error *err)
{
	unsigned long long changes = notes->since.records;
	bool revoked = json_get_uint(notes->backup, "epoch", notes->epoch) < notes->epoch;

	if (changes > 0)
		TRY(finding_note(list, AREA_BACKUP, COF_E_FAILED, "", MAKE_BACKUP, err,
				 "the last backup lacks %llu change%s", changes,
				 changes == 1 ? "" : "s"));
	if (revoked)
		TRY(finding_note(list, AREA_BACKUP, COF_E_FAILED, "", NEW_KEYS, err,
				 "the last backup and those before open with what was revoked "
				 "since, and hold the keys of the disks"));
	else if (notes->since.header)
		TRY(finding_note(list, AREA_BACKUP, COF_E_FAILED, "", MAKE_BACKUP, err,
				 "the unlock methods were changed since the last backup, which "
				 "opens with those of before"));
	if (changes > 0 || notes->since.header || revoked)
		return COF_OK;
	return judge_age(notes, notes->backup, "backup", MAKE_BACKUP, list, err);
}

/* Advice where the last drill was with another backup than the last one. */
static cof_result advise_drill(const struct status_backup *notes, struct finding_list *list,
			       struct cof_error *err)
{
	const char *newest = json_get_text(notes->backup, "id");
	const char *tried = json_get_text(notes->drill, "id");
	struct finding untried = {
		.area = AREA_BACKUP,
		.advice = true,
		.error = { .code = COF_E_FAILED,
			   .text = "the newest backup was never tried by a drill",
			   .cause = "the last drill was with another one",
			   .remedy = TRY_BACKUP },
	};

	return newest && tried && strcmp(newest, tried) != 0
		       ? finding_list_add(&untried, list, err)
		       : COF_OK;
}

cof_result status_backup_findings(const struct status_backup *notes, bool never,
				  struct finding_list *list, struct cof_error *err)
{
	unsigned long long fails = json_get_uint(notes->drill, "fails", 0);

	if (!notes->backup && never)
		TRY(finding_note(list, AREA_BACKUP, COF_E_FAILED, "", MAKE_BACKUP, err,
				 "there was never a backup"));
	if (notes->backup)
		TRY(judge_backup(notes, list, err));
	if (!notes->drill)
		return !never ? COF_OK
			      : finding_note(list, AREA_BACKUP, COF_E_FAILED, "", TRY_BACKUP, err,
					     "no backup was ever tried by a drill");
	if (fails > 0)
		TRY(finding_note(list, AREA_BACKUP, COF_E_FAILED, "", TRY_BACKUP, err,
				 "at the last drill %llu disk%s would not have opened", fails,
				 fails == 1 ? "" : "s"));
	if (never)
		TRY(advise_drill(notes, list, err));
	return judge_age(notes, notes->drill, "drill", TRY_BACKUP, list, err);
}

static void print_drill(const struct status_backup *notes, FILE *file)
{
	const struct json *note = notes->drill;
	unsigned long long opens = json_get_uint(note, "opens", 0);
	unsigned long long fails = json_get_uint(note, "fails", 0);
	char failing[48] = "";
	char when[48];

	if (fails > 0)
		(void)snprintf(failing, sizeof(failing), "%llu would NOT, ", fails);
	status_line(file, "drill", "%s, with revision %llu: %llu disk%s would open, %s%llu absent",
		    age(notes, note, when), (unsigned long long)json_get_uint(note, "revision", 0),
		    opens, opens == 1 ? "" : "s", failing,
		    (unsigned long long)json_get_uint(note, "absent", 0));
}

void status_backup_print(const struct status_backup *notes, FILE *file)
{
	unsigned long long changes = notes->since.records;
	const char *path = json_get_text(notes->backup, "file");
	char when[48];

	if (!notes->backup)
		status_line(file, "backup", "never: `coffer backup create FILE`");
	else
		status_line(file, "backup", "%s, revision %llu, %llu change%s since%s: %s",
			    age(notes, notes->backup, when),
			    (unsigned long long)json_get_uint(notes->backup, "revision", 0),
			    changes, changes == 1 ? "" : "s",
			    notes->since.header ? ", its unlock methods are from before" : "",
			    path ? path : "");
	if (!notes->drill)
		status_line(file, "drill", "never: `coffer drill FILE` tries the backup");
	else
		print_drill(notes, file);
}

void status_backup_json(const struct status_backup *notes, struct json *document)
{
	static const char *const counts[] = { "opens", "fails", "absent", "revision" };
	const struct json *drill = notes->drill;
	struct json *json;

	json_set_null(document, "backup");
	json_set_null(document, "drill");
	if (notes->backup) {
		json = json_new_object();
		json_set_text(json, "time", json_get_text(notes->backup, "time"));
		json_set_text(json, "file", json_get_text(notes->backup, "file"));
		json_set_text(json, "id", json_get_text(notes->backup, "id"));
		json_set_uint(json, "revision", json_get_uint(notes->backup, "revision", 0));
		json_set_uint(json, "changes_since", notes->since.records);
		json_set_bool(json, "methods_changed", notes->since.header);
		json_set(document, "backup", json);
	}
	if (!drill)
		return;
	json = json_new_object();
	json_set_text(json, "time", json_get_text(drill, "time"));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_set_uint(json, counts[i], json_get_uint(drill, counts[i], 0));
	json_set_bool(json, "recovery", json_get_bool(drill, "recovery", false));
	json_set(document, "drill", json);
}
