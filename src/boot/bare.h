/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_BARE_H
#define COF_BOOT_BARE_H

/*
 * Mount points made immutable while nothing is mounted there, so that no program fills the file
 * system below them: chattr(1), "i".
 */

#include "result.h"

/** enum bare_state - what a bare mount point is like */
enum bare_state {
	BARE_OPEN,    /* an empty folder that takes files */
	BARE_CLOSED,  /* immutable */
	BARE_FULL,    /* holds something, which a mount hides */
	BARE_MISSING, /* there is no such folder */
	BARE_UNFIT, /* its file system has no such flag, or it cannot be reached below the mount */
};

/** bare_look() - the folder at @path itself, whatever is mounted there; changes nothing */
enum bare_state bare_look(const char *path);

/**
 * bare_set() - close it to writers, or open it again; nothing to do is success
 * Fails: COF_E_IO, COF_E_NOENT (no such folder), COF_E_UNSUPPORTED
 */
cof_result bare_set(const char *path, bool closed, struct cof_error *err);

#endif
