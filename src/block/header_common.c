/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What repairing and restoring a header have in common: may it be written, the writing, the proof.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "header_job.h"
#include "probe.h"
#include "usage.h"

void header_plan_done(struct header_plan *plan)
{
	header_job_done(&plan->job);
	luks_writes_done(&plan->writes);
	buffer_done(&plan->wanted);
	*plan = (struct header_plan){ 0 };
}

cof_result header_try_key(const struct header_job *job, const char *path, bool *ret_opens,
			  struct volume_key **ret_key, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct cof_error error = { 0 };
	cof_result tried = luks_unlock(path, NULL, job->key, LUKS_ANY_SLOT, &key, NULL, &error);

	/* That it does not open is an answer, which must leave no error behind. */
	if (cof_failed(tried) && tried.code != COF_E_KEY && tried.code != COF_E_REFUSED) {
		if (err)
			*err = error;
		return tried;
	}
	*ret_opens = !cof_failed(tried);
	if (ret_key)
		*ret_key = TAKE(key);
	return COF_OK;
}

cof_result header_store(struct vault *vault, const char *name, struct span copy,
			struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { .keep_history = true };
	bool found;

	TRY(vault_get(vault, DISK_HEADER_KIND, name, &record, &found, err));
	if (found && luks_copies_equal(buffer_span(&record->blob), copy))
		return COF_OK;
	if (!found)
		TRY(record_new(DISK_HEADER_KIND, name, &record, err));
	buffer_done(&record->blob);
	TRY(buffer_add(&record->blob, copy.data, copy.len, err));
	write.record = record;
	return vault_commit(vault, &write, 1, err);
}

/* Whether the volume that is open on the device is the one of the record. */
static bool own_volume_open(const struct header_job *job)
{
	return job->open.open && job->known && strcmp(job->open.uuid, job->disk.uuid) == 0;
}

cof_result header_refuse_use(const struct header_job *job, bool open_allowed, struct cof_error *err)
{
	struct usage usage;
	cof_result failure;

	if (open_allowed && own_volume_open(job))
		return COF_OK;
	TRY(usage_find(&block_roots_system, job->device, &usage, err));
	if (!usage.text[0] && !job->open.open)
		return COF_OK;
	failure = cof_raise(err, COF_E_REFUSED, job->device->node, "is in use and was not touched");
	if (job->open.open)
		cof_error_cause(err, "open as %s", job->open.name);
	else
		cof_error_cause(err, "%s%s", usage.text, usage.detail);
	if (own_volume_open(job))
		cof_error_try(err, "coffer disk header repair %s, which works while it is open",
			      job->disk.name);
	else
		cof_error_try(err, "%s", usage.remedy);
	return failure;
}

cof_result header_find_foreign(const struct header_job *job, char *out, size_t out_size_bytes,
			       struct cof_error *err)
{
	_cleanup_fd_ int fd = open(job->device->node, O_RDONLY | O_CLOEXEC);
	struct signatures signatures = { 0 };

	out[0] = '\0';
	ENSURE(fd >= 0, err, COF_E_IO, job->device->node, "cannot be opened");
	TRY(probe_signatures(fd, job->device->node, &signatures, err));
	if (signatures.other[0])
		(void)snprintf(out, out_size_bytes, "%s", signatures.text);
	return COF_OK;
}

/* Whether a header is still as it was when a plan was made: tools do not hold the device. */
static bool is_same_state(const struct luks_header_state *a, const struct luks_header_state *b)
{
	return a->version == b->version && a->sequence == b->sequence && a->first == b->first &&
	       a->second == b->second && strcmp(a->uuid, b->uuid) == 0;
}

cof_result header_write(const struct header_plan *plan, const char *prefix, struct cof_error *err)
{
	const struct header_job *job = &plan->job;
	struct luks_header_state state;
	_cleanup_fd_ int claim = -1;

	if (!own_volume_open(job))
		TRY(device_claim(job->device, true, &claim, err));
	TRY(luks_header_examine(job->device->node, &state, err));
	ENSURE(is_same_state(&state, &plan->state), err, COF_E_CONFLICT, job->device->node,
	       "somebody has changed its header since it was looked at");
	return luks_writes_run(job->device->node, &plan->writes, prefix, err);
}

cof_result header_prove(const struct header_job *job, struct cof_error *err)
{
	struct luks_header_state state;
	struct luks_info info;
	bool opens = true;

	TRY(luks_header_examine(job->device->node, &state, err));
	ENSURE(state.whole, err, COF_E_FORMAT, job->device->node,
	       "its header is still damaged: the first is %s, the second %s",
	       luks_area_words(state.first), luks_area_words(state.second));
	TRY(luks_read(job->device->node, NULL, &info, err));
	if (job->known)
		TRY(header_try_key(job, job->device->node, &opens, NULL, err));
	ENSURE(opens, err, COF_E_KEY, job->device->node, "the vault's key does not open it");
	return COF_OK;
}
