/* SPDX-License-Identifier: Apache-2.0 */
#include "server/response_cache.h"

#include <criterion/criterion.h>

#include "engine/tensor.h"

struct bench {
	struct response_cache *cache;
	struct arena *arena;
	float x[16], y[16];
	struct tensor_view input, output;
};

static void begin(struct bench *b, size_t max_bytes)
{
	struct err err;

	memset(b, 0, sizeof(*b));
	cr_assert_eq(response_cache_create(max_bytes, &b->cache, &err),
		     ERR_NONE);
	b->arena = arena_create(1 << 20);
	b->input = (struct tensor_view){ b->x, DTYPE_F32, { 1, { 16 } } };
	b->output = (struct tensor_view){ b->y, DTYPE_F32, { 1, { 16 } } };
}

static void end(struct bench *b)
{
	response_cache_destroy(b->cache);
	arena_destroy(b->arena);
}

static struct fingerprint key_of(const struct bench *b, uint64_t model)
{
	const struct response_question question = { .model = model,
						    .n_inputs = 1,
						    .n_outputs = 1,
						    .input = &b->input };

	return response_cache_key(b->cache, &question);
}

static bool find(struct bench *b, struct fingerprint key,
		 struct tensor_view *ret)
{
	return response_cache_find(b->cache, key, b->arena, ret, 1);
}

Test(response_cache, finds_what_was_kept)
{
	struct tensor_view found = { 0 };
	struct fingerprint key;
	struct bench b;

	begin(&b, 1 << 20);
	b.x[3] = 1;
	b.y[5] = 7;
	key = key_of(&b, 1);
	cr_assert_not(find(&b, key, &found));
	response_cache_keep(b.cache, key, 1, &b.output, 1);
	b.y[5] = 8; /* what was kept is a copy */
	cr_assert(find(&b, key, &found));
	cr_assert_eq(((float *)found.data)[5], 7);
	cr_assert(shape_equal(&found.shape, &b.output.shape));
	/* what is found is one, too */
	response_cache_forget(b.cache, 1);
	cr_assert_eq(((float *)found.data)[5], 7);
	cr_assert_not(find(&b, key, &found));
	cr_assert_eq(response_cache_bytes(b.cache), 0U);
	end(&b);
}

Test(response_cache, tells_questions_apart)
{
	const bool wanted[1] = { false };
	struct response_question question;
	struct fingerprint key, other;
	struct bench b;

	begin(&b, 1 << 20);
	key = key_of(&b, 1);
	cr_assert(fingerprint_equal(key, key_of(&b, 1)));
	cr_assert_not(fingerprint_equal(key, key_of(&b, 2)));
	b.x[15] = 1;
	cr_assert_not(fingerprint_equal(key, key_of(&b, 1)));
	b.x[15] = 0;
	b.input.shape = (struct shape){ 2, { 4, 4 } };
	cr_assert_not(fingerprint_equal(key, key_of(&b, 1)));
	b.input.shape = (struct shape){ 1, { 16 } };
	b.input.dtype = DTYPE_I32;
	cr_assert_not(fingerprint_equal(key, key_of(&b, 1)));
	b.input.dtype = DTYPE_F32;
	question = (struct response_question){ .model = 1,
					       .n_inputs = 1,
					       .n_outputs = 1,
					       .input = &b.input,
					       .is_wanted = wanted };
	other = response_cache_key(b.cache, &question);
	cr_assert_not(fingerprint_equal(key, other));
	end(&b);
}

Test(response_cache, strings_go_in_and_out)
{
	struct str words[2] = { { "abc", 3 }, { "", 0 } };
	struct str same[2] = { { "ab", 2 }, { "c", 1 } };
	struct tensor_view found = { 0 },
			   view = { words, DTYPE_STRING, { 1, { 2 } } };
	struct fingerprint key;
	struct bench b;

	begin(&b, 1 << 20);
	b.input = view;
	key = key_of(&b, 1);
	b.input.data = same;
	cr_assert_not(fingerprint_equal(key, key_of(&b, 1)));
	response_cache_keep(b.cache, key, 1, &view, 1);
	cr_assert(find(&b, key, &found));
	response_cache_forget(b.cache, 1);
	cr_assert_eq(((struct str *)found.data)[0].len, 3U);
	cr_assert_eq(memcmp(((struct str *)found.data)[0].bytes, "abc", 3), 0);
	cr_assert_eq(((struct str *)found.data)[1].len, 0U);
	end(&b);
}

Test(response_cache, stays_within_its_bytes)
{
	struct tensor_view found;
	struct fingerprint first, last;
	struct bench b;

	begin(&b, 2048); /* 128 bytes each: 16 fit */
	first = key_of(&b, 1);
	response_cache_keep(b.cache, first, 1, &b.output, 1);
	for (int i = 1; i < 40; i++) {
		b.x[0] = (float)i;
		last = key_of(&b, 1);
		response_cache_keep(b.cache, last, 1, &b.output, 1);
		cr_assert_leq(response_cache_bytes(b.cache), 2048U);
		if (i < 30) /* used: it stays */
			cr_assert(find(&b, first, &found), "%d", i);
	}
	cr_assert(find(&b, last, &found));
	end(&b);
	/* one that is large is not kept at all */
	begin(&b, 512);
	first = key_of(&b, 1);
	response_cache_keep(b.cache, first, 1, &b.output, 1);
	cr_assert_not(find(&b, first, &found));
	end(&b);
}
