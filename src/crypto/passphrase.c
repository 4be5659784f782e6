/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "file.h"
#include "passphrase.h"

#define KEYFILE_FIRST_BYTES 4096 /* room for a key file whose length is not known beforehand */

/*
 * struct source - where a secret is read from
 * @fd:          owned
 * @signals_fd:  owned; a signal that arrives here ends the reading; -1 for none
 * @signal_seen: that signal's number
 * @saved:       the terminal's state, if @is_silenced
 * @old_mask:    the thread's signal mask, if @signals_fd is open
 */
struct source {
	int fd;
	int signals_fd;
	int signal_seen;
	bool is_silenced;
	struct termios saved;
	sigset_t old_mask;
};

#define SOURCE_CLOSED ((struct source){ .fd = -1, .signals_fd = -1 })

/* Brings the terminal back as it was, then lets signals through again. */
static void source_done(struct source *source)
{
	sigset_t background;

	if (source->is_silenced) {
		/* Else a process that was put in the background would stop here for good. */
		(void)sigemptyset(&background);
		(void)sigaddset(&background, SIGTTOU);
		(void)pthread_sigmask(SIG_BLOCK, &background, NULL);
		/* With a flush: half a passphrase must not end up on the shell's next line. */
		(void)tcsetattr(source->fd, TCSAFLUSH, &source->saved);
	}
	fd_closep(&source->fd);
	if (source->signals_fd >= 0) {
		(void)close(source->signals_fd);
		(void)pthread_sigmask(SIG_SETMASK, &source->old_mask, NULL);
	}
}

/* What errors call a source. */
static const char *source_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* Opens a file by name, or standard input as "-". */
static cof_result source_open(const char *path, struct source *source, struct cof_error *err)
{
	if (strcmp(path, "-") == 0)
		source->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else
		source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (source->fd < 0)
		return cof_raise_errno(err, errno, source_name(path), "cannot be opened");
	return COF_OK;
}

/* Reads some bytes as read() does, but gives up with EINTR when a signal comes to the source. */
static ssize_t source_read(struct source *source, uint8_t *out, size_t len)
{
	struct pollfd waiting[] = { { .fd = source->fd, .events = POLLIN },
				    { .fd = source->signals_fd, .events = POLLIN } };
	struct signalfd_siginfo caught;
	ssize_t got = -1;

	do {
		if (poll(waiting, 2, -1) < 0)
			continue;
		if (waiting[1].revents &&
		    read(source->signals_fd, &caught, sizeof(caught)) == sizeof(caught)) {
			source->signal_seen = (int)caught.ssi_signo;
			errno = EINTR;
			return -1;
		}
		got = read(source->fd, out, len);
	} while (got < 0 && errno == EINTR);
	return got;
}

/* Reads up to a newline or the end, byte by byte into locked memory, and no byte further. */
static cof_result read_line(struct source *source, const char *subject,
			    struct slot_secret **ret_line, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *line = NULL;
	size_t len = 0;

	TRY(slot_secret_new(PASSPHRASE_MAX_BYTES + 1, &line, err));
	while (len <= PASSPHRASE_MAX_BYTES) {
		ssize_t got = source_read(source, line->secret.data + len, 1);

		ENSURE(!source->signal_seen, err, COF_E_FAILED, subject, "interrupted by a signal");
		if (got < 0)
			return cof_raise_errno(err, errno, subject, "cannot be read");
		if (got == 0 || line->secret.data[len] == '\n')
			break;
		len++;
	}
	ENSURE(len > 0, err, COF_E_USAGE, subject, "the passphrase is empty");
	ENSURE(len <= PASSPHRASE_MAX_BYTES, err, COF_E_USAGE, subject,
	       "the passphrase is longer than %d bytes", PASSPHRASE_MAX_BYTES);
	secret_shrink(&line->secret, len);

	*ret_line = TAKE(line);
	return COF_OK;
}

cof_result passphrase_read(const char *path, struct slot_secret **ret_passphrase,
			   struct cof_error *err)
{
	_cleanup_(source_done) struct source source = SOURCE_CLOSED;

	TRY(source_open(path, &source, err));
	TRY(read_line(&source, source_name(path), ret_passphrase, err));
	return COF_OK;
}

cof_result passphrase_from_credential(const char *name, struct slot_secret **ret_passphrase,
				      bool *ret_found, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	bool found;

	ENSURE(name[0] != '\0' && name[0] != '.' && !strchr(name, '/'), err, COF_E_USAGE, name,
	       "not a name of a systemd credential");
	TRY(path_format(&path, err, "%s/%s", folder ? folder : "", name));
	found = folder && path_exists(path);
	if (found)
		TRY(passphrase_read(path, ret_passphrase, err));

	*ret_found = found;
	return COF_OK;
}

/* ---- key files ---- */

/* How much room the first read of a key file gets: the file and one byte, which finds its end. */
static size_t first_room(int fd)
{
	struct stat info;

	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size <= 0)
		return KEYFILE_FIRST_BYTES;
	return info.st_size < KEYFILE_MAX_BYTES ? (size_t)info.st_size + 1 : KEYFILE_MAX_BYTES + 1;
}

