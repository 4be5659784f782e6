/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passphrase_ask() on a real terminal. Three processes: this one plays the person at the other end
 * of the pseudo-terminal; a leader of the terminal's session plays the shell, which sees what state
 * the terminal is left in; a child of it in the foreground asks.
 */
#include "forked.h"

#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>

#include "passphrase.h"
#include "silence.h"

#define PROMPT	"Passphrase"
#define CHECK	"checking"
#define WAIT_MS 20000 /* long enough for a busy machine under valgrind */

/* What the person does: waits for a text, then types, or has a signal sent to the asker. */
struct step {
	const char *wait_for;
	const char *type;
	int send_signal;
};

/* What a run is like, and what came of it; shared by the three processes. */
struct session {
	bool confirm;
	bool ignore_interrupt; /* the asker ignores Ctrl-C */
	bool deny_signalfd;
	bool check_silently; /* the asker then checks in silence, until another line is typed */
	bool in_background; /* the leader asks, while another process has the terminal */
	volatile pid_t asker;
	volatile enum cof_code code;
	char answer[PASSPHRASE_MAX_BYTES + 1];
	char remedy[512];
	volatile int status; /* what waitpid() said of the asker */
	volatile unsigned int stops;
	volatile bool echo_when_stopped, echo_at_end;
	volatile int left_over; /* bytes that the shell would read next */
	bool echo_at_prompt;
	char screen[4096];
	size_t screen_len;
};

static struct session *session;

