/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that cryptsetup and qemu-img made are read by the engine, and what the engine writes is
 * what they would have written.
 *
 * cryptsetup cannot open anything without device-mapper, but it can encrypt a file in place:
 * that gives ciphertext for a plaintext that is known. Since there is one ciphertext for each key
 * and place, writing the plaintext through the engine must give the same bytes.
 */

#include "rig.h"

#define DATA_BYTES (2 * MIB)
#define SECRET "interop secret"
#define QEMU_TRIES 20
#define KEY_FILE_FORMAT "%s/key"

/** struct kind - one way to encrypt */
struct kind {
	const char *cipher;
	const char *key_bits;
	const char *sector_bytes;
};

/* Whether a program is there; says so where it is not. */
static bool has(const char *program, const char *flag)
{
	const char *const argv[] = { program, flag, NULL };
	int status = 0;

	if (!cof_failed(child_run(argv, SPAN("", 0), 0, NULL, &status, NULL)) && status == 0)
		return true;
	print_message("skipped: there is no %s\n", program);
	return false;
}

static void key_file_make(const struct rig *rig, char *path, size_t path_bytes)
{
	(void)snprintf(path, path_bytes, KEY_FILE_FORMAT, rig->folder);
	assert_ok(file_create(path, span_of_text(SECRET), 0600, NULL));
}

static struct volume_key *unlock(const struct rig *rig)
{
	const char *header = path_exists(rig->header) ? rig->header : NULL;
	struct slot_secret *secret = NULL;
	struct volume_key *key = NULL;
	struct cof_error error = { 0 };

	assert_ok(slot_secret_copy(span_of_text(SECRET), &secret, NULL));
	if (cof_failed(luks_unlock(rig->source, header, secret, LUKS_ANY_SLOT, &key, NULL,
				   &error)))
		fail_msg("%s: %s", error.subject, error.text);
	slot_secret_free(secret);
	return key;
}

/* Encrypts the image in place under a detached header. */
static void encrypt_in_place(const struct rig *rig, const struct kind *kind)
{
	char key_file[96];
	const char *const argv[] = { "cryptsetup", "reencrypt", "-q", "--encrypt", "--type",
				     "luks2", "--header", rig->header, "--cipher", kind->cipher,
				     "--key-size", kind->key_bits, "--sector-size",
				     kind->sector_bytes, "--pbkdf", "pbkdf2",
				     "--pbkdf-force-iterations", "1000", "--key-file", key_file,
				     rig->image, NULL };
	_cleanup_fd_ int fd = open(rig->header, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 16 * MIB), 0);
	key_file_make(rig, key_file, sizeof(key_file));
	rig_run(argv);
}

static void check_kind(const struct kind *kind)
{
	static uint8_t text[DATA_BYTES];
	static uint8_t sealed[DATA_BYTES];
	static uint8_t bytes[DATA_BYTES];
	struct engine_volume volume;
	struct volume_key *key;
	struct rig rig;

	rig_start(&rig);
	rig_noise(text, DATA_BYTES, 1);
	rig_image(&rig, DATA_BYTES);
	rig_write(rig.image, 0, text, DATA_BYTES);
	encrypt_in_place(&rig, kind);
	rig_read(rig.image, 0, sealed, DATA_BYTES);
	assert_memory_not_equal(sealed, text, DATA_BYTES);

	rig_attach(&rig);
	key = unlock(&rig);
	rig_open(&rig, key, true, &volume);
	rig_read(volume.device, 0, bytes, DATA_BYTES);
	assert_memory_equal(bytes, text, DATA_BYTES);
	rig_close(&rig);

	/* The other way: on noise, with one write that is cut at both ends. */
	rig_noise(bytes, DATA_BYTES, 2);
	rig_write(rig.source, 0, bytes, DATA_BYTES);
	rig_open(&rig, key, false, &volume);
	rig_write(volume.device, 0, text, DATA_BYTES);
	rig_write(volume.device, 4097, text + 4097, 3 * 4096);
	rig_close(&rig);
	rig_detach(&rig);
	rig_read(rig.image, 0, bytes, DATA_BYTES);
	assert_memory_equal(bytes, sealed, DATA_BYTES);

	volume_key_free(key);
	rig_stop(&rig);
}

static void check_kinds(const struct kind kinds[], size_t count)
{
	rig_need();
	if (!has("cryptsetup", "--version"))
		skip();
	for (size_t i = 0; i < count; i++) {
		print_message("%s, %s bits, sectors of %s\n", kinds[i].cipher, kinds[i].key_bits,
			      kinds[i].sector_bytes);
		check_kind(&kinds[i]);
	}
}

static void test_interop_cryptsetup_xts_is_read_and_written(void **state)
{
	static const struct kind kinds[] = {
		{ "aes-xts-plain64", "512", "4096" }, { "aes-xts-plain64", "512", "512" },
		{ "aes-xts-plain64", "256", "2048" }, { "aes-xts-plain", "256", "1024" },
		{ "aes-xts-benbi", "512", "4096" },   { "aes-xts-essiv:sha256", "512", "512" },
	};

	(void)state;
	check_kinds(kinds, sizeof(kinds) / sizeof(kinds[0]));
}

static void test_interop_cryptsetup_cbc_is_read_and_written(void **state)
{
	static const struct kind kinds[] = {
		{ "aes-cbc-essiv:sha256", "256", "512" },
		{ "aes-cbc-essiv:sha256", "128", "4096" },
		{ "aes-cbc-plain", "256", "512" },
		{ "aes-cbc-plain64", "192", "1024" },
		{ "aes-cbc-benbi", "256", "512" },
		{ "aes-cbc-benbi", "128", "2048" },
	};

	(void)state;
	check_kinds(kinds, sizeof(kinds) / sizeof(kinds[0]));
}

