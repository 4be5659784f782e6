/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_SWAP_PLAN_H
#define COF_BLOCK_SWAP_PLAN_H

/* What planning one area may look at; private to this folder. */

#include "swap.h"
#include "tabfile.h"

struct swap_planning {
	const struct paths *paths;
	const struct swap_spec *spec;
	struct crypttab *crypttab;
	struct swap_area *areas;
	size_t area_count;
};

/**
 * swap_check_resume() - whether the machine wakes from hibernation on this area, which a random key
 * ends; fills in job->resumes and job->resume_file
 * Fails: COF_E_REFUSED (it does, and nobody said --no-resume), COF_E_IO, COF_E_NOMEM
 */
cof_result swap_check_resume(const struct swap_planning *planning, struct swap_job *job,
			     struct cof_error *err);

#endif
