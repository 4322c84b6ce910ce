/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <math.h>

#include "base/doc.h"
#include "base/str.h"
#include "cli/terminal.h"

enum { BAR_MIN = 10, BAR_MAX = 30, PARTS = 6, PART_MAX = 96 };

void progress_init(struct progress *progress)
{
	*progress = (struct progress){ .train_loss = (double)NAN };
}

/* --- events --- */

static bool is_number(const struct doc *doc)
{
	return doc && (doc->kind == DOC_INT || doc->kind == DOC_DOUBLE);
}

static double number_of(const struct doc *map, const char *key,
			double otherwise)
{
	const struct doc *value = doc_find(map, key);

	return is_number(value) ? value->number : otherwise;
}

static int64_t count_of(const struct doc *map, const char *key,
			int64_t otherwise)
{
	const struct doc *value = doc_find(map, key);

	return value && value->kind == DOC_INT && value->integer >= 0
		   ? value->integer
		   : otherwise;
}

void progress_take_step(struct progress *progress, const struct doc *event)
{
	const struct doc *p = doc_find(event, "progress");

	progress->epoch = count_of(p, "epoch", progress->epoch);
	progress->epochs = count_of(p, "epochs", progress->epochs);
	progress->step = count_of(p, "step", progress->step);
	progress->total_steps =
	    count_of(p, "total_steps", progress->total_steps);
	progress->percent = number_of(p, "percent", progress->percent);
	progress->samples_per_second = number_of(p, "samples_per_second", 0);
	progress->eta_seconds = number_of(p, "eta_seconds", 0);
	progress->train_loss = number_of(doc_find(event, "latest"),
					 "train_loss", progress->train_loss);
}

void progress_take_eval(struct progress *progress, const struct doc *event)
{
	const struct doc *metrics = doc_find(event, "metrics");
	const struct doc *best = doc_find(event, "is_best");

	progress->epoch = count_of(event, "epoch", progress->epoch);
	progress->step = count_of(event, "step", progress->step);
	progress->is_best = best && best->kind == DOC_BOOL && best->boolean;
	progress->n_metrics = 0;
	for (const struct doc *m = metrics ? metrics->first : NULL; m;
	     m = m->next) {
		struct progress_metric *metric =
		    &progress->metric[progress->n_metrics];

		if (!is_number(m) || !m->key ||
		    progress->n_metrics >= PROGRESS_METRICS)
			continue;
		(void)str_copy(metric->name, sizeof(metric->name), m->key);
		metric->value = m->number;
		progress->n_metrics++;
	}
}

const struct progress_metric *progress_main(const struct progress *progress)
{
	for (unsigned i = progress->n_metrics; i > 0; i--) {
		if (str_starts_with(progress->metric[i - 1].name, "valid_"))
			return &progress->metric[i - 1];
	}
	return progress->n_metrics ? &progress->metric[progress->n_metrics - 1]
				   : NULL;
}

/* --- pieces of text --- */

void progress_duration(double seconds, struct buf *buf)
{
	/* a hundred hours and more are only "long" */
	long long s =
	    seconds > 0 && seconds < 360000 ? (long long)(seconds + 0.5) : 0;

	if (!(seconds < 360000))
		buf_puts(buf, ">99h");
	else if (s < 60)
		buf_printf(buf, "%llds", s);
	else if (s < 3600)
		buf_printf(buf, "%lldm%02llds", s / 60, s % 60);
	else
		buf_printf(buf, "%lldh%02lldm", s / 3600, s % 3600 / 60);
}

/* 1234567.8 as 1,234,568 */
static void add_grouped(struct buf *buf, double value)
{
	char digits[32];
	size_t n;

	if (!(value >= 0) || value > 1e15)
		value = 0;
	n = (size_t)snprintf(digits, sizeof(digits), "%.0f", value);
	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf_putc(buf, ',');
		buf_putc(buf, digits[i]);
	}
}

static void add_epoch(const struct progress *p, struct buf *buf)
{
	buf_printf(buf, "epoch %lld", (long long)p->epoch);
	if (p->epochs)
		buf_printf(buf, "/%lld", (long long)p->epochs);
}

static void add_step(const struct progress *p, struct buf *buf)
{
	buf_printf(buf, "step %lld", (long long)p->step);
	if (p->total_steps)
		buf_printf(buf, "/%lld", (long long)p->total_steps);
}

