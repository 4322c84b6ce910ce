/* SPDX-License-Identifier: Apache-2.0 */
#include "op_case.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

void case_fail(struct case_test *test, const char *format, ...)
{
	va_list args;

	buf_printf(test->failures, "%s, case '%s': ", test->op->name,
		   test->row->name);
	va_start(args, format);
	buf_vprintf(test->failures, format, args);
	va_end(args);
	buf_putc(test->failures, '\n');
}

static void draw_texts(struct str *text, int64_t n, struct rng rng)
{
	static const char *const words[] = { "", "a", "b", "word", "3.5" };

	for (int64_t i = 0; i < n; i++) {
		text[i].bytes = words[rng_below(rng, (uint64_t)i, 5)];
		text[i].len = strlen(text[i].bytes);
	}
}

void case_draw(enum dtype dtype, void *data, int64_t n, double kink,
	       uint32_t stream)
{
	const struct rng rng = { .seed = 20, .stream = stream };
	const size_t size = dtype_info(dtype)->size;

	if (dtype == DTYPE_STRING) {
		draw_texts(data, n, rng);
		return;
	}
	for (int64_t i = 0; i < n; i++) {
		char *to = (char *)data + (size_t)i * size;
		double x = (double)rng_normal(rng, (uint64_t)i);

		x += x < 0 ? -kink : kink;
		if (!dtype_is_float(dtype))
			x = (double)rng_below(rng, (uint64_t)i,
					      dtype == DTYPE_BOOL ? 2 : 4);
		if (dtype == DTYPE_C64 || dtype == DTYPE_C128)
			memset(to, 0, size);
		else
			dtype_convert(DTYPE_F64, &x, dtype, to, 1, true);
	}
}

static enum err_code draw_inputs(struct case_graph *graph, double kink,
				 struct err *err)
{
	struct graph *g = graph->graph;

	graph->data =
	    arena_array(g->arena, (size_t)g->n_input + 1, sizeof(*graph->data));
	for (int32_t i = 0; graph->data && i < g->n_input; i++) {
		struct tensor_view *view = &graph->data[i];

		view->dtype = g->value[g->input[i]].type.elem;
		view->shape = graph->input[i].shape;
		view->data = arena_aligned(
		    g->arena, tensor_bytes(view->dtype, &view->shape) + 1);
		if (!view->data)
			return err_set(err, ERR_NO_MEMORY, "no memory");
		case_draw(view->dtype, view->data, shape_count(&view->shape),
			  kink, (uint32_t)i);
	}
	for (int32_t i = 0; i < g->n_variable; i++)
		case_draw(g->variable[i].view.dtype, g->variable[i].view.data,
			  shape_count(&g->variable[i].view.shape), kink,
			  1000 + (uint32_t)i);
	return graph->data ? ERR_NONE
			   : err_set(err, ERR_NO_MEMORY, "no memory");
}

enum err_code case_graph_create(const char *text, double kink,
				struct case_graph *ret, struct err *err)
{
	enum err_code rc;

	memset(ret, 0, sizeof(*ret));
	rc = graph_text_parse(text, &ret->graph, &ret->input, err);
	if (rc) {
		ret->graph = NULL;
		return rc;
	}
	rc = facts_create(ret->graph, ret->input, &ret->facts, err);
	if (!rc)
		rc = draw_inputs(ret, kink, err);
	if (rc)
		case_graph_finish(ret);
	return rc;
}

void case_graph_finish(struct case_graph *graph)
{
	facts_destroy(graph->facts);
	graph_destroy(graph->graph);
	memset(graph, 0, sizeof(*graph));
}

char *case_text_in_double(const char *text)
{
	struct buf buf;
	const char *at = text, *hit;

	buf_init(&buf, 1 << 16);
	while ((hit = strstr(at, ":float["))) {
		buf_put(&buf, at, (size_t)(hit - at));
		buf_puts(&buf, ":double[");
		at = hit + strlen(":float[");
	}
	buf_puts(&buf, at);
	return buf_take(&buf);
}

double case_element(enum dtype dtype, const void *data, int64_t i)
{
	const char *at =
	    (const char *)data + (size_t)i * dtype_info(dtype)->size;
	double value = 0;

	if (dtype == DTYPE_STRING) {
		const struct str *text = (const struct str *)(const void *)at;

		for (size_t j = 0; j < text->len; j++)
			value = value * 31 + (unsigned char)text->bytes[j];
		return fmod(value, 1e9);
	}
	if (dtype == DTYPE_C64 || dtype == DTYPE_C128)
		return 0;
	dtype_convert(dtype, at, DTYPE_F64, &value, 1, true);
	return value;
}

double case_tolerance(const struct case_test *test)
{
	return test->row->tolerance > 0 ? test->row->tolerance : 1e-5;
}

static bool is_near(double want, double got, double distance)
{
	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got);
	if (isinf(want) || isinf(got))
		return want == got;
	return fabs(want - got) <= distance;
}

bool case_compare(struct case_test *test, const char *what,
		  const struct fact *fact, const void *want, const void *got,
		  double tolerance)
{
	const enum dtype elem = fact->type.elem;
	const int64_t n = shape_count(&fact->shape);
	double largest = 0;

	for (int64_t i = 0; i < n; i++) {
		const double x = fabs(case_element(elem, want, i));

		if (isfinite(x) && x > largest)
			largest = x;
	}
	if (!dtype_is_float(elem))
		tolerance = 0;
	for (int64_t i = 0; i < n; i++) {
		const double x = case_element(elem, want, i);
		const double y = case_element(elem, got, i);

		if (!is_near(x, y, tolerance * largest)) {
			case_fail(test,
				  "%s: element %lld is %.9g, expected %.9g "
				  "(largest %.3g, tolerance %.1g)",
				  what, (long long)i, y, x, largest, tolerance);
			return false;
		}
	}
	return true;
}
