/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LabelEncoder: y = values[i] where keys[i] == x, else the default.
 *
 * Keys and values are two parallel attributes, each of one of several names by
 * its type. Of equal keys the last counts; every NaN is the same key. Source:
 * ONNX's ai.onnx.ml, version 4, which adds tensors to version 2.
 */
#include "engine/ops/label_encoder.h"
#include "engine/kernel.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/lookup.h"

#define AT(member) .offset = offsetof(struct label_encoder_attrs, member)
static const struct op_attr attr_rows[] = {
	{ .name = "keys_strings",
	  .kind = ATTR_STRINGS,
	  AT(keys_strings),
	  .help = "what is looked for" },
	{ .name = "keys_int64s",
	  .kind = ATTR_INTS,
	  AT(keys_int64s),
	  .help = "what is looked for" },
	{ .name = "keys_floats",
	  .kind = ATTR_FLOATS,
	  AT(keys_floats),
	  .help = "what is looked for" },
	{ .name = "keys_tensor",
	  .kind = ATTR_TENSOR,
	  AT(keys_tensor),
	  .help = "what is looked for" },
	{ .name = "values_strings",
	  .kind = ATTR_STRINGS,
	  AT(values_strings),
	  .help = "what is put in its place" },
	{ .name = "values_int64s",
	  .kind = ATTR_INTS,
	  AT(values_int64s),
	  .help = "what is put in its place" },
	{ .name = "values_floats",
	  .kind = ATTR_FLOATS,
	  AT(values_floats),
	  .help = "what is put in its place" },
	{ .name = "values_tensor",
	  .kind = ATTR_TENSOR,
	  AT(values_tensor),
	  .help = "what is put in its place" },
	{ .name = "default_string",
	  .kind = ATTR_STRING,
	  AT(default_string),
	  .def_text = "_Unused",
	  .help = "for what is no key" },
	{ .name = "default_int64",
	  .kind = ATTR_INT,
	  AT(default_int64),
	  .def = -1,
	  .help = "for what is no key" },
	{ .name = "default_float",
	  .kind = ATTR_FLOAT,
	  AT(default_float),
	  .def = -0.0,
	  .help = "for what is no key" },
	{ .name = "default_tensor",
	  .kind = ATTR_TENSOR,
	  AT(default_tensor),
	  .help = "for what is no key: one element" },
	{ 0 },
};

/* One list among the attributes. */
struct list {
	enum dtype elem; /* NONE: none is given */
	const void *data;
	size_t n;
	unsigned n_given;
};

static void take(struct list *list, enum dtype elem, const void *data, size_t n)
{
	*list = (struct list){ elem, data, n, list->n_given + 1 };
}

static struct list list_of(const struct attr_strings *strings,
			   const struct attr_ints *ints,
			   const struct attr_floats *floats,
			   const struct tensor_view *tensor)
{
	struct list list = { 0 };

	if (strings->n)
		take(&list, DTYPE_STRING, strings->v, strings->n);
	if (ints->n)
		take(&list, DTYPE_I64, ints->v, ints->n);
	if (floats->n)
		take(&list, DTYPE_F32, floats->v, floats->n);
	if (tensor)
		take(&list, tensor->dtype, tensor->data,
		     (size_t)shape_count(&tensor->shape));
	return list;
}

static struct list keys_of(const struct label_encoder_attrs *attrs)
{
	return list_of(&attrs->keys_strings, &attrs->keys_int64s,
		       &attrs->keys_floats, attrs->keys_tensor);
}

static struct list values_of(const struct label_encoder_attrs *attrs)
{
	return list_of(&attrs->values_strings, &attrs->values_int64s,
		       &attrs->values_floats, attrs->values_tensor);
}

static enum err_code check_default(const struct label_encoder_attrs *attrs,
				   enum dtype elem, struct err *err)
{
	const struct tensor_view *tensor = attrs->default_tensor;

	if (!tensor ||
	    (tensor->dtype == elem && shape_count(&tensor->shape) == 1))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "attribute 'default_tensor': expected one %s like the "
		       "values, got %lld of %s",
		       dtype_info(elem)->name,
		       (long long)shape_count(&tensor->shape),
		       dtype_info(tensor->dtype)->name);
}

static enum err_code infer_labels(struct infer *infer, struct err *err)
{
	const struct list keys = keys_of(infer->attrs);
	const struct list values = values_of(infer->attrs);
	enum err_code rc;

	if (keys.n_given != 1 || values.n_given != 1)
		return err_set(err, ERR_INVALID,
			       "attributes: expected one of keys_* and one of "
			       "values_*, got %u and %u",
			       keys.n_given, values.n_given);
	if (keys.n != values.n)
		return err_set(err, ERR_INVALID,
			       "attributes: expected as many values as keys, "
			       "got %zu and %zu",
			       values.n, keys.n);
	if (keys.elem != infer->in[0].type.elem)
		return err_set(err, ERR_INVALID,
			       "input 'X': expected %s like the keys, got %s",
			       dtype_info(keys.elem)->name,
			       dtype_info(infer->in[0].type.elem)->name);
	rc = check_default(infer->attrs, values.elem, err);
	return rc ? rc : infer_same(infer, err);
}

