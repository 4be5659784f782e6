/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How `coffer doctor` shows what it found, pure.
 */

#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "screen.h"
#include "wrap.h"

#define SEVERITY_COLUMN 2
#define TEXT_COLUMN	11 /* "warning" and two blanks more */
#define WORD_COLUMN	18 /* "cause: " and "try:   " */

static const char *const areas[] = { AREA_SYSTEM, AREA_VAULT,	 AREA_MIRRORS, AREA_BACKUP,
				     AREA_DISKS,  AREA_CRYPTTAB, AREA_SWAP };

#define AREA_COUNT (sizeof(areas) / sizeof(areas[0]))

/* Makes control characters harmless: names come from headers and files that others wrote. */
static void make_harmless(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* One finding, its cause and its remedy. */
static void print_finding(const struct finding *finding, size_t columns, FILE *file)
{
	struct cof_error error = finding->error;
	char text[sizeof(error.subject) + sizeof(error.text) + 4];

	make_harmless(error.subject);
	make_harmless(error.text);
	make_harmless(error.cause);
	make_harmless(error.remedy);
	(void)snprintf(text, sizeof(text), "%s%s%s", error.subject, error.subject[0] ? ": " : "",
		       error.text);
	(void)fprintf(file, "%*s%-*s", SEVERITY_COLUMN, "", TEXT_COLUMN - SEVERITY_COLUMN,
		      finding_severity(finding));
	wrap_line(file, columns, TEXT_COLUMN, TEXT_COLUMN, text);
	if (error.cause[0]) {
		(void)fprintf(file, "%*scause: ", TEXT_COLUMN, "");
		wrap_line(file, columns, WORD_COLUMN, WORD_COLUMN, error.cause);
	}
	if (error.remedy[0]) {
		(void)fprintf(file, "%*stry:   ", TEXT_COLUMN, "");
		wrap_remedy(file, columns, WORD_COLUMN, WORD_COLUMN, error.remedy);
	}
}

/* Those of one area, below its name. */
static void print_area(const struct finding_list *list, const char *area, size_t columns,
		       FILE *file)
{
	bool begun = false;

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].area, area) != 0)
			continue;
		if (!begun)
			(void)fprintf(file, "%s\n", area);
		begun = true;
		print_finding(&list->items[i], columns, file);
	}
	if (begun)
		(void)fputc('\n', file);
}

/* How many findings are of this severity. */
static size_t count_severity(const struct finding_list *list, const char *severity)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += strcmp(finding_severity(&list->items[i]), severity) == 0;
	return count;
}

void doctor_print(const struct finding_list *list, size_t checked, size_t skipped, FILE *file)
{
	size_t columns = screen_columns(fileno(file), SCREEN_ANY_COLUMNS);
	bool well = list->count == count_severity(list, "advice");
	char left_out[48] = "";

	for (size_t i = 0; i < AREA_COUNT; i++)
		print_area(list, areas[i], columns, file);
	if (skipped)
		(void)snprintf(left_out, sizeof(left_out), ", %zu left out", skipped);
	(void)fprintf(file, "%s%zu checks made%s.\n", well ? "All is well: " : "", checked,
		      left_out);
}

/* The code of the first finding, as they are shown, that is no advice. */
static enum cof_code first_code(const struct finding_list *list)
{
	for (size_t area = 0; area < AREA_COUNT; area++)
		for (size_t i = 0; i < list->count; i++)
			if (!list->items[i].advice && strcmp(list->items[i].area, areas[area]) == 0)
				return list->items[i].error.code;
	return COF_E_NONE;
}

cof_result doctor_result(const struct finding_list *list, const char *folder, struct cof_error *err)
{
	size_t damaged = count_severity(list, "damage");
	size_t wrong = damaged + count_severity(list, "warning");
	enum cof_code code = damaged ? COF_E_FORMAT : first_code(list);

	if (code == COF_E_NONE)
		return COF_OK;
	return cof_raise(err, code, folder, "%zu thing%s wrong or due, %zu of them damage", wrong,
			 wrong == 1 ? " is" : "s are", damaged);
}
