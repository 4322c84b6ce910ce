/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_text.h"

#include <inttypes.h>

#include "server/decimal.h"

void metrics_text_family(struct buf *buf, const char *name, const char *type,
			 const char *help)
{
	buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_name(struct buf *buf, const char *name, const char *suffix,
		     const char *labels)
{
	buf_puts(buf, name);
	buf_puts(buf, suffix);
	if (*labels) {
		buf_putc(buf, '{');
		buf_puts(buf, labels);
		buf_putc(buf, '}');
	}
	buf_putc(buf, ' ');
}

static void put_double(struct buf *buf, double value)
{
	char text[DECIMAL_TEXT_MAX];
	const size_t n = decimal_write_double(text, value);

	buf_put(buf, text, n);
}

static void put_uint(struct buf *buf, uint64_t value)
{
	char text[DECIMAL_TEXT_MAX];
	const size_t n = decimal_write_uint(text, value);

	buf_put(buf, text, n);
}

void metrics_text_sample(struct buf *buf, const char *name, const char *labels,
			 double value)
{
	put_name(buf, name, "", labels);
	put_double(buf, value);
	buf_putc(buf, '\n');
}

void metrics_text_count(struct buf *buf, const char *name, const char *labels,
			uint64_t value)
{
	put_name(buf, name, "", labels);
	put_uint(buf, value);
	buf_putc(buf, '\n');
}

static void put_bucket(struct buf *buf, const char *name, const char *labels,
		       const char *le, size_t le_len, uint64_t count)
{
	buf_puts(buf, name);
	buf_puts(buf, "_bucket{");
	buf_puts(buf, labels);
	buf_puts(buf, *labels ? ",le=\"" : "le=\"");
	buf_put(buf, le, le_len);
	buf_puts(buf, "\"} ");
	put_uint(buf, count);
	buf_putc(buf, '\n');
}

void metrics_text_histogram(struct buf *buf, const char *name,
			    const char *labels,
			    const struct histogram *histogram)
{
	metrics_text_histogram_in(buf, name, labels, histogram,
				  histogram->bounds->unit);
}

void metrics_text_histogram_in(struct buf *buf, const char *name,
			       const char *labels,
			       const struct histogram *histogram, double unit)
{
	const struct histogram_bounds *bounds = histogram->bounds;
	uint64_t count = 0;

	for (unsigned i = 0; i < bounds->n; i++) {
		char le[DECIMAL_TEXT_MAX];
		const size_t n =
		    decimal_write_double(le, (double)bounds->le[i] * unit);

		count += atomic_load_explicit(&histogram->bucket[i],
					      memory_order_relaxed);
		put_bucket(buf, name, labels, le, n, count);
	}
	count += atomic_load_explicit(&histogram->bucket[bounds->n],
				      memory_order_relaxed);
	put_bucket(buf, name, labels, "+Inf", 4, count);
	put_name(buf, name, "_sum", labels);
	put_double(buf, (double)atomic_load_explicit(&histogram->sum,
						     memory_order_relaxed) *
			    unit);
	buf_putc(buf, '\n');
	put_name(buf, name, "_count", labels);
	put_uint(buf, count);
	buf_putc(buf, '\n');
}

const char *metrics_text_label(const char *value, char *to, size_t cap)
{
	size_t n = 0;

	for (; *value && n + 3 < cap; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			to[n++] = '\\';
		to[n++] = (char)(*value == '\n' ? 'n' : *value);
	}
	to[n] = '\0';
	return to;
}