static enum err_code make_lookup(const struct kernel_query *query,
				 struct lookup **ret, struct err *err)
{
	const struct list keys = keys_of(query->attrs);

	return lookup_create_full(keys.elem, keys.data, keys.n, ret, err);
}

/* The element for what is no key. */
static void put_default(const struct label_encoder_attrs *attrs,
			enum dtype elem, void *to)
{
	const struct str text = { attrs->default_string,
				  strlen(attrs->default_string) };

	if (attrs->default_tensor)
		memcpy(to, attrs->default_tensor->data, dtype_info(elem)->size);
	else if (elem == DTYPE_STRING)
		memcpy(to, &text, sizeof(text));
	else if (dtype_is_float(elem))
		dtype_convert(DTYPE_F64, &attrs->default_float, elem, to, 1,
			      true);
	else
		dtype_convert(DTYPE_I64, &attrs->default_int64, elem, to, 1,
			      true);
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct lookup *lookup = call->state ? call->state : call->bound;
	const struct list values = values_of(query->attrs);
	const size_t in_size = dtype_info(query->in[0].type.elem)->size;
	const size_t size = dtype_info(values.elem)->size;
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&query->out[0].shape), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first; i < last; i++) {
		const char *x = (const char *)call->in[0] + (size_t)i * in_size;
		char *y = (char *)call->out[0] + (size_t)i * size;
		const int64_t at = lookup_find(lookup, x);

		if (at < 0 || !values.data)
			put_default(query->attrs, values.elem, y);
		else
			memcpy(y, (const char *)values.data + (size_t)at * size,
			       size);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct lookup *lookup;
	enum err_code rc = make_lookup(query, &lookup, err);

	if (rc)
		return rc;
	rc = elementwise_prepare(query, ret, err);
	ret->state = lookup;
	return rc;
}

static enum err_code bind(struct kernel_call *call, struct err *err)
{
	struct lookup *lookup;
	enum err_code rc = make_lookup(call->query, &lookup, err);

	if (!rc)
		call->bound = lookup;
	return rc;
}

static void destroy(void *lookup)
{
	lookup_destroy(lookup);
}

static double cost(const struct kernel_query *query)
{
	return 0.05 + 0.02 * (double)shape_count(&query->out[0].shape);
}

static const struct kernel shared = {
	.name = "label_encoder",
	.flags = KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
	.finish = destroy,
};
static const struct kernel reference = {
	.name = "label_encoder.reference",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.bind = bind,
	.run = run,
	.unbind = destroy,
};

#define LABELS "y = ai.onnx.ml.LabelEncoder"
static const struct op_case label_cases[] = {
	{ .name = "strings to integers",
	  .graph =
	      LABELS "<keys_strings=[\"a\",\"b\",\"\"], "
		     "values_int64s=[3,4,5], default_int64=9>(x:string[3,5])" },
	{ .name = "integers to strings",
	  .graph = LABELS "<keys_int64s=[2,1], "
			  "values_strings=[\"two\",\"one\"]>(x:int64[9])" },
	{ .name = "floats to floats, a key twice",
	  .graph = LABELS "<keys_floats=[1,2,2], values_floats=[0.5,7,8], "
			  "default_float=-1.5>(x:float[4]={2,1,3,-0})" },
	{ .name = "integers to floats",
	  .graph = LABELS
	  "<keys_int64s=[0,1], values_floats=[1.5,2.5]>(x:int64[9])" },
	{ .name = "tensors",
	  .graph = LABELS
	  "<keys_tensor=double[2]={1,2}, values_tensor=int16[2]={7,8}, "
	  "default_tensor=int16[1]={-3}>(x:double[3]={2,1,0})" },
	{ .name = "strings to strings",
	  .graph = LABELS
	  "<keys_strings=[\"a\"], values_strings=[\"b\"]>(x:string[9])" },
	{ .name = "scalar",
	  .graph = LABELS "<keys_int64s=[1], values_int64s=[2]>(x:int64[])" },
	{ .name = "nothing",
	  .graph =
	      LABELS "<keys_int64s=[1], values_int64s=[2]>(x:int64[0,2])" },
	{ .name = "another type",
	  .graph = LABELS "<keys_int64s=[1], values_int64s=[2]>(x:float[2])",
	  .want = ERR_INVALID },
	{ .name = "too few values",
	  .graph = LABELS "<keys_int64s=[1,2], values_int64s=[2]>(x:int64[2])",
	  .want = ERR_INVALID },
	{ .name = "no keys",
	  .graph = LABELS "<values_int64s=[2]>(x:int64[2])",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_label_encoder;

const struct op op_label_encoder = {
	.domain = "ai.onnx.ml",
	.name = "LabelEncoder",
	.help = "each element's value in a table, or the default",
	.since = 2,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in =
	    (const struct port[]){
		{ "X", "K:string,int64,float,int32,int16,double", 0 }, { 0 } },
	.out =
	    (const struct port[]){
		{ "Y",
		  "@values_strings@values_int64s@values_floats@values_tensor",
		  0 },
		{ 0 } },
	.attrs = attr_rows,
	.attrs_size = sizeof(struct label_encoder_attrs),
	.infer = infer_labels,
	.kernels = (const struct kernel *const[]){ &shared, &reference, NULL },
	.cases = label_cases,
};
