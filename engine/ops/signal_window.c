/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Windows of `size` points, with M = size, or size - 1 where they are not
 * periodic, and t = 2 pi n / M:
 *   HannWindow      1/2 - 1/2 cos t
 *   HammingWindow   25/46 - 21/46 cos t
 *   BlackmanWindow  0.42 - 0.5 cos t + 0.08 cos 2t
 * A window of one point is 1. MelWeightMatrix: triangles, equal in width on
 * the mel scale (mel(f) = 2595 log10(1 + f / 700)), over the bins of a
 * spectrum; each peak is 1.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/move.h"

enum { BLOCK = 256 };

struct window_attrs {
	int64_t output_datatype, periodic;
};
struct mel_attrs {
	int64_t output_datatype;
};

/* y = a - b cos t + c cos 2t */
struct cosines {
	const char *op;
	double a, b, c;
};

static const struct cosines windows[] = {
	{ "BlackmanWindow", 0.42, 0.5, 0.08 },
	{ "HammingWindow", 25.0 / 46, 21.0 / 46, 0 },
	{ "HannWindow", 0.5, 0.5, 0 },
};

static enum err_code one_number(const struct infer *infer, unsigned i,
				int64_t least, int64_t *number, struct err *err)
{
	const char *name = i		     ? "dft_length"
			   : infer->n_in > 1 ? "num_mel_bins"
					     : "size";
	int64_t list[SHAPE_MAX_RANK];
	enum err_code rc;
	size_t n;

	rc = infer_ints(infer, i, list, &n, err);
	if (rc)
		return rc;
	if (n != 1 || list[0] < least || list[0] > SHAPE_MAX_EXTENT)
		return infer_fail(err,
				  "input '%s': expected one number from %lld "
				  "on, got %lld of them, the first %lld",
				  name, (long long)least, (long long)n,
				  n ? (long long)list[0] : 0);
	*number = list[0];
	return ERR_NONE;
}

static enum err_code window_infer(struct infer *infer, struct err *err)
{
	int64_t size;
	enum err_code rc = infer_real(infer, err);

	if (!rc)
		rc = one_number(infer, 0, 0, &size, err);
	if (rc)
		return rc;
	infer->out[0].shape = (struct shape){ 1, { size } };
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void window_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct window_attrs *attrs = q->attrs;
	const enum dtype elem = q->out[0].type.elem;
	const int64_t size = q->out[0].shape.dim[0];
	const double m = (double)(attrs->periodic ? size : size - 1);
	const struct cosines *w = windows;
	double y[BLOCK];

	(void)slice;
	(void)scratch;
	while (strcmp(w->op, q->op->name) != 0)
		w++;
	for (int64_t first = 0; first < size; first += BLOCK) {
		const int64_t n = size - first < BLOCK ? size - first : BLOCK;

		for (int64_t i = 0; i < n; i++) {
			const double t =
			    size > 1 ? 2 * M_PI * (double)(first + i) / m
				     : M_PI;

			y[i] = w->a - w->b * cos(t) + w->c * cos(2 * t);
		}
		dtype_convert(DTYPE_F64, y, elem,
			      (char *)call->out[0] +
				  (size_t)first * query_size(q),
			      (size_t)n, true);
	}
}

/* ---- MelWeightMatrix ----------------------------------------------------- */

static enum err_code mel_infer(struct infer *infer, struct err *err)
{
	static const char *const names[] = { "num_mel_bins", "dft_length",
					     "sample_rate", "lower_edge_hertz",
					     "upper_edge_hertz" };
	struct shape *y = &infer->out[0].shape;
	int64_t bins, length;
	enum err_code rc = infer_real(infer, err);

