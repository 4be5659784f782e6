/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The volume key behind a token whose plug-in of libcryptsetup talks to the hardware. For a process
 * that does nothing else: everything else of this folder keeps plug-ins out.
 */

#include <errno.h>
#include <libcryptsetup.h>
#include <string.h>

#include "context.h"

/*
 * What systemd's plug-in for TPM2 takes as its usrptr: the first three members are those of
 * systemd 252 (src/shared/tpm2-util.h), later ones have more, for which zero is "not given". A mask
 * of all ones is any PCRs.
 */
struct tpm2_parameters {
	uint32_t search_pcr_mask;
	const char *device;
	const char *signature_path;
	const void *later[4];
};

/* The last line that libcryptsetup complained with. */
struct complaint {
	char line[256];
};

static void on_line(int level, const char *message, void *context)
{
	struct complaint *complaint = context;

	if (level == CRYPT_LOG_ERROR)
		(void)snprintf(complaint->line, sizeof(complaint->line), "%.*s",
			       (int)strcspn(message, "\n"), message);
}

static void crypt_device_freep(struct crypt_device **cd)
{
	crypt_free(*cd);
}

static void keyslot_context_freep(struct crypt_keyslot_context **context)
{
	crypt_keyslot_context_free(*context);
}

/* Raises what libcryptsetup or its plug-in returned. */
static cof_result raise_token(int token, int status, const struct complaint *complaint,
			      struct cof_error *err)
{
	char subject[32];
	cof_result result;

	(void)snprintf(subject, sizeof(subject), "token %d", token);
	switch (-status) {
	case ENOENT:
		result = cof_raise(err, COF_E_UNSUPPORTED, subject,
				   "systemd's plug-in for it is not installed");
		break;
	case EAGAIN:
		result = cof_raise(err, COF_E_UNSUPPORTED, subject, "its device is not there");
		break;
	case ENOANO:
		result = cof_raise(err, COF_E_LOCKED, subject, "it asks for a PIN");
		break;
	case EPERM:
		result = cof_raise(err, COF_E_KEY, subject, "it opens nothing on this machine");
		break;
	default:
		result = cof_raise(err, luks_code_of(status), subject, "it does not open");
	}
	if (complaint->line[0])
		cof_error_cause(err, "%s", complaint->line);
	else if (result.code == COF_E_FAILED)
		cof_error_cause(err, "%s", strerror(-status));
	return result;
}

cof_result luks_token_unlock(const char *header, int token, const char *tpm2_device,
			     const struct slot_secret *pin, struct volume_key **ret_volume_key,
			     struct cof_error *err)
{
	_cleanup_(crypt_device_freep) struct crypt_device *cd = NULL;
	_cleanup_(keyslot_context_freep) struct crypt_keyslot_context *context = NULL;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct tpm2_parameters parameters = { .search_pcr_mask = UINT32_MAX,
					      .device = tpm2_device };
	struct complaint complaint = { "" };
	int status = crypt_init(&cd, header);
	size_t len;

	if (status < 0)
		return raise_token(token, status, &complaint, err);
	crypt_set_log_callback(cd, on_line, &complaint);
	status = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (status < 0)
		return raise_token(token, status == -ENOENT ? -EBADMSG : status, &complaint, err);
	len = (size_t)crypt_get_volume_key_size(cd);
	TRY(volume_key_new(len, &key, err));
	status = crypt_keyslot_context_init_by_token(
		cd, token, NULL, pin ? (const char *)pin->secret.data : NULL,
		pin ? pin->secret.len : 0, tpm2_device ? &parameters : NULL, &context);
	if (status >= 0)
		status = crypt_volume_key_get_by_keyslot_context(
			cd, CRYPT_ANY_SLOT, (char *)key->secret.data, &len, context);
	/* Both a missing plug-in and one that the device gave nothing are "no such entry". */
	if (status == -ENOENT && crypt_token_status(cd, token, NULL) == CRYPT_TOKEN_EXTERNAL)
		status = -EPERM;
	if (status < 0)
		return raise_token(token, status, &complaint, err);

	*ret_volume_key = TAKE(key);
	return COF_OK;
}
