/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "context.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "number.h"

#define READS_MAX     3 /* of a header that looks damaged: libcryptsetup writes in milliseconds */
#define READ_PAUSE_MS 20

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t memory_hard_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t mapper_mutex = PTHREAD_MUTEX_INITIALIZER;

void luks_memory_hard_begin(void)
{
	(void)pthread_mutex_lock(&memory_hard_mutex);
}

void luks_memory_hard_end(void)
{
	(void)pthread_mutex_unlock(&memory_hard_mutex);
}

void luks_mapper_begin(void)
{
	(void)pthread_mutex_lock(&mapper_mutex);
}

void luks_mapper_end(void)
{
	(void)pthread_mutex_unlock(&mapper_mutex);
}

/* Keeps a line; where it names the copy of the header, the original is what people know. */
static void line_keep(struct luks_context *context, const char *line, size_t len)
{
	const char *path = context->snapshot.path;
	const char *at = path[0] ? strstr(line, path) : NULL;
	const char *rest = at ? at + strlen(path) : line + len;

	if (rest > line + len)
		at = NULL;
	(void)snprintf(context->last_line, sizeof(context->last_line), "%.*s%s%.*s",
		       (int)(at ? (size_t)(at - line) : len), line, at ? context->subject : "",
		       (int)(at ? line + len - rest : 0), rest);
}

/* The one adapter for libcryptsetup's lines: to the debug log, and the last error is kept. */
static void on_library_line(int level, const char *message, void *user)
{
	struct luks_context *context = user;
	size_t len = strcspn(message, "\n");

	log_debug("luks", "%.*s", (int)len, message);
	if (context && level == CRYPT_LOG_ERROR && len > 0)
		line_keep(context, message, len);
}

/* What libcryptsetup sets up once per process, and not safely from two threads at once. */
static void library_prepare(void)
{
	struct crypt_device *cd = NULL;

	crypt_set_log_callback(NULL, on_library_line, NULL);
	/* Plug-ins would be loaded into a process that holds keys. */
	crypt_token_external_disable();
	/* A plain device without a path writes nothing, but makes the crypto backend start. */
	if (crypt_init(&cd, NULL) == 0) {
		(void)crypt_format(cd, CRYPT_PLAIN, "aes", "xts-plain64", NULL, NULL, 64, NULL);
		crypt_free(cd);
	}
}

enum cof_code luks_code_of(int negative_errno)
{
	switch (-negative_errno) {
	case EPERM:
		return COF_E_KEY;
	case ENOENT:
	case ENODEV:
		return COF_E_NOENT;
	case EBUSY:
	case EEXIST:
		return COF_E_BUSY;
	case ENOMEM:
		return COF_E_NOMEM;
	case ENOSPC:
		return COF_E_NOSPC;
	case ENOTSUP:
		return COF_E_UNSUPPORTED;
	case EBADMSG:
	case EILSEQ:
		return COF_E_FORMAT;
	case EIO:
	case EACCES:
	case EROFS:
		return COF_E_IO;
	default:
		return COF_E_FAILED;
	}
}

cof_result luks_raise(struct luks_context *context, int negative_errno, struct cof_error *err,
		      const char *format, ...)
{
	char text[256];
	va_list arguments;
	cof_result result;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	result = cof_raise(err, luks_code_of(negative_errno), context->subject, "%s", text);
	if (context->last_line[0])
		cof_error_cause(err, "%s", context->last_line);
	else
		cof_error_cause(err, "%s", strerror(-negative_errno));
	return result;
}

void luks_context_free(struct luks_context *context)
{
	if (!context)
		return;
	if (context->cd) {
		luks_mapper_begin();
		crypt_free(context->cd);
		luks_mapper_end();
	}
	snapshot_done(&context->snapshot);
	free(context->subject);
	free(context);
}

