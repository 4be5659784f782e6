/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Re-encryption, from whatever state the header is in to its end.
 */

#include "reencrypt.h"

#include "context.h"
#include "reencrypt_end.h"

#define SECTOR_UNIT_BYTES 512 /* in which libcryptsetup counts */
/* Data between two moments at which it can be stopped: a second on a slow disk. libcryptsetup's own
 * choice is up to 1 GiB, all of it in memory. */
#define STEP_BYTES (64u << 20)

/* What libcryptsetup's callback needs. */
struct running {
	luks_reencrypt_visit visit;
	void *context;
	cof_result result;
	struct cof_error *err;
};

/* The one adapter for libcryptsetup's progress: other than 0 stops it after this step. */
static int on_progress(uint64_t size_bytes, uint64_t offset_bytes, void *user)
{
	struct running *running = user;

	running->result = running->visit(offset_bytes, size_bytes, running->context, running->err);
	return cof_failed(running->result) ? 1 : 0;
}

/* The state of a header that was loaded. */
static cof_result state_of(struct luks_context *context, enum luks_reencrypt_state *ret_state,
			   struct cof_error *err)
{
	switch (crypt_reencrypt_status(context->cd, NULL)) {
	case CRYPT_REENCRYPT_NONE:
		*ret_state = LUKS_REENCRYPT_NONE;
		return COF_OK;
	case CRYPT_REENCRYPT_CLEAN:
		*ret_state = LUKS_REENCRYPT_CLEAN;
		return COF_OK;
	case CRYPT_REENCRYPT_CRASH:
		*ret_state = LUKS_REENCRYPT_TORN;
		return COF_OK;
	case CRYPT_REENCRYPT_INVALID:
	default:
		FAIL(err, COF_E_FORMAT, context->subject,
		     "its header describes a re-encryption that is not known here");
	}
}

cof_result luks_reencrypt_look(const char *device, const char *header,
			       enum luks_reencrypt_state *ret_state, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	bool ending;

	TRY(reencrypt_end_look(header ? header : device, &ending, err));
	if (ending) {
		*ret_state = LUKS_REENCRYPT_ENDING;
		return COF_OK;
	}
	TRY(luks_context_load(device, header, &context, err));
	if (context->on_disk.version != 2) {
		*ret_state = LUKS_REENCRYPT_NONE;
		return COF_OK;
	}
	return state_of(context, ret_state, err);
}

/* Loads what was begun, or repairs the step that was cut off. */
static cof_result init(struct luks_context *context, const char *name,
		       const struct slot_secret *secret, uint32_t flags, const char *what,
		       struct cof_error *err)
{
	const struct crypt_params_reencrypt params = {
		.flags = flags,
		.max_hotzone_size = STEP_BYTES / SECTOR_UNIT_BYTES,
	};
	int status;

	luks_mapper_begin();
	status = crypt_reencrypt_init_by_passphrase(
		context->cd, name, (const char *)secret->secret.data, secret->secret.len,
		CRYPT_ANY_SLOT, CRYPT_ANY_SLOT, NULL, NULL, &params);
	luks_mapper_end();
	if (status < 0)
		return luks_raise(context, status, err, "%s", what);
	return COF_OK;
}

/* Repairs a torn step, with a handle of its own: what it knows of the header is old afterwards. */
static cof_result repair(const char *device, const char *header, const char *name,
			 const struct slot_secret *secret, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;

	TRY(luks_context_load_to_write(device, header, true, &context, err));
	TRY(init(context, name, secret, CRYPT_REENCRYPT_RECOVERY,
		 "the step that was cut off cannot be repaired", err));
	luks_context_freep(&context);
	return luks_sync(device, err);
}

/* All steps that are left. */
static cof_result run_steps(const char *device, const char *header, const char *name,
			    const struct slot_secret *secret, struct running *running,
			    struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	enum luks_reencrypt_state state;
	int status;

	TRY(luks_context_load_to_write(device, header, true, &context, err));
	TRY(init(context, name, secret, CRYPT_REENCRYPT_RESUME_ONLY, "cannot be re-encrypted",
		 err));
	status = crypt_reencrypt_run(context->cd, on_progress, running);
	TRY(running->result);
	if (status < 0)
		return luks_raise(context, status, err, "the re-encryption stopped");
	TRY(state_of(context, &state, err));
	ENSURE(state == LUKS_REENCRYPT_NONE, err, COF_E_FAILED, context->subject,
	       "the re-encryption did not come to its end");
	luks_context_freep(&context);
	return luks_sync(device, err);
}

cof_result luks_reencrypt_run(const char *device, const char *header, const char *name,
			      const struct slot_secret *secret, luks_reencrypt_visit visit,
			      void *context, struct cof_error *err)
{
	struct running running = { .visit = visit, .context = context, .err = err };
	enum luks_reencrypt_state state;

	TRY(luks_reencrypt_look(device, header, &state, err));
	if (state == LUKS_REENCRYPT_TORN) {
		TRY(repair(device, header, name, secret, err));
		TRY(luks_reencrypt_look(device, header, &state, err));
	}
	if (state == LUKS_REENCRYPT_ENDING) {
		TRY(reencrypt_end_run(device, header ? header : device, err));
		TRY(luks_slots_remove_unbound(device, header, err));
		TRY(luks_reencrypt_look(device, header, &state, err));
	}
	if (state == LUKS_REENCRYPT_NONE)
		return COF_OK;
	return run_steps(device, header, name, secret, &running, err);
}
