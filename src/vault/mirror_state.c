/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the mirrors are, and what the keystore remembers of them. doc/format-vault.md, section 6.
 */

#include <stdio.h>
#include <string.h>

#include "mirror_check.h"
#include "number.h"
#include "patience.h"
#include "mountpoint.h"
#include "place.h"

/* ---- what is remembered ---- */

/* The row that remembers a mirror: its path may be longer than a key. */
static cof_result state_key(const char *mirror, char **ret_key, struct cof_error *err)
{
	uint8_t hash[SHA256_BYTES];
	char hex[2 * 16 + 1];

	TRY(sha256(span_of_text(mirror), hash, err));
	return path_format(ret_key, err, ROW_MIRROR "%s", hex_format(hash, 16, hex));
}

cof_result mirror_recall(struct vault *vault, const char *mirror, struct json **ret_state,
			 struct cof_error *err)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_row_ struct row row = { 0 };

	TRY(state_key(mirror, &key, err));
	TRY(row_get(vault, key, &row, err));
	if (!row.found || cof_failed(json_parse(buffer_span(&row.value), key, ret_state, NULL)))
		*ret_state = json_new_object();
	return COF_OK;
}

/* Whether two texts, of which each may be NULL, are the same. */
static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Writes what is remembered of a mirror. */
static cof_result remember(struct vault *vault, const char *mirror, const struct json *state,
			   struct cof_error *err)
{
	_cleanup_free_ char *text = json_format(state);
	_cleanup_free_ char *key = NULL;
	struct keystore_change change = { .value = span_of_text(text),
					  .expected_revision = KEYSTORE_ANY };

	TRY(state_key(mirror, &key, err));
	change.key = key;
	TRY(vault->engine->commit(vault->keystore, &change, 1, NULL, err));
	return COF_OK;
}

cof_result mirror_expect(struct vault *vault, const char *mirror, const char *before,
			 const char *mark, struct cof_error *err)
{
	_cleanup_json_ struct json *state = NULL;

	TRY(mirror_recall(vault, mirror, &state, err));
	if (same_text(json_get_text(state, "mark"), mark))
		return COF_OK;
	json_set_text(state, "mark_before", before);
	json_set_text(state, "mark", mark);
	return remember(vault, mirror, state, err);
}

cof_result mirror_set_damage(struct vault *vault, const char *mirror, const char *damage,
			     struct cof_error *err)
{
	_cleanup_json_ struct json *state = NULL;

	TRY(mirror_recall(vault, mirror, &state, err));
	if (same_text(json_get_text(state, "damage"), damage))
		return COF_OK;
	json_set_text(state, "damage", damage);
	return remember(vault, mirror, state, err);
}

cof_result mirror_note(struct vault *vault, const char *mirror, const char *failure,
		       enum cof_code code, struct cof_error *err)
{
	_cleanup_json_ struct json *old = NULL;
	_cleanup_json_ struct json *state = json_new_object();
	_cleanup_free_ char *mount = NULL;
	bool written;

	TRY(mirror_recall(vault, mirror, &old, err));
	written = json_get_bool(old, "written", false);
	/* Where it was when it was written last is what tells a fresh medium from a bare folder. */
	if (failure || cof_failed(mount_of(mirror, &mount, NULL)))
		mount = json_get_text(old, "mount") ? strdup(json_get_text(old, "mount")) : NULL;
	if ((written || failure) && same_text(json_get_text(old, "failure"), failure) &&
	    same_text(json_get_text(old, "mount"), mount))
		return COF_OK;
	json_set_text(state, "folder", mirror);
	json_set_bool(state, "written", written || !failure);
	json_set_text(state, "mount", mount);
	json_set_text(state, "failure", failure);
	json_set_text(state, "code", failure ? cof_code_name(code) : NULL);
	json_set_text(state, "damage", failure ? json_get_text(old, "damage") : NULL);
	json_set_text(state, "mark", json_get_text(old, "mark"));
	json_set_text(state, "mark_before", json_get_text(old, "mark_before"));
	return remember(vault, mirror, state, err);
}

/* ---- how they are ---- */

/* What the mirrors are compared with. */
struct reference {
	uint64_t revision;
	bool unknown; /* the keystore cannot be read */
	enum vault_header header;
};

bool mirror_header_is_current(struct vault *vault, const char *path)
{
	_cleanup_buffer_ struct buffer copy = { 0 };
	_cleanup_row_ struct row row = { 0 };
	struct span kept;
	uint64_t sequence;

	return place_is_plain(path) && !cof_failed(luks_copy_header(path, &copy, NULL)) &&
	       !cof_failed(row_get(vault, ROW_HEADER, &row, NULL)) && row.found &&
	       !cof_failed(header_copy_split(buffer_span(&row.value), &sequence, &kept, NULL)) &&
	       luks_copies_equal(buffer_span(&copy), kept);
}

