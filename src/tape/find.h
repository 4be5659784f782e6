/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_FIND_H
#define COF_TAPE_FIND_H

/*
 * The tape drives and changers of this machine, as /sys shows them.
 */

#include <stdbool.h>

#include "cleanup.h"
#include "result.h"

/**
 * struct tape_place - one drive or changer
 * @is_changer: it moves tapes and has no tape node
 * @name:   what people call it: "nst0"; of a changer, or without the tape driver, "sg3"
 * @tape:   the node that data goes through, "/dev/nst0"; "" where there is none
 * @node:   the node that takes commands: "/dev/sg3", else @tape
 * @has_sg: @node is an sg node, which needs no capability
 */
struct tape_place {
	bool is_changer;
	char name[64];
	char tape[256];
	char node[256];
	bool has_sg;
	char vendor[32];
	char model[32];
	char revision[32];
};

/**
 * tape_find() - the drive that somebody has named
 * @root:  a prefix of /sys and /dev, "" for none
 * @typed: "nst0", "/dev/nst0", "/dev/sg3", a link to one of them
 * Fails: COF_E_NOENT (no such drive), COF_E_USAGE (it is no tape drive)
 */
cof_result tape_find(const char *root, const char *typed, struct tape_place *ret_place,
		     struct cof_error *err);

/** tape_find_all() - all drives and changers, drives first, in natural order. @ret_places: caller
 * frees. Fails: COF_E_NOMEM */
cof_result tape_find_all(const char *root, struct tape_place **ret_places, size_t *ret_count,
			 struct cof_error *err);

#endif
