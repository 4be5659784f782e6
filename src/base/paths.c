/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Places and configuration: see paths.h.
 */

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <string.h>

#include "file.h"
#include "near.h"
#include "number.h"
#include "paths.h"

#define AGENT_LIMIT_DEFAULT_SECONDS (8 * 3600)
#define UNATTENDED_DEFAULT_SECONDS  10
#define UNATTENDED_MAX_SECONDS	    3600

/* The configuration while it is read. */
struct config_reading {
	struct paths *paths;
	char wrong[704];    /* what is wrong with the first line that is; "" for nothing */
	const char *remedy; /* NULL for none */
};

void paths_free(struct paths *paths)
{
	if (!paths)
		return;
	free(paths->root);
	free(paths->vault_dir);
	free(paths->run_dir);
	free(paths->agent_socket);
	free(paths->keys_socket);
	free(paths->engine_dir);
	free(paths->stores_dir);
	free(paths->crypttab);
	free(paths->fstab);
	free(paths->tpm2_device);
	free(paths->config);
	for (char **mirror = paths->mirrors; mirror && *mirror; mirror++)
		free(*mirror);
	free(paths->mirrors);
	free(paths);
}

/* @path made absolute, without "." parts, double or final slashes; it need not exist. */
static cof_result absolute(const char *path, char **ret_path, struct cof_error *err)
{
	_cleanup_free_ char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
	_cleanup_free_ char *whole = NULL;
	_cleanup_free_ char *real = realpath(path, NULL);
	char *to;

	if (real) {
		*ret_path = TAKE(real);
		return COF_OK;
	}
	ENSURE(path[0] == '/' || folder, err, COF_E_IO, path, "has no folder that can be read");
	TRY(path_format(&whole, err, "%s/%s", folder ? folder : "", path));
	to = whole;
	for (const char *from = whole; *from != '\0';) {
		size_t slashes = strspn(from, "/");
		size_t len = strcspn(from + slashes, "/");
		bool skip = len == 0 || (len == 1 && from[slashes] == '.');

		if (!skip) {
			*to++ = '/';
			memmove(to, from + slashes, len);
			to += len;
		}
		from += slashes + len;
	}
	*to = '\0';
	*ret_path = TAKE(whole);
	return COF_OK;
}

/* 64-bit FNV-1a of a text (draft-eastlake-fnv, section 3): names a folder, guards nothing. */
static uint64_t fnv1a(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *text != '\0'; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
	return hash;
}

/* Appends a folder to paths->mirrors. */
static cof_result add_mirror(struct paths *paths, const char *folder, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	size_t count = 0;
	char **grown;

	ENSURE(folder[0] == '/', err, COF_E_FORMAT, NULL, "is not an absolute path");
	TRY(absolute(folder, &path, err));
	for (; paths->mirrors && paths->mirrors[count]; count++)
		if (strcmp(paths->mirrors[count], path) == 0)
			return COF_OK; /* two lines do not make two copies */
	grown = realloc(paths->mirrors, (count + 2) * sizeof(*grown));
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for the configuration");
	grown[count] = TAKE(path);
	grown[count + 1] = NULL;
	paths->mirrors = grown;
	return COF_OK;
}

/* How long an unlock method may take: with no limit, a server that is away would stop a boot. */
static cof_result set_unattended_limit(struct paths *paths, const char *value,
				       struct cof_error *err)
{
	uint64_t seconds;

	TRY(duration_parse(value, &seconds, err));
	ENSURE(seconds > 0 && seconds <= UNATTENDED_MAX_SECONDS, err, COF_E_FORMAT, value,
	       "is not between 1 second and 1 hour");
	paths->unattended_limit_seconds = seconds;
	return COF_OK;
}

/* Which TPM: a TCTI, "device:/dev/tpmrm0" for instance; the last line counts. */
static cof_result set_tpm2_device(struct paths *paths, const char *value, struct cof_error *err)
{
	ENSURE(value[0] != '\0', err, COF_E_FORMAT, "tpm2-device", "names no device");
	free(paths->tpm2_device);
	paths->tpm2_device = strdup(value);
	ENSURE(paths->tpm2_device, err, COF_E_NOMEM, NULL, "no memory for the configuration");
	return COF_OK;
}

/* One `name = value` of the configuration. */
static cof_result set_value(struct paths *paths, const char *name, const char *value,
			    struct cof_error *err)
{
	if (strcmp(name, "mirror") == 0)
		return add_mirror(paths, value, err);
	if (strcmp(name, "unattended-limit") == 0)
		return set_unattended_limit(paths, value, err);
	if (strcmp(name, "tpm2-device") == 0)
		return set_tpm2_device(paths, value, err);
	return duration_parse(value, &paths->agent_limit_seconds, err);
}

/* Whether there is a setting of that name; *ret_near is what may have been meant, or NULL. */
static bool is_setting(const char *name, const char **ret_near)
{
	static const char *const settings[] = { "mirror", "agent-limit", "unattended-limit",
						"tpm2-device" };
	size_t best = SIZE_MAX;

	*ret_near = NULL;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i], name) == 0)
			return true;
		if (near_is_nearer(name, settings[i], &best))
			*ret_near = settings[i];
	}
	return false;
}

/* inih's callback: 1 goes on, 0 reports this line; what is wrong with the first such line is kept.
 */
