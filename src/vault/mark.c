/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Marks: how a keystore that was put back as a whole is noticed. doc/format-vault.md, section 5.
 */

#include <string.h>

#include "audit_head.h"
#include "clock.h"
#include "fault.h"
#include "patience.h"
#include "place.h"
#include "reach.h"

void mark_load(struct vault *vault, const char *path, struct mark *ret_mark)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	_cleanup_secret_ struct secret *plain = NULL;
	struct sealed_header header;

	*ret_mark = (struct mark){ 0 };
	if (cof_failed(file_read_plain(path, MARK_MAX_BYTES, &content, NULL)) ||
	    cof_failed(sealed_parse(buffer_span(&content), path, &header, NULL, NULL)))
		return;
	*ret_mark = (struct mark){
		.exists = true,
		.epoch = header.epoch,
		.revision = header.generation,
	};
	if (vault->unlocked)
		ret_mark->proven =
			!cof_failed(keys_open(&vault->keys, "mark", "", "", buffer_span(&content),
					      path, NULL, &plain, NULL));
}

bool mark_is_newer(const struct mark *mark, uint32_t epoch, uint64_t revision)
{
	/* A mark of a later epoch cannot be proven with this epoch's keys; taking its word costs at
	 * most a question, not taking it could cost everything since. */
	return mark->exists &&
	       (mark->epoch > epoch || (mark->epoch == epoch && mark->revision > revision));
}

bool mark_counts_newer(const struct vault *vault, const struct mark *mark, uint64_t revision)
{
	bool forged = vault->unlocked && mark->epoch == vault->epoch && !mark->proven;

	return !forged && mark_is_newer(mark, vault->epoch, revision);
}

cof_result mark_write(struct vault *vault, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	const struct manifest *manifest;
	struct sealed_header header = { .created = (uint64_t)clock_now() };

	if (!vault->unlocked)
		return COF_OK;
	TRY(vault_read_manifest(vault, &manifest, err));
	header.generation = manifest->revision;
	memcpy(header.id, vault->uuid, sizeof(header.id));
	TRY(keys_seal(&vault->keys, "mark", "", "", header, SPAN(vault->uuid, VAULT_UUID_BYTES),
		      &stored, err));
	/* What a run that was killed has left. */
	TRY(file_sweep(vault->paths->vault_dir, "vault.mark", err));
	TRY(file_replace(vault->mark_path, buffer_span(&stored), 0600, err));
	TRY(fault_point("mark/written", err));
	return COF_OK;
}

/*
 * What the marks say that can be reached.
 * @newest: of all that count
 * @proven: the highest revision that one says which opens
 * @newer:  the mirrors whose copy is newer than the keystore, @newest_mirror the newest of them
 */
struct known {
	struct mark newest;
	uint64_t proven;
	struct vault_newer *newer;
	size_t newer_count;
	const struct vault_newer *newest_mirror;
};

static void known_done(struct known *known)
{
	for (size_t i = 0; i < known->newer_count; i++)
		newer_done(&known->newer[i]);
	free(known->newer);
}
#define _cleanup_known_ _cleanup_(known_done)

/* Takes in the mark at @path; whether it, proven or of a later epoch, is newer than the keystore.
 */
static bool consider(struct vault *vault, const char *path, struct known *known,
		     struct mark *ret_mark)
{
	mark_load(vault, path, ret_mark);
	if (ret_mark->proven && ret_mark->revision > known->proven)
		known->proven = ret_mark->revision;
	if (!mark_counts_newer(vault, ret_mark, vault->manifest.revision))
		return false;
	if (mark_is_newer(ret_mark, known->newest.epoch, known->newest.revision))
		known->newest = *ret_mark;
	return true;
}

/* Takes in the marks of folder and mirrors. */
static cof_result survey(struct vault *vault, struct known *known, bool *ret_older,
			 struct cof_error *err)
{
	size_t count = 0;
	struct mark mark;

