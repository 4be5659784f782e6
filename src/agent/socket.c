/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unix sockets of the agent and the key server.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include "file.h"
#include "log.h"
#include "number.h"
#include "socket.h"

/* An earlier owner of the socket's path that is just ending gets this long. */
#define OWNER_PATIENCE_MS 2000
/* poll()'s clock stands still while the machine sleeps: so it is asked again this often. */
#define PATIENCE_MAX_MS 60000

/* struct place - the address of a socket; a path too long for one goes through an open folder */
struct place {
	struct sockaddr_un address;
	int folder_fd;
};

static void place_done(const struct place *place)
{
	if (place->folder_fd >= 0)
		(void)close(place->folder_fd);
}

/* Opens the folder of a long path and addresses the socket relative to it. */
static cof_result place_through_folder(const char *path, struct place *place, struct cof_error *err)
{
	const char *base = strrchr(path, '/');
	_cleanup_free_ char *folder = NULL;
	int len;

	ENSURE(base, err, COF_E_USAGE, path, "is not an absolute path");
	TRY(path_format(&folder, err, "%.*s", (int)(base - path + 1), path));
	place->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->folder_fd < 0)
		return cof_raise_errno(err, errno, folder, "cannot be opened");
	len = snprintf(place->address.sun_path, sizeof(place->address.sun_path),
		       "/proc/self/fd/%d%s", place->folder_fd, base);
	ENSURE((size_t)len < sizeof(place->address.sun_path), err, COF_E_USAGE, path,
	       "file name is %zu bytes, too long for a socket", strlen(base + 1));
	return COF_OK;
}

/* Addresses the socket at @path, whatever its length. */
static cof_result place_open(const char *path, struct place *place, struct cof_error *err)
{
	size_t len = strlen(path);

	place->address.sun_family = AF_UNIX;
	if (len < sizeof(place->address.sun_path))
		memcpy(place->address.sun_path, path, len + 1);
	else
		TRY(place_through_folder(path, place, err));
	return COF_OK;
}

static cof_result set_flags(int fd, const char *subject, struct cof_error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return cof_raise_errno(err, errno, subject, "cannot be made non-blocking");
	return COF_OK;
}

/* Takes over the one socket that systemd passed. */
static cof_result listener_adopt(int count, struct listener *listener, struct cof_error *err)
{
	const int fd = SD_LISTEN_FDS_START;

	ENSURE(count == 1, err, COF_E_USAGE, "LISTEN_FDS", "%d sockets, must be 1", count);
	ENSURE(sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0, err, COF_E_USAGE, "LISTEN_FDS",
	       "the socket is not a listening Unix stream socket");
	listener->fd = fd;
	listener->activated = true;
	TRY(set_flags(fd, "LISTEN_FDS", err));
	return COF_OK;
}

/* Removes what a dead owner left at @path; the caller holds the path's lock. */
static cof_result remove_stale(const char *path, struct cof_error *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat status;

	if (lstat(path, &status) < 0)
		return COF_OK;
	ENSURE(S_ISSOCK(status.st_mode), err, COF_E_REFUSED, path, "is in the way of a socket");
	/* Somebody without the lock, such as systemd, may be listening. */
	TRY(socket_connect(path, OWNER_PATIENCE_MS, &fd, err));
	ENSURE(fd < 0, err, COF_E_BUSY, path, "is served by another process");
	if (unlink(path) < 0)
		return cof_raise_errno(err, errno, path, "cannot be removed");
	return COF_OK;
}

/* Binds and listens. The socket's mode is set before it has a name. */
static cof_result listen_at(const char *path, int *ret_fd, struct cof_error *err)
{
	_cleanup_(place_done) struct place place = { .folder_fd = -1 };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "no socket can be made");
	TRY(place_open(path, &place, err));
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&place.address, sizeof(place.address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return cof_raise_errno(err, errno, path, "cannot be listened on");

	*ret_fd = TAKE_FD(fd);
	return COF_OK;
}

/* Makes our own socket at @path, under a lock that lasts as long as the socket. */
static cof_result listener_make(const char *path, struct listener *listener, struct cof_error *err)
{
	const char *base = strrchr(path, '/');
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *lock = NULL;
	_cleanup_free_ char *own_path = NULL;

	ENSURE(base && base != path, err, COF_E_USAGE, path, "is not in a folder");
	TRY(path_format(&folder, err, "%.*s", (int)(base - path), path));
	TRY(folder_make_private(folder, err));
	TRY(path_format(&lock, err, "%s.lock", path));
	TRY(path_format(&own_path, err, "%s", path));
	TRY(file_lock(lock, OWNER_PATIENCE_MS, &listener->lock_fd, err));
	TRY(remove_stale(path, err));
	TRY(listen_at(path, &listener->fd, err));
	listener->path = TAKE(own_path);
	return COF_OK;
}

cof_result listener_open(const char *path, struct listener *ret_listener, struct cof_error *err)
{
	_cleanup_(listener_done) struct listener listener = LISTENER_NONE;
	int count = sd_listen_fds(1);

	ENSURE(count >= 0, err, COF_E_USAGE, "LISTEN_FDS", "cannot be understood: %s",
	       strerror(-count));
	if (count > 0)
		TRY(listener_adopt(count, &listener, err));
	else
		TRY(listener_make(path, &listener, err));

	*ret_listener = listener;
	listener = LISTENER_NONE;
	return COF_OK;
}

