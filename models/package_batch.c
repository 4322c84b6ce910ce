/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "models/package_priv.h"

/* The check by which a model may batch: what its operators say, and where that
 * is not enough two random rows in one run against the same rows alone. Wrong
 * answers to somebody else's rows are the worst that a batcher can do, so
 * whatever cannot be checked does not batch. */

enum { ROWS = 2, TENSORS_MAX = 64 };
#define CHECK_BYTES_MAX ((size_t)512 << 20)
#define RUN_BYTES_MAX ((size_t)2 << 30)
/* above this a plan with the best kernels pays */
#define QUICK_US 5000.0

/* Kernels may sum in another order for other numbers of rows. */
#define TOLERANCE 1e-3
#define TOLERANCE_HALF 2e-2

struct check {
	const struct graph *graph;
	const struct model_signature *signature;
	struct packs *packs;
	struct arena *arena;
	struct tensor_view rows[TENSORS_MAX]; /* inputs of two rows */
	/* by number of rows; both live to the end, so that they share packs */
	struct plan *plan[ROWS + 1];
};

struct outputs {
	struct tensor_view view[TENSORS_MAX];
};

/* --- inputs --- */

static bool make_rows(struct check *check, int64_t open)
{
	for (unsigned i = 0; i < check->signature->n_inputs; i++) {
		const struct signature_port *port = &check->signature->input[i];
		struct tensor_view *view = &check->rows[i];

		*view = (struct tensor_view){ .dtype = port->dtype };
		if (!package_input_shape(port, ROWS, open, &view->shape))
			return false;
		view->data = arena_aligned(
		    check->arena, tensor_bytes(view->dtype, &view->shape) + 1);
		if (!view->data)
			return false;
		package_fill_random(view, i, false);
	}
	return true;
}

/* Rows first ... first + n - 1 of a view, which borrows. */
static struct tensor_view take_rows(const struct tensor_view *view,
				    int64_t first, int64_t n)
{
	struct tensor_view part = *view;
	const size_t bytes = tensor_bytes(view->dtype, &view->shape);
	const int64_t rows = view->shape.dim[0];
	const size_t row_bytes = rows > 0 ? bytes / (size_t)rows : 0;

	part.shape.dim[0] = n;
	part.data = (char *)view->data + (size_t)first * row_bytes;
	return part;
}

/* --- runs --- */

/* Strings live as long as the run that made them. */
static bool keep_strings(struct check *check, struct tensor_view *view)
{
	struct str *str = view->data;
	int64_t n = shape_count(&view->shape);

	for (int64_t i = 0; i < n; i++) {
		str[i].bytes = arena_strndup(
		    check->arena, str[i].bytes ? str[i].bytes : "", str[i].len);
		if (!str[i].bytes)
			return false;
	}
	return true;
}

static bool keep(struct check *check, const struct tensor_view *from,
		 struct tensor_view *to)
{
	*to = *from;
	to->data = arena_copy(check->arena, from->data,
			      tensor_bytes(from->dtype, &from->shape));
	if (!to->data)
		return !tensor_bytes(from->dtype, &from->shape);
	return to->dtype != DTYPE_STRING || keep_strings(check, to);
}

static bool run_interpreter(struct check *check,
			    const struct tensor_view *input,
			    struct outputs *ret)
{
	const struct interpreter_options options = { .max_bytes =
							 RUN_BYTES_MAX };
	struct interpreter_result result;
	bool done = true;

	if (interpret(check->graph, input, &options, &result, NULL))
		return false;
	for (unsigned i = 0; i < check->signature->n_outputs && done; i++) {
		int32_t value = check->graph->output[i];

		done = result.value[value].data &&
		       keep(check, &result.value[value], &ret->view[i]);
	}
	interpreter_result_finish(&result);
	return done;
}

static bool make_plan(const struct check *check,
		      const struct tensor_view *input, struct plan **ret_plan)
{
	struct plan_options options = { .quick = true,
					.memory_limit = RUN_BYTES_MAX,
					.packs = check->packs };
	struct fact fact[TENSORS_MAX];
	struct signature signature = { check->signature->n_inputs, fact };

	for (unsigned i = 0; i < check->signature->n_inputs; i++)
		fact[i] = (struct fact){ .type = { .elem = input[i].dtype },
					 .shape = input[i].shape,
					 .has_shape = true };
	if (plan_create(check->graph, &signature, &options, ret_plan, NULL))
		return false;
	if (plan_report(*ret_plan)->cost_us <= QUICK_US)
		return true;
	plan_unref(*ret_plan);
	*ret_plan = NULL;
	options.quick = false;
	return !plan_create(check->graph, &signature, &options, ret_plan, NULL);
}

/* The plan for n rows. */
static struct plan *plan_of(struct check *check,
			    const struct tensor_view *input, int64_t n)
{
	if (!check->plan[n] && !make_plan(check, input, &check->plan[n]))
		return NULL;
	return check->plan[n];
}

static bool run_plan(struct check *check, const struct tensor_view *input,
		     int64_t n, struct outputs *ret)
{
	struct instance *instance = NULL;
	struct plan *plan = plan_of(check, input, n);
	bool done;

	if (!plan)
		return false;
	done = !instance_create(plan, &instance, NULL);
	for (unsigned i = 0; done && i < check->signature->n_inputs; i++)
		memcpy(instance_input(instance, i).data, input[i].data,
		       tensor_bytes(input[i].dtype, &input[i].shape));
	done = done && !instance_run(instance, NULL, NULL);
	for (unsigned i = 0; done && i < check->signature->n_outputs; i++) {
		struct tensor_view view = instance_output(instance, i);

		done = keep(check, &view, &ret->view[i]);
	}
	instance_destroy(instance);
	return done;
}

