/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

cof_result size_add(uint64_t a, uint64_t b, uint64_t *ret_sum, struct cof_error *err)
{
	ENSURE(!__builtin_add_overflow(a, b, ret_sum), err, COF_E_FORMAT, NULL,
	       "%llu and %llu bytes together are too many", (unsigned long long)a,
	       (unsigned long long)b);
	return COF_OK;
}

cof_result size_mul(uint64_t a, uint64_t b, uint64_t *ret_product, struct cof_error *err)
{
	ENSURE(!__builtin_mul_overflow(a, b, ret_product), err, COF_E_FORMAT, NULL,
	       "%llu times %llu bytes are too many", (unsigned long long)a, (unsigned long long)b);
	return COF_OK;
}

cof_result uint_parse(const char *text, uint64_t max, uint64_t *ret_value, struct cof_error *err)
{
	unsigned long long value;
	char *end;

	ENSURE(isdigit((unsigned char)text[0]), err, COF_E_USAGE, text, "is not a number");
	errno = 0;
	value = strtoull(text, &end, 10);
	ENSURE(*end == '\0', err, COF_E_USAGE, text, "is not a number");
	ENSURE(errno == 0 && value <= max, err, COF_E_USAGE, text, "is more than %llu",
	       (unsigned long long)max);
	*ret_value = value;
	return COF_OK;
}

/* The power of two that a size's unit stands for; false for an unknown unit. */
static bool unit_shift(const char *unit, unsigned int *ret_shift)
{
	static const char letters[] = "KMGTP";
	const char *letter;

	if (*unit == '\0' || strcmp(unit, "B") == 0) {
		*ret_shift = 0;
		return true;
	}
	letter = strchr(letters, toupper((unsigned char)*unit));
	if (!letter || (unit[1] != '\0' && strcmp(unit + 1, "iB") != 0))
		return false;
	*ret_shift = 10 * (unsigned int)(letter - letters + 1);
	return true;
}

cof_result size_parse(const char *text, uint64_t *ret_bytes, struct cof_error *err)
{
	unsigned long long whole;
	uint64_t fraction = 0;
	uint64_t fraction_scale = 1;
	uint64_t bytes;
	unsigned int shift;
	char *end;

	ENSURE(isdigit((unsigned char)text[0]), err, COF_E_USAGE, text,
	       "is not a size such as 4096, 512K, 1M or 2GiB");
	errno = 0;
	whole = strtoull(text, &end, 10);
	ENSURE(errno == 0, err, COF_E_USAGE, text, "is too large a size");
	if (*end == '.') {
		end++;
		for (; isdigit((unsigned char)*end) && fraction_scale < 1000; end++) {
			fraction = fraction * 10 + (uint64_t)(*end - '0');
			fraction_scale *= 10;
		}
	}
	ENSURE(unit_shift(end, &shift), err, COF_E_USAGE, text,
	       "is not a size such as 4096, 512K, 1M or 2GiB");
	ENSURE(!__builtin_mul_overflow(whole, 1ULL << shift, &bytes) &&
		       !__builtin_add_overflow(bytes, (fraction << shift) / fraction_scale, &bytes),
	       err, COF_E_USAGE, text, "is too large a size");
	*ret_bytes = bytes;
	return COF_OK;
}

char *size_format(uint64_t bytes, char out[static 16])
{
	static const char letters[] = "BKMGTPE";
	unsigned int unit = 0;
	double value = (double)bytes;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		(void)snprintf(out, 16, "%uB", (unsigned int)bytes);
	else
		(void)snprintf(out, 16, "%.1f%c", value, letters[unit]);
	return out;
}

cof_result duration_parse(const char *text, uint64_t *ret_seconds, struct cof_error *err)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = { { "", 1 },     { "s", 1 },     { "m", 60 },
		      { "h", 3600 }, { "d", 86400 }, { "y", 31557600 } };
	unsigned long long value;
	char *end;

	if (strcmp(text, "forever") == 0) {
		*ret_seconds = UINT64_MAX;
		return COF_OK;
	}
	ENSURE(isdigit((unsigned char)text[0]), err, COF_E_USAGE, text,
	       "is not a duration such as 90s, 15m, 8h, 30d or forever");
	errno = 0;
	value = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		ENSURE(errno == 0 && value <= UINT32_MAX, err, COF_E_USAGE, text,
		       "is too long a duration; \"forever\" has no end");
		*ret_seconds = value * units[i].seconds;
		return COF_OK;
	}
	FAIL(err, COF_E_USAGE, text, "is not a duration such as 90s, 15m, 8h, 30d or forever");
}

char *time_format(time_t when, char out[static 32])
{
	struct tm utc;

	if (!gmtime_r(&when, &utc) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		out[0] = '\0';
	return out;
}

/* How many leading characters of @text are digits, without leading zeroes in @ret_first. */
static size_t digits(const char *text, const char **ret_first)
{
	size_t len = strspn(text, "0123456789");
	size_t zeroes = strspn(text, "0");

	if (zeroes == len && len > 0)
		zeroes--;
	*ret_first = text + zeroes;
	return len - zeroes;
}

int natural_compare(const char *a, const char *b)
{
	const char *a_number;
	const char *b_number;

	while (*a != '\0' && *b != '\0') {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			size_t a_len = digits(a, &a_number);
			size_t b_len = digits(b, &b_number);
			int order = a_len == b_len ? strncmp(a_number, b_number, a_len)
						   : (a_len < b_len ? -1 : 1);

			if (order != 0)
				return order;
			a = a_number + a_len;
			b = b_number + b_len;
			continue;
		}
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		a++;
		b++;
	}
	return (*a != '\0') - (*b != '\0');
}

char *hex_format(const uint8_t *data, size_t len, char *out)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = hex[data[i] >> 4];
		out[2 * i + 1] = hex[data[i] & 15];
	}
	out[2 * len] = '\0';
	return out;
}

/* The value of one hex digit, -1 for another character. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

cof_result hex_parse(const char *text, uint8_t *out, size_t len, struct cof_error *err)
{
	ENSURE(strlen(text) == 2 * len, err, COF_E_FORMAT, NULL,
	       "%zu hex digits where %zu are needed", strlen(text), 2 * len);
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		ENSURE(high >= 0 && low >= 0, err, COF_E_FORMAT, NULL,
		       "no hex digit at position %zu", 2 * i);
		out[i] = (uint8_t)(high << 4 | low);
	}
	return COF_OK;
}
