/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine's process: claims the source, proves the key, and serves until it is unmounted.
 * See engine_serve() in engine.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "carrier.h"
#include "engine.h"
#include "file.h"
#include "log.h"
#include "message.h"
#include "places.h"

/* `engine_list` tries the lock for a moment to see whether somebody holds it. */
#define LOCK_WAIT_MS 1000
#define POLL_MS 10

/** struct server - what the process holds */
struct server {
	struct order order;
	struct places places;
	struct volume_key *key; /* wiped as soon as the ciphers are made */
	int lock_fd;
	int source_fd;
	struct luks_info info;
	struct volume *volume;
	bool replied;
};

static void server_done(struct server *server)
{
	volume_free(server->volume);
	volume_key_free(server->key);
	places_done(&server->places);
	fd_closep(&server->source_fd);
	/* Last, since others take it as the proof that everything else is gone. */
	fd_closep(&server->lock_fd);
}

/* The order, one line, and the key behind it. */
static cof_result order_read(struct server *server, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer line = { 0 };
	uint8_t letter = 0;

	while (letter != '\n') {
		ENSURE(line.len < MESSAGE_MAX_BYTES, err, COF_E_FORMAT, "standard input",
		       "the order is longer than %d bytes", MESSAGE_MAX_BYTES);
		TRY(fd_read_all(STDIN_FILENO, &letter, 1, "standard input", err));
		TRY(buffer_add_u8(&line, letter, err));
	}
	TRY(order_parse(buffer_span(&line), &server->order, err));
	TRY(volume_key_new(server->order.key_bytes, &server->key, err));
	TRY(fd_read_all(STDIN_FILENO, server->key->secret.data, server->order.key_bytes,
			"standard input", err));

	return COF_OK;
}

/* The lock that says that this volume has a process. */
static cof_result lock_take(struct server *server, struct cof_error *err)
{
	server->lock_fd = open(server->places.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (server->lock_fd < 0)
		return cof_raise_errno(err, errno, server->places.lock, "cannot be opened");
	for (int waited_ms = 0; flock(server->lock_fd, LOCK_EX | LOCK_NB) < 0;
	     waited_ms += POLL_MS) {
		ENSURE(waited_ms < LOCK_WAIT_MS, err, COF_E_BUSY, server->order.name,
		       "it is open already");
		(void)poll(NULL, 0, POLL_MS);
	}
	return COF_OK;
}

/* Opens the source so that neither the kernel nor another engine takes it as well. */
static cof_result source_claim(struct server *server, uint64_t *ret_bytes, struct cof_error *err)
{
	const char *source = server->order.source;
	struct stat facts;

	server->source_fd = open(source, (server->order.read_only ? O_RDONLY : O_RDWR) | O_EXCL |
						 O_CLOEXEC);
	ENSURE(server->source_fd >= 0 || errno != EBUSY, err, COF_E_BUSY, source,
	       "it is in use: mounted, mapped, or open in another engine");
	if (server->source_fd < 0)
		return cof_raise_errno(err, errno, source, "cannot be opened");
	ENSURE(fstat(server->source_fd, &facts) == 0 && S_ISBLK(facts.st_mode), err, COF_E_USAGE,
	       source, "it is no block device");
	if (ioctl(server->source_fd, BLKGETSIZE64, ret_bytes) < 0)
		return cof_raise_errno(err, errno, source, "its size cannot be read");

	return COF_OK;
}

/* Reads the header once more, now that nobody can change it, and makes the ciphers. */
static cof_result volume_make(struct server *server, uint64_t source_bytes,
			      struct cof_error *err)
{
	const char *source = server->order.source;
	const char *header = server->order.header[0] ? server->order.header : NULL;
	struct sector_spec spec;
	struct map map;

	TRY(luks_read(source, header, &server->info, err));
	/* The header tells the length in its keyslots; with the key at hand none is needed. */
	if (server->info.key_bytes == 0)
		server->info.key_bytes = server->order.key_bytes;
	TRY(engine_check(&server->info, source, err));
	/* A wrong key would turn everything that is written into noise. */
	TRY(luks_verify(source, header, server->key, err));
	TRY(sector_spec_parse(server->info.cipher, server->info.cipher_mode,
			      server->info.key_bytes, &spec, err));
	TRY(map_make(&server->info, source_bytes, source, &map, err));
	TRY(volume_new(server->source_fd, &map, &spec, server->key, carrier_threads(),
		       &server->volume, err));
	volume_key_freep(&server->key);

	return COF_OK;
}

/* Puts the facts into the lock file, for `engine_list`. */
static cof_result facts_write(const struct server *server, struct cof_error *err)
{
	_cleanup_free_ char *text = NULL;
	struct engine_volume volume = { .sector_bytes = server->info.sector_bytes,
					.read_only = server->order.read_only,
					.pid = (int)getpid() };

	memcpy(volume.name, server->order.name, sizeof(volume.name));
	memcpy(volume.source, server->order.source, sizeof(volume.source));
	memcpy(volume.uuid, server->info.uuid, sizeof(volume.uuid));
	text = facts_format(&volume);
	if (ftruncate(server->lock_fd, 0) < 0)
		return cof_raise_errno(err, errno, server->places.lock, "cannot be written");
	TRY(fd_write_all(server->lock_fd, span_of_text(text), server->places.lock, err));

	return COF_OK;
}

/* What a process wants to be that a disk depends on. */
static void settle(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };
	static const char never[] = "-1000";
	_cleanup_fd_ int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	sigset_t none;

	/* Ended by a signal, it would pull the disk from under a file system that is mounted:
	 * unmounting ends it. */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* The kernel may wait for this process to get memory back: it must neither be killed for
	 * memory's sake nor wait for itself. Both may be refused, and are not needed to work. */
	if (score < 0 || write(score, never, strlen(never)) < 0)
		log_debug("engine", "the kernel may kill this process when memory is short");
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		log_debug("engine", "this process is not known as one that I/O depends on");
}

