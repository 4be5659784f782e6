/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a mirror's copy to the end, and what is done about damage: it is remembered, so that
 * nobody takes the copy for a good one, until the mirror is written anew.
 */

#include <stdio.h>
#include <string.h>

#include "mirror_check.h"
#include "patience.h"
#include "shadow.h"

/* A failure as what is damaged: @file, or the row of the keystore that it names. */
static void describe(const struct cof_error *found, const char *file,
		     char out[static MIRROR_DAMAGE_CHARS])
{
	bool is_row = found->subject[0] != '\0' && found->subject[0] != '/';

	(void)snprintf(out, MIRROR_DAMAGE_CHARS, "%s%s%.80s: %.120s", file, is_row ? ", " : "",
		       is_row ? found->subject : "",
		       found->cause[0] ? found->cause : found->text);
}

/* Whether two keystores have the same row. */
static bool same_row(struct vault *one, struct vault *other, const char *key)
{
	_cleanup_row_ struct row a = { 0 };
	_cleanup_row_ struct row b = { 0 };

	return !cof_failed(row_get(one, key, &a, NULL)) &&
	       !cof_failed(row_get(other, key, &b, NULL)) && a.found == b.found &&
	       a.value.len == b.value.len &&
	       (a.value.len == 0 || memcmp(a.value.data, b.value.data, a.value.len) == 0);
}

void mirror_glance(struct vault *vault, const char *folder, bool *ret_same,
		   char ret_damage[static MIRROR_DAMAGE_CHARS])
{
	_cleanup_(shadow_freep) struct shadow *shadow = NULL;
	struct cof_error found = { 0 };
	cof_result opened = shadow_open(vault->paths, folder, &shadow, &found);
	uint64_t own = 0;
	uint64_t theirs = 0;

	*ret_same = false;
	ret_damage[0] = '\0';
	if (opened.code == COF_E_NOENT || opened.code == COF_E_REFUSED)
		return;
	if (!cof_failed(opened))
		opened = sealed_revision(&shadow->vault, &theirs, &found);
	if (cof_failed(opened)) {
		describe(&found, "vault.db", ret_damage);
		return;
	}
	*ret_same = !cof_failed(sealed_revision(vault, &own, NULL)) && own == theirs &&
		    same_row(vault, &shadow->vault, ROW_HEADER);
}

void mirror_damage(struct vault *vault, const char *mirror, const char *folder, bool *ret_same,
		   char ret_damage[static MIRROR_DAMAGE_CHARS])
{
	_cleanup_json_ struct json *state = NULL;
	const char *known = NULL;

	mirror_glance(vault, folder, ret_same, ret_damage);
	if (!cof_failed(mirror_recall(vault, mirror, &state, NULL)))
		known = json_get_text(state, "damage");
	if (known)
		(void)snprintf(ret_damage, MIRROR_DAMAGE_CHARS, "%s", known);
}

/* ---- to the end ---- */

/* That every row of the copy's keystore is what the vault wrote. */
static cof_result check_keystore(const struct vault *vault, struct shadow *shadow,
				 struct cof_error *err)
{
	struct vault *copy = &shadow->vault;
	uint8_t uuid[VAULT_UUID_BYTES];
	bool found;

	TRY(copy->engine->check(copy->keystore, err));
	TRY(identity_epoch(copy, &copy->epoch, uuid, &found, err));
	ENSURE(found && memcmp(uuid, vault->uuid, sizeof(uuid)) == 0, err, COF_E_AUTH, ROW_IDENTITY,
	       "is that of another vault");
	return shadow_check_rows(shadow, vault, err);
}

/* That the header is one of which a keystore has a copy: a killed run may have written the new
 * header beside the old keystore. */
static cof_result check_header(struct vault *vault, struct shadow *shadow, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(place_file(&shadow->place, "root.luks", &path, err));
	ENSURE(!place_is_plain(path) || mirror_header_is_current(vault, path) ||
		       mirror_header_is_current(&shadow->vault, path),
	       err, COF_E_FORMAT, path, "differs from its copy in the keystore");
	return COF_OK;
}

