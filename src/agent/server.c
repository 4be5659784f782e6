/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The agent's process: one thread, one poll loop, no connection that can hold up another.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "holder.h"
#include "socket.h"

#define CONNECTIONS_MAX	   256
#define WAITERS_MAX	   64	 /* so that there is always a connection left for a lock */
#define REQUEST_TIMEOUT_MS 5000	 /* for a whole request to come in, and for a reply to go out */
#define IDLE_LOCKED_MS	   10000 /* an agent that never got a key waits this long for one */
#define IDLE_AFTER_KEY_MS  1000	 /* one that had its key ends when nobody came for this long */
#define ACCEPT_PAUSE_MS	   100	 /* after running out of file descriptors or memory */
#define POLL_FIXED	   3	 /* signals, timer, listener: the places before the connections */

enum connection_state { CONNECTION_READING, CONNECTION_WAITING, CONNECTION_WRITING };

/**
 * struct connection - one client
 * @frame:       what came or what is to go, in locked memory
 * @used:        bytes received or sent so far
 * @len:         of the frame: of its head until that is there
 * @deadline_ms: when it is dropped, on clock_boot_ms()
 */
struct connection {
	int fd;
	enum connection_state state;
	struct secret *frame;
	size_t used;
	size_t len;
	uint64_t deadline_ms;
};

struct server {
	struct listener listener;
	struct holder holder;
	int signal_fd;
	int timer_fd;
	struct connection connections[CONNECTIONS_MAX];
	size_t connection_count;
	size_t waiter_count;
	uint64_t accept_from_ms;
	uint64_t quiet_since_ms; /* when the last connection ended */
	bool stopping;
};

static void connection_done(struct connection *connection)
{
	if (connection->fd >= 0)
		(void)close(connection->fd);
	secret_freep(&connection->frame);
	connection->fd = -1;
}

static void server_done(struct server *server)
{
	(void)holder_lock(&server->holder);
	listener_done(&server->listener);
	for (size_t i = 0; i < server->connection_count; i++)
		connection_done(&server->connections[i]);
	if (server->signal_fd >= 0)
		(void)close(server->signal_fd);
	if (server->timer_fd >= 0)
		(void)close(server->timer_fd);
}

/* Sets what is under way on a connection, and how long it may take. */
static void connection_turn(struct server *server, struct connection *connection,
			    enum connection_state state, size_t len)
{
	if (connection->state == CONNECTION_WAITING)
		server->waiter_count--;
	if (state == CONNECTION_WAITING)
		server->waiter_count++;
	connection->state = state;
	connection->used = 0;
	connection->len = len;
	connection->deadline_ms =
		state == CONNECTION_WAITING ? UINT64_MAX : clock_boot_ms() + REQUEST_TIMEOUT_MS;
}

/* Ends the connection at @index; the last one takes its place. */
static void connection_drop(struct server *server, size_t index)
{
	struct connection *connection = &server->connections[index];

	if (connection->state == CONNECTION_WAITING)
		server->waiter_count--;
	connection_done(connection);
	*connection = server->connections[--server->connection_count];
	server->quiet_since_ms = clock_boot_ms();
}

/* Sends what the socket takes of a reply. Fails: COF_E_IO (the client is gone) */
static cof_result connection_send(struct server *server, struct connection *connection,
				  struct cof_error *err)
{
	ssize_t sent = send(connection->fd, connection->frame->data + connection->used,
			    connection->len - connection->used, MSG_NOSIGNAL);

	if (sent < 0) {
		ENSURE(errno == EAGAIN || errno == EINTR, err, COF_E_IO, "connection", "is gone");
		return COF_OK;
	}
	connection->used += (size_t)sent;
	if (connection->used == connection->len) {
		memory_wipe(connection->frame->data, connection->len);
		connection_turn(server, connection, CONNECTION_READING, WIRE_HEAD_BYTES);
	}
	return COF_OK;
}

/* Answers every waiter, now that there is a key. Who is gone is found out by the poll. */
static cof_result server_wake(struct server *server, struct cof_error *err)
{
	for (size_t i = 0; i < server->connection_count; i++) {
		struct connection *connection = &server->connections[i];
		size_t len = 0;

		if (connection->state != CONNECTION_WAITING)
			continue;
		TRY(holder_wake(connection->frame, WIRE_DONE, &len, err));
		connection_turn(server, connection, CONNECTION_WRITING, len);
	}
	return COF_OK;
}

