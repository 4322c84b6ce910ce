/* SPDX-License-Identifier: Apache-2.0 */
#include "training/lr_finder.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "base/doc.h"

/* A curve whose losses are given, smoothed and as they were. */
static void fill(struct lr_curve *curve, size_t n, double (*loss)(double))
{
	*curve = (struct lr_curve){ .n = n };
	for (size_t i = 0; i < n; i++) {
		curve->rate[i] = lr_find_rate(i);
		curve->loss[i] = loss(log10(curve->rate[i]));
		curve->batch_loss[i] = curve->loss[i];
		curve->start_loss[i] = loss(-7);
	}
}

/* level, down from 1e-4 to 1e-1, up after 1 */
static double usual(double x)
{
	if (x < -4)
		return 2;
	if (x < -1)
		return 2 - (x + 4) / 2;
	return x < 0 ? 0.5 : 0.5 + 3 * x;
}

static double rising(double x)
{
	return x;
}

Test(lr_finder, rates_rise_geometrically)
{
	cr_expect_float_eq(lr_find_rate(0), 1e-7, 1e-15);
	cr_expect_float_eq(lr_find_rate(50), 1e-3, 1e-12);
	cr_expect_float_eq(lr_find_rate(100), 10, 1e-9);
}

Test(lr_finder, suggestions_are_where_the_curve_says)
{
	struct lr_curve curve;
	struct lr_suggestions s;

	fill(&curve, 95, usual);
	s = lr_suggest(&curve);
	/* the way down ends at point 75 and has 39 points: 36 + 13 + 6 */
	cr_expect_float_eq(s.valley, lr_find_rate(55), 1e-3 * s.valley);
	cr_expect(s.steep >= 1e-4 && s.steep < 1e-1, "%g", s.steep);
	cr_expect_float_eq(s.minimum, lr_find_rate(75) / 10, 1e-9);
	cr_expect(s.slide > 1e-4 && s.slide <= 1, "%g", s.slide);
	cr_expect_eq(lr_curve_choose(&curve), s.middle);
}

/* down around 1e-3, lowest at 1, then a cliff, which averages keep away from */
static double one_fall(double x)
{
	return 2 - tanh(2 * (x + 3)) + (x > 0 ? exp(20 * x) - 1 : -x / 100);
}

Test(lr_finder, the_middle_is_between_the_fastest_fall_and_the_lowest_loss)
{
	struct lr_curve curve;
	double smooth;

	fill(&curve, 100, one_fall);
	smooth = lr_suggest(&curve).middle;
	cr_expect(smooth > 0.01 && smooth < 0.04, "%g", smooth);
	/* noise, and a batch of its own, move it by a step or two */
	for (size_t i = 0; i < curve.n; i++) {
		curve.batch_loss[i] += i % 2 ? 0.2 : -0.3;
		curve.start_loss[i] += i % 2 ? 0.3 : -0.2;
	}
	curve.batch_loss[60] = 1e4;
	smooth = lr_suggest(&curve).middle;
	cr_expect(smooth > 0.01 && smooth < 0.04, "%g", smooth);
}

/* A network that was trained before: batches differ by 0.1, and within 100 of
 * them nothing falls; from 1e-2 on it rises. */
Test(lr_finder, luck_is_no_fall)
{
	struct lr_curve curve;
	double rate;

	fill(&curve, 100, usual);
	for (size_t i = 0; i < curve.n; i++) {
		const double x = log10(curve.rate[i]);

		curve.start_loss[i] = 0.8 + (double)(i * 7 % 11) / 30;
		curve.batch_loss[i] = curve.start_loss[i];
		curve.batch_loss[i] -= i > 15 && i < 22 ? 0.1 : 0;
		curve.batch_loss[i] += x > -2 ? 1 : 0;
	}
	rate = lr_suggest(&curve).middle;
	cr_expect(rate > 5e-4 && rate < 2e-3, "%g", rate);
	for (size_t i = 0; i < curve.n; i++)
		curve.batch_loss[i] = curve.start_loss[i];
	cr_expect(isnan(lr_suggest(&curve).middle));
	cr_expect_eq(lr_curve_choose(&curve), lr_suggest(&curve).valley);
}

