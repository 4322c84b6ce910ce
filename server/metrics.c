/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/metrics_machine.h"
#include "server/metrics_text.h"
#include "server/route.h"

/* What a route may answer; the last row stands for all others. */
static const int statuses[] = { 200, 201, 202, 204, 304, 400, 401, 403,
				404, 405, 408, 409, 413, 415, 429, 431,
				499, 500, 501, 503, 504, 507, 0 };
enum { N_STATUS = sizeof(statuses) / sizeof(*statuses) };

struct route_metrics {
	atomic_uint_least64_t by_status[N_STATUS];
	struct histogram duration;
	atomic_uint_least64_t n_in, n_out; /* bytes of bodies */
};

struct metrics {
	atomic_int_least64_t in_flight, connections;
	atomic_uint_least64_t shed[SHED_COUNT];
	struct metrics_machine machine;
	size_t n;
	struct route_metrics route[]; /* the last one: paths without a route */
};

enum err_code metrics_create(struct metrics **ret_metrics, struct err *err)
{
	const size_t n = route_count() + 1;
	struct metrics *metrics =
	    mem_zero(sizeof(*metrics) + n * sizeof(*metrics->route));

	if (!metrics)
		return err_set(err, ERR_NO_MEMORY, "metrics: out of memory");
	metrics->n = n;
	metrics->machine.start_ms = clock_realtime_ms();
	for (size_t i = 0; i < n; i++)
		histogram_init(&metrics->route[i].duration,
			       &histogram_request_times);
	*ret_metrics = metrics;
	return ERR_NONE;
}

void metrics_destroy(struct metrics *metrics)
{
	mem_free(metrics);
}

void metrics_begin(struct metrics *metrics)
{
	atomic_fetch_add_explicit(&metrics->in_flight, 1, memory_order_relaxed);
}

static size_t status_place(int status)
{
	size_t i = 0;

	while (statuses[i] && statuses[i] != status)
		i++;
	return i;
}

void metrics_end(struct metrics *metrics, const struct metrics_request *done)
{
	const size_t i = done->route < 0 ? metrics->n - 1 : (size_t)done->route;
	struct route_metrics *row = &metrics->route[i];

	atomic_fetch_sub_explicit(&metrics->in_flight, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&row->by_status[status_place(done->status)],
				  1, memory_order_relaxed);
	histogram_observe(&row->duration,
			  done->ns > 0 ? (uint64_t)done->ns : 0);
	atomic_fetch_add_explicit(&row->n_in, done->n_in, memory_order_relaxed);
	atomic_fetch_add_explicit(&row->n_out, done->n_out,
				  memory_order_relaxed);
}

void metrics_shed(struct metrics *metrics, enum shed_reason reason)
{
	atomic_fetch_add_explicit(&metrics->shed[reason], 1,
				  memory_order_relaxed);
}

void metrics_connections(struct metrics *metrics, int change)
{
	atomic_fetch_add_explicit(&metrics->connections, change,
				  memory_order_relaxed);
}

int64_t metrics_in_flight(const struct metrics *metrics)
{
	return atomic_load_explicit(&metrics->in_flight, memory_order_relaxed);
}

/* --- text --- */

static void route_labels(size_t i, char *to, size_t cap)
{
	const struct route *route = route_at(i);

	(void)snprintf(to, cap, "route=\"%s\",method=\"%s\"",
		       route ? route->pattern : "other",
		       route ? route->method : "other");
}

static void write_requests(const struct metrics *metrics, struct buf *buf)
{
	static const char name[] = "predictd_http_requests_total";

	metrics_text_family(buf, name, "counter",
			    "Requests by route and status.");
	for (size_t i = 0; i < metrics->n; i++)
		for (size_t s = 0; s < N_STATUS; s++) {
			char route[METRICS_LABELS_MAX];
			char labels[METRICS_LABELS_MAX + 32];
			uint64_t n = atomic_load_explicit(
			    &metrics->route[i].by_status[s],
			    memory_order_relaxed);

			if (!n)
				continue;
			route_labels(i, route, sizeof(route));
			(void)snprintf(labels, sizeof(labels), "%s,code=\"%d\"",
				       route, statuses[s]);
			metrics_text_count(buf, name, labels, n);
		}
}

