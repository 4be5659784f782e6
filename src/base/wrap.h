/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_WRAP_H
#define COF_BASE_WRAP_H

/*
 * Text in lines that fit the screen.
 */

#include <stddef.h>
#include <stdio.h>

/**
 * wrap_print() - words in lines, each of which begins below the others
 * @columns: of the screen; SCREEN_ANY_COLUMNS breaks no line
 * @indent:  blanks before each line
 * @there:   columns of the first line that are printed already, at most @indent
 * @text:    UTF-8; a newline in it ends a line, an empty line stays one, and a line that begins
 *           with a tab is printed as it is, four columns farther right
 *
 * What stands between backquotes, a command to be typed, is not broken: one that is longer than a
 * line is left to the terminal, from which it is copied whole. Nor is a word. No text prints
 * nothing.
 */
void wrap_print(FILE *file, size_t columns, size_t indent, size_t there, const char *text);

/** wrap_line() - the same for a line of which @there columns are printed already; those that follow
 * begin at @indent. No text ends the line */
void wrap_line(FILE *file, size_t columns, size_t there, size_t indent, const char *text);

/**
 * wrap_command_len() - how many bytes of a remedy are a command to be typed
 *
 * One is known by the program's name that it begins with; a comma, a semicolon or two blanks end
 * it, unless they stand between single quotes. 0: no command begins here.
 */
size_t wrap_command_len(const char *text);

/** wrap_remedy() - wrap_line() for what to type next, where no command is broken either */
void wrap_remedy(FILE *file, size_t columns, size_t there, size_t indent, const char *text);

#endif
