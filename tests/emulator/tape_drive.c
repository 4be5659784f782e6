/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tape-drive PROFILE MEDIUM|- SOCKET [SOCKET]: an emulated drive behind one Unix socket for each
 * host that it is attached to. A coffer built with -Dfaults=true takes such a socket for a device.
 * It ends when its standard input does.
 *
 * A request: the CDB's length (1 byte), the CDB (16), how many bytes go out (4), how much room
 * there is for what comes in (4), the bytes that go out. The answer: status (1), length of the
 * sense data (1), how many bytes come in (4), sense data, bytes. Numbers are big-endian.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "emulator.h"

#define CONNECTIONS 16
#define HEAD_BYTES  25
#define ROOM_MAX    (1u << 20)

/* Who is connected. */
struct connection {
	int fd;
	unsigned int initiator;
};

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, CONNECTIONS) < 0) {
		perror(path);
		return -1;
	}
	return fd;
}

static bool read_all(int fd, void *to, size_t len)
{
	for (uint8_t *at = to; len > 0;) {
		ssize_t got = read(fd, at, len);

		if (got <= 0 && errno != EINTR)
			return false;
		if (got == 0)
			return false;
		at += got > 0 ? got : 0;
		len -= got > 0 ? (size_t)got : 0;
	}
	return true;
}

static bool write_all(int fd, const void *from, size_t len)
{
	const uint8_t *at = from;

	while (len > 0) {
		ssize_t put = send(fd, at, len, MSG_NOSIGNAL);

		if (put < 0)
			return false;
		at += put;
		len -= (size_t)put;
	}
	return true;
}

static size_t be32(const uint8_t *at)
{
	return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* Answers one request; false: the connection is to be closed. */
static bool serve(struct emulator *drive, const struct connection *from)
{
	static uint8_t out[ROOM_MAX];
	static uint8_t in[ROOM_MAX];
	uint8_t head[HEAD_BYTES];
	uint8_t reply[6];
	struct answer answer = { .in = in };
	struct request request = { .initiator = from->initiator, .cdb = head + 1, .out = out };

	if (!read_all(from->fd, head, sizeof(head)))
		return false;
	request.cdb_len = head[0];
	request.out_len = be32(head + 17);
	answer.in_room = be32(head + 21);
	if (request.out_len > ROOM_MAX || answer.in_room > ROOM_MAX ||
	    !read_all(from->fd, out, request.out_len))
		return false;
	emulator_execute(drive, &request, &answer);
	if (drive->vanished)
		return false;
	if (drive->stuck)
		return true;
	reply[0] = answer.status;
	reply[1] = answer.sense_len;
	for (size_t i = 0; i < 4; i++)
		reply[2 + i] = (uint8_t)(answer.in_len >> (24 - 8 * i));
	return write_all(from->fd, reply, sizeof(reply)) &&
	       write_all(from->fd, answer.sense, answer.sense_len) &&
	       write_all(from->fd, in, answer.in_len);
}

/* Serves until standard input ends. */
static void serve_all(struct emulator *drive, const int listeners[], unsigned int listener_count)
{
	struct connection connections[CONNECTIONS];
	struct pollfd polled[1 + INITIATORS + CONNECTIONS];
	unsigned int count = 0;

	for (;;) {
		polled[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
		for (unsigned int i = 0; i < listener_count; i++)
			polled[1 + i] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
		for (unsigned int i = 0; i < count; i++)
			polled[1 + listener_count + i] =
				(struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
		if (poll(polled, 1 + listener_count + count, -1) < 0 || polled[0].revents)
			return;
		for (unsigned int i = count; i-- > 0;) {
			if (!polled[1 + listener_count + i].revents ||
			    serve(drive, &connections[i]))
				continue;
			(void)close(connections[i].fd);
			connections[i] = connections[--count];
		}
		for (unsigned int i = 0; i < listener_count && count < CONNECTIONS; i++)
			if (polled[1 + i].revents)
				connections[count++] = (struct connection){
					.fd = accept(listeners[i], NULL, NULL),
					.initiator = i,
				};
	}
}

int main(int argc, char *argv[])
{
	struct emulator drive = { 0 };
	int listeners[INITIATORS];

	if (argc < 4 || argc > 3 + INITIATORS || !(drive.profile = profile_find(argv[1]))) {
		(void)fprintf(stderr, "usage: tape-drive PROFILE MEDIUM|- SOCKET [SOCKET]\n");
		return 2;
	}
	if (strcmp(argv[2], "-") != 0) {
		emulator_load(&drive, argv[2]);
		if (!drive.medium) {
			(void)fprintf(stderr, "tape-drive: %s is no tape\n", argv[2]);
			return 1;
		}
	}
	for (int i = 3; i < argc; i++)
		if ((listeners[i - 3] = listen_at(argv[i])) < 0)
			return 1;
	(void)printf("ready\n");
	(void)fflush(stdout);
	serve_all(&drive, listeners, (unsigned int)argc - 3);
	emulator_done(&drive);
	return 0;
}
