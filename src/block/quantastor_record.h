/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_QUANTASTOR_RECORD_H
#define COF_BLOCK_QUANTASTOR_RECORD_H

/*
 * What a record of kind DISK_IMPORT_KIND says; private to this folder.
 */

#include "vault.h"

/**
 * struct quantastor_origin - where a disk's key was before it was imported; all borrowed
 * @folder:      that was imported
 * @header_file: "" where it had no copy of the header
 * @has_line:    crypttab had a line of that name, with these fields
 */
struct quantastor_origin {
	const char *folder;
	const char *key_file;
	const char *header_file;
	const char *uuid;
	bool has_line;
	const char *line_source;
	const char *line_key;
	const char *line_options;
	bool done; /* the files are gone: nothing can be undone */
};

/** quantastor_origin_to_meta() - caller owns */
struct json *quantastor_origin_to_meta(const struct quantastor_origin *origin);
/** quantastor_origin_of() - the reverse; borrowed from @record.
 * Fails: COF_E_FORMAT (a field is missing) */
cof_result quantastor_origin_of(const struct record *record, struct quantastor_origin *ret_origin,
				struct cof_error *err);
/** quantastor_is_imported() - whether a record speaks of the header @uuid, and can be undone */
bool quantastor_is_imported(const struct record *record, const char *uuid);

#endif