static int session_setup(void **state)
{
	session = mmap(NULL, sizeof(*session), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	return session == MAP_FAILED ? -1 : 0;
}

static int session_teardown(void **state)
{
	return munmap(session, sizeof(*session));
}

/* Whether the terminal shows what is typed. */
static bool echoes(int fd)
{
	struct termios now;

	return tcgetattr(fd, &now) == 0 && now.c_lflag & ECHO;
}

/* Puts a process group in the foreground, from wherever this process is. */
static void set_foreground(pid_t group)
{
	sigset_t background;

	(void)sigemptyset(&background);
	(void)sigaddset(&background, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &background, NULL);
	(void)tcsetpgrp(STDIN_FILENO, group);
	(void)sigprocmask(SIG_UNBLOCK, &background, NULL);
}

/* Does as if it checked an answer, and says so again after a signal. */
static void check(void)
{
	struct pollfd typed = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec limit = { .tv_sec = WAIT_MS / 1000 };
	sigset_t all, usual;

	/* Signals come while it waits, and at no other time. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &usual);
	do {
		(void)dprintf(STDOUT_FILENO, CHECK "\n");
	} while (ppoll(&typed, 1, &limit, &usual) < 0 && errno == EINTR);
	(void)sigprocmask(SIG_SETMASK, &usual, NULL);
}

/* Asks, and notes what came of it. */
static void ask(void)
{
	_cleanup_silence_ bool silent = session->check_silently && silence_begin();
	struct slot_secret *answer = NULL;
	struct cof_error err = { 0 };

	session->asker = getpid();
	if (session->deny_signalfd && !deny_syscall(SYS_signalfd4, ENOSYS))
		_exit(NOT_POSSIBLE_HERE);
	session->code = passphrase_ask(PROMPT, session->confirm, &answer, &err).code;
	memcpy(session->remedy, err.remedy, sizeof(session->remedy));
	if (session->code == COF_E_NONE)
		memcpy(session->answer, answer->secret.data, answer->secret.len);
	slot_secret_free(answer);
	if (silent)
		check();
}

/* The asker's life, in the foreground. */
__attribute__((noreturn)) static void be_asker(void)
{
	(void)setpgid(0, 0);
	set_foreground(getpid());
	(void)signal(SIGHUP, SIG_DFL);
	/* Shells start what they put in the background with this one ignored. */
	(void)signal(SIGQUIT, SIG_DFL);
	(void)signal(SIGINT, session->ignore_interrupt ? SIG_IGN : SIG_DFL);
	ask();
	_exit(0);
}

/* The leader's life: what a shell does for a job, with notes. */
__attribute__((noreturn)) static void be_leader(void)
{
	struct termios raw;
	int status, left_over = -1;
	pid_t asker = fork();

	if (asker == 0)
		be_asker();
	while (waitpid(asker, &status, WUNTRACED) == asker && WIFSTOPPED(status)) {
		session->stops++;
		session->echo_when_stopped = echoes(STDIN_FILENO);
		set_foreground(asker);
		(void)kill(asker, SIGCONT);
	}
	set_foreground(getpid());
	session->status = status;
	session->echo_at_end = echoes(STDIN_FILENO);
	/* Only without lines does the kernel count half a line. */
	(void)tcgetattr(STDIN_FILENO, &raw);
	raw.c_lflag &= ~(tcflag_t)ICANON;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)ioctl(STDIN_FILENO, FIONREAD, &left_over);
	session->left_over = left_over;
	_exit(0);
}

/* A leader that asks although another process has the terminal. */
__attribute__((noreturn)) static void be_background_leader(void)
{
	pid_t other = fork();

	if (other == 0) {
		(void)pause();
		_exit(0);
	}
	(void)setpgid(other, other);
	set_foreground(other);
	ask();
	(void)kill(other, SIGKILL);
	(void)waitpid(other, NULL, 0);
	_exit(0);
}

/* Collects what is shown until @text has come after position @from; false if it never does. */
static bool watch_for(int master, const char *text, size_t *from)
{
	struct pollfd waiting = { .fd = master, .events = POLLIN };

	for (;;) {
		char *found = text ? strstr(session->screen + *from, text) : NULL;
		ssize_t got;

		if (found) {
			*from = (size_t)(found - session->screen) + strlen(text);
			return true;
		}
		if (poll(&waiting, 1, WAIT_MS) != 1)
			return false;
		got = read(master, session->screen + session->screen_len,
			   sizeof(session->screen) - 1 - session->screen_len);
		if (got <= 0)
			return !text;
		session->screen_len += (size_t)got;
	}
}

/* Plays one session to its end. */
static void play(const struct step *steps, size_t count)
{
	size_t from = 0;
	int master, status;
	pid_t leader = forkpty(&master, NULL, NULL, NULL);

	assert_true(leader >= 0);
	if (leader == 0) {
		(void)signal(SIGHUP, SIG_IGN);
		if (session->in_background)
			be_background_leader();
		be_leader();
	}
	for (size_t i = 0; i < count; i++) {
		if (!watch_for(master, steps[i].wait_for, &from))
			fail_msg("\"%s\" was not shown, only: %s", steps[i].wait_for,
				 session->screen);
		session->echo_at_prompt |= echoes(master);
		if (steps[i].type)
			assert_int_equal(write(master, steps[i].type, strlen(steps[i].type)),
					 strlen(steps[i].type));
		if (steps[i].send_signal)
			assert_int_equal(kill(session->asker, steps[i].send_signal), 0);
	}
	(void)watch_for(master, NULL, &from);
	assert_int_equal(waitpid(leader, &status, 0), leader);
	assert_int_equal(close(master), 0);
	assert_int_equal(status, 0);
}

#define PLAY(...)                                                                                  \
	do {                                                                                       \
		const struct step steps_[] = { __VA_ARGS__ };                                      \
		play(steps_, sizeof(steps_) / sizeof(steps_[0]));                                  \
	} while (0)

/* The asker was ended by @signal and the shell has its terminal as it was. */
static void assert_killed_with_echo(int signal)
{
	assert_true(WIFSIGNALED(session->status));
	assert_int_equal(WTERMSIG(session->status), signal);
	assert_true(session->echo_at_end);
	assert_int_equal(session->left_over, 0);
}

/* ---- answers ---- */

static void test_passphrase_ask_gives_what_was_typed(void **state)
{
	PLAY({ PROMPT ": ", "correct horse\n", 0 });
	assert_int_equal(session->code, COF_E_NONE);
	assert_string_equal(session->answer, "correct horse");
}

static void test_passphrase_ask_shows_nothing_of_it(void **state)
{
	PLAY({ PROMPT ": ", "correct horse\n", 0 });
	assert_false(session->echo_at_prompt);
	assert_string_equal(session->screen, PROMPT ": \r\n");
}

static void test_passphrase_ask_brings_echo_back(void **state)
{
	PLAY({ PROMPT ": ", "correct horse\n", 0 });
	assert_int_equal(session->status, 0);
	assert_true(session->echo_at_end);
}

static void test_passphrase_ask_takes_corrections(void **state)
{
	PLAY({ PROMPT ": ", "wrong\x15righg\x7ft\n", 0 });
	assert_string_equal(session->answer, "right");
}

static void test_passphrase_ask_twice_the_same_is_taken(void **state)
{
	session->confirm = true;
	PLAY({ PROMPT ": ", "again\n", 0 }, { "once more: ", "again\n", 0 });
	assert_int_equal(session->code, COF_E_NONE);
	assert_string_equal(session->answer, "again");
}

static void test_passphrase_ask_refuses_two_that_differ(void **state)
{
	session->confirm = true;
	PLAY({ PROMPT ": ", "one\n", 0 }, { "once more: ", "other\n", 0 });
	assert_int_equal(session->code, COF_E_USAGE);
	assert_true(session->echo_at_end);
}

static void test_passphrase_ask_refuses_empty_answer(void **state)
{
	PLAY({ PROMPT ": ", "\n", 0 });
	assert_int_equal(session->code, COF_E_USAGE);
	assert_true(session->echo_at_end);
}

static void test_passphrase_ask_refuses_end_of_input(void **state)
{
	PLAY({ PROMPT ": ", "\x04", 0 });
	assert_int_equal(session->code, COF_E_USAGE);
}

static void test_passphrase_ask_too_long_leaves_nothing_to_the_shell(void **state)
{
	char typed[1000];

	memset(typed, 'x', sizeof(typed) - 2);
	memcpy(typed + sizeof(typed) - 2, "\n", 2);
	PLAY({ PROMPT ": ", typed, 0 });
	assert_int_equal(session->code, COF_E_USAGE);
	assert_int_equal(session->left_over, 0);
}

/* ---- signals ---- */

static void test_passphrase_ask_after_ctrl_c_dies_with_echo_on(void **state)
{
	PLAY({ PROMPT ": ", "half\x03", 0 });
	assert_killed_with_echo(SIGINT);
}

static void test_passphrase_ask_after_quit_dies_with_echo_on(void **state)
{
	PLAY({ PROMPT ": ", NULL, SIGQUIT });
	assert_killed_with_echo(SIGQUIT);
}

static void test_passphrase_ask_after_sigterm_dies_with_echo_on(void **state)
{
	PLAY({ PROMPT ": ", "half", SIGTERM });
	assert_killed_with_echo(SIGTERM);
}

static void test_passphrase_ask_after_hangup_dies_with_echo_on(void **state)
{
	PLAY({ PROMPT ": ", NULL, SIGHUP });
	assert_killed_with_echo(SIGHUP);
}

static void test_passphrase_ask_stopped_has_echo_on(void **state)
{
	skip_under_valgrind();
	PLAY({ PROMPT ": ", "half\x1a", 0 }, { PROMPT ": ", "whole\n", 0 });
	assert_int_equal(session->stops, 1);
	assert_true(session->echo_when_stopped);
}

static void test_passphrase_ask_continued_asks_again(void **state)
{
	PLAY({ PROMPT ": ", "half\x1a", 0 }, { PROMPT ": ", "whole\n", 0 });
	assert_int_equal(session->code, COF_E_NONE);
	assert_string_equal(session->answer, "whole");
	assert_false(session->echo_at_prompt);
	assert_true(session->echo_at_end);
}

static void test_passphrase_ask_with_signal_ignored_fails(void **state)
{
	session->ignore_interrupt = true;
	PLAY({ PROMPT ": ", "half\x03", 0 });
	assert_int_equal(session->status, 0);
	assert_int_equal(session->code, COF_E_FAILED);
	assert_true(session->echo_at_end);
}

/* ---- while the answer is checked ---- */

static void test_silence_shows_nothing_of_what_is_typed_ahead(void **state)
{
	session->check_silently = true;
	PLAY({ PROMPT ": ", "once\n", 0 }, { CHECK "\r\n", "ahead\n", 0 });
	assert_string_equal(session->answer, "once");
	assert_string_equal(session->screen, PROMPT ": \r\n" CHECK "\r\n");
}

static void test_silence_leaves_echo_and_nothing_else_to_the_shell(void **state)
{
	session->check_silently = true;
	PLAY({ PROMPT ": ", "once\n", 0 }, { CHECK "\r\n", "ahead\n", 0 });
	assert_int_equal(session->status, 0);
	assert_true(session->echo_at_end);
	assert_int_equal(session->left_over, 0);
}

static void test_silence_after_ctrl_c_dies_with_echo_on(void **state)
{
	session->check_silently = true;
	PLAY({ PROMPT ": ", "once\n", 0 }, { CHECK "\r\n", "half\x03", 0 });
	assert_killed_with_echo(SIGINT);
}

static void test_silence_after_sigterm_dies_with_echo_on(void **state)
{
	session->check_silently = true;
	PLAY({ PROMPT ": ", "once\n", 0 }, { CHECK "\r\n", "half", SIGTERM });
	assert_killed_with_echo(SIGTERM);
}

static void test_silence_stopped_has_echo_on_and_off_again(void **state)
{
	skip_under_valgrind();
	session->check_silently = true;
	PLAY({ PROMPT ": ", "once\n", 0 }, { CHECK "\r\n", "\x1a", 0 },
	     { CHECK "\r\n", "ahead\n", 0 });
	assert_int_equal(session->stops, 1);
	assert_true(session->echo_when_stopped);
	assert_null(strstr(session->screen, "ahead"));
	assert_true(session->echo_at_end);
}

static void test_silence_lets_a_question_be_stopped_and_asked_again(void **state)
{
	skip_under_valgrind();
	session->check_silently = true;
	PLAY({ PROMPT ": ", "half\x1a", 0 }, { PROMPT ": ", "whole\n", 0 },
	     { CHECK "\r\n", "ahead\n", 0 });
	assert_true(session->echo_when_stopped);
	assert_string_equal(session->answer, "whole");
	assert_null(strstr(session->screen, "ahead"));
	assert_true(session->echo_at_end);
}

static void test_silence_leaves_an_ignored_signal_ignored(void **state)
{
	session->check_silently = true;
	session->ignore_interrupt = true;
	PLAY({ PROMPT ": ", "once\n", 0 }, { CHECK "\r\n", "half\x03" "ahead\n", 0 });
	assert_int_equal(session->status, 0);
	assert_true(session->echo_at_end);
}

/* ---- no use asking ---- */

static int ask_without_terminal(void *argument)
{
	if (setsid() < 0)
		return NOT_POSSIBLE_HERE;
	ask();
	return 0;
}

static void test_passphrase_ask_without_terminal_names_the_option(void **state)
{
	assert_forked_ok(ask_without_terminal, NULL);
	assert_int_equal(session->code, COF_E_UNSUPPORTED);
	assert_non_null(strstr(session->remedy, "--passphrase-file"));
}

static void test_passphrase_ask_from_background_fails(void **state)
{
	session->in_background = true;
	play(NULL, 0);
	assert_int_equal(session->code, COF_E_IO);
}

static void test_passphrase_ask_without_signalfd_does_not_ask(void **state)
{
	session->deny_signalfd = true;
	play(NULL, 0);
	if (session->status == NOT_POSSIBLE_HERE << 8) {
		print_message("skip: no seccomp filters here\n");
		skip();
	}
	assert_int_equal(session->code, COF_E_IO);
	assert_string_equal(session->screen, "");
}

#define IN_SESSION(test) cmocka_unit_test_setup_teardown(test, session_setup, session_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SESSION(test_passphrase_ask_gives_what_was_typed),
		IN_SESSION(test_passphrase_ask_shows_nothing_of_it),
		IN_SESSION(test_passphrase_ask_brings_echo_back),
		IN_SESSION(test_passphrase_ask_takes_corrections),
		IN_SESSION(test_passphrase_ask_twice_the_same_is_taken),
		IN_SESSION(test_passphrase_ask_refuses_two_that_differ),
		IN_SESSION(test_passphrase_ask_refuses_empty_answer),
		IN_SESSION(test_passphrase_ask_refuses_end_of_input),
		IN_SESSION(test_passphrase_ask_too_long_leaves_nothing_to_the_shell),
		IN_SESSION(test_passphrase_ask_after_ctrl_c_dies_with_echo_on),
		IN_SESSION(test_passphrase_ask_after_quit_dies_with_echo_on),
		IN_SESSION(test_passphrase_ask_after_sigterm_dies_with_echo_on),
		IN_SESSION(test_passphrase_ask_after_hangup_dies_with_echo_on),
		IN_SESSION(test_passphrase_ask_stopped_has_echo_on),
		IN_SESSION(test_passphrase_ask_continued_asks_again),
		IN_SESSION(test_passphrase_ask_with_signal_ignored_fails),
		IN_SESSION(test_silence_shows_nothing_of_what_is_typed_ahead),
		IN_SESSION(test_silence_leaves_echo_and_nothing_else_to_the_shell),
		IN_SESSION(test_silence_after_ctrl_c_dies_with_echo_on),
		IN_SESSION(test_silence_after_sigterm_dies_with_echo_on),
		IN_SESSION(test_silence_stopped_has_echo_on_and_off_again),
		IN_SESSION(test_silence_lets_a_question_be_stopped_and_asked_again),
		IN_SESSION(test_silence_leaves_an_ignored_signal_ignored),
		IN_SESSION(test_passphrase_ask_without_terminal_names_the_option),
		IN_SESSION(test_passphrase_ask_from_background_fails),
		IN_SESSION(test_passphrase_ask_without_signalfd_does_not_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
