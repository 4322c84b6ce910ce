/* SPDX-License-Identifier: Apache-2.0 */
#include "training/weights.h"

#include <criterion/criterion.h>
#include <math.h>

static float a_value[4], b_value[2];
static int64_t count_value[1];

static struct safetensors list_of(struct safetensors_entry entry[3])
{
	entry[0] = (struct safetensors_entry){
		"a",
		{ .data = a_value,
		  .dtype = DTYPE_F32,
		  .shape = { .rank = 2, .dim = { 2, 2 } } }
	};
	entry[1] = (struct safetensors_entry){ "b",
					       { .data = b_value,
						 .dtype = DTYPE_F32,
						 .shape = { .rank = 1,
							    .dim = { 2 } } } };
	entry[2] = (struct safetensors_entry){ "count",
					       { .data = count_value,
						 .dtype = DTYPE_I64,
						 .shape = { .rank = 1,
							    .dim = { 1 } } } };
	return (struct safetensors){ .n = 3, .entry = entry };
}

static void fill(float start)
{
	for (int i = 0; i < 4; i++)
		a_value[i] = start + (float)i;
	for (int i = 0; i < 2; i++)
		b_value[i] = start * (float)i;
	count_value[0] = (int64_t)start;
}

Test(weights, a_snapshot_brings_back_what_was)
{
	struct arena *arena = arena_create(1 << 20);
	struct safetensors_entry entry[3];
	struct safetensors list = list_of(entry);
	struct weights_snapshot snapshot;
	struct err err = { 0 };

	fill(3);
	cr_assert_eq(weights_snapshot_init(&snapshot, &list, arena, &err),
		     ERR_NONE);
	fill(5);
	cr_assert_eq(weights_restore(&snapshot.list, &list, &err), ERR_NONE);
	cr_expect_eq(a_value[3], 6);
	cr_expect_eq(count_value[0], 3);
	fill(7);
	weights_snapshot_take(&snapshot, &list);
	fill(8);
	cr_assert_eq(weights_restore(&snapshot.list, &list, &err), ERR_NONE);
	cr_expect_eq(b_value[1], 7);
	weights_snapshot_finish(&snapshot);
	arena_destroy(arena);
}

Test(weights, what_does_not_fit_is_refused)
{
	struct safetensors_entry entry[3], other[3];
	struct safetensors list = list_of(entry), from = list_of(other);
	struct err err = { 0 };

	other[1].name = "c";
	cr_expect_eq(weights_restore(&from, &list, &err), ERR_FORMAT);
	cr_expect_str_eq(err.msg, "the checkpoint's 'b' does not fit the "
				  "network");
	other[1].name = "b";
	other[1].view.dtype = DTYPE_I32;
	cr_expect_eq(weights_restore(&from, &list, &err), ERR_FORMAT);
	other[1].view.dtype = DTYPE_F32;
	other[1].view.shape.dim[0] = 1;
	cr_expect_eq(weights_restore(&from, &list, &err), ERR_FORMAT);
	from.n = 2;
	cr_expect_eq(weights_restore(&from, &list, &err), ERR_FORMAT);
	cr_expect_str_eq(err.msg,
			 "the checkpoint has 2 tensors, the network 3");
}

Test(weights, one_that_is_not_finite_is_seen)
{
	struct safetensors_entry entry[3];
	struct safetensors list = list_of(entry);

	fill(1);
	count_value[0] = INT64_MAX;
	cr_expect(weights_are_finite(&list));
	b_value[1] = INFINITY;
	cr_expect_not(weights_are_finite(&list));
	b_value[1] = 0;
	a_value[0] = NAN;
	cr_expect_not(weights_are_finite(&list));
}
