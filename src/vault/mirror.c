/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mirrors: copies of header, keystore and mark in other places. They never make a commit fail.
 * doc/format-vault.md, section 6.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "audit_head.h"
#include "fault.h"
#include "log.h"
#include "mirror_check.h"
#include "number.h"
#include "patience.h"
#include "place.h"

#define MARK_DIGEST_CHARS 33 /* half a SHA-256 in hex, and the end */

cof_result mirror_path(const struct vault *vault, const char *mirror, const char *file,
		       char **ret_path, struct cof_error *err)
{
	return path_format(ret_path, err, "%s/" COPY_PREFIX "%s%s%s", mirror, vault->uuid_text,
			   *file ? "/" : "", file);
}

/* Writes the header from the keystore's copy, under a temporary name first. */
static cof_result write_header(struct vault *vault, const char *path, struct cof_error *err)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_row_ struct row row = { 0 };
	struct span copy;
	uint64_t sequence;
	cof_result result;

	if (mirror_header_is_current(vault, path))
		return COF_OK;
	TRY(header_check_seal(vault, err));
	TRY(row_get(vault, ROW_HEADER, &row, err));
	ENSURE(row.found, err, COF_E_FORMAT, ROW_HEADER, "the keystore has no copy of the header");
	TRY(header_copy_split(buffer_span(&row.value), &sequence, &copy, err));
	TRY(path_format(&temporary, err, "%s.new", path));
	TRY(file_remove(temporary, err));
	result = luks_write_header_copy(copy, temporary, err);
	if (!cof_failed(result))
		result = header_sync(temporary, err);
	if (!cof_failed(result))
		result = file_rename(temporary, path, err);
	if (cof_failed(result))
		cof_ignore(
			file_remove(temporary, NULL)); /* the first failure is the one to report */
	TRY(result);
	return fault_point("mirror/header", err);
}

/* Writes a snapshot of the keystore, under a temporary name first. */
static cof_result write_keystore(struct vault *vault, const char *path, struct cof_error *err)
{
	_cleanup_free_ char *temporary = NULL;

	TRY(path_format(&temporary, err, "%s.new", path));
	TRY(file_remove(temporary, err));
	TRY(vault->engine->snapshot(vault->keystore, temporary, err));
	TRY(file_rename(temporary, path, err));
	return fault_point("mirror/keystore", err);
}

cof_result mirror_set_aside(struct vault *vault, const char *mirror, const char *why,
			    struct cof_error *err)
{
	_cleanup_place_ struct place place = PLACE_NONE;
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *aside = NULL;

	TRY(mirror_path(vault, mirror, "", &folder, err));
	TRY(place_open(folder, &place, err));
	TRY(place_check_elsewhere(vault, mirror, &place, err));
	if (place.fd < 0)
		return COF_OK;
	TRY(place_aside_name(folder, why, &aside, err));
	TRY(file_rename(folder, aside, err));
	/* Without it, the mirror would be taken for one that is not mounted. */
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return cof_raise_errno(err, errno, folder, "cannot be made");
	return file_sync_folder_of(folder, err);
}

/**
 * struct digests - of the marks that one writing of a mirror is about; "" for one that is missing
 * @before: of the one that the mirror has
 * @own:    of the vault's, which it is to get
 */
struct digests {
	char before[MARK_DIGEST_CHARS];
	char own[MARK_DIGEST_CHARS];
};

/* The digest of a mark that is there, by which it is known again; "" for none. */
static void mark_digest(const char *path, char out[static MARK_DIGEST_CHARS])
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	uint8_t hash[SHA256_BYTES];

	*out = '\0';
	if (!cof_failed(file_read_plain(path, MARK_MAX_BYTES, &bytes, NULL)) &&
	    !cof_failed(sha256(buffer_span(&bytes), hash, NULL)))
		(void)hex_format(hash, MARK_DIGEST_CHARS / 2, out);
}

/* Whether this vault itself wrote the mark with this digest to the mirror. */
static bool is_known(const struct json *state, const char *digest)
{
	const char *last = json_get_text(state, "mark");
	const char *before = json_get_text(state, "mark_before");

	return (last && strcmp(last, digest) == 0) || (before && strcmp(before, digest) == 0);
}

/* Sets a copy aside; an empty folder takes its place, with no mark. */
static cof_result set_aside(struct vault *vault, const char *mirror, const char *why,
			    struct digests *digests, struct cof_error *err)
{
	digests->before[0] = '\0';
	return mirror_set_aside(vault, mirror, why, err);
}

