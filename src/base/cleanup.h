/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_CLEANUP_H
#define COF_BASE_CLEANUP_H

/*
 * Owning locals carry _cleanup_ from their declaration on; TAKE() hands ownership away.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Hands the pointer on and leaves NULL behind, so that the owner's cleanup does nothing. */
#define TAKE(pointer)                                  \
	({                                             \
		__typeof__(pointer) *take_ = &(pointer); \
		__typeof__(pointer) taken_ = *take_;   \
		*take_ = NULL;                         \
		taken_;                                \
	})

/* The same for a file descriptor: leaves -1 behind. */
#define TAKE_FD(fd)                \
	({                         \
		int *take_ = &(fd); \
		int taken_ = *take_; \
		*take_ = -1;       \
		taken_;            \
	})

/* Defines `type_freep` for `_cleanup_(type_freep)`; free_function(NULL) must do nothing. */
#define DEFINE_FREEP(type, name, free_function)            \
	static inline void name(type **pointer)            \
	{                                                  \
		free_function(*pointer);                   \
		*pointer = NULL;                           \
	}

static inline void free_freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void fd_closep(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void file_closep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static inline void dir_closep(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

#define _cleanup_free_ _cleanup_(free_freep)
#define _cleanup_fd_ _cleanup_(fd_closep)
#define _cleanup_file_ _cleanup_(file_closep)
#define _cleanup_dir_ _cleanup_(dir_closep)

#endif
