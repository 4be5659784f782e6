/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The systemd journal, which nothing else writes to.
 */

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "cleanup.h"
#include "journal.h"

/* "NAME=value" on the heap; NULL where there is no memory for it. */
static char *field_text(const char *name, const char *value)
{
	char *text;

	return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

void journal_send(const struct journal_field fields[], size_t count, bool bad)
{
	struct iovec sent[JOURNAL_FIELDS_MAX + 2];
	char *texts[JOURNAL_FIELDS_MAX + 2];
	int used = 0;

	texts[used++] = field_text("PRIORITY", bad ? "4" : "6"); /* syslog(3): warning, info */
	texts[used++] = field_text("SYSLOG_IDENTIFIER", "coffer");
	for (size_t i = 0; i < count && i < JOURNAL_FIELDS_MAX; i++)
		if (fields[i].value)
			texts[used++] = field_text(fields[i].name, fields[i].value);
	for (int i = 0; i < used; i++)
		sent[i] = (struct iovec){ .iov_base = texts[i] ? texts[i] : (char[]){ "" },
					  .iov_len = texts[i] ? strlen(texts[i]) : 0 };
	(void)sd_journal_sendv(sent, used);
	for (int i = 0; i < used; i++)
		free(texts[i]);
}
