/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration of a service: any bytes are read, every mistake has a text, what is written is
 * read as the same, and resources that are built come in an order in which each is there once.
 */

#include "fuzz.h"
#include "service_build.h"

/* What was written reads as the same, once it was read without a mistake. */
static void check_round(const struct config *config)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_buffer_ struct buffer again = { 0 };
	_cleanup_(config_done) struct config second = { 0 };
	struct config_mistakes *mistakes = calloc(1, sizeof(*mistakes));

	FUZZ_CHECK(mistakes && !cof_failed(config_format(config, &text, NULL)));
	FUZZ_CHECK(!cof_failed(config_parse(buffer_span(&text), &second, mistakes, NULL)));
	FUZZ_CHECK(mistakes->count == 0 && second.count == config->count);
	FUZZ_CHECK(!cof_failed(config_format(&second, &again, NULL)));
	FUZZ_CHECK(again.len == text.len);
	FUZZ_CHECK(text.len == 0 || memcmp(again.data, text.data, text.len) == 0);
	free(mistakes);
}

void fuzz_one(struct span input)
{
	char root[] = "";
	const struct paths paths = { .root = root };
	static const struct service_path path = { "demo", "svc", "web" };
	struct config_mistakes *mistakes = calloc(1, sizeof(*mistakes));
	_cleanup_(service_freep) struct service *service = NULL;

	FUZZ_CHECK(mistakes && !cof_failed(service_new(&paths, &path, "id", &service, NULL)));
	FUZZ_CHECK(!cof_failed(config_parse(input, &service->config, mistakes, NULL)));
	if (mistakes->count == 0)
		check_round(&service->config);
	FUZZ_CHECK(!cof_failed(service_build(service, mistakes, NULL)));
	for (size_t i = 0; i < mistakes->count && i < CONFIG_MISTAKES_MAX; i++)
		FUZZ_CHECK(mistakes->items[i].text[0]);
	for (size_t i = 0; i < service->count; i++)
		FUZZ_CHECK(service_resource(service, service->resources[i].rid) ==
			   &service->resources[i]);
	free(mistakes);
}
