/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unlock methods that tools of the system enrol. A tool works on a copy of the header, and with a
 * secret that opens the copy alone; the copy becomes the header by one renaming, once it is proven.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "audit_head.h"
#include "clevis.h"
#include "fault.h"
#include "luks_header.h"
#include "recovery.h"
#include "way.h"

#define ENROLL_LIMIT_MS	 60000		   /* our own: a person may have to touch a token */
#define HEADER_MAX_BYTES (32u << 20)	   /* twice what the vault's header has */
#define GIVEN_FILE	 "/proc/self/fd/3" /* CHILD_GIVEN_FD */

/* A copy of the header in the making. */
struct attempt {
	struct vault *vault;
	const struct vault_tool *tool;
	const struct volume_key *key; /* the root key */
	char *path;
	struct buffer before; /* the header when it was copied */
	int slot;
};

static void attempt_done(struct attempt *attempt)
{
	/* What is left of one that was cut off goes with the next. */
	if (attempt->path)
		cof_ignore(file_remove(attempt->path, NULL));
	free(attempt->path);
	buffer_done(&attempt->before);
}

/* Copies the header, every byte of it, so that the copy has all its room on the disk as well. */
static cof_result copy_header(struct attempt *attempt, struct cof_error *err)
{
	const char *header = attempt->vault->header_path;
	_cleanup_buffer_ struct buffer bytes = { 0 };

	TRY(path_format(&attempt->path, err, "%s.enrolled.new", header));
	TRY(file_remove(attempt->path, err));
	TRY(luks_copy_header(header, &attempt->before, err));
	TRY(file_read_plain(header, HEADER_MAX_BYTES, &bytes, err));
	TRY(file_create(attempt->path, buffer_span(&bytes), 0600, err));
	return fault_point("enroll/header-copied", err);
}

/* ---- the tools ---- */

/* The secret in memory that a tool can open as a file; locked while it is mapped here. */
struct given {
	int fd;
	void *data;
	size_t len;
};

static void given_done(struct given *given)
{
	if (given->data) {
		memory_wipe(given->data, given->len);
		(void)munmap(given->data, given->len);
	}
	fd_closep(&given->fd);
}

static cof_result given_init(const struct slot_secret *secret, struct given *given,
			     struct cof_error *err)
{
	struct span bytes = slot_secret_span(secret);
	void *data = MAP_FAILED;

	given->fd = memfd_create("secret", MFD_CLOEXEC);
	if (given->fd >= 0 && fchmod(given->fd, 0600) == 0 &&
	    ftruncate(given->fd, (off_t)bytes.len) == 0)
		data = mmap(NULL, bytes.len, PROT_READ | PROT_WRITE, MAP_SHARED, given->fd, 0);
	ENSURE(data != MAP_FAILED, err, COF_E_NOMEM, NULL, "no memory for a secret");
	given->data = data;
	given->len = bytes.len;
	ENSURE(mlock(data, bytes.len) == 0, err, COF_E_NOMEM, NULL, "memory cannot be locked");
	memcpy(data, bytes.data, bytes.len);
	return COF_OK;
}

/* Runs a tool; what it says is of no use but its last complaint. */
static cof_result run_tool(const struct child_spec *spec, struct cof_error *err)
{
	_cleanup_free_ uint8_t *output = malloc(WAY_OUTPUT_MAX_BYTES);
	size_t len;

	ENSURE(output, err, COF_E_NOMEM, NULL, "no memory for a program's output");
	return child_fetch(spec, output, WAY_OUTPUT_MAX_BYTES, &len, NULL, err);
}

/* The configuration of clevis's pin for Tang; caller frees. */
static char *tang_config(const char *url, const char *thumbprint)
{
	_cleanup_json_ struct json *config = json_new_object();

	json_set_text(config, "url", url);
	if (thumbprint)
		json_set_text(config, "thp", thumbprint);
	return json_format(config);
}

/* Has clevis bind the copy to a Tang server. */
static cof_result bind_tang(const struct attempt *attempt, const struct slot_secret *secret,
			    struct cof_error *err)
{
	_cleanup_free_ char *config = tang_config(attempt->tool->url, attempt->tool->thumbprint);
	const char *argv[] = { PROGRAM_CLEVIS, "luks",	      "bind", "-y",   "-k", "-",
			       "-d",	       attempt->path, "tang", config, NULL };
	struct child_spec spec = { .argv = argv,
				   .environment = way_environment,
				   .input = slot_secret_span(secret),
				   .apart = true,
				   .timeout_ms = ENROLL_LIMIT_MS };

	return run_tool(&spec, err);
}

