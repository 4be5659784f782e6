/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_NUMBER_H
#define COF_BASE_NUMBER_H

/*
 * Checked sums of sizes, and numbers as people write them.
 */

#include <stdint.h>
#include <time.h>

#include "result.h"

/** size_add() - *ret_sum = a + b. Fails: COF_E_FORMAT (would wrap) */
cof_result size_add(uint64_t a, uint64_t b, uint64_t *ret_sum, struct cof_error *err);
/** size_mul() - *ret_product = a * b. Fails: COF_E_FORMAT (would wrap) */
cof_result size_mul(uint64_t a, uint64_t b, uint64_t *ret_product, struct cof_error *err);

/**
 * size_parse() - a size as people write it: "4096", "512K", "1M", "2GiB", "1.5T"
 * K, M, G, T, P mean powers of 1024, with or without "iB". Fails: COF_E_USAGE
 */
cof_result size_parse(const char *text, uint64_t *ret_bytes, struct cof_error *err);

/** size_format() - the shortest readable form, "16.0M"; @out has at least 16 bytes; returns @out */
char *size_format(uint64_t bytes, char out[static 16]);

/**
 * duration_parse() - "90", "90s", "15m", "8h", "30d"; "forever" is UINT64_MAX
 * Fails: COF_E_USAGE
 */
cof_result duration_parse(const char *text, uint64_t *ret_seconds, struct cof_error *err);

/** uint_parse() - a decimal number and nothing else, at most @max. Fails: COF_E_USAGE */
cof_result uint_parse(const char *text, uint64_t max, uint64_t *ret_value, struct cof_error *err);

/** time_format() - RFC 3339 in UTC with seconds, "2026-11-20T17:00:00Z"; returns @out */
char *time_format(time_t when, char out[static 32]);

/** natural_compare() - order of names in which "sdb2" comes before "sdb10"; like strcmp */
int natural_compare(const char *a, const char *b);

/** hex_format() - lower-case hex of @len bytes, NUL-terminated; @out has 2 * len + 1 bytes */
char *hex_format(const uint8_t *data, size_t len, char *out);
/** hex_parse() - exactly @len bytes from 2 * @len digits. Fails: COF_E_FORMAT */
cof_result hex_parse(const char *text, uint8_t *out, size_t len, struct cof_error *err);

#endif
