/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "disk_results.h"
#include "key_disks.h"

void key_disks_done(struct key_disks *disks)
{
	vault_names_free(disks->all);
	free(disks->names);
	free(disks->results);
	*disks = (struct key_disks){ 0 };
}

cof_result key_disks_check(const struct cli_call *call, struct cof_error *err)
{
	if (!cli_flag(call, "all") && call->arg_count == 0)
		return disk_raise_unnamed(call, err);
	ENSURE(!cli_flag(call, "all") || call->arg_count == 0, err, COF_E_USAGE, call->args[0],
	       "is one too many with --all");
	return COF_OK;
}

cof_result key_disks_choose(struct cli_call *call, struct vault *vault, struct key_disks *ret_disks,
			    struct cof_error *err)
{
	_cleanup_(key_disks_done) struct key_disks disks = { 0 };
	size_t room = call->arg_count;

	if (cli_flag(call, "all"))
		TRY(vault_names(vault, DISK_KIND, &disks.all, err));
	for (size_t i = 0; disks.all && disks.all[i]; i++)
		room++;
	disks.names = calloc(room + 1, sizeof(*disks.names));
	disks.results = calloc(room + 1, sizeof(*disks.results));
	ENSURE(disks.names && disks.results, err, COF_E_NOMEM, NULL, "no memory for %zu disks",
	       room);
	for (; disks.all && disks.all[disks.count]; disks.count++)
		disks.names[disks.count] = disks.all[disks.count];
	for (size_t i = 0; i < call->arg_count; i++) {
		const char *name = call->args[i];
		bool is_disk = strncmp(name, DISK_KIND "/", strlen(DISK_KIND "/")) == 0;

		disks.names[disks.count++] = is_disk ? name + strlen(DISK_KIND "/") : name;
	}
	for (size_t i = 0; i < disks.count; i++)
		for (size_t j = 0; j < i; j++)
			ENSURE(strcmp(disks.names[i], disks.names[j]) != 0, err, COF_E_USAGE,
			       disks.names[i], "is named twice");

	*ret_disks = disks;
	disks = (struct key_disks){ 0 };
	return COF_OK;
}
