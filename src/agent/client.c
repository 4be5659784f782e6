/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client's half of the agent.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "file.h"
#include "socket.h"

/* How often an agent that ends while it is asked is looked for again. */
#define ASK_TRIES 3

static cof_result send_all(int fd, struct span bytes, const char *subject, struct cof_error *err)
{
	size_t done = 0;

	while (done < bytes.len) {
		ssize_t sent = send(fd, bytes.data + done, bytes.len - done, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		ENSURE(sent >= 0 || errno != EAGAIN, err, COF_E_BUSY, subject,
		       "takes no request in time");
		if (sent < 0)
			return cof_raise_errno(err, errno, subject, "takes no request");
		done += (size_t)sent;
	}
	return COF_OK;
}

static cof_result receive_all(int fd, uint8_t *data, size_t len, const char *subject,
			      struct cof_error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = recv(fd, data + done, len - done, 0);

		if (got < 0 && errno == EINTR)
			continue;
		ENSURE(got >= 0 || errno != EAGAIN, err, COF_E_BUSY, subject,
		       "gives no answer in time");
		if (got < 0)
			return cof_raise_errno(err, errno, subject, "gives no answer");
		ENSURE(got > 0, err, COF_E_IO, subject, "the agent ended before it answered");
		done += (size_t)got;
	}
	return COF_OK;
}

static cof_result send_request(int fd, const char *subject, const struct wire_request *request,
			       struct secret *frame, struct cof_error *err)
{
	size_t len = 0;

	TRY(wire_encode_request(request, frame, &len, err));
	TRY(send_all(fd, SPAN(frame->data, len), subject, err));
	memory_wipe(frame->data, len);
	return COF_OK;
}

static cof_result receive_reply(int fd, const char *subject, enum wire_op op, struct secret *frame,
				struct wire_reply *ret_reply, struct cof_error *err)
{
	size_t len = 0;

	TRY(receive_all(fd, frame->data, WIRE_HEAD_BYTES, subject, err));
	TRY(wire_body_len(frame->data, &len, err));
	TRY(receive_all(fd, frame->data, len, subject, err));
	TRY(wire_decode_reply(op, SPAN(frame->data, len), ret_reply, err));
	return COF_OK;
}

/* One try of client_ask(). */
static cof_result ask_once(const struct paths *paths, const struct wire_request *request,
			   struct secret *frame, struct wire_reply *ret_reply, bool *ret_found,
			   struct cof_error *err)
{
	const char *subject = paths->agent_socket;
	_cleanup_fd_ int fd = -1;

	TRY(socket_connect(subject, CLIENT_PATIENCE_MS, &fd, err));
	if (fd >= 0) {
		TRY(send_request(fd, subject, request, frame, err));
		if (request->op == WIRE_WAIT)
			TRY(socket_patience(fd, 0, err));
		TRY(receive_reply(fd, subject, request->op, frame, ret_reply, err));
	}

	*ret_found = fd >= 0;
	return COF_OK;
}

cof_result client_ask(const struct paths *paths, const struct wire_request *request,
		      struct secret *frame, struct wire_reply *ret_reply, bool *ret_found,
		      struct cof_error *err)
{
	cof_result result = ask_once(paths, request, frame, ret_reply, ret_found, err);

	/* Every request may be made twice; one that waits must tell that the agent ended. */
	for (int tries = 1;
	     tries < ASK_TRIES && result.code == COF_E_IO && request->op != WIRE_WAIT; tries++)
		result = ask_once(paths, request, frame, ret_reply, ret_found, err);
	return result;
}

cof_result client_check(const struct paths *paths, enum wire_answer answer, struct cof_error *err)
{
	cof_result locked;

	switch (answer) {
	case WIRE_DONE:
		break;
	case WIRE_LOCKED:
		locked = cof_raise(err, COF_E_LOCKED, paths->vault_dir, "the vault is locked");
		cof_error_try(err, "coffer unlock");
		return locked;
	case WIRE_NO_MEMORY:
		FAIL(err, COF_E_NOMEM, paths->agent_socket, "the agent has no locked memory left");
	case WIRE_MALFORMED:
		FAIL(err, COF_E_FORMAT, paths->agent_socket, "the agent does not know the request");
	case WIRE_BUSY:
		FAIL(err, COF_E_BUSY, paths->agent_socket, "the agent has too many clients");
	case WIRE_FAILED:
		FAIL(err, COF_E_FAILED, paths->agent_socket, "the agent could not do it");
	}
	return COF_OK;
}

/* The agent would hang up on anybody else, without saying why. */
static cof_result ensure_root(const struct paths *paths, struct cof_error *err)
{
	ENSURE(geteuid() == 0, err, COF_E_REFUSED, paths->agent_socket,
	       "answers only root, and this is uid %u", (unsigned int)geteuid());
	return COF_OK;
}

