/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sector ciphers against the vectors of IEEE 1619-2007, annex B, and against values computed apart
 * from the code under test: CBC with `openssl enc -aes-NNN-cbc -nopad` and an IV worked out by
 * hand, XTS with 5.3.2 of the standard written in Python on top of single AES blocks.
 */

#include "unit.h"

#include "number.h"
#include "sector.h"

#define SECTOR 512
/* Data unit 0x123456789: more than 32 bits, so that plain and plain64 differ. */
#define NUMBER UINT64_C(0x123456789)

/* Annex B, vector 4: plaintext 00 01 .. ff twice, data unit 0. */
static const char vector_4[] =
	"27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89cc78cf7f5"
	"e543445f8333d8fa7f56000005279fa5d8b5e4ad40e736ddb4d35412328063fd2aab53e5"
	"ea1e0a9f332500a5df9487d07a5c92cc512c8866c7e860ce93fdf166a24912b422976146"
	"ae20ce846bb7dc9ba94a767aaef20c0d61ad02655ea92dc4c4e41a8952c651d33174be51"
	"a10c421110e6d81588ede82103a252d8a750e8768defffed9122810aaeb99f9172af82b6"
	"04dc4b8e51bcb08235a6f4341332e4ca60482a4ba1a03b3e65008fc5da76b70bf1690db4"
	"eae29c5f1badd03c5ccf2a55d705ddcd86d449511ceb7ec30bf12b1fa35b913f9f747a8a"
	"fd1b130e94bff94effd01a91735ca1726acd0b197c4e5b03393697e126826fb6bbde8ecc"
	"1e08298516e2c9ed03ff3c1b7860f6de76d4cecd94c8119855ef5297ca67e9f3e7ff72b1"
	"e99785ca0a7e7720c5b36dc6d72cac9574c8cbbc2f801e23e56fd344b07f22154beba0f0"
	"8ce8891e643ed995c94d9a69c9f1b5f499027a78572aeebd74d20cc39881c213ee770b10"
	"10e4bea718846977ae119f7a023ab58cca0ad752afe656bb3c17256a9f6e9bf19fdd5a38"
	"fc82bbe872c5539edb609ef4f79c203ebb140f2e583cb2ad15b4aa5b655016a8449277db"
	"d477ef2c8d6c017db738b18deb4a427d1923ce3ff262735779a418f20a282df920147bea"
	"be421ee5319d0568";
/* Annex B, vector 10: the same plaintext, 256-bit keys, data unit 0xff. */
static const char vector_10[] =
	"1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b5d31e276"
	"f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd5776926c49a3095e"
	"b108fd1098baec70aaa66999a72a82f27d848b21d4a741b0c5cd4d5fff9dac89aeba1229"
	"61d03a757123e9870f8acf1000020887891429ca2a3e7a7d7df7b10355165c8b9a6d0a7d"
	"e8b062c4500dc4cd120c0f7418dae3d0b5781c34803fa75421c790dfe1de1834f280d766"
	"7b327f6c8cd7557e12ac3a0f93ec05c52e0493ef31a12d3d9260f79a289d6a379bc70c50"
	"841473d1a8cc81ec583e9645e07b8d9670655ba5bbcfecc6dc3966380ad8fecb17b6ba02"
	"469a020a84e18e8f84252070c13e9f1f289be54fbc481457778f616015e1327a02b140f1"
	"505eb309326d68378f8374595c849d84f4c333ec4423885143cb47bd71c5edae9be69a2f"
	"feceb1bec9de244fbe15992b11b77c040f12bd8f6a975a44a0f90c29a9abc3d4d8939272"
	"84c58754cce294529f8614dcd2aba991925fedc4ae74ffac6e333b93eb4aff0479da9a41"
	"0e4450e0dd7ae4c6e2910900575da401fc07059f645e8b7e9bfdef33943054ff84011493"
	"c27b3429eaedb4ed5376441a77ed43851ad77f16f541dfd269d50d6a5f14fb0aab1cbb4c"
	"1550be97f7ab4066193c4caa773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70"
	"b9c6e693e148c151";

#define KEY_128 "27182818284590452353602874713526" "31415926535897932384626433832795"
#define KEY_256                                                            \
	"2718281828459045235360287471352662497757247093699959574966967627" \
	"3141592653589793238462643383279502884197169399375105820974944592"

/* A cipher from texts; the key as hex digits. */
static struct sector_cipher *cipher_of(const char *mode, const char *key_hex)
{
	struct sector_spec spec;
	struct volume_key *key = NULL;
	struct sector_cipher *cipher = NULL;

	assert_ok(volume_key_new(strlen(key_hex) / 2, &key, NULL));
	assert_ok(hex_parse(key_hex, key->secret.data, key->secret.len, NULL));
	assert_ok(sector_spec_parse("aes", mode, key->secret.len, &spec, NULL));
	assert_ok(sector_cipher_new(&spec, key, &cipher, NULL));
	volume_key_free(key);
	return cipher;
}