	while (vault->paths->mirrors && vault->paths->mirrors[count])
		count++;
	known->newest.exists = true;
	known->newest.epoch = vault->epoch;
	known->newest.revision = vault->manifest.revision;
	known->newer = calloc(count + 1, sizeof(*known->newer));
	ENSURE(known->newer, err, COF_E_NOMEM, NULL, "no memory for %zu mirrors", count);
	*ret_older = consider(vault, vault->mark_path, known, &mark);
	for (size_t i = 0; i < count; i++) {
		struct vault_newer *newer = &known->newer[known->newer_count];
		const struct vault_newer *newest = known->newest_mirror;
		_cleanup_patience_ struct patience *patience =
			patience_begin(vault->paths->mirrors[i], PATIENCE_MS);
		_cleanup_free_ char *folder = NULL;
		_cleanup_free_ char *path = NULL;

		TRY(mirror_path(vault, vault->paths->mirrors[i], "", &folder, err));
		TRY(mirror_path(vault, vault->paths->mirrors[i], "vault.mark", &path, err));
		if (!reach_answers(vault->paths->mirrors[i], folder) ||
		    !consider(vault, path, known, &mark))
			continue;
		*newer = (struct vault_newer){ .mirror = vault->paths->mirrors[i],
					       .epoch = mark.epoch,
					       .revision = mark.revision };
		known->newer_count++;
		if (!newest || mark_is_newer(&mark, newest->epoch, newest->revision))
			known->newest_mirror = newer;
		*ret_older = true;
	}
	return COF_OK;
}

/* Goes on with an older keystore because the user said so. The newer copies are set aside before
 * anything is written: once the keystore's revision is above theirs, nothing would tell that they
 * hold more. That revision is above all that are proven, so that the question is not asked again;
 * anybody may have written the others. */
static cof_result accept(struct vault *vault, const struct known *known, struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;

	for (size_t i = 0; i < known->newer_count; i++)
		copy_forgotten(vault, known->newer[i].mirror, &known->newer[i]);
	if (vault->ask_older)
		TRY(vault->ask_older(known->newer, known->newer_count, vault->ask_context, err));
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_ACCEPT_OLDER });
	vault->known_revision = known->proven;
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	for (size_t i = 0; i < known->newer_count; i++) {
		TRY(cof_explain(mirror_set_aside(vault, known->newer[i].mirror, "newer", err), err,
				"take that mirror out of coffer.conf for now",
				"the newer copy in %s cannot be set aside, and nothing was changed",
				known->newer[i].mirror));
		TRY(fault_point("accept/set-aside", err));
	}
	TRY(commit_bump(vault, err));
	TRY(fault_point("accept/committed", err));
	commit_follow_up(vault);
	return COF_OK;
}

/* Refuses an older keystore, with the way to the newest one. */
static cof_result refuse(const struct vault *vault, const struct known *known,
			 struct cof_error *err)
{
	static const char on_purpose[] =
		"coffer unlock --accept-older, if an older copy was put back on purpose";
	const struct vault_newer *newest = known->newest_mirror;
	_cleanup_free_ char *folder = NULL;
	char remedy[PLACE_REMEDY_CHARS - sizeof(on_purpose) - 8];
	cof_result result;

	result = cof_raise(err, COF_E_AUTH, vault->keystore_path,
			   "the keystore is older (epoch %u, revision %llu) than the newest known "
			   "(epoch %u, revision %llu)",
			   vault->epoch, (unsigned long long)vault->manifest.revision,
			   known->newest.epoch, (unsigned long long)known->newest.revision);
	cof_error_try(err, "%s", on_purpose);
	if (!newest || cof_failed(mirror_path(vault, newest->mirror, "", &folder, NULL)))
		return result;
	cof_error_cause(err, "the newest copy, epoch %u, revision %llu, is in the mirror %s",
			newest->epoch, (unsigned long long)newest->revision, newest->mirror);
	copy_remedy(vault->paths, folder, remedy, sizeof(remedy));
	cof_error_try(err, "%s; or %s", remedy, on_purpose);
	return result;
}

cof_result vault_check_older(struct vault *vault, struct cof_error *err)
{
	_cleanup_known_ struct known known = { 0 };
	bool is_older;

	TRY(sealed_revision(vault, &vault->manifest.revision, err));
	TRY(survey(vault, &known, &is_older, err));
	return is_older ? refuse(vault, &known, err) : COF_OK;
}

cof_result mark_check(struct vault *vault, struct cof_error *err)
{
	_cleanup_known_ struct known known = { 0 };
	bool is_older;

	TRY(survey(vault, &known, &is_older, err));
	if (!is_older)
		return COF_OK;
	return vault->accept_older ? accept(vault, &known, err) : refuse(vault, &known, err);
}
