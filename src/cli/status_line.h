/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_STATUS_LINE_H
#define COF_CLI_STATUS_LINE_H

/*
 * The lines of `coffer status`: a label, and text that fits the screen.
 */

#include <stdio.h>

/**
 * status_line() - print a line
 * @label: what it is about; "" goes on with the line before
 *
 * The text may come from files that others can write: control characters become question marks.
 */
void status_line(FILE *file, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
