/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot_unit.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define SUFFIX_SERVICE ".service"
#define PATH_UNKNOWN   "/run/coffer/no-mount-point-is-known"

/* What may wait: the unit that does the work, and those that start it. */
static const char *const suffixes[] = { SUFFIX_SERVICE, ".socket", ".timer", ".path" };

/* Units without which nobody reaches the machine, or coffer does not work. */
static const struct {
	const char *pattern;
	const char *reason;
} needed[] = {
	{ "ssh.*", "nobody could log in to unlock the vault" },
	{ "ssh@*", "nobody could log in to unlock the vault" },
	{ "sshd*", "nobody could log in to unlock the vault" },
	{ "dropbear*", "nobody could log in to unlock the vault" },
	{ "getty*", "nobody could log in to unlock the vault" },
	{ "*-getty@*", "nobody could log in to unlock the vault" },
	{ "networking.*", "nobody could reach the machine to unlock the vault" },
	{ "NetworkManager*", "nobody could reach the machine to unlock the vault" },
	{ "ifup@*", "nobody could reach the machine to unlock the vault" },
	{ "wpa_supplicant*", "nobody could reach the machine to unlock the vault" },
	{ "dbus*", "the system's own services need it before any volume is there" },
	{ "polkit*", "the system's own services need it before any volume is there" },
	{ "systemd-*", "it is part of the system's own start" },
	{ "udev*", "devices are found by it, those of the volumes as well" },
	{ "user@*", "it is part of every login" },
	{ "emergency.*", "it is there for when nothing else works" },
	{ "rescue.*", "it is there for when nothing else works" },
	{ "coffer*", "the volumes are opened by it" },
	{ "cryptdisks*", "volumes are opened by it" },
	{ "clevis*", "the vault may be unlocked by it" },
	{ "tang*", "the vault may be unlocked by it" },
	{ "lvm2*", "the volumes may lie on what it sets up" },
	{ "dm-event*", "the volumes may lie on what it sets up" },
	{ "blk-availability*", "the volumes may lie on what it sets up" },
	{ "mdadm*", "the volumes may lie on what it sets up" },
	{ "mdmonitor*", "the volumes may lie on what it sets up" },
	{ "multipath*", "the volumes may lie on what it sets up" },
	{ "iscsi*", "the volumes may lie on what it sets up" },
	{ "open-iscsi*", "the volumes may lie on what it sets up" },
	{ "zfs*", "the volumes may lie on what it sets up" },
};

cof_result boot_mount_check(const char *path, struct cof_error *err)
{
	size_t len = strlen(path);

	ENSURE(path[0] == '/', err, COF_E_FORMAT, NULL,
	       "has a mount point that does not begin with a slash");
	ENSURE(len > 1, err, COF_E_FORMAT, NULL,
	       "has / as mount point, which is always there: nothing waits for it");
	ENSURE(len <= BOOT_PATH_MAX_CHARS, err, COF_E_FORMAT, NULL,
	       "has a mount point of more than %d bytes", BOOT_PATH_MAX_CHARS);
	for (size_t i = 0; i < len; i++)
		ENSURE(!iscntrl((unsigned char)path[i]), err, COF_E_FORMAT, NULL,
		       "has a mount point with a control character");
	ENSURE(path[len - 1] != '/' && path[len - 1] != ' ', err, COF_E_FORMAT, NULL,
	       "has a mount point that ends in a %s", path[len - 1] == '/' ? "slash" : "blank");
	for (const char *at = path; at; at = strchr(at + 1, '/'))
		ENSURE(strncmp(at, "//", 2) != 0 && strncmp(at, "/./", 3) != 0 &&
			       strncmp(at, "/../", 4) != 0 && strcmp(at, "/.") != 0 &&
			       strcmp(at, "/..") != 0,
		       err, COF_E_FORMAT, NULL, "has a mount point with //, . or .. in it");
	return COF_OK;
}

/* The suffix of a unit that may wait, or NULL. */
static const char *suffix_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return suffixes[i];
	return NULL;
}

cof_result boot_unit_check(const char *name, struct cof_error *err)
{
	const char *suffix = suffix_of(name);
	const char *at = strchr(name, '@');
	size_t len = strlen(name);

	ENSURE(suffix, err, COF_E_FORMAT, NULL,
	       "names no service, socket, timer or path: only these can wait");
	ENSURE(len <= BOOT_UNIT_MAX_CHARS && len > strlen(suffix) && at != name, err, COF_E_FORMAT,
	       NULL, "has no unit's name");
	for (size_t i = 0; i < len; i++)
		ENSURE(isalnum((unsigned char)name[i]) || strchr(":-_.\\@", name[i]), err,
		       COF_E_FORMAT, NULL, "has a character that no unit's name has");
	ENSURE(!at || strcmp(at + 1, suffix) != 0, err, COF_E_FORMAT, NULL,
	       "names a template: name one of its instances, as in name@instance%s", suffix);
	return COF_OK;
}

cof_result boot_unit_name(const char *typed, char ret_name[static BOOT_UNIT_MAX_CHARS + 1],
			  struct cof_error *err)
{
	const char *dot = strrchr(typed, '.');
	struct cof_error wrong = { 0 };
	bool whole = suffix_of(typed) != NULL;

