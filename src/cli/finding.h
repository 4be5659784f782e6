/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_FINDING_H
#define COF_CLI_FINDING_H

/*
 * What is wrong, or due: what `coffer doctor` lists, and others warn of.
 */

#include "cli.h"

/* The areas in which findings are grouped, in the order of showing. */
#define AREA_SYSTEM   "system"
#define AREA_VAULT    "vault"
#define AREA_MIRRORS  "mirrors"
#define AREA_BACKUP   "backup"
#define AREA_DISKS    "disks"
#define AREA_CRYPTTAB "crypttab"
#define AREA_SWAP     "swap"

/**
 * struct finding - one of them
 * @area:   static
 * @advice: nothing is wrong; it is said all the same
 * @error:  subject, what is wrong with it, cause, and the command that mends it; no headline
 */
struct finding {
	const char *area;
	bool advice;
	struct cof_error error;
};

/** finding_severity() - "damage", "warning" or "advice", by the code; static */
const char *finding_severity(const struct finding *finding);

/** finding_visit - called for each; borrowed. Fails: COF_E_NOMEM */
typedef cof_result (*finding_visit)(const struct finding *finding, void *context,
				    struct cof_error *err);

/** struct finding_list - owned */
struct finding_list {
	struct finding *items;
	size_t count;
};
void finding_list_done(struct finding_list *list);

/** finding_list_add() - a copy of it. A finding_visit whose context is the list; the same twice
 * stands there once */
cof_result finding_list_add(const struct finding *finding, void *list, struct cof_error *err);

/** finding_add() - one that is a failure's text. Fails: COF_E_NOMEM */
cof_result finding_add(struct finding_list *list, const char *area, const struct cof_error *error,
		       struct cof_error *err);

/**
 * finding_note() - one whose text is printf's
 * @subject: "" for none
 * @remedy:  "" for none
 * Fails: COF_E_NOMEM
 */
cof_result finding_note(struct finding_list *list, const char *area, enum cof_code code,
			const char *subject, const char *remedy, struct cof_error *err,
			const char *format, ...) __attribute__((format(printf, 7, 8)));

/** finding_text() - all of it in one line, a command between backquotes; returns @out */
#define FINDING_TEXT_CHARS 2400
char *finding_text(const struct finding *finding, char out[static FINDING_TEXT_CHARS]);

/** finding_list_say() - each as a warning, or a note, on stdout, below a table */
void finding_list_say(const struct cli_call *call, const struct finding_list *list);

/** finding_json() - {"area","severity","code","subject","problem","cause","remedy"}; caller owns */
struct json *finding_json(const struct finding *finding);

#endif
