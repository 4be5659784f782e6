/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_SHELL_H
#define COF_BASE_SHELL_H

/*
 * Words of commands that somebody pastes into a shell.
 */

#include <stdbool.h>
#include <stddef.h>

/**
 * shell_command() - a command and its one argument, which is quoted where a shell would not take
 * it as one word
 * @command:  "umount"; printed as it is
 * @argument: any text, such as the folder of a mount
 * @ret_line: room for @size_bytes; "" where they do not suffice, for half a path names another one
 *
 * Returns whether it fitted. Quotes as POSIX.1-2017, Shell Command Language, section 2.2.2.
 */
bool shell_command(const char *command, const char *argument, char *ret_line, size_t size_bytes);

#endif