/* Compares the copy in the mirror with the vault; what it says is left in @mirror. */
static cof_result compare_copy(struct vault *vault, const struct place *place, const char *folder,
			       const struct reference *reference, struct vault_mirror *mirror,
			       struct cof_error *err)
{
	_cleanup_free_ char *header = NULL;
	_cleanup_free_ char *keystore = NULL;
	_cleanup_free_ char *mark_path = NULL;
	char damage[MIRROR_DAMAGE_CHARS];
	struct mark mark;
	bool is_current;
	bool same;

	mirror->state = MIRROR_BEHIND;
	if (place->fd < 0)
		return COF_OK;
	TRY(place_file(place, "root.luks", &header, err));
	TRY(place_file(place, "vault.db", &keystore, err));
	TRY(place_file(place, "vault.mark", &mark_path, err));
	mark_load(vault, mark_path, &mark);
	mirror->epoch = mark.epoch;
	mirror->revision = mark.revision;
	mirror_damage(vault, mirror->folder, folder, &same, damage);
	/* The mirrors get the keystore's copy of the header, so they are as far behind as that is.
	 */
	is_current = mark.exists && mark.epoch == vault->epoch &&
		     mark.revision == reference->revision && (mark.proven || !vault->unlocked) &&
		     mirror_header_is_current(vault, header) && place_is_plain(keystore) && same &&
		     reference->header != VAULT_HEADER_CHANGED &&
		     reference->header != VAULT_HEADER_FORGED;
	if (mark_counts_newer(vault, &mark, reference->revision)) {
		mirror->state = MIRROR_NEWER;
	} else if (*damage) {
		mirror->state = MIRROR_DAMAGED;
		(void)snprintf(mirror->reason, sizeof(mirror->reason), "%s", damage);
		(void)snprintf(mirror->remedy, sizeof(mirror->remedy), "coffer unlock");
	} else if (is_current) {
		mirror->state = MIRROR_CURRENT;
	}
	return COF_OK;
}

/* What to do about a mirror that could not be written. */
static void advise_failed(const char *code, struct vault_mirror *mirror)
{
	const char *before = "see what is wrong with ";
	const char *after = "";

	if (same_text(code, cof_code_name(COF_E_NOSPC)))
		before = "make room in ";
	if (same_text(code, cof_code_name(COF_E_REFUSED))) {
		before = "remove what is in the way in ";
		after = ", or name another folder in coffer.conf";
	}
	(void)snprintf(mirror->remedy, sizeof(mirror->remedy), "%s%s%s, then coffer unlock", before,
		       mirror->folder, after);
}

/* Says why a mirror that can be reached is behind, or failed when it was last written. */
static void explain_behind(const struct json *state, const struct place *place,
			   struct vault_mirror *mirror)
{
	const char *failure = json_get_text(state, "failure");

	if (failure) {
		mirror->state = MIRROR_FAILED;
		(void)snprintf(mirror->reason, sizeof(mirror->reason), "%s", failure);
		advise_failed(json_get_text(state, "code"), mirror);
		return;
	}
	if (place->fd < 0)
		(void)snprintf(mirror->reason, sizeof(mirror->reason),
			       "it has no copy of the vault yet");
	(void)snprintf(mirror->remedy, sizeof(mirror->remedy), "coffer unlock");
}

/* Says why a mirror cannot be written at all. */
static void explain_unfit(const struct cof_error *unfit, struct vault_mirror *mirror)
{
	mirror->state = MIRROR_FAILED;
	(void)snprintf(mirror->reason, sizeof(mirror->reason), "%.120s: %.120s", unfit->subject,
		       unfit->text);
}

/* Whether a mirror is on the vault's own file system. */
static bool is_with_vault(const struct vault *vault, const char *mirror)
{
	struct stat own;
	struct stat other;

	return stat(vault->paths->vault_dir, &own) == 0 && stat(mirror, &other) == 0 &&
	       own.st_dev == other.st_dev;
}

/* How one mirror is. */
static cof_result read_mirror(struct vault *vault, const char *folder,
			      const struct reference *reference, struct vault_mirror *mirror,
			      struct cof_error *err)
{
	_cleanup_place_ struct place place = PLACE_NONE;
	_cleanup_json_ struct json *state = NULL;
	struct place_absence absence = { 0 };
	struct cof_error unfit = { 0 };

