/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LabelEncoder of version 1 and CategoryMapper: strings to integers or back,
 * by the type that comes in, through one list of pairs. LabelEncoder's integers
 * are the places of its strings.
 */
#include <stddef.h>

#include "engine/ops/label_encoder.h"
#include "engine/spelling.h"

struct category_attrs {
	const char *default_string;
	int64_t default_int64;
	struct attr_strings strings;
	struct attr_ints int64s;
};

/* clang-format off */
#define DEFAULTS                                                               \
	{ .name = "default_int64", .help = "for an unknown string",            \
	  .offset = offsetof(struct category_attrs, default_int64),            \
	  .kind = ATTR_INT, .def = -1 },                                       \
	{ .name = "default_string", .help = "for an unknown integer",          \
	  .offset = offsetof(struct category_attrs, default_string),           \
	  .kind = ATTR_STRING, .def_text = "_Unused" }

static const struct op_attr category_attr_rows[] = {
	{ .name = "cats_int64s", .help = "the integers",
	  .offset = offsetof(struct category_attrs, int64s),
	  .kind = ATTR_INTS },
	{ .name = "cats_strings", .help = "their strings",
	  .offset = offsetof(struct category_attrs, strings),
	  .kind = ATTR_STRINGS },
	DEFAULTS,
	{ 0 },
};
static const struct op_attr label_attr_rows[] = {
	{ .name = "classes_strings", .help = "the strings of 0, 1 ...",
	  .offset = offsetof(struct category_attrs, strings),
	  .kind = ATTR_STRINGS },
	DEFAULTS,
	{ 0 },
};
/* clang-format on */

static enum err_code lower_pairs(struct lower *lower,
				 const struct category_attrs *own,
				 struct attr_ints ints, struct err *err)
{
	const struct spelling_node *node = lower->node;
	const struct graph *graph = lower->build->graph;
	struct label_encoder_attrs attrs = {
		.default_string = own->default_string,
		.default_int64 = own->default_int64,
	};
	enum dtype from = DTYPE_NONE;

	if (node->n_in == 1 && node->in[0] != VALUE_NONE)
		from = graph->value[node->in[0]].type.elem;
	if (node->n_out != 1 || (from != DTYPE_STRING && from != DTYPE_I64))
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s) must have one input of strings "
			       "or int64 and one output",
			       node->node_name, node->name);
	if (from == DTYPE_STRING) {
		attrs.keys_strings = own->strings;
		attrs.values_int64s = ints;
	} else {
		attrs.keys_int64s = ints;
		attrs.values_strings = own->strings;
	}
	node->out[0] = build_node(lower->build, "ai.onnx.ml.LabelEncoder",
				  &attrs, node->in, 1);
	return build_check(lower->build, err);
}

static enum err_code lower_category(struct lower *lower, struct err *err)
{
	const struct category_attrs *own = lower->attrs;

	return lower_pairs(lower, own, own->int64s, err);
}

static enum err_code lower_label(struct lower *lower, struct err *err)
{
	const struct category_attrs *own = lower->attrs;
	const size_t n = own->strings.n;
	int64_t *place =
	    arena_array(lower->build->graph->arena, n + 1, sizeof(*place));

	if (!place)
		return err_set(err, ERR_NO_MEMORY, "node '%s': out of memory",
			       lower->node->node_name);
	for (size_t i = 0; i < n; i++)
		place[i] = (int64_t)i;
	return lower_pairs(lower, own, (struct attr_ints){ n, place }, err);
}

const struct spelling spellings_label[] = {
	{ .domain = "ai.onnx.ml",
	  .name = "CategoryMapper",
	  .from = 1,
	  .to = UINT16_MAX,
	  .attrs = category_attr_rows,
	  .attrs_size = sizeof(struct category_attrs),
	  .lower = lower_category },
	{ .domain = "ai.onnx.ml",
	  .name = "LabelEncoder",
	  .from = 1,
	  .to = 1,
	  .attrs = label_attr_rows,
	  .attrs_size = sizeof(struct category_attrs),
	  .lower = lower_label },
	{ 0 },
};
