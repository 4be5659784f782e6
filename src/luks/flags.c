/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "luks_flags.h"

#define BENCH_BUFFER_BYTES 65536 /* the kernel's limit for one AF_ALG request */
#define BENCH_IV_BYTES	   16
#define MIB		   1048576.0

const struct luks_flag luks_flag_list[] = {
	{ LUKS_FLAG_DISCARD, "discard", "pass discards on to the device" },
	{ LUKS_FLAG_SAME_CPU, "same-cpu-crypt", "encrypt on the processor that asks" },
	{ LUKS_FLAG_SUBMIT_FROM_CRYPT, "submit-from-crypt-cpus",
	  "do not sort writes in a thread of their own" },
	{ LUKS_FLAG_NO_READ_WORKQUEUE, "no-read-workqueue", "decrypt at once, without a queue" },
	{ LUKS_FLAG_NO_WRITE_WORKQUEUE, "no-write-workqueue", "encrypt at once, without a queue" },
	{ 0 },
};

/* Our flags and libcryptsetup's, in the order of luks_flag_list. */
static const uint32_t library_flags[] = {
	CRYPT_ACTIVATE_ALLOW_DISCARDS,	       CRYPT_ACTIVATE_SAME_CPU_CRYPT,
	CRYPT_ACTIVATE_SUBMIT_FROM_CRYPT_CPUS, CRYPT_ACTIVATE_NO_READ_WORKQUEUE,
	CRYPT_ACTIVATE_NO_WRITE_WORKQUEUE,
};

/* libcryptsetup's flags as ours. */
static uint32_t from_library(uint32_t flags)
{
	uint32_t ours = 0;

	for (size_t i = 0; luks_flag_list[i].flag; i++)
		if (flags & library_flags[i])
			ours |= luks_flag_list[i].flag;
	return ours;
}

/* Those of libcryptsetup's flags that are none of ours, with ours. */
static uint32_t to_library(uint32_t flags, uint32_t before)
{
	uint32_t theirs = before;

	for (size_t i = 0; luks_flag_list[i].flag; i++) {
		theirs &= ~library_flags[i];
		if (flags & luks_flag_list[i].flag)
			theirs |= library_flags[i];
	}
	return theirs;
}

char *luks_flags_format(uint32_t flags, char out[static LUKS_FLAGS_CHARS])
{
	size_t len = 0;

	(void)snprintf(out, LUKS_FLAGS_CHARS, "none");
	for (size_t i = 0; luks_flag_list[i].flag; i++)
		if (flags & luks_flag_list[i].flag)
			len += (size_t)snprintf(out + len, LUKS_FLAGS_CHARS - len, "%s%s",
						len ? ", " : "", luks_flag_list[i].name);
	return out;
}

/* What the header keeps, as libcryptsetup has it. */
static cof_result read_flags(struct luks_context *context, uint32_t *ret_flags,
			     struct cof_error *err)
{
	int status = crypt_persistent_flags_get(context->cd, CRYPT_FLAGS_ACTIVATION, ret_flags);

	if (status < 0)
		return luks_raise(context, status, err, "its flags cannot be read");
	return COF_OK;
}

cof_result luks_flags_get(const char *device, uint32_t *ret_flags, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	uint32_t flags = 0;

	TRY(luks_context_load(device, NULL, &context, err));
	if (context->on_disk.version == 2)
		TRY(read_flags(context, &flags, err));
	*ret_flags = from_library(flags);
	return COF_OK;
}

cof_result luks_flags_set(const char *device, uint32_t flags, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	uint32_t before;
	int status;

	TRY(luks_context_load_to_write(device, NULL, false, &context, err));
	ENSURE(context->on_disk.version == 2, err, COF_E_UNSUPPORTED, device,
	       "a LUKS%d header keeps no flags, only a LUKS2 one does", context->on_disk.version);
	TRY(read_flags(context, &before, err));
	if (from_library(before) == flags)
		return COF_OK;
	status = crypt_persistent_flags_set(context->cd, CRYPT_FLAGS_ACTIVATION,
					    to_library(flags, before));
	if (status < 0)
		return luks_raise(context, status, err, "its flags cannot be written");
	return luks_sync(device, err);
}

cof_result luks_refresh(const char *device, const char *name, const struct volume_key *volume_key,
			struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	int status;

	TRY(luks_context_load(device, NULL, &context, err));
	luks_mapper_begin();
	status = crypt_activate_by_volume_key(context->cd, name,
					      (const char *)volume_key->secret.data,
					      volume_key->secret.len, CRYPT_ACTIVATE_REFRESH);
	luks_mapper_end();
	if (status < 0)
		return luks_raise(context, status, err, "the mapping %s cannot be refreshed", name);
	return COF_OK;
}

cof_result luks_speed_measure(const char *cipher, const char *mode, size_t key_bytes,
			      struct luks_speed *ret_speed, struct cof_error *err)
{
	double encrypt = 0;
	double decrypt = 0;
	int status = crypt_benchmark(NULL, cipher, mode, key_bytes, BENCH_IV_BYTES,
				     BENCH_BUFFER_BYTES, &encrypt, &decrypt);

	ENSURE(status != -ENOTSUP && status != -ENOENT, err, COF_E_UNSUPPORTED, NULL,
	       "the kernel does not let programs use its %s-%s (AF_ALG)", cipher, mode);
	ENSURE(status == 0, err, COF_E_FAILED, NULL, "the kernel's %s-%s: %s", cipher, mode,
	       strerror(-status));
	ret_speed->encrypt = (uint64_t)(encrypt * MIB);
	ret_speed->decrypt = (uint64_t)(decrypt * MIB);
	return COF_OK;
}