	/* A keystore that cannot be read remembers nothing. */
	if (cof_failed(mirror_recall(vault, mirror->folder, &state, NULL)))
		state = json_new_object();
	mirror->written = json_get_bool(state, "written", false);
	if (place_is_away(vault, mirror->folder, folder, mirror->written,
			  json_get_text(state, "mount"), &absence)) {
		mirror->state = MIRROR_AWAY;
		memcpy(mirror->reason, absence.reason, sizeof(mirror->reason));
		memcpy(mirror->remedy, absence.remedy, sizeof(mirror->remedy));
		return COF_OK;
	}
	if (cof_failed(place_open(folder, &place, &unfit))) {
		explain_unfit(&unfit, mirror);
		advise_failed(cof_code_name(unfit.code), mirror);
		return COF_OK;
	}
	if (cof_failed(place_check_elsewhere(vault, mirror->folder, &place, &unfit))) {
		explain_unfit(&unfit, mirror);
		/* What is there is the vault: nothing of it is to be removed. */
		(void)snprintf(mirror->remedy, sizeof(mirror->remedy),
			       "name another folder than %s in %s, then coffer unlock",
			       mirror->folder, vault->paths->config);
		return COF_OK;
	}
	mirror->with_vault = is_with_vault(vault, mirror->folder);
	TRY(compare_copy(vault, &place, folder, reference, mirror, err));
	if (mirror->state == MIRROR_BEHIND)
		explain_behind(state, &place, mirror);
	if (mirror->state == MIRROR_NEWER && reference->unknown)
		(void)snprintf(mirror->reason, sizeof(mirror->reason),
			       "its copy is of epoch %u, revision %llu, and the vault's own "
			       "keystore cannot be read",
			       mirror->epoch, (unsigned long long)mirror->revision);
	else if (mirror->state == MIRROR_NEWER)
		(void)snprintf(mirror->reason, sizeof(mirror->reason),
			       "its copy is of epoch %u, revision %llu, the vault of %u, %llu",
			       mirror->epoch, (unsigned long long)mirror->revision, vault->epoch,
			       (unsigned long long)reference->revision);
	return COF_OK;
}

/* Of those that are newer, the newest one gets the remedy that brings it back. */
static cof_result advise_newest(const struct vault *vault, struct vault_mirror *mirrors,
				size_t count, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	struct vault_mirror *newest = NULL;

	for (size_t i = 0; i < count; i++) {
		struct vault_mirror *mirror = &mirrors[i];

		if (mirror->state != MIRROR_NEWER)
			continue;
		(void)snprintf(mirror->remedy, sizeof(mirror->remedy),
			       "nothing here: another mirror has a newer copy still");
		if (!newest || mirror->epoch > newest->epoch ||
		    (mirror->epoch == newest->epoch && mirror->revision > newest->revision))
			newest = mirror;
	}
	if (!newest)
		return COF_OK;
	for (size_t i = 0; i < count; i++)
		if (mirrors[i].state == MIRROR_NEWER && mirrors[i].epoch == newest->epoch &&
		    mirrors[i].revision == newest->revision)
			(void)snprintf(mirrors[i].remedy, sizeof(mirrors[i].remedy),
				       "nothing here: %.400s has the same copy", newest->folder);
	TRY(mirror_path(vault, newest->folder, "", &folder, err));
	copy_remedy(vault->paths, folder, newest->remedy, sizeof(newest->remedy));
	return COF_OK;
}

cof_result vault_mirrors(struct vault *vault, struct vault_mirror **ret_mirrors, size_t *ret_count,
			 struct cof_error *err)
{
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	struct reference reference = { .header = VAULT_HEADER_DAMAGED };
	size_t count = 0;

	while (vault->paths->mirrors && vault->paths->mirrors[count])
		count++;
	mirrors = calloc(count + 1, sizeof(*mirrors));
	ENSURE(mirrors, err, COF_E_NOMEM, NULL, "no memory for %zu mirrors", count);
	/* Of a keystore that cannot be read any copy is newer. */
	reference.unknown = cof_failed(sealed_revision(vault, &reference.revision, NULL));
	/* A header that cannot be read is worse than its copy, whatever that is. */
	if (count > 0)
		cof_ignore(vault_header_state(vault, &reference.header, NULL));
	for (size_t i = 0; i < count; i++) {
		_cleanup_patience_ struct patience *patience =
			patience_begin(vault->paths->mirrors[i], PATIENCE_MS);
		_cleanup_free_ char *folder = NULL;

		mirrors[i].folder = vault->paths->mirrors[i];
		TRY(mirror_path(vault, mirrors[i].folder, "", &folder, err));
		TRY(read_mirror(vault, folder, &reference, &mirrors[i], err));
	}
	TRY(advise_newest(vault, mirrors, count, err));

	*ret_mirrors = TAKE(mirrors);
	*ret_count = count;
	return COF_OK;
}
