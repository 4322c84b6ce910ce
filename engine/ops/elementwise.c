/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/elementwise.h"

#include <string.h>

#include "engine/ops/broadcast.h"

/* Elements folded at a time; a chunk stays in the first cache. */
enum { FOLD_CHUNK = 512, LOOP_NAME_CAP = 64 };

enum err_code elementwise_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const int64_t n = shape_count(&query->out[0].shape);

	(void)err;
	ret->n_slices = query->want_slices > 0 ? query->want_slices : 1;
	if (ret->n_slices > n)
		ret->n_slices = n > 0 ? (unsigned)n : 1;
	return ERR_NONE;
}

/* A row whose first attribute is a text has a loop for each of its values. */
const struct loop *elementwise_loop(const struct op *op, const void *attrs,
				    bool reference)
{
	const char *variant;
	char name[LOOP_NAME_CAP];

	snprintf(name, sizeof(name), "%s", op->name);
	if (op->attrs && op->attrs[0].kind == ATTR_STRING) {
		memcpy(&variant, (const char *)attrs + op->attrs[0].offset,
		       sizeof(variant));
		snprintf(name, sizeof(name), "%s.%s", op->name, variant);
	}
	return reference ? loop_find_reference(name) : loop_find(name);
}

/* An attribute of either kind of number. */
static double number(const struct op_attr *attr, const void *attrs)
{
	const char *at = (const char *)attrs + attr->offset;
	double real;
	int64_t whole;

	memcpy(&real, at, sizeof(real));
	memcpy(&whole, at, sizeof(whole));
	return attr->kind == ATTR_INT ? (double)whole : real;
}

void elementwise_params(const struct op *op, const void *attrs,
			const struct loop *loop, double ret[LOOP_MAX_PARAMS])
{
	for (unsigned i = 0; i < LOOP_MAX_PARAMS; i++)
		ret[i] = i < loop->n_params ? number(&op->attrs[i], attrs) : 0;
}

static const struct loop *loop_of(const struct kernel_query *query,
				  bool reference)
{
	return elementwise_loop(query->op, query->attrs, reference);
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	/* a const row needs no finish(); state has no const in its type
	 * NOLINTNEXTLINE(performance-no-int-to-ptr) */
	ret->state = (void *)(uintptr_t)loop_of(query, false);
	return elementwise_prepare(query, ret, err);
}

static bool fits(const struct kernel_query *query)
{
	const struct loop *loop = loop_of(query, false);
	const enum dtype elem = query->in[0].type.elem;

	for (unsigned i = 1; i < query->n_in; i++)
		if (query->in[i].type.elem != elem &&
		    query->in[i].type.elem != DTYPE_NONE)
			return false;
	return loop && loop->run[elem];
}

/* Microseconds to begin a row. */
#define ROW_US 8e-3

static double cost(const struct kernel_query *query)
{
	const struct loop *loop = loop_of(query, false);
	const double n = (double)shape_count(&query->out[0].shape);
	const double folds = query->n_in > 2 ? query->n_in - 1 : 1;
	const struct shape *shape[LOOP_MAX_IN] = { NULL };
	struct broadcast b;
	unsigned n_in = 0;

	for (; n_in < query->n_in && n_in < LOOP_MAX_IN; n_in++)
		shape[n_in] = &query->in[n_in].shape;
	broadcast_init(&b, &query->out[0].shape, shape, n_in);
	return 0.05 + 1e-3 * loop->ns * folds * n +
	       ROW_US * n / (double)(b.dim[b.rank - 1] + 1);
}

struct call {
	const struct kernel_call *kernel;
	loop_run *run;
	size_t in_size, out_size;
	double params[LOOP_MAX_PARAMS];
};

static void call_init(struct call *call, const struct kernel_call *kernel,
		      const struct loop *loop)
{
	const struct kernel_query *query = kernel->query;

	memset(call, 0, sizeof(*call));
	call->kernel = kernel;
	/* a function, which cppcheck takes for its result */
	/* cppcheck-suppress assignBoolToPointer */
	call->run = loop->run[query->in[0].type.elem];
	call->in_size = dtype_info(query->in[0].type.elem)->size;
	call->out_size = dtype_info(query->out[0].type.elem)->size;
	elementwise_params(query->op, query->attrs, loop, call->params);
}

/* NULL for an absent input. */
static const void *in_at(const struct call *call, unsigned i, int64_t at)
{
	if (!call->kernel->in[i])
		return NULL;
	return (const char *)call->kernel->in[i] + (size_t)at * call->in_size;
}

static void *out_at(const struct call *call, int64_t at)
{
	return (char *)call->kernel->out[0] + (size_t)at * call->out_size;
}

/* The loop over elements first to last - 1 of the output, of which the first
 * lies at `to`; n_in inputs from number `from` on. */
