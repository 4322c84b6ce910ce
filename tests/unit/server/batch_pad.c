/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batch_pad.h"

#include <criterion/criterion.h>

#include "base/doc.h"

/* ids [n, t], mask [n, t], w [n, 2] to y [n, t, 3] and p [n, 2] */
static struct signature_port inputs[] = {
	{ .name = "ids",
	  .dtype = DTYPE_I64,
	  .has_rank = true,
	  .rank = 2,
	  .dim = { { -1, "n" }, { -1, "t" } } },
	{ .name = "mask",
	  .dtype = DTYPE_F32,
	  .has_rank = true,
	  .rank = 2,
	  .dim = { { -1, "n" }, { -1, "t" } } },
	{ .name = "w",
	  .dtype = DTYPE_F32,
	  .has_rank = true,
	  .rank = 2,
	  .dim = { { -1, "n" }, { 2, NULL } } },
};
static struct signature_port outputs[] = {
	{ .name = "y",
	  .dtype = DTYPE_F32,
	  .has_rank = true,
	  .rank = 3,
	  .dim = { { -1, "n" }, { -1, "t" }, { 3, NULL } } },
	{ .name = "p",
	  .dtype = DTYPE_F32,
	  .has_rank = true,
	  .rank = 2,
	  .dim = { { -1, "n" }, { 2, NULL } } },
};
static const struct model_signature signature = {
	.input = inputs, .output = outputs, .n_inputs = 3, .n_outputs = 2
};

static struct batch_pad *create(const char *yaml, struct arena *arena,
				struct err *err)
{
	struct batch_pad *pad = NULL;
	struct doc *doc = NULL;

	doc_init();
	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "config.yaml", arena, &doc, err),
	    ERR_NONE);
	if (batch_pad_create(&signature, doc, &pad, err))
		return NULL;
	return pad;
}

Test(batch_pad, grows_shapes_and_cuts_answers_back)
{
	struct arena *arena = arena_create(1 << 20);
	struct err err;
	struct batch_pad *pad = create("{ids: 7, mask: 0}", arena, &err);
	struct shape shape = { 2, { 4, 3 } };
	const struct shape call = { 2, { 1, 9 } };
	struct tensor_view input[3] = { 0 };
	struct shape y = { 3, { 2, 10, 3 } };

	cr_assert_not_null(pad, "%s", err.msg);
	cr_assert(batch_pad_may_grow(pad, 0, 1));
	cr_assert_not(batch_pad_may_grow(pad, 0, 0));
	cr_assert_not(batch_pad_may_grow(pad, 2, 1));
	cr_assert_not(batch_pad_may_grow(NULL, 0, 1));
	batch_pad_grow(pad, 0, &call, &shape);
	cr_assert_eq(shape.dim[1], 10);
	cr_assert_eq(shape.dim[0], 4);
	input[0].shape = call;
	input[1].shape = call;
	batch_pad_crop(pad, 0, input, &y);
	cr_assert_eq(y.dim[1], 9);
	cr_assert_eq(y.dim[2], 3);
	batch_pad_destroy(pad);
	arena_destroy(arena);
}

Test(batch_pad, has_few_lengths_that_waste_little)
{
	int64_t n = 0, last = 0;

	for (int64_t i = 1; i <= 4096; i++) {
		const int64_t length = batch_pad_length(i);

		cr_assert_geq(length, i);
		cr_assert_leq(4 * (length - i), i, "%lld", (long long)i);
		cr_assert_eq(batch_pad_length(length), length);
		n += length != last;
		last = length;
	}
	cr_assert_leq(n, 48);
}

Test(batch_pad, fills_and_copies_rows)
{
	struct arena *arena = arena_create(1 << 20);
	struct err err;
	struct batch_pad *pad = create("{ids: 7, mask: -1}", arena, &err);
	const int64_t from[] = { 1, 2, 3, 4, 5, 6 };
	const struct shape shape = { 3, { 1, 2, 3 } };
	const struct shape longer = { 3, { 1, 3, 5 } };
	int64_t to[15], back[6] = { 0 };
	static const int64_t want[] = { 1, 2, 3, 7, 7, 4, 5, 6,
					7, 7, 7, 7, 7, 7, 7 };

	cr_assert_not_null(pad, "%s", err.msg);
	batch_pad_fill(pad, 0, DTYPE_I64, to, 15);
	batch_pad_copy(to, &longer, from, &shape, sizeof(*to), 1);
	cr_assert_arr_eq(to, want, sizeof(want));
	batch_pad_copy(back, &shape, to, &longer, sizeof(*to), 1);
	cr_assert_arr_eq(back, from, sizeof(from));
	batch_pad_destroy(pad);
	arena_destroy(arena);
}

Test(batch_pad, refuses_what_could_not_be_undone)
{
	static const struct {
		const char *yaml, *word;
	} rows[] = {
		{ "{idx: 0}", "no input 'idx'" },
		{ "{ids: yes}", "needs a number" },
		{ "{ids: 0}", "'mask'" },
		{ "[ids]", "expected a map" },
	};
	struct arena *arena = arena_create(1 << 20);
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_null(create(rows[i].yaml, arena, &err), "%s",
			       rows[i].yaml);
		cr_assert(strstr(err.msg, rows[i].word), "%s", err.msg);
	}
	outputs[1].dim[1] = (struct signature_dim){ -1, "k" };
	cr_assert_null(create("{ids: 0, mask: 0}", arena, &err));
	cr_assert(strstr(err.msg, "output 'p'"), "%s", err.msg);
	arena_destroy(arena);
}
