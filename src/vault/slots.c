/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unlock methods: the keyslots of the vault's header, and what its tokens say of them.
 */

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "internal.h"
#include "number.h"
#include "recovery.h"

#define TOKENS_MAX 32 /* LUKS2 on-disk format 1.1.0, 3.6 */

static const char *const method_names[] = {
	[VAULT_PASSPHRASE] = "passphrase",
	[VAULT_RECOVERY] = "recovery",
	[VAULT_FILE] = "file",
};

enum luks_cost slot_cost(enum vault_method method, bool strong, bool fips)
{
#ifdef COF_FAULTS
	/* The crash tests make hundreds of keyslots; two seconds each would keep them from it. */
	const char *cost = getenv("COFFER_TEST_COST");

	if (cost && strcmp(cost, "cheap") == 0)
		return LUKS_COST_RANDOM_KEY;
#endif
	if (method == VAULT_RECOVERY || (method == VAULT_FILE && strong))
		return LUKS_COST_RANDOM_KEY;
	return fips ? LUKS_COST_PEOPLE_FIPS : LUKS_COST_PEOPLE;
}

cof_result slot_normalize(enum vault_method method, const struct slot_secret *secret,
			  struct slot_secret **ret_secret, struct cof_error *err)
{
	if (method == VAULT_RECOVERY)
		return recovery_parse(slot_secret_span(secret), ret_secret, err);
	return slot_secret_copy(slot_secret_span(secret), ret_secret, err);
}

/* Token @number of a header; @ret_found is false when there is none, or none that can be read. */
static cof_result token_load(const char *header_path, int number, struct token *ret_token,
			     bool *ret_found, struct cof_error *err)
{
	_cleanup_free_ char *text = NULL;

	TRY(luks_token_get(header_path, number, &text, err));
	/* A token that some other tool wrote badly takes nothing away from its keyslot. */
	*ret_found =
		text && !cof_failed(token_parse(span_of_text(text), header_path, ret_token, NULL));
	return COF_OK;
}

cof_result slot_set_token(const char *header_path, enum vault_method method, const char *label,
			  int slot, uint32_t replaces, struct cof_error *err)
{
	struct token token = { .slots = 1u << slot, .replaces = replaces };
	_cleanup_free_ char *text = NULL;

	token_note(&token, method_names[method], label);
	text = token_format(&token);
	return luks_token_set(header_path, -1, text, NULL, err);
}

void token_note(struct token *token, const char *method, const char *label)
{
	(void)snprintf(token->method, sizeof(token->method), "%s", method);
	(void)snprintf(token->label, sizeof(token->label), "%s", label ? label : "");
	(void)time_format(clock_now(), token->created);
}

const char *slot_method_name(enum vault_method method)
{
	return method_names[method];
}

cof_result slot_name_by(const char *header_path, const struct token *token, int slot, bool added,
			struct cof_error *err)
{
	_cleanup_free_ char *text = NULL;
	struct token named = *token;
	cof_result result;

	named.slots = 1u << slot;
	text = token_format(&named);
	result = luks_token_set(header_path, -1, text, NULL, err);
	/* Nobody is to find an unknown way in. The first failure is the one to report. */
	if (cof_failed(result) && added)
		cof_ignore(luks_slot_remove(header_path, NULL, slot, NULL));
	return result;
}

cof_result slot_name(const char *header_path, enum vault_method method, const char *label, int slot,
		     bool added, struct cof_error *err)
{
	struct token token = { 0 };

	token_note(&token, method_names[method], label);
	return slot_name_by(header_path, &token, slot, added, err);
}

cof_result slot_prove(const char *header_path, const struct volume_key *key,
		      const struct slot_secret *secret, int slot, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *opened = NULL;

	TRY(luks_unlock(header_path, NULL, secret, slot, &opened, NULL, err));
	ENSURE(ct_equal(volume_key_span(opened), volume_key_span(key)), err, COF_E_AUTH,
	       header_path, "keyslot %d yields another key than the vault's root key", slot);
	return COF_OK;
}

cof_result slot_tokens_each(const char *header_path, slot_token_visit visit, void *context,
			    struct cof_error *err)
{
	for (int number = 0; number < TOKENS_MAX; number++) {
		struct token token;
		bool found;

		TRY(token_load(header_path, number, &token, &found, err));
		if (found)
			TRY(visit(number, &token, context, err));
	}
	return COF_OK;
}

/* Notes one token in a struct slots_seen. */
static cof_result see_token(int number, const struct token *token, void *context,
			    struct cof_error *err)
{
	struct slots_seen *seen = context;

	seen->with_token |= token->slots;
	if (token->ours && token->slots == 0)
		seen->orphans |= 1u << number;
	for (int slot = 0; slot < LUKS_SLOTS_MAX; slot++) {
		if (!(token->slots & 1u << slot) || (!token->ours && seen->ours[slot] >= 0))
			continue;
		seen->tokens[slot] = *token;
		if (token->ours)
			seen->ours[slot] = number;
	}
	return COF_OK;
}