/* A context with everything but libcryptsetup's handle. */
static cof_result context_alloc(const char *subject, struct luks_context **ret_context,
				struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = calloc(1, sizeof(*context));

	ENSURE(context, err, COF_E_NOMEM, subject, "no memory for its handle");
	context->snapshot = SNAPSHOT_NONE;
	context->subject = strdup(subject);
	ENSURE(context->subject, err, COF_E_NOMEM, subject, "no memory for its name");

	*ret_context = TAKE(context);
	return COF_OK;
}

/* Gives a context its handle; both paths may be NULL, or be the same. */
static cof_result context_start(struct luks_context *context, const char *metadata_path,
				const char *data_path, struct cof_error *err)
{
	int status;

	(void)pthread_once(&library_once, library_prepare);
	luks_mapper_begin();
	status = crypt_init_data_device(&context->cd, metadata_path, data_path);
	luks_mapper_end();
	if (status < 0)
		return luks_raise(context, status, err, "is neither a block device nor a file");
	crypt_set_log_callback(context->cd, on_library_line, context);
	return COF_OK;
}

cof_result luks_context_new(const char *device, const char *header,
			    struct luks_context **ret_context, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	const char *metadata_path = header ? header : device;

	TRY(context_alloc(metadata_path, &context, err));
	TRY(context_start(context, metadata_path, device, err));

	*ret_context = TAKE(context);
	return COF_OK;
}

cof_result luks_context_of_mapping(const char *name, struct luks_context **ret_context,
				   struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;

	TRY(context_alloc(name, &context, err));
	TRY(context_start(context, NULL, NULL, err));

	*ret_context = TAKE(context);
	return COF_OK;
}

cof_result luks_header_end(struct luks_context *context, uint64_t *ret_bytes, struct cof_error *err)
{
	uint64_t end = context->on_disk.area_bytes;

	if (context->on_disk.version == 2) {
		uint64_t metadata;
		uint64_t keyslots;
		int status = crypt_get_metadata_size(context->cd, &metadata, &keyslots);

		if (status < 0)
			return luks_raise(context, status, err, "does not say its header's size");
		TRY(size_mul(metadata, 2, &end, err));
		TRY(size_add(end, keyslots, &end, err));
	} else {
		for (int slot = 0; slot < crypt_keyslot_max(CRYPT_LUKS1); slot++) {
			uint64_t offset;
			uint64_t length;

			if (crypt_keyslot_area(context->cd, slot, &offset, &length) < 0)
				continue;
			TRY(size_add(offset, length, &offset, err));
			if (offset > end)
				end = offset;
		}
	}

	*ret_bytes = end;
	return COF_OK;
}

/* Loads the header into a handle that was started, and checks that it is all there. */
static cof_result context_load(struct luks_context *context, struct cof_error *err)
{
	bool damaged = context->first_damaged || context->second_damaged;
	int status = crypt_load(context->cd, CRYPT_LUKS, NULL);
	uint64_t end;
	uint64_t bytes;

	if (status == -ENOMEM || status == -EIO || status == -EACCES)
		return luks_raise(context, status, err, "its LUKS header cannot be read");
	if (status < 0 && damaged)
		return luks_raise(context, -EBADMSG, err,
				  "the %s of its two LUKS headers is damaged, and the other one "
				  "cannot be used",
				  context->first_damaged ? "first" : "second");
	if (status < 0)
		return luks_raise(context, -EBADMSG, err, "its LUKS header is not valid");

	TRY(luks_header_end(context, &end, err));
	TRY(device_bytes(context->subject, &bytes, err));
	ENSURE(bytes >= end, err, COF_E_FORMAT, context->subject,
	       "is cut off: %llu bytes, its LUKS header alone has %llu", (unsigned long long)bytes,
	       (unsigned long long)end);
	return COF_OK;
}

