/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_SHELL_H
#define COF_BASE_SHELL_H

/*
 * Words of commands that somebody pastes into a shell.
 */

#include <stdbool.h>
#include <stddef.h>

#define SHELL_WORD_CHARS 600 /* a path as people have them, quoted */

/**
 * shell_word() - any text, quoted where a shell would not take it as one word
 * @ret_word: "" where it does not fit, for half a path names another one
 *
 * Returns @ret_word. Quotes as POSIX.1-2017, Shell Command Language, section 2.2.2.
 */
char *shell_word(const char *text, char ret_word[static SHELL_WORD_CHARS]);

/**
 * shell_command() - a command and its one argument, quoted as shell_word() does
 * @command:  "umount"; printed as it is
 * @argument: any text, such as the folder of a mount
 * @ret_line: room for @size_bytes; "" where they do not suffice, for half a path names another one
 *
 * Returns whether it fitted.
 */
bool shell_command(const char *command, const char *argument, char *ret_line, size_t size_bytes);

#endif