static void add_metric(const struct progress_metric *metric, struct buf *buf)
{
	terminal_clean(buf, metric->name);
	buf_printf(buf, " %.4g", metric->value);
}

/* --- lines --- */

void progress_line(const struct progress *p, struct buf *buf)
{
	add_epoch(p, buf);
	buf_puts(buf, "  ");
	add_step(p, buf);
	buf_printf(buf, " (%.0f%%)", p->percent);
	if (!isnan(p->train_loss))
		buf_printf(buf, "  train_loss %.4g", p->train_loss);
	if (p->samples_per_second > 0) {
		buf_puts(buf, "  ");
		add_grouped(buf, p->samples_per_second);
		buf_puts(buf, " samples/s  ETA ");
		progress_duration(p->eta_seconds, buf);
	}
}

void progress_eval_line(const struct progress *p, struct buf *buf)
{
	add_epoch(p, buf);
	buf_printf(buf, "  step %lld", (long long)p->step);
	for (unsigned i = 0; i < p->n_metrics; i++) {
		buf_puts(buf, "  ");
		add_metric(&p->metric[i], buf);
	}
	if (p->is_best)
		buf_puts(buf, " (best)");
}

void progress_metrics(const struct doc *metrics, struct buf *buf)
{
	bool is_first = true;

	for (const struct doc *m = metrics ? metrics->first : NULL; m;
	     m = m->next) {
		if (!is_number(m) || !m->key)
			continue;
		buf_puts(buf, is_first ? "" : "  ");
		terminal_clean(buf, m->key);
		buf_printf(buf, " %.4g", m->number);
		is_first = false;
	}
}

/* --- the bar --- */

static void add_bar(struct buf *buf, unsigned width, double percent)
{
	double part = percent > 0 ? (percent < 100 ? percent : 100) / 100 : 0;
	unsigned full = (unsigned)(part * width);

	buf_putc(buf, '[');
	for (unsigned i = 0; i < width; i++)
		buf_puts(buf, i < full ? "=" : i == full ? ">" : " ");
	buf_putc(buf, ']');
}

/* What may stand behind the bar, the most useful first. */
static unsigned write_parts(const struct progress *p,
			    char part[PARTS][PART_MAX])
{
	const struct progress_metric *metric = progress_main(p);
	struct buf buf[PARTS];
	unsigned n = 0;

	for (unsigned i = 0; i < PARTS; i++)
		buf_init(&buf[i], PART_MAX - 1);
	buf_printf(&buf[n++], "%3.0f%%", p->percent);
	if (!isnan(p->train_loss))
		buf_printf(&buf[n++], "loss %.4g", p->train_loss);
	if (metric)
		add_metric(metric, &buf[n++]);
	if (p->samples_per_second > 0) {
		buf_puts(&buf[n], "ETA ");
		progress_duration(p->eta_seconds, &buf[n++]);
		add_grouped(&buf[n], p->samples_per_second);
		buf_puts(&buf[n++], " samples/s");
	}
	add_step(p, &buf[n++]);
	for (unsigned i = 0; i < PARTS; i++) {
		(void)str_copy(part[i], PART_MAX,
			       buf[i].len && !buf[i].fault ? buf[i].data : "");
		buf_finish(&buf[i]);
	}
	return n;
}

void progress_bar(const struct progress *progress, unsigned width,
		  struct buf *buf)
{
	char part[PARTS][PART_MAX];
	unsigned n = write_parts(progress, part), used, bar, shown = 0;
	struct buf head;

	buf_init(&head, PART_MAX);
	add_epoch(progress, &head);
	used = (unsigned)head.len + 1 + BAR_MIN + 2; /* with its brackets */
	while (shown < n && used + 2 + terminal_columns(part[shown]) <= width) {
		used += 2 + terminal_columns(part[shown]);
		shown++;
	}
	bar = BAR_MIN + (used < width ? width - used : 0);
	if (used <= width) {
		buf_puts(buf, head.len ? head.data : "");
		buf_putc(buf, ' ');
		add_bar(buf, bar > BAR_MAX ? BAR_MAX : bar, progress->percent);
	}
	for (unsigned i = 0; i < shown; i++) {
		buf_puts(buf, "  ");
		buf_puts(buf, part[i]);
	}
	buf_finish(&head);
}