/* A key of the bytes 00 01 02 .. */
static const char *counting_key(size_t len)
{
	static char hex[2 * 64 + 1];
	uint8_t bytes[64];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)i;
	return hex_format(bytes, len, hex);
}

/* 00 01 .. ff, over and over. */
static void counting_text(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)i;
}

static void assert_hex(const uint8_t *bytes, const char *expected_hex)
{
	uint8_t expected[SECTOR];
	size_t len = strlen(expected_hex) / 2;

	assert_ok(hex_parse(expected_hex, expected, len, NULL));
	assert_memory_equal(bytes, expected, len);
}

/* Encrypts one sector of 00 01 .. and compares its start, then gets the text back. */
static void check_sector(const char *mode, const char *key_hex, uint64_t number,
			 const char *expected_hex)
{
	struct sector_cipher *cipher = cipher_of(mode, key_hex);
	uint8_t text[SECTOR];
	uint8_t out[SECTOR];

	counting_text(text, SECTOR);
	assert_ok(sector_cipher_encrypt(cipher, number, SECTOR, text, out, SECTOR, NULL));
	assert_hex(out, expected_hex);
	assert_ok(sector_cipher_decrypt(cipher, number, SECTOR, out, out, SECTOR, NULL));
	assert_memory_equal(out, text, SECTOR);
	sector_cipher_free(cipher);
}

/* The first and last block of one sector, for values that are known in part. */
static void check_ends(const char *mode, const char *key_hex, const char *first_hex,
		       const char *last_hex)
{
	struct sector_cipher *cipher = cipher_of(mode, key_hex);
	uint8_t text[SECTOR];
	uint8_t out[SECTOR];

	counting_text(text, SECTOR);
	assert_ok(sector_cipher_encrypt(cipher, NUMBER, SECTOR, text, out, SECTOR, NULL));
	assert_hex(out, first_hex);
	assert_hex(out + SECTOR - 16, last_hex);
	assert_ok(sector_cipher_decrypt(cipher, NUMBER, SECTOR, out, out, SECTOR, NULL));
	assert_memory_equal(out, text, SECTOR);
	sector_cipher_free(cipher);
}

static void test_sector_xts128_gives_ieee1619_vector_4(void **state)
{
	(void)state;
	check_sector("xts-plain64", KEY_128, 0, vector_4);
}

static void test_sector_xts128_gives_ieee1619_vector_5(void **state)
{
	struct sector_cipher *cipher = cipher_of("xts-plain64", KEY_128);
	uint8_t bytes[SECTOR];

	(void)state;
	/* Its plaintext is the ciphertext of vector 4. */
	assert_ok(hex_parse(vector_4, bytes, SECTOR, NULL));
	assert_ok(sector_cipher_encrypt(cipher, 1, SECTOR, bytes, bytes, SECTOR, NULL));
	assert_hex(bytes, "264d3ca8512194fec312c8c9891f279fefdd608d0c027b60483a3fa811d65ee5");
	sector_cipher_free(cipher);
}

/* Vectors 2 and 3 have data units of 32 bytes, on whose end the first 32 do not depend. */
static void test_sector_xts128_gives_ieee1619_vectors_2_and_3(void **state)
{
	static const struct {
		const char *key;
		const char *expected;
	} vectors[] = {
		{ "11111111111111111111111111111111" "22222222222222222222222222222222",
		  "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0" },
		{ "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0" "22222222222222222222222222222222",
		  "af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89" },
	};
	uint8_t bytes[SECTOR];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sector_cipher *cipher = cipher_of("xts-plain64", vectors[i].key);

		memset(bytes, 0x44, SECTOR);
		assert_ok(sector_cipher_encrypt(cipher, UINT64_C(0x3333333333), SECTOR, bytes,
						bytes, SECTOR, NULL));
		assert_hex(bytes, vectors[i].expected);
		sector_cipher_free(cipher);
	}
}

static void test_sector_xts256_gives_ieee1619_vector_10(void **state)
{
	(void)state;
	check_sector("xts-plain64", KEY_256, 0xff, vector_10);
}

static void test_sector_xts256_gives_ieee1619_vectors_11_to_14(void **state)
{
	(void)state;
	check_sector("xts-plain64", KEY_256, UINT64_C(0xffff),
		     "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11");
	check_sector("xts-plain64", KEY_256, UINT64_C(0xffffff),
		     "e387aaa58ba483afa7e8eb469778317ecf4cf573aa9d4eac23f2cdf914e4e200");
	check_sector("xts-plain64", KEY_256, UINT64_C(0xffffffff),
		     "bf53d2dade78e822a4d949a9bc6766b01b06a8ef70d26748c6a7fc36d80ae4c5");
	check_sector("xts-plain64", KEY_256, UINT64_C(0xffffffffff),
		     "64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed23");
}

