/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "disk_audit.h"

/* Adds a text that is known. */
static void set_known(struct json *detail, const char *key, const char *value)
{
	if (value && value[0])
		json_set_text(detail, key, value);
}

void disk_audit(struct vault *vault, const struct paths *paths, const char *event,
		const struct disk_result results[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct disk_result *result = &results[i];
		struct audit_entry entry = { .event = event,
					     .subject = result->name,
					     .why = &result->error };
		bool is_proven = result->state && strcmp(result->state, "proven") == 0;

		if (!result->changed && !is_proven && result->error.code == COF_E_NONE)
			continue;
		entry.detail = json_new_object();
		set_known(entry.detail, "source", result->source);
		set_known(entry.detail, "device", result->device);
		set_known(entry.detail, "uuid", result->uuid);
		set_known(entry.detail, "backend", result->backend);
		if (result->read_only)
			json_set_bool(entry.detail, "read_only", true);
		if (vault)
			audit_note(vault, &entry);
		else
			audit_note_at(paths, &entry);
	}
}

cof_result disk_audit_format_start(struct vault *vault, const struct disk_format_plan *plan,
				   struct cof_error *err)
{
	bool any = false;

	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_format_job *job = &plan->jobs[i];
		struct audit_entry entry = { .event = AUDIT_DISK_FORMAT,
					     .subject = job->disk.name,
					     .started = true };

		if (job->result.error.code != COF_E_NONE || job->action == FORMAT_FINISH)
			continue;
		entry.detail = json_new_object();
		set_known(entry.detail, "source", job->device->node);
		set_known(entry.detail, "serial", job->device->serial);
		set_known(entry.detail, "uuid", job->disk.uuid);
		if (job->overwrites)
			set_known(entry.detail, "overwrites", job->verdict.reason);
		TRY(audit_write(vault, &entry, err));
		any = true;
	}
	return any ? audit_flush(vault, err) : COF_OK;
}

void disk_audit_format_end(struct vault *vault, const struct paths *paths,
			   const struct disk_format_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		disk_audit(vault, paths, AUDIT_DISK_FORMAT, &plan->jobs[i].result, 1);
}

cof_result disk_audit_change_start(struct vault *vault, const char *event,
				   const struct disk_change_plan *plan, struct cof_error *err)
{
	struct audit_entry entry = { .event = event,
				     .subject = plan->disk.name,
				     .detail = json_new_object(),
				     .started = true };

	set_known(entry.detail, "source", plan->device->node);
	set_known(entry.detail, "serial", plan->device->serial);
	set_known(entry.detail, "uuid", plan->disk.uuid);
	set_known(entry.detail, "holds", plan->holds);
	TRY(audit_write(vault, &entry, err));
	return audit_flush(vault, err);
}