/* The one line that the command waits for. */
static void reply(struct server *server, const struct cof_error *error)
{
	_cleanup_free_ char *line = reply_format(error);
	_cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (server->replied)
		return;
	server->replied = true;
	/* When the command has gone meanwhile there is nobody to tell; `engine_list` shows it. */
	cof_ignore(fd_write_all(STDOUT_FILENO, span_of_text(line), "standard output", NULL));
	/* Replaced, not closed: the numbers must not be given to something else. */
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
}

static void reply_ready(void *context)
{
	reply(context, NULL);
}

/* All that comes before the mount, and the serving. */
static cof_result serve(const struct paths *paths, struct server *server, struct cof_error *err)
{
	struct carrier carrier = { .ready = reply_ready, .context = server };
	uint64_t source_bytes = 0;

	TRY(secret_harden(err));
	TRY(order_read(server, err));
	TRY(places_make(paths, server->order.name, &server->places, err));
	TRY(lock_take(server, err));
	TRY(source_claim(server, &source_bytes, err));
	TRY(volume_make(server, source_bytes, err));
	TRY(facts_write(server, err));
	carrier.volume = server->volume;
	carrier.name = server->order.name;
	carrier.folder = server->places.folder;
	carrier.read_only = server->order.read_only;
	TRY(carrier_run(&carrier, err));
	if (!server->order.read_only)
		TRY(volume_flush(server->volume, err));

	return COF_OK;
}

cof_result engine_serve(const struct paths *paths, struct cof_error *err)
{
	_cleanup_(server_done) struct server server = { .lock_fd = -1, .source_fd = -1 };
	struct cof_error reason = { 0 };
	cof_result result;

	settle();
	result = serve(paths, &server, &reason);
	if (cof_failed(result)) {
		reply(&server, &reason);
		if (err)
			*err = reason;
	}
	return result;
}