void listener_done(struct listener *listener)
{
	/* Name, socket, lock, in this order: who gets the lock next finds nothing of ours. */
	if (listener->path)
		(void)unlink(listener->path);
	if (listener->fd >= 0)
		(void)close(listener->fd);
	if (listener->lock_fd >= 0)
		(void)close(listener->lock_fd);
	free(listener->path);
	*listener = LISTENER_NONE;
}

/* The user at the other end of a connection when it was made. */
static cof_result peer_uid(int fd, const char *subject, uid_t *ret_uid, struct cof_error *err)
{
	struct ucred peer;
	socklen_t peer_bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) < 0)
		return cof_raise_errno(err, errno, subject, "does not say whose it is");

	*ret_uid = peer.uid;
	return COF_OK;
}

cof_result listener_accept(const struct listener *listener, int *ret_fd, struct cof_error *err)
{
	_cleanup_fd_ int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	uid_t uid = (uid_t)-1;

	if (fd < 0) {
		ENSURE(errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS,
		       err, COF_E_BUSY, "socket", "no connection can be taken: %s",
		       strerror(errno));
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return cof_raise_errno(err, errno, "socket", "takes no connection");
	} else {
		TRY(peer_uid(fd, "connection", &uid, err));
	}
	if (fd >= 0 && uid != 0)
		log_debug("agent", "connection of uid %u refused", (unsigned int)uid);

	*ret_fd = uid == 0 ? TAKE_FD(fd) : -1;
	return COF_OK;
}

static cof_result set_timeout(int fd, int option, unsigned int timeout_ms, struct cof_error *err)
{
	const struct timeval time = { .tv_sec = timeout_ms / 1000,
				      .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };

	if (setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time)) < 0)
		return cof_raise_errno(err, errno, "socket", "takes no time-out");
	return COF_OK;
}

cof_result socket_patience(int fd, unsigned int timeout_ms, struct cof_error *err)
{
	TRY(set_timeout(fd, SO_RCVTIMEO, timeout_ms, err));
	return COF_OK;
}

/* Connects; *ret_alive is false when nobody listens. */
static cof_result connect_at(int fd, const char *path, bool *ret_alive, struct cof_error *err)
{
	_cleanup_(place_done) struct place place = { .folder_fd = -1 };
	cof_result placed = place_open(path, &place, err);
	bool alive;

	if (placed.code == COF_E_NOENT) {
		*ret_alive = false;
		return COF_OK;
	}
	TRY(placed);
	alive = connect(fd, (const struct sockaddr *)&place.address, sizeof(place.address)) == 0;
	if (!alive) {
		ENSURE(errno != EACCES && errno != EPERM, err, COF_E_REFUSED, path,
		       "answers only root");
		ENSURE(errno != EAGAIN, err, COF_E_BUSY, path, "takes no connection in time");
		if (errno != ENOENT && errno != ECONNREFUSED)
			return cof_raise_errno(err, errno, path, "cannot be connected to");
	}

	*ret_alive = alive;
	return COF_OK;
}

cof_result socket_connect(const char *path, unsigned int timeout_ms, int *ret_fd,
			  struct cof_error *err)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = false;
	uid_t uid = 0;

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "no socket can be made");
	TRY(set_timeout(fd, SO_SNDTIMEO, timeout_ms, err));
	TRY(set_timeout(fd, SO_RCVTIMEO, timeout_ms, err));
	TRY(connect_at(fd, path, &alive, err));
	if (alive)
		TRY(peer_uid(fd, path, &uid, err));
	/* Whoever else listens there is after the root key. */
	ENSURE(uid == 0, err, COF_E_REFUSED, path, "is served by uid %u, must be root's",
	       (unsigned int)uid);

	*ret_fd = alive ? TAKE_FD(fd) : -1;
	return COF_OK;
}

uint64_t clock_boot_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int clock_patience_ms(uint64_t when_ms)
{
	uint64_t now_ms = clock_boot_ms();

	if (when_ms == UINT64_MAX)
		return -1;
	if (when_ms <= now_ms)
		return 0;
	return when_ms - now_ms < PATIENCE_MAX_MS ? (int)(when_ms - now_ms) : PATIENCE_MAX_MS;
}

cof_result signals_open(int *ret_fd, struct cof_error *err)
{
	sigset_t signals;
	int fd;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return cof_raise_errno(err, errno, "signals", "cannot be read");

	*ret_fd = fd;
	return COF_OK;
}

/* Writes a copy that has zeros where the texts end: what was in memory there stays here. */
static void write_outcome(int fd, const struct cof_error *outcome)
{
	struct cof_error copy = { .code = outcome->code };

	strcpy(copy.subject, outcome->subject);
	strcpy(copy.text, outcome->text);
	strcpy(copy.headline, outcome->headline);
	strcpy(copy.cause, outcome->cause);
	strcpy(copy.remedy, outcome->remedy);
	/* A parent that is gone no longer needs to know. */
	cof_ignore(fd_write_all(fd, SPAN(&copy, sizeof(copy)), "parent", NULL));
}

void ready_tell(const struct cof_error *outcome)
{
	const char *text = getenv(READY_FD_VARIABLE);
	uint64_t fd = 0;

	if (outcome->code == COF_E_NONE)
		(void)sd_notify(0, "READY=1");
	if (!text || cof_failed(uint_parse(text, INT16_MAX, &fd, NULL)))
		return;
	write_outcome((int)fd, outcome);
	(void)close((int)fd);
	(void)unsetenv(READY_FD_VARIABLE);
}
