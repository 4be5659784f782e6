/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_SCREEN_H
#define COF_BASE_SCREEN_H

/*
 * How much a screen shows.
 */

#include <stddef.h>

#define SCREEN_ANY_COLUMNS ((size_t)-1) /* no limit */

/**
 * screen_columns() - how wide what is written to @fd may be
 * COLUMNS of the environment counts first, then the terminal's own width.
 * @otherwise: for what is no terminal, or one that does not know
 */
size_t screen_columns(int fd, size_t otherwise);

/** screen_rows() - how many lines the terminal behind @fd shows; @otherwise as above */
size_t screen_rows(int fd, size_t otherwise);

/** screen_width() - how many columns a text takes, each character (UTF-8) counting as one; pure */
size_t screen_width(const char *text);

/** screen_fit() - how many bytes of a text fit into @columns without cutting a character; pure */
size_t screen_fit(const char *text, size_t columns);

#endif
