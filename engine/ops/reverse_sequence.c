/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ReverseSequence: turns round the first sequence_lens[b] steps of sequence b;
 * the others stay. dX is ReverseSequence of dY.
 */
#include <string.h>

#include "engine/ops/move.h"

struct reverse_attrs {
	int64_t batch_axis, time_axis;
};

static enum err_code reverse_infer(struct infer *infer, struct err *err)
{
	const struct reverse_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const struct shape *lens = &infer->in[1].shape;

	if (attrs->batch_axis == attrs->time_axis)
		return err_set(err, ERR_INVALID,
			       "attributes 'batch_axis' and 'time_axis': "
			       "expected 0 and 1 or 1 and 0, got %lld twice",
			       (long long)attrs->time_axis);
	if (x->rank < 2)
		return infer_fail(err,
				  "input 'input': expected rank 2 or more, got "
				  "%u",
				  x->rank);
	if (lens->rank != 1 || lens->dim[0] != x->dim[attrs->batch_axis])
		return infer_fail(err,
				  "input 'sequence_lens': expected %lld "
				  "lengths, one a sequence, got %lld",
				  (long long)x->dim[attrs->batch_axis],
				  (long long)shape_count(lens));
	return infer_same(infer, err);
}

static enum err_code reverse_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, y->shape.dim[0] * y->shape.dim[1],
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void reverse_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct reverse_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const int64_t *lens = call->in[1];
	const int64_t width = x->dim[1], steps = x->dim[attrs->time_axis];
	const int64_t step = attrs->time_axis ? 1 : width; /* in rows */
	const size_t bytes =
	    (size_t)shape_range(x, 2, x->rank) * query_size(call->query);
	int64_t first, last;

	(void)scratch;
	kernel_slice(x->dim[0] * width, call->n_slices, slice, &first, &last);
	for (int64_t i = first; bytes && i < last; i++) {
		const int64_t b = attrs->batch_axis ? i % width : i / width;
		const int64_t t = attrs->time_axis ? i % width : i / width;
		char *to = (char *)call->out[0] + (size_t)i * bytes;
		int64_t from = i;

		if (lens[b] < 0 || lens[b] > steps) {
			memset(to, 0, bytes);
			kernel_fault(call, i);
			continue;
		}
		if (t < lens[b])
			from += (lens[b] - 1 - 2 * t) * step;
		memcpy(to, (const char *)call->in[0] + (size_t)from * bytes,
		       bytes);
	}
}

static const struct kernel reverse_kernel = {
	.name = "reverse_sequence.rows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = reverse_prepare,
	.run = reverse_run,
};
static const struct kernel *const reverse_kernels[] = { &reverse_kernel, NULL };

static const struct port reverse_in[] = {
	{ "input", "T:any", 0 },
	{ "sequence_lens", "int64", 0 },
	{ 0 },
};
static const struct port reverse_out[] = { { "Y", "T", 0 }, { 0 } };

static const struct op_attr reverse_attrs[] = {
	{ .name = "batch_axis",
	  .help = "the axis of sequences, 0 or 1",
	  .offset = offsetof(struct reverse_attrs, batch_axis),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ .name = "time_axis",
	  .help = "the axis of steps, the other one",
	  .offset = offsetof(struct reverse_attrs, time_axis),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

static const struct op_case reverse_cases[] = {
	{ .name = "time first",
	  .graph = "y = ReverseSequence(x:float[4,3], "
		   "n:int64[3]={4,0,3})" },
	{ .name = "batch first",
	  .graph = "y = ReverseSequence<batch_axis=0, time_axis=1>("
		   "x:float[2,5,3], n:int64[2]={2,5})" },
	{ .name = "bytes",
	  .graph = "y = ReverseSequence(x:uint8[3,2], n:int64[2]={1,2})" },
	{ .name = "no step",
	  .graph = "y = ReverseSequence(x:float[0,2,3], n:int64[2]={0,0})" },
	{ .name = "sliced",
	  .graph = "y = ReverseSequence<batch_axis=0, time_axis=1>("
		   "x:float[3,80,90], n:int64[3]={7,80,1})" },
	{ .name = "the same axis",
	  .graph = "y = ReverseSequence<batch_axis=0>(x:float[2,2], "
		   "n:int64[2]={1,1})",
	  .want = ERR_INVALID },
	{ .name = "too few lengths",
	  .graph = "y = ReverseSequence(x:float[2,3], n:int64[2]={1,1})",
	  .want = ERR_SHAPE },
	{ .name = "vector",
	  .graph = "y = ReverseSequence(x:float[2], n:int64[2]={1,1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_reverse_sequence;
const struct op op_reverse_sequence = {
	.domain = "",
	.name = "ReverseSequence",
	.help = "Turns sequences of different lengths round.",
	.since = 10,
	.flags = OP_MOVES,
	.in = reverse_in,
	.out = reverse_out,
	.attrs = reverse_attrs,
	.attrs_size = sizeof(struct reverse_attrs),
	.infer = reverse_infer,
	.kernels = reverse_kernels,
	.grad = "dinput = ReverseSequence<batch_axis=@batch_axis, "
		"time_axis=@time_axis>(dY, sequence_lens)",
	.cases = reverse_cases,
};
