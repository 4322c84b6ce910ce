/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Constant: a node of the file becomes a constant of the graph. It has one
 * attribute, whose name says what it holds. A reader of files makes a sparse
 * value dense first.
 */
#include <string.h>

#include "engine/spelling.h"

struct one {
	const char *name;
	enum attr_kind kind;
};

static const struct one forms[] = {
	{ "value", ATTR_TENSOR },	 { "sparse_value", ATTR_TENSOR },
	{ "value_int", ATTR_INT },	 { "value_ints", ATTR_INTS },
	{ "value_float", ATTR_FLOAT },	 { "value_floats", ATTR_FLOATS },
	{ "value_string", ATTR_STRING }, { "value_strings", ATTR_STRINGS },
};

static bool is_form(const char *name, const struct attr_value *value)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(forms[i].name, name))
			return forms[i].kind == value->kind &&
			       (value->kind != ATTR_TENSOR || value->t);
	return false;
}

static int32_t make_vector(struct build *build, enum dtype dtype,
			   const void *data, size_t n)
{
	struct tensor_view view = {
		.dtype = dtype,
		.shape = { 1, { (int64_t)n } },
	};

	/* only read: build_const() copies */
	memcpy(&view.data, &data, sizeof(data));
	return build_const(build, &view);
}

static int32_t make_constant(struct build *build,
			     const struct attr_value *value)
{
	struct str text = value->s;
	int64_t whole = value->i;
	struct tensor_view scalar = { 0 };

	switch (value->kind) {
	case ATTR_TENSOR:
		return build_const(build, value->t);
	case ATTR_INTS:
		return build_ints(build, value->ints.v, value->ints.n);
	case ATTR_FLOATS:
		return make_vector(build, DTYPE_F32, value->floats.v,
				   value->floats.n);
	case ATTR_STRINGS:
		return make_vector(build, DTYPE_STRING, value->strings.v,
				   value->strings.n);
	case ATTR_FLOAT:
		return build_scalar(build, DTYPE_F32, value->f);
	case ATTR_INT:
		scalar.dtype = DTYPE_I64;
		scalar.data = &whole;
		break;
	case ATTR_STRING:
		scalar.dtype = DTYPE_STRING;
		scalar.data = &text;
		break;
	}
	return build_const(build, &scalar);
}

static enum err_code lower_constant(struct lower *lower, struct err *err)
{
	const struct spelling_node *node = lower->node;
	struct attr_value value = { 0 };
	const char *name = "";
	enum err_code rc = ERR_NONE;

	if (node->attrs->n == 1)
		rc = node->attrs->at(node->attrs->ctx, 0, &name, &value, err);
	if (rc)
		return rc;
	if (!is_form(name, &value) || node->n_out != 1 || node->n_in)
		return err_set(err, ERR_INVALID,
			       "node '%s' (Constant) must have one attribute "
			       "with its value, no input and one output",
			       node->node_name);
	node->out[0] = make_constant(lower->build, &value);
	return build_check(lower->build, err);
}

const struct spelling spellings_constant[] = {
	{ .domain = "",
	  .name = "Constant",
	  .from = 1,
	  .to = UINT16_MAX,
	  .lower = lower_constant },
	{ 0 },
};
