/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk bench: what this machine's processor and devices do, and what suits them.
 */

#include <stdio.h>
#include <string.h>

#include "aes_support.h"
#include "disk_advice.h"
#include "luks_flags.h"
#include "number.h"
#include "sector_speed.h"
#include "table.h"
#include "verbs.h"

#define CIPHER_MS 20  /* of each direction: a few thousand blocks */
#define READ_MS	  300 /* of each device */
#define MB	  1000000

/* The ciphers that disks have: coffer's own first, then what others and older ones use. */
static const struct bench_cipher {
	const char *name;
	const char *mode;	 /* as cryptsetup has it */
	const char *kernel_mode; /* as the kernel's own name has it */
	size_t key_bytes;
	uint32_t sector_bytes;
} ciphers[] = {
	{ "aes-xts, 512-bit key", "xts-plain64", "xts", 64, 4096 },
	{ "aes-xts, 512-bit key", "xts-plain64", "xts", 64, 512 },
	{ "aes-xts, 256-bit key", "xts-plain64", "xts", 32, 4096 },
	{ "aes-xts, 256-bit key", "xts-plain64", "xts", 32, 512 },
	{ "aes-cbc-essiv, 256-bit key", "cbc-essiv:sha256", "cbc", 32, 512 },
};
#define CIPHERS (sizeof(ciphers) / sizeof(ciphers[0]))

/* One run. */
struct bench {
	struct cli_call *call;
	struct aes_support aes;
	char no_kernel[160]; /* why the kernel's ciphers were not measured */
	struct json *document;
};

/* "1234", in MB/s, or "-". */
static const char *speed_text(uint64_t bytes_per_s, char out[static 24])
{
	(void)snprintf(out, 24, bytes_per_s ? "%llu" : "-", (unsigned long long)(bytes_per_s / MB));
	return out;
}

/* A speed in bytes per second, or null. */
static void set_speed(struct json *json, const char *key, uint64_t bytes_per_s)
{
	if (bytes_per_s)
		json_set_uint(json, key, bytes_per_s);
	else
		json_set_null(json, key);
}

/* What the kernel's own measure says; zeroes, and why, where it cannot be had. */
static struct luks_speed kernel_speed(struct bench *bench, const struct bench_cipher *cipher)
{
	struct luks_speed speed = { 0 };
	struct cof_error failure = { 0 };

	if (cof_failed(luks_speed_measure("aes", cipher->kernel_mode, cipher->key_bytes, &speed,
					  &failure)))
		(void)snprintf(bench->no_kernel, sizeof(bench->no_kernel), "%.*s",
			       (int)sizeof(bench->no_kernel) - 1, failure.text);
	return speed;
}

/* Measures one cipher. */
static cof_result bench_cipher(struct bench *bench, const struct bench_cipher *cipher,
			       struct table *table, struct json *array, struct cof_error *err)
{
	struct luks_speed kernel = kernel_speed(bench, cipher);
	struct json *json = json_new_object();
	struct sector_spec spec;
	struct sector_speed own;
	char sector[16];
	char cells[4][24];

	json_add(array, json);
	TRY(sector_spec_parse("aes", cipher->mode, cipher->key_bytes, &spec, err));
	TRY(sector_speed_measure(&spec, cipher->sector_bytes, CIPHER_MS, &own, err));
	json_set_text(json, "cipher", "aes");
	json_set_text(json, "mode", cipher->mode);
	json_set_uint(json, "key_bits", cipher->key_bytes * 8);
	json_set_uint(json, "sector", cipher->sector_bytes);
	set_speed(json, "encrypt", own.encrypt);
	set_speed(json, "decrypt", own.decrypt);
	set_speed(json, "kernel_encrypt", kernel.encrypt);
	set_speed(json, "kernel_decrypt", kernel.decrypt);
	(void)snprintf(sector, sizeof(sector), "%u", cipher->sector_bytes);
	return table_add(table,
			 (const char *const[]){ cipher->name, sector,
						speed_text(own.encrypt, cells[0]),
						speed_text(own.decrypt, cells[1]),
						speed_text(kernel.encrypt, cells[2]),
						speed_text(kernel.decrypt, cells[3]) },
			 err);
}

