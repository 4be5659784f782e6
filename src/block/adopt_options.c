/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of a crypttab line whose key comes from coffer's key server from now on, pure.
 */

#include <string.h>

#include "disk_life.h"

/* crypttab(5) of systemd 252 and of Debian's cryptsetup: where another key is, or how it is read.
 */
static const char *const of_old_key[] = {
	"fido2-cid",	  "fido2-device",  "fido2-rp",	      "key-slot",      "keyfile-erase",
	"keyfile-offset", "keyfile-size",  "keyfile-timeout", "keyscript",     "keyslot",
	"password-cache", "password-echo", "pkcs11-uri",      "token-timeout", "tpm2-device",
	"tpm2-pcrs",	  "tpm2-pin",	   "tpm2-signature",  "tries",	       "try-empty-password",
};

/* The options that let a machine boot while the vault is locked, and luks, which names the type. */
static const char *const needed[] = { "luks", "nofail", "headless=true" };

/* Whether an option is @name, with or without a value. */
static bool is_option(const char *option, size_t len, const char *name)
{
	size_t name_len = strcspn(name, "=");

	return len >= name_len && strncmp(option, name, name_len) == 0 &&
	       (len == name_len || option[name_len] == '=');
}

/* Whether an option is dropped. */
static bool is_of_old_key(const char *option, size_t len)
{
	for (size_t i = 0; i < sizeof(of_old_key) / sizeof(of_old_key[0]); i++)
		if (is_option(option, len, of_old_key[i]))
			return true;
	return false;
}

/* Appends one option. */
static cof_result add_option(struct buffer *options, const char *option, size_t len,
			     struct cof_error *err)
{
	if (options->len > 0)
		TRY(buffer_add(options, ",", 1, err));
	return buffer_add(options, option, len, err);
}

/* Appends what is needed and not there yet. */
static cof_result add_needed(struct buffer *options, const bool there[], struct cof_error *err)
{
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!there[i])
			TRY(add_option(options, needed[i], strlen(needed[i]), err));
	return COF_OK;
}

cof_result adopt_options(const char *before, char **ret_options, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer options = { 0 };
	bool there[sizeof(needed) / sizeof(needed[0])] = { false };

	for (const char *at = before; *at;) {
		size_t len = strcspn(at, ",");

		/* "none" and "-" stand for no options. */
		if (len > 0 && !is_of_old_key(at, len) && strcmp(before, "none") != 0 &&
		    strcmp(before, "-") != 0)
			TRY(add_option(&options, at, len, err));
		for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
			there[i] = there[i] || is_option(at, len, needed[i]);
		at += len;
		at += *at == ',' ? 1 : 0;
	}
	TRY(add_needed(&options, there, err));
	TRY(buffer_add(&options, "", 1, err));

	*ret_options = (char *)options.data;
	options = (struct buffer){ 0 };
	return COF_OK;
}
