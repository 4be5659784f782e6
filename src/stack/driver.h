/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_DRIVER_H
#define COF_STACK_DRIVER_H

/*
 * What a kind of resource can do: one file and one const table each, in drivers/.
 *
 * The runner has checked order and state before it calls: everything below a resource is up when it
 * is provisioned or started, and nothing above it when it is stopped or unprovisioned.
 */

#include "device.h"
#include "result.h"

struct service;
struct resource;

/** enum keyword_type - what a keyword's value must be */
enum keyword_type {
	KEYWORD_TEXT,
	KEYWORD_PATH, /* absolute */
	KEYWORD_SIZE,
	KEYWORD_BOOL,
	KEYWORD_NUMBER,
};

/** struct keyword - one keyword of a section; a list ends with { 0 } */
struct keyword {
	const char *name;
	enum keyword_type type;
	bool required;
	const char *fallback; /* the value where it is not set; NULL: none */
};

/** enum status_word - how a resource is; status_words.h says how these add up */
enum status_word { STATUS_NA, STATUS_UP, STATUS_DOWN, STATUS_WARN, STATUS_UNDEF };

#define STATUS_NOTE_CHARS 256

/** struct status - of one resource; @note: what a person should know of it, "" for nothing */
struct status {
	enum status_word word;
	char note[STATUS_NOTE_CHARS];
};

/** enum device_role - devices that a resource offers, and those that it takes */
enum device_role { DEVICES_EXPOSED, DEVICES_SUB };

/**
 * struct provision_plan - what provisioning a resource comes down to
 * @text:    "write a LUKS2 header on /dev/loop1"; "" where there is nothing to do
 * @device:  that is overwritten; "" for none
 * @verdict: of that device
 * @overwrites: content goes that somebody may want: only with force and the user's word
 * @later:   cannot be told before what is below is up
 */
struct provision_plan {
	char text[256];
	char device[256];
	struct verdict verdict;
	bool overwrites;
	bool later;
};

/**
 * struct driver - one kind of resource
 * @group, @type: "disk", "loop"
 * @keywords:    of its own, beside the general ones
 * @needs_vault: its provision, start, prove and unprovision use service->vault
 * @no_devices:  nothing can refer to its devices
 *
 * @probe:  whether this machine can do it; @why_not gets the reason if not
 * @label:  what `service status` calls it, without its type, "/opt/web.img"
 * @status: looks; a failure is shown as "undef"
 * @devices: *ret_names is a NULL-terminated list for name_list_free(); NULL: not known now
 * @plan:   changes nothing. Fails: COF_E_REFUSED (it must not be provisioned)
 * @provision: makes what is missing; run again after a crash at any step, it finishes
 * @start, @stop: is up, is down already: nothing to do. @stop undoes half a start as well
 * @unprovision: the data goes. Run again, it finishes
 * @prove:  that what is up could be started again. NULL: nothing could be lost.
 *          Fails: COF_E_REFUSED, saying how to save the data
 */
struct driver {
	const char *group;
	const char *type;
	const struct keyword *keywords;
	bool needs_vault;
	bool no_devices;
	bool (*probe)(char *why_not, size_t why_not_size_bytes);
	cof_result (*label)(struct service *service, const struct resource *resource, char *out,
			    size_t out_size_bytes, struct cof_error *err);
	cof_result (*status)(struct service *service, const struct resource *resource,
			     struct status *ret_status, struct cof_error *err);
	cof_result (*devices)(struct service *service, const struct resource *resource,
			      enum device_role role, char ***ret_names, struct cof_error *err);
	cof_result (*plan)(struct service *service, const struct resource *resource,
			   struct provision_plan *ret_plan, struct cof_error *err);
	cof_result (*provision)(struct service *service, const struct resource *resource,
				struct cof_error *err);
	cof_result (*start)(struct service *service, const struct resource *resource,
			    struct cof_error *err);
	cof_result (*stop)(struct service *service, const struct resource *resource,
			   struct cof_error *err);
	cof_result (*unprovision)(struct service *service, const struct resource *resource,
				  struct cof_error *err);
	cof_result (*prove)(struct service *service, const struct resource *resource,
			    struct cof_error *err);
};

extern const struct driver driver_disk_loop;
extern const struct driver driver_disk_crypt;
extern const struct driver driver_disk_raw;
extern const struct driver driver_fs_ext4;
extern const struct driver driver_fs_xfs;
extern const struct driver driver_fs_btrfs;

/** drivers - all of them, NULL-terminated (drivers.c) */
extern const struct driver *const drivers[];

/** driver_find() - NULL when there is none */
const struct driver *driver_find(const char *group, const char *type);
/** driver_groups - names of the groups in the order in which they start, NULL-terminated */
extern const char *const driver_groups[];
/** keyword_find() - one of a driver's or of the general ones; NULL when there is none */
const struct keyword *keyword_find(const struct driver *driver, const char *name);
/** keywords_general - those of every resource */
extern const struct keyword keywords_general[];
/** keywords_service - those of the section DEFAULT */
extern const struct keyword keywords_service[];

/** keyword_unsupported() - why a keyword of OpenSVC's is refused; NULL where it is none of these */
const char *keyword_unsupported(const char *name);
/** keyword_check() - whether @value is of the keyword's type. Fails: COF_E_USAGE */
cof_result keyword_check(const struct keyword *keyword, const char *value, struct cof_error *err);
/** keyword_bool() - "true", "yes", "y", "t", "1" in any case; false for anything else */
bool keyword_bool(const char *value);

#endif
