/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * References in values.
 */

#include "unit.h"

#include "reference.h"

static const struct reference_fact facts[] = { { "fqdn", "web.demo.svc.default" },
					       { "svcname", "web" },
					       { 0 } };

static const char text_of_config[] =
	"[DEFAULT]\nbase = /opt\n[env]\nsize = 1G\ncircle = {env.circle2}\ncircle2 = "
	"{env.circle}\n[disk#0]\nfile = {base}/{fqdn}.img\nself = {self}\nwords = a b\tc\n"
	"[disk#1]\nname = {fqdn}-crypt\n[disk#2]\n";

/* What the devices callback was asked, and what it answers. */
struct asked {
	char section[CONFIG_NAME_CHARS];
	char what[32];
	const char *answer;
};

static cof_result devices(const char *section, const char *what, void *context, char **ret_value,
			  struct cof_error *err)
{
	struct asked *asked = context;

	(void)err;
	(void)snprintf(asked->section, sizeof(asked->section), "%s", section);
	(void)snprintf(asked->what, sizeof(asked->what), "%s", what);
	*ret_value = asked->answer ? strdup(asked->answer) : NULL;
	return COF_OK;
}

static const char *fallback(const char *section, const char *keyword, void *context)
{
	(void)context;
	return strcmp(section, "disk#1") == 0 && strcmp(keyword, "label") == 0 ? "{fqdn}" : NULL;
}

/* Expands a value in disk#0; the caller frees. */
static cof_result expand(const char *value, struct asked *asked, char **ret_value,
			 struct cof_error *err)
{
	_cleanup_(config_done) struct config config = { 0 };
	struct config_mistakes mistakes = { 0 };
	struct reference_world world = { .config = &config,
					 .node = "n",
					 .facts = facts,
					 .fallback = fallback,
					 .devices = devices,
					 .context = asked };

	assert_ok(config_parse(span_of_text(text_of_config), &config, &mistakes, NULL));
	assert_int_equal(mistakes.count, 0);
	return reference_expand(&world, "disk#0", "dev", value, ret_value, err);
}

static void assert_expands(const char *value, const char *wanted)
{
	struct asked asked = { .answer = "/dev/loop1 /dev/loop2" };
	char *got = NULL;

	assert_ok(expand(value, &asked, &got, NULL));
	assert_string_equal(got, wanted);
	free(got);
}

static void assert_refuses(const char *value, const char *wanted)
{
	struct asked asked = { .answer = "/dev/loop1" };
	struct cof_error err = { 0 };
	char *got = NULL;

	assert_fails(expand(value, &asked, &got, &err), COF_E_USAGE);
	if (!strstr(err.text, wanted))
		fail_msg("\"%s\" is not in: %s", wanted, err.text);
	assert_null(got);
}

static void test_reference_expands_facts_and_keywords(void **state)
{
	assert_expands("plain", "plain");
	assert_expands("", "");
	assert_expands("/srv/{svcname}", "/srv/web");
	assert_expands("{file}", "/opt/web.demo.svc.default.img");
	assert_expands("{disk#1.name}", "web.demo.svc.default-crypt");
	assert_expands("{env.size}", "1G");
	assert_expands("{rid}/{rindex}", "disk#0/0");
	assert_expands("{disk#1.label}", "web.demo.svc.default");
}

static void test_reference_expands_words_counts_and_case(void **state)
{
	assert_expands("{disk#2.exposed_devs}", "/dev/loop1 /dev/loop2");
	assert_expands("{disk#2.exposed_devs[0]}", "/dev/loop1");
	assert_expands("{disk#2.exposed_devs[1]}", "/dev/loop2");
	assert_expands("{#disk#2.exposed_devs}", "2");
	assert_expands("{words[2]}", "c");
	assert_expands("{#words}", "3");
	assert_expands("{upper:svcname}", "WEB");
	assert_expands("{capitalize:svcname}", "Web");
	assert_expands("{title:words}", "A B\tC");
	assert_expands("{swapcase:svcname}", "WEB");
	assert_expands("{lower:svcname}", "web");
}

static void test_reference_expands_references_in_references(void **state)
{
	assert_expands("{disk#{#svcname}.name}", "web.demo.svc.default-crypt");
}

static void test_reference_is_not_known_while_a_device_is_not_there(void **state)
{
	struct asked asked = { 0 };
	char *got = NULL;

	assert_ok(expand("x{disk#1.exposed_devs[0]}{disk#2.sub_devs}", &asked, &got, NULL));
	assert_null(got);
	assert_string_equal(asked.section, "disk#2");
	assert_string_equal(asked.what, "sub_devs");
}

static void test_reference_refuses_unknown_names(void **state)
{
	assert_refuses("{nothing}", "nothing is called so");
	assert_refuses("{disk#1.nothing}", "nothing is called so");
	assert_refuses("{disk#9.exposed_devs}", "no such section");
	assert_refuses("{}", "nothing is called so");
	assert_refuses("{.x}", "names no section");
}

static void test_reference_refuses_circles(void **state)
{
	assert_refuses("{env.circle}", "refers to itself");
	assert_refuses("{self}", "refers to itself");
	assert_refuses("{dev}", "nothing is called so");
}

static void test_reference_refuses_bad_form(void **state)
{
	assert_refuses("{svcname", "{ without its }");
	assert_refuses("$(1 + 1)", "arithmetic");
	assert_refuses("{words[x]}", "index is no number");
	assert_refuses("{words[0}", "index is no number");
	assert_refuses("{words[]}", "index is no number");
	assert_refuses("{words[3]}", "fewer words");
	assert_refuses("{{{{{{{{{{{{{{{{{{svcname}}}}}}}}}}}}}}}}}}", "within references");
}

static void test_reference_refuses_value_that_explodes(void **state)
{
	struct buffer text = { 0 };

	for (int i = 0; i < 1200; i++)
		assert_ok(buffer_add_text(&text, NULL, "{svcname}"));
	assert_ok(buffer_add(&text, "", 1, NULL));
	assert_refuses((const char *)text.data, "more than 1000 references");
	buffer_done(&text);
}

/* reference_each_resource()'s visitor. */
static cof_result note_visit(const char *section, void *context, struct cof_error *err)
{
	(void)err;
	(void)snprintf(context, CONFIG_NAME_CHARS, "%s", section);
	return COF_OK;
}

static void test_reference_each_resource_looks_through_keywords(void **state)
{
	struct config config = { 0 };
	struct config_mistakes mistakes = { 0 };
	struct reference_world world = { .config = &config, .node = "n", .facts = facts };
	char visited[CONFIG_NAME_CHARS] = "";

	assert_ok(config_parse(span_of_text("[env]\nx = {disk#3.exposed_devs[0]}\n[disk#3]\n"),
			       &config, &mistakes, NULL));
	assert_ok(reference_each_resource(&world, "fs#0", "dev", "{env.x}", note_visit, visited,
					  NULL));
	assert_string_equal(visited, "disk#3");
	config_done(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference_expands_facts_and_keywords),
		cmocka_unit_test(test_reference_expands_words_counts_and_case),
		cmocka_unit_test(test_reference_expands_references_in_references),
		cmocka_unit_test(test_reference_is_not_known_while_a_device_is_not_there),
		cmocka_unit_test(test_reference_refuses_unknown_names),
		cmocka_unit_test(test_reference_refuses_circles),
		cmocka_unit_test(test_reference_refuses_bad_form),
		cmocka_unit_test(test_reference_refuses_value_that_explodes),
		cmocka_unit_test(test_reference_each_resource_looks_through_keywords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