/* Moves a full secret into one of twice the room, or of the most that a key file may need. */
static cof_result grow(struct slot_secret **key, struct cof_error *err)
{
	size_t len = (*key)->secret.len;
	size_t room = len < KEYFILE_MAX_BYTES / 2 ? 2 * len : KEYFILE_MAX_BYTES + 1;
	struct slot_secret *grown;

	TRY(slot_secret_new(room, &grown, err));
	memcpy(grown->secret.data, (*key)->secret.data, len);
	slot_secret_free(*key);
	*key = grown;
	return COF_OK;
}

cof_result keyfile_read(const char *path, struct slot_secret **ret_key, struct cof_error *err)
{
	_cleanup_(source_done) struct source source = SOURCE_CLOSED;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	const char *subject = source_name(path);
	size_t len = 0;

	TRY(source_open(path, &source, err));
	TRY(slot_secret_new(first_room(source.fd), &key, err));
	for (;;) {
		ssize_t got;

		if (len == key->secret.len)
			TRY(grow(&key, err));
		got = source_read(&source, key->secret.data + len, key->secret.len - len);
		if (got < 0)
			return cof_raise_errno(err, errno, subject, "cannot be read");
		if (got == 0)
			break;
		len += (size_t)got;
		ENSURE(len <= KEYFILE_MAX_BYTES, err, COF_E_USAGE, subject,
		       "the key file is longer than %u bytes", KEYFILE_MAX_BYTES);
	}
	ENSURE(len > 0, err, COF_E_USAGE, subject, "the key file is empty");
	secret_shrink(&key->secret, len);

	*ret_key = TAKE(key);
	return COF_OK;
}

cof_result keyfile_write(const char *path, struct span secret, const char *end,
			 struct cof_error *err)
{
	_cleanup_secret_ struct secret *content = NULL;
	size_t end_bytes = strlen(end);

	TRY(secret_new(secret.len + end_bytes, &content, err));
	memcpy(content->data, secret.data, secret.len);
	memcpy(content->data + secret.len, end, end_bytes);
	TRY(file_create(path, secret_span(content), 0600, err));
	return COF_OK;
}

/* ---- the terminal ---- */

/* Raises that nobody can be asked. */
static cof_result raise_no_terminal(int errno_value, struct cof_error *err)
{
	cof_result failure = cof_raise(err, COF_E_UNSUPPORTED, NULL,
				       "there is no terminal to ask for the passphrase on");

	cof_error_cause(err, "/dev/tty: %s", strerror(errno_value));
	cof_error_try(err, "--passphrase-file FILE   (- is standard input)");
	return failure;
}

/*
 * Opens the controlling terminal with echo off. The signals that would end or stop this process
 * wait from before that until the terminal is as it was, so that they never leave it silent.
 */
static cof_result terminal_open(struct source *terminal, struct cof_error *err)
{
	static const int deferred[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	struct termios silent;
	sigset_t signals;

	(void)sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(deferred) / sizeof(deferred[0]); i++)
		(void)sigaddset(&signals, deferred[i]);
	terminal->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->fd < 0 || tcgetattr(terminal->fd, &terminal->saved) < 0)
		return raise_no_terminal(errno, err);
	terminal->signals_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (terminal->signals_fd < 0)
		return cof_raise_errno(err, errno, NULL, "signals cannot be held back");
	(void)pthread_sigmask(SIG_BLOCK, &signals, &terminal->old_mask);
	silent = terminal->saved;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	terminal->is_silenced = tcsetattr(terminal->fd, TCSAFLUSH, &silent) == 0;
	ENSURE(terminal->is_silenced, err, COF_E_IO, "/dev/tty", "echo cannot be switched off: %s",
	       strerror(errno));
	return COF_OK;
}

/* Prompts once on an open terminal. */
static cof_result ask_line(struct source *terminal, const char *prompt,
			   struct slot_secret **ret_line, struct cof_error *err)
{
	cof_result answer;

	(void)dprintf(terminal->fd, "%s: ", prompt);
	answer = read_line(terminal, "the terminal", ret_line, err);
	/* The newline that was typed was not echoed either. */
	(void)dprintf(terminal->fd, "\n");
	TRY(answer);
	return COF_OK;
}

/* Asks until an answer or a signal, whose number goes to @signal_seen; restores the terminal. */
static cof_result ask_once(const char *prompt, bool confirm, struct slot_secret **ret_passphrase,
			   int *signal_seen, struct cof_error *err)
{
	_cleanup_(source_done) struct source terminal = SOURCE_CLOSED;
	_cleanup_(slot_secret_freep) struct slot_secret *first = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *second = NULL;
	cof_result answer;

	*signal_seen = 0;
	TRY(terminal_open(&terminal, err));
	answer = ask_line(&terminal, prompt, &first, err);
	if (!cof_failed(answer) && confirm)
		answer = ask_line(&terminal, "The same once more", &second, err);
	*signal_seen = terminal.signal_seen;
	TRY(answer);
	ENSURE(!confirm || ct_equal(slot_secret_span(first), slot_secret_span(second)), err,
	       COF_E_USAGE, NULL, "the two passphrases differ");

	*ret_passphrase = TAKE(first);
	return COF_OK;
}

cof_result passphrase_ask(const char *prompt, bool confirm, struct slot_secret **ret_passphrase,
			  struct cof_error *err)
{
	int signal_seen;
	cof_result answer;

	do {
		answer = ask_once(prompt, confirm, ret_passphrase, &signal_seen, err);
		/* Held back until now: the terminal is as it was. */
		if (signal_seen)
			(void)raise(signal_seen);
	} while (signal_seen == SIGTSTP);
	TRY(answer);
	return COF_OK;
}
