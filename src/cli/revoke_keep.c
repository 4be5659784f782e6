/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "revoke_keep.h"

#include <stdio.h>
#include <string.h>

#include "passphrase.h"
#include "unlocking.h"

void revoke_keep_done(struct revoke_keep *keep)
{
	for (size_t i = 0; i < keep->count; i++)
		slot_secret_free(keep->secrets[i]);
	keep->count = 0;
}

/* The methods of the vault, while it is found out which stay. */
struct keeping {
	struct cli_call *call;
	const struct vault_slot *slots;
	size_t count;
	const struct vault_slot *gone;
	bool fips;
	struct revoke_keep *keep;
};

/* Which slot a secret opens, in a vault that is opened afresh for that. */
static cof_result slot_of(const struct keeping *keeping, const struct slot_secret *secret,
			  const struct vault_slot **ret_slot, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	int number = -1;

	TRY(vault_open(keeping->call->paths, &vault, err));
	TRY(vault_unlock(vault, secret, &number, err));
	for (size_t i = 0; i < keeping->count; i++)
		if (keeping->slots[i].number == number) {
			*ret_slot = &keeping->slots[i];
			return COF_OK;
		}
	FAIL(err, COF_E_CONFLICT, keeping->call->paths->vault_dir,
	     "slot %d was added by somebody else meanwhile", number);
}

/* How a slot's secret is enrolled again; one that another tool has added counts as a passphrase. */
static enum vault_method method_of(const struct vault_slot *slot)
{
	if (strcmp(slot->method, "recovery") == 0)
		return VAULT_RECOVERY;
	return strcmp(slot->method, "file") == 0 ? VAULT_FILE : VAULT_PASSPHRASE;
}

/* Keeps a slot, whose secret is taken. */
static void keep_slot(const struct keeping *keeping, const struct vault_slot *slot,
		      struct slot_secret *secret)
{
	struct revoke_keep *keep = keeping->keep;

	if (keep->slots & 1u << slot->number) {
		slot_secret_free(secret);
		return;
	}
	keep->slots |= 1u << slot->number;
	keep->secrets[keep->count] = secret;
	keep->kept[keep->count++] = (struct vault_kept){
		.slot = slot->number,
		.method = method_of(slot),
		.label = slot->label,
		.secret = secret,
		/* With --fips a cheap slot looks like any other. */
		.strong = !keeping->fips && strcmp(slot->pbkdf, "pbkdf2") == 0,
	};
}

/* A secret that an option names: it must open another slot than the one that goes. */
static cof_result keep_given(const struct keeping *keeping, const char *file,
			     struct slot_secret *taken, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = taken;
	const struct vault_slot *slot;

	TRY(cof_explain(slot_of(keeping, secret, &slot, err), err,
			"coffer slots, which shows what opens the vault", "%s cannot be kept",
			file));
	ENSURE(slot != keeping->gone, err, COF_E_REFUSED, file,
	       "opens slot %d, which is to be revoked", slot->number);
	keep_slot(keeping, slot, TAKE(secret));
	return COF_OK;
}

/* Those that options name. */
static cof_result keep_options(const struct keeping *keeping, struct cof_error *err)
{
	const char *const *passphrases = cli_value_list(keeping->call, KEEP_PASSPHRASE);
	const char *const *files = cli_value_list(keeping->call, KEEP_FILE);

	for (; *passphrases; passphrases++) {
		struct slot_secret *secret;

		TRY(passphrase_read(*passphrases, &secret, err));
		TRY(keep_given(keeping, *passphrases, secret, err));
	}
	for (; *files; files++) {
		struct slot_secret *secret;

		TRY(keyfile_read(*files, &secret, err));
		TRY(keep_given(keeping, *files, secret, err));
	}
	return COF_OK;
}

/* Asks for one slot's secret, until it is right or nothing is typed. */
static cof_result ask_for(const struct keeping *keeping, const struct vault_slot *slot,
			  struct cof_error *err)
{
	char prompt[192];

	(void)snprintf(prompt, sizeof(prompt),
		       "To keep slot %d (%s%s%s), its secret; to let it go, just Enter",
		       slot->number, slot->method, slot->label[0] ? ", " : "", slot->label);
	for (unsigned int attempt = 0; attempt < CLI_TRIES; attempt++) {
		_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
		const struct vault_slot *opened = NULL;
		struct cof_error failure = { 0 };
		cof_result asked = passphrase_ask(prompt, false, &secret, &failure);

		if (asked.code == COF_E_USAGE)
			return COF_OK;
		if (!cof_failed(asked))
			asked = slot_of(keeping, secret, &opened, &failure);
		if (cof_failed(asked) && asked.code != COF_E_KEY) {
			if (err)
				*err = failure;
			return asked;
		}
		if (opened == slot) {
			keep_slot(keeping, slot, TAKE(secret));
			return COF_OK;
		}
		cof_ignore(cof_raise(&failure, COF_E_KEY, NULL, "this does not open slot %d",
				     slot->number));
		cli_report(&failure);
	}
	FAIL(err, COF_E_KEY, keeping->call->paths->vault_dir,
	     "slot %d was to be kept, and its secret was not typed; nothing was changed",
	     slot->number);
}

/* Asks a person for what can be typed. */
static cof_result keep_typed(const struct keeping *keeping, struct cof_error *err)
{
	for (size_t i = 0; i < keeping->count; i++) {
		const struct vault_slot *slot = &keeping->slots[i];
		bool typed = strcmp(slot->method, "passphrase") == 0 ||
			     strcmp(slot->method, "recovery") == 0;

		if (typed && slot != keeping->gone && !(keeping->keep->slots & 1u << slot->number))
			TRY(ask_for(keeping, slot, err));
	}
	return COF_OK;
}

cof_result revoke_keep_gather(struct cli_call *call, const struct vault_slot *slots, size_t count,
			      const struct vault_slot *gone, const struct slot_secret *existing,
			      bool fips, struct revoke_keep *keep, struct cof_error *err)
{
	const struct keeping keeping = { call, slots, count, gone, fips, keep };
	struct slot_secret *copy;
	const struct vault_slot *slot;

	TRY(slot_of(&keeping, existing, &slot, err));
	if (slot != gone) {
		TRY(slot_secret_copy(slot_secret_span(existing), &copy, err));
		keep_slot(&keeping, slot, copy);
	}
	TRY(keep_options(&keeping, err));
	return cli_on_terminal(call) ? keep_typed(&keeping, err) : COF_OK;
}