static int on_setting(void *context, const char *section, const char *name, const char *value)
{
	struct config_reading *reading = context;
	struct cof_error why = { 0 };
	const char *near;
	bool known = is_setting(name, &near);

	(void)section;
	if (known && !cof_failed(set_value(reading->paths, name, value, &why)))
		return 1;
	if (reading->wrong[0])
		return 0;
	if (known)
		(void)snprintf(reading->wrong, sizeof(reading->wrong), "%.64s, \"%.100s\", %s",
			       name, value, why.text);
	else
		(void)snprintf(reading->wrong, sizeof(reading->wrong), "%.64s is not a setting",
			       name);
	if (!known)
		reading->remedy =
			near ? near : "mirror, agent-limit, unattended-limit or tpm2-device";
	return 0;
}

/* inih's callback where only the form of the lines counts. */
static int on_any_setting(void *context, const char *section, const char *name, const char *value)
{
	(void)context;
	(void)section;
	(void)name;
	(void)value;
	return 1;
}

/* Reads @file into @paths. */
static cof_result read_config(struct paths *paths, const char *file, struct cof_error *err)
{
	struct config_reading reading = { .paths = paths };
	_cleanup_file_ FILE *config = fopen(file, "re");
	int formless;
	int line;

	if (!config)
		return cof_raise_errno(err, errno, file, "cannot be read");
	formless = ini_parse_file(config, on_any_setting, NULL);
	rewind(config);
	line = ini_parse_file(config, on_setting, &reading);
	if (ferror(config))
		return cof_raise_errno(err, errno ? errno : EIO, file, "cannot be read");
	ENSURE(line >= 0, err, COF_E_NOMEM, file, "no memory for the configuration");
	if (line == 0)
		return COF_OK;
	ENSURE(line != formless, err, COF_E_FORMAT, file, "line %d is not \"name = value\"", line);
	cof_ignore(cof_raise(err, COF_E_FORMAT, file, "line %d: %s", line, reading.wrong));
	if (reading.remedy)
		cof_error_try(err, "%s", reading.remedy);
	return (cof_result){ COF_E_FORMAT };
}

/* Fills in everything that hangs on the root and the vault's folder. */
static cof_result derive_places(struct paths *paths, struct cof_error *err)
{
	if (paths->vault_is_default)
		TRY(path_format(&paths->run_dir, err, "%s/run/coffer", paths->root));
	else
		TRY(path_format(&paths->run_dir, err, "%s/run/coffer/%016llx", paths->root,
				(unsigned long long)fnv1a(paths->vault_dir)));
	TRY(path_format(&paths->agent_socket, err, "%s/agent.sock", paths->run_dir));
	TRY(path_format(&paths->keys_socket, err, "%s/keys.sock", paths->run_dir));
	TRY(path_format(&paths->engine_dir, err, "%s/run/coffer/engine", paths->root));
	TRY(path_format(&paths->stores_dir, err, "%s" PATHS_VAULT_DEFAULT "/stores", paths->root));
	TRY(path_format(&paths->crypttab, err, "%s/etc/crypttab", paths->root));
	TRY(path_format(&paths->fstab, err, "%s/etc/fstab", paths->root));
	return COF_OK;
}

cof_result paths_new_usable(const char *root, const char *vault, const char *config,
			    struct paths **ret_paths, struct cof_error *ret_mistake,
			    struct cof_error *err)
{
	_cleanup_(paths_freep) struct paths *paths = calloc(1, sizeof(*paths));
	_cleanup_free_ char *default_vault = NULL;

	ENSURE(paths, err, COF_E_NOMEM, NULL, "no memory for paths");
	paths->agent_limit_seconds = AGENT_LIMIT_DEFAULT_SECONDS;
	paths->unattended_limit_seconds = UNATTENDED_DEFAULT_SECONDS;
	TRY(absolute(root ? root : "/", &paths->root, err));
	if (strcmp(paths->root, "/") == 0)
		paths->root[0] = '\0';
	TRY(path_format(&default_vault, err, "%s" PATHS_VAULT_DEFAULT, paths->root));
	TRY(absolute(vault ? vault : default_vault, &paths->vault_dir, err));
	paths->vault_is_default = strcmp(paths->vault_dir, default_vault) == 0;
	TRY(derive_places(paths, err));
	TRY(config ? absolute(config, &paths->config, err)
		   : path_format(&paths->config, err, "%s" PATHS_CONFIG_DEFAULT, paths->root));
	if (config || path_exists(paths->config)) {
		cof_result read = read_config(paths, config ? config : paths->config, ret_mistake);

		ret_mistake->code = read.code;
		paths->has_mistake = cof_failed(read);
		if (cof_failed(read) && read.code != COF_E_FORMAT) {
			if (err)
				*err = *ret_mistake;
			return read;
		}
	}

	*ret_paths = TAKE(paths);
	return COF_OK;
}

cof_result paths_new(const char *root, const char *vault, const char *config,
		     struct paths **ret_paths, struct cof_error *err)
{
	_cleanup_(paths_freep) struct paths *paths = NULL;
	struct cof_error mistake = { 0 };

	TRY(paths_new_usable(root, vault, config, &paths, &mistake, err));
	if (mistake.code != COF_E_NONE) {
		if (err)
			*err = mistake;
		return (cof_result){ mistake.code };
	}
	*ret_paths = TAKE(paths);
	return COF_OK;
}
