/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Columns of ai.onnx.ml.
 *
 * ArrayFeatureExtractor: y[.., j] = x[.., index[j]]; a vector counts as one
 * row, and an index out of range is a fault. FeatureVectorizer: inputs side by
 * side as floats, each cut or filled with zeros to its width. OneHotEncoder: a
 * further axis with a 1 at the category's place; what is no category gives
 * zeros, or is a fault where zeros are not allowed. ZipMap: the values of each
 * row's map as they are, and its keys, the same for every row, as a second
 * result that its ONNX form has inside of the map.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/elementwise.h"
#include "engine/ops/lookup.h"
#include "engine/ops/ml.h"

/* ArrayFeatureExtractor */

static enum err_code extractor_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	struct shape *z = &infer->out[0].shape;

	if (!x->rank)
		return infer_fail(err,
				  "input 'X': expected rank 1 or more, got a "
				  "scalar");
	*z = *x;
	if (x->rank == 1)
		*z = (struct shape){ .rank = 2, .dim = { 1 } };
	z->dim[z->rank - 1] = shape_count(&infer->in[1].shape);
	infer->out[0].has_shape = true;
	return shape_check(z, "output 'Z'", err);
}

static void extractor_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *x = &query->in[0].shape;
	const size_t size = dtype_info(query->in[0].type.elem)->size;
	const int64_t width = x->dim[x->rank - 1];
	const int64_t n = shape_count(&query->in[1].shape);
	const int64_t *index = call->in[1];
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&query->out[0].shape), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t at = index[i % n];
		char *to = (char *)call->out[0] + (size_t)i * size;

		if (at < 0 || at >= width) {
			memset(to, 0, size);
			kernel_fault(call, i % n);
			continue;
		}
		memcpy(to,
		       (const char *)call->in[0] +
			   (size_t)(i / n * width + at) * size,
		       size);
	}
}

static const struct kernel extractor = {
	.name = "array_feature_extractor",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = ml_cost,
	.prepare = elementwise_prepare,
	.run = extractor_run,
};

/* FeatureVectorizer */

struct vectorizer_attrs {
	struct attr_ints inputdimensions;
};
static const struct op_attr vectorizer_attr_rows[] = {
	{ .name = "inputdimensions",
	  .help = "columns of each input; none: as many as it has",
	  .offset = offsetof(struct vectorizer_attrs, inputdimensions),
	  .kind = ATTR_INTS,
	  .max = INT32_MAX },
	{ 0 },
};

static int64_t rows_in(const struct fact *fact)
{
	return fact->shape.rank == 2 ? fact->shape.dim[0] : 1;
}

static int64_t width_in(const struct fact *fact)
{
	return fact->shape.dim[fact->shape.rank - 1];
}

static int64_t width_out(const struct vectorizer_attrs *attrs,
			 const struct fact *in, unsigned i)
{
	return attrs->inputdimensions.n ? attrs->inputdimensions.v[i]
					: width_in(&in[i]);
}

static enum err_code vectorizer_infer(struct infer *infer, struct err *err)
{
	const struct vectorizer_attrs *attrs = infer->attrs;
	struct shape *y = &infer->out[0].shape;
	int64_t width = 0;

	if (attrs->inputdimensions.n && attrs->inputdimensions.n != infer->n_in)
		return err_set(err, ERR_INVALID,
			       "attribute 'inputdimensions': expected %u, one "
			       "an input, got %zu",
			       infer->n_in, attrs->inputdimensions.n);
	for (unsigned i = 0; i < infer->n_in; i++) {
		const struct fact *in = &infer->in[i];

		if (in->shape.rank != 1 && in->shape.rank != 2)
			return infer_fail(err,
					  "input %u: expected rank 1 or 2, "
					  "got %u",
					  i, in->shape.rank);
		if (rows_in(in) != rows_in(&infer->in[0]))
			return infer_fail(err,
					  "input %u: expected %lld rows like "
					  "input 0, got %lld",
					  i, (long long)rows_in(&infer->in[0]),
					  (long long)rows_in(in));
		width += width_out(attrs, infer->in, i);
		if (width > SHAPE_MAX_EXTENT)
			break; /* refused below */
	}
	*y = (struct shape){ .rank = 2, .dim = { rows_in(infer->in), width } };
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Y'", err);
}

