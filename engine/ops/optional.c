/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optionals: a tensor or a sequence, or nothing.
 *
 *   Optional            what is given, or nothing of the type `type`
 *   OptionalHasElement  whether there is something
 *   OptionalGetElement  it; nothing is refused
 *
 * An optional tensor is held as a sequence of at most one.
 * Source: ONNX, Optional 15, OptionalGetElement and OptionalHasElement 18.
 */
#include "engine/evaluate.h"

/* The attribute `type` as one number: the element type, and this much more for
 * a sequence (models/onnx_attr.c). */
enum { TYPE_SEQUENCE = 256 };

struct optional_attrs {
	int64_t type;
};
static const struct op_attr optional_attrs[] = {
	{ .name = "type",
	  .help = "of an empty one: the element type's number, 256 more for a "
		  "sequence",
	  .offset = offsetof(struct optional_attrs, type),
	  .kind = ATTR_INT,
	  .min = 0,
	  .max = TYPE_SEQUENCE + DTYPE_COUNT - 1 },
	{ 0 },
};

static enum err_code optional_type(const struct graph_node *node,
				   const struct type *in, struct type *out,
				   unsigned n_out, struct err *err)
{
	const struct optional_attrs *a = node->attrs;

	(void)n_out;
	if (node->n_in && in[0].elem != DTYPE_NONE) {
		out[0] = in[0];
	} else {
		const int64_t elem = a->type % TYPE_SEQUENCE;

		if (elem <= 0 || elem >= DTYPE_COUNT)
			return err_set(err, ERR_INVALID,
				       "attribute 'type': expected the type of "
				       "an empty optional");
		out[0].elem = (enum dtype)elem;
		out[0].is_sequence = a->type >= TYPE_SEQUENCE;
	}
	out[0].is_optional = true;
	return ERR_NONE;
}

static enum err_code optional_evaluate(struct evaluate *call, struct err *err)
{
	const struct type type = call->out[0].fact.type;
	const bool is_empty =
	    !call->n_in || call->in[0].fact.type.elem == DTYPE_NONE;
	struct sequence *to = NULL;
	enum err_code rc = ERR_NONE;

	if (!is_empty &&
	    (type.is_sequence || call->in[0].fact.type.is_optional))
		call->out[0] = item_share(&call->in[0]);
	else
		rc = item_sequence(call->heap, !is_empty, &call->out[0], &to,
				   err);
	if (to)
		to->is_none = is_empty;
	if (to && !is_empty)
		to->item[0] = item_share(&call->in[0]);
	call->out[0].fact.type = type;
	return rc;
}

static const struct port optional_in[] = {
	{ "input", "V:all", PORT_OPTIONAL },
	{ 0 },
};
static const struct port optional_out[] = { { "output", "all", 0 }, { 0 } };
static const struct op_case optional_cases[] = {
	{ .name = "a tensor",
	  .graph = "y = OptionalGetElement(Optional(x:float[2,3]))" },
	{ .name = "a sequence",
	  .graph = "s = SequenceConstruct(a:float[2], b:float[3]);"
		   "y = SequenceAt(OptionalGetElement(Optional(s)), "
		   "i:int64[]={1})" },
	{ .name = "of no type",
	  .graph = "y = OptionalHasElement(Optional())",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_optional;
const struct op op_optional = {
	.domain = "",
	.name = "Optional",
	.help = "A tensor or sequence that may be absent.",
	.since = 15,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = optional_in,
	.out = optional_out,
	.attrs = optional_attrs,
	.attrs_size = sizeof(struct optional_attrs),
	.evaluate = optional_evaluate,
	.type = optional_type,
	.cases = optional_cases,
};

/* ---- OptionalHasElement -------------------------------------------------- */

static enum err_code has_evaluate(struct evaluate *call, struct err *err)
{
	const struct item *in = call->n_in ? &call->in[0] : NULL;
	bool has = in && in->fact.type.elem != DTYPE_NONE;

	if (has && in->fact.type.is_optional)
		has = !item_items(in)->is_none;
	return evaluate_scalar(call->heap, DTYPE_BOOL, has, &call->out[0], err);
}

static const struct port has_in[] = {
	{ "input", "O:all", PORT_OPTIONAL },
	{ 0 },
};
static const struct port has_out[] = { { "output", "bool", 0 }, { 0 } };
static const struct op_case has_cases[] = {
	{ .name = "a tensor",
	  .graph = "y = OptionalHasElement(Optional(x:float[2]))" },
	{ .name = "an empty one",
	  .graph = "y = OptionalHasElement(Optional<type=257>())" },
	{ .name = "a plain tensor",
	  .graph = "y = OptionalHasElement(x:int8[])" },
	{ .name = "nothing at all", .graph = "y = OptionalHasElement()" },
	{ 0 },
};

extern const struct op op_optional_has_element;
const struct op op_optional_has_element = {
	.domain = "",
	.name = "OptionalHasElement",
	.help = "Whether an optional holds something.",
	.since = 15,
	.flags = OP_DYNAMIC | OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = has_in,
	.out = has_out,
	.evaluate = has_evaluate,
	.cases = has_cases,
};

/* ---- OptionalGetElement -------------------------------------------------- */

static enum err_code get_type(const struct graph_node *node,
			      const struct type *in, struct type *out,
			      unsigned n_out, struct err *err)
{
	(void)node;
	(void)n_out;
	(void)err;
	out[0] = in[0];
	out[0].is_optional = false;
	return ERR_NONE;
}

static enum err_code get_evaluate(struct evaluate *call, struct err *err)
{
	const struct item *in = &call->in[0];
	const struct type type = call->out[0].fact.type;

	if (in->fact.type.is_optional && item_items(in)->is_none)
		return err_set(err, ERR_INVALID,
			       "input 'input': the optional is empty");
	call->out[0] = item_share(in->fact.type.is_optional && !type.is_sequence
				      ? &item_items(in)->item[0]
				      : in);
	call->out[0].fact.type = type;
	return ERR_NONE;
}

static const struct port get_in[] = { { "input", "O:all", 0 }, { 0 } };
static const struct op_case get_cases[] = {
	{ .name = "a tensor",
	  .graph = "y = OptionalGetElement(Optional(x:int32[2,3]))" },
	{ .name = "a plain tensor",
	  .graph = "y = OptionalGetElement(x:float[2])" },
	{ .name = "of an empty one",
	  .graph = "y = OptionalGetElement(Optional<type=1>())",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_optional_get_element;
const struct op op_optional_get_element = {
	.domain = "",
	.name = "OptionalGetElement",
	.help = "What an optional holds.",
	.since = 15,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = get_in,
	.out = optional_out,
	.evaluate = get_evaluate,
	.type = get_type,
	.cases = get_cases,
};
