/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine's FUSE path on any file or device, with a cipher under a random key or with none,
 * for measurements: what the cipher costs is the difference. The program coffer itself has no
 * way to serve without a cipher.
 *
 *   bench_carrier none|xts SOURCE FOLDER     serves FOLDER/plain until it is unmounted
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "carrier.h"

static void ready(void *context)
{
	(void)context;
	(void)puts("ready");
	(void)fflush(stdout);
}

/* Serves all of the source. */
static cof_result serve(const char *kind, const char *source, const char *folder,
			struct cof_error *err)
{
	_cleanup_(volume_freep) struct volume *volume = NULL;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_fd_ int fd = open(source, O_RDWR | O_CLOEXEC);
	struct map map = { .sector_bytes = 4096 };
	struct carrier carrier = { .name = "bench", .folder = folder, .ready = ready };
	struct sector_spec spec;
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	bool cipher = strcmp(kind, "xts") == 0;

	ENSURE(end > 0, err, COF_E_IO, source, "it cannot be opened, or is empty");
	map.size_bytes = (uint64_t)end / map.sector_bytes * map.sector_bytes;
	TRY(sector_spec_parse("aes", "xts-plain64", 64, &spec, err));
	TRY(volume_key_random(64, &key, err));
	TRY(volume_new(fd, &map, cipher ? &spec : NULL, key, carrier_threads(), &volume, err));
	carrier.volume = volume;
	TRY(carrier_run(&carrier, err));

	return COF_OK;
}

int main(int argc, char *argv[])
{
	struct cof_error error = { 0 };
	char text[2048];

	if (argc != 4) {
		(void)fputs("bench_carrier none|xts SOURCE FOLDER\n", stderr);
		return 2;
	}
	if (cof_failed(serve(argv[1], argv[2], argv[3], &error))) {
		cof_error_format(&error, text, sizeof(text));
		(void)fprintf(stderr, "%s\n", text);
		return 1;
	}
	return 0;
}
