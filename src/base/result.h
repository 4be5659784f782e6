/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_RESULT_H
#define COF_BASE_RESULT_H

/*
 * Results and errors.
 *
 * A function that can fail returns cof_result and takes `struct cof_error *err` as its last
 * parameter; err may be NULL. TRY passes a failure up, ENSURE states a requirement, FAIL raises.
 * Success is written once, as the function's last line: `return COF_OK;`.
 * cof_result is a struct, so that an int cannot pass for one and a dropped one is a warning.
 */

#include <stdbool.h>
#include <stddef.h>

/** enum cof_code - why something failed; cof_code_exit_status() gives the process's status */
enum cof_code {
	COF_E_NONE = 0,	   /* success */
	COF_E_FAILED,	   /* failed, nothing more specific */
	COF_E_IO,	   /* the kernel reported an input/output error */
	COF_E_NOSPC,	   /* no room left where it would be written */
	COF_E_NOMEM,	   /* memory could not be had, or not be locked */
	COF_E_USAGE,	   /* the command line is wrong */
	COF_E_REFUSED,	   /* refused for the safety of data */
	COF_E_KEY,	   /* wrong passphrase, recovery key or key */
	COF_E_NOENT,	   /* no such device, record or file */
	COF_E_BUSY,	   /* in use by somebody else */
	COF_E_CONFLICT,	   /* changed by somebody else since it was read */
	COF_E_LOCKED,	   /* the vault is locked */
	COF_E_FORMAT,	   /* bytes that do not follow their format */
	COF_E_AUTH,	   /* bytes that were altered, or belong elsewhere */
	COF_E_UNSUPPORTED, /* not possible on this machine */
};

#if defined(__clang__)
#define COF_MUST_USE __attribute__((warn_unused_result))
#else
#define COF_MUST_USE [[nodiscard]]
#endif

typedef struct COF_MUST_USE cof_result {
	enum cof_code code;
} cof_result;

#define COF_OK ((cof_result){ COF_E_NONE })

/**
 * struct cof_error - one failure, as a person reads it
 * @code:     why
 * @subject:  what it concerns: a device, a file, a record; may be empty
 * @text:     what is wrong with the subject, with the values that disagree
 * @headline: what could not be done because of it, set by cof_explain(); may be empty
 * @cause:    an explanation apart from @text; may be empty
 * @remedy:   what to type next; may be empty
 *
 * Never holds a secret.
 */
struct cof_error {
	enum cof_code code;
	char subject[256];
	char text[512];
	char headline[512];
	char cause[1024];
	char remedy[512];
};

/** cof_failed() - whether @result is a failure */
static inline bool cof_failed(cof_result result)
{
	return result.code != COF_E_NONE;
}

/** cof_ignore() - drop a result on purpose: the comment beside the call says why that is right */
static inline void cof_ignore(cof_result result)
{
	(void)result;
}

/**
 * cof_raise() - fill in @err and return a failure with @code; use FAIL and ENSURE instead
 * @err:     may be NULL
 * @code:    not COF_E_NONE
 * @subject: may be NULL; borrowed
 * @format:  printf's, without a full stop
 */
cof_result cof_raise(struct cof_error *err, enum cof_code code, const char *subject,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/**
 * cof_raise_errno() - the same for a failed system call: picks the code and names errno's meaning
 * @errno_value: positive errno; ENOSPC and EDQUOT become COF_E_NOSPC, ENOENT and ENODEV
 *               COF_E_NOENT, EBUSY COF_E_BUSY, ENOMEM COF_E_NOMEM, the others COF_E_IO
 */
cof_result cof_raise_errno(struct cof_error *err, int errno_value, const char *subject,
			   const char *format, ...) __attribute__((format(printf, 4, 5)));

/** cof_error_cause() - add the explanation to a raised error; @err may be NULL */
void cof_error_cause(struct cof_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** cof_error_try() - add what to type next to a raised error; @err may be NULL */
void cof_error_try(struct cof_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * cof_explain() - say what could not be done because of a failure below
 * @result: handed through; a success changes nothing
 * @err:    may be NULL; the headline of the outermost caller wins
 * @remedy: what to type next, kept only if nothing below said better; may be NULL
 * @format: the headline, printf's
 */
cof_result cof_explain(cof_result result, struct cof_error *err, const char *remedy,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

/** cof_code_name() - stable lower-case name of a code for JSON, for example "refused"; static */
const char *cof_code_name(enum cof_code code);

/** cof_code_exit_status() - the process's exit status for a code, 0 to 9 (see coffer(8)) */
int cof_code_exit_status(enum cof_code code);

/**
 * cof_error_format() - the error as lines for a terminal: headline, cause, remedy
 * @err:          borrowed
 * @out:          receives a NUL-terminated text
 * @out_size_bytes: room in @out, at least 1
 */
void cof_error_format(const struct cof_error *err, char *out, size_t out_size_bytes);

#define TRY(expression)                                \
	do {                                           \
		cof_result cof_try_ = (expression);    \
		if (cof_failed(cof_try_))              \
			return cof_try_;               \
	} while (0)

/* The code stands in the return itself, so that compilers see that this is a failure. */
#define FAIL(err, code, subject, ...)                                           \
	do {                                                                    \
		cof_ignore(cof_raise((err), (code), (subject), __VA_ARGS__));   \
		return (cof_result){ (code) };                                  \
	} while (0)

#define ENSURE(condition, err, code, subject, ...)                \
	do {                                                      \
		if (!(condition))                                 \
			FAIL((err), (code), (subject), __VA_ARGS__); \
	} while (0)

#endif
