/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_HEADER_JOB_H
#define COF_BLOCK_HEADER_JOB_H

/*
 * What the header verbs share; private to this folder.
 */

#include "disk_headers.h"

/** header_find_device() - the device of a record: by name, or by what is left of its header; caller
 * owns. Fails: COF_E_NOENT (not attached), COF_E_REFUSED (several have its header) */
cof_result header_find_device(struct header_work *work, const struct disk *disk,
			      struct device **ret_device, struct cof_error *err);

/** header_judge() - look at the header of a device and compare it with job->copy; writes nothing,
 * not to the vault either. @report: name, source and whose it is are filled in already.
 * Fails: COF_E_IO, COF_E_NOMEM */
cof_result header_judge(const struct header_job *job, struct header_report *report,
			struct cof_error *err);

/** header_try_key() - whether the stored key opens the header at @path; not is an answer.
 * @ret_key: may be NULL; the volume key, NULL where it does not open. Fails: COF_E_IO, COF_E_NOMEM
 */
cof_result header_try_key(const struct header_job *job, const char *path, bool *ret_opens,
			  struct volume_key **ret_key, struct cof_error *err);

/** header_store() - make @copy the newest version, unless it is already. Fails as vault_commit() */
cof_result header_store(struct vault *vault, const char *name, struct span copy,
			struct cof_error *err);

/** header_refuse_use() - refuse a device that somebody uses; with @open_allowed not for the volume
 * of the record that is open on it. Fails: COF_E_REFUSED */
cof_result header_refuse_use(const struct header_job *job, bool open_allowed,
			     struct cof_error *err);

/** header_find_foreign() - what else than a LUKS header is on the device, in words, or "" */
cof_result header_find_foreign(const struct header_job *job, char *out, size_t out_size_bytes,
			       struct cof_error *err);

/** header_write() - hold the device unless its volume is open, and write what was planned.
 * Fails: COF_E_BUSY, COF_E_CONFLICT (the header is not as it was planned for), COF_E_IO */
cof_result header_write(const struct header_plan *plan, const char *prefix, struct cof_error *err);

/** header_prove() - after writing: whole, of the right disk, opens with the stored key.
 * Fails: COF_E_FORMAT, COF_E_KEY */
cof_result header_prove(const struct header_job *job, struct cof_error *err);

#endif