/** struct qemu_kind - one way in which qemu encrypts */
struct qemu_kind {
	const char *cipher;
	const char *mode;
	const char *iv;
	const char *iv_hash;
};

/* One command for qemu-io on the image. */
static void qemu_io(const struct rig *rig, const char *key_file, const char *command)
{
	char secret[160];
	char image[256];
	const char *const argv[] = { "qemu-io",	    "--object", secret, "--image-opts",
				     image,	    "-c",	command, NULL };
	_cleanup_buffer_ struct buffer output = { 0 };
	int status = 0;

	(void)snprintf(secret, sizeof(secret), "secret,id=s,file=%s", key_file);
	(void)snprintf(image, sizeof(image),
		       "driver=luks,key-secret=s,file.driver=file,file.filename=%s", rig->image);
	assert_ok(child_run(argv, SPAN("", 0), 0, &output, &status, NULL));
	assert_int_equal(status, 0);
	/* It reports a pattern that differs on stdout, with status 0 in some versions. */
	assert_null(memmem(output.data, output.len, "verification failed", 19));
}

static void qemu_create(const struct rig *rig, const struct qemu_kind *kind,
			const char *key_file)
{
	struct cof_error error = { 0 };
	char secret[160];
	char options[320];
	const char *const argv[] = { "qemu-img", "create", "-q",	"-f",	     "luks",
				     "--object", secret,   "-o",	options,     rig->image,
				     "4M",	 NULL };

	(void)snprintf(secret, sizeof(secret), "secret,id=s,file=%s", key_file);
	(void)snprintf(options, sizeof(options),
		       "key-secret=s,iter-time=200,cipher-alg=%s,cipher-mode=%s,ivgen-alg=%s%s%s",
		       kind->cipher, kind->mode, kind->iv, kind->iv_hash ? ",ivgen-hash-alg=" : "",
		       kind->iv_hash ? kind->iv_hash : "");
	/* qemu measures its PBKDF by a clock that may stand still; then it is asked again. */
	for (int i = 0; i < QEMU_TRIES; i++) {
		if (!cof_failed(child_check(argv, 0, &error)))
			return;
		if (!strstr(error.cause, "accurate CPU usage"))
			break;
	}
	fail_msg("qemu-img: %s: %s", error.text, error.cause);
}

static void check_qemu(const struct qemu_kind *kind)
{
	static uint8_t bytes[MIB];
	static uint8_t expected[MIB];
	struct engine_volume volume;
	struct volume_key *key;
	struct rig rig;
	char key_file[96];

	rig_start(&rig);
	key_file_make(&rig, key_file, sizeof(key_file));
	qemu_create(&rig, kind, key_file);
	qemu_io(&rig, key_file, "write -P 0xa5 1M 1M");

	rig_attach(&rig);
	key = unlock(&rig);
	rig_open(&rig, key, false, &volume);
	rig_read(volume.device, MIB, bytes, MIB);
	memset(expected, 0xa5, MIB);
	assert_memory_equal(bytes, expected, MIB);
	memset(expected, 0x3c, MIB);
	rig_write(volume.device, 2 * MIB + 512, expected, MIB);
	rig_close(&rig);
	rig_detach(&rig);
	qemu_io(&rig, key_file, "read -P 0x3c 2097664 1M");

	volume_key_free(key);
	rig_stop(&rig);
}

static void test_interop_qemu_luks1_is_read_and_written(void **state)
{
	static const struct qemu_kind kinds[] = {
		{ "aes-256", "xts", "plain64", NULL },
		{ "aes-128", "xts", "plain", NULL },
		{ "aes-256", "cbc", "essiv", "sha256" },
		{ "aes-128", "cbc", "plain", NULL },
	};

	(void)state;
	rig_need();
	if (!has("qemu-img", "--version") || !has("qemu-io", "--version"))
		skip();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		print_message("%s, %s, %s\n", kinds[i].cipher, kinds[i].mode, kinds[i].iv);
		check_qemu(&kinds[i]);
	}
}

/* A LUKS1 header of cryptsetup's with data on the same device: qemu reads what the engine wrote. */
static void test_interop_cryptsetup_luks1_is_written_for_qemu(void **state)
{
	static uint8_t bytes[MIB];
	struct engine_volume volume;
	struct volume_key *key;
	struct rig rig;
	char key_file[96];
	const char *const format[] = { "cryptsetup", "luksFormat", "-q", "--type", "luks1",
				       "--pbkdf-force-iterations", "1000", "--key-file",
				       key_file, rig.image, NULL };

	(void)state;
	rig_need();
	if (!has("cryptsetup", "--version") || !has("qemu-io", "--version"))
		skip();
	rig_start(&rig);
	key_file_make(&rig, key_file, sizeof(key_file));
	rig_image(&rig, 8 * MIB);
	rig_run(format);
	rig_attach(&rig);
	key = unlock(&rig);
	rig_open(&rig, key, false, &volume);
	memset(bytes, 0x77, MIB);
	rig_write(volume.device, 0, bytes, MIB);
	rig_close(&rig);
	rig_detach(&rig);
	qemu_io(&rig, key_file, "read -P 0x77 0 1M");
	volume_key_free(key);
	rig_stop(&rig);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_interop_cryptsetup_xts_is_read_and_written,
					  rig_sweep),
		cmocka_unit_test_teardown(test_interop_cryptsetup_cbc_is_read_and_written,
					  rig_sweep),
		cmocka_unit_test_teardown(test_interop_qemu_luks1_is_read_and_written, rig_sweep),
		cmocka_unit_test_teardown(test_interop_cryptsetup_luks1_is_written_for_qemu,
					  rig_sweep),
	};
	int status;

	if (rig_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