static void vectorizer_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const struct kernel_query *query = call->query;
	const int64_t width = query->out[0].shape.dim[1];
	int64_t first, last, at = 0;

	(void)scratch;
	kernel_slice(query->out[0].shape.dim[0], call->n_slices, slice, &first,
		     &last);
	for (unsigned k = 0; k < query->n_in; k++) {
		const struct fact *in = &query->in[k];
		const int64_t have = width_in(in);
		const int64_t want = width_out(query->attrs, query->in, k);

		for (int64_t i = first; i < last; i++) {
			float *y = (float *)call->out[0] + i * width + at;

			for (int64_t j = 0; j < want; j++)
				y[j] = j < have
					   ? (float)ml_number(in->type.elem,
							      call->in[k],
							      i * have + j)
					   : 0.0F;
		}
		at += want;
	}
}

static const struct kernel vectorizer = {
	.name = "feature_vectorizer",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = ml_cost,
	.prepare = ml_prepare,
	.run = vectorizer_run,
};

/* OneHotEncoder */

struct one_hot_attrs {
	struct attr_ints cats_int64s;
	struct attr_strings cats_strings;
	int64_t zeros;
};
static const struct op_attr one_hot_attr_rows[] = {
	{ .name = "cats_int64s",
	  .help = "the categories of numbers",
	  .offset = offsetof(struct one_hot_attrs, cats_int64s),
	  .kind = ATTR_INTS },
	{ .name = "cats_strings",
	  .help = "the categories of strings",
	  .offset = offsetof(struct one_hot_attrs, cats_strings),
	  .kind = ATTR_STRINGS },
	{ .name = "zeros",
	  .help = "0: what is no category is a bad value",
	  .offset = offsetof(struct one_hot_attrs, zeros),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};

static enum err_code one_hot_infer(struct infer *infer, struct err *err)
{
	const struct one_hot_attrs *attrs = infer->attrs;
	const bool text = infer->in[0].type.elem == DTYPE_STRING;
	const size_t n = text ? attrs->cats_strings.n : attrs->cats_int64s.n;
	struct shape *y = &infer->out[0].shape;

	if (!n || attrs->cats_strings.n + attrs->cats_int64s.n != n)
		return err_set(err, ERR_INVALID,
			       "attributes: expected %s alone for input 'X' of "
			       "%s",
			       text ? "cats_strings" : "cats_int64s",
			       dtype_info(infer->in[0].type.elem)->name);
	if (infer->in[0].shape.rank == SHAPE_MAX_RANK)
		return infer_fail(err, "input 'X': expected a rank below %d",
				  SHAPE_MAX_RANK);
	*y = infer->in[0].shape;
	y->dim[y->rank++] = (int64_t)n;
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Y'", err);
}

static int64_t find_category(const struct kernel_call *call, int64_t i)
{
	const enum dtype elem = call->query->in[0].type.elem;
	int64_t whole = 0;

	if (elem == DTYPE_STRING)
		return lookup_find(call->bound,
				   (const struct str *)call->in[0] + i);
	dtype_convert(elem,
		      (const char *)call->in[0] +
			  (size_t)i * dtype_info(elem)->size,
		      DTYPE_I64, &whole, 1, true);
	if (dtype_is_float(elem) && isnan(ml_number(elem, call->in[0], i)))
		return -1;
	return lookup_find(call->bound, &whole);
}

static void one_hot_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct one_hot_attrs *attrs = call->query->attrs;
	const struct shape *shape = &call->query->out[0].shape;
	const int64_t n = shape->dim[shape->rank - 1];
	float *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&call->query->in[0].shape), call->n_slices,
		     slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t at = find_category(call, i);

		memset(y + i * n, 0, (size_t)n * sizeof(*y));
		if (at >= 0)
			y[i * n + at] = 1;
		else if (!attrs->zeros)
			kernel_fault(call, i);
	}
}

static enum err_code one_hot_bind(struct kernel_call *call, struct err *err)
{
	const struct one_hot_attrs *attrs = call->query->attrs;
	const bool text = attrs->cats_strings.n;
	struct lookup *lookup;
	enum err_code rc = lookup_create_full(
	    text ? DTYPE_STRING : DTYPE_I64,
	    text ? (const void *)attrs->cats_strings.v : attrs->cats_int64s.v,
	    text ? attrs->cats_strings.n : attrs->cats_int64s.n, &lookup, err);

	if (!rc)
		call->bound = lookup;
	return rc;
}

static void one_hot_unbind(void *bound)
{
	lookup_destroy(bound);
}

static const struct kernel one_hot = {
	.name = "one_hot_encoder",
	.flags = KERNEL_QUICK,
	.cost = ml_cost,
	.bind = one_hot_bind,
	.run = one_hot_run,
	.unbind = one_hot_unbind,
};

/* ZipMap */

