/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sequences of tensors: items of the run heap, never changed.
 *
 *   SequenceConstruct  the tensors given    SequenceEmpty   none
 *   SequenceInsert     one more, before a position, or at the back
 *   SequenceErase      one less             SequenceAt      one of them
 *   SequenceLength     how many             SplitToSequence a tensor's parts
 *   ConcatFromSequence all joined along an axis, or stacked along a new one
 *
 * A new sequence shares its tensors with the old one. Source: ONNX 11.
 */
#include "base/mem.h"
#include "engine/evaluate.h"

static const struct port int64_out[] = { { "length", "int64", 0 }, { 0 } };
static const struct port tensor_out[] = { { "tensor", "T", 0 }, { 0 } };
static const struct port sequence_out[] = { { "output_sequence", "seq(T)", 0 },
					    { 0 } };
static const struct port sequence_in[] = {
	{ "input_sequence", "seq(T:any)", 0 },
	{ 0 },
};

/* A position from the front or, negative, from the back; `last` is the largest
 * one allowed. */
static enum err_code position_of(const struct evaluate *call, unsigned i,
				 int64_t n, int64_t last, int64_t *ret,
				 struct err *err)
{
	int64_t position;
	enum err_code rc = evaluate_int(call, i, &position, err);

	if (rc)
		return rc;
	if (position < -n || position > last)
		return err_set(err, ERR_INVALID,
			       "input 'position': expected %lld to %lld for a "
			       "sequence of %lld, got %lld",
			       (long long)-n, (long long)last, (long long)n,
			       (long long)position);
	*ret = position < 0 ? position + n : position;
	return ERR_NONE;
}

static bool has_input(const struct evaluate *call, unsigned i)
{
	return i < call->n_in && call->in[i].fact.type.elem != DTYPE_NONE;
}

/* ---- SequenceConstruct, SequenceEmpty ------------------------------------ */

static enum err_code construct_evaluate(struct evaluate *call, struct err *err)
{
	struct sequence *sequence = NULL;
	enum err_code rc = item_sequence(call->heap, call->n_in, &call->out[0],
					 &sequence, err);

	for (unsigned i = 0; i < call->n_in && !rc; i++)
		sequence->item[i] = item_share(&call->in[i]);
	return rc;
}