static bool run(struct check *check, int64_t first, int64_t n,
		struct outputs *ret)
{
	struct tensor_view input[TENSORS_MAX];

	for (unsigned i = 0; i < check->signature->n_inputs; i++)
		input[i] = take_rows(&check->rows[i], first, n);
	/* what only a run can shape has no plan */
	return run_plan(check, input, n, ret) ||
	       run_interpreter(check, input, ret);
}

/* --- comparison --- */

static double number_at(const struct tensor_view *view, int64_t i)
{
	double x;

	dtype_convert(view->dtype,
		      (const char *)view->data +
			  (size_t)i * dtype_info(view->dtype)->size,
		      DTYPE_F64, &x, 1, false);
	return x;
}

static bool numbers_agree(const struct tensor_view *a,
			  const struct tensor_view *b)
{
	int64_t n = shape_count(&a->shape);
	double largest = 0, tolerance = dtype_info(a->dtype)->size < 4
					    ? TOLERANCE_HALF
					    : TOLERANCE;

	for (int64_t i = 0; i < n; i++) {
		double x = number_at(b, i);

		x = x < 0 ? -x : x;
		largest = x > largest && x < 1e300 ? x : largest;
	}
	for (int64_t i = 0; i < n; i++) {
		double x = number_at(a, i), y = number_at(b, i);
		bool nan = x != x && y != y; /* NOLINT: that is what NaN is */

		if (nan || (x >= y && x <= y))
			continue;
		if (!(x - y <= tolerance * largest &&
		      y - x <= tolerance * largest))
			return false;
	}
	return true;
}

static bool strings_agree(const struct tensor_view *a,
			  const struct tensor_view *b)
{
	const struct str *x = a->data, *y = b->data;
	int64_t n = shape_count(&a->shape);

	for (int64_t i = 0; i < n; i++) {
		if (x[i].len != y[i].len ||
		    (x[i].len && memcmp(x[i].bytes, y[i].bytes, x[i].len) != 0))
			return false;
	}
	return true;
}

static bool views_agree(const struct tensor_view *a,
			const struct tensor_view *b)
{
	size_t bytes = tensor_bytes(a->dtype, &a->shape);

	if (!shape_equal(&a->shape, &b->shape))
		return false;
	if (!bytes || !a->data || !b->data)
		return !bytes;
	if (a->dtype == DTYPE_STRING)
		return strings_agree(a, b);
	if (dtype_is_float(a->dtype))
		return numbers_agree(a, b);
	return !memcmp(a->data, b->data, bytes);
}

static bool rows_agree(const struct check *check, const struct outputs *both,
		       const struct outputs *alone, int64_t row)
{
	for (unsigned i = 0; i < check->signature->n_outputs; i++) {
		const struct tensor_view *view = &both->view[i];
		struct tensor_view part;

		if (!view->shape.rank || view->shape.dim[0] != ROWS)
			return false;
		part = take_rows(view, row, 1);
		if (!views_agree(&part, &alone->view[i]))
			return false;
	}
	return true;
}

/* *ret_ran: two rows could be run at all with this for open extents. */
static bool check_with(struct check *check, int64_t open, bool *ret_ran)
{
	struct outputs both = { 0 }, alone = { 0 };

	*ret_ran = make_rows(check, open) && run(check, 0, ROWS, &both);
	if (!*ret_ran)
		return false;
	for (int64_t row = 0; row < ROWS; row++) {
		if (!run(check, row, 1, &alone) ||
		    !rows_agree(check, &both, &alone, row))
			return false;
	}
	return true;
}

/* Whatever the number of rows: what a constant shape says of two rows is wrong
 * for three. */
static bool rows_are_apart(const struct check *check, int64_t open)
{
	const struct model_signature *signature = check->signature;

	for (int64_t rows = ROWS; rows <= ROWS + 1; rows++) {
		struct fact input[TENSORS_MAX] = { 0 };

		for (unsigned i = 0; i < signature->n_inputs; i++) {
			input[i].type.elem = signature->input[i].dtype;
			input[i].has_shape = true;
			if (!package_input_shape(&signature->input[i], rows,
						 open, &input[i].shape))
				return false;
		}
		if (!package_rows_are_apart(check->graph, input))
			return false;
	}
	return true;
}

static void forget_plans(struct check *check)
{
	for (int64_t n = 0; n <= ROWS; n++) {
		plan_unref(check->plan[n]);
		check->plan[n] = NULL;
	}
}

static bool has_open_extents(const struct model_signature *signature)
{
	for (unsigned i = 0; i < signature->n_inputs; i++) {
		const struct signature_port *port = &signature->input[i];

		for (unsigned d = 1; d < port->rank; d++) {
			if (port->dim[d].extent < 0)
				return true;
		}
	}
	return false;
}

bool package_check_batch(const struct package *package)
{
	static const int64_t extents[] = { 4, 32, 128 };
	const struct model_signature *signature = &package->signature;
	struct check check = { .graph = package->graph,
			       .signature = signature,
			       .packs = package->packs };
	bool agrees = false, ran = false;
	size_t n = has_open_extents(signature)
		       ? sizeof(extents) / sizeof(*extents)
		       : 1;

	if (signature->n_inputs > TENSORS_MAX ||
	    signature->n_outputs > TENSORS_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (rows_are_apart(&check, extents[i]))
			return true;
	for (size_t i = 0; i < n && !ran; i++) {
		check.arena = arena_create(CHECK_BYTES_MAX);
		if (check.arena)
			agrees = check_with(&check, extents[i], &ran);
		forget_plans(&check);
		arena_destroy(check.arena);
	}
	return agrees;
}
