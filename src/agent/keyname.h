/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_AGENT_KEYNAME_H
#define COF_AGENT_KEYNAME_H

/*
 * Which volume a client of the key server asks for: it is in the abstract address from which
 * the client connects. Pure.
 */

#include "buffer.h"
#include "result.h"

/* What is left of the 108 bytes of a socket address after the leading NUL and one hex digit. */
#define KEYNAME_MAX_BYTES 94

/**
 * keyname_parse() - the volume's name in a peer's socket address
 * @address: sun_path of the address with its exact length, not trusted
 * @out:     receives the name and a NUL; set only on success
 *
 * NUL, 1 to 16 hex digits, "/cryptsetup/", the name: crypttab(5), "AF_UNIX key files". The name
 * is printable ASCII without a slash, as device-mapper demands, and neither "." nor "..".
 * Fails: COF_E_FORMAT
 */
cof_result keyname_parse(struct span address, char out[static KEYNAME_MAX_BYTES + 1],
			 struct cof_error *err);

#endif