/* Of a curve that only rises, rates up to the rise; the one that ended lowest
 * is taken, and one that diverged never. */
Test(lr_finder, what_shows_no_fall_is_tried)
{
	struct lr_curve curve;
	double rates[LR_TRIALS];

	fill(&curve, 100, usual);
	cr_expect_eq(lr_curve_rates_to_try(&curve, rates), 0);
	for (size_t i = 0; i < curve.n; i++) {
		curve.start_loss[i] = 0.8 + (double)(i * 7 % 11) / 30;
		curve.batch_loss[i] = curve.start_loss[i];
	}
	cr_expect_eq(lr_curve_rates_to_try(&curve, rates), 0, "no rise");
	for (size_t i = 62; i < curve.n; i++)
		curve.batch_loss[i] += 1;
	cr_assert_eq(lr_curve_rates_to_try(&curve, rates), LR_TRIALS);
	cr_expect_eq(rates[0], lr_suggest(&curve).middle);
	cr_expect_float_eq(rates[1], rates[0] * sqrt(10), 1e-9);
	cr_expect_float_eq(rates[2], rates[0] * 10, 1e-9);
	curve.n_trials = LR_TRIALS;
	for (size_t i = 0; i < LR_TRIALS; i++)
		curve.trial[i] =
		    (struct lr_trial){ rates[i], 1 - 0.1 * (double)i };
	cr_expect_eq(lr_curve_choose(&curve), rates[2]);
	curve.trial[2].loss = (double)NAN;
	cr_expect_eq(lr_curve_choose(&curve), rates[1]);
	curve.trial[0].loss = 0.5;
	cr_expect_eq(lr_curve_choose(&curve), rates[0]);
	curve.n = 18;
	cr_expect_eq(lr_curve_rates_to_try(&curve, rates), 0, "too short");
}

/* What is smoothed lags behind, and the further the longer it was level: the
 * same fall is seen two powers of ten too late, or its middle too early. */
Test(lr_finder, the_middle_does_not_lag)
{
	struct lr_curve curve = { 0 };
	struct lr_suggestions s;

	fill(&curve, LR_FIND_STEPS, one_fall);
	curve.n = 0;
	for (size_t i = 0;; i++) {
		if (!lr_curve_add(&curve, one_fall(log10(lr_find_rate(i)))))
			break;
	}
	s = lr_suggest(&curve);
	cr_expect(s.middle > 0.01 && s.middle < 0.04, "%g", s.middle);
	cr_expect_lt(s.valley, s.middle / 3);
}

Test(lr_finder, a_curve_that_says_nothing_suggests_nothing)
{
	struct lr_curve curve;

	fill(&curve, 18, usual);
	cr_expect(isnan(lr_suggest(&curve).steep));
	cr_expect_eq(lr_curve_choose(&curve), 0);
	fill(&curve, 100, rising);
	cr_expect(isnan(lr_suggest(&curve).valley));
	cr_expect_gt(lr_curve_choose(&curve), 0);
}

Test(lr_finder, the_run_ends_at_four_times_the_best_and_at_nan)
{
	struct lr_curve curve = { .start_loss = { [1] = 1 } };
	size_t n = 0;

	while (lr_curve_add(&curve, n < 20 ? 1 : 1000))
		n++;
	cr_expect_eq(n, 20);
	/* but not where it would do as well without having learned */
	curve = (struct lr_curve){ .start_loss = { 1e-3, 1, 1, 1, 1, 1 } };
	for (n = 0; lr_curve_add(&curve, n ? 1 : 1e-3); n++)
		;
	cr_expect_eq(n, 6);
	curve = (struct lr_curve){ 0 };
	cr_expect(lr_curve_add(&curve, 1));
	cr_expect_not(lr_curve_add(&curve, (double)NAN));
	cr_expect_eq(curve.n, 1);
	curve = (struct lr_curve){ 0 };
	for (n = 1; lr_curve_add(&curve, 1); n++)
		;
	cr_expect_eq(n, 100);
}

