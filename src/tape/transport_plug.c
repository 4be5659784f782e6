/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * To an emulated drive, in builds with test points alone. The bytes are described in
 * tests/emulator/tape_drive.c.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "file.h"
#include "transport.h"

#define ANSWER_BYTES 6

struct plug {
	const char *node;
	int fd;
};

/* An emulated drive that closes its end is one that has vanished. */
static cof_result gone(const struct plug *plug, cof_result result, struct cof_error *err)
{
	if (!cof_failed(result))
		return COF_OK;
	FAIL(err, COF_E_NOENT, plug->node, "is gone: the drive has vanished");
}

/* Sends the command in one piece; the key that it may hold stays in locked memory. */
static cof_result send_command(const struct plug *plug, const struct scsi_command *command,
			       struct cof_error *err)
{
	_cleanup_buffer_ struct buffer head = { 0 };

	TRY(buffer_add_u8(&head, command->cdb_bytes, err));
	TRY(buffer_add(&head, command->cdb, SCSI_CDB_BYTES, err));
	TRY(buffer_add_be32(&head, (uint32_t)command->out.len, err));
	TRY(buffer_add_be32(&head, (uint32_t)command->in_room, err));
	if (send(plug->fd, head.data, head.len, MSG_NOSIGNAL) != (ssize_t)head.len)
		return gone(plug, (cof_result){ COF_E_IO }, err);
	if (command->out.len && send(plug->fd, command->out.data, command->out.len, MSG_NOSIGNAL) !=
					(ssize_t)command->out.len)
		return gone(plug, (cof_result){ COF_E_IO }, err);
	return COF_OK;
}

static cof_result plug_execute(void *context, const struct scsi_command *command,
			       struct scsi_answer *ret_answer, struct cof_error *err)
{
	const struct plug *plug = context;
	struct pollfd polled = { .fd = plug->fd, .events = POLLIN };
	uint8_t sense[UINT8_MAX];
	uint8_t head[ANSWER_BYTES];
	size_t in_bytes;

	TRY(send_command(plug, command, err));
	ENSURE(poll(&polled, 1, (int)command->timeout_ms) == 1, err, COF_E_IO, plug->node,
	       "did not answer in time");
	TRY(gone(plug, fd_read_all(plug->fd, head, sizeof(head), plug->node, NULL), err));
	TRY(gone(plug, fd_read_all(plug->fd, sense, head[1], plug->node, NULL), err));
	in_bytes = (size_t)head[2] << 24 | (size_t)head[3] << 16 | (size_t)head[4] << 8 | head[5];
	ENSURE(in_bytes <= command->in_room, err, COF_E_FORMAT, plug->node, "sends too much");
	if (in_bytes)
		TRY(gone(plug, fd_read_all(plug->fd, command->in, in_bytes, plug->node, NULL),
			 err));
	*ret_answer = (struct scsi_answer){
		.status = head[0],
		.sense = sense_decode(SPAN(sense, head[1])),
		.in_bytes = in_bytes,
	};
	return COF_OK;
}

static void plug_close(void *context)
{
	struct plug *plug = context;

	fd_closep(&plug->fd);
	free(plug);
}

cof_result transport_open_plug(const char *node, struct transport *ret_transport,
			       struct cof_error *err)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_free_ struct plug *plug = calloc(1, sizeof(*plug));
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	ENSURE(fd >= 0 && plug, err, COF_E_NOMEM, node, "no socket can be had");
	ENSURE(strlen(node) < sizeof(address.sun_path), err, COF_E_USAGE, node, "is too long");
	memcpy(address.sun_path, node, strlen(node) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return cof_raise_errno(err, errno == ECONNREFUSED ? ENODEV : errno, node,
				       "cannot be opened");
	plug->node = node;
	plug->fd = TAKE_FD(fd);
	*ret_transport = (struct transport){ .execute = plug_execute,
					     .close = plug_close,
					     .context = TAKE(plug) };
	return COF_OK;
}
