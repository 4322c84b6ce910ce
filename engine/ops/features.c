/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Features of ai.onnx.ml, number by number.
 *
 * Binarizer: 1 where x > threshold, else 0. Imputer: the imputed value of the
 * column where x equals the replaced value (NaN equals NaN), else x. Scaler:
 * (x - offset) scale, by column or with one number for all. Normalizer: each
 * row over its largest element (MAX), its sum of magnitudes (L1) or its length
 * (L2); where that is 0, the row stays.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/elementwise.h"
#include "engine/ops/ml.h"

static const struct port same_out[] = { { "Y", "T", 0 }, { 0 } };

static int64_t last_extent(const struct shape *x)
{
	return x->rank ? x->dim[x->rank - 1] : 1;
}

static void slice_of(const struct kernel_call *call, unsigned slice,
		     int64_t *ret_first, int64_t *ret_last)
{
	kernel_slice(shape_count(&call->query->in[0].shape), call->n_slices,
		     slice, ret_first, ret_last);
}

/* Binarizer */

struct binarizer_attrs {
	double threshold;
};
static const struct op_attr binarizer_attr_rows[] = {
	{ .name = "threshold",
	  .help = "what is above becomes 1",
	  .offset = offsetof(struct binarizer_attrs, threshold),
	  .kind = ATTR_FLOAT },
	{ 0 },
};

static void binarizer_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	const struct binarizer_attrs *attrs = call->query->attrs;
	const enum dtype elem = call->query->in[0].type.elem;
	const size_t size = dtype_info(elem)->size;
	int64_t first, last;

	(void)scratch;
	slice_of(call, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const bool above =
		    ml_number(elem, call->in[0], i) > attrs->threshold;

		dtype_convert(DTYPE_BOOL, &above, elem,
			      (char *)call->out[0] + (size_t)i * size, 1, true);
	}
}

static const struct kernel binarizer = {
	.name = "binarizer",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = ml_cost,
	.prepare = elementwise_prepare,
	.run = binarizer_run,
};

/* Imputer */

struct imputer_attrs {
	struct attr_floats imputed_value_floats;
	struct attr_ints imputed_value_int64s;
	double replaced_value_float;
	int64_t replaced_value_int64;
};
static const struct op_attr imputer_attr_rows[] = {
	{ .name = "imputed_value_floats",
	  .help = "what comes in its place, one number or one a column",
	  .offset = offsetof(struct imputer_attrs, imputed_value_floats),
	  .kind = ATTR_FLOATS },
	{ .name = "imputed_value_int64s",
	  .help = "the same, of integers",
	  .offset = offsetof(struct imputer_attrs, imputed_value_int64s),
	  .kind = ATTR_INTS },
	{ .name = "replaced_value_float",
	  .help = "what stands for a missing value",
	  .offset = offsetof(struct imputer_attrs, replaced_value_float),
	  .kind = ATTR_FLOAT },
	{ .name = "replaced_value_int64",
	  .help = "the same, of integers",
	  .offset = offsetof(struct imputer_attrs, replaced_value_int64),
	  .kind = ATTR_INT },
	{ 0 },
};

static enum err_code imputer_infer(struct infer *infer, struct err *err)
{
	const struct imputer_attrs *attrs = infer->attrs;
	const bool is_float = dtype_is_float(infer->in[0].type.elem);
	const char *name =
	    is_float ? "imputed_value_floats" : "imputed_value_int64s";
	const size_t n = is_float ? attrs->imputed_value_floats.n
				  : attrs->imputed_value_int64s.n;
	enum err_code rc;

	if (attrs->imputed_value_floats.n && attrs->imputed_value_int64s.n)
		return err_set(err, ERR_INVALID,
			       "attributes: expected imputed_value_floats or "
			       "imputed_value_int64s, got both");
	rc = ml_check_list(name, n, last_extent(&infer->in[0].shape), err);
	return rc ? rc : infer_same(infer, err);
}

static void impute_float(const struct imputer_attrs *attrs, enum dtype elem,
			 int64_t column, double x, void *to)
{
	const struct attr_floats *list = &attrs->imputed_value_floats;
	/* compared as the file has it, in single precision */
	const float gone = (float)attrs->replaced_value_float;
	const bool missing = isnan(gone) ? isnan(x) : x == (double)gone;
	const double y = (double)list->v[list->n > 1 ? column : 0];

	dtype_convert(DTYPE_F64, missing ? &y : &x, elem, to, 1, true);
}

static void impute_integer(const struct imputer_attrs *attrs, enum dtype elem,
			   int64_t column, int64_t x, void *to)
{
	const struct attr_ints *list = &attrs->imputed_value_int64s;
	const bool missing = x == attrs->replaced_value_int64;

	dtype_convert(DTYPE_I64,
		      missing ? &list->v[list->n > 1 ? column : 0] : &x, elem,
		      to, 1, true);
}

