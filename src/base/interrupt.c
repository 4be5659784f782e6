/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "interrupt.h"

#include <stddef.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static volatile sig_atomic_t seen;

static void note(int number)
{
	seen = number;
}

void interrupt_begin(struct interrupt *interrupt)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };

	seen = 0;
	interrupt->caught = true;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		(void)sigaction(signals[i], NULL, &interrupt->before[i]);
		if (interrupt->before[i].sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &action, NULL);
	}
}

void interrupt_end(struct interrupt *interrupt)
{
	if (!interrupt->caught)
		return;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &interrupt->before[i], NULL);
	interrupt->caught = false;
	seen = 0;
}

int interrupt_seen(void)
{
	return seen;
}
