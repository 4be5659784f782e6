/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "child.h"
#include "context.h"

#define CONTROL_NODE	    "/dev/mapper/control"
#define MODPROBE_TIMEOUT_MS 10000
#define NAME_CHARS_MAX	    127 /* DM_NAME_LEN with its NUL is 128 */

static pthread_once_t kernel_once = PTHREAD_ONCE_INIT;
static char kernel_why_not[160]; /* "" where the kernel can; written once */

/* Asks the kernel for its targets and looks for crypt. */
static void kernel_ask(int fd)
{
	struct {
		struct dm_ioctl head;
		uint8_t rest[16 * 1024];
	} answer = { 0 };
	uint32_t start;
	uint32_t end;

	answer.head.version[0] = DM_VERSION_MAJOR;
	answer.head.data_size = sizeof(answer);
	answer.head.data_start = sizeof(answer.head);
	if (ioctl(fd, DM_LIST_VERSIONS, &answer) < 0) {
		(void)snprintf(kernel_why_not, sizeof(kernel_why_not),
			       "device-mapper does not answer: %s", strerror(errno));
		return;
	}
	start = answer.head.data_start;
	end = answer.head.data_size;
	if (start > end || end > sizeof(answer) ||
	    !mapping_target_listed(SPAN((uint8_t *)&answer + start, end - start), "crypt"))
		(void)snprintf(kernel_why_not, sizeof(kernel_why_not),
			       "this kernel has device-mapper but not dm-crypt");
}

/* Finds out once: loading a module or its absence does not change while a command runs. */
static void kernel_probe(void)
{
	static const char *const load[] = { "modprobe", "-q", "dm-crypt", NULL };
	_cleanup_fd_ int fd = -1;
	int status;

	/* Where dm-crypt is built in, or modprobe is missing, the question below still answers. */
	cof_ignore(child_run(load, SPAN(NULL, 0), MODPROBE_TIMEOUT_MS, NULL, &status, NULL));
	fd = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		(void)snprintf(kernel_why_not, sizeof(kernel_why_not),
			       "this kernel has no device-mapper");
	else if (fd < 0)
		(void)snprintf(kernel_why_not, sizeof(kernel_why_not), "%s: %s", CONTROL_NODE,
			       strerror(errno));
	else
		kernel_ask(fd);
}

bool luks_kernel_can(char *why_not, size_t why_not_size_bytes)
{
	(void)pthread_once(&kernel_once, kernel_probe);
	if (why_not && why_not_size_bytes > 0)
		(void)snprintf(why_not, why_not_size_bytes, "%s", kernel_why_not);
	return kernel_why_not[0] == '\0';
}

/* Refuses a header that would have the kernel write plaintext to the disk. */
static cof_result cipher_check(struct luks_context *context, struct cof_error *err)
{
	const char *cipher = crypt_get_cipher(context->cd);

	ENSURE(cipher && strncmp(cipher, "cipher_null", strlen("cipher_null")) != 0, err,
	       COF_E_REFUSED, context->subject,
	       "its header says that the data is not encrypted (%s)",
	       cipher ? cipher : "no cipher");
	return COF_OK;
}

cof_result luks_activate(const char *device, const char *header, const char *name,
			 const struct volume_key *volume_key, bool read_only, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	char why_not[sizeof(kernel_why_not)];
	int status;

	ENSURE(strlen(name) > 0 && strlen(name) <= NAME_CHARS_MAX && !strchr(name, '/'), err,
	       COF_E_FAILED, name, "a mapping's name has 1 to %d characters and no slash",
	       NAME_CHARS_MAX);
	TRY(luks_context_load(device, header, &context, err));
	TRY(cipher_check(context, err));
	ENSURE(luks_kernel_can(why_not, sizeof(why_not)), err, COF_E_UNSUPPORTED, device,
	       "cannot be mapped: %s", why_not);

	luks_mapper_begin();
	status = crypt_activate_by_volume_key(
		context->cd, name, (const char *)volume_key->secret.data, volume_key->secret.len,
		read_only ? CRYPT_ACTIVATE_READONLY : 0);
	luks_mapper_end();
	if (status < 0)
		return luks_raise(context, status, err, "cannot be mapped as %s", name);
	return COF_OK;
}

cof_result luks_deactivate(const char *name, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	struct luks_mapping mapping;
	bool found;
	int status;

	TRY(luks_mapping_find(name, &mapping, &found, err));
	if (!found)
		return COF_OK;
	TRY(luks_context_of_mapping(name, &context, err));
	luks_mapper_begin();
	status = crypt_deactivate(context->cd, name);
	luks_mapper_end();
	if (status < 0 && status != -ENODEV)
		return luks_raise(context, status, err, "the mapping cannot be removed");
	return COF_OK;
}