/* All ciphers. */
static cof_result bench_ciphers(struct bench *bench, struct cof_error *err)
{
	static const char *const columns[] = { "CIPHER",   ">SECTOR",	      ">ENCRYPT",
					       ">DECRYPT", ">KERNEL ENCRYPT", ">DECRYPT",
					       NULL };
	_cleanup_(table_freep) struct table *table = NULL;
	struct json *array = json_new_array();

	json_set(bench->document, "ciphers", array);
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < CIPHERS; i++)
		TRY(bench_cipher(bench, &ciphers[i], table, array, err));
	json_set_known(bench->document, "kernel_unmeasured", bench->no_kernel);
	if (!bench->call->json) {
		TRY(table_print(table, stdout, err));
		cli_say(bench->call, "MB/s of one core%s%s", bench->no_kernel[0] ? "; " : "",
			bench->no_kernel);
		cli_say(bench->call, "%s", "");
	}
	return COF_OK;
}

/* Whether AES is accelerated, for both who encrypt. */
static void show_aes(struct bench *bench)
{
	const struct aes_support *aes = &bench->aes;
	struct json *json = json_new_object();

	json_set_bool(json, "accelerated", aes->processor && !aes->generic);
	json_set_bool(json, "processor", aes->processor);
	json_set_known(json, "instructions", aes->instructions);
	json_set_known(json, "kernel_driver", aes->driver);
	json_set_bool(json, "kernel_generic", aes->generic);
	json_set(bench->document, "aes", json);
	if (aes->processor)
		cli_say(bench->call,
			"AES is accelerated: the processor has instructions for it "
			"(%s).",
			aes->instructions);
	else
		cli_say(bench->call,
			"AES is not accelerated: the processor has no instructions for it, the "
			"BIOS has switched them off, or the virtual machine hides them.");
	if (aes->generic)
		cli_say(bench->call,
			"The kernel does without them (%s): modprobe aesni_intel, on x86.",
			aes->driver);
	else if (aes->driver[0])
		cli_say(bench->call, "The kernel uses %s, coffer's engine OpenSSL.", aes->driver);
	else
		cli_say(bench->call,
			"The kernel loads its driver with the first disk; coffer's engine uses "
			"OpenSSL.");
	cli_say(bench->call, "%s", "");
}

/* One device: what it is, what it does, what suits it. */
static cof_result bench_device(struct bench *bench, const struct device *device,
			       struct table *table, struct json *array, struct cof_error *err)
{
	struct json *json = json_new_object();
	struct disk_advice advice;
	uint64_t read_speed = 0;
	char flags[LUKS_FLAGS_CHARS];
	char sectors[32];
	char sector[16];
	char speed[24];

	json_add(array, json);
	disk_advise(device, bench->aes.processor, &advice);
	/* What cannot be read is shown all the same. */
	if (!bench->call->dry_run)
		cof_ignore(disk_read_speed(device, READ_MS, &read_speed, NULL));
	json_set_text(json, "device", device->node);
	json_set_text(json, "kind", advice.kind);
	json_set_uint(json, "logical_sector", device->logical_sector_bytes);
	json_set_uint(json, "physical_sector", device->physical_sector_bytes);
	json_set_bool(json, "discards", device->discards);
	set_speed(json, "read", read_speed);
	json_set_uint(json, "sector", advice.sector_bytes);
	json_set_text(json, "flags", luks_flags_format(advice.flags, flags));
	json_set_text(json, "why_sector", advice.why_sector);
	json_set_text(json, "why_flags", advice.why_flags);
	(void)snprintf(sectors, sizeof(sectors), "%u/%u", device->logical_sector_bytes,
		       device->physical_sector_bytes);
	(void)snprintf(sector, sizeof(sector), "%u", advice.sector_bytes);
	return table_add(table,
			 (const char *const[]){ device->node, advice.kind, sectors,
						speed_text(read_speed, speed),
						device->discards ? "yes" : "no", sector, flags },
			 err);
}

