/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of an audit log as a whole: looking for a line, and setting them aside.
 */

#include <string.h>
#include <time.h>

#include "audit_file.h"
#include "clock.h"
#include "fault.h"
#include "file.h"
#include "number.h"
#include "vault.h"

#define FILE_MAX_BYTES (64u << 20)

/* The line of a number in a file, by how a line begins. */
static bool find_in(struct span content, uint64_t seq, struct span *ret_line)
{
	char head[48];
	size_t len = (size_t)snprintf(head, sizeof(head), "{\"seq\":%llu,",
				      (unsigned long long)seq);
	bool ended;

	while (audit_next_line(&content, ret_line, &ended))
		if (ended && ret_line->len > len && memcmp(ret_line->data, head, len) == 0)
			return true;
	return false;
}

cof_result audit_find(const char *folder, uint64_t seq, struct audit_chain *ret_chain,
		      bool *ret_found, struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	size_t count;

	*ret_found = false;
	TRY(audit_files(folder, &names, &count, err));
	for (size_t i = count; i > 0 && !*ret_found; i--) {
		_cleanup_buffer_ struct buffer content = { 0 };
		_cleanup_free_ char *path = NULL;
		struct span line;

		TRY(path_format(&path, err, "%s/%s", folder, names[i - 1]));
		TRY(file_read_plain(path, FILE_MAX_BYTES, &content, err));
		*ret_found = find_in(buffer_span(&content), seq, &line);
		if (*ret_found)
			TRY(audit_chain_of(line, ret_chain, err));
	}
	return COF_OK;
}

cof_result audit_set_aside(const char *folder, const char *why, struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	char now[32];

	(void)time_format(clock_now(), now);
	TRY(audit_files(folder, &names, NULL, err));
	for (size_t i = 0; names[i]; i++) {
		_cleanup_free_ char *from = NULL;
		_cleanup_free_ char *to = NULL;

		TRY(path_format(&from, err, "%s/%s", folder, names[i]));
		for (int number = 1; !to || path_exists(to); number++) {
			free(TAKE(to));
			TRY(path_format(&to, err, "%s.%s-%s-%d", from, why, now, number));
		}
		TRY(file_rename(from, to, err));
		TRY(fault_point("audit/set-aside", err));
	}
	return COF_OK;
}