struct zip_attrs {
	struct attr_strings strings;
	struct attr_ints int64s;
};
static const struct op_attr zip_attr_rows[] = {
	{ .name = "classlabels_int64s",
	  .help = "keys of the columns",
	  .offset = offsetof(struct zip_attrs, int64s),
	  .kind = ATTR_INTS },
	{ .name = "classlabels_strings",
	  .help = "keys of the columns",
	  .offset = offsetof(struct zip_attrs, strings),
	  .kind = ATTR_STRINGS },
	{ 0 },
};

static enum err_code zip_infer(struct infer *infer, struct err *err)
{
	const struct zip_attrs *attrs = infer->attrs;
	const size_t n = attrs->strings.n + attrs->int64s.n;
	struct ml_rows rows;
	enum err_code rc = ml_rows_infer(infer, &rows, err);

	if (rc)
		return rc;
	if (!n || (attrs->strings.n && attrs->int64s.n) ||
	    (int64_t)n != rows.width)
		return infer_fail(err,
				  "input 'X': expected as many columns as "
				  "there are class labels, %zu, got %lld",
				  n, (long long)rows.width);
	for (unsigned i = 0; i < infer->n_out; i++) {
		infer->out[i].shape = infer->in[0].shape;
		infer->out[i].has_shape = true;
	}
	return ERR_NONE;
}

static void zip_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct zip_attrs *attrs = query->attrs;
	const struct ml_rows rows = ml_rows_of(query, call->in[0]);
	const size_t n = (size_t)(rows.n * rows.width);
	const bool text = attrs->strings.n;
	const size_t bytes =
	    (size_t)rows.width * (text ? sizeof(struct str) : sizeof(int64_t));

	(void)slice;
	(void)scratch;
	if (n && call->out[0])
		memcpy(call->out[0], call->in[0], n * sizeof(float));
	for (int64_t i = 0;
	     bytes && query->n_out > 1 && call->out[1] && i < rows.n; i++)
		memcpy((char *)call->out[1] + (size_t)i * bytes,
		       text ? (const void *)attrs->strings.v : attrs->int64s.v,
		       bytes);
}

static const struct kernel zip = {
	.name = "zip_map",
	.flags = KERNEL_QUICK,
	.cost = ml_cost,
	.run = zip_run,
};