/* client_ask() for a request without a secret in it or in its reply. */
static cof_result ask_plain(const struct paths *paths, enum wire_op op,
			    struct wire_reply *ret_reply, bool *ret_found, struct cof_error *err)
{
	const struct wire_request request = { .op = op };
	_cleanup_secret_ struct secret *frame = NULL;

	TRY(ensure_root(paths, err));
	TRY(secret_new(WIRE_FRAME_MAX_BYTES, &frame, err));
	TRY(client_ask(paths, &request, frame, ret_reply, ret_found, err));
	if (*ret_found)
		TRY(client_check(paths, ret_reply->answer, err));
	return COF_OK;
}

cof_result agent_query(const struct paths *paths, struct agent_status *ret_status,
		       struct cof_error *err)
{
	struct wire_reply reply = { 0 };
	bool found = false;

	TRY(ask_plain(paths, WIRE_STATUS, &reply, &found, err));

	*ret_status = reply.status;
	return COF_OK;
}

cof_result agent_lock(const struct paths *paths, bool *ret_was_unlocked, struct cof_error *err)
{
	struct wire_reply reply = { 0 };
	bool found = false;

	TRY(ask_plain(paths, WIRE_LOCK, &reply, &found, err));

	*ret_was_unlocked = reply.was_unlocked;
	return COF_OK;
}

cof_result agent_wait_unlocked(const struct paths *paths, struct cof_error *err)
{
	struct wire_reply reply = { 0 };
	bool found = false;

	TRY(ask_plain(paths, WIRE_WAIT, &reply, &found, err));
	ENSURE(found, err, COF_E_NOENT, paths->agent_socket, "no agent is running");
	return COF_OK;
}

cof_result client_wait_start(const struct paths *paths, int *ret_fd, struct cof_error *err)
{
	const struct wire_request request = { .op = WIRE_WAIT };
	_cleanup_secret_ struct secret *frame = NULL;
	_cleanup_fd_ int fd = -1;

	TRY(secret_new(WIRE_FRAME_MAX_BYTES, &frame, err));
	TRY(socket_connect(paths->agent_socket, CLIENT_PATIENCE_MS, &fd, err));
	if (fd >= 0)
		TRY(send_request(fd, paths->agent_socket, &request, frame, err));

	*ret_fd = TAKE_FD(fd);
	return COF_OK;
}

cof_result client_wait_finish(const struct paths *paths, int fd, struct cof_error *err)
{
	_cleanup_secret_ struct secret *frame = NULL;
	struct wire_reply reply = { 0 };

	TRY(secret_new(WIRE_FRAME_MAX_BYTES, &frame, err));
	TRY(receive_reply(fd, paths->agent_socket, WIRE_WAIT, frame, &reply, err));
	TRY(client_check(paths, reply.answer, err));
	return COF_OK;
}

/* key_source.derive: a connection for each key, so that the agent may end and start between. */
static cof_result source_derive(void *context, struct span info, struct wrap_key **ret_key,
				struct cof_error *err)
{
	const struct paths *paths = context;
	const struct wire_request request = { .op = WIRE_DERIVE, .info = info };
	_cleanup_secret_ struct secret *frame = NULL;
	struct wire_reply reply = { .answer = WIRE_LOCKED };
	bool found = false;

	TRY(secret_new(WIRE_FRAME_MAX_BYTES, &frame, err));
	TRY(client_ask(paths, &request, frame, &reply, &found, err));
	TRY(client_check(paths, reply.answer, err));
	TRY(wrap_key_copy(reply.key, ret_key, err));
	return COF_OK;
}

static void source_free(void *context)
{
	paths_free(context);
}

/* What a source needs of @paths, which need not live as long as the source. */
static cof_result copy_places(const struct paths *paths, struct paths **ret_copy,
			      struct cof_error *err)
{
	_cleanup_(paths_freep) struct paths *copy = calloc(1, sizeof(*copy));

	ENSURE(copy, err, COF_E_NOMEM, NULL, "no memory for paths");
	TRY(path_format(&copy->agent_socket, err, "%s", paths->agent_socket));
	TRY(path_format(&copy->vault_dir, err, "%s", paths->vault_dir));

	*ret_copy = TAKE(copy);
	return COF_OK;
}

cof_result agent_key_source(const struct paths *paths, struct key_source *ret_source,
			    bool *ret_unlocked, struct cof_error *err)
{
	struct agent_status status = { 0 };
	struct paths *copy = NULL;

	/* Who may not talk to the agent works without it. */
	if (geteuid() == 0)
		TRY(agent_query(paths, &status, err));
	if (status.unlocked) {
		TRY(copy_places(paths, &copy, err));
		*ret_source = (struct key_source){
			.derive = source_derive,
			.free = source_free,
			.context = copy,
		};
	}

	*ret_unlocked = status.unlocked;
	return COF_OK;
}
