/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_TEXT_DIFF_H
#define COF_BLOCK_TEXT_DIFF_H

#include "buffer.h"

/**
 * text_diff() - what changes in a file, line by line, as `diff` shows it, pure
 * @path: of the heading
 * @ret_diff: appended: "--- PATH", lines with "-", "+" or " " in front; nothing where both texts
 *            are equal. Of lines that stay, those beside a change are shown
 * Fails: COF_E_NOMEM
 */
cof_result text_diff(const char *path, struct span before, struct span after,
		     struct buffer *ret_diff, struct cof_error *err);

#endif
