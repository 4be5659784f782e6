/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copies of vaults that mirrors hold: which there are, which is the newest, what it has that
 * the vault has not, and how it is put in the vault's place.
 */

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "place.h"
#include "reach.h"
#include "shadow.h"
#include "shell.h"

/* ---- shell lines ---- */

void copy_remedy(const struct paths *paths, const char *folder, char *out, size_t room)
{
	char vault[SHELL_WORD_CHARS];
	char aside[SHELL_WORD_CHARS];
	char source[SHELL_WORD_CHARS];
	_cleanup_free_ char *name = NULL;
	time_t now = clock_now();
	struct tm parts;
	char date[32];

	(void)strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &parts));
	(void)shell_word(paths->vault_dir, vault);
	(void)shell_word(folder, source);
	*out = '\0';
	if (!path_exists(paths->vault_dir))
		(void)snprintf(out, room, "cp -a %s %s", source, vault);
	else if (!cof_failed(path_format(&name, NULL, "%s.aside-%s", paths->vault_dir, date)))
		(void)snprintf(out, room, "mv %s %s && cp -a %s %s", vault, shell_word(name, aside),
			       source, vault);
}

/* ---- one copy ---- */

/* Looks at the copy of vault @uuid in a mirror; @ret_whole: it could be used as it is. */
static cof_result examine(const struct paths *paths, const char *mirror, const char *uuid,
			  struct vault *vault, struct vault_copy *copy, bool *ret_whole,
			  struct cof_error *err)
{
	_cleanup_(shadow_freep) struct shadow *shadow = NULL;
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));
	_cleanup_free_ char *header = NULL;
	uint8_t found_uuid[VAULT_UUID_BYTES];
	uint8_t named_uuid[VAULT_UUID_BYTES];
	bool found;

	ENSURE(info, err, COF_E_NOMEM, mirror, "no memory for a header");
	*copy = (struct vault_copy){ .mirror = mirror };
	*ret_whole = false;
	(void)snprintf(copy->folder, sizeof(copy->folder), "%s/" COPY_PREFIX "%s", mirror, uuid);
	memcpy(copy->uuid, uuid, LUKS_UUID_CHARS + 1);
	if (cof_failed(header_uuid_parse(uuid, named_uuid, NULL)) ||
	    cof_failed(shadow_open(paths, copy->folder, &shadow, NULL)))
		return COF_OK;
	TRY(place_file(&shadow->place, "root.luks", &header, err));
	if (!place_is_plain(header) || cof_failed(luks_read(header, NULL, info, NULL)) ||
	    strcmp(info->uuid, uuid) != 0 ||
	    cof_failed(shadow->vault.engine->check(shadow->vault.keystore, NULL)) ||
	    cof_failed(identity_epoch(&shadow->vault, &copy->epoch, found_uuid, &found, NULL)) ||
	    !found || memcmp(found_uuid, named_uuid, sizeof(found_uuid)) != 0 ||
	    cof_failed(sealed_revision(&shadow->vault, &copy->revision, NULL)))
		return COF_OK;
	shadow->vault.epoch = copy->epoch;
	*ret_whole = !vault || !cof_failed(shadow_check_rows(shadow, vault, NULL));
	return COF_OK;
}

/* ---- all copies ---- */

/* Copies that were found. */
struct copy_list {
	struct vault_copy *copies;
	size_t count;
};

/* Adds the copy of vault @uuid in @mirror if it is whole. */
static cof_result add_copy(struct copy_list *list, const struct paths *paths, const char *mirror,
			   const char *uuid, struct vault *vault, struct cof_error *err)
{
	struct vault_copy *grown =
		reallocarray(list->copies, list->count + 1, sizeof(*list->copies));
	bool whole;

	ENSURE(grown, err, COF_E_NOMEM, mirror, "no memory for %zu copies", list->count + 1);
	list->copies = grown;
	TRY(examine(paths, mirror, uuid, vault, &grown[list->count], &whole, err));
	list->count += whole ? 1 : 0;
	return COF_OK;
}

