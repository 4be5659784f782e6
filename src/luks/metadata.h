/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_METADATA_H
#define COF_LUKS_METADATA_H

/*
 * What libcryptsetup does not tell of a LUKS2 header's JSON area. Private to src/luks; no I/O.
 */

#include "buffer.h"

/**
 * struct luks_metadata - from the data segments and the requirements
 * @length_bytes: of the data; 0: up to the device's end
 * @integrity:    "" or the algorithm
 * @hw_opal:      the drive encrypts
 * @reencrypting: several segments, or a requirement to finish a re-encryption
 */
struct luks_metadata {
	uint64_t length_bytes;
	char integrity[32];
	bool hw_opal;
	bool reencrypting;
};

/**
 * luks_metadata_parse() - read a LUKS2 header's JSON area
 * @subject: what errors name
 * Fails: COF_E_FORMAT. Source: LUKS2 on-disk format 1.1.0, sections 3.3 and 3.5
 */
cof_result luks_metadata_parse(struct span json, const char *subject,
			       struct luks_metadata *ret_metadata, struct cof_error *err);

#endif
