/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_OPENER_H
#define COF_BLOCK_OPENER_H

/*
 * Which process has a device open; private to this folder.
 */

#include <sys/types.h>

#include "sysblock.h"

/**
 * struct opener_query - which process is looked for
 * @number:  it has this device open
 * @writers: for writing, and it is another process than this one
 * @files:   it has one of these files open as well, NULL-terminated; NULL: any process will do
 */
struct opener_query {
	dev_t number;
	bool writers;
	char *const *files;
};

/**
 * struct opener - one process that has a device open
 * @command: its name without arguments, which may hold what is no business of an error's text
 * @file:    which of the query's files it has open; borrowed from there
 */
struct opener {
	pid_t pid;
	char command[64];
	const char *file;
};

/** opener_find() - the first such process; other users' processes are seen by root alone */
bool opener_find(const struct block_roots *roots, const struct opener_query *query,
		 struct opener *ret_opener);

#endif
