/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Mod: what a division leaves.
 *
 * Its sign is the divisor's, as in Python, or with fmod=1 the dividend's, as
 * in C. An integer divided by zero is a bad value.
 */
#include "engine/autodiff.h"
#include "engine/ops/elementwise.h"

struct mod_attrs {
	int64_t fmod;
};
static const struct op_attr mod_attr_rows[] = {
	{ .name = "fmod",
	  .help = "1: the sign is the dividend's",
	  .offset = offsetof(struct mod_attrs, fmod),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

/* dA = dC; B moves the result by whole steps of A / B, which no rule here
 * gives back. */
static enum err_code mod_vjp(struct vjp *vjp, struct err *err)
{
	if (vjp->wanted[1])
		return err_set(err, ERR_UNSUPPORTED,
			       "Mod has no gradient for its divisor");
	vjp->grad_in[0] =
	    build_2(vjp->build, "SumTo", vjp->grad_out[0], vjp->in[0]);
	return build_check(vjp->build, err);
}

static const struct op_case mod_cases[] = {
	{ .name = "signs",
	  .graph = "c = Mod(a:int32[4]={7,-7,7,-7}, b:int32[4]={3,3,-3,-3})" },
	{ .name = "signs as in C",
	  .graph = "c = Mod<fmod=1>(a:int64[4]={7,-7,7,-7}, "
		   "b:int64[4]={3,3,-3,-3})" },
	{ .name = "unsigned",
	  .graph = "c = Mod(a:uint64[3,5], b:uint64[5]={1,2,3,4,5})" },
	{ .name = "bytes",
	  .graph = "c = Mod(a:int8[3]={-128,-7,9}, b:int8[]={-1})" },
	{ .name = "floats as in C",
	  .graph = "c = Mod<fmod=1>(a:float[3,5], b:float[5])",
	  .kink = 0.3 },
	{ .name = "floats",
	  .graph = "c = Mod(a:float[3,5], b:float[3,1]={0.5,-0.75,2})" },
	{ .name = "nothing", .graph = "c = Mod(a:int64[0], b:int64[1]={3})" },
	{ .name = "shapes that do not meet",
	  .graph = "c = Mod(a:int64[2], b:int64[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_mod;

const struct op op_mod = {
	.domain = "",
	.name = "Mod",
	.help = "what A leaves when it is divided by B",
	.since = 10,
	.in = (const struct port[]){ { "A", "T:arith", 0 },
				     { "B", "T", 0 },
				     { 0 } },
	.out = (const struct port[]){ { "C", "T", 0 }, { 0 } },
	.attrs = mod_attr_rows,
	.attrs_size = sizeof(struct mod_attrs),
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.vjp = mod_vjp,
	.cases = mod_cases,
};
