/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who does what is written into the audit log.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_file.h"
#include "file.h"
#include "number.h"

#define NO_LOGIN     UINT32_MAX /* proc(5): /proc/PID/loginuid of who never logged in */
#define ADDRESS_CHARS 64

/* The user who logged in, whoever he has become since. */
static void set_login(struct json *who)
{
	char text[32];
	uint64_t login;

	if (!cof_failed(file_read_line("/proc/self/loginuid", text, sizeof(text), NULL)) &&
	    !cof_failed(uint_parse(text, UINT32_MAX, &login, NULL)) && login != NO_LOGIN)
		json_set_uint(who, "login", login);
}

/* The terminal that any of the standard streams is. */
static void set_terminal(struct json *who)
{
	char name[256];

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (ttyname_r(fd, name, sizeof(name)) == 0) {
			json_set_text(who, "tty", name);
			return;
		}
}

/* Where a session of sshd comes from, as far as the environment says so. */
static void set_remote(struct json *who)
{
	const char *connection = getenv("SSH_CONNECTION");
	char address[ADDRESS_CHARS] = "";

	for (size_t i = 0; connection && connection[i] && i + 1 < sizeof(address); i++) {
		if (!isxdigit((unsigned char)connection[i]) && !strchr(".:%", connection[i]))
			break;
		address[i] = connection[i];
	}
	if (address[0])
		json_set_text(who, "ssh", address);
}

struct json *audit_who(const char *verb)
{
	struct json *who = json_new_object();

	json_set_uint(who, "uid", getuid());
	set_login(who);
	set_terminal(who);
	set_remote(who);
	json_set_uint(who, "pid", (uint64_t)getpid());
	if (verb)
		json_set_text(who, "verb", verb);
	return who;
}