	if (!rc)
		rc = one_number(infer, 0, 0, &bins, err);
	if (!rc)
		rc = one_number(infer, 1, 0, &length, err);
	for (unsigned i = 0; i < 5 && !rc; i++)
		if (shape_count(&infer->in[i].shape) != 1)
			rc = infer_fail(
			    err, "input '%s': expected one number, got %lld",
			    names[i],
			    (long long)shape_count(&infer->in[i].shape));
	if (rc)
		return rc;
	*y = (struct shape){ 2, { length / 2 + 1, bins } };
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

struct mel {
	double low, step; /* on the mel scale */
	double scale;	  /* bins a hertz */
	int64_t rows, columns;
	enum dtype elem;
	size_t size;
	char *out;
};

/* The spectrum's bin of edge i; -1 for what is none. */
static int64_t mel_edge(const struct mel *mel, int64_t i)
{
	const double at = mel->low + (double)i * mel->step;
	const double hertz = 700 * expm1(at / 2595 * log(10));
	const double bin = floor(hertz * mel->scale);

	return bin >= 0 && bin < (double)mel->rows ? (int64_t)bin : -1;
}

static void mel_put(const struct mel *mel, int64_t row, int64_t column,
		    double value)
{
	dtype_convert(DTYPE_F64, &value, mel->elem,
		      mel->out +
			  (size_t)(row * mel->columns + column) * mel->size,
		      1, true);
}

static void mel_triangle(const struct mel *mel, int64_t column,
			 const int64_t edge[3])
{
	const double up = (double)(edge[1] - edge[0]);
	const double down = (double)(edge[2] - edge[1]);

	if (edge[0] == edge[1])
		mel_put(mel, edge[1], column, 1);
	else
		for (int64_t i = edge[0]; i <= edge[1]; i++)
			mel_put(mel, i, column, (double)(i - edge[0]) / up);
	for (int64_t i = edge[1]; i < edge[2]; i++)
		mel_put(mel, i, column, (double)(edge[2] - i) / down);
}

static double scalar_at(const struct kernel_call *call, unsigned i)
{
	double value;

	dtype_convert(call->query->in[i].type.elem, call->in[i], DTYPE_F64,
		      &value, 1, false);
	return value;
}

static void mel_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct fact *y = &q->out[0];
	const double length = scalar_at(call, 1);
	const double low = 2595 * log1p(scalar_at(call, 3) / 700) / log(10);
	const double high = 2595 * log1p(scalar_at(call, 4) / 700) / log(10);
	const struct mel mel = {
		.low = low,
		.step = (high - low) / (double)(y->shape.dim[1] + 2),
		.scale = (length + 1) / scalar_at(call, 2),
		.rows = y->shape.dim[0],
		.columns = y->shape.dim[1],
		.elem = y->type.elem,
		.size = query_size(q),
		.out = call->out[0],
	};

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(y->type.elem, &y->shape));
	for (int64_t i = 0; i < mel.columns; i++) {
		const int64_t edge[3] = { mel_edge(&mel, i),
					  mel_edge(&mel, i + 1),
					  mel_edge(&mel, i + 2) };

		if (edge[0] < 0 || edge[1] < edge[0] || edge[2] < edge[1])
			kernel_fault(call, i);
		else
			mel_triangle(&mel, i, edge);
	}
}

static const struct kernel window_kernel = {
	.name = "window.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost_scattered,
	.run = window_run,
};
static const struct kernel mel_kernel = {
	.name = "mel_weights.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost_scattered,
	.run = mel_run,
};
static const struct kernel *const window_kernels[] = { &window_kernel, NULL };
static const struct kernel *const mel_kernels[] = { &mel_kernel, NULL };

static const struct port window_in[] = { { "size", "int32,int64", 0 }, { 0 } };
static const struct port signal_out[] = { { "output", "@output_datatype", 0 },
					  { 0 } };
static const struct port mel_in[] = {
	{ "num_mel_bins", "T1:int32,int64", 0 },
	{ "dft_length", "T1", 0 },
	{ "sample_rate", "T1", 0 },
	{ "lower_edge_hertz", "T2:float,double,float16,bfloat16", 0 },
	{ "upper_edge_hertz", "T2", 0 },
	{ 0 },
};

