/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "context.h"

/* luks_context_load(), or the same to write, for somebody who has proven nothing. */
typedef cof_result (*context_loader)(const char *device, const char *header,
				     struct luks_context **ret_context, struct cof_error *err);

static cof_result load_to_write(const char *device, const char *header,
				struct luks_context **ret_context, struct cof_error *err)
{
	return luks_context_load_to_write(device, header, false, ret_context, err);
}

/* Loads a header that can have tokens. */
static cof_result token_context(const char *device, int number, context_loader load,
				struct luks_context **ret_context, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	int token_max = crypt_token_max(CRYPT_LUKS2);

	ENSURE(number >= CRYPT_ANY_TOKEN && number < token_max, err, COF_E_NOENT, device,
	       "has no token %d, the last is %d", number, token_max - 1);
	TRY(load(device, NULL, &context, err));
	ENSURE(context->on_disk.version == 2, err, COF_E_UNSUPPORTED, device,
	       "a LUKS%d header has no tokens, only a LUKS2 one has", context->on_disk.version);

	*ret_context = TAKE(context);
	return COF_OK;
}

/* Whether token @number is in use. */
static bool token_used(struct luks_context *context, int number)
{
	crypt_token_info status = crypt_token_status(context->cd, number, NULL);

	return status != CRYPT_TOKEN_INVALID && status != CRYPT_TOKEN_INACTIVE;
}

/* How many tokens are in use. */
static int token_count(struct luks_context *context)
{
	int count = 0;

	for (int number = 0; number < crypt_token_max(CRYPT_LUKS2); number++)
		count += token_used(context, number) ? 1 : 0;
	return count;
}

cof_result luks_token_set(const char *device, int number, const char *json, int *ret_number,
			  struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	int written;

	TRY(token_context(device, number, load_to_write, &context, err));
	ENSURE(number != CRYPT_ANY_TOKEN || token_count(context) < crypt_token_max(CRYPT_LUKS2),
	       err, COF_E_NOSPC, device, "all of its %d tokens are taken",
	       crypt_token_max(CRYPT_LUKS2));
	written = crypt_token_json_set(context->cd, number, json);
	if (written == -EINVAL)
		return luks_raise(context, -EBADMSG, err, "the token is not valid");
	if (written < 0)
		return luks_raise(context, written, err, "the token cannot be written");
	TRY(luks_sync(device, err));

	if (ret_number)
		*ret_number = written;
	return COF_OK;
}

cof_result luks_token_get(const char *device, int number, char **ret_json, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	_cleanup_free_ char *copy = NULL;
	const char *json;
	int status;

	TRY(token_context(device, number, luks_context_load, &context, err));
	if (token_used(context, number)) {
		status = crypt_token_json_get(context->cd, number, &json);
		if (status < 0)
			return luks_raise(context, status, err, "token %d cannot be read", number);
		copy = strdup(json);
		ENSURE(copy, err, COF_E_NOMEM, device, "no memory for token %d", number);
	}

	*ret_json = TAKE(copy);
	return COF_OK;
}

cof_result luks_token_remove(const char *device, int number, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *before = NULL;
	_cleanup_context_ struct luks_context *context = NULL;
	int status;

	TRY(token_context(device, number, luks_context_load, &before, err));
	if (!token_used(before, number))
		return COF_OK;
	TRY(token_context(device, number, load_to_write, &context, err));
	status = crypt_token_json_set(context->cd, number, NULL);
	if (status < 0)
		return luks_raise(context, status, err, "token %d cannot be removed", number);
	TRY(luks_sync(device, err));
	return COF_OK;
}
