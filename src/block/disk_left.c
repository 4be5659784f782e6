/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left without its vault, or without the process that served it.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "name_list.h"
#include "tabfile.h"
#include "usage.h"

/* Adds a volume that is open, or was left by a killed engine, unless the list has it. */
static cof_result add_open(const struct paths *paths, const char *name, char ***names,
			   struct cof_error *err)
{
	struct disk_open_state state;

	if (name_list_has(*names, name))
		return COF_OK;
	TRY(disk_state_of(paths, name, &state, err));
	if (state.open || state.dead)
		TRY(name_list_add(names, name, err));
	return COF_OK;
}

cof_result disk_left_names(const struct paths *paths, char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_(name_list_freep) char **noted = NULL;
	_cleanup_free_ struct engine_volume *volumes = NULL;
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct crypttab_entry entry;
	size_t count;

	TRY(name_list_new(&names, err));
	TRY(disk_proof_names(paths, &noted, err));
	for (char **name = noted; *name; name++)
		TRY(add_open(paths, *name, &names, err));
	TRY(engine_list(paths, &volumes, &count, err));
	for (size_t i = 0; i < count; i++)
		TRY(add_open(paths, volumes[i].name, &names, err));
	TRY(crypttab_load(paths->crypttab, &crypttab, err));
	for (size_t i = 0; crypttab_at(crypttab, i, &entry); i++)
		if (strcmp(entry.key, paths->keys_socket) == 0)
			TRY(add_open(paths, entry.name, &names, err));
	name_list_sort(names);
	*ret_names = TAKE(names);
	return COF_OK;
}

cof_result disk_raise_dead(const struct disk_open_state *state, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *plaintext = NULL;
	struct usage usage = { 0 };
	bool served = state->device[0] != '\0';

	if (served && !cof_failed(device_find(state->device, &plaintext, NULL)))
		cof_ignore(usage_find(&block_roots_system, plaintext, &usage, NULL));
	cof_ignore(cof_raise(err, COF_E_FAILED, state->name, "%s",
			     served ? "the process that served it was killed, and what was written "
				      "last may be missing"
				    : "is half open: it is being opened now, or the command that "
				      "did so was killed"));
	if (usage.text[0])
		cof_error_cause(err, "%s is still %s%s", state->device, usage.text, usage.detail);
	cof_error_try(err, "%s%scoffer disk close %s && coffer disk open %s", usage.remedy,
		      usage.remedy[0] ? " && " : "", state->name, state->name);
	return (cof_result){ COF_E_FAILED };
}

cof_result disk_explain_dead(const struct disk_open_state *state, cof_result failed,
			     struct cof_error *err)
{
	if (failed.code != COF_E_BUSY || !state->dead)
		return failed;
	cof_ignore(disk_raise_dead(state, err));
	if (err)
		err->code = COF_E_BUSY;
	return failed;
}
