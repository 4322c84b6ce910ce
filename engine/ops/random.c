/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Random tensors: RandomNormal, RandomUniform, their Like forms, Bernoulli
 * (1 with the probability that the input gives) and Multinomial (classes by
 * the input's logarithms of their weights).
 *
 * Element e of a result is drawn from number e of a Philox sequence
 * (base/rng.h). With the attribute `seed` the sequence is the same in each run.
 * Without it, each instance of a plan has a seed of its own from the system,
 * and each run is a step of it.
 */
#include <float.h>
#include <math.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/ops/move.h"

enum { BLOCK = 256 };
/* no float of a file has this value */
#define NO_SEED DBL_MAX

struct random_attrs {
	double first, second; /* mean and scale, or low and high */
	double seed;
	int64_t dtype, sample_size;
	struct attr_ints shape;
};

/* What one instance draws from. */
struct source {
	struct rng rng;
	bool is_fixed;
};

/* n values from element `first` on. */
typedef void draw_fn(const struct kernel_call *call, struct rng rng,
		     int64_t first, int64_t n, double *to);

static enum err_code like_infer(struct infer *infer, struct err *err)
{
	const enum err_code rc = infer_real(infer, err);

	return rc ? rc : infer_same(infer, err);
}

static enum err_code shape_infer(struct infer *infer, struct err *err)
{
	const struct random_attrs *attrs = infer->attrs;
	struct shape *y = &infer->out[0].shape;
	enum err_code rc = infer_real(infer, err);

	if (rc)
		return rc;
	if (attrs->shape.n > SHAPE_MAX_RANK)
		return infer_fail(err,
				  "attribute 'shape': expected at most %d "
				  "extents, got %zu",
				  SHAPE_MAX_RANK, attrs->shape.n);
	y->rank = (unsigned)attrs->shape.n;
	for (unsigned i = 0; i < y->rank; i++)
		y->dim[i] = attrs->shape.v[i];
	infer->out[0].has_shape = true;
	return shape_check(y, "attribute 'shape'", err);
}

static enum err_code multinomial_infer(struct infer *infer, struct err *err)
{
	const struct random_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	enum err_code rc = infer_real(infer, err);

	if (rc)
		return rc;
	if (x->rank != 2 || !x->dim[1])
		return infer_fail(
		    err,
		    "input 'input': expected rank 2 and one class "
		    "or more, got rank %u",
		    x->rank);
	*y = (struct shape){ 2, { x->dim[0], attrs->sample_size } };
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

static enum err_code random_bind(struct kernel_call *call, struct err *err)
{
	const struct random_attrs *attrs = call->query->attrs;
	struct source *source = mem_zero(sizeof(*source));
	enum err_code rc = ERR_NONE;

	if (!source)
		return err_set(err, ERR_NO_MEMORY, "random: out of memory");
	source->is_fixed = attrs->seed < NO_SEED;
	if (source->is_fixed)
		dtype_convert(DTYPE_F64, &attrs->seed, DTYPE_F32,
			      &source->rng.seed, 1, false);
	else
		rc = digest_random(&source->rng.seed, sizeof(source->rng.seed),
				   err);
	call->bound = source;
	return rc;
}

/* This run's numbers. */
static struct rng next_rng(const struct kernel_call *call)
{
	struct source *source = call->bound;
	const struct rng rng = source->rng;

	source->rng.step += !source->is_fixed;
	return rng;
}

static void draw_normal(const struct kernel_call *call, struct rng rng,
			int64_t first, int64_t n, double *to)
{
	const struct random_attrs *attrs = call->query->attrs;

	for (int64_t i = 0; i < n; i++)
		to[i] = attrs->first +
			attrs->second *
			    (double)rng_normal(rng, (uint64_t)(first + i));
}

static void draw_uniform(const struct kernel_call *call, struct rng rng,
			 int64_t first, int64_t n, double *to)
{
	const struct random_attrs *attrs = call->query->attrs;

	for (int64_t i = 0; i < n; i++)
		to[i] = attrs->first +
			(attrs->second - attrs->first) *
			    (double)rng_uniform(rng, (uint64_t)(first + i));
}

static void draw_bernoulli(const struct kernel_call *call, struct rng rng,
			   int64_t first, int64_t n, double *to)
{
	const enum dtype elem = call->query->in[0].type.elem;
	const size_t size = dtype_info(elem)->size;

	dtype_convert(elem, (const char *)call->in[0] + (size_t)first * size,
		      DTYPE_F64, to, (size_t)n, false);
	for (int64_t i = 0; i < n; i++)
		to[i] = (double)rng_uniform(rng, (uint64_t)(first + i)) < to[i];
}

static void run_blocks(const struct kernel_call *call, draw_fn *draw)
{
	const struct fact *y = &call->query->out[0];
	const size_t size = query_size(call->query);
	const int64_t count = shape_count(&y->shape);
	const struct rng rng = next_rng(call);
	double block[BLOCK];

	for (int64_t first = 0; first < count; first += BLOCK) {
		const int64_t n = count - first < BLOCK ? count - first : BLOCK;

		draw(call, rng, first, n, block);
		dtype_convert(DTYPE_F64, block, y->type.elem,
			      (char *)call->out[0] + (size_t)first * size,
			      (size_t)n, true);
	}
}

static void normal_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	(void)slice;
	(void)scratch;
	run_blocks(call, draw_normal);
}

static void uniform_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	(void)slice;
	(void)scratch;
	run_blocks(call, draw_uniform);
}