static void test_sector_xts_with_other_ivs_gives_known_answer(void **state)
{
	(void)state;
	check_ends("xts-plain", counting_key(64), "38dd13961cd46496d166475a1429fc94",
		   "adde73343b5feaa2747705e0d51be0a7");
	check_ends("xts-benbi", counting_key(64), "82b4d13ebf0b25f9f11e54504aaa1b88",
		   "3d4d3ff6570a7f35c0f3a1468072435b");
	check_ends("xts-essiv:sha256", counting_key(64), "a9ec0edf533a6860edd90628c5214160",
		   "0896b143936c96950c5c62e88895230c");
}

static void test_sector_cbc_plain_gives_known_answer(void **state)
{
	(void)state;
	check_ends("cbc-plain", counting_key(32), "5770b9406a54c04cacda9f2a1d245c92",
		   "395b072036317182697294c3db8cf628");
}

static void test_sector_cbc_plain64_gives_known_answer(void **state)
{
	(void)state;
	check_ends("cbc-plain64", counting_key(32), "907bb92151a3aa0c6a7669d2e35768f4",
		   "cf9fed9c7fb740e5227b0c632ef0ab1c");
	check_ends("cbc-plain64", counting_key(24), "0c3171e4c87b737cd29d9c417e037064",
		   "6d7f5d10a2b7fb8cfbd084c4e38c14e5");
}

static void test_sector_cbc_benbi_gives_known_answer(void **state)
{
	(void)state;
	check_ends("cbc-benbi", counting_key(32), "762d2d68a86868ddbea91b4e3d4023f3",
		   "0dee01d7670505e217f56643533e21c7");
}

static void test_sector_cbc_essiv_gives_known_answer(void **state)
{
	(void)state;
	check_ends("cbc-essiv:sha256", counting_key(32), "787248bb2400bb779efc7e911681e4a5",
		   "73fa0452b72430fcae180e25bc0a58e9");
	/* The ESSIV key is 256 bits also where the volume key is shorter. */
	check_ends("cbc-essiv:sha256", counting_key(16), "2a40c4628590483408190a6f837c3fb4",
		   "2a41503546060ce97ff56da7a1ae7e00");
}

static void test_sector_of_4096_bytes_counts_in_units_of_512(void **state)
{
	struct sector_cipher *cipher = cipher_of("xts-plain64", counting_key(64));
	uint8_t text[2 * 4096];

	(void)state;
	counting_text(text, sizeof(text));
	assert_ok(sector_cipher_encrypt(cipher, NUMBER, 4096, text, text, sizeof(text), NULL));
	assert_hex(text, "dbe0e0e854a3505aa1430b2304c01c5c");
	assert_hex(text + 4096 - 16, "cc6de9f91b4fe949c404259a64a6d95f");
	/* The second one has the number of the first, plus 8. */
	assert_hex(text + 4096, "4e5c5ff70d815acc21651f2d797282c3");
	assert_hex(text + 8192 - 16, "e7b2f1f228d1b88f39adf9be0f014c8b");
	sector_cipher_free(cipher);
}

/* Every kind, sectors of every size, in runs of sectors: what is encrypted comes back. */
static void test_sector_run_decrypts_to_what_was_encrypted(void **state)
{
	static const char *const modes[] = { "xts-plain64", "xts-plain", "cbc-plain",
					     "cbc-plain64", "cbc-essiv:sha256", "cbc-benbi" };
	static uint8_t text[16384];
	static uint8_t out[16384];

	(void)state;
	counting_text(text, sizeof(text));
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct sector_cipher *cipher = cipher_of(modes[i], counting_key(32));

		for (size_t sector = 512; sector <= 4096; sector *= 2) {
			assert_ok(sector_cipher_encrypt(cipher, NUMBER, sector, text, out,
							sizeof(text), NULL));
			assert_memory_not_equal(out, out + sector, sector);
			assert_ok(sector_cipher_decrypt(cipher, NUMBER, sector, out, out,
							sizeof(text), NULL));
			assert_memory_equal(out, text, sizeof(text));
		}
		sector_cipher_free(cipher);
	}
}

static void check_parse_refuses(const char *cipher, const char *mode, size_t key_bytes,
				const char *says)
{
	struct sector_spec spec;
	struct cof_error error = { 0 };

	assert_fails(sector_spec_parse(cipher, mode, key_bytes, &spec, &error),
		     COF_E_UNSUPPORTED);
	assert_non_null(strstr(error.text, says));
}

static void test_sector_spec_refuses_other_cipher(void **state)
{
	(void)state;
	check_parse_refuses("serpent", "xts-plain64", 64, "cipher serpent");
}