/*
 * Sets a copy aside that this vault did not write and that holds what the vault has not: that of
 * another past, which was away while an older keystore was put back. Its revision tells nothing.
 */
static cof_result keep_other_past(struct vault *vault, const char *mirror, struct digests *digests,
				  struct cof_error *err)
{
	_cleanup_json_ struct json *state = NULL;
	_cleanup_newer_ struct vault_newer copy = { 0 };

	TRY(mirror_recall(vault, mirror, &state, err));
	if (digests->before[0] == '\0' || strcmp(digests->before, digests->own) == 0 ||
	    is_known(state, digests->before))
		return COF_OK;
	copy_forgotten(vault, mirror, &copy);
	if (copy.readable && copy.record_count == 0)
		return COF_OK;
	log_notice("the copy in %s has %s%s, which the vault has not: it is kept as *.newer-DATE",
		   mirror, copy.readable ? copy.records[0] : "records that cannot be read",
		   copy.record_count > 1 ? " and more" : "");
	return set_aside(vault, mirror, "newer", digests, err);
}

/* Sets a copy aside that is damaged, or of another past; @ret_same: what is there has the vault's
 * keystore already. */
static cof_result clear_place(struct vault *vault, const char *mirror, const char *folder,
			      struct digests *digests, bool *ret_same, struct cof_error *err)
{
	char damage[MIRROR_DAMAGE_CHARS];

	mirror_damage(vault, mirror, folder, ret_same, damage);
	if (!*damage)
		return keep_other_past(vault, mirror, digests, err);
	log_notice("the copy in %s is damaged (%s): it is kept as *.damaged-DATE", mirror, damage);
	TRY(set_aside(vault, mirror, "damaged", digests, err));
	TRY(fault_point("mirror/set-aside", err));
	*ret_same = false;
	return mirror_set_damage(vault, mirror, NULL, err);
}

/* Writes the mark under a temporary name first. file_replace() would follow a symbolic link. */
static cof_result write_mark(struct vault *vault, const char *path, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_free_ char *temporary = NULL;

	TRY(file_read(vault->mark_path, 4096, &bytes, err));
	TRY(path_format(&temporary, err, "%s.new", path));
	TRY(file_remove(temporary, err));
	TRY(file_create(temporary, buffer_span(&bytes), 0600, err));
	TRY(file_rename(temporary, path, err));
	return fault_point("mirror/mark", err);
}

/* Makes the folder for this vault, unless it is there, and opens it. */
static cof_result make_folder(const struct vault *vault, const char *mirror, const char *folder,
			      struct place *place, struct cof_error *err)
{
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return cof_raise_errno(err, errno, folder, "cannot be made");
	TRY(file_sync_folder_of(folder, err));
	TRY(place_open(folder, place, err));
	ENSURE(place->fd >= 0, err, COF_E_IO, folder, "is gone again");
	return place_check_elsewhere(vault, mirror, place, err);
}

/* Writes the log, for which the keystore knows a line, then header, keystore and, last because it
 * tells that they are whole, the mark. A log that cannot be written keeps no key away. */
static cof_result write_files(struct vault *vault, const char *mirror, const struct place *place,
			      const struct digests *digests, struct cof_error *err)
{
	_cleanup_free_ char *keystore = NULL;
	_cleanup_free_ char *mark_path = NULL;
	struct cof_error log_failure = { 0 };
	cof_result logged;

	TRY(place_file(place, "vault.db", &keystore, err));
	TRY(place_file(place, "vault.mark", &mark_path, err));
	TRY(mirror_expect(vault, mirror, digests->before, digests->own, err));
	logged = audit_copy(vault, place->path, &log_failure);
	TRY(write_keystore(vault, keystore, err));
	TRY(write_mark(vault, mark_path, err));
	if (cof_failed(logged) && err)
		*err = log_failure;
	return logged;
}

/* Whether the mark that a mirror has is that of the vault as it is now. */
static bool has_mark(struct vault *vault, const struct place *place, uint64_t revision)
{
	_cleanup_free_ char *path = NULL;
	struct mark mark;

	if (cof_failed(place_file(place, "vault.mark", &path, NULL)))
		return false;
	mark_load(vault, path, &mark);
	return mark.exists && mark.epoch == vault->epoch && mark.revision == revision &&
	       (mark.proven || !vault->unlocked);
}

