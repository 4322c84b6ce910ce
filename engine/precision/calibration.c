/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Calibration: rows are run through plans, first in fp32 with every value that
 * should become narrow as an output too, then with what became of the graph.
 */
#include <math.h>
#include <string.h>

#include "engine/instance.h"
#include "engine/precision/precision_priv.h"

/* Outputs of further rows are not kept to compare with. */
#define KEPT_BYTES_MAX ((size_t)256 << 20)

/* A graph planned for the shapes of the last row. */
struct runner {
	const struct graph *graph;
	const struct precision_options *options;
	struct plan *plan;
	struct instance *instance;
	const struct tensor_view *row; /* planned for */
};

static void runner_finish(struct runner *runner)
{
	instance_destroy(runner->instance);
	plan_unref(runner->plan);
	runner->instance = NULL;
	runner->plan = NULL;
}

static bool has_shapes_of(const struct runner *runner,
			  const struct tensor_view *row)
{
	for (int32_t i = 0; i < runner->graph->n_input; i++)
		if (!shape_equal(&runner->row[i].shape, &row[i].shape))
			return false;
	return true;
}

/* Values of inputs that decide shapes are in the plan: a plan a row then. */
static bool is_shaped_by_values(const struct runner *runner)
{
	for (int32_t i = 0; i < runner->graph->n_input; i++)
		if (runner->row[i].dtype != DTYPE_F32 &&
		    shape_count(&runner->row[i].shape) <= SHAPE_MAX_RANK)
			return true;
	return false;
}

static enum err_code plan_for(struct runner *runner,
			      const struct tensor_view *row, struct err *err)
{
	const size_t n = (size_t)runner->graph->n_input;
	struct arena *arena;
	struct fact *fact;
	struct signature signature = { .n = (unsigned)n };
	enum err_code rc;

	if (runner->instance && has_shapes_of(runner, row) &&
	    !is_shaped_by_values(runner))
		return ERR_NONE;
	runner_finish(runner);
	runner->row = row;
	arena = arena_create(1 << 20);
	fact = arena ? arena_array(arena, n + 1, sizeof(*fact)) : NULL;
	if (!fact) {
		arena_destroy(arena);
		return err_set(err, ERR_NO_MEMORY, "precision: out of memory");
	}
	for (size_t i = 0; i < n; i++)
		fact[i] = (struct fact){
			.type = { .elem = row[i].dtype },
			.shape = row[i].shape,
			.has_shape = true,
			.value =
			    row[i].dtype != DTYPE_F32 &&
				    shape_count(&row[i].shape) <= SHAPE_MAX_RANK
				? row[i].data
				: NULL,
		};
	signature.input = fact;
	rc = plan_create(runner->graph, &signature, &runner->options->plan,
			 &runner->plan, err);
	arena_destroy(arena);
	return rc ? rc : instance_create(runner->plan, &runner->instance, err);
}

static enum err_code run_row(struct runner *runner, unsigned number,
			     struct err *err)
{
	const struct tensor_view *row = runner->options->row[number];
	enum err_code rc = plan_for(runner, row, err);

	if (rc)
		return rc;
	for (int32_t i = 0; i < runner->graph->n_input; i++) {
		const size_t bytes = tensor_bytes(row[i].dtype, &row[i].shape);

		if (bytes)
			memcpy(
			    instance_input(runner->instance, (unsigned)i).data,
			    row[i].data, bytes);
	}
	rc = instance_run(runner->instance, NULL, err);
	return rc ? err_prefix(err, "row %u of calibration", number) : ERR_NONE;
}

/* ---- ranges -------------------------------------------------------------- */

static void see(struct range *range, const struct tensor_view *view)
{
	const float *x = view->data;
	const int64_t n = shape_count(&view->shape);
	double low = range->low, high = range->high, sum = 0, squares = 0;

	if (view->dtype != DTYPE_F32 || !n)
		return;
	if (!range->n)
		low = high = (double)x[0];
	for (int64_t i = 0; i < n; i++) {
		const double v = (double)x[i];

		low = v < low ? v : low;
		high = v > high ? v : high;
		sum += v;
		squares += v * v;
	}
	range->low = low;
	range->high = high;
	range->sum += sum;
	range->squares += squares;
	range->n += n;
}

/* What shares a scale has one range, but each its own power. */
static void join_ranges(struct work *work)
{
	for (int32_t i = 0; i < work->n_value; i++) {
		struct range *own = &work->range[i];
		struct range *all = &work->range[marks_root(work, i)];

		if (!own->n || own == all)
			continue;
		if (!all->n)
			*all = *own;
		all->low = own->low < all->low ? own->low : all->low;
		all->high = own->high > all->high ? own->high : all->high;
	}
	for (int32_t i = 0; i < work->n_value; i++) {
		const struct range *all = &work->range[marks_root(work, i)];

		work->range[i].low = all->low;
		work->range[i].high = all->high;
	}
}