/* Has systemd-cryptenroll add the TPM or a FIDO2 token to the copy. */
static cof_result run_cryptenroll(const struct attempt *attempt, const struct slot_secret *secret,
				  struct cof_error *err)
{
	_cleanup_(given_done) struct given given = { .fd = -1 };
	bool tpm2 = attempt->tool->kind == VAULT_WAY_TPM2;
	const char *tcti = attempt->vault->paths->tpm2_device;
	_cleanup_free_ char *device = NULL;
	_cleanup_free_ char *pcrs = NULL;
	const char *argv[] = {
		PROGRAM_CRYPTENROLL, "--unlock-key-file=" GIVEN_FILE, NULL, NULL, NULL, NULL
	};
	size_t count = 2;
	struct child_spec spec = { .argv = argv,
				   .environment = way_environment,
				   .apart = true,
				   .on_terminal = !tpm2,
				   .timeout_ms = ENROLL_LIMIT_MS };

	if (!tpm2 || !tcti)
		TRY(way_check_hardware(tpm2, err));
	TRY(path_format(&device, err, "--%s-device=%s", tpm2 ? "tpm2" : "fido2",
			tpm2 && tcti ? tcti : "auto"));
	argv[count++] = device;
	if (tpm2) {
		TRY(path_format(&pcrs, err, "--tpm2-pcrs=%s", attempt->tool->pcrs));
		argv[count++] = pcrs;
	}
	argv[count] = attempt->path;
	TRY(given_init(secret, &given, err));
	spec.given_fd = given.fd;
	return run_tool(&spec, err);
}

/* Has the tool change the copy, with the secret of a keyslot that only the copy has. */
static cof_result change_copy(const struct attempt *attempt, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	int slot;

	TRY(recovery_generate(&secret, err));
	TRY(luks_slot_add(attempt->path, NULL, attempt->key, secret, LUKS_COST_RANDOM_KEY, &slot,
			  err));
	TRY(fault_point("enroll/copy-opened", err));
	if (attempt->tool->kind == VAULT_WAY_CLEVIS)
		TRY(bind_tang(attempt, secret, err));
	else
		TRY(run_cryptenroll(attempt, secret, err));
	TRY(fault_point("enroll/tool-ended", err));
	TRY(luks_slot_remove(attempt->path, NULL, slot, err));
	return fault_point("enroll/copy-closed", err);
}

/* ---- what came of it ---- */

/* The one method that the copy has and the header has not. */
static cof_result find_added(struct attempt *attempt, struct vault_way *ret_way,
			     struct cof_error *err)
{
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	_cleanup_buffer_ struct buffer after = { 0 };
	_cleanup_free_ struct vault_way *ways = NULL;
	size_t count;

	TRY(luks_copy_header(attempt->path, &after, err));
	TRY(luks_copies_diff(buffer_span(&attempt->before), buffer_span(&after), &diff, err));
	TRY(ways_of(attempt->path, &ways, &count, err));
	for (size_t i = 0; i < count; i++) {
		if (diff.altered || diff.added_slots != 1u << ways[i].slot ||
		    diff.added_tokens != 1u << ways[i].token || ways[i].kind != attempt->tool->kind)
			continue;
		*ret_way = ways[i];
		return COF_OK;
	}
	FAIL(err, COF_E_AUTH, attempt->path,
	     "the tool changed something else in the copy of the header than one keyslot");
}

/* Proves that a method yields the root key; one that asks for a PIN has asked just now. */
static cof_result prove_way(const struct attempt *attempt, const char *header_path,
			    const struct vault_way *way, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	TRY(vault_check_header(header_path, err));
	if (way->asks_pin)
		return COF_OK;
	TRY(way_open(attempt->vault, header_path, way, NULL, &key, err));
	ENSURE(ct_equal(volume_key_span(key), volume_key_span(attempt->key)), err, COF_E_AUTH,
	       header_path, "keyslot %d yields another key than the vault's root key", way->slot);
	return COF_OK;
}

/* Gives the copy the header's name, unless somebody has changed the header meanwhile. */
static cof_result put_in_place(const struct attempt *attempt, struct cof_error *err)
{
	const char *header = attempt->vault->header_path;
	_cleanup_buffer_ struct buffer now = { 0 };

	TRY(header_sync(attempt->path, err));
	TRY(luks_copy_header(header, &now, err));
	ENSURE(luks_copies_equal(buffer_span(&attempt->before), buffer_span(&now)), err,
	       COF_E_CONFLICT, header, "was changed by another tool meanwhile");
	TRY(fault_point("enroll/copy-proven", err));
	TRY(file_rename(attempt->path, header, err));
	return fault_point("enroll/header-replaced", err);
}

/* Copies, has the tool do its work, and takes over what came of it. */
static cof_result make_way(struct attempt *attempt, struct cof_error *err)
{
	struct vault_way way;

	TRY(copy_header(attempt, err));
	TRY(change_copy(attempt, err));
	TRY(find_added(attempt, &way, err));
	TRY(prove_way(attempt, attempt->path, &way, err));
	TRY(put_in_place(attempt, err));
	attempt->slot = way.slot;
	return COF_OK;
}

/* ---- what is there already ---- */