static void imputer_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct shape *x = &call->query->in[0].shape;
	const enum dtype elem = call->query->in[0].type.elem;
	const size_t size = dtype_info(elem)->size;
	const int64_t width = last_extent(x);
	int64_t first, last;

	(void)scratch;
	slice_of(call, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		char *to = (char *)call->out[0] + (size_t)i * size;
		const char *from = (const char *)call->in[0] + (size_t)i * size;
		int64_t whole;

		if (dtype_is_float(elem)) {
			impute_float(call->query->attrs, elem, i % width,
				     ml_number(elem, call->in[0], i), to);
			continue;
		}
		dtype_convert(elem, from, DTYPE_I64, &whole, 1, true);
		impute_integer(call->query->attrs, elem, i % width, whole, to);
	}
}

static const struct kernel imputer = {
	.name = "imputer",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = ml_cost,
	.prepare = elementwise_prepare,
	.run = imputer_run,
};

/* Scaler */

struct scaler_attrs {
	struct attr_floats offset, scale;
};
static const struct op_attr scaler_attr_rows[] = {
	{ .name = "offset",
	  .help = "what is taken away, one number or one a column; none: 0",
	  .offset = offsetof(struct scaler_attrs, offset),
	  .kind = ATTR_FLOATS },
	{ .name = "scale",
	  .help = "what is multiplied by then; none: 1",
	  .offset = offsetof(struct scaler_attrs, scale),
	  .kind = ATTR_FLOATS },
	{ 0 },
};

static enum err_code scaler_infer(struct infer *infer, struct err *err)
{
	const struct scaler_attrs *attrs = infer->attrs;
	const int64_t width = last_extent(&infer->in[0].shape);
	enum err_code rc = ERR_NONE;

	if (attrs->offset.n)
		rc = ml_check_list("offset", attrs->offset.n, width, err);
	if (!rc && attrs->scale.n)
		rc = ml_check_list("scale", attrs->scale.n, width, err);
	return rc ? rc : infer_same(infer, err);
}

static double pick(const struct attr_floats *list, int64_t column, double none)
{
	if (!list->n)
		return none;
	return (double)list->v[list->n > 1 ? column : 0];
}

static void scaler_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct scaler_attrs *attrs = call->query->attrs;
	const enum dtype elem = call->query->in[0].type.elem;
	const int64_t width = last_extent(&call->query->in[0].shape);
	float *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	slice_of(call, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t column = i % width;

		y[i] = (float)((ml_number(elem, call->in[0], i) -
				pick(&attrs->offset, column, 0)) *
			       pick(&attrs->scale, column, 1));
	}
}

static const struct kernel scaler = {
	.name = "scaler",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = ml_cost,
	.prepare = elementwise_prepare,
	.run = scaler_run,
};

/* Normalizer */

enum norm { NORM_MAX, NORM_L1, NORM_L2, NORM_UNKNOWN };
struct normalizer_attrs {
	const char *norm;
};
static const struct op_attr normalizer_attr_rows[] = {
	{ .name = "norm",
	  .help = "MAX, L1 or L2",
	  .offset = offsetof(struct normalizer_attrs, norm),
	  .kind = ATTR_STRING,
	  .def_text = "MAX" },
	{ 0 },
};

static enum norm norm_of(const struct normalizer_attrs *attrs)
{
	static const char *const names[] = { "MAX", "L1", "L2" };
	unsigned i = 0;

	while (i < NORM_UNKNOWN && strcmp(attrs->norm, names[i]) != 0)
		i++;
	return (enum norm)i;
}

static enum err_code normalizer_infer(struct infer *infer, struct err *err)
{
	const struct normalizer_attrs *attrs = infer->attrs;
	struct ml_rows rows;
	enum err_code rc = ml_rows_infer(infer, &rows, err);

	if (!rc && norm_of(attrs) == NORM_UNKNOWN)
		rc = err_set(err, ERR_INVALID,
			     "attribute 'norm': expected MAX, L1 or L2, got "
			     "'%s'",
			     attrs->norm);
	return rc ? rc : infer_same(infer, err);
}

static double row_norm(const struct ml_rows *rows, int64_t row, enum norm norm)
{
	double sum = norm == NORM_MAX ? -(double)INFINITY : 0;

	for (int64_t j = 0; j < rows->width; j++) {
		const double x =
		    ml_number(rows->elem, rows->data, row * rows->width + j);

		if (norm == NORM_MAX)
			sum = x > sum ? x : sum;
		else
			sum += norm == NORM_L1 ? fabs(x) : x * x;
	}
	return norm == NORM_L2 ? sqrt(sum) : sum;
}

static void normalizer_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const struct ml_rows rows = ml_rows_of(call->query, call->in[0]);
	const enum norm norm = norm_of(call->query->attrs);
	float *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(rows.n, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const double length = row_norm(&rows, i, norm);

		for (int64_t j = i * rows.width; j < (i + 1) * rows.width; j++)
			y[j] = (float)(ml_number(rows.elem, rows.data, j) /
				       (length == 0 ? 1 : length));
	}
}

static const struct kernel normalizer = {
	.name = "normalizer",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = ml_cost,
	.prepare = ml_prepare,
	.run = normalizer_run,
};

