/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer store get.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "number.h"
#include "store_call.h"
#include "verbs.h"

/* A new file that goes again unless it was finished. */
struct target {
	const char *path; /* NULL: standard output */
	int fd;
	bool finished;
};

static void target_done(struct target *target)
{
	fd_closep(&target->fd);
	if (target->path && !target->finished)
		(void)unlink(target->path);
}

/* Refuses a place that is not to be written to, before anybody is asked for a secret. */
static cof_result check_target(const struct cli_call *call, const char *path, struct cof_error *err)
{
	cof_result failure;

	if (path) {
		ENSURE(!path_exists(path), err, COF_E_REFUSED, path, "exists already");
		return COF_OK;
	}
	ENSURE(!call->json, err, COF_E_USAGE, "--json", "needs -o PATH here");
	if (!isatty(STDOUT_FILENO))
		return COF_OK;
	failure = cof_raise(err, COF_E_USAGE, "standard output", "is a terminal");
	cof_error_try(err, "-o PATH, or a pipe");
	return failure;
}

static cof_result open_target(const char *path, struct target *target, struct cof_error *err)
{
	if (!path) {
		target->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		return COF_OK;
	}
	target->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (target->fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be made");
	target->path = path;
	return COF_OK;
}

/* Makes a new file durable. */
static cof_result finish_target(struct target *target, struct cof_error *err)
{
	if (target->path && fsync(target->fd) < 0)
		return cof_raise_errno(err, errno, target->path, "cannot be made durable");
	target->finished = true;
	return COF_OK;
}

/* The version that is wanted; a tree needs a place. */
static cof_result find_version(const struct cli_call *call, struct store *store,
			       struct version *ret_version, struct cof_error *err)
{
	const char *name = call->args[1];
	bool found = false;
	cof_result failure;

	TRY(store_find(store, name, ret_version, &found, err));
	if (!found) {
		failure = cof_raise(err, COF_E_NOENT, name, "there is no such version in %s",
				    call->args[0]);
		cof_error_try(err, "coffer store list %s", call->args[0]);
		return failure;
	}
	if (ret_version->kind == VERSION_STREAM || cli_value(call, "o"))
		return COF_OK;
	failure = cof_raise(err, COF_E_USAGE, name, "is a tree, which cannot go into a pipe");
	cof_error_try(err, "-o PATH, a folder that will be made");
	return failure;
}

/* coffer store get. */
static cof_result run_get(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_(target_done) struct target target = { .fd = -1 };
	const char *name = call->args[1];
	const char *path = cli_value(call, "o");
	struct store_result result = { 0 };
	struct json *document;
	cof_result got;
	bool is_tree;
	char size[16];

	TRY(check_target(call, path, err));
	TRY(store_call_enter(call, &store, err));
	TRY(find_version(call, store, &result.version, err));
	is_tree = result.version.kind == VERSION_TREE;
	if (!is_tree)
		TRY(open_target(path, &target, err));
	TRY(progress_new(1, call->json || call->quiet || !isatty(STDERR_FILENO), &progress, err));
	progress_step(progress, 0, name, "get");
	if (is_tree)
		got = store_get_tree(store, name, path, progress, &result, err);
	else
		got = store_get_stream(store, name, target.fd, progress, &result, err);
	TRY(cof_explain(got, err, NULL, "%s was not got from %s", name, call->args[0]));
	TRY(finish_target(&target, err));
	progress_end(progress, 0, name, "got");
	if (!path)
		return COF_OK;
	document = json_new_object();
	json_set(document, "version", store_version_json(&result.version));
	json_set_text(document, "path", path);
	cli_show(call, document);
	cli_say(call, "Got %s: %s, in %s.", name, size_format(result.version.bytes, size), path);
	return COF_OK;
}

const struct cli_verb cli_verb_store_get = {
	.noun = "store",
	.verb = "get",
	.arguments = "DIR NAME",
	.min_args = 2,
	.max_args = 2,
	.argument_type = CLI_FILE,
	.summary = "get a version out of a storage group",
	.description =
		"Writes the version NAME to the new file PATH, or to standard output; a tree "
		"becomes the new folder PATH, with owners, modes, times, attributes, links, holes "
		"and special files as they were. Every byte is proven before it is written: what "
		"was altered or damaged ends the command with status 8, and a file that was begun "
		"is removed; of a tree the files before stay. What went into a pipe before stays "
		"there, so look at the status.",
	.options = (const struct cli_option[]){ { "o", CLI_FILE, "PATH",
						  "write to the new file or folder PATH" },
						STORE_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer store get /srv/backup vm1-monday -o /var/lib/vm1.img",
			  "to a file" },
			{ "coffer store get /srv/backup db-2026-11-20 | psql db",
			  "into another program" },
			{ 0 } },
	.shows = true,
	.needs_root = true,
	.run = run_get,
};
