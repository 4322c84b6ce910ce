/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Clip: the nearest number between two limits, either of which may be absent.
 *
 * The gradient passes where the number was inside; what a limit replaced goes
 * to that limit.
 */
#include "engine/autodiff.h"
#include "engine/ops/elementwise.h"

static enum err_code infer_clip(struct infer *infer, struct err *err)
{
	static const char *const name[] = { "input", "min", "max" };
	char got[64];

	for (unsigned i = 1; i < infer->n_in && i < 3; i++) {
		const struct fact *limit = &infer->in[i];

		if (limit->type.elem != DTYPE_NONE &&
		    shape_count(&limit->shape) != 1)
			return infer_fail(
			    err, "input '%s': expected a scalar, got %s",
			    name[i],
			    shape_text(&limit->shape, got, sizeof(got)));
	}
	return infer_same(infer, err);
}

/* dY where the test holds, else 0. */
static int32_t where_holds(struct vjp *vjp, const char *test, int32_t a,
			   int32_t b)
{
	struct build *build = vjp->build;
	const enum dtype elem = build->graph->value[vjp->in[0]].type.elem;
	const int32_t pick[3] = { build_2(build, test, a, b), vjp->grad_out[0],
				  build_scalar(build, elem, 0.0) };

	return build_node(build, "Where", NULL, pick, 3);
}

static enum err_code clip_vjp(struct vjp *vjp, struct err *err)
{
	static const char *const beyond[] = { NULL, "Less", "Greater" };

	if (vjp->wanted[0])
		vjp->grad_in[0] =
		    where_holds(vjp, "Equal", vjp->in[0], vjp->out[0]);
	for (int32_t i = 1; i < vjp->node->n_in && i < 3; i++)
		if (vjp->in[i] != VALUE_NONE && vjp->wanted[i])
			vjp->grad_in[i] = build_2(
			    vjp->build, "SumTo",
			    where_holds(vjp, beyond[i], vjp->in[0], vjp->in[i]),
			    vjp->in[i]);
	return build_check(vjp->build, err);
}

static const struct op_case clip_cases[] = {
	{ .name = "between",
	  .graph = "y = Clip(x:float[3,71], low:float[]={-0.5}, "
		   "high:float[]={0.7})" },
	{ .name = "from below",
	  .graph = "y = Clip(x:float[3,7], low:float[]={-0.5})" },
	{ .name = "from above",
	  .graph = "y = Clip(x:float[3,7], , high:float[]={0.5})" },
	{ .name = "no limits", .graph = "y = Clip(x:float[3,7])" },
	{ .name = "limits that cross",
	  .graph =
	      "y = Clip(x:float[9], low:float[]={0.5}, high:float[]={-0.5})" },
	{ .name = "int64",
	  .graph = "y = Clip(x:int64[9], low:int64[]={1}, high:int64[]={2})" },
	{ .name = "int32",
	  .graph = "y = Clip(x:int32[9], , high:int32[1]={1})" },
	{ .name = "nothing", .graph = "y = Clip(x:float[0], low:float[]={1})" },
	{ .name = "a row of limits",
	  .graph = "y = Clip(x:float[3], low:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_clip;

const struct op op_clip = {
	.domain = "",
	.name = "Clip",
	.help = "X, but no less than min and no more than max",
	.since = 11,
	.in = (const struct port[]){ { "input", "T:arith", 0 },
				     { "min", "T", PORT_OPTIONAL },
				     { "max", "T", PORT_OPTIONAL },
				     { 0 } },
	.out = (const struct port[]){ { "output", "T", 0 }, { 0 } },
	.infer = infer_clip,
	.kernels = elementwise_kernels,
	.vjp = clip_vjp,
	.cases = clip_cases,
};
