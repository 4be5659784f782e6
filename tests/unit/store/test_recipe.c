/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_rig.h"

#include "recipe.h"

/* Lists as they were stored; an id says where. */
struct shelf {
	struct buffer lists[4096];
	size_t count;
	size_t visited;
	uint64_t bytes;
};

static void shelf_done(struct shelf **shelf)
{
	for (size_t i = 0; i < (*shelf)->count; i++)
		buffer_done(&(*shelf)->lists[i]);
	free(*shelf);
}

static cof_result store(struct span list, uint8_t *ret_id, void *context, struct cof_error *err)
{
	struct shelf *shelf = context;

	assert_true(shelf->count < 4096);
	TRY(sha256(list, ret_id, err));
	memcpy(ret_id, &shelf->count, sizeof(shelf->count));
	return buffer_add(&shelf->lists[shelf->count++], list.data, list.len, err);
}

static cof_result load(const uint8_t *id, struct buffer *ret_list, void *context,
		       struct cof_error *err)
{
	struct shelf *shelf = context;
	size_t number;

	memcpy(&number, id, sizeof(number));
	assert_true(number < shelf->count);
	return buffer_add(ret_list, shelf->lists[number].data, shelf->lists[number].len, err);
}

/* Data chunks come in their order, numbered in their ids. */
static cof_result visit(const struct recipe_ref *ref, unsigned int level, void *context,
			struct cof_error *err)
{
	struct shelf *shelf = context;
	size_t number;

	if (level)
		return COF_OK;
	memcpy(&number, ref->id, sizeof(number));
	assert_int_equal(number, shelf->visited++);
	shelf->bytes += ref->bytes;
	return COF_OK;
}

static void make(size_t count, struct shelf *shelf, struct recipe_root *ret_root)
{
	_cleanup_(recipe_done) struct recipe recipe = { .store = store, .context = shelf };

	for (size_t i = 0; i < count; i++) {
		struct recipe_ref ref = { .bytes = i % 1000 + 1 };

		assert_ok(sha256(SPAN(&i, sizeof(i)), ref.id, NULL));
		memcpy(ref.id, &i, sizeof(i));
		assert_ok(recipe_add(&recipe, &ref, NULL));
	}
	assert_ok(recipe_finish(&recipe, ret_root, NULL));
}

static void test_recipe_of_any_length_is_walked_in_order(void **state)
{
	static const size_t counts[] = { 0, 1, 31, 32, 33, 200, 5000, 100000 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		_cleanup_(shelf_done) struct shelf *shelf = calloc(1, sizeof(*shelf));
		struct recipe_root root;

		make(counts[i], shelf, &root);
		assert_true(root.count <= RECIPE_ROOT_MAX);
		assert_int_equal(root.level == 0, counts[i] <= RECIPE_ROOT_MAX);
		assert_ok(recipe_each(&root, load, visit, shelf, NULL));
		assert_int_equal(shelf->visited, counts[i]);
		assert_int_equal(shelf->bytes, root.bytes);
	}
}

static void test_recipe_of_a_changed_stream_shares_lists(void **state)
{
	_cleanup_(shelf_done) struct shelf *one = calloc(1, sizeof(*one));
	_cleanup_(shelf_done) struct shelf *two = calloc(1, sizeof(*two));
	struct recipe_root root;
	size_t same = 0;

	make(20000, one, &root);
	make(20100, two, &root);
	for (size_t i = 0; i < one->count && i < two->count; i++)
		same += one->lists[i].len == two->lists[i].len &&
			memcmp(one->lists[i].data, two->lists[i].data, one->lists[i].len) == 0;
	assert_true(same + 4 >= one->count);
}

static void test_recipe_refuses_a_list_of_another_length(void **state)
{
	_cleanup_(shelf_done) struct shelf *shelf = calloc(1, sizeof(*shelf));
	struct recipe_root root;

	make(1000, shelf, &root);
	shelf->lists[0].data[STORE_ID_BYTES + 7] ^= 1;
	assert_fails(recipe_each(&root, load, visit, shelf, NULL), COF_E_FORMAT);
}

static void test_recipe_root_decodes_to_itself(void **state)
{
	_cleanup_(shelf_done) struct shelf *shelf = calloc(1, sizeof(*shelf));
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct recipe_root root;
	struct recipe_root again;
	struct reader reader;

	make(500, shelf, &root);
	assert_ok(recipe_root_encode(&root, &bytes, NULL));
	reader = reader_of(buffer_span(&bytes), "test");
	assert_ok(recipe_root_decode(&reader, &again, NULL));
	assert_memory_equal(&root, &again, sizeof(root));
	for (size_t len = 0; len < bytes.len; len++) {
		reader = reader_of(SPAN(bytes.data, len), "test");
		assert_fails(recipe_root_decode(&reader, &again, NULL), COF_E_FORMAT);
	}
	bytes.data[9] ^= 1; /* the number of bytes */
	reader = reader_of(buffer_span(&bytes), "test");
	assert_fails(recipe_root_decode(&reader, &again, NULL), COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipe_of_any_length_is_walked_in_order),
		cmocka_unit_test(test_recipe_of_a_changed_stream_shares_lists),
		cmocka_unit_test(test_recipe_refuses_a_list_of_another_length),
		cmocka_unit_test(test_recipe_root_decodes_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
