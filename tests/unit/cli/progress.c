/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <criterion/criterion.h>

#include "base/doc.h"
#include "cli/terminal.h"

static const char step[] =
    "{\"type\":\"step\",\"progress\":{\"percent\":44.4,\"epoch\":1,"
    "\"epochs\":3,\"step\":400,\"total_steps\":900,\"samples_seen\":25600,"
    "\"samples_per_second\":12345.6,\"eta_seconds\":83.2},"
    "\"latest\":{\"train_loss\":0.51234,\"learning_rate\":0.001}}";
static const char eval[] =
    "{\"type\":\"eval\",\"epoch\":1,\"step\":938,\"is_best\":true,"
    "\"metrics\":{\"train_loss\":0.5,\"valid_loss\":0.4,"
    "\"valid_accuracy\":0.8765,\"test_loss\":null}}";

static struct progress progress;
static struct buf buf;

static void setup(void)
{
	progress_init(&progress);
	buf_init(&buf, 4096);
}

static void teardown(void)
{
	buf_finish(&buf);
}

TestSuite(progress, .init = setup, .fini = teardown);

static void take(void (*fn)(struct progress *, const struct doc *),
		 const char *text)
{
	struct arena *arena = arena_create(1 << 20);
	struct doc *doc;

	cr_assert_eq(
	    doc_parse_json(text, strlen(text), "event", arena, &doc, NULL),
	    ERR_NONE);
	fn(&progress, doc);
	arena_destroy(arena);
}

Test(progress, a_step_is_one_line)
{
	take(progress_take_step, step);
	progress_line(&progress, &buf);
	cr_assert_str_eq(buf.data,
			 "epoch 1/3  step 400/900 (44%)  train_loss 0.5123  "
			 "12,346 samples/s  ETA 1m23s");
}

Test(progress, an_evaluation_is_one_line)
{
	take(progress_take_step, step);
	take(progress_take_eval, eval);
	progress_eval_line(&progress, &buf);
	cr_assert_str_eq(buf.data,
			 "epoch 1/3  step 938  train_loss 0.5  valid_loss 0.4  "
			 "valid_accuracy 0.8765 (best)");
	cr_assert_str_eq(progress_main(&progress)->name, "valid_accuracy");
}

Test(progress, a_bar_leaves_out_what_does_not_fit)
{
	static const struct {
		unsigned width;
		const char *want;
	} cases[] = {
		{ 22, "epoch 1/3 [====>     ]" },
		{ 30, "epoch 1/3 [=====>      ]   44%" },
		{ 72, "epoch 1/3 [=======>          ]   44%  loss 0.5123  "
		      "valid_accuracy 0.8765" },
		{ 140,
		  "epoch 1/3 [=============>                ]   44%  loss "
		  "0.5123  valid_accuracy 0.8765  ETA 1m23s  12,346 samples/s"
		  "  step 400/900" },
	};

	take(progress_take_eval, eval);
	take(progress_take_step, step);
	for (unsigned width = 0; width < 200; width++) {
		buf_reset(&buf);
		progress_bar(&progress, width, &buf);
		cr_assert(terminal_columns(buf.len ? buf.data : "") <= width);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&buf);
		progress_bar(&progress, cases[i].width, &buf);
		cr_assert_str_eq(buf.data, cases[i].want);
	}
	buf_reset(&buf);
	progress_bar(&progress, 5, &buf);
	cr_assert_eq(buf.len, 0);
}

Test(progress, a_bar_is_full_at_the_end_and_empty_at_the_start)
{
	progress_bar(&progress, 26, &buf);
	cr_assert_str_eq(buf.data, "epoch 0 [>         ]    0%");
	buf_reset(&buf);
	progress.percent = 100;
	progress_bar(&progress, 26, &buf);
	cr_assert_str_eq(buf.data, "epoch 0 [==========]  100%");
	buf_reset(&buf);
	progress.percent = 1e9;
	progress_bar(&progress, 26, &buf);
	cr_assert_leq(buf.len, 26);
}

Test(progress, events_of_another_form_change_nothing)
{
	static const char *const odd[] = {
		"{}",
		"{\"progress\": 3, \"latest\": []}",
		"{\"progress\": {\"step\": -4, \"percent\": \"x\", "
		"\"epoch\": 1.5}}",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		take(progress_take_step, odd[i]);
	cr_assert_eq(progress.step, 0);
	cr_assert_eq(progress.epoch, 0);
	progress_line(&progress, &buf);
	cr_assert_str_eq(buf.data, "epoch 0  step 0 (0%)");
	take(progress_take_eval, "{\"metrics\": [1, 2]}");
	cr_assert_eq(progress.n_metrics, 0);
	cr_assert_null(progress_main(&progress));
}

Test(progress, more_metrics_than_there_is_room_for_are_left_out)
{
	struct buf text;

	buf_init(&text, 4096);
	buf_puts(&text, "{\"metrics\": {\"a\": 1");
	for (int i = 0; i < 40; i++)
		buf_printf(&text, ",\"m%d\": %d", i, i);
	buf_puts(&text, "}}");
	take(progress_take_eval, text.data);
	cr_assert_eq(progress.n_metrics, PROGRESS_METRICS);
	buf_finish(&text);
}

Test(progress, durations_have_two_units_at_most)
{
	static const struct {
		double seconds;
		const char *want;
	} cases[] = {
		{ 0, "0s" },	      { 7.4, "7s" }, { 65, "1m05s" },
		{ 7380, "2h03m" },    { -5, "0s" },  { 1e30, ">99h" },
		{ 359999, "99h59m" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&buf);
		progress_duration(cases[i].seconds, &buf);
		cr_assert_str_eq(buf.data, cases[i].want);
	}
}
