/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_CHANGER_H
#define COF_TAPE_CHANGER_H

/*
 * What the changer scripts of Bareos and Bacula say, pure: their operation "list" prints a line
 * "SLOT:BARCODE" for each tape.
 */

#include "buffer.h"

/** changer_barcode() - of the tape in a slot; false where the list has none.
 * @out: cut where @out_size_bytes end; never more than printable ASCII */
bool changer_barcode(struct span list, unsigned int slot, char *out, size_t out_size_bytes);

#endif