static void test_sector_spec_refuses_other_mode(void **state)
{
	(void)state;
	check_parse_refuses("aes", "lrw-benbi", 32, "mode lrw-benbi");
}

static void test_sector_spec_refuses_other_iv(void **state)
{
	(void)state;
	check_parse_refuses("aes", "xts-plain64be", 64, "plain64be");
	check_parse_refuses("aes", "cbc-essiv:md5", 32, "essiv:md5");
}

static void test_sector_spec_refuses_odd_xts_key(void **state)
{
	(void)state;
	check_parse_refuses("aes", "xts-plain64", 48, "48 bytes");
}

static void test_sector_spec_refuses_odd_cbc_key(void **state)
{
	(void)state;
	check_parse_refuses("aes", "cbc-plain64", 64, "64 bytes");
}

static void test_sector_cipher_refuses_key_of_other_length(void **state)
{
	struct sector_spec spec;
	struct sector_cipher *cipher = NULL;
	struct volume_key *key = NULL;

	(void)state;
	assert_ok(sector_spec_parse("aes", "xts-plain64", 64, &spec, NULL));
	assert_ok(volume_key_random(32, &key, NULL));
	assert_fails(sector_cipher_new(&spec, key, &cipher, NULL), COF_E_FORMAT);
	assert_null(cipher);
	volume_key_free(key);
}

static void test_sector_cipher_refuses_equal_xts_halves(void **state)
{
	struct sector_spec spec;
	struct sector_cipher *cipher = NULL;
	struct volume_key *key = NULL;

	(void)state;
	assert_ok(sector_spec_parse("aes", "xts-plain64", 64, &spec, NULL));
	assert_ok(volume_key_new(64, &key, NULL));
	assert_fails(sector_cipher_new(&spec, key, &cipher, NULL), COF_E_FORMAT);
	volume_key_free(key);
}

static void test_sector_cipher_refuses_odd_sector_size(void **state)
{
	struct sector_cipher *cipher = cipher_of("xts-plain64", KEY_256);
	uint8_t bytes[8192] = { 0 };

	(void)state;
	assert_fails(sector_cipher_encrypt(cipher, 0, 256, bytes, bytes, 512, NULL),
		     COF_E_FAILED);
	assert_fails(sector_cipher_encrypt(cipher, 0, 1536, bytes, bytes, 1536, NULL),
		     COF_E_FAILED);
	assert_fails(sector_cipher_decrypt(cipher, 0, 8192, bytes, bytes, 8192, NULL),
		     COF_E_FAILED);
	sector_cipher_free(cipher);
}

static void test_sector_cipher_refuses_part_of_a_sector(void **state)
{
	struct sector_cipher *cipher = cipher_of("xts-plain64", KEY_256);
	uint8_t bytes[1024] = { 0 };

	(void)state;
	assert_fails(sector_cipher_decrypt(cipher, 0, 512, bytes, bytes, 1000, NULL),
		     COF_E_FAILED);
	sector_cipher_free(cipher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sector_xts128_gives_ieee1619_vector_4),
		cmocka_unit_test(test_sector_xts128_gives_ieee1619_vector_5),
		cmocka_unit_test(test_sector_xts128_gives_ieee1619_vectors_2_and_3),
		cmocka_unit_test(test_sector_xts256_gives_ieee1619_vector_10),
		cmocka_unit_test(test_sector_xts256_gives_ieee1619_vectors_11_to_14),
		cmocka_unit_test(test_sector_xts_with_other_ivs_gives_known_answer),
		cmocka_unit_test(test_sector_cbc_plain_gives_known_answer),
		cmocka_unit_test(test_sector_cbc_plain64_gives_known_answer),
		cmocka_unit_test(test_sector_cbc_benbi_gives_known_answer),
		cmocka_unit_test(test_sector_cbc_essiv_gives_known_answer),
		cmocka_unit_test(test_sector_of_4096_bytes_counts_in_units_of_512),
		cmocka_unit_test(test_sector_run_decrypts_to_what_was_encrypted),
		cmocka_unit_test(test_sector_spec_refuses_other_cipher),
		cmocka_unit_test(test_sector_spec_refuses_other_mode),
		cmocka_unit_test(test_sector_spec_refuses_other_iv),
		cmocka_unit_test(test_sector_spec_refuses_odd_xts_key),
		cmocka_unit_test(test_sector_spec_refuses_odd_cbc_key),
		cmocka_unit_test(test_sector_cipher_refuses_key_of_other_length),
		cmocka_unit_test(test_sector_cipher_refuses_equal_xts_halves),
		cmocka_unit_test(test_sector_cipher_refuses_odd_sector_size),
		cmocka_unit_test(test_sector_cipher_refuses_part_of_a_sector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
