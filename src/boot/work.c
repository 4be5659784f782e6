/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work.h"

#include <stdio.h>
#include <string.h>

#include "file.h"

void boot_work_done(struct boot_work *work)
{
	for (size_t i = 0; i < work->count; i++)
		free(work->steps[i]);
	free(work->steps);
	work->steps = NULL;
	work->count = 0;
}

cof_result boot_lock(const struct boot *boot, int *ret_fd, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&folder, err, "%s/run/coffer", boot->paths->root));
	TRY(folder_make_private(folder, err));
	TRY(path_format(&path, err, "%s/start.lock", folder));
	return cof_explain(file_lock(path, 0, ret_fd, err), err, "again, when that one has ended",
			   "another `coffer start` or `coffer stop` is at work");
}

cof_result boot_closed_volumes(const struct boot *boot, size_t *ret_count, struct cof_error *err)
{
	struct disk_open_state state;

	*ret_count = 0;
	for (size_t i = 0; i < boot->tables.volume_count; i++) {
		TRY(disk_state_of(boot->paths, boot->tables.volumes[i].name, &state, err));
		*ret_count += !state.open;
	}
	return COF_OK;
}

cof_result boot_step_begin(struct boot_work *work, enum boot_kind kind, const char *name,
			   struct boot_step **ret_step, struct cof_error *err)
{
	struct boot_step **steps = reallocarray(work->steps, work->count + 1, sizeof(*steps));

	ENSURE(steps, err, COF_E_NOMEM, NULL, "no memory for the steps");
	work->steps = steps;
	steps[work->count] = calloc(1, sizeof(**steps));
	ENSURE(steps[work->count], err, COF_E_NOMEM, NULL, "no memory for the steps");
	*ret_step = steps[work->count++];
	(*ret_step)->kind = kind;
	(*ret_step)->state = "failed";
	(void)snprintf((*ret_step)->name, sizeof((*ret_step)->name), "%s", name);
	return COF_OK;
}

void boot_step_end(struct boot_work *work, struct boot_step *step, cof_result result)
{
	if (cof_failed(result)) {
		step->state = "failed";
		step->changed = false;
		if (work->failure.code == COF_E_NONE)
			work->failure = step->error;
	} else {
		/* Of what failed at first and was done after all. */
		step->error = (struct cof_error){ 0 };
	}
	work->tell(step, work->context);
}
