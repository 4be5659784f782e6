/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pass-through of libsgutils2, which knows several systems.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <scsi/sg_pt.h>

#include "cleanup.h"
#include "transport.h"

#define MS_PER_S 1000

struct sg {
	const char *node;
	int fd;
};

DEFINE_FREEP(struct sg_pt_base, sg_pt_freep, destruct_scsi_pt_obj)

/* What the system said instead of an answer. */
static cof_result raise_os(const struct sg *sg, int number, struct cof_error *err)
{
	cof_result failed;

	if (number == EPERM || number == EACCES) {
		failed = cof_raise(err, COF_E_REFUSED, sg->node,
				   "takes no such command from this process");
		cof_error_cause(err, "the kernel takes it on the sg node from who may write there, "
				     "on the st node only with CAP_SYS_RAWIO");
		cof_error_try(err,
			      "the drive's sg node: modprobe sg, and membership in group tape");
		return failed;
	}
	if (number == ENODEV || number == ENXIO)
		FAIL(err, COF_E_NOENT, sg->node, "is gone: the drive has vanished");
	return cof_raise_errno(err, number, sg->node, "does not take the command");
}

/* Sends one command through the pass-through object. */
static cof_result sg_execute(void *context, const struct scsi_command *command,
			     struct scsi_answer *ret_answer, struct cof_error *err)
{
	_cleanup_(sg_pt_freep) struct sg_pt_base *object = construct_scsi_pt_obj();
	const struct sg *sg = context;
	uint8_t sense[SENSE_MAX_BYTES] = { 0 };
	int done;
	int left;

	ENSURE(object, err, COF_E_NOMEM, sg->node, "no memory for a command");
	set_scsi_pt_cdb(object, command->cdb, command->cdb_bytes);
	set_scsi_pt_sense(object, sense, sizeof(sense));
	if (command->out.len)
		set_scsi_pt_data_out(object, command->out.data, (int)command->out.len);
	else if (command->in)
		set_scsi_pt_data_in(object, command->in, (int)command->in_room);
	done = do_scsi_pt(object, sg->fd, (int)(command->timeout_ms / MS_PER_S), 0);
	if (done < 0)
		return raise_os(sg, -done, err);
	ENSURE(done == 0, err, COF_E_IO, sg->node, "%s",
	       done == SCSI_PT_DO_TIMEOUT ? "did not answer in time" : "does not take the command");
	switch (get_scsi_pt_result_category(object)) {
	case SCSI_PT_RESULT_OS_ERR:
		return raise_os(sg, get_scsi_pt_os_err(object), err);
	case SCSI_PT_RESULT_TRANSPORT_ERR:
		FAIL(err, COF_E_IO, sg->node, "cannot be reached: transport error %d",
		     get_scsi_pt_transport_err(object));
	default:
		break;
	}
	left = get_scsi_pt_resid(object);
	*ret_answer = (struct scsi_answer){
		.status = (uint8_t)get_scsi_pt_status_response(object),
		.sense = sense_decode(SPAN(sense, (size_t)get_scsi_pt_sense_len(object))),
		.in_bytes = left > 0 && (size_t)left <= command->in_room
				    ? command->in_room - (size_t)left
				    : command->in_room,
	};
	return COF_OK;
}

static void sg_close(void *context)
{
	struct sg *sg = context;

	(void)scsi_pt_close_device(sg->fd);
	free(sg);
}

/* Whether a test has put a socket in the place of a node. */
static bool is_plug(const char *node)
{
	struct stat info;

	return stat(node, &info) == 0 && S_ISSOCK(info.st_mode);
}

cof_result transport_open(const char *node, struct transport *ret_transport, struct cof_error *err)
{
	_cleanup_free_ struct sg *sg = calloc(1, sizeof(*sg));
	int fd;

	ENSURE(sg, err, COF_E_NOMEM, node, "no memory for a drive");
#ifdef COF_FAULTS
	if (is_plug(node))
		return transport_open_plug(node, ret_transport, err);
#endif
	ENSURE(!is_plug(node), err, COF_E_NOENT, node, "is a socket, no tape drive");
	fd = scsi_pt_open_device(node, false, 0);
	if (fd == -EACCES || fd == -EPERM || fd == -EROFS) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, node, "may not be opened for writing"));
		cof_error_try(err, "as root, or as a member of the group of %s", node);
		return (cof_result){ COF_E_REFUSED };
	}
	if (fd < 0)
		return cof_raise_errno(err, -fd, node, "cannot be opened");
	sg->node = node;
	sg->fd = fd;
	*ret_transport =
		(struct transport){ .execute = sg_execute, .close = sg_close, .context = TAKE(sg) };
	return COF_OK;
}