/* Brings the files of one mirror up to date. @same: its keystore is the vault's already. */
static cof_result update_files(struct vault *vault, const char *mirror, const struct place *place,
			       uint64_t revision, const struct digests *digests, bool same,
			       struct cof_error *err)
{
	_cleanup_free_ char *header = NULL;

	TRY(place_file(place, "root.luks", &header, err));
	TRY(file_sweep(place->path, "vault.db.new", err));
	TRY(file_sweep(place->path, "vault.mark.new", err));
	TRY(write_header(vault, header, err));
	if (same && has_mark(vault, place, revision))
		return COF_OK;
	return write_files(vault, mirror, place, digests, err);
}

/* Brings one mirror up to date, unless it is not to be touched. */
static cof_result write_mirror(struct vault *vault, const char *mirror, const char *folder,
			       struct place *place, struct cof_error *err)
{
	_cleanup_free_ char *mark_path = NULL;
	struct digests digests = { 0 };
	struct mark mark;
	uint64_t revision;
	bool same = false;

	TRY(sealed_revision(vault, &revision, err));
	TRY(place_open(folder, place, err));
	TRY(place_check_elsewhere(vault, mirror, place, err));
	mark_digest(vault->mark_path, digests.own);
	if (place->fd >= 0) {
		TRY(place_file(place, "vault.mark", &mark_path, err));
		mark_digest(mark_path, digests.before);
		mark_load(vault, mark_path, &mark);
		ENSURE(!mark_counts_newer(vault, &mark, revision), err, COF_E_REFUSED, folder,
		       "is newer (epoch %u, revision %llu) than the vault (%u, %llu)", mark.epoch,
		       (unsigned long long)mark.revision, vault->epoch,
		       (unsigned long long)revision);
		TRY(clear_place(vault, mirror, folder, &digests, &same, err));
	}
	TRY(make_folder(vault, mirror, folder, place, err));
	return update_files(vault, mirror, place, revision, &digests, same, err);
}

/* The reason of a failure, with the mirror's own name of what it concerns. */
static void format_failure(const struct cof_error *err, const struct place *place,
			   const char *folder, char *out, size_t room)
{
	size_t len = strlen(place->path);

	if (place->fd >= 0 && strncmp(err->subject, place->path, len) == 0)
		(void)snprintf(out, room, "%.100s%.40s: %.100s", folder, err->subject + len,
			       err->text);
	else
		(void)snprintf(out, room, "%.120s: %.120s", err->subject, err->text);
}

bool mirror_is_away(struct vault *vault, const char *mirror, const char *folder)
{
	_cleanup_json_ struct json *state = NULL;
	struct place_absence absence;

	return cof_failed(mirror_recall(vault, mirror, &state, NULL)) ||
	       place_is_away(vault, mirror, folder, json_get_bool(state, "written", false),
			     json_get_text(state, "mount"), &absence);
}

void mirrors_write(struct vault *vault)
{
	struct cof_error damage = { 0 };

	if (vault->defer_mirrors || !vault->paths->mirrors || !vault->paths->mirrors[0])
		return;
	/* Damage must not take the place of what it is to be mended from. */
	if (cof_failed(vault->engine->check(vault->keystore, &damage))) {
		log_notice("the mirrors were not written, to keep their copies: %s %s; `coffer "
			   "status` says what to do",
			   damage.subject, damage.text);
		return;
	}
	for (size_t i = 0; vault->paths->mirrors[i]; i++) {
		const char *mirror = vault->paths->mirrors[i];
		_cleanup_patience_ struct patience *patience =
			patience_begin(mirror, PATIENCE_MS);
		_cleanup_place_ struct place place = PLACE_NONE;
		_cleanup_free_ char *folder = NULL;
		struct cof_error err = { 0 };
		char failure[256] = "";
		cof_result written;

		if (cof_failed(mirror_path(vault, mirror, "", &folder, NULL)) ||
		    mirror_is_away(vault, mirror, folder))
			continue;
		written = write_mirror(vault, mirror, folder, &place, &err);
		if (cof_failed(written))
			format_failure(&err, &place, folder, failure, sizeof(failure));
		if (cof_failed(mirror_note(vault, mirror, *failure ? failure : NULL, written.code,
					   &err)))
			log_debug("vault", "mirror %s: %s", mirror, err.text);
	}
}