/* That the mark is one that the vault wrote. */
static cof_result check_mark(struct vault *vault, struct shadow *shadow, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	struct mark mark;

	TRY(place_file(&shadow->place, "vault.mark", &path, err));
	if (!place_is_plain(path))
		return COF_OK;
	mark_load(vault, path, &mark);
	ENSURE(mark.exists, err, COF_E_FORMAT, path, "is no mark");
	ENSURE(mark.proven || !vault->unlocked || mark.epoch != vault->epoch, err, COF_E_AUTH, path,
	       "does not open with the vault's keys");
	return COF_OK;
}

/* That the audit log is whole. */
static cof_result check_log(struct vault *vault, struct shadow *shadow, struct cof_error *err)
{
	struct audit_verdict verdict;

	TRY(shadow_verify_log(shadow, vault, &verdict, err));
	ENSURE(verdict.fault == AUDIT_WHOLE, err, COF_E_AUTH, NULL, "line %llu %s",
	       (unsigned long long)verdict.line, verdict.text);
	return COF_OK;
}

/* Reads the copy at @folder to the end; @damage is "" where all of it is good. */
static void examine(struct vault *vault, const char *mirror, const char *folder,
		    char damage[static MIRROR_DAMAGE_CHARS])
{
	_cleanup_(shadow_freep) struct shadow *shadow = NULL;
	_cleanup_json_ struct json *state = NULL;
	struct cof_error found = { 0 };
	bool same;

	mirror_glance(vault, folder, &same, damage);
	if (*damage || cof_failed(shadow_open(vault->paths, folder, &shadow, NULL)))
		return;
	if (cof_failed(check_keystore(vault, shadow, &found)))
		describe(&found, "vault.db", damage);
	else if (cof_failed(check_header(vault, shadow, &found)))
		describe(&found, "root.luks", damage);
	else if (cof_failed(check_mark(vault, shadow, &found)))
		describe(&found, "vault.mark", damage);
	/* A mirror that could not be written may lack lines that its keystore knows of. */
	else if (!cof_failed(mirror_recall(vault, mirror, &state, NULL)) &&
		 !json_get_text(state, "failure") &&
		 cof_failed(check_log(vault, shadow, &found)))
		describe(&found, "audit.log", damage);
}

/* Examines one mirror, and remembers what is damaged. */
static cof_result check_mirror(struct vault *vault, const char *mirror, bool *ret_read,
			       char damage[static MIRROR_DAMAGE_CHARS], struct cof_error *err)
{
	_cleanup_patience_ struct patience *patience = patience_begin(mirror, PATIENCE_MS);
	_cleanup_free_ char *folder = NULL;
	_cleanup_fd_ int lock = -1;

	damage[0] = '\0';
	TRY(mirror_path(vault, mirror, "", &folder, err));
	*ret_read = !mirror_is_away(vault, mirror, folder) && path_exists(folder);
	if (!*ret_read)
		return COF_OK;
	examine(vault, mirror, folder, damage);
	if (!*damage)
		return COF_OK;
	/* What somebody is just writing looks damaged; with the lock that is told. */
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	examine(vault, mirror, folder, damage);
	return *damage ? mirror_set_damage(vault, mirror, damage, err) : COF_OK;
}

cof_result vault_check_mirrors(struct vault *vault, size_t *ret_read, struct cof_error *err)
{
	char damage[MIRROR_DAMAGE_CHARS];
	cof_result result = COF_OK;
	size_t count = 0;

	for (size_t i = 0; vault->paths->mirrors && vault->paths->mirrors[i]; i++) {
		bool read;

		TRY(check_mirror(vault, vault->paths->mirrors[i], &read, damage, err));
		count += read;
		if (!*damage || cof_failed(result))
			continue;
		result = cof_raise(err, COF_E_FORMAT, vault->paths->mirrors[i],
				   "the mirror's copy of the vault is damaged: %s", damage);
		cof_error_try(err, "coffer unlock, which keeps that copy aside and writes it anew");
	}
	*ret_read = count;
	return result;
}
