/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of the audit log in mirrors. The log only grows, so that a copy is the beginning of what
 * replaces it, or it says something that the log does not. doc/format-audit.md, section 1.
 */

#include <string.h>

#include "audit_file.h"
#include "audit_head.h"
#include "fault.h"
#include "log.h"
#include "place.h"

#define FILE_MAX_BYTES (64u << 20)

/**
 * struct copying - one log and the folder that its copy is in
 * @names:  of the log's files, the oldest first
 * @proven: the log was found whole
 */
struct copying {
	struct vault *vault;
	const char *to;
	char **names;
	bool proven;
};

/* Reads one file of a log. */
static cof_result read_log(const char *folder, const char *name, struct buffer *ret_content,
			   struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&path, err, "%s/%s", folder, name));
	return file_read_plain(path, FILE_MAX_BYTES, ret_content, err);
}

/* Whether @whole goes on from @beginning, or is the same. */
static bool begins_with(const struct buffer *whole, const struct buffer *beginning)
{
	return beginning->len <= whole->len &&
	       memcmp(whole->data, beginning->data, beginning->len) == 0;
}

/* Whether a copy of audit.log is the beginning of a file that got its older name since. */
static bool is_rotated(const struct copying *copying, const struct buffer *copy)
{
	bool found = false;

	for (size_t i = 0; copying->names[i] && !found; i++) {
		_cleanup_buffer_ struct buffer older = { 0 };

		found = !cof_failed(read_log(copying->vault->paths->vault_dir, copying->names[i],
					     &older, NULL)) &&
			begins_with(&older, copy);
	}
	return found;
}

/* Refuses to put a damaged log in the place of a copy that may be the last good one. */
static cof_result check_log(struct copying *copying, struct cof_error *err)
{
	const char *folder = copying->vault->paths->vault_dir;
	struct audit_verdict verdict;
	cof_result result;

	if (copying->proven)
		return COF_OK;
	TRY(audit_verify_in(copying->vault, folder, &verdict, err));
	copying->proven = verdict.fault == AUDIT_WHOLE;
	if (copying->proven)
		return COF_OK;
	result = cof_raise(err, COF_E_AUTH, verdict.file[0] ? verdict.file : AUDIT_FILE,
			   "line %llu %s", (unsigned long long)verdict.line, verdict.text);
	return cof_explain(result, err, "coffer audit --verify",
			   "the audit log of %s is damaged; its copies in mirrors are kept",
			   folder);
}

/* Keeps a copy that is not the beginning of the log under another name. */
static cof_result set_apart(struct copying *copying, const char *name, struct cof_error *err)
{
	_cleanup_free_ char *from = NULL;
	_cleanup_free_ char *apart = NULL;

	TRY(check_log(copying, err));
	TRY(path_format(&from, err, "%s/%s", copying->to, name));
	TRY(place_aside_name(from, "newer", &apart, err));
	TRY(file_rename(from, apart, err));
	log_notice("a mirror's copy of %s is not the beginning of the vault's: it is kept as %s",
		   name, path_base(apart));
	return COF_OK;
}

/* Whether the copy of a file may be replaced, or needs to be. Older files never change. */
static cof_result clear_way(struct copying *copying, const char *name,
			    const struct buffer *content, bool *ret_needed, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer there = { 0 };
	_cleanup_free_ char *copy = NULL;
	struct stat status;

	TRY(path_format(&copy, err, "%s/%s", copying->to, name));
	*ret_needed = true;
	/* What is no file of ours, a link for instance, is replaced without a look. */
	if (lstat(copy, &status) < 0 || !S_ISREG(status.st_mode))
		return COF_OK;
	if (strcmp(name, AUDIT_FILE) != 0 && (size_t)status.st_size == content->len) {
		*ret_needed = false;
		return COF_OK;
	}
	TRY(read_log(copying->to, name, &there, err));
	*ret_needed = there.len != content->len || !begins_with(content, &there);
	if (begins_with(content, &there) ||
	    (strcmp(name, AUDIT_FILE) == 0 && is_rotated(copying, &there)))
		return COF_OK;
	return set_apart(copying, name, err);
}

/* Copies one file, under a temporary name first. */
static cof_result copy_file(struct copying *copying, const char *name, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	_cleanup_free_ char *copy = NULL;
	_cleanup_free_ char *temporary = NULL;
	bool needed;

	TRY(path_format(&copy, err, "%s/%s", copying->to, name));
	TRY(path_format(&temporary, err, "%s.new", copy));
	TRY(read_log(copying->vault->paths->vault_dir, name, &content, err));
	TRY(clear_way(copying, name, &content, &needed, err));
	if (!needed)
		return COF_OK;
	TRY(file_remove(temporary, err));
	TRY(file_create(temporary, buffer_span(&content), 0600, err));
	TRY(file_rename(temporary, copy, err));
	return fault_point("mirror/audit", err);
}

/* Whether the log has a file of that name. */
static bool has_file(const struct copying *copying, const char *name)
{
	for (size_t i = 0; copying->names[i]; i++)
		if (strcmp(copying->names[i], name) == 0)
			return true;
	return false;
}

/* Copies all files. */
static cof_result copy_files(struct copying *copying, struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **copies = NULL;

	TRY(audit_files(copying->to, &copies, NULL, err));
	for (size_t i = 0; copies[i]; i++)
		if (!has_file(copying, copies[i]))
			TRY(set_apart(copying, copies[i], err));
	for (size_t i = 0; copying->names[i]; i++)
		TRY(copy_file(copying, copying->names[i], err));
	return COF_OK;
}

cof_result audit_copy(struct vault *vault, const char *to, struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_fd_ int lock = -1;
	struct copying copying = { .vault = vault, .to = to };
	struct cof_error problem = { 0 };
	cof_result result;

	TRY(audit_lock(vault->paths->vault_dir, &lock, err));
	TRY(audit_files(vault->paths->vault_dir, &names, NULL, err));
	copying.names = names;
	result = copy_files(&copying, &problem);
	if (result.code == COF_E_AUTH) {
		audit_problem(&problem);
		return COF_OK;
	}
	if (cof_failed(result) && err)
		*err = problem;
	return result;
}
