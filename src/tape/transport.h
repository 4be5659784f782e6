/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_TRANSPORT_H
#define COF_TAPE_TRANSPORT_H

/*
 * How commands get to a drive: through the kernel's SCSI pass-through; in tests, to an emulated
 * one.
 */

#include "sense.h"

#define SCSI_CDB_BYTES 16
#define SCSI_GOOD      0x00
#define SCSI_CHECK     0x02

/**
 * struct scsi_command - one command
 * @out:        bytes that go to the drive; may hold a key; borrowed
 * @in:         where bytes from the drive go, @in_room of them; NULL for none
 * @timeout_ms: how long the drive may take
 */
struct scsi_command {
	uint8_t cdb[SCSI_CDB_BYTES];
	uint8_t cdb_bytes;
	struct span out;
	uint8_t *in;
	size_t in_room;
	unsigned int timeout_ms;
};

/** struct scsi_answer - what came back; @in_bytes were really transferred */
struct scsi_answer {
	uint8_t status;
	struct sense sense;
	size_t in_bytes;
};

/**
 * struct transport - a way to one drive
 * @execute: send a command and wait for its end. A refusal by the drive is an answer.
 *           Fails: COF_E_NOENT (the drive is gone), COF_E_IO (time-out, no answer), COF_E_REFUSED
 *           (this process may not)
 * @close:   once, at the end
 */
struct transport {
	cof_result (*execute)(void *context, const struct scsi_command *command,
			      struct scsi_answer *ret_answer, struct cof_error *err);
	void (*close)(void *context);
	void *context;
};

/**
 * transport_open() - open a node that takes SCSI commands: /dev/sgN, or /dev/nstN, where the kernel
 * wants CAP_SYS_RAWIO for them. In builds with test points a Unix socket is one too.
 * @node: borrowed for as long as the transport is open
 * Fails: COF_E_NOENT, COF_E_REFUSED (may not be opened for writing), COF_E_BUSY, COF_E_IO,
 * COF_E_NOMEM
 */
cof_result transport_open(const char *node, struct transport *ret_transport, struct cof_error *err);

#ifdef COF_FAULTS
/** transport_open_plug() - the same for the socket of an emulated drive: tests/emulator */
cof_result transport_open_plug(const char *node, struct transport *ret_transport,
			       struct cof_error *err);
#endif

#endif