static bool was_used(const struct route_metrics *route)
{
	for (size_t s = 0; s < N_STATUS; s++)
		if (atomic_load_explicit(&route->by_status[s],
					 memory_order_relaxed))
			return true;
	return false;
}

static void write_durations(const struct metrics *metrics, struct buf *buf)
{
	static const char name[] = "predictd_http_request_duration_seconds";

	metrics_text_family(buf, name, "histogram",
			    "From the head of a request to its answer.");
	for (size_t i = 0; i < metrics->n; i++) {
		char labels[METRICS_LABELS_MAX];

		if (!was_used(&metrics->route[i]))
			continue;
		route_labels(i, labels, sizeof(labels));
		metrics_text_histogram(buf, name, labels,
				       &metrics->route[i].duration);
	}
}

static void write_bytes(const struct metrics *metrics, struct buf *buf)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} table[] = {
		{ "predictd_http_received_bytes_total",
		  "Bytes of bodies of requests, not compressed.",
		  offsetof(struct route_metrics, n_in) },
		{ "predictd_http_sent_bytes_total",
		  "Bytes of bodies of answers, not compressed.",
		  offsetof(struct route_metrics, n_out) },
	};

	for (size_t t = 0; t < sizeof(table) / sizeof(*table); t++) {
		metrics_text_family(buf, table[t].name, "counter",
				    table[t].help);
		for (size_t i = 0; i < metrics->n; i++) {
			char labels[METRICS_LABELS_MAX];
			const atomic_uint_least64_t *counter =
			    (const void *)((const char *)&metrics->route[i] +
					   table[t].offset);

			if (!was_used(&metrics->route[i]))
				continue;
			route_labels(i, labels, sizeof(labels));
			metrics_text_count(buf, table[t].name, labels,
					   atomic_load_explicit(
					       counter, memory_order_relaxed));
		}
	}
}

static void write_gauges(const struct metrics *metrics, struct buf *buf)
{
	static const char *const reasons[SHED_COUNT] = { "reason=\"queue\"",
							 "reason=\"memory\"",
							 "reason=\"not_ready\"",
							 "reason=\"rate\"" };

	metrics_text_family(buf, "predictd_requests_in_flight", "gauge",
			    "Requests that are not answered yet.");
	metrics_text_sample(buf, "predictd_requests_in_flight", "",
			    (double)metrics_in_flight(metrics));
	metrics_text_family(buf, "predictd_connections", "gauge",
			    "Open connections.");
	metrics_text_sample(buf, "predictd_connections", "",
			    (double)atomic_load_explicit(&metrics->connections,
							 memory_order_relaxed));
	metrics_text_family(
	    buf, "predictd_shed_total", "counter",
	    "Requests refused that another time would have been taken.");
	for (int i = 0; i < SHED_COUNT; i++)
		metrics_text_count(buf, "predictd_shed_total", reasons[i],
				   atomic_load_explicit(&metrics->shed[i],
							memory_order_relaxed));
	metrics_text_family(buf, "predictd_build_info", "gauge",
			    "Always 1; the labels say what runs.");
	metrics_text_sample(
	    buf, "predictd_build_info",
	    "version=\"" PREDICTD_VERSION "\",compiler=\"" __VERSION__ "\"", 1);
}

void metrics_write(struct metrics *metrics, struct buf *buf)
{
	write_requests(metrics, buf);
	write_durations(metrics, buf);
	write_bytes(metrics, buf);
	write_gauges(metrics, buf);
	metrics_machine_write(&metrics->machine, buf);
}