/* Gradient descent on a x^2 / 2 from 1: the best rate is 1 / a, and from 2 / a
 * on it diverges. The grid's step is a fifth. */
Test(lr_finder, finds_a_good_rate_of_a_parabola)
{
	for (double a = 1; a < 300; a *= 3) {
		struct lr_curve curve = { 0 };
		double x = 1, best;

		for (size_t i = 0; i < LR_FIND_STEPS; i++)
			curve.start_loss[i] = a / 2;

		for (size_t i = 0; lr_curve_add(&curve, a * x * x / 2); i++)
			x -= lr_find_rate(i) * a * x;
		best = a * lr_suggest(&curve).minimum;
		cr_expect(best > 1 / (3 * 1.21) && best < 3, "%g: %g", a, best);
		best = a * lr_curve_choose(&curve);
		cr_expect(best > 1. / 3 && best < 3, "%g: %g", a, best);
	}
}

/* Both are whole, and hold all suggestions. */
Test(lr_finder, its_files_have_the_curve_and_all_suggestions)
{
	static const char *const names[] = { "middle", "steep", "valley",
					     "minimum", "slide" };
	struct arena *arena = arena_create(1 << 20);
	struct lr_curve curve = { 0 };
	struct doc *doc;
	struct buf buf;

	for (size_t i = 0; i < LR_FIND_STEPS; i++) {
		const double x = (double)i / 10 - 7;

		curve.start_loss[i] = 3;
		if (!lr_curve_add(&curve, 2 - tanh(x + 2) + exp(3 * (x - 1))))
			break;
	}
	curve.trial[curve.n_trials++] = (struct lr_trial){ 0.25, 2.5 };
	buf_init(&buf, 1 << 20);
	lr_curve_write_file(&curve, 0.5, &buf);
	cr_assert_eq(
	    doc_parse_json(buf.data, buf.len, "lr_find", arena, &doc, NULL),
	    ERR_NONE);
	cr_expect_eq(doc_find(doc, "learning_rate")->number, 0.5);
	cr_expect_eq(doc_find(doc, "rate")->n, curve.n);
	cr_expect_eq(doc_find(doc, "loss")->n, curve.n);
	cr_expect_eq(doc_find(doc, "batch_loss")->n, curve.n);
	cr_assert_eq(doc_find(doc, "trials")->n, 1);
	buf_put(&buf, "", 1);
	cr_expect(
	    strstr(buf.data, "\"trials\":[{\"rate\":0.25,\"loss\":2.5}]"));
	buf_finish(&buf);
	buf_init(&buf, 1 << 20);
	lr_curve_write_svg(&curve, 0.5, &buf);
	buf_put(&buf, "", 1);
	cr_expect(strstr(buf.data, "<svg ") && strstr(buf.data, "</svg>"));
	cr_expect(strstr(buf.data, ">taken 0.5</text>"));
	cr_expect_null(strstr(buf.data, "nan"));
	cr_expect_null(strstr(buf.data, "inf"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct doc *s = doc_find(doc, "suggestions");
		char text[64];

		s = doc_find(s, names[i]);
		cr_assert(s && s->number > 0, "%s", names[i]);
		(void)snprintf(text, sizeof(text), ">%s %.3g</text>", names[i],
			       s->number);
		cr_expect(strstr(buf.data, text), "%s", text);
	}
	buf_finish(&buf);
	arena_destroy(arena);
}

Test(lr_finder, a_picture_of_no_curve_has_no_lines_outside)
{
	const struct lr_curve none = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 20);
	lr_curve_write_svg(&none, (double)NAN, &buf);
	buf_put(&buf, "", 1);
	cr_expect(strstr(buf.data, "</svg>"));
	cr_expect_null(strstr(buf.data, "nan"));
	cr_expect_null(strstr(buf.data, "inf"));
	buf_finish(&buf);
}