/* Whether a token is bound to the key of the Tang server that is asked for. */
static bool has_thumbprint(const struct attempt *attempt, const struct vault_way *way)
{
	_cleanup_json_ struct json *json = NULL;
	_cleanup_free_ char *text = NULL;
	struct clevis clevis;
	const char *header;

	if (cof_failed(luks_token_get(attempt->vault->header_path, way->token, &text, NULL)) ||
	    !text || cof_failed(json_parse(span_of_text(text), "token", &json, NULL)))
		return false;
	header = clevis_token_header(json);
	return header && !cof_failed(clevis_parse(header, &clevis, NULL)) &&
	       clevis_has_thumbprint(&clevis, attempt->tool->thumbprint);
}

/* Whether "7+11", as systemd-cryptenroll takes PCRs, are those that a token names. */
static bool has_pcrs(const struct vault_way *way, const char *pcrs)
{
	char named[VAULT_DETAIL_BYTES];

	(void)snprintf(named, sizeof(named), "PCRs %s", pcrs);
	for (char *plus = strchr(named, '+'); plus; plus = strchr(plus, '+'))
		*plus = ',';
	return strcmp(named, way->detail) == 0;
}

/* Whether a method of the header is the one that is to be enrolled, and works. */
static bool is_wanted(const struct attempt *attempt, const struct vault_way *way)
{
	const struct vault_tool *tool = attempt->tool;

	if (way->kind != tool->kind || way->asks_pin)
		return false;
	if (tool->kind == VAULT_WAY_CLEVIS &&
	    (strcmp(way->detail, tool->url) != 0 || !has_thumbprint(attempt, way)))
		return false;
	if (tool->kind == VAULT_WAY_TPM2 && !has_pcrs(way, tool->pcrs))
		return false;
	return !cof_failed(prove_way(attempt, attempt->vault->header_path, way, NULL));
}

/* Whether the vault opens with just this method already. */
static cof_result find_wanted(const struct attempt *attempt, bool *ret_there, struct cof_error *err)
{
	_cleanup_free_ struct vault_way *ways = NULL;
	size_t count;

	*ret_there = false;
	TRY(ways_of(attempt->vault->header_path, &ways, &count, err));
	for (size_t i = 0; i < count && !*ret_there; i++)
		*ret_there = is_wanted(attempt, &ways[i]);
	return COF_OK;
}

cof_result vault_check_tool(const struct vault_tool *tool, struct cof_error *err)
{
	if (tool->kind != VAULT_WAY_CLEVIS)
		return way_check_program(PROGRAM_CRYPTENROLL, "systemd", err);
	TRY(way_check_program(PROGRAM_CLEVIS, "clevis", err));
	return way_check_program(PROGRAM_CLEVIS_BIND, "clevis-luks", err);
}

cof_result vault_enroll_tool(struct vault *vault, const struct slot_secret *existing,
			     const struct vault_tool *tool, int *ret_slot, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(attempt_done) struct attempt attempt = { .vault = vault, .tool = tool };
	_cleanup_fd_ int lock = -1;
	bool is_there;

	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(vault_prove_secret(vault, existing, &key, NULL, err));
	attempt.key = key;
	TRY(vault_check_tool(tool, err));
	TRY(slots_tidy(vault->header_path, 0, err));
	TRY(find_wanted(&attempt, &is_there, err));
	if (!is_there)
		TRY(make_way(&attempt, err));
	TRY(header_keep(vault, err));
	TRY(fault_point("enroll/header-kept", err));
	commit_follow_up(vault);
	if (!is_there)
		audit_note_slot(vault, AUDIT_VAULT_ENROLL, attempt.slot);
	*ret_slot = is_there ? -1 : attempt.slot;
	return COF_OK;
}

/* ---- a Tang server, before it is believed ---- */

cof_result tang_look(const struct paths *paths, const char *url,
		     char thumbprints[static TANG_KEYS_MAX][TANG_THUMBPRINT_BYTES],
		     size_t *ret_count, struct cof_error *err)
{
	_cleanup_free_ char *config = tang_config(url, NULL);
	const char *argv[] = { PROGRAM_CLEVIS, "encrypt", "tang", config, "-y", NULL };
	struct child_spec spec = { .argv = argv,
				   .environment = way_environment,
				   .input = span_of_text("nothing"),
				   .apart = true,
				   .timeout_ms = way_timeout_ms(paths) };
	char jwe[WAY_OUTPUT_MAX_BYTES / 4];
	struct clevis clevis;
	size_t len;

	TRY(way_check_program(PROGRAM_CLEVIS, "clevis", err));
	TRY(child_fetch(&spec, (uint8_t *)jwe, sizeof(jwe) - 1, &len, NULL, err));
	jwe[len] = '\0';
	jwe[strcspn(jwe, ".")] = '\0'; /* of a compact JWE the protected header comes first */
	TRY(clevis_parse(jwe, &clevis, err));
	_Static_assert(CLEVIS_KEYS_MAX == TANG_KEYS_MAX &&
			       CLEVIS_THUMBPRINT_CHARS + 1 == TANG_THUMBPRINT_BYTES,
		       "the same bounds");
	memcpy(thumbprints, clevis.thumbprints, sizeof(clevis.thumbprints));
	*ret_count = clevis.count;
	return COF_OK;
}
