/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer store verify.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "store_call.h"
#include "verbs.h"

/* What was found so far. */
struct findings {
	struct cli_call *call;
	struct json *damages;
	size_t lost; /* that were not mended */
	size_t mended;
};

/* A store_damage. */
static cof_result note_damage(const char *object, const char *version, const struct cof_error *why,
			      bool mended, void *context, struct cof_error *err)
{
	struct findings *findings = context;
	struct json *json = json_new_object();

	json_set_text(json, "file", object);
	json_set_text(json, "version", version);
	json_set_text(json, "text", why->text);
	json_set_bool(json, "mended", mended);
	json_add(findings->damages, json);
	if (version)
		cli_say(findings->call, "version %s cannot be got back whole: %s %s", version,
			object, why->text);
	else
		cli_say(findings->call, "%s %s%s", object, why->text, mended ? ": mended" : "");
	if (mended)
		findings->mended++;
	else
		findings->lost++;
	return COF_OK;
}

/* How it ends: damage is a failure, also where it was mended. */
static cof_result conclude(const struct cli_call *call, const struct findings *findings,
			   struct cof_error *err)
{
	size_t all = findings->lost + findings->mended;
	cof_result failure;

	if (!all)
		return COF_OK;
	failure = cof_raise(err, COF_E_FORMAT, call->args[0], "has %zu damages, %zu of them mended",
			    all, findings->mended);
	if (findings->lost)
		cof_error_try(err, "put the files that are named back from another copy; a version "
				   "that is put again stores anew what cannot be read");
	else
		cof_error_try(err, "coffer store verify %s, which finds nothing more",
			      call->args[0]);
	return failure;
}

/* coffer store verify. */
static cof_result run_verify(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(progress_freep) struct progress *progress = NULL;
	struct findings findings = { .call = call };
	struct store_verified verified = { 0 };
	struct json *document = json_new_object();
	bool keys = !cli_flag(call, "checksums");
	char size[16];

	findings.damages = json_new_array();
	json_set(document, "damages", findings.damages);
	cli_show(call, document);
	TRY(store_call_open(call, &store, err));
	if (keys)
		TRY(store_call_unlock(call, store, false, err));
	TRY(progress_new(1, call->json || call->quiet || !isatty(STDERR_FILENO), &progress, err));
	progress_step(progress, 0, call->args[0], "verify");
	TRY(store_verify(store, keys, progress, note_damage, &findings, &verified, err));
	progress_end(progress, 0, call->args[0], "verified");
	json_set_bool(document, "with_keys", keys);
	json_set_uint(document, "packs", verified.packs);
	json_set_uint(document, "pack_bytes", verified.pack_bytes);
	json_set_uint(document, "versions", verified.versions);
	cli_say(call, "%llu packs with %s and %llu versions %s.",
		(unsigned long long)verified.packs, size_format(verified.pack_bytes, size),
		(unsigned long long)verified.versions,
		keys ? "were opened and compared" : "were compared with their checksums");
	return conclude(call, &findings, err);
}

const struct cli_verb cli_verb_store_verify = {
	.noun = "store",
	.verb = "verify",
	.arguments = "DIR",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "check that everything in a storage group is whole",
	.description =
		"Reads all of it: each chunk must open and be the one that its id says, each "
		"version must have all of its chunks, and the copies of the keystore must be "
		"alike. What is damaged is named, with the versions that it affects, and ends the "
		"command with status 8. Copies of the keystore are written again from the newest "
		"whole one, and the index is made again from the packs.\n\n"
		"With --checksums no key is needed: everything is compared with the checksums, "
		"which find damage but not what somebody has altered on purpose.",
	.options = (const struct cli_option[]){ { "checksums", CLI_FLAG, NULL,
						  "without the keys, by checksums alone" },
						STORE_UNLOCK_OPTIONS,
						{ 0 } },
	.examples = (const struct cli_example[]){ { "coffer store verify /srv/backup",
						    "all of it, with the keys" },
						  { "coffer store verify /srv/backup --checksums",
						    "where the keys are not at hand" },
						  { 0 } },
	.shows = true,
	.needs_root = true,
	.run = run_verify,
};
