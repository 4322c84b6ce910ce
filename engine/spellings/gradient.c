/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gradient of ai.onnx.preview.training. Its inputs are the tensors named in
 * `xs`, those named in `zs`, which are held, and behind them the one named in
 * `y`, which the reader of files appends.
 */
#include <stddef.h>

#include "engine/spelling.h"

struct gradient_attrs {
	struct attr_strings xs, zs;
	const char *y;
};

/* clang-format off */
static const struct op_attr attrs[] = {
	{ .name = "xs", .help = "what is differentiated by", .flags = ATTR_REQUIRED,
	  .offset = offsetof(struct gradient_attrs, xs), .kind = ATTR_STRINGS },
	{ .name = "y", .help = "what is differentiated", .flags = ATTR_REQUIRED,
	  .offset = offsetof(struct gradient_attrs, y), .kind = ATTR_STRING },
	{ .name = "zs", .help = "what is held",
	  .offset = offsetof(struct gradient_attrs, zs), .kind = ATTR_STRINGS },
	{ 0 },
};
/* clang-format on */

static enum err_code lower_gradient(struct lower *lower, struct err *err)
{
	const struct gradient_attrs *own = lower->attrs;
	const struct spelling_node *node = lower->node;
	struct build *build = lower->build;
	const size_t n = own->xs.n;
	int32_t *in = arena_array(build->graph->arena, n + 1, sizeof(*in));

	if (!in)
		return err_set(err, ERR_NO_MEMORY, "node '%s': out of memory",
			       node->node_name);
	if (!n || node->n_in != n + own->zs.n + 1 || node->n_out > n)
		return err_set(err, ERR_INVALID,
			       "node '%s' (Gradient): %zu and %zu names in xs "
			       "and zs do not fit its inputs and outputs",
			       node->node_name, n, own->zs.n);
	in[0] = node->in[node->n_in - 1];
	for (size_t i = 0; i < n; i++)
		in[i + 1] = node->in[i];
	build_nodes(build, "Gradient", NULL, in, (unsigned)n + 1, node->out,
		    node->n_out);
	return build_check(build, err);
}

const struct spelling spellings_gradient[] = {
	{ .domain = "ai.onnx.preview.training",
	  .name = "Gradient",
	  .from = 1,
	  .to = UINT16_MAX,
	  .lower = lower_gradient,
	  .attrs = attrs,
	  .attrs_size = sizeof(struct gradient_attrs) },
	{ 0 },
};
