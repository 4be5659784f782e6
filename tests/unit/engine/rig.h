/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_ENGINE_RIG_H
#define COF_TESTS_ENGINE_RIG_H

/*
 * A folder of a test's own with images, loop devices under them, and volumes on them. The test's
 * program is the engine's process as well: rig_main() must be the first thing that main() calls.
 */

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "child.h"
#include "engine.h"
#include "file.h"
#include "loop.h"

#define MIB (UINT64_C(1024) * 1024)
#define RIG_IMAGE_BYTES (24 * MIB) /* 16 MiB of it are the header */
#define RIG_DATA_BYTES (8 * MIB)

/** struct rig - of one test */
struct rig {
	char folder[64];
	char engine_dir[96];
	struct paths paths;
	char source[LOOP_NAME_BYTES]; /* loop device under the image, "" when there is none */
	char image[96];
	char header[96]; /* path of a detached header; the test decides whether there is one */
};

/* What a test that failed half-way has left behind is swept up by rig_sweep(). */
static struct rig rig_live;

/* Serves, when this run of the program is an engine: then *ret_status is its exit status. */
static inline bool rig_main(int argc, char *argv[], int *ret_status)
{
	char engine_dir[96];
	struct paths paths = { .engine_dir = engine_dir };

	/* "engine-serve --root FOLDER", as the command line has it. */
	if (argc != 4 || strcmp(argv[1], "engine-serve") != 0)
		return false;
	paths.root = argv[3];
	(void)snprintf(engine_dir, sizeof(engine_dir), "%s/engine", argv[3]);
	*ret_status = cof_failed(engine_serve(&paths, NULL)) ? 1 : 0;
	return true;
}

/* Skips the test, saying why, where there can be no engine. */
static inline void rig_need(void)
{
	char why[256] = "";

	if (geteuid() == 0 && engine_can(why, sizeof(why)))
		return;
	print_message("skipped: %s\n", why[0] ? why : "only root can mount");
	skip();
}

static inline void rig_start(struct rig *rig)
{
	*rig = (struct rig){ .folder = "/tmp/coffer-engine-XXXXXX" };
	assert_non_null(mkdtemp(rig->folder));
	(void)snprintf(rig->engine_dir, sizeof(rig->engine_dir), "%s/engine", rig->folder);
	(void)snprintf(rig->image, sizeof(rig->image), "%s/image", rig->folder);
	(void)snprintf(rig->header, sizeof(rig->header), "%s/header", rig->folder);
	rig->paths = (struct paths){ .root = rig->folder, .engine_dir = rig->engine_dir };
	rig_live = *rig;
}

static inline void rig_image(struct rig *rig, uint64_t size_bytes)
{
	_cleanup_fd_ int fd = open(rig->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
}

/* A loop device under the image. */
static inline void rig_attach(struct rig *rig)
{
	assert_ok(loop_attach(rig->image, false, 512, rig->source, NULL));
	memcpy(rig_live.source, rig->source, sizeof(rig->source));
}

static inline void rig_detach(struct rig *rig)
{
	struct cof_error error = { 0 };

	if (!rig->source[0])
		return;
	if (cof_failed(loop_detach(rig->source, rig->image, false, &error)))
		fail_msg("%s: %s", error.subject, error.text);
	rig->source[0] = '\0';
	rig_live.source[0] = '\0';
}

static inline void rig_stop(struct rig *rig)
{
	const char *const remove[] = { "rm", "-rf", "--one-file-system", rig->folder, NULL };

	assert_ok(engine_close(&rig->paths, "one", NULL));
	assert_ok(engine_close(&rig->paths, "two", NULL));
	rig_detach(rig);
	assert_ok(child_check(remove, 0, NULL));
	rig_live = (struct rig){ 0 };
}

/* The teardown of every test: does nothing after one that came to its end. */
static inline int rig_sweep(void **state)
{
	struct rig rig = rig_live;
	char mounted[96];

	(void)state;
	if (!rig.folder[0])
		return 0;
	/* Copied to here, the paths have to point here. */
	rig.paths = (struct paths){ .root = rig.folder, .engine_dir = rig.engine_dir };
	(void)snprintf(mounted, sizeof(mounted), "%s/mnt", rig.folder);
	(void)umount2(mounted, MNT_DETACH);
	rig_stop(&rig);
	return 0;
}

/* Runs a program that must succeed. */
static inline void rig_run(const char *const argv[])
{
	struct cof_error error = { 0 };

	if (cof_failed(child_check(argv, 0, &error)))
		fail_msg("%s: %s: %s", argv[0], error.text, error.cause);
}

/* Opens the source under the name "one", and says so when it fails. */
static inline void rig_open(struct rig *rig, const struct volume_key *key, bool read_only,
			    struct engine_volume *ret_volume)
{
	const char *header = path_exists(rig->header) ? rig->header : NULL;
	struct cof_error error = { 0 };

	if (cof_failed(engine_open(&rig->paths, rig->source, header, "one", key, read_only,
				   ret_volume, &error)))
		fail_msg("%s: %s: %s", error.subject, error.text, error.cause);
}

static inline void rig_close(struct rig *rig)
{
	struct cof_error error = { 0 };

	if (cof_failed(engine_close(&rig->paths, "one", &error)))
		fail_msg("%s: %s", error.subject, error.text);
}

/* Bytes of a file or device, past the page cache where that can be. */
static inline void rig_read(const char *path, uint64_t offset, uint8_t *out, size_t len)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(fd_pread_all(fd, out, len, offset, path, NULL));
}

static inline void rig_write(const char *path, uint64_t offset, const uint8_t *data, size_t len)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, (off_t)offset), len);
	assert_int_equal(fsync(fd), 0);
}

/* Bytes that look random, the same in every run. */
static inline void rig_noise(uint8_t *out, size_t len, uint32_t seed)
{
	uint32_t word = seed * 2654435761u + 1;

	for (size_t i = 0; i < len; i++) {
		word = word * 1664525u + 1013904223u;
		out[i] = (uint8_t)(word >> 24);
	}
}

/* An image with a LUKS2 header, on a loop device, and its key. */
static inline struct volume_key *rig_luks(struct rig *rig, uint32_t sector_bytes)
{
	struct luks_format_spec spec = { .sector_bytes = sector_bytes };
	struct slot_secret *secret = NULL;
	struct volume_key *key = NULL;
	struct cof_error error = { 0 };

	rig_need();
	rig_start(rig);
	rig_image(rig, RIG_IMAGE_BYTES);
	rig_attach(rig);
	if (cof_failed(luks_format(rig->source, &spec, NULL, &key, &error)))
		fail_msg("%s: %s", error.subject, error.text);
	assert_ok(slot_secret_copy(span_of_text("secret"), &secret, NULL));
	assert_ok(luks_slot_add(rig->source, NULL, key, secret, LUKS_COST_RANDOM_KEY, NULL, NULL));
	slot_secret_free(secret);
	return key;
}

static inline void rig_end(struct rig *rig, struct volume_key *key)
{
	volume_key_free(key);
	rig_stop(rig);
}

/* A file system on the device, mounted at a folder of the rig. */
static inline void rig_mount(const struct rig *rig, const char *device, char folder[static 96])
{
	const char *const make[] = { "mkfs.ext4", "-q", device, NULL };

	rig_run(make);
	(void)snprintf(folder, 96, "%s/mnt", rig->folder);
	assert_ok(folder_make(folder, 0700, NULL));
	assert_int_equal(mount(device, folder, "ext4", 0, NULL), 0);
}

#endif