/* Starts a context for the header that a plain read has found. */
static cof_result context_found(const char *subject, const struct disk_headers *headers,
				struct luks_context **ret_context, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;

	ENSURE(headers->found, err, COF_E_FORMAT, subject, "%s", headers->why_not);
	TRY(context_alloc(subject, &context, err));
	context->on_disk = headers->newest;
	context->first_damaged = headers->first_damaged;
	context->second_damaged = headers->second_damaged;

	*ret_context = TAKE(context);
	return COF_OK;
}

/* Loads a copy of the header that was found. */
static cof_result load_found(const char *device, const char *subject,
			     const struct disk_headers *headers, struct luks_context **ret_context,
			     struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;

	TRY(context_found(subject, headers, &context, err));
	TRY(snapshot_take(subject, headers, &context->snapshot, err));
	TRY(context_start(context, context->snapshot.path, device, err));
	TRY(context_load(context, err));

	*ret_context = TAKE(context);
	return COF_OK;
}

/* One try; *ret_torn, which is always set: the header may be half written at this moment. */
static cof_result load_try(const char *device, const char *subject,
			   struct luks_context **ret_context, bool *ret_torn, struct cof_error *err)
{
	struct disk_headers headers = { 0 };
	cof_result result;

	*ret_torn = false;
	/* A plain read first: it wakes the disk outside of any lock, and tells what is wrong. */
	TRY(disk_header_read(subject, &headers, err));
	result = load_found(device, subject, &headers, ret_context, err);
	*ret_torn = headers.first_damaged || headers.second_damaged ||
		    (headers.found && result.code == COF_E_FORMAT);
	return result;
}

cof_result luks_context_load(const char *device, const char *header,
			     struct luks_context **ret_context, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	const char *subject = header ? header : device;
	cof_result result;
	bool torn;

	result = load_try(device, subject, &context, &torn, err);
	/* Without libcryptsetup's locks, a header that another program writes looks damaged. */
	for (int reads = 1; torn && reads < READS_MAX; reads++) {
		luks_context_freep(&context);
		(void)usleep(READ_PAUSE_MS * 1000);
		result = load_try(device, subject, &context, &torn, err);
	}
	TRY(result);

	*ret_context = TAKE(context);
	return COF_OK;
}

cof_result luks_context_load_slot(struct luks_context *context, int slot, struct cof_error *err)
{
	uint64_t offset;
	uint64_t length;
	int status = crypt_keyslot_area(context->cd, slot, &offset, &length);

	if (status < 0)
		return luks_raise(context, status, err, "keyslot %d has no area", slot);
	TRY(snapshot_add(&context->snapshot, context->subject, offset, length, err));
	return COF_OK;
}

/* libcryptsetup would write the good copy over the damaged one, whatever that was. */
static cof_result refuse_damaged(const char *subject, const struct disk_headers *headers,
				 struct cof_error *err)
{
	struct stat status;
	cof_result failure;

	if (headers->torn || (!headers->first_damaged && !headers->second_damaged))
		return COF_OK;
	failure = cof_raise(err, COF_E_FORMAT, subject,
			    "the %s of its two LUKS headers is damaged, and nothing is written "
			    "before that is mended",
			    headers->first_damaged ? "first" : "second");
	if (stat(subject, &status) == 0 && S_ISBLK(status.st_mode))
		cof_error_try(err, "coffer disk header repair %s", subject);
	return failure;
}

cof_result luks_context_load_to_write(const char *device, const char *header, bool proven,
				      struct luks_context **ret_context, struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	const char *subject = header ? header : device;
	struct disk_headers headers;

	TRY(disk_header_read(subject, &headers, err));
	if (!proven && headers.found)
		TRY(refuse_damaged(subject, &headers, err));
	TRY(context_found(subject, &headers, &context, err));
	TRY(context_start(context, subject, device, err));
	TRY(context_load(context, err));

	*ret_context = TAKE(context);
	return COF_OK;
}

cof_result luks_sync(const char *path, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	if (fsync(fd) < 0)
		return cof_raise_errno(err, errno, path, "cannot be made durable");
	return COF_OK;
}
