/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Traces: the trace events that Chrome's viewer and its kin read, one complete
 * event ("X", times in microseconds) a slice.
 */
#include "base/json_write.h"
#include "measure/profile_print.h"

enum { THREADS_MAX = TEAM_MAX + 1, NAMES_MAX = 512 };

struct trace {
	const struct profile *profile;
	struct json_writer writer;
	pthread_t thread[THREADS_MAX]; /* by number */
	unsigned n_threads;
};

/* Threads are counted as they come; the run's own is the first. */
static unsigned number_of(struct trace *trace, pthread_t thread)
{
	unsigned i = 0;

	while (i < trace->n_threads && !pthread_equal(trace->thread[i], thread))
		i++;
	if (i == trace->n_threads && i < THREADS_MAX)
		trace->thread[trace->n_threads++] = thread;
	return i;
}

static void write_event(struct trace *trace, const struct profile_event *event)
{
	const struct profile *profile = trace->profile;
	const struct profile_row *row = &profile->row[event->row];
	struct json_writer *w = &trace->writer;
	char shapes[NAMES_MAX];

	profile_shapes(row, shapes, sizeof(shapes));
	json_write_object(w, NULL);
	json_write_string(w, "name", *row->node ? row->node : row->op);
	json_write_string(w, "cat", row->op);
	json_write_string(w, "ph", "X");
	json_write_uint(w, "pid", 1);
	json_write_uint(w, "tid", number_of(trace, event->thread));
	json_write_double(w, "ts",
			  (double)(event->begin_ns - profile->begin_ns) / 1e3);
	json_write_double(w, "dur",
			  (double)(event->end_ns - event->begin_ns) / 1e3);
	json_write_object(w, "args");
	json_write_uint(w, "step", event->row);
	json_write_uint(w, "slice", event->slice);
	json_write_string(w, "operator", row->op);
	json_write_string(w, "kernel", row->kernel);
	if (*row->implementation)
		json_write_string(w, "implementation", row->implementation);
	json_write_string(w, "operands", shapes);
	json_write_double(w, "predicted_us", row->cost_us);
	json_write_object_end(w);
	json_write_object_end(w);
}

enum err_code profile_write_trace(const struct profile *profile,
				  struct buf *buf, struct err *err)
{
	struct trace trace = { .profile = profile };

	trace.thread[trace.n_threads++] = pthread_self();
	json_write_init(&trace.writer, buf);
	json_write_object(&trace.writer, NULL);
	json_write_array(&trace.writer, "traceEvents");
	for (size_t i = 0; i < profile->n_events; i++)
		write_event(&trace, &profile->event[i]);
	json_write_array_end(&trace.writer);
	json_write_string(&trace.writer, "displayTimeUnit", "ns");
	json_write_object_end(&trace.writer);
	return buf_check(buf, "the trace", err);
}