/* Answers a request that is whole. */
static cof_result connection_serve(struct server *server, struct connection *connection,
				   struct cof_error *err)
{
	size_t len = 0;
	bool wait = false;

	TRY(holder_serve(&server->holder, clock_boot_ms(), connection->frame, connection->len, &len,
			 &wait, err));
	if (wait && server->waiter_count == WAITERS_MAX) {
		TRY(holder_wake(connection->frame, WIRE_BUSY, &len, err));
		wait = false;
	}
	if (wait) {
		connection_turn(server, connection, CONNECTION_WAITING, 0);
		return COF_OK;
	}
	connection_turn(server, connection, CONNECTION_WRITING, len);
	if (server->holder.root)
		TRY(server_wake(server, err));
	TRY(connection_send(server, connection, err));
	return COF_OK;
}

/* Receives what is there of one request, and never a byte of the next. */
static cof_result connection_receive(struct server *server, struct connection *connection,
				     struct cof_error *err)
{
	ssize_t got = recv(connection->fd, connection->frame->data + connection->used,
			   connection->len - connection->used, 0);
	size_t body_len = 0;

	if (got < 0) {
		ENSURE(errno == EAGAIN || errno == EINTR, err, COF_E_IO, "connection", "is gone");
		return COF_OK;
	}
	ENSURE(got > 0, err, COF_E_IO, "connection", "was ended by the client");
	connection->used += (size_t)got;
	if (connection->used < connection->len)
		return COF_OK;
	if (connection->len == WIRE_HEAD_BYTES) {
		TRY(wire_body_len(connection->frame->data, &body_len, err));
		connection->len += body_len;
		return COF_OK;
	}
	TRY(connection_serve(server, connection, err));
	return COF_OK;
}

/* Acts on what poll() saw on a connection. A failure ends that connection and nothing else. */
static cof_result connection_handle(struct server *server, struct connection *connection,
				    short events, uint64_t now_ms, struct cof_error *err)
{
	ENSURE(now_ms < connection->deadline_ms, err, COF_E_IO, "connection", "is too slow");
	ENSURE((events & (POLLERR | POLLNVAL)) == 0, err, COF_E_IO, "connection", "is broken");
	if (connection->state == CONNECTION_READING && (events & (POLLIN | POLLHUP)))
		TRY(connection_receive(server, connection, err));
	else if (connection->state == CONNECTION_WRITING && (events & (POLLOUT | POLLHUP)))
		TRY(connection_send(server, connection, err));
	else
		ENSURE((events & (POLLHUP | POLLRDHUP)) == 0, err, COF_E_IO, "connection",
		       "is gone");
	return COF_OK;
}

/* Takes one new connection. Without descriptors or locked memory for it, it is put off. */
static cof_result server_accept(struct server *server, struct cof_error *err)
{
	struct connection connection = { .fd = -1, .state = CONNECTION_READING };
	cof_result accepted = listener_accept(&server->listener, &connection.fd, err);

	if (accepted.code == COF_E_BUSY) {
		server->accept_from_ms = clock_boot_ms() + ACCEPT_PAUSE_MS;
		return COF_OK;
	}
	TRY(accepted);
	if (connection.fd < 0)
		return COF_OK;
	if (cof_failed(secret_new(WIRE_FRAME_MAX_BYTES, &connection.frame, NULL))) {
		connection_done(&connection);
		return COF_OK;
	}
	connection_turn(server, &connection, CONNECTION_READING, WIRE_HEAD_BYTES);
	server->connections[server->connection_count++] = connection;
	return COF_OK;
}

