/* SPDX-License-Identifier: Apache-2.0 */
#include "training/history.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"

static const char *const names[] = { "train_loss", "valid_loss", NULL };

Test(history, steps_beyond_the_room_are_thinned_out_evenly)
{
	struct history h;

	history_init(&h, names);
	for (int step = 1; step <= 5000; step++)
		history_step(&h, (const double[HISTORY_COLUMNS]){ (double)step,
								  1, 0.1, 2 });
	cr_expect_eq(h.stride, 8);
	cr_expect_eq(h.n_steps, 625);
	for (int64_t i = 0; i < h.n_steps; i++)
		cr_expect_eq(h.step[i * HISTORY_COLUMNS], 8. * (double)(i + 1));
	history_finish(&h);
}

static void write_all(struct history *h, struct buf *buf)
{
	buf_init(buf, 1 << 20);
	history_write_csv(h, buf);
	history_write_svg(h, buf);
	cr_assert_eq(buf_check(buf, "history", NULL), ERR_NONE);
}

Test(history, what_is_kept_is_what_comes_back)
{
	struct arena *arena = arena_create(1 << 20);
	struct safetensors list;
	struct history h, again;
	struct buf once, twice;
	struct err err = { 0 };

	history_init(&h, names);
	for (int i = 1; i <= 9; i++) {
		const double value[] = { 1. / i, i == 3 ? (double)NAN : 2. };

		history_step(&h, (const double[HISTORY_COLUMNS]){
				     (double)i, 1. / i, 0.1, 2 });
		cr_assert_eq(history_eval(&h, i, 10 * i, value, &err),
			     ERR_NONE);
	}
	cr_assert_eq(history_list(&h, arena, &list, &err), ERR_NONE);
	history_init(&again, names);
	cr_assert_eq(history_restore(&again, &list, &err), ERR_NONE, "%s",
		     err.msg);
	write_all(&h, &once);
	write_all(&again, &twice);
	cr_expect_str_eq(once.data, twice.data);
	cr_expect(strstr(once.data, "epoch,step,train_loss,valid_loss\n"
				    "1,10,1,2\n2,20,0.5,2\n"));
	/* a figure that was not measured is empty */
	cr_expect(strstr(once.data, "\n3,30,0.3333333333,\n"));
	cr_expect(strstr(once.data, "</svg>"));
	cr_expect_not(strstr(once.data, "nan"));
	buf_finish(&once);
	buf_finish(&twice);
	history_finish(&h);
	history_finish(&again);
	arena_destroy(arena);
}

Test(history, another_job_s_is_refused)
{
	static const char *const other[] = { "train_loss", NULL };
	struct arena *arena = arena_create(1 << 20);
	const double value[] = { 1, 2 };
	struct safetensors list;
	struct history h, again;
	struct err err = { 0 };

	history_init(&h, names);
	cr_assert_eq(history_eval(&h, 1, 1, value, &err), ERR_NONE);
	cr_assert_eq(history_list(&h, arena, &list, &err), ERR_NONE);
	history_init(&again, other);
	cr_expect_eq(history_restore(&again, &list, &err), ERR_FORMAT);
	h.stride = 0;
	history_init(&again, names);
	cr_expect_eq(history_restore(&again, &list, &err), ERR_FORMAT);
	history_finish(&h);
	history_finish(&again);
	arena_destroy(arena);
}

Test(history, a_run_without_steps_has_a_picture)
{
	struct history h;
	struct buf buf;

	history_init(&h, names);
	write_all(&h, &buf);
	cr_expect(strstr(buf.data, "</svg>"));
	cr_expect_not(strstr(buf.data, "inf"));
	buf_finish(&buf);
	history_finish(&h);
}