/* Why, where somebody has asked for one device or another. */
static void say_reasons(const struct cli_call *call, const struct json *devices)
{
	for (size_t i = 0; i < json_length(devices) && call->arg_count > 0; i++) {
		const struct json *device = json_at(devices, i);

		cli_say(call, "%s: sectors of %llu: %s; flags: %s", json_get_text(device, "device"),
			(unsigned long long)json_get_uint(device, "sector", 0),
			json_get_text(device, "why_sector"), json_get_text(device, "why_flags"));
	}
}

/* Whether a device is looked at where none is named: a whole one that disks are made of. */
static bool is_disk(const struct device *device)
{
	return !device->parent[0] && !device->multipath_map[0] &&
	       strcmp(device->transport, "loop") != 0;
}

/* Those that are named, or all whole disks. */
static cof_result bench_devices(struct bench *bench, struct table *table, struct json *array,
				struct cof_error *err)
{
	_cleanup_(device_list_done) struct device_list list = { 0 };

	for (size_t i = 0; i < bench->call->arg_count; i++) {
		_cleanup_(device_freep) struct device *device = NULL;

		TRY(device_find(bench->call->args[i], &device, err));
		TRY(bench_device(bench, device, table, array, err));
	}
	if (bench->call->arg_count > 0)
		return COF_OK;
	TRY(device_scan(&list, err));
	for (size_t i = 0; i < list.count; i++)
		if (is_disk(list.items[i]))
			TRY(bench_device(bench, list.items[i], table, array, err));
	return COF_OK;
}

/* coffer disk bench. */
static cof_result run_bench(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "DEVICE",   "KIND",	  ">SECTORS", ">READ MB/s",
					       "DISCARDS", ">ENCRYPT AT", "FLAGS",    NULL };
	_cleanup_(table_freep) struct table *table = NULL;
	struct bench bench = { .call = call, .document = json_new_object() };
	struct json *devices = json_new_array();

	json_set(bench.document, "devices", devices);
	cli_show(call, bench.document);
	TRY(table_new(columns, &table, err));
	aes_support_read(&bench.aes);
	show_aes(&bench);
	if (!call->dry_run)
		TRY(bench_ciphers(&bench, err));
	TRY(bench_devices(&bench, table, devices, err));
	if (!call->json && json_length(devices) > 0)
		TRY(table_print(table, stdout, err));
	say_reasons(call, devices);
	if (json_length(devices) > 0)
		cli_say(call, "ENCRYPT AT is the sector size that `coffer disk format` takes; "
			      "`coffer disk tune DISK --auto` sets the flags.");
	return COF_OK;
}

const struct cli_verb cli_verb_disk_bench = {
	.noun = "disk",
	.verb = "bench",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "measure ciphers and devices, and say what suits them",
	.description =
		"Says whether AES is accelerated on this machine, how much each cipher does on one "
		"core, in this process and, where the kernel lets programs use its own "
		"(AF_ALG), in the kernel, and for each device, all whole disks unless named: "
		"whether it rotates, its logical and physical sectors, how fast it reads, and the "
		"sector size and the flags of dm-crypt that suit it.\n\n"
		"Devices are read for a third of a second each and never written. With --dry-run "
		"nothing is measured or read.\n\n"
		"That the module aesni_intel is loaded, or is not, tells nothing: it may be built "
		"in, have another name, or be loaded with the first disk. What counts is what the "
		"processor says and which driver the kernel has chosen for xts(aes).",
	.options = (const struct cli_option[]){ { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk bench", "the processor, and every disk" },
			{ "coffer disk bench /dev/nvme0n1 --json", "for programs" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_bench,
};