/* Sets the timer that wakes the loop when the key's time is over, also after a sleep. */
static cof_result server_arm(struct server *server, struct cof_error *err)
{
	uint64_t deadline_ms = server->holder.root ? server->holder.deadline_ms : UINT64_MAX;
	struct itimerspec when = { 0 };

	if (deadline_ms != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(deadline_ms / 1000);
		when.it_value.tv_nsec = (long)(deadline_ms % 1000) * 1000000;
	}
	if (timerfd_settime(server->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return cof_raise_errno(err, errno, "agent", "its timer cannot be set");
	return COF_OK;
}

/*
 * When an agent without key and clients ends. One that had a key does not end at once: whoever
 * found it a moment ago takes it for running.
 */
static uint64_t server_end_ms(const struct server *server)
{
	return server->quiet_since_ms +
	       (server->holder.was_given ? IDLE_AFTER_KEY_MS : IDLE_LOCKED_MS);
}

/* When the loop has to look again although nothing happens. */
static uint64_t server_next_ms(const struct server *server)
{
	uint64_t next_ms = UINT64_MAX;

	if (!server->holder.root && server->connection_count == 0)
		next_ms = server_end_ms(server);
	if (server->accept_from_ms > clock_boot_ms())
		next_ms = server->accept_from_ms;
	for (size_t i = 0; i < server->connection_count; i++) {
		if (server->connections[i].deadline_ms < next_ms)
			next_ms = server->connections[i].deadline_ms;
	}
	return next_ms;
}

static short connection_events(const struct connection *connection)
{
	if (connection->state == CONNECTION_READING)
		return POLLIN;
	if (connection->state == CONNECTION_WRITING)
		return POLLOUT;
	return POLLRDHUP;
}

/* Waits for something to happen. @polled has POLL_FIXED + CONNECTIONS_MAX places. */
static cof_result server_poll(struct server *server, struct pollfd polled[], struct cof_error *err)
{
	bool accepts = server->connection_count < CONNECTIONS_MAX &&
		       server->accept_from_ms <= clock_boot_ms();

	polled[0] = (struct pollfd){ .fd = server->signal_fd, .events = POLLIN };
	polled[1] = (struct pollfd){ .fd = server->timer_fd, .events = POLLIN };
	polled[2] = (struct pollfd){ .fd = accepts ? server->listener.fd : -1, .events = POLLIN };
	for (size_t i = 0; i < server->connection_count; i++)
		polled[POLL_FIXED + i] = (struct pollfd){
			.fd = server->connections[i].fd,
			.events = connection_events(&server->connections[i]),
		};
	if (poll(polled, POLL_FIXED + server->connection_count,
		 clock_patience_ms(server_next_ms(server))) < 0 &&
	    errno != EINTR)
		return cof_raise_errno(err, errno, "agent", "cannot wait for its clients");
	return COF_OK;
}

/* One turn of the loop. */
static cof_result server_turn(struct server *server, struct cof_error *err)
{
	struct pollfd polled[POLL_FIXED + CONNECTIONS_MAX] = { 0 };
	uint64_t now_ms;

	TRY(server_arm(server, err));
	TRY(server_poll(server, polled, err));
	now_ms = clock_boot_ms();
	holder_expire(&server->holder, now_ms);
	if (polled[0].revents) {
		server->stopping = true;
		return COF_OK;
	}
	/* From the back: a dropped one's place is taken by one that has had its turn. */
	for (size_t i = server->connection_count; i-- > 0;) {
		if (cof_failed(connection_handle(server, &server->connections[i],
						 polled[POLL_FIXED + i].revents, now_ms, NULL)))
			connection_drop(server, i);
	}
	if (polled[2].revents)
		TRY(server_accept(server, err));
	return COF_OK;
}

/*
 * Whether the agent has nothing left to do: it is locked, nobody is connected, and nobody was
 * for a while. Clients that wait for a key keep it alive.
 */
static bool server_is_finished(const struct server *server)
{
	if (server->stopping)
		return true;
	if (server->holder.root || server->connection_count > 0)
		return false;
	return clock_boot_ms() >= server_end_ms(server);
}

static cof_result server_init(struct server *server, const struct paths *paths,
			      struct cof_error *err)
{
	TRY(secret_harden(err));
	server->holder.deadline_ms = UINT64_MAX;
	server->quiet_since_ms = clock_boot_ms();
	TRY(signals_open(&server->signal_fd, err));
	server->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (server->timer_fd < 0)
		return cof_raise_errno(err, errno, "agent", "no timer can be made");
	TRY(listener_open(paths->agent_socket, &server->listener, err));
	return COF_OK;
}

/* Serves until there is nothing left to do. *ret_ready tells whether it came to that. */
static cof_result server_run(const struct paths *paths, struct cof_error *err)
{
	_cleanup_(server_done) struct server server = {
		.listener = LISTENER_NONE,
		.signal_fd = -1,
		.timer_fd = -1,
	};

	TRY(server_init(&server, paths, err));
	ready_tell(&(struct cof_error){ .code = COF_E_NONE });
	while (!server_is_finished(&server))
		TRY(server_turn(&server, err));
	return COF_OK;
}

cof_result agent_run(const struct paths *paths, struct cof_error *err)
{
	struct cof_error outcome = { 0 };
	cof_result result;

	(void)prctl(PR_SET_NAME, "coffer-agent");
	result = server_run(paths, &outcome);
	if (cof_failed(result)) {
		ready_tell(&outcome);
		if (err)
			*err = outcome;
	}
	return result;
}
