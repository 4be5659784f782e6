/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_DOCTOR_H
#define COF_CLI_DOCTOR_H

/*
 * `coffer doctor`: checks that leave findings, and how these are shown.
 */

#include "status_gather.h"

/**
 * struct doctor - one run
 * @gathered: the vault and its disks; its list gets every finding
 * @fast:     nothing that needs the vault's keys
 */
struct doctor {
	struct cli_call *call; /* borrowed */
	struct status_gathered gathered;
	bool fast;
};

/* The checks of this machine (doctor_system.c). Each adds findings; it fails where it cannot look.
 */
cof_result doctor_config(struct doctor *doctor, struct cof_error *err);
cof_result doctor_sockets(struct doctor *doctor, struct cof_error *err);
/* Units that wait at boot, and what they wait for (doctor_boot.c). */
cof_result doctor_boot(struct doctor *doctor, struct cof_error *err);
cof_result doctor_crypttab(struct doctor *doctor, struct cof_error *err);
cof_result doctor_swap(struct doctor *doctor, struct cof_error *err);

/* Those of the vault and its disks (doctor_vault.c). */
cof_result doctor_vault(struct doctor *doctor, struct cof_error *err);
cof_result doctor_room(struct doctor *doctor, struct cof_error *err);
cof_result doctor_backup(struct doctor *doctor, struct cof_error *err);
cof_result doctor_aside(struct doctor *doctor, struct cof_error *err);
cof_result doctor_attached(struct doctor *doctor, struct cof_error *err);

/** doctor_print() - the findings, by area; @checked, @skipped: how many checks were made, and not
 */
void doctor_print(const struct finding_list *list, size_t checked, size_t skipped, FILE *file);
/** doctor_result() - success where nothing is wrong, else what the exit status is to mean: damage,
 * if there is any, or the first finding */
cof_result doctor_result(const struct finding_list *list, const char *folder,
			 struct cof_error *err);

#endif
