/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key server: AF_UNIX key files for systemd-cryptsetup (crypttab(5)). One thread and one poll
 * loop. Connections are held until the agent has a root key; then each is looked up in its turn,
 * in this thread: a lookup takes milliseconds, and systemd-cryptsetup waits without a limit.
 */

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client.h"
#include "keyname.h"
#include "log.h"
#include "socket.h"

#define HELD_MAX	4096
#define SENDING_MAX	16    /* keys in memory at once, for clients that read slowly */
#define SEND_TIMEOUT_MS 30000 /* for a client to read its key */
#define AGENT_RETRY_MS	250   /* until an agent that was not there is looked for again */
#define ACCEPT_PAUSE_MS 100   /* after running out of file descriptors or memory */
#define IDLE_MS		60000 /* a server that systemd starts again ends after this long */
#define POLL_FIXED	3     /* signals, agent, listener: the places before the clients */
#define FILES_SPARE	64    /* file descriptors for all that is not a held connection */

/**
 * struct held - one client
 * @volume: whose key it asks for
 * @key:    NULL until it is looked up
 * @sent:   bytes of it that the client has
 */
struct held {
	int fd;
	char volume[KEYNAME_MAX_BYTES + 1];
	struct slot_secret *key;
	size_t sent;
	uint64_t deadline_ms;
};

/**
 * struct keyserver - the server
 * @agent_fd: asked to say when the vault is unlocked; -1 when it is not asked
 * @unlocked: it said so, and nothing has contradicted it since
 * @held:     @held_count clients in the order of their coming; @polled has a place for each
 */
struct keyserver {
	const struct paths *paths;
	keyserver_lookup lookup;
	struct listener listener;
	int signal_fd;
	int agent_fd;
	bool unlocked;
	uint64_t agent_from_ms;
	uint64_t accept_from_ms;
	uint64_t quiet_since_ms;
	struct held *held;
	struct pollfd *polled;
	size_t held_count;
	size_t held_max;
	size_t sending_count;
	bool stopping;
};

static void held_done(struct held *held)
{
	slot_secret_freep(&held->key);
	if (held->fd >= 0)
		(void)close(held->fd);
	held->fd = -1;
}

static void keyserver_done(struct keyserver *server)
{
	listener_done(&server->listener);
	for (size_t i = 0; i < server->held_count; i++)
		held_done(&server->held[i]);
	free(server->held);
	free(server->polled);
	if (server->signal_fd >= 0)
		(void)close(server->signal_fd);
	if (server->agent_fd >= 0)
		(void)close(server->agent_fd);
}

/* Ends a client; server_compact() takes it out of the list. */
static void held_drop(struct keyserver *server, struct held *held)
{
	if (held->key)
		server->sending_count--;
	held_done(held);
	server->quiet_since_ms = clock_boot_ms();
}

/* Closes the gaps that dropped clients left, and keeps the order. */
static void server_compact(struct keyserver *server)
{
	size_t kept = 0;

	for (size_t i = 0; i < server->held_count; i++) {
		if (server->held[i].fd >= 0)
			server->held[kept++] = server->held[i];
	}
	server->held_count = kept;
}

/* Reports a failure that concerns one client; the others are served all the same. */
static void report(const struct cof_error *error)
{
	char text[3072];

	cof_error_format(error, text, sizeof(text));
	(void)fprintf(stderr, "%s\n", text);
}

/* The volume that a new client asks for. Fails: COF_E_FORMAT, COF_E_IO */
static cof_result client_volume(int fd, char out[static KEYNAME_MAX_BYTES + 1],
				struct cof_error *err)
{
	struct sockaddr_un address = { 0 };
	socklen_t len = sizeof(address);
	size_t path_len;

	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0)
		return cof_raise_errno(err, errno, "key server client", "has no address");
	path_len = len > offsetof(struct sockaddr_un, sun_path)
			   ? len - offsetof(struct sockaddr_un, sun_path)
			   : 0;
	TRY(keyname_parse(SPAN(address.sun_path, path_len), out, err));
	return COF_OK;
}

/* Takes one new client. One that names no volume is closed without an answer. */
static cof_result server_accept(struct keyserver *server, struct cof_error *err)
{
	struct held held = { .fd = -1, .deadline_ms = UINT64_MAX };
	struct cof_error why = { 0 };
	cof_result accepted = listener_accept(&server->listener, &held.fd, err);

	if (accepted.code == COF_E_BUSY) {
		server->accept_from_ms = clock_boot_ms() + ACCEPT_PAUSE_MS;
		return COF_OK;
	}
	TRY(accepted);
	if (held.fd < 0)
		return COF_OK;
	if (cof_failed(client_volume(held.fd, held.volume, &why))) {
		report(&why);
		held_done(&held);
		return COF_OK;
	}
	log_debug("agent", "key server: %s is asked for", held.volume);
	server->held[server->held_count++] = held;
	return COF_OK;
}