/* *bytes_left: of what may still be kept; 0 afterwards: no more. */
static enum err_code keep(const struct work *work, struct runner *runner,
			  struct reference *ret, size_t *bytes_left,
			  struct err *err)
{
	struct tensor_view *to =
	    ret->view + (size_t)ret->n_rows * (size_t)ret->n_out;
	size_t taken = 0;

	for (int32_t i = 0; i < ret->n_out; i++) {
		const struct tensor_view view =
		    instance_output(runner->instance, (unsigned)i);
		const size_t bytes = tensor_bytes(view.dtype, &view.shape);

		to[i] = view;
		to[i].data = NULL;
		taken += bytes;
		if (!dtype_is_float(view.dtype) || !bytes)
			continue;
		to[i].data = arena_copy(work->arena, view.data, bytes);
		if (!to[i].data)
			return err_set(err, ERR_NO_MEMORY,
				       "precision: out of memory");
	}
	ret->n_rows++;
	*bytes_left = taken < *bytes_left ? *bytes_left - taken : 0;
	return ERR_NONE;
}

static enum err_code see_rows(struct work *work, const struct graph *watched,
			      struct reference *ret, struct err *err)
{
	struct runner runner = { .graph = watched, .options = work->options };
	size_t bytes_left = KEPT_BYTES_MAX;
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < work->options->n_rows && !rc; i++) {
		rc = run_row(&runner, i, err);
		for (int32_t k = ret->n_out; k < watched->n_output && !rc;
		     k++) {
			const struct tensor_view view =
			    instance_output(runner.instance, (unsigned)k);

			see(&work->range[watched->output[k]], &view);
		}
		if (!rc && bytes_left)
			rc = keep(work, &runner, ret, &bytes_left, err);
	}
	runner_finish(&runner);
	return rc;
}

enum err_code calibrate(struct work *work, struct reference *ret,
			struct err *err)
{
	const unsigned n_rows = work->options->n_rows;
	struct graph *watched = NULL;
	enum err_code rc = graph_clone(work->graph, &watched, err);

	ret->n_rows = 0;
	ret->n_out = work->graph->n_output;
	ret->view =
	    arena_array(work->arena, (size_t)n_rows * (size_t)ret->n_out + 1,
			sizeof(*ret->view));
	if (!rc && !ret->view)
		rc = err_set(err, ERR_NO_MEMORY, "precision: out of memory");
	for (int32_t i = 0; i < work->n_value && !rc; i++)
		if (work->is_wanted[i])
			rc = graph_add_output(watched, i, err);
	if (!rc)
		rc = see_rows(work, watched, ret, err);
	graph_destroy(watched);
	if (!rc)
		join_ranges(work);
	return rc;
}

/* ---- deviation ----------------------------------------------------------- */

static double number_at(const struct tensor_view *view, int64_t i)
{
	double x;

	dtype_convert(view->dtype,
		      (const char *)view->data +
			  (size_t)i * dtype_info(view->dtype)->size,
		      DTYPE_F64, &x, 1, false);
	return x;
}

/* A number that is none where fp32 has one is infinitely far. */
static void compare_view(const struct tensor_view *want,
			 const struct tensor_view *got,
			 struct precision_report *report)
{
	if (!want->data || !got->data ||
	    !shape_equal(&want->shape, &got->shape))
		return;
	for (int64_t i = 0; i < shape_count(&want->shape); i++) {
		const double a = number_at(want, i), b = number_at(got, i);
		const double off = fabs(a - b);

		if (!isfinite(a))
			continue;
		report->largest =
		    fabs(a) > report->largest ? fabs(a) : report->largest;
		if (!(off <= report->deviation))
			report->deviation = isnan(off) ? HUGE_VAL : off;
	}
}

enum err_code compare(const struct work *work,
		      const struct reference *reference,
		      struct precision_report *report, struct err *err)
{
	struct runner runner = { .graph = work->graph,
				 .options = work->options };
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < reference->n_rows && !rc; i++) {
		rc = run_row(&runner, i, err);
		for (int32_t k = 0; k < reference->n_out && !rc; k++) {
			const struct tensor_view got =
			    instance_output(runner.instance, (unsigned)k);

			compare_view(
			    &reference
				 ->view[(size_t)i * (size_t)reference->n_out +
					(size_t)k],
			    &got, report);
		}
	}
	runner_finish(&runner);
	report->n_rows = reference->n_rows;
	return rc;
}