static void run_rows(const struct call *call, unsigned from, unsigned n_in,
		     int64_t first, int64_t last, void *to)
{
	const struct kernel_query *query = call->kernel->query;
	const struct shape *shape[LOOP_MAX_IN] = { NULL };
	const void *in[LOOP_MAX_IN] = { NULL };
	int step[LOOP_MAX_IN] = { 0 };
	struct broadcast_row row;
	struct broadcast b;

	for (unsigned i = 0; i < n_in; i++)
		shape[i] = &query->in[from + i].shape;
	broadcast_init(&b, &query->out[0].shape, shape, n_in);
	for (unsigned i = 0; i < n_in; i++)
		step[i] = b.step[i][b.rank - 1] != 0;
	broadcast_first(&b, first, last, &row);
	while (broadcast_next(&b, &row)) {
		for (unsigned i = 0; i < n_in; i++)
			in[i] = in_at(call, from + i, row.in[i]);
		if (!call->run(row.n, in, step,
			       (char *)to +
				   (size_t)(row.at - first) * call->out_size,
			       call->params))
			kernel_fault(call->kernel, row.at);
	}
}

/* Input i joins a chunk of n elements of the output from `at`. */
static void fold_input(const struct call *call, unsigned i, int64_t at,
		       int64_t n, void *chunk)
{
	const struct kernel_query *query = call->kernel->query;
	const struct shape *shape = &query->in[i].shape;
	const void *in[LOOP_MAX_IN] = { NULL };
	int step[LOOP_MAX_IN] = { 1, 0 };
	struct broadcast_row row;
	struct broadcast b;

	broadcast_init(&b, &query->out[0].shape, &shape, 1);
	step[1] = b.step[0][b.rank - 1] != 0;
	broadcast_first(&b, at, at + n, &row);
	while (broadcast_next(&b, &row)) {
		char *to =
		    (char *)chunk + (size_t)(row.at - at) * call->out_size;

		in[0] = to;
		in[1] = in_at(call, i, row.in[0]);
		(void)call->run(row.n, in, step, to, call->params);
	}
}

/* The chunk lies apart until it is whole: out 0 may be one of the inputs. */
static void run_fold(const struct call *call, int64_t first, int64_t last)
{
	_Alignas(64) char chunk[FOLD_CHUNK * sizeof(double)];

	for (int64_t at = first; at < last; at += FOLD_CHUNK) {
		const int64_t left = last - at;
		const int64_t n = left < FOLD_CHUNK ? left : FOLD_CHUNK;

		run_rows(call, 0, 2, at, at + n, chunk);
		for (unsigned i = 2; i < call->kernel->query->n_in; i++)
			fold_input(call, i, at, n, chunk);
		memcpy(out_at(call, at), chunk, (size_t)n * call->out_size);
	}
}

/* Sum, Max and Min of one or of many; others have as many as their loop. */
static bool folds(const struct kernel_query *query)
{
	return query->op->in[0].flags & PORT_VARIADIC && query->n_in != 2;
}

static void run(const struct kernel_call *kernel, unsigned slice, void *scratch)
{
	struct call call;
	int64_t first, last;

	(void)scratch;
	call_init(&call, kernel, kernel->state);
	kernel_slice(shape_count(&kernel->query->out[0].shape),
		     kernel->n_slices, slice, &first, &last);
	if (!folds(kernel->query))
		run_rows(&call, 0, kernel->query->n_in, first, last,
			 out_at(&call, first));
	else if (kernel->query->n_in > 1)
		run_fold(&call, first, last);
	else if (call.kernel->in[0] != call.kernel->out[0])
		memcpy(out_at(&call, first), in_at(&call, 0, first),
		       (size_t)(last - first) * call.out_size);
}

/* Element by element, each input's place by division. */
static void run_reference(const struct kernel_call *kernel, unsigned slice,
			  void *scratch)
{
	const struct kernel_query *query = kernel->query;
	const struct shape *out = &query->out[0].shape;
	const int64_t n = shape_count(out);
	const int step[LOOP_MAX_IN] = { 0 };
	const void *in[LOOP_MAX_IN] = { NULL };
	struct call call;

	(void)slice;
	(void)scratch;
	call_init(&call, kernel, loop_of(query, true));
	for (int64_t at = 0; at < n; at++) {
		const unsigned n_first = folds(query) ? 1 : query->n_in;

		for (unsigned i = 0; i < n_first; i++)
			in[i] = in_at(
			    &call, i,
			    broadcast_index(out, &query->in[i].shape, at));
		if (folds(query))
			memcpy(out_at(&call, at), in[0], call.out_size);
		else if (!call.run(1, in, step, out_at(&call, at), call.params))
			kernel_fault(kernel, at);
		for (unsigned i = n_first; i < query->n_in; i++) {
			in[0] = out_at(&call, at);
			in[1] = in_at(
			    &call, i,
			    broadcast_index(out, &query->in[i].shape, at));
			(void)call.run(1, in, step, out_at(&call, at),
				       call.params);
		}
	}
}

const struct kernel elementwise_fast = {
	.name = "elementwise.simd",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
const struct kernel elementwise_test_fast = {
	.name = "elementwise_test.simd",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
const struct kernel elementwise_reference = {
	.name = "elementwise.reference",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.run = run_reference,
};

const struct kernel *const elementwise_kernels[] = { &elementwise_fast,
						     &elementwise_reference,
						     NULL };
const struct kernel *const elementwise_test_kernels[] = {
	&elementwise_test_fast, &elementwise_reference, NULL
};
