/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_LOG_H
#define COF_BASE_LOG_H

/*
 * Debug lines of library code, switched on by COFFER_DEBUG=area,area or COFFER_DEBUG=all.
 * Everything else a person should know is an error or a result and is reported once, by the
 * command line or the daemon. Never log a secret, at any level.
 */

/** log_debug() - one line on stderr, "coffer[area]: text" */
void log_debug(const char *area, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** log_notice() - advice for the user on stderr, "coffer: text", wrapped to the screen */
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