cof_result slots_see(const char *header_path, struct slots_seen **ret_seen, struct cof_error *err)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));
	_cleanup_free_ struct slots_seen *seen = calloc(1, sizeof(*seen));

	ENSURE(info && seen, err, COF_E_NOMEM, header_path, "no memory for a header");
	TRY(luks_read(header_path, NULL, info, err));
	for (size_t i = 0; i < info->slot_count; i++) {
		seen->in_use |= 1u << info->slots[i].number;
		if (info->slots[i].cheap)
			seen->cheap |= 1u << info->slots[i].number;
	}
	for (int slot = 0; slot < LUKS_SLOTS_MAX; slot++)
		seen->ours[slot] = -1;
	TRY(slot_tokens_each(header_path, see_token, seen, err));

	*ret_seen = TAKE(seen);
	return COF_OK;
}

cof_result slot_find(const char *header_path, const struct slots_seen *seen,
		     const struct slot_secret *secret, enum luks_cost cost, int except,
		     int *ret_slot, struct cof_error *err)
{
	/* A secret that is random has never been given a dear slot, which takes seconds to try. */
	uint32_t candidates = cost == LUKS_COST_RANDOM_KEY ? seen->cheap : seen->in_use;

	*ret_slot = -1;
	for (int slot = 0; slot < LUKS_SLOTS_MAX && *ret_slot < 0; slot++) {
		_cleanup_(volume_key_freep) struct volume_key *key = NULL;

		if (slot == except || !(candidates & 1u << slot))
			continue;
		/* One that cannot be read for another reason is not the one either. */
		if (!cof_failed(luks_unlock(header_path, NULL, secret, slot, &key, NULL, NULL)))
			*ret_slot = slot;
	}
	return COF_OK;
}

cof_result slot_set_replaces(const char *header_path, const struct slots_seen *seen, int slot,
			     uint32_t replaces, struct cof_error *err)
{
	struct token token = seen->tokens[slot];
	_cleanup_free_ char *text = NULL;

	if (seen->ours[slot] < 0 || token.replaces == replaces)
		return COF_OK;
	token.replaces = replaces;
	text = token_format(&token);
	return luks_token_set(header_path, seen->ours[slot], text, NULL, err);
}

cof_result slots_tidy(const char *header_path, uint32_t kept, struct cof_error *err)
{
	_cleanup_free_ struct slots_seen *seen = NULL;
	uint32_t may_go;

	TRY(slots_see(header_path, &seen, err));
	may_go = seen->in_use & ~kept;
	for (int slot = 0; slot < LUKS_SLOTS_MAX; slot++)
		TRY(slot_set_replaces(header_path, seen, slot, seen->tokens[slot].replaces & may_go,
				      err));
	for (int number = 0; number < TOKENS_MAX; number++) {
		if (seen->orphans & 1u << number)
			TRY(luks_token_remove(header_path, number, err));
	}
	return COF_OK;
}

/* The slots of a header, while their tokens are read. */
struct slot_list {
	struct vault_slot *slots;
	size_t count;
};

/* Notes what a token says of its slots; coffer's own says most. */
static cof_result note_token(int number, const struct token *token, void *context,
			     struct cof_error *err)
{
	struct slot_list *list = context;

	for (size_t i = 0; i < list->count; i++) {
		struct vault_slot *slot = &list->slots[i];

		if (!(token->slots & 1u << slot->number))
			continue;
		if (!token->ours && strcmp(slot->method, "unknown") != 0)
			continue;
		memcpy(slot->method, token->method, sizeof(slot->method));
		memcpy(slot->label, token->label, sizeof(slot->label));
		memcpy(slot->created, token->created, sizeof(slot->created));
		memcpy(slot->detail, token->detail, sizeof(slot->detail));
		slot->unattended = token->unattended;
	}
	return COF_OK;
}

cof_result vault_slots(struct vault *vault, struct vault_slot **ret_slots, size_t *ret_count,
		       struct cof_error *err)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));
	_cleanup_free_ struct vault_slot *slots = calloc(LUKS_SLOTS_MAX, sizeof(*slots));
	struct slot_list list = { .slots = slots };

	ENSURE(info && slots, err, COF_E_NOMEM, vault->header_path, "no memory for a header");
	TRY(luks_read(vault->header_path, NULL, info, err));
	for (; list.count < info->slot_count; list.count++) {
		struct vault_slot *slot = &slots[list.count];

		slot->number = info->slots[list.count].number;
		(void)snprintf(slot->method, sizeof(slot->method), "unknown");
		memcpy(slot->pbkdf, info->slots[list.count].pbkdf, sizeof(slot->pbkdf));
	}
	TRY(slot_tokens_each(vault->header_path, note_token, &list, err));

	*ret_slots = TAKE(slots);
	*ret_count = list.count;
	return COF_OK;
}