/* The UUID that a name in a mirror says, or NULL: copies that were set aside do not count. */
static const char *uuid_of_name(const char *name)
{
	const char *uuid = name + strlen(COPY_PREFIX);

	if (strncmp(name, COPY_PREFIX, strlen(COPY_PREFIX)) != 0 ||
	    strlen(uuid) != LUKS_UUID_CHARS || strspn(uuid, "0123456789abcdef-") != LUKS_UUID_CHARS)
		return NULL;
	return uuid;
}

/* Adds every copy in one mirror. */
static cof_result scan_mirror(struct copy_list *list, const struct paths *paths, const char *mirror,
			      struct cof_error *err)
{
	_cleanup_(dir_closep) DIR *dir = reach_answers(mirror, mirror) ? opendir(mirror) : NULL;

	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		const char *uuid = uuid_of_name(entry->d_name);

		if (uuid)
			TRY(add_copy(list, paths, mirror, uuid, NULL, err));
	}
	return COF_OK;
}

/* By vault, the newest first. */
static int compare_copies(const void *a, const void *b)
{
	const struct vault_copy *one = a;
	const struct vault_copy *other = b;
	int by_uuid = strcmp(one->uuid, other->uuid);

	if (by_uuid != 0)
		return by_uuid;
	if (one->epoch != other->epoch)
		return one->epoch > other->epoch ? -1 : 1;
	if (one->revision != other->revision)
		return one->revision > other->revision ? -1 : 1;
	return 0;
}

cof_result vault_copies(const struct paths *paths, struct vault_copy **ret_copies,
			size_t *ret_count, struct cof_error *err)
{
	struct copy_list list = { 0 };
	_cleanup_free_ struct vault_copy *copies = NULL;

	for (size_t i = 0; paths->mirrors && paths->mirrors[i]; i++) {
		cof_result scanned = scan_mirror(&list, paths, paths->mirrors[i], err);

		copies = list.copies;
		if (cof_failed(scanned))
			return scanned;
		copies = NULL;
	}
	if (list.count > 1)
		qsort(list.copies, list.count, sizeof(*list.copies), compare_copies);

	*ret_copies = list.copies;
	*ret_count = list.count;
	return COF_OK;
}

/* Why a mirror may be one whose medium is not mounted: "is not there", or NULL for one that has
 * something. */
static const char *why_away(const char *mirror)
{
	_cleanup_dir_ DIR *dir = reach_answers(mirror, mirror) ? opendir(mirror) : NULL;
	struct dirent *entry = dir ? readdir(dir) : NULL;

	while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0))
		entry = readdir(dir);
	if (!dir)
		return "is not there";
	return entry ? NULL : "is empty, as a place is where nothing is mounted";
}

/* Names a mirror that is not there; it may be the one with the copy. */
static bool explain_away(const struct paths *paths, struct cof_error *err)
{
	for (size_t i = 0; paths->mirrors && paths->mirrors[i]; i++) {
		const char *why = why_away(paths->mirrors[i]);

		if (!why)
			continue;
		cof_error_cause(err, "the mirror %s, which may have a copy of it, %s",
				paths->mirrors[i], why);
		cof_error_try(err, "mount %s and look again; or coffer init, for a new vault",
			      paths->mirrors[i]);
		return true;
	}
	return false;
}

bool vault_copies_explain(const struct paths *paths, struct cof_error *err)
{
	_cleanup_free_ struct vault_copy *copies = NULL;
	char remedy[PLACE_REMEDY_CHARS];
	size_t count = 0;

	if (!err || cof_failed(vault_copies(paths, &copies, &count, NULL)))
		return false;
	if (count == 0)
		return explain_away(paths, err);
	copy_remedy(paths, copies[0].folder, remedy, sizeof(remedy));
	if (strcmp(copies[0].uuid, copies[count - 1].uuid) == 0) {
		cof_error_cause(err,
				"the mirror %s has a copy of one: %s, epoch %u, revision %llu; is "
				"the file system of the vault's own folder mounted?",
				copies[0].mirror, copies[0].folder, copies[0].epoch,
				(unsigned long long)copies[0].revision);
		cof_error_try(err, "%s", remedy);
		return true;
	}
	cof_error_cause(err, "the mirrors have copies of several vaults, among them %s and %s",
			copies[0].folder, copies[count - 1].folder);
	cof_error_try(err, "%s, with the folder of this machine's vault", remedy);
	return true;
}