static const struct port construct_in[] = {
	{ "inputs", "T:any", PORT_VARIADIC },
	{ 0 },
};
static const struct op_case construct_cases[] = {
	{ .name = "two of other shapes",
	  .graph = "s = SequenceConstruct(a:float[2], b:float[3,1]);"
		   "y = SequenceAt(s, i:int64[]={1})" },
	{ .name = "mixed types",
	  .graph = "s = SequenceConstruct(a:float[2], b:int32[2]);"
		   "y = SequenceLength(s)",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_sequence_construct;
const struct op op_sequence_construct = {
	.domain = "",
	.name = "SequenceConstruct",
	.help = "A sequence of the tensors given.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = construct_in,
	.out = sequence_out,
	.evaluate = construct_evaluate,
	.cases = construct_cases,
};

struct empty_attrs {
	int64_t dtype;
};
static const struct op_attr empty_attrs[] = {
	{ .name = "dtype",
	  .help = "number of the element type; by itself float",
	  .offset = offsetof(struct empty_attrs, dtype),
	  .kind = ATTR_INT,
	  .min = 0,
	  .max = DTYPE_COUNT - 1,
	  .def = DTYPE_F32 },
	{ 0 },
};
static const struct port empty_in[] = { { 0 } };
static const struct port empty_out[] = {
	{ "output", "seq(@dtype:float)", 0 },
	{ 0 },
};

static enum err_code empty_evaluate(struct evaluate *call, struct err *err)
{
	struct sequence *sequence = NULL;

	return item_sequence(call->heap, 0, &call->out[0], &sequence, err);
}

static const struct op_case empty_cases[] = {
	{ .name = "floats", .graph = "y = SequenceLength(SequenceEmpty())" },
	{ .name = "integers",
	  .graph = "s = SequenceInsert(SequenceEmpty<dtype=7>(), a:int64[3]);"
		   "y = SequenceAt(s, i:int32[]={-1})" },
	{ 0 },
};

extern const struct op op_sequence_empty;
const struct op op_sequence_empty = {
	.domain = "",
	.name = "SequenceEmpty",
	.help = "A sequence without tensors.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = empty_in,
	.out = empty_out,
	.attrs = empty_attrs,
	.attrs_size = sizeof(struct empty_attrs),
	.evaluate = empty_evaluate,
	.cases = empty_cases,
};

/* ---- SequenceInsert, SequenceErase --------------------------------------- */

static enum err_code insert_evaluate(struct evaluate *call, struct err *err)
{
	const struct sequence *from = item_items(&call->in[0]);
	struct sequence *to = NULL;
	int64_t at = (int64_t)from->n;
	enum err_code rc = ERR_NONE;

	if (has_input(call, 2))
		rc = position_of(call, 2, at, at, &at, err);
	if (!rc)
		rc = item_sequence(call->heap, from->n + 1, &call->out[0], &to,
				   err);
	for (size_t i = 0; i <= from->n && !rc; i++)
		to->item[i] =
		    item_share(i == (size_t)at
				   ? &call->in[1]
				   : &from->item[i - (i > (size_t)at ? 1 : 0)]);
	return rc;
}

static const struct port insert_in[] = {
	{ "input_sequence", "seq(T:any)", 0 },
	{ "tensor", "T", 0 },
	{ "position", "I:int32,int64", PORT_OPTIONAL },
	{ 0 },
};

#define THREE                                                              \
	"s = SequenceConstruct(a:float[2]={1,2}, b:float[1]={3}, c:float[" \
	"1,1]={4});"

static const struct op_case insert_cases[] = {
	{ .name = "at the back",
	  .graph = THREE "t = SequenceInsert(s, d:float[4]);"
			 "y = SequenceAt(t, i:int64[]={3});"
			 "z = SequenceLength(s); return y, z" },
	{ .name = "in front",
	  .graph = THREE "t = SequenceInsert(s, d:float[4], p:int64[]={0});"
			 "y = SequenceAt(t, i:int64[]={0});"
			 "z = SequenceAt(t, j:int64[]={1}); return y, z" },
	{ .name = "before the last",
	  .graph = THREE "t = SequenceInsert(s, d:float[4], p:int32[]={-1});"
			 "y = SequenceAt(t, i:int64[]={2});"
			 "z = SequenceAt(t, j:int64[]={3}); return y, z" },
	{ .name = "past the end",
	  .graph = THREE "t = SequenceInsert(s, d:float[4], p:int64[]={4});"
			 "y = SequenceLength(t)",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_sequence_insert;
const struct op op_sequence_insert = {
	.domain = "",
	.name = "SequenceInsert",
	.help = "A sequence with one more tensor.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = insert_in,
	.out = sequence_out,
	.evaluate = insert_evaluate,
	.cases = insert_cases,
};

static enum err_code erase_evaluate(struct evaluate *call, struct err *err)
{
	const struct sequence *from = item_items(&call->in[0]);
	const int64_t n = (int64_t)from->n;
	struct sequence *to = NULL;
	int64_t at = n - 1;
	enum err_code rc = ERR_NONE;

	if (has_input(call, 1))
		rc = position_of(call, 1, n, n - 1, &at, err);
	else if (!n)
		rc = err_set(err, ERR_INVALID, "the sequence is empty");
	if (!rc)
		rc = item_sequence(call->heap, from->n - 1, &call->out[0], &to,
				   err);
	for (size_t i = 0; i + 1 < from->n && !rc; i++)
		to->item[i] =
		    item_share(&from->item[i + (i >= (size_t)at ? 1 : 0)]);
	return rc;
}

static const struct port erase_in[] = {
	{ "input_sequence", "seq(T:any)", 0 },
	{ "position", "I:int32,int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct op_case erase_cases[] = {
	{ .name = "the last",
	  .graph = THREE "t = SequenceErase(s);"
			 "y = SequenceAt(t, i:int64[]={-1})" },
	{ .name = "the first",
	  .graph = THREE "t = SequenceErase(s, p:int64[]={0});"
			 "y = SequenceAt(t, i:int64[]={0})" },
	{ .name = "of nothing",
	  .graph = "t = SequenceErase(SequenceEmpty());"
		   "y = SequenceLength(t)",
	  .want = ERR_INVALID },
	{ .name = "past the end",
	  .graph = THREE "t = SequenceErase(s, p:int64[]={3});"
			 "y = SequenceLength(t)",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_sequence_erase;
const struct op op_sequence_erase = {
	.domain = "",
	.name = "SequenceErase",
	.help = "A sequence with one tensor less.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = erase_in,
	.out = sequence_out,
	.evaluate = erase_evaluate,
	.cases = erase_cases,
};

/* ---- SequenceAt, SequenceLength ------------------------------------------ */

static enum err_code at_evaluate(struct evaluate *call, struct err *err)
{
	const struct sequence *from = item_items(&call->in[0]);
	const int64_t n = (int64_t)from->n;
	int64_t at;
	enum err_code rc = position_of(call, 1, n, n - 1, &at, err);

	if (!rc)
		call->out[0] = item_share(&from->item[at]);
	return rc;
}

static const struct port at_in[] = {
	{ "input_sequence", "seq(T:any)", 0 },
	{ "position", "I:int32,int64", 0 },
	{ 0 },
};
static const struct op_case at_cases[] = {
	{ .name = "from the front",
	  .graph = THREE "y = SequenceAt(s, i:int32[]={1})" },
	{ .name = "from the back",
	  .graph = THREE "y = SequenceAt(s, i:int64[]={-3})" },
	{ .name = "too far back",
	  .graph = THREE "y = SequenceAt(s, i:int64[]={-4})",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_sequence_at;
const struct op op_sequence_at = {
	.domain = "",
	.name = "SequenceAt",
	.help = "One tensor of a sequence.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = at_in,
	.out = tensor_out,
	.evaluate = at_evaluate,
	.cases = at_cases,
};

static enum err_code length_evaluate(struct evaluate *call, struct err *err)
{
	return evaluate_scalar(call->heap, DTYPE_I64,
			       (int64_t)item_items(&call->in[0])->n,
			       &call->out[0], err);
}

static const struct op_case length_cases[] = {
	{ .name = "three", .graph = THREE "y = SequenceLength(s)" },
	{ .name = "of a tensor",
	  .graph = "y = SequenceLength(x:float[3])",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_sequence_length;
const struct op op_sequence_length = {
	.domain = "",
	.name = "SequenceLength",
	.help = "How many tensors a sequence has.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = sequence_in,
	.out = int64_out,
	.evaluate = length_evaluate,
	.cases = length_cases,
};

/* ---- SplitToSequence ----------------------------------------------------- */

struct split_attrs {
	int64_t axis, keepdims;
};
static const struct op_attr split_attrs[] = {
	{ .name = "axis",
	  .help = "the axis that is cut",
	  .offset = offsetof(struct split_attrs, axis),
	  .kind = ATTR_INT },
	{ .name = "keepdims",
	  .help = "0: parts of one lose the axis, where 'split' is absent",
	  .offset = offsetof(struct split_attrs, keepdims),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};

/* Lengths of the parts: a list, or one that all but the last have. */
struct parts {
	const struct fact *list; /* NULL: all of `each` */
	int64_t each, n, extent;
};

static int64_t part_length(const struct parts *parts, int64_t i, int64_t first)
{
	int64_t length = parts->each;

	if (!parts->list)
		return first + length > parts->extent ? parts->extent - first
						      : length;
	dtype_convert(parts->list->type.elem,
		      (const char *)parts->list->value +
			  (size_t)i * dtype_info(parts->list->type.elem)->size,
		      DTYPE_I64, &length, 1, false);
	return length;
}

static enum err_code parts_init(const struct evaluate *call, int64_t extent,
				struct parts *ret, struct err *err)
{
	const struct fact *split = &call->in[1].fact;
	enum err_code rc = ERR_NONE;
	int64_t sum = 0;

	*ret = (struct parts){ .each = 1, .extent = extent };
	if (has_input(call, 1) && split->shape.rank == 0)
		rc = evaluate_int(call, 1, &ret->each, err);
	else if (has_input(call, 1))
		ret->list = split;
	if (rc)
		return rc;
	if (ret->each < 1 || (ret->list && split->shape.rank > 1))
		return err_set(err, ERR_INVALID,
			       "input 'split': expected a length above 0 or a "
			       "list of lengths");
	ret->n = ret->list ? split->shape.dim[0]
			   : extent / ret->each + (extent % ret->each != 0);
	for (int64_t i = 0; ret->list && i < ret->n && sum >= 0; i++) {
		const int64_t length = part_length(ret, i, 0);

		sum = length < 0 || length > extent - sum ? -1 : sum + length;
	}
	if (ret->list && sum != extent)
		return err_set(err, ERR_INVALID,
			       "input 'split': expected lengths that add up to "
			       "%lld",
			       (long long)extent);
	return ERR_NONE;
}

static enum err_code split_evaluate(struct evaluate *call, struct err *err)
{
	const struct split_attrs *a = call->node->attrs;
	const struct shape *shape = &call->in[0].fact.shape;
	struct evaluate_cut cut = { 0 };
	struct sequence *to = NULL;
	struct parts parts = { 0 };
	enum err_code rc = shape_axis(a->axis, shape->rank, "attribute 'axis'",
				      &cut.axis, err);

	if (!rc)
		rc = parts_init(call, shape->dim[cut.axis], &parts, err);
	if (!rc)
		rc = item_sequence(call->heap, (size_t)parts.n, &call->out[0],
				   &to, err);
	cut.squeeze = !has_input(call, 1) && !a->keepdims;
	for (int64_t i = 0; i < parts.n && !rc; i++) {
		cut.n = part_length(&parts, i, cut.first);
		rc = evaluate_cut(call->heap, &call->in[0], &cut, &to->item[i],
				  err);
		cut.first += cut.n;
	}
	return rc;
}

static const struct port split_in[] = {
	{ "input", "T:any", 0 },
	{ "split", "I:int32,int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct op_case split_cases[] = {
	{ .name = "ones",
	  .graph = "s = SplitToSequence<axis=1>(x:float[2,3]);"
		   "y = SequenceAt(s, i:int64[]={1})" },
	{ .name = "ones without the axis",
	  .graph = "s = SplitToSequence<axis=-1, keepdims=0>(x:int8[2,3]);"
		   "y = SequenceAt(s, i:int64[]={2})" },
	{ .name = "by a length",
	  .graph = "s = SplitToSequence(x:float[5,2], n:int64[]={2});"
		   "y = SequenceAt(s, i:int64[]={2})" },
	{ .name = "by lengths",
	  .graph = "s = SplitToSequence(x:float[5,2], n:int32[3]={2,0,3});"
		   "y = SequenceAt(s, i:int64[]={2});"
		   "z = SequenceAt(s, j:int64[]={1}); return y, z" },
	{ .name = "nothing",
	  .graph = "s = SplitToSequence(x:float[0,2]); y = SequenceLength(s)" },
	{ .name = "too short",
	  .graph = "s = SplitToSequence(x:float[5], n:int64[2]={2,2});"
		   "y = SequenceLength(s)",
	  .want = ERR_INVALID },
	{ .name = "no length",
	  .graph = "s = SplitToSequence(x:float[5], n:int64[]={0});"
		   "y = SequenceLength(s)",
	  .want = ERR_INVALID },
	{ .name = "no such axis",
	  .graph = "s = SplitToSequence<axis=1>(x:float[5]);"
		   "y = SequenceLength(s)",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_split_to_sequence;
const struct op op_split_to_sequence = {
	.domain = "",
	.name = "SplitToSequence",
	.help = "A tensor's parts along an axis.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = split_in,
	.out = sequence_out,
	.attrs = split_attrs,
	.attrs_size = sizeof(struct split_attrs),
	.evaluate = split_evaluate,
	.cases = split_cases,
};

/* ---- ConcatFromSequence -------------------------------------------------- */

struct concat_attrs {
	int64_t axis, new_axis;
};
static const struct op_attr concat_attrs[] = {
	{ .name = "axis",
	  .help = "the axis along which tensors are joined",
	  .offset = offsetof(struct concat_attrs, axis),
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED },
	{ .name = "new_axis",
	  .help = "1: the axis is a new one",
	  .offset = offsetof(struct concat_attrs, new_axis),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

static enum err_code concat_evaluate(struct evaluate *call, struct err *err)
{
	const struct concat_attrs *a = call->node->attrs;
	const struct sequence *from = item_items(&call->in[0]);

	if (!from->n)
		return err_set(err, ERR_INVALID, "the sequence is empty");
	return evaluate_join(call->heap, from->item, from->n, a->axis,
			     a->new_axis != 0, &call->out[0], err);
}

static const struct port concat_in[] = {
	{ "input_sequence", "seq(T:any)", 0 },
	{ 0 },
};
static const struct op_case concat_cases[] = {
	{ .name = "rows",
	  .graph = "s = SequenceConstruct(a:float[2,3], b:float[1,3]);"
		   "y = ConcatFromSequence<axis=0>(s)" },
	{ .name = "columns, from the back",
	  .graph = "s = SequenceConstruct(a:int16[2,3], b:int16[2,2]);"
		   "y = ConcatFromSequence<axis=-1>(s)" },
	{ .name = "stacked behind",
	  .graph = "s = SequenceConstruct(a:float[2], b:float[2]);"
		   "y = ConcatFromSequence<axis=-1, new_axis=1>(s)" },
	{ .name = "scalars",
	  .graph = "s = SequenceConstruct(a:float[], b:float[]);"
		   "y = ConcatFromSequence<axis=0, new_axis=1>(s)" },
	{ .name = "other rows",
	  .graph = "s = SequenceConstruct(a:float[2,3], b:float[1,2]);"
		   "y = ConcatFromSequence<axis=0>(s)",
	  .want = ERR_SHAPE },
	{ .name = "of nothing",
	  .graph = "y = ConcatFromSequence<axis=0>(SequenceEmpty())",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_concat_from_sequence;
const struct op op_concat_from_sequence = {
	.domain = "",
	.name = "ConcatFromSequence",
	.help = "The tensors of a sequence, joined.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = concat_in,
	.out = tensor_out,
	.attrs = concat_attrs,
	.attrs_size = sizeof(struct concat_attrs),
	.evaluate = concat_evaluate,
	.cases = concat_cases,
};