#define ML(op) "y = ai.onnx.ml." op
static const struct op_case binarizer_cases[] = {
	{ .name = "float",
	  .graph = ML("Binarizer<threshold=0.5>(x:float[3,9])") },
	{ .name = "integers",
	  .graph = ML("Binarizer<threshold=1>(x:int64[9])") },
	{ .name = "int32", .graph = ML("Binarizer(x:int32[9])") },
	{ .name = "scalar", .graph = ML("Binarizer(x:double[])") },
	{ .name = "nothing", .graph = ML("Binarizer(x:double[0,3])") },
	{ 0 },
};
static const struct op_case imputer_cases[] = {
	{ .name = "one number",
	  .graph = ML("Imputer<imputed_value_floats=[9], "
		      "replaced_value_float=2>(x:float[2,2]={1,2,2,3})") },
	{ .name = "by column",
	  .graph = ML("Imputer<imputed_value_int64s=[7,8,9], "
		      "replaced_value_int64=1>(x:int64[4,3])") },
	{ .name = "int32",
	  .graph = ML("Imputer<imputed_value_int64s=[7], "
		      "replaced_value_int64=1>(x:int32[4,3])") },
	{ .name = "nothing",
	  .graph = ML("Imputer<imputed_value_floats=[9]>(x:double[0,3])") },
	{ .name = "too many",
	  .graph = ML("Imputer<imputed_value_floats=[9,9]>(x:float[2,3])"),
	  .want = ERR_SHAPE },
	{ .name = "of the other type",
	  .graph = ML("Imputer<imputed_value_floats=[9]>(x:int64[2,3])"),
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case scaler_cases[] = {
	{ .name = "by column",
	  .graph =
	      ML("Scaler<offset=[1,2,3], scale=[2,0.5,-1]>(x:float[4,3])") },
	{ .name = "one number",
	  .graph = ML("Scaler<offset=[1], scale=[2]>(x:int32[4,3])") },
	{ .name = "no offset",
	  .graph = ML("Scaler<scale=[2]>(x:double[4,3])") },
	{ .name = "vector", .graph = ML("Scaler<offset=[1,2,3]>(x:int64[3])") },
	{ .name = "nothing", .graph = ML("Scaler<offset=[1]>(x:float[3,0])") },
	{ .name = "too few",
	  .graph = ML("Scaler<offset=[1,2]>(x:float[4,3])"),
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case normalizer_cases[] = {
	{ .name = "largest", .graph = ML("Normalizer(x:float[5,27])") },
	{ .name = "sum",
	  .graph = ML("Normalizer<norm=\"L1\">(x:double[5,3])") },
	{ .name = "length",
	  .graph = ML("Normalizer<norm=\"L2\">(x:int64[5,3])") },
	{ .name = "zeros",
	  .graph = ML("Normalizer<norm=\"L2\">(x:float[2,2]={0,0,3,4})") },
	{ .name = "vector",
	  .graph = ML("Normalizer<norm=\"L1\">(x:int32[5])") },
	{ .name = "nothing", .graph = ML("Normalizer(x:float[0,3])") },
	{ .name = "an unknown norm",
	  .graph = ML("Normalizer<norm=\"L3\">(x:float[2,3])"),
	  .want = ERR_INVALID },
	{ .name = "rank",
	  .graph = ML("Normalizer(x:float[2,3,1])"),
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_binarizer, op_imputer, op_normalizer, op_scaler;

const struct op op_binarizer = {
	.domain = "ai.onnx.ml",
	.name = "Binarizer",
	.help = "1 above a threshold, else 0",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = ml_number_in,
	.out = same_out,
	.attrs = binarizer_attr_rows,
	.attrs_size = sizeof(struct binarizer_attrs),
	.infer = infer_same,
	.kernels = (const struct kernel *const[]){ &binarizer, NULL },
	.cases = binarizer_cases,
};

const struct op op_imputer = {
	.domain = "ai.onnx.ml",
	.name = "Imputer",
	.help = "a value in place of missing ones",
	.since = 1,
	.in = ml_number_in,
	.out = same_out,
	.attrs = imputer_attr_rows,
	.attrs_size = sizeof(struct imputer_attrs),
	.infer = imputer_infer,
	.kernels = (const struct kernel *const[]){ &imputer, NULL },
	.cases = imputer_cases,
};

const struct op op_normalizer = {
	.domain = "ai.onnx.ml",
	.name = "Normalizer",
	.help = "rows over their norm",
	.since = 1,
	.in = ml_number_in,
	.out = ml_float_out,
	.attrs = normalizer_attr_rows,
	.attrs_size = sizeof(struct normalizer_attrs),
	.infer = normalizer_infer,
	.kernels = (const struct kernel *const[]){ &normalizer, NULL },
	.cases = normalizer_cases,
};

const struct op op_scaler = {
	.domain = "ai.onnx.ml",
	.name = "Scaler",
	.help = "(X - offset) scale, by column",
	.since = 1,
	.in = ml_number_in,
	.out = ml_float_out,
	.attrs = scaler_attr_rows,
	.attrs_size = sizeof(struct scaler_attrs),
	.infer = scaler_infer,
	.kernels = (const struct kernel *const[]){ &scaler, NULL },
	.cases = scaler_cases,
};