static void bernoulli_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	(void)slice;
	(void)scratch;
	run_blocks(call, draw_bernoulli);
}

/* ---- Multinomial --------------------------------------------------------- */

static enum err_code multinomial_prepare(const struct kernel_query *query,
					 struct kernel_setup *ret,
					 struct err *err)
{
	(void)err;
	ret->scratch_bytes = (size_t)query->in[0].shape.dim[1] * sizeof(double);
	return ERR_NONE;
}

/* Weights from their logarithms, added up; the total. */
static double add_up(double *weight, int64_t n)
{
	double largest = weight[0], total = 0;

	for (int64_t i = 1; i < n; i++)
		largest = weight[i] > largest ? weight[i] : largest;
	for (int64_t i = 0; i < n; i++) {
		total += exp(weight[i] - largest);
		weight[i] = total;
	}
	return total;
}

/* The first of the sums that is above `at`. */
static int64_t class_at(const double *sum, int64_t n, double at)
{
	int64_t low = 0, high = n - 1;

	while (low < high) {
		const int64_t middle = (low + high) / 2;

		if (sum[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void multinomial_run(const struct kernel_call *call, unsigned slice,
			    void *scratch)
{
	const struct fact *x = &call->query->in[0], *y = &call->query->out[0];
	const int64_t n = x->shape.dim[1], samples = y->shape.dim[1];
	const size_t size = dtype_info(x->type.elem)->size;
	const struct rng rng = next_rng(call);

	(void)slice;
	for (int64_t row = 0; row < x->shape.dim[0]; row++) {
		double total;

		dtype_convert(x->type.elem,
			      (const char *)call->in[0] +
				  (size_t)(row * n) * size,
			      DTYPE_F64, scratch, (size_t)n, false);
		total = add_up(scratch, n);
		if (!isfinite(total))
			kernel_fault(call, row);
		for (int64_t i = row * samples; i < (row + 1) * samples; i++) {
			const double at =
			    total * (double)rng_uniform(rng, (uint64_t)i);
			const int64_t found =
			    isfinite(total) ? class_at(scratch, n, at) : 0;

			dtype_convert(DTYPE_I64, &found, y->type.elem,
				      (char *)call->out[0] +
					  (size_t)i * query_size(call->query),
				      1, false);
		}
	}
}

/* about 10 ns a number */
static double random_cost(const struct kernel_query *query)
{
	return 0.2 + (double)shape_count(&query->out[0].shape) / 100;
}

#define RANDOM_KERNEL(label, run_fn, prepare_fn)                \
	static const struct kernel label##_kernel = {           \
		.name = #label ".philox",                       \
		.flags = KERNEL_QUICK,                          \
		.cost = random_cost,                            \
		.prepare = (prepare_fn),                        \
		.bind = random_bind,                            \
		.run = (run_fn),                                \
		.unbind = mem_free,                             \
	};                                                      \
	static const struct kernel *const label##_kernels[] = { \
		&label##_kernel, NULL                           \
	}

RANDOM_KERNEL(normal, normal_run, NULL);
RANDOM_KERNEL(uniform, uniform_run, NULL);
RANDOM_KERNEL(bernoulli, bernoulli_run, NULL);
RANDOM_KERNEL(multinomial, multinomial_run, multinomial_prepare);

static const struct port no_in[] = { { 0 } };
static const struct port like_in[] = { { "input", "T:any", 0 }, { 0 } };
static const struct port weights_in[] = {
	{ "input", "T:float,double,float16,bfloat16", 0 },
	{ 0 },
};
static const struct port shape_out[] = { { "output", "@dtype", 0 }, { 0 } };
static const struct port like_out[] = { { "output", "@dtype:T", 0 }, { 0 } };

/* clang-format off */
#define SEED_ROW                                                             \
	{ .name = "seed", .help = "the same numbers in each run, if given",  \
	  .offset = offsetof(struct random_attrs, seed), .kind = ATTR_FLOAT, \
	  .def = NO_SEED }
#define DTYPE_ROW(value)                                                     \
	{ .name = "dtype", .help = "element type of the result",             \
	  .offset = offsetof(struct random_attrs, dtype), .kind = ATTR_INT,  \
	  .max = DTYPE_BF16, .def = (value) }
#define SHAPE_ROW                                                            \
	{ .name = "shape", .help = "extents of the result",                  \
	  .offset = offsetof(struct random_attrs, shape), .kind = ATTR_INTS, \
	  .flags = ATTR_REQUIRED }
#define FIRST_ROW(label, text)                                               \
	{ .name = (label), .help = (text),                                   \
	  .offset = offsetof(struct random_attrs, first), .kind = ATTR_FLOAT }
#define SECOND_ROW(label, text)                                              \
	{ .name = (label), .help = (text),                                   \
	  .offset = offsetof(struct random_attrs, second),                   \
	  .kind = ATTR_FLOAT, .def = 1 }

static const struct op_attr normal_attrs[] = {
	SHAPE_ROW, DTYPE_ROW(DTYPE_F32), SEED_ROW,
	FIRST_ROW("mean", "mean of the distribution"),
	SECOND_ROW("scale", "standard deviation"), { 0 },
};
static const struct op_attr normal_like_attrs[] = {
	DTYPE_ROW(0), SEED_ROW, FIRST_ROW("mean", "mean of the distribution"),
	SECOND_ROW("scale", "standard deviation"), { 0 },
};
static const struct op_attr uniform_attrs[] = {
	SHAPE_ROW, DTYPE_ROW(DTYPE_F32), SEED_ROW,
	FIRST_ROW("low", "the least number"), SECOND_ROW("high", "the bound"), { 0 },
};
static const struct op_attr uniform_like_attrs[] = {
	DTYPE_ROW(0), SEED_ROW, FIRST_ROW("low", "the least number"),
	SECOND_ROW("high", "the bound"), { 0 },
};
static const struct op_attr bernoulli_attrs[] = { DTYPE_ROW(0), SEED_ROW, { 0 } };
static const struct op_attr multinomial_attrs[] = {
	DTYPE_ROW(DTYPE_I32), SEED_ROW,
	{ .name = "sample_size", .help = "draws from each row",
	  .offset = offsetof(struct random_attrs, sample_size), .kind = ATTR_INT,
	  .max = SHAPE_MAX_EXTENT, .def = 1 },
	{ 0 },
};

static const struct op_case normal_cases[] = {
	{ .name = "matrix", .graph = "y = RandomNormal<shape=[3,500], seed=1>()" },
	{ .name = "double",
	  .graph = "y = RandomNormal<shape=[], dtype=11, mean=5, scale=2, seed=0>()" },
	{ .name = "nothing", .graph = "y = RandomNormal<shape=[0,2], seed=0.5>()" },
	{ .name = "complex", .graph = "y = RandomNormal<shape=[2], dtype=14>()",
	  .want = ERR_INVALID },
	{ .name = "negative", .graph = "y = RandomNormal<shape=[-1]>()", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case normal_like_cases[] = {
	{ .name = "float", .graph = "y = RandomNormalLike<seed=1>(x:float[3,5])" },
	{ .name = "of integers", .graph = "y = RandomNormalLike<seed=1, dtype=10>(x:int32[3])" },
	{ 0 },
};
static const struct op_case uniform_cases[] = {
	{ .name = "matrix", .graph = "y = RandomUniform<shape=[3,500], seed=1>()" },
	{ .name = "bounds",
	  .graph = "y = RandomUniform<shape=[7], dtype=16, low=-3, high=5, seed=2>()" },
	{ 0 },
};
static const struct op_case uniform_like_cases[] = {
	{ .name = "double", .graph = "y = RandomUniformLike<seed=1>(x:double[3,5])" },
	{ .name = "of texts",
	  .graph = "y = RandomUniformLike<seed=1, dtype=1>(x:string[2]={\"a\",\"b\"})" },
	{ .name = "texts", .graph = "y = RandomUniformLike(x:string[2]={\"a\",\"b\"})",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case bernoulli_cases[] = {
	{ .name = "float", .graph = "y = Bernoulli<seed=1>(x:float[3,300])" },
	{ .name = "bool", .graph = "y = Bernoulli<seed=1, dtype=9>(x:double[3,5])" },
	{ .name = "half", .graph = "y = Bernoulli<seed=1>(x:float16[5])" },
	{ .name = "texts", .graph = "y = Bernoulli<dtype=8>(x:float[5])", .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case multinomial_cases[] = {
	{ .name = "one draw", .graph = "y = Multinomial<seed=1>(x:float[3,7])" },
	{ .name = "many",
	  .graph = "y = Multinomial<seed=1, sample_size=50, dtype=7>(x:double[2,9])" },
	{ .name = "texts", .graph = "y = Multinomial<dtype=8>(x:float[3,7])", .want = ERR_INVALID },
	{ .name = "vector", .graph = "y = Multinomial<seed=1>(x:float[3])", .want = ERR_SHAPE },
	{ .name = "no class", .graph = "y = Multinomial<seed=1>(x:float[3,0])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_bernoulli, op_multinomial, op_random_normal,
    op_random_normal_like, op_random_uniform, op_random_uniform_like;

const struct op op_bernoulli = {
	.domain = "",
	.name = "Bernoulli",
	.help = "0 or 1, with the probabilities given.",
	.since = 15,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT | OP_IMPURE,
	.in = weights_in,
	.out = like_out,
	.attrs = bernoulli_attrs,
	.attrs_size = sizeof(struct random_attrs),
	.infer = like_infer,
	.kernels = bernoulli_kernels,
	.cases = bernoulli_cases,
};

const struct op op_multinomial = {
	.domain = "",
	.name = "Multinomial",
	.help = "Classes, drawn by the logarithms of their weights.",
	.since = 7,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT | OP_IMPURE,
	.in = weights_in,
	.out = shape_out,
	.attrs = multinomial_attrs,
	.attrs_size = sizeof(struct random_attrs),
	.infer = multinomial_infer,
	.kernels = multinomial_kernels,
	.cases = multinomial_cases,
};

const struct op op_random_normal = {
	.domain = "",
	.name = "RandomNormal",
	.help = "Numbers of a normal distribution.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT | OP_IMPURE,
	.in = no_in,
	.out = shape_out,
	.attrs = normal_attrs,
	.attrs_size = sizeof(struct random_attrs),
	.infer = shape_infer,
	.kernels = normal_kernels,
	.cases = normal_cases,
};

const struct op op_random_normal_like = {
	.domain = "",
	.name = "RandomNormalLike",
	.help = "Numbers of a normal distribution, in the shape of a tensor.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT | OP_IMPURE,
	.in = like_in,
	.out = like_out,
	.attrs = normal_like_attrs,
	.attrs_size = sizeof(struct random_attrs),
	.infer = like_infer,
	.kernels = normal_kernels,
	.cases = normal_like_cases,
};

const struct op op_random_uniform = {
	.domain = "",
	.name = "RandomUniform",
	.help = "Numbers of a uniform distribution.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT | OP_IMPURE,
	.in = no_in,
	.out = shape_out,
	.attrs = uniform_attrs,
	.attrs_size = sizeof(struct random_attrs),
	.infer = shape_infer,
	.kernels = uniform_kernels,
	.cases = uniform_cases,
};

const struct op op_random_uniform_like = {
	.domain = "",
	.name = "RandomUniformLike",
	.help = "Numbers of a uniform distribution, in the shape of a tensor.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT | OP_IMPURE,
	.in = like_in,
	.out = like_out,
	.attrs = uniform_like_attrs,
	.attrs_size = sizeof(struct random_attrs),
	.infer = like_infer,
	.kernels = uniform_kernels,
	.cases = uniform_like_cases,
};
