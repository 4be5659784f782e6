/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer-generator: run by systemd at boot and at each daemon-reload, see systemd.generator(7).
 *
 * It never fails the boot: what is wrong goes to the kernel's log, and it ends with 0.
 *
 * usage: coffer-generator [--root DIR] FOLDER [EARLY_FOLDER LATE_FOLDER]
 */

#include <stdio.h>
#include <string.h>

#include "generate.h"

#define LOG_PATH   "/dev/kmsg"
#define LOG_PREFIX "<4>coffer-generator: " /* warning: syslog(3) */

/* A boot_mistake: one line for whoever looks why a unit waits for ever. */
static void tell(const struct cof_error *mistake, void *context)
{
	const char *log = context;
	_cleanup_file_ FILE *file = log ? fopen(log, "we") : NULL;

	(void)fprintf(file ? file : stderr, "%s%s%s%s\n",
		      file ? LOG_PREFIX : "coffer-generator: ", mistake->subject,
		      mistake->subject[0] ? " " : "", mistake->text);
}

int main(int argc, char *argv[])
{
	_cleanup_(boot_list_done) struct boot_list list = { 0 };
	_cleanup_(boot_tables_done) struct boot_tables tables = { 0 };
	bool given = argc > 2 && strcmp(argv[1], "--root") == 0;
	const char *root = given ? argv[2] : "";
	int at = given ? 3 : 1;
	char log_path[] = LOG_PATH;
	char *log = given ? NULL : log_path;
	struct cof_error wrong = { 0 };

	if (argc != at + 1 && argc != at + 3) {
		(void)fprintf(stderr, "usage: coffer-generator [--root DIR] FOLDER [EARLY_FOLDER "
				      "LATE_FOLDER]\n");
		return 2;
	}
	if (cof_failed(boot_load(root, NULL, tell, log, &list, &tables, &wrong)) ||
	    cof_failed(boot_generate(&list, &tables, argv[at], tell, log, &wrong)))
		tell(&wrong, log);
	return 0;
}