static const struct op_attr window_attrs[] = {
	{ .name = "output_datatype",
	  .help = "element type of the result",
	  .offset = offsetof(struct window_attrs, output_datatype),
	  .kind = ATTR_INT,
	  .min = 1,
	  .max = DTYPE_BF16,
	  .def = DTYPE_F32 },
	{ .name = "periodic",
	  .help = "1: the next period begins behind the last point",
	  .offset = offsetof(struct window_attrs, periodic),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};
static const struct op_attr mel_attrs[] = {
	{ .name = "output_datatype",
	  .help = "element type of the result",
	  .offset = offsetof(struct mel_attrs, output_datatype),
	  .kind = ATTR_INT,
	  .min = 1,
	  .max = DTYPE_BF16,
	  .def = DTYPE_F32 },
	{ 0 },
};

static const struct op_case blackman_cases[] = {
	{ .name = "periodic", .graph = "y = BlackmanWindow(n:int64[]={10})" },
	{ .name = "symmetric",
	  .graph = "y = BlackmanWindow<periodic=0>(n:int32[]={301})" },
	{ .name = "negative",
	  .graph = "y = BlackmanWindow(n:int64[]={-1})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case hamming_cases[] = {
	{ .name = "periodic", .graph = "y = HammingWindow(n:int64[]={10})" },
	{ .name = "double",
	  .graph = "y = HammingWindow<output_datatype=11>(n:int64[]={10})" },
	{ .name = "one point",
	  .graph = "y = HammingWindow<periodic=0>(n:int64[]={1})" },
	{ 0 },
};
static const struct op_case hann_cases[] = {
	{ .name = "texts",
	  .graph = "y = HannWindow<output_datatype=8>(s:int64[]={5})",
	  .want = ERR_INVALID },
	{ .name = "periodic", .graph = "y = HannWindow(n:int64[]={10})" },
	{ .name = "half",
	  .graph = "y = HannWindow<output_datatype=10>(n:int64[]={9})" },
	{ .name = "bytes",
	  .graph = "y = HannWindow<output_datatype=2>(n:int64[]={9})" },
	{ .name = "none", .graph = "y = HannWindow(n:int64[]={0})" },
	{ .name = "two numbers",
	  .graph = "y = HannWindow(n:int64[2]={3,4})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case mel_cases[] = {
	{ .name = "complex",
	  .graph = "y = MelWeightMatrix<output_datatype=14>(b:int64[]={4}, "
		   "l:int64[]={16}, "
		   "r:int64[]={8000}, f:float[]={0}, t:float[]={4000})",
	  .want = ERR_INVALID },
	{ .name = "speech",
	  .graph = "y = MelWeightMatrix(b:int64[]={8}, n:int64[]={64}, "
		   "r:int64[]={8192}, l:float[]={0}, h:float[]={4096})" },
	{ .name = "double",
	  .graph = "y = MelWeightMatrix<output_datatype=11>(b:int32[]={3}, "
		   "n:int32[]={32}, r:int32[]={100}, l:float16[]={5}, "
		   "h:float16[]={40})" },
	{ .name = "no bins",
	  .graph = "y = MelWeightMatrix(b:int64[]={0}, n:int64[]={64}, "
		   "r:int64[]={8192}, l:float[]={0}, h:float[]={4096})" },
	{ .name = "two rates",
	  .graph = "y = MelWeightMatrix(b:int64[]={8}, n:int64[]={64}, "
		   "r:int64[2]={1,2}, l:float[]={0}, h:float[]={4096})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_blackman_window, op_hamming_window, op_hann_window,
    op_mel_weight_matrix;

const struct op op_blackman_window = {
	.domain = "",
	.name = "BlackmanWindow",
	.help = "A Blackman window.",
	.since = 17,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.value_inputs = 1,
	.in = window_in,
	.out = signal_out,
	.attrs = window_attrs,
	.attrs_size = sizeof(struct window_attrs),
	.infer = window_infer,
	.kernels = window_kernels,
	.cases = blackman_cases,
};

const struct op op_hamming_window = {
	.domain = "",
	.name = "HammingWindow",
	.help = "A Hamming window.",
	.since = 17,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.value_inputs = 1,
	.in = window_in,
	.out = signal_out,
	.attrs = window_attrs,
	.attrs_size = sizeof(struct window_attrs),
	.infer = window_infer,
	.kernels = window_kernels,
	.cases = hamming_cases,
};

const struct op op_hann_window = {
	.domain = "",
	.name = "HannWindow",
	.help = "A Hann window.",
	.since = 17,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.value_inputs = 1,
	.in = window_in,
	.out = signal_out,
	.attrs = window_attrs,
	.attrs_size = sizeof(struct window_attrs),
	.infer = window_infer,
	.kernels = window_kernels,
	.cases = hann_cases,
};

const struct op op_mel_weight_matrix = {
	.domain = "",
	.name = "MelWeightMatrix",
	.help = "Weights from the bins of a spectrum to those of the mel "
		"scale.",
	.since = 17,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.value_inputs = 3,
	.in = mel_in,
	.out = signal_out,
	.attrs = mel_attrs,
	.attrs_size = sizeof(struct mel_attrs),
	.infer = mel_infer,
	.kernels = mel_kernels,
	.cases = mel_cases,
};
