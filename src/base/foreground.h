/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_FOREGROUND_H
#define COF_BASE_FOREGROUND_H

/*
 * Another program in our place: on our terminal, with our streams, and with the signals that are
 * sent to us.
 */

#include "result.h"

/**
 * foreground_run() - run a program to its end, and stay to do what is due then
 * @argv:       NULL-terminated; argv[0] is looked up in PATH; never holds a secret
 * @ret_status: its exit status, 128 + signal where it was killed
 *
 * A signal that asks us to end (SIGINT, SIGTERM, SIGHUP, SIGQUIT) is passed on to it. For a process
 * whose other threads block these signals. Descriptors without FD_CLOEXEC are inherited.
 * Fails: COF_E_NOENT (no such program), COF_E_IO
 */
cof_result foreground_run(const char *const argv[], int *ret_status, struct cof_error *err);

#endif