/* Sends what the socket takes of a key, and ends the client when it has all. */
static void held_send(struct keyserver *server, struct held *held)
{
	struct span key = slot_secret_span(held->key);
	ssize_t sent = send(held->fd, key.data + held->sent, key.len - held->sent, MSG_NOSIGNAL);

	if (sent >= 0)
		held->sent += (size_t)sent;
	if ((sent < 0 && errno != EAGAIN && errno != EINTR) || held->sent == key.len)
		held_drop(server, held);
}

/* Whether the client has closed. Its half close after connecting is not that. */
static bool held_is_gone(const struct held *held)
{
	struct pollfd polled = { .fd = held->fd };

	return poll(&polled, 1, 0) > 0;
}

/* Looks up the key of one client and starts to send it; a volume without one is closed. */
static void held_serve(struct keyserver *server, struct held *held)
{
	struct cof_error why = { 0 };
	bool found = false;
	cof_result result;

	if (held_is_gone(held)) {
		held_drop(server, held);
		return;
	}
	result = server->lookup(server->paths, held->volume, &held->key, &found, &why);
	if (result.code == COF_E_LOCKED) {
		server->unlocked = false;
		server->agent_from_ms = clock_boot_ms() + AGENT_RETRY_MS;
		return;
	}
	if (cof_failed(result)) {
		cof_ignore(cof_explain(result, &why, NULL, "the key of %s cannot be given",
				       held->volume));
		report(&why);
	} else if (!found) {
		log_notice("no key of volume %s, which is asked for, is in the vault",
			   held->volume);
	}
	if (!held->key) {
		held_drop(server, held);
		return;
	}
	server->sending_count++;
	held->deadline_ms = clock_boot_ms() + SEND_TIMEOUT_MS;
	held_send(server, held);
}

/* The first client that has no key yet; NULL when there is none. */
static struct held *server_next(const struct keyserver *server)
{
	for (size_t i = 0; i < server->held_count; i++) {
		if (!server->held[i].key)
			return &server->held[i];
	}
	return NULL;
}

/* Asks the agent to say when the vault is unlocked, if somebody wants to know. */
static void server_ask_agent(struct keyserver *server)
{
	struct cof_error why = { 0 };
	cof_result result;

	if (server->unlocked || server->agent_fd >= 0 || !server_next(server) ||
	    clock_boot_ms() < server->agent_from_ms)
		return;
	server->agent_from_ms = clock_boot_ms() + AGENT_RETRY_MS;
	result = client_wait_start(server->paths, &server->agent_fd, &why);
	if (cof_failed(result))
		log_debug("agent", "key server: %s: %s", why.subject, why.text);
}

/* Takes the agent's answer. One that ended is looked for again. */
static void server_hear_agent(struct keyserver *server)
{
	struct cof_error why = { 0 };
	cof_result result = client_wait_finish(server->paths, server->agent_fd, &why);

	if (cof_failed(result))
		log_debug("agent", "key server: %s: %s", why.subject, why.text);
	server->unlocked = !cof_failed(result);
	if (server->unlocked)
		server->agent_from_ms = 0;
	(void)close(TAKE_FD(server->agent_fd));
}

/* When the loop has to look again although nothing happens. */
static uint64_t server_next_ms(const struct keyserver *server)
{
	uint64_t next_ms = UINT64_MAX;
	bool has_next = server_next(server) != NULL;

	if (server->unlocked && has_next && server->sending_count < SENDING_MAX)
		return 0;
	if (server->listener.activated && server->held_count == 0)
		next_ms = server->quiet_since_ms + IDLE_MS;
	if (!server->unlocked && server->agent_fd < 0 && has_next)
		next_ms = server->agent_from_ms;
	if (server->accept_from_ms > clock_boot_ms() && server->accept_from_ms < next_ms)
		next_ms = server->accept_from_ms;
	for (size_t i = 0; i < server->held_count; i++) {
		if (server->held[i].deadline_ms < next_ms)
			next_ms = server->held[i].deadline_ms;
	}
	return next_ms;
}

