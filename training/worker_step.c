/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What a worker tells of a step: how far it is, how good, and what it takes.
 */
#include <math.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "training/trainer.h"
#include "training/worker_priv.h"

double worker_figure(const void *ctx, const char *name)
{
	const struct trainer_eval *eval = ctx;

	for (size_t i = 0; eval->name && eval->name[i]; i++) {
		if (str_equal(eval->name[i], name))
			return eval->value[i];
	}
	return (double)NAN;
}

void worker_write_best(const struct worker *worker,
		       const struct trainer_eval *best, struct json_writer *w)
{
	const char *monitor = worker->spec.trainer.monitor;

	if (!best || !best->step)
		return;
	json_write_object(w, "best");
	json_write_string(w, "metric", monitor);
	json_write_double(w, "value", worker_figure(best, monitor));
	json_write_int(w, "step", best->step);
	json_write_int(w, "epoch", best->epoch);
	json_write_object_end(w);
}

/* Of this process, which is another one after an interruption. */
static void write_resources(struct json_writer *w)
{
	struct rusage usage = { 0 };

	(void)getrusage(RUSAGE_SELF, &usage); /* fails for no such argument */
	json_write_object(w, "resources");
	json_write_double(
	    w, "cpu_seconds",
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		1e-6 *
		    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
	json_write_int(w, "rss", (int64_t)mem_resident());
	json_write_int(w, "peak_rss", (int64_t)usage.ru_maxrss * 1024);
	json_write_object_end(w);
}

static void write_finish(struct json_writer *w, double eta_seconds)
{
	const double ms = 1000 * eta_seconds;
	char text[CLOCK_TEXT_MAX];

	if (!(ms >= 0 && ms < 1e14)) /* NaN: no speed is known */
		return;
	clock_format_iso8601(clock_realtime_ms() + (int64_t)ms, text);
	json_write_string(w, "estimated_finish", text);
}

void worker_send_step(void *ctx, const struct trainer_progress *p)
{
	struct worker *worker = ctx;
	struct json_writer *w = worker_link_begin(worker->link, "step");

	json_write_object(w, "progress");
	json_write_double(w, "percent", p->percent);
	json_write_int(w, "epoch", p->epoch);
	json_write_int(w, "epochs", p->epochs);
	json_write_int(w, "step", p->step);
	json_write_int(w, "total_steps", p->total_steps);
	json_write_int(w, "samples_seen", p->samples);
	json_write_double(w, "samples_per_second", p->samples_per_second);
	json_write_double(w, "eta_seconds", p->eta_seconds);
	write_finish(w, p->eta_seconds);
	json_write_object_end(w);
	json_write_object(w, "latest");
	json_write_double(w, "train_loss", p->train_loss);
	json_write_double(w, "learning_rate", p->rate);
	json_write_double(w, "momentum", p->momentum);
	json_write_double(w, "grad_norm", p->grad_norm);
	json_write_object_end(w);
	worker_write_best(worker, p->best, w);
	json_write_string(w, "diagnosis", diagnosis_name(p->diagnosis));
	write_resources(w);
	worker_link_end(worker->link);
}
