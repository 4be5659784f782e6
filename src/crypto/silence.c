/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cleanup.h"
#include "silence.h"

static const int leaving[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

#define LEAVING_COUNT (sizeof(leaving) / sizeof(leaving[0]))

/* The one silence of the process; the handler reads it. */
static struct {
	int fd;
	struct termios saved;
	struct termios silent;
	volatile sig_atomic_t is_silent;
	struct sigaction before[LEAVING_COUNT];
} terminal;

/* Sets the terminal although this process may be in the background, where that would stop it. */
static bool set_terminal(const struct termios *wanted)
{
	sigset_t background;
	sigset_t before;
	bool set;

	(void)sigemptyset(&background);
	(void)sigaddset(&background, SIGTTOU);
	(void)pthread_sigmask(SIG_BLOCK, &background, &before);
	set = tcsetattr(terminal.fd, TCSAFLUSH, wanted) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return set;
}

/* Brings the echo back, then lets the signal do its work. Who is continued in the foreground is
 * silent again; in the background the terminal is somebody else's. */
static void on_leaving(int number)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	struct sigaction ours;
	sigset_t this_one;
	int errno_before = errno;

	if (terminal.is_silent)
		(void)set_terminal(&terminal.saved);
	terminal.is_silent = false;
	(void)sigaction(number, &usual, &ours);
	(void)raise(number);
	(void)sigemptyset(&this_one);
	(void)sigaddset(&this_one, number);
	(void)pthread_sigmask(SIG_UNBLOCK, &this_one, NULL);
	/* Only a stopped process that was continued gets here. */
	(void)sigaction(number, &ours, NULL);
	if (tcgetpgrp(terminal.fd) == getpgrp())
		terminal.is_silent = set_terminal(&terminal.silent);
	errno = errno_before;
}

/* Has on_leaving() run for those signals that are not ignored. */
static void catch_signals(void)
{
	struct sigaction ours = { .sa_handler = on_leaving, .sa_flags = SA_RESTART };

	(void)sigfillset(&ours.sa_mask);
	for (size_t i = 0; i < LEAVING_COUNT; i++) {
		(void)sigaction(leaving[i], NULL, &terminal.before[i]);
		if (terminal.before[i].sa_handler == SIG_DFL)
			(void)sigaction(leaving[i], &ours, NULL);
	}
}

bool silence_begin(void)
{
	_cleanup_fd_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &terminal.saved) < 0)
		return false;
	terminal.fd = TAKE_FD(fd);
	terminal.silent = terminal.saved;
	terminal.silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	catch_signals();
	/* In the background this stops the process, as asking there does. */
	terminal.is_silent = tcsetattr(terminal.fd, TCSAFLUSH, &terminal.silent) == 0;
	return true;
}

void silence_end(const bool *begun)
{
	if (!*begun)
		return;
	if (terminal.is_silent)
		(void)set_terminal(&terminal.saved);
	terminal.is_silent = false;
	for (size_t i = 0; i < LEAVING_COUNT; i++)
		(void)sigaction(leaving[i], &terminal.before[i], NULL);
	(void)close(terminal.fd);
}