/* Waits for something to happen. */
static cof_result server_poll(struct keyserver *server, struct cof_error *err)
{
	struct pollfd *polled = server->polled;
	bool accepts =
		server->held_count < server->held_max && server->accept_from_ms <= clock_boot_ms();

	polled[0] = (struct pollfd){ .fd = server->signal_fd, .events = POLLIN };
	polled[1] = (struct pollfd){ .fd = server->agent_fd, .events = POLLIN };
	polled[2] = (struct pollfd){ .fd = accepts ? server->listener.fd : -1, .events = POLLIN };
	/* Without events asked for, a held client is reported when it closes, and only then. */
	for (size_t i = 0; i < server->held_count; i++)
		polled[POLL_FIXED + i] = (struct pollfd){
			.fd = server->held[i].fd,
			.events = server->held[i].key ? POLLOUT : 0,
		};
	if (poll(polled, POLL_FIXED + server->held_count,
		 clock_patience_ms(server_next_ms(server))) < 0 &&
	    errno != EINTR)
		return cof_raise_errno(err, errno, "key server", "cannot wait for its clients");
	return COF_OK;
}

/* Acts on what poll() saw on the clients. */
static void server_handle_held(struct keyserver *server)
{
	uint64_t now_ms = clock_boot_ms();

	for (size_t i = 0; i < server->held_count; i++) {
		struct held *held = &server->held[i];
		short events = server->polled[POLL_FIXED + i].revents;

		if ((events & (POLLHUP | POLLERR | POLLNVAL)) || now_ms >= held->deadline_ms)
			held_drop(server, held);
		else if (held->key && (events & POLLOUT))
			held_send(server, held);
	}
	server_compact(server);
}

/* One turn of the loop: at most one lookup, so that all else goes on between. */
static cof_result server_turn(struct keyserver *server, struct cof_error *err)
{
	struct held *next;

	server_ask_agent(server);
	memset(server->polled, 0, (POLL_FIXED + server->held_count) * sizeof(*server->polled));
	TRY(server_poll(server, err));
	server->stopping = server->polled[0].revents != 0;
	if (server->polled[1].revents)
		server_hear_agent(server);
	server_handle_held(server);
	if (server->polled[2].revents)
		TRY(server_accept(server, err));
	next = server_next(server);
	if (next && server->unlocked && server->sending_count < SENDING_MAX) {
		held_serve(server, next);
		server_compact(server);
	}
	/* Who comes later asks anew: the vault may have been locked by then. */
	if (!server_next(server))
		server->unlocked = false;
	return COF_OK;
}

/* How many clients fit under the limit of open files, which is raised as far as it goes. */
static size_t client_room(void)
{
	struct rlimit limit = { 0 };
	size_t room = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur > FILES_SPARE)
		room = limit.rlim_cur - FILES_SPARE;
	return room < HELD_MAX ? room : HELD_MAX;
}

static cof_result server_init(struct keyserver *server, struct cof_error *err)
{
	TRY(secret_harden(err));
	server->held_max = client_room();
	ENSURE(server->held_max > 0, err, COF_E_UNSUPPORTED, "key server",
	       "this process may not open more than %d files", FILES_SPARE);
	server->held = calloc(server->held_max, sizeof(*server->held));
	server->polled = calloc(POLL_FIXED + server->held_max, sizeof(*server->polled));
	ENSURE(server->held && server->polled, err, COF_E_NOMEM, "key server",
	       "no memory for %zu clients", server->held_max);
	server->quiet_since_ms = clock_boot_ms();
	TRY(signals_open(&server->signal_fd, err));
	TRY(listener_open(server->paths->keys_socket, &server->listener, err));
	return COF_OK;
}

/* One that systemd started ends when nobody came for a while; the next client starts it again. */
static bool server_is_finished(const struct keyserver *server)
{
	return server->stopping || (server->listener.activated && server->held_count == 0 &&
				    clock_boot_ms() >= server->quiet_since_ms + IDLE_MS);
}

cof_result keyserver_run(const struct paths *paths, keyserver_lookup lookup, struct cof_error *err)
{
	_cleanup_(keyserver_done) struct keyserver server = {
		.paths = paths,
		.lookup = lookup,
		.listener = LISTENER_NONE,
		.signal_fd = -1,
		.agent_fd = -1,
	};

	(void)prctl(PR_SET_NAME, "coffer-keys");
	TRY(server_init(&server, err));
	ready_tell(&(struct cof_error){ .code = COF_E_NONE });
	while (!server_is_finished(&server))
		TRY(server_turn(&server, err));
	return COF_OK;
}