/* ---- the copies of one vault ---- */

cof_result copy_try_newest(struct vault *vault, cof_result result, struct cof_error *err)
{
	struct copy_list list = { 0 };
	_cleanup_free_ struct vault_copy *copies = NULL;
	char remedy[PLACE_REMEDY_CHARS];

	if (!err || err->remedy[0] != '\0' || vault->uuid_text[0] == '\0' ||
	    (result.code != COF_E_AUTH && result.code != COF_E_FORMAT))
		return result;
	for (size_t i = 0; vault->paths->mirrors && vault->paths->mirrors[i]; i++) {
		if (!reach_answers(vault->paths->mirrors[i], vault->paths->mirrors[i]))
			continue;
		/* Without memory for one more copy, the others are good enough. */
		cof_ignore(add_copy(&list, vault->paths, vault->paths->mirrors[i], vault->uuid_text,
				    vault, NULL));
		copies = list.copies;
	}
	if (list.count == 0) {
		cof_error_try(err,
			      "mv %s %s.aside, which keeps it, then coffer backup restore FILE",
			      vault->paths->vault_dir, vault->paths->vault_dir);
		return result;
	}
	qsort(copies, list.count, sizeof(*copies), compare_copies);
	if (err->cause[0] == '\0')
		cof_error_cause(err, "the newest whole copy, epoch %u, revision %llu, is in %s",
				copies[0].epoch, (unsigned long long)copies[0].revision,
				copies[0].mirror);
	copy_remedy(vault->paths, copies[0].folder, remedy, sizeof(remedy));
	cof_error_try(err, "%s", remedy);
	return result;
}

/* A copy whose records are compared with the vault's. */
struct comparison {
	struct vault *vault;
	struct vault_newer *newer;
	size_t room;
};

/* Adds a record to those that would be forgotten. */
static cof_result add_forgotten(struct comparison *comparison, const char *name,
				struct cof_error *err)
{
	struct vault_newer *newer = comparison->newer;

	if (newer->record_count == comparison->room) {
		size_t room = comparison->room ? 2 * comparison->room : 16;
		char **grown = reallocarray(newer->records, room, sizeof(*grown));

		ENSURE(grown, err, COF_E_NOMEM, name, "no memory for %zu names", room);
		newer->records = grown;
		comparison->room = room;
	}
	newer->records[newer->record_count] = strdup(name);
	ENSURE(newer->records[newer->record_count], err, COF_E_NOMEM, name, "no memory for a name");
	newer->record_count++;
	return COF_OK;
}

/* Notes a record of the copy that the vault has not, or in an older generation alone. */
static cof_result compare_record(const char *key, struct span value, uint64_t revision,
				 void *context, struct cof_error *err)
{
	struct comparison *comparison = context;
	_cleanup_row_ struct row own = { 0 };
	struct sealed_header theirs;
	struct sealed_header ours;

	TRY(row_get(comparison->vault, key, &own, err));
	if (own.found && !cof_failed(sealed_parse(value, key, &theirs, NULL, NULL)) &&
	    !cof_failed(sealed_parse(buffer_span(&own.value), key, &ours, NULL, NULL)) &&
	    theirs.generation <= ours.generation &&
	    memcmp(theirs.id, ours.id, sizeof(ours.id)) == 0)
		return COF_OK;
	return add_forgotten(comparison, key + strlen(ROW_RECORDS), err);
}

void newer_done(struct vault_newer *newer)
{
	for (size_t i = 0; i < newer->record_count; i++)
		free(newer->records[i]);
	free(newer->records);
	newer->records = NULL;
	newer->record_count = 0;
}

void copy_forgotten(struct vault *vault, const char *mirror, struct vault_newer *newer)
{
	_cleanup_(shadow_freep) struct shadow *shadow = NULL;
	_cleanup_free_ char *folder = NULL;
	struct comparison comparison = { .vault = vault, .newer = newer };

	newer->readable = !cof_failed(mirror_path(vault, mirror, "", &folder, NULL)) &&
			  !cof_failed(shadow_open(vault->paths, folder, &shadow, NULL)) &&
			  !cof_failed(vault->engine->walk(shadow->vault.keystore, ROW_RECORDS,
							  compare_record, &comparison, NULL));
}
