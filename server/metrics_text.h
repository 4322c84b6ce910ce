/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Metrics text: Prometheus' exposition format, version 0.0.4.
 *
 * Labels are given as text that is formatted already ("model=\"a\""); values
 * that come from outside go through metrics_text_label() first.
 *
 * Ownership: borrows the buffer. Threads: one at a time.
 */
#ifndef SERVER_METRICS_TEXT_H
#define SERVER_METRICS_TEXT_H

#include "base/buf.h"
#include "server/histogram.h"

enum { METRICS_LABELS_MAX = 512 };

/** HELP and TYPE. */
void metrics_text_family(struct buf *buf, const char *name, const char *type,
			 const char *help);
void metrics_text_sample(struct buf *buf, const char *name, const char *labels,
			 double value);
void metrics_text_count(struct buf *buf, const char *name, const char *labels,
			uint64_t value);
/** Buckets, sum and count. */
void metrics_text_histogram(struct buf *buf, const char *name,
			    const char *labels,
			    const struct histogram *histogram);
/** The same with 1 of what was observed being worth `unit`. */
void metrics_text_histogram_in(struct buf *buf, const char *name,
			       const char *labels,
			       const struct histogram *histogram, double unit);
/** The value of a label: backslash, quote and newline escaped; cut to cap. */
const char *metrics_text_label(const char *value, char *to, size_t cap);

#endif