#define ML(op) "y = ai.onnx.ml." op
static const struct op_case extractor_cases[] = {
	{ .name = "columns",
	  .graph = ML(
	      "ArrayFeatureExtractor(x:float[3,5], i:int64[1,4]={4,0,0,2})") },
	{ .name = "of strings",
	  .graph =
	      ML("ArrayFeatureExtractor(x:string[3,2,4], i:int64[2]={3,1})") },
	{ .name = "vector",
	  .graph =
	      ML("ArrayFeatureExtractor(x:int32[5], i:int64[3]={4,0,2})") },
	{ .name = "one",
	  .graph = ML("ArrayFeatureExtractor(x:double[2,5], i:int64[]={4})") },
	{ .name = "no columns",
	  .graph = ML("ArrayFeatureExtractor(x:int64[2,5], i:int64[0])") },
	{ .name = "no such column",
	  .graph = ML("ArrayFeatureExtractor(x:float[2,2], i:int64[1]={2})"),
	  .want = ERR_INVALID },
	{ .name = "scalar",
	  .graph = ML("ArrayFeatureExtractor(x:float[], i:int64[1]={0})"),
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case vectorizer_cases[] = {
	{ .name = "side by side",
	  .graph = ML(
	      "FeatureVectorizer(a:float[3,2], b:int64[3,4], c:double[3,1])") },
	{ .name = "cut and filled",
	  .graph = ML("FeatureVectorizer<inputdimensions=[1,6]>(a:float[3,2], "
		      "b:int32[3,4])") },
	{ .name = "vectors",
	  .graph = ML("FeatureVectorizer(a:float[2], b:int64[4])") },
	{ .name = "nothing",
	  .graph = ML("FeatureVectorizer(a:float[0,2], b:int64[0,1])") },
	{ .name = "rows",
	  .graph = ML("FeatureVectorizer(a:float[3,2], b:float[2,2])"),
	  .want = ERR_SHAPE },
	{ .name = "too few widths",
	  .graph = ML("FeatureVectorizer<inputdimensions=[1]>(a:float[3,2], "
		      "b:float[3,2])"),
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case one_hot_cases[] = {
	{ .name = "strings",
	  .graph =
	      ML("OneHotEncoder<cats_strings=[\"a\",\"word\"]>(x:string[9])") },
	{ .name = "integers",
	  .graph = ML("OneHotEncoder<cats_int64s=[2,1]>(x:int64[3,5])") },
	{ .name = "floats",
	  .graph = ML("OneHotEncoder<cats_int64s=[0,1,-1]>(x:float[3,5])") },
	{ .name = "all are known",
	  .graph =
	      ML("OneHotEncoder<cats_int64s=[0,1,2,3], zeros=0>(x:int32[7])") },
	{ .name = "scalar",
	  .graph = ML("OneHotEncoder<cats_int64s=[0]>(x:double[])") },
	{ .name = "nothing",
	  .graph = ML("OneHotEncoder<cats_int64s=[0]>(x:double[0])") },
	{ .name = "an unknown one",
	  .graph = ML("OneHotEncoder<cats_int64s=[9], zeros=0>(x:int32[7])"),
	  .want = ERR_INVALID },
	{ .name = "strings of integers",
	  .graph = ML("OneHotEncoder<cats_int64s=[9]>(x:string[7])"),
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case zip_cases[] = {
	{ .name = "no labels",
	  .graph = "y = ai.onnx.ml.ZipMap(x:float[3,0])",
	  .want = ERR_SHAPE },
	{ .name = "strings",
	  .graph = "v, k = "
		   "ai.onnx.ml.ZipMap<classlabels_strings=[\"a\",\"b\"]>(x:"
		   "float[3,2])" },
	{ .name = "integers",
	  .graph =
	      "v, k = "
	      "ai.onnx.ml.ZipMap<classlabels_int64s=[7,5,3]>(x:float[3])" },
	{ .name = "values alone",
	  .graph =
	      "v = ai.onnx.ml.ZipMap<classlabels_int64s=[7]>(x:float[3,1])" },
	{ .name = "nothing",
	  .graph =
	      "v, k = "
	      "ai.onnx.ml.ZipMap<classlabels_int64s=[7,5]>(x:float[0,2])" },
	{ .name = "too few keys",
	  .graph = "v, k = "
		   "ai.onnx.ml.ZipMap<classlabels_int64s=[7,5]>(x:float[3,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_array_feature_extractor, op_feature_vectorizer,
    op_one_hot_encoder, op_zip_map;

const struct op op_array_feature_extractor = {
	.domain = "ai.onnx.ml",
	.name = "ArrayFeatureExtractor",
	.help = "columns by their numbers",
	.since = 1,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in = (const struct port[]){ { "X", "T:float,double,int64,int32,string",
				       0 },
				     { "Y", "int64", 0 },
				     { 0 } },
	.out = (const struct port[]){ { "Z", "T", 0 }, { 0 } },
	.infer = extractor_infer,
	.kernels = (const struct kernel *const[]){ &extractor, NULL },
	.cases = extractor_cases,
};

const struct op op_feature_vectorizer = {
	.domain = "ai.onnx.ml",
	.name = "FeatureVectorizer",
	.help = "inputs side by side, as floats",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in =
	    (const struct port[]){
		{ "X", "int32,int64,float,double", PORT_VARIADIC }, { 0 } },
	.out = (const struct port[]){ { "Y", "float", 0 }, { 0 } },
	.attrs = vectorizer_attr_rows,
	.attrs_size = sizeof(struct vectorizer_attrs),
	.infer = vectorizer_infer,
	.kernels = (const struct kernel *const[]){ &vectorizer, NULL },
	.cases = vectorizer_cases,
};

const struct op op_one_hot_encoder = {
	.domain = "ai.onnx.ml",
	.name = "OneHotEncoder",
	.help = "a 1 at the place of each category",
	.since = 1,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in =
	    (const struct port[]){
		{ "X", "T:string,int64,int32,float,double", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "float", 0 }, { 0 } },
	.attrs = one_hot_attr_rows,
	.attrs_size = sizeof(struct one_hot_attrs),
	.infer = one_hot_infer,
	.kernels = (const struct kernel *const[]){ &one_hot, NULL },
	.cases = one_hot_cases,
};

const struct op op_zip_map = {
	.domain = "ai.onnx.ml",
	.name = "ZipMap",
	.help = "the values and the keys of each row's map",
	.since = 1,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in = (const struct port[]){ { "X", "float", 0 }, { 0 } },
	.out =
	    (const struct port[]){ { "Z", "float", 0 },
				   { "keys",
				     "@classlabels_strings@classlabels_int64s",
				     PORT_OPTIONAL },
				   { 0 } },
	.attrs = zip_attr_rows,
	.attrs_size = sizeof(struct zip_attrs),
	.infer = zip_infer,
	.kernels = (const struct kernel *const[]){ &zip, NULL },
	.cases = zip_cases,
};
