/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer store put.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "number.h"
#include "store_call.h"
#include "verbs.h"

/* What is put. */
struct source {
	const char *path; /* NULL: standard input */
	int fd;		  /* -1 for a folder */
	uint64_t size_bytes;
};

/* Opens what the command line names, before anybody is asked for a secret. */
static cof_result open_source(const struct cli_call *call, struct source *source,
			      struct cof_error *err)
{
	const char *path = call->arg_count > 2 ? call->args[2] : "-";
	struct stat status;

	*source = (struct source){ .fd = -1 };
	if (strcmp(path, "-") == 0) {
		ENSURE(!isatty(STDIN_FILENO), err, COF_E_USAGE, "standard input",
		       "is a terminal; name a file, or use a pipe");
		source->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		return COF_OK;
	}
	source->path = path;
	source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (source->fd < 0 || fstat(source->fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	if (S_ISDIR(status.st_mode)) {
		fd_closep(&source->fd);
		source->fd = -1;
	}
	source->size_bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
	return COF_OK;
}

/* Says what was put. */
static void show(struct cli_call *call, const struct store_result *result)
{
	const struct version *version = &result->version;
	struct json *document = json_new_object();
	struct json *json = store_version_json(version);
	char size[16];
	char new_size[16];

	json_set(document, "version", json);
	json_set_bool(document, "rotated", result->rotated);
	cli_show(call, document);
	if (result->rotated && !call->quiet)
		log_notice("a new content key is in use from now on");
	cli_say(call, "Put %s: %s, of which %s are new.", version->name,
		size_format(version->bytes, size), size_format(version->new_bytes, new_size));
}

/* coffer store put. */
static cof_result run_put(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(progress_freep) struct progress *progress = NULL;
	const char *name = call->args[1];
	struct store_result result = { 0 };
	struct source source;
	cof_result put;
	_cleanup_fd_ int fd = -1;

	TRY(version_check_name(name, err));
	TRY(open_source(call, &source, err));
	fd = source.fd;
	TRY(store_call_enter(call, &store, err));
	TRY(progress_new(1, call->json || call->quiet || !isatty(STDERR_FILENO), &progress, err));
	progress_step(progress, 0, name, "put");
	if (fd < 0)
		put = store_put_tree(store, name, source.path, progress, &result, err);
	else
		put = store_put_stream(store, name, fd, source.size_bytes, progress, &result, err);
	TRY(cof_explain(put, err, NULL, "%s was not put into %s", name, call->args[0]));
	progress_end(progress, 0, name, "put");
	show(call, &result);
	return COF_OK;
}

const struct cli_verb cli_verb_store_put = {
	.noun = "store",
	.verb = "put",
	.arguments = "DIR NAME [PATH]",
	.min_args = 2,
	.max_args = 3,
	.argument_type = CLI_FILE,
	.summary = "put a new version into a storage group",
	.description =
		"Reads the file PATH, or standard input, to its end, or the folder PATH with all "
		"that is below it, and keeps it as the version NAME in the group DIR. Of a folder "
		"it keeps owners, modes, times, attributes with access control lists, hard links, "
		"holes and special files. What the group has already is not stored again. A name "
		"is used once; the version is there, whole, when the command has ended with "
		"success, and not at all before: a run that was cut off leaves nothing visible, "
		"and what it has stored is found again by the next one.",
	.options = (const struct cli_option[]){ STORE_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer store put /srv/backup vm1-monday /var/lib/vm1.img", "a file" },
			{ "coffer store put /srv/backup home-monday /home", "a folder" },
			{ "coffer store put /srv/backup db-2026-11-20 -",
			  "what another program writes" },
			{ 0 } },
	.shows = true,
	.needs_root = true,
	.run = run_put,
};