	ENSURE(strlen(typed) + sizeof(SUFFIX_SERVICE) <= BOOT_UNIT_MAX_CHARS, err, COF_E_USAGE,
	       "UNIT", "is too long for a unit's name");
	if (dot && (strcmp(dot, ".target") == 0 || strcmp(dot, ".mount") == 0))
		FAIL(err, COF_E_USAGE, typed,
		     "is a %s: only services, sockets, timers and paths can "
		     "wait",
		     dot + 1);
	(void)snprintf(ret_name, BOOT_UNIT_MAX_CHARS + 1, "%s%s", typed,
		       whole ? "" : SUFFIX_SERVICE);
	if (cof_failed(boot_unit_check(ret_name, &wrong)))
		FAIL(err, COF_E_USAGE, typed, "%s", wrong.text);
	return COF_OK;
}

bool boot_unit_is_service(const char *name)
{
	const char *suffix = suffix_of(name);

	return suffix && strcmp(suffix, SUFFIX_SERVICE) == 0;
}

bool boot_escape(const char *text, const char *suffix,
		 char ret_name[static BOOT_UNIT_MAX_CHARS + 1])
{
	size_t len = 0;

	for (const char *at = text; *at; at++) {
		bool plain = isalnum((unsigned char)*at) || *at == ':' || *at == '_' ||
			     (*at == '.' && at != text);

		if (len + 4 + strlen(suffix) > BOOT_UNIT_MAX_CHARS)
			return false;
		if (*at == '/')
			ret_name[len++] = '-';
		else if (plain)
			ret_name[len++] = *at;
		else
			len += (size_t)sprintf(ret_name + len, "\\x%02x", (uint8_t)*at);
	}
	(void)strcpy(ret_name + len, suffix);
	return true;
}

bool boot_mount_unit(const char *path, char ret_name[static BOOT_UNIT_MAX_CHARS + 1])
{
	return boot_escape(path + strspn(path, "/"), ".mount", ret_name);
}

const char *boot_refusal(const char *unit)
{
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (fnmatch(needed[i].pattern, unit, FNM_NOESCAPE) == 0)
			return needed[i].reason;
	return NULL;
}

/* A path as the value of a setting: % begins what systemd puts in. */
static cof_result add_path(struct buffer *text, const char *setting, const char *path,
			   struct cof_error *err)
{
	TRY(buffer_add_text(text, err, "%s=", setting));
	for (; *path; path++) {
		if (*path == '%')
			TRY(buffer_add_u8(text, '%', err));
		TRY(buffer_add_u8(text, (uint8_t)*path, err));
	}
	return buffer_add_u8(text, '\n', err);
}

/* A setting with the mounts' units, behind @first. */
static cof_result add_units(struct buffer *text, const char *setting, const char *first,
			    char *const mounts[], struct cof_error *err)
{
	char unit[BOOT_UNIT_MAX_CHARS + 1];

	TRY(buffer_add_text(text, err, "%s=%s", setting, first));
	for (size_t i = 0; mounts[i]; i++)
		if (boot_mount_unit(mounts[i], unit))
			TRY(buffer_add_text(text, err, " %s", unit));
	return buffer_add_u8(text, '\n', err);
}

cof_result boot_drop_in(const char *unit, const char *listed, char *const mounts[],
			struct buffer *ret_text, struct cof_error *err)
{
	TRY(buffer_add_text(ret_text, err,
			    "# Made at boot from " BOOT_LIST_PATH
			    "; `coffer boot remove %s` ends it.\n[Unit]\n",
			    listed));
	/* Sockets, timers and paths come before basic.target, which would wait with them. */
	if (!boot_unit_is_service(unit))
		TRY(buffer_add_text(ret_text, err,
				    "DefaultDependencies=no\nRequires=sysinit.target\n"
				    "After=sysinit.target\nConflicts=shutdown.target\n"
				    "Before=shutdown.target\n"));
	TRY(add_units(ret_text, "After", BOOT_TARGET, mounts, err));
	TRY(add_units(ret_text, "StopPropagatedFrom", BOOT_TARGET, mounts, err));
	for (size_t i = 0; mounts[i]; i++)
		TRY(add_path(ret_text, "ConditionPathIsMountPoint", mounts[i], err));
	if (!mounts[0])
		TRY(add_path(ret_text, "ConditionPathExists", PATH_UNKNOWN, err));
	return COF_OK;
}

cof_result boot_mount_drop_in(struct buffer *ret_text, struct cof_error *err)
{
	return buffer_add_text(ret_text, err,
			       "# Made at boot from " BOOT_LIST_PATH "\n[Unit]\n"
			       "StopPropagatedFrom=" BOOT_TARGET "\n");
}

cof_result boot_target_drop_in(const struct boot_list *list, char *const mounts[],
			       struct buffer *ret_text, struct cof_error *err)
{
	TRY(buffer_add_text(ret_text, err, "# Made at boot from " BOOT_LIST_PATH "\n[Unit]\n"));
	TRY(add_units(ret_text, "Wants", "", mounts, err));
	TRY(buffer_add_text(ret_text, err, "Wants="));
	for (size_t i = 0; i < list->count; i++)
		TRY(buffer_add_text(ret_text, err, "%s%s", i ? " " : "", list->waits[i].unit));
	return buffer_add_u8(ret_text, '\n', err);
}
