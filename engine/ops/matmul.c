/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Matrix products: MatMul (numpy's broadcasting), MatMulT (either side may be
 * transposed in its last two axes, and a row may be added) and Gemm.
 *
 *   Y = A' B' + C      dA' = dY B'^T      dB' = A'^T dY
 * where A' is A or its transpose; the gradients are products of the same kind,
 * so nothing is ever transposed in memory.
 */
#include <math.h>

#include "engine/autodiff.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/product.h"
#include "engine/ops/reshape.h"

static const struct kernel *const product_kernels[] = {
	&product_onednn_bf16, &product_panels, &product_tiles, &product_onednn,
	&product_row,	      &product_blas,   &product_plain, NULL,
};

static enum err_code check_inner(int64_t from_a, int64_t from_b,
				 struct err *err)
{
	if (from_a == from_b)
		return ERR_NONE;
	return infer_fail(err,
			  "input 'B': expected inner extent %lld as in input "
			  "'A', got %lld",
			  (long long)from_a, (long long)from_b);
}

/* shape of the product of two that have rank 2 at least */
static enum err_code infer_product(const struct shape *a, const struct shape *b,
				   const struct matmul_attrs *attrs,
				   struct shape *ret, struct err *err)
{
	struct shape batch_a = *a, batch_b = *b;
	const bool ta = attrs->trans_a != 0, tb = attrs->trans_b != 0;
	enum err_code rc;

	rc = check_inner(a->dim[a->rank - (ta ? 2 : 1)],
			 b->dim[b->rank - (tb ? 1 : 2)], err);
	if (rc)
		return rc;
	batch_a.rank -= 2;
	batch_b.rank -= 2;
	rc = shape_broadcast(&batch_a, &batch_b, ret, err);
	if (rc)
		return err_prefix(err, "inputs 'A' and 'B', batch axes");
	ret->dim[ret->rank++] = a->dim[a->rank - (ta ? 1 : 2)];
	ret->dim[ret->rank++] = b->dim[b->rank - (tb ? 2 : 1)];
	return shape_check(ret, "output 'Y'", err);
}

enum err_code matmul_infer(struct infer *infer, struct err *err)
{
	const struct matmul_attrs none = { 0 };
	struct shape a = infer->in[0].shape, b = infer->in[1].shape;
	struct shape *y = &infer->out[0].shape;
	enum err_code rc;

	if (!a.rank || !b.rank)
		return infer_fail(err,
				  "input '%s': expected rank 1 or more, got a "
				  "scalar",
				  a.rank ? "B" : "A");
	if (a.rank == 1)
		a = (struct shape){ 2, { 1, a.dim[0] } };
	if (b.rank == 1)
		b = (struct shape){ 2, { b.dim[0], 1 } };
	rc = infer_product(&a, &b, &none, y, err);
	if (rc)
		return rc;
	if (infer->in[0].shape.rank == 1) {
		y->dim[y->rank - 2] = y->dim[y->rank - 1];
		y->rank--;
	}
	if (infer->in[1].shape.rank == 1)
		y->rank--;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

/* C is one row of Y. */
static enum err_code check_row(const struct infer *infer, struct err *err)
{
	const struct shape *y = &infer->out[0].shape;
	const struct shape *c = &infer->in[2].shape;
	char have[64];

	if (c->rank == 1 && c->dim[0] == y->dim[y->rank - 1])
		return ERR_NONE;
	return infer_fail(err, "input 'C': expected [%lld], got %s",
			  (long long)y->dim[y->rank - 1],
			  shape_text(c, have, sizeof(have)));
}

static enum err_code matmul_t_infer(struct infer *infer, struct err *err)
{
	const struct shape *a = &infer->in[0].shape, *b = &infer->in[1].shape;
	enum err_code rc;

	if (a->rank < 2 || b->rank < 2)
		return infer_fail(err,
				  "input '%s': expected rank 2 or more, got "
				  "rank %u",
				  a->rank < 2 ? "A" : "B",
				  a->rank < 2 ? a->rank : b->rank);
	infer->out[0].has_shape = true;
	rc = infer_product(a, b, infer->attrs, &infer->out[0].shape, err);
	if (!rc && infer->n_in > 2 && infer->in[2].type.elem != DTYPE_NONE)
		rc = check_row(infer, err);
	return rc;
}

/* integers are scaled as integers */
static enum err_code check_factors(const struct infer *infer, struct err *err)
{
	const struct gemm_attrs *attrs = infer->attrs;
	const double factor[2] = { attrs->alpha, attrs->beta };

	if (dtype_is_float(infer->in[0].type.elem))
		return ERR_NONE;
	for (int i = 0; i < 2; i++) {
		if (!(fabs(factor[i]) <= INT32_MAX) ||
		    factor[i] != trunc(factor[i]))
			return err_set(err, ERR_UNSUPPORTED,
				       "attribute '%s': expected a whole "
				       "number for integer matrices, got %g",
				       i ? "beta" : "alpha", factor[i]);
	}
	return ERR_NONE;
}

static enum err_code gemm_infer(struct infer *infer, struct err *err)
{
	const struct gemm_attrs *attrs = infer->attrs;
	const struct shape *a = &infer->in[0].shape, *b = &infer->in[1].shape;
	struct shape *y = &infer->out[0].shape;
	enum err_code rc;

	if (a->rank != 2 || b->rank != 2)
		return infer_fail(
		    err, "input '%s': expected rank 2, got rank %u",
		    a->rank != 2 ? "A" : "B", a->rank != 2 ? a->rank : b->rank);
	rc = check_inner(a->dim[attrs->transA ? 0 : 1],
			 b->dim[attrs->transB ? 1 : 0], err);
	if (!rc)
		rc = check_factors(infer, err);
	if (rc)
		return rc;
	*y = (struct shape){ 2,
			     { a->dim[attrs->transA ? 1 : 0],
			       b->dim[attrs->transB ? 0 : 1] } };
	rc = shape_check(y, "output 'Y'", err);
	if (rc)
		return rc;
	infer->out[0].has_shape = true;
	if (infer->n_in > 2 && infer->in[2].type.elem != DTYPE_NONE) {
		const struct shape *c = &infer->in[2].shape;
		char have[64], want[64];

		for (unsigned i = 0; i < c->rank; i++) {
			if (c->rank <= 2 &&
			    (c->dim[i] == 1 ||
			     c->dim[i] == y->dim[2 - c->rank + i]))
				continue;
			return infer_fail(
			    err,
			    "input 'C': expected a shape that broadcasts "
			    "to %s, got %s",
			    shape_text(y, want, sizeof(want)),
			    shape_text(c, have, sizeof(have)));
		}
	}
	return ERR_NONE;
}

/* dA and dB of Y = A' B' by `op` (MatMulT or Gemm); attrs(ta, tb) are built
 * by the caller for each */
struct product_grad {
	struct build *build;
	const char *op;
	bool is_gemm;
	double alpha;
	bool trans_a, trans_b;
};

static int32_t grad_product(const struct product_grad *g, int32_t a, int32_t b,
			    bool trans_a, bool trans_b)
{
	const struct gemm_attrs gemm = { .alpha = g->alpha,
					 .transA = trans_a,
					 .transB = trans_b };
	const struct matmul_attrs matmul = { trans_a, trans_b };
	const int32_t in[2] = { a, b };

	if (g->is_gemm)
		return build_node(g->build, "Gemm", &gemm, in, 2);
	return build_node(g->build, "MatMulT", &matmul, in, 2);
}

static int32_t grad_a(const struct product_grad *g, int32_t b, int32_t dy)
{
	if (g->trans_a)
		return grad_product(g, b, dy, g->trans_b, true);
	return grad_product(g, dy, b, false, !g->trans_b);
}

static int32_t grad_b(const struct product_grad *g, int32_t a, int32_t dy)
{
	if (g->trans_b)
		return grad_product(g, dy, a, true, g->trans_a);
	return grad_product(g, a, dy, !g->trans_a, false);
}

static int32_t sum_to(struct build *build, int32_t x, int32_t like)
{
	if (shape_equal(&build_fact(build, x)->shape,
			&build_fact(build, like)->shape))
		return x;
	return build_2(build, "SumTo", x, like);
}

/* [b0, b1, rows, cols] as [b0 * b1 * rows, cols] */
static int32_t flat_rows(struct build *build, int32_t x)
{
	const struct shape *shape = &build_fact(build, x)->shape;
	const unsigned rank = shape->rank;
	const struct shape flat = {
		2, { shape_range(shape, 0, rank - 1), shape->dim[rank - 1] }
	};

	return rank == 2 ? x : build_reshape(build, x, &flat);
}

/* dB summed over the batches of A: one product over all rows */
static int32_t grad_shared_b(const struct product_grad *g, int32_t a, int32_t b,
			     int32_t dy)
{
	const int32_t rows_a = flat_rows(g->build, a);
	const int32_t rows_dy = flat_rows(g->build, dy);

	return build_reshape_like(g->build, grad_b(g, rows_a, rows_dy), b);
}

static void matrix_grads(const struct product_grad *g, const int32_t in[2],
			 int32_t dy, const bool wanted[2], int32_t grad[2])
{
	struct build *build = g->build;
	const struct shape a = build_fact(build, in[0])->shape;
	const struct shape b = build_fact(build, in[1])->shape;
	const struct shape y = build_fact(build, dy)->shape;
	const bool b_shared =
	    shape_range(&b, 0, b.rank - 2) == 1 &&
	    shape_range(&a, 0, a.rank - 2) == shape_range(&y, 0, y.rank - 2);

	if (wanted[0])
		grad[0] = sum_to(build, grad_a(g, in[1], dy), in[0]);
	if (!wanted[1])
		return;
	if (b_shared && !g->trans_a && y.rank > 2)
		grad[1] = grad_shared_b(g, in[0], in[1], dy);
	else
		grad[1] = sum_to(build, grad_b(g, in[0], dy), in[1]);
}

/* vectors become matrices of one row or column for the rule above */
static enum err_code matmul_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	struct product_grad g = { .build = build };
	const struct shape a = build_fact(build, vjp->in[0])->shape;
	const struct shape b = build_fact(build, vjp->in[1])->shape;
	struct shape y = build_fact(build, vjp->out[0])->shape;
	int32_t in[2] = { vjp->in[0], vjp->in[1] };
	int32_t grad[2] = { VALUE_NONE, VALUE_NONE };
	const struct matmul_attrs *attrs = vjp->attrs;

	if (vjp->node->op->attrs_size) {
		g.trans_a = attrs->trans_a != 0;
		g.trans_b = attrs->trans_b != 0;
	}
	if (b.rank == 1) {
		const struct shape column = { 2, { b.dim[0], 1 } };

		in[1] = build_reshape(build, in[1], &column);
		y.dim[y.rank++] = 1;
	}
	if (a.rank == 1) {
		const struct shape row = { 2, { 1, a.dim[0] } };

		in[0] = build_reshape(build, in[0], &row);
		y.dim[y.rank] = y.dim[y.rank - 1];
		y.dim[y.rank - 1] = 1;
		y.rank++;
	}
	matrix_grads(&g, in,
		     a.rank == 1 || b.rank == 1
			 ? build_reshape(build, vjp->grad_out[0], &y)
			 : vjp->grad_out[0],
		     vjp->wanted, grad);
	for (int i = 0; i < 2; i++) {
		const bool is_vector = (i ? b.rank : a.rank) == 1;

		if (vjp->wanted[i])
			vjp->grad_in[i] =
			    is_vector
				? build_reshape_like(build, grad[i], vjp->in[i])
				: grad[i];
	}
	if (vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE && vjp->wanted[2])
		vjp->grad_in[2] = sum_to(build, vjp->grad_out[0], vjp->in[2]);
	return build_check(build, err);
}

static enum err_code gemm_vjp(struct vjp *vjp, struct err *err)
{
	const struct gemm_attrs *attrs = vjp->attrs;
	struct build *build = vjp->build;
	const struct product_grad g = {
		.build = build,
		.is_gemm = true,
		.alpha = attrs->alpha,
		.trans_a = attrs->transA != 0,
		.trans_b = attrs->transB != 0,
	};
	const int32_t dy = vjp->grad_out[0];

	if (vjp->wanted[0])
		vjp->grad_in[0] = grad_a(&g, vjp->in[1], dy);
	if (vjp->wanted[1])
		vjp->grad_in[1] = grad_b(&g, vjp->in[0], dy);
	if (vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE && vjp->wanted[2]) {
		const enum dtype elem = build_fact(build, dy)->type.elem;
		int32_t dc = sum_to(build, dy, vjp->in[2]);

		if (attrs->beta != 1)
			dc = build_2(build, "Mul", dc,
				     build_scalar(build, elem, attrs->beta));
		vjp->grad_in[2] = dc;
	}
	return build_check(build, err);
}

static const struct port product_in[] = {
	{ "A", "T:float16,float,double,bfloat16,int32,int64,uint32,uint64", 0 },
	{ "B", "T", 0 },
	{ 0 },
};
static const struct port product_out[] = {
	{ "Y", "T", 0 },
	{ 0 },
};
static const struct port gemm_in[] = {
	{ "A", "T:float16,float,double,bfloat16,int32,int64,uint32,uint64", 0 },
	{ "B", "T", 0 },
	{ "C", "T", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
static const struct op_attr matmul_t_attrs[] = {
	{ .name = "trans_a", .help = "1: swaps the last two axes of A",
	  .offset = offsetof(struct matmul_attrs, trans_a), .kind = ATTR_INT, .max = 1 },
	{ .name = "trans_b", .help = "1: swaps the last two axes of B",
	  .offset = offsetof(struct matmul_attrs, trans_b), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};

static const struct op_attr gemm_attrs[] = {
	{ .name = "alpha", .help = "factor of the product",
	  .offset = offsetof(struct gemm_attrs, alpha), .kind = ATTR_FLOAT, .def = 1 },
	{ .name = "beta", .help = "factor of C",
	  .offset = offsetof(struct gemm_attrs, beta), .kind = ATTR_FLOAT, .def = 1 },
	{ .name = "transA", .help = "not 0: A is transposed",
	  .offset = offsetof(struct gemm_attrs, transA), .kind = ATTR_INT },
	{ .name = "transB", .help = "not 0: B is transposed",
	  .offset = offsetof(struct gemm_attrs, transB), .kind = ATTR_INT },
	{ 0 },
};

static const struct op_case matmul_cases[] = {
	{ .name = "matrices", .graph = "y = MatMul(a:float[3,5], b:float[5,7])" },
	{ .name = "one row", .graph = "y = MatMul(a:float[1,70], b:float[70,131])" },
	{ .name = "one row by a constant",
	  .graph = "b = Reshape(Sin(Range(0, 2880, 1)), k:int64[2]={40,72}); "
		   "y = MatMul(a:float[1,40], b)" },
	{ .name = "one column", .graph = "y = MatMul(a:float[9,4], b:float[4,1])" },
	{ .name = "large", .graph = "y = MatMul(a:float[65,130], b:float[130,67])" },
	{ .name = "batches", .graph = "y = MatMul(a:float[2,3,4,5], b:float[2,3,5,6])" },
	{ .name = "batches of one B", .graph = "y = MatMul(a:float[2,3,4,5], b:float[5,6])" },
	{ .name = "batches of one A", .graph = "y = MatMul(a:float[4,5], b:float[3,5,2])" },
	{ .name = "broadcast batches", .graph = "y = MatMul(a:float[2,1,4,5], b:float[3,5,2])" },
	{ .name = "broadcast inside B", .graph = "y = MatMul(a:float[2,3,4,5], b:float[2,1,5,2])" },
	{ .name = "B of leading ones", .graph = "y = MatMul(a:float[2,3,4,5], b:float[1,1,5,2])" },
	{ .name = "vectors", .graph = "y = MatMul(a:float[6], b:float[6])" },
	{ .name = "vector by matrix", .graph = "y = MatMul(a:float[6], b:float[6,4])" },
	{ .name = "vector by batches", .graph = "y = MatMul(a:float[6], b:float[3,6,4])" },
	{ .name = "batches by vector", .graph = "y = MatMul(a:float[2,3,6], b:float[6])" },
	{ .name = "double", .graph = "y = MatMul(a:double[3,5], b:double[5,7])" },
	{ .name = "integers", .graph = "y = MatMul(a:int32[3,5], b:int32[5,2])" },
	{ .name = "long integers", .graph = "y = MatMul(a:int64[3,5], b:int64[5,2])" },
	{ .name = "unsigned integers", .graph = "y = MatMul(a:uint64[3,5], b:uint64[5,2])" },
	{ .name = "no rows", .graph = "y = MatMul(a:float[0,5], b:float[5,2])" },
	{ .name = "no inner extent", .graph = "y = MatMul(a:float[3,0], b:float[0,2])" },
	{ .name = "no batches", .graph = "y = MatMul(a:float[0,3,4], b:float[4,2])" },
	{ .name = "inner extents differ", .graph = "y = MatMul(a:float[3,5], b:float[4,2])",
	  .want = ERR_SHAPE },
	{ .name = "batches differ", .graph = "y = MatMul(a:float[2,3,5], b:float[3,5,2])",
	  .want = ERR_SHAPE },
	{ .name = "a scalar", .graph = "y = MatMul(a:float[], b:float[5,2])", .want = ERR_SHAPE },
	{ 0 },
};

static const struct op_case matmul_t_cases[] = {
	{ .name = "A transposed",
	  .graph = "y = predictd.MatMulT<trans_a=1>(a:float[5,3], b:float[5,7])" },
	{ .name = "B transposed",
	  .graph = "y = predictd.MatMulT<trans_b=1>(a:float[3,5], b:float[7,5])" },
	{ .name = "A transposed, in blocks",
	  .graph = "y = predictd.MatMulT<trans_a=1>(a:float[258,97], b:float[258,96])",
	  .tolerance = 1e-4 },
	{ .name = "B transposed, in blocks",
	  .graph = "y = predictd.MatMulT<trans_b=1>(a:float[99,34], b:float[1060,34])",
	  .tolerance = 1e-4 },
	{ .name = "both",
	  .graph = "y = predictd.MatMulT<trans_a=1, trans_b=1>(a:float[2,5,3], "
		   "b:float[2,7,5])" },
	{ .name = "A transposed, one B",
	  .graph = "y = predictd.MatMulT<trans_a=1>(a:float[4,5,3], b:float[5,7])" },
	{ .name = "B transposed, one B",
	  .graph = "y = predictd.MatMulT<trans_b=1>(a:float[4,3,5], b:float[7,5])" },
	{ .name = "one row, B transposed",
	  .graph = "y = predictd.MatMulT<trans_b=1>(a:float[1,37], b:float[67,37])" },
	{ .name = "double",
	  .graph = "y = predictd.MatMulT<trans_a=1>(a:double[5,3], b:double[5,7])" },
	{ .name = "a row more",
	  .graph = "y = predictd.MatMulT(a:float[3,5], b:float[5,7], c:float[7])" },
	{ .name = "a row more to rows of batches",
	  .graph = "y = predictd.MatMulT(a:float[2,3,5], b:float[5,7], c:float[7])" },
	{ .name = "a row more to batches, transposed",
	  .graph = "y = predictd.MatMulT<trans_b=1>(a:float[2,3,5], b:float[2,7,5], c:float[7])" },
	{ .name = "a row more to one row",
	  .graph = "y = predictd.MatMulT(a:float[1,70], b:float[70,131], c:float[131])" },
	{ .name = "a row more, large",
	  .graph = "y = predictd.MatMulT(a:float[65,130], b:float[130,67], c:float[67])" },
	{ .name = "a row more, integers",
	  .graph = "y = predictd.MatMulT(a:int32[3,5], b:int32[5,7], c:int32[7])" },
	{ .name = "a row more, double",
	  .graph = "y = predictd.MatMulT(a:double[3,5], b:double[5,7], c:double[7])" },
	{ .name = "a row too short",
	  .graph = "y = predictd.MatMulT(a:float[3,5], b:float[5,7], c:float[1])",
	  .want = ERR_SHAPE },
	{ .name = "a vector", .graph = "y = predictd.MatMulT(a:float[5], b:float[5,7])",
	  .want = ERR_SHAPE },
	{ .name = "inner extents differ",
	  .graph = "y = predictd.MatMulT<trans_b=1>(a:float[3,5], b:float[5,7])",
	  .want = ERR_SHAPE },
	{ 0 },
};

static const struct op_case gemm_cases[] = {
	{ .name = "plain", .graph = "y = Gemm(a:float[3,5], b:float[5,7])" },
	{ .name = "bias", .graph = "y = Gemm(a:float[3,5], b:float[5,7], c:float[7])" },
	{ .name = "two rows by a constant, scaled",
	  .graph = "b = Reshape(Sin(Range(0, 3840, 1)), k:int64[2]={96,40}); "
		   "y = Gemm<transB=1, alpha=0.5, beta=2>(a:float[2,40], b, c:float[2,1])" },
	{ .name = "a column by a constant",
	  .graph = "b = Reshape(Sin(Range(0, 2880, 1)), k:int64[2]={40,72}); "
		   "y = Gemm<transA=1>(a:float[40,1], b, c:float[72])" },
	{ .name = "bias, in blocks",
	  .graph = "y = Gemm(a:float[97,260], b:float[260,96], c:float[96])",
	  .tolerance = 1e-4 },
	{ .name = "bias of one row",
	  .graph = "y = Gemm(a:float[1,70], b:float[70,131], c:float[131])" },
	{ .name = "column bias",
	  .graph = "y = Gemm<beta=0.5>(a:float[3,5], b:float[5,7], c:float[3,1])" },
	{ .name = "row bias", .graph = "y = Gemm(a:float[3,5], b:float[5,7], c:float[1,7])" },
	{ .name = "scalar bias", .graph = "y = Gemm(a:float[3,5], b:float[5,7], c:float[])" },
	{ .name = "bias of one", .graph = "y = Gemm(a:float[3,5], b:float[5,7], c:float[1])" },
	{ .name = "whole C",
	  .graph = "y = Gemm<alpha=0.25, beta=0.35>(a:float[3,5], b:float[5,7], "
		   "c:float[3,7])" },
	{ .name = "transposed A",
	  .graph = "y = Gemm<transA=1, alpha=0.5>(a:float[5,3], b:float[5,7], c:float[7])" },
	{ .name = "transposed B",
	  .graph = "y = Gemm<transB=1>(a:float[3,5], b:float[7,5], c:float[7])" },
	{ .name = "one row, transposed B",
	  .graph = "y = Gemm<transB=1, alpha=2>(a:float[1,37], b:float[67,37], c:float[67])" },
	{ .name = "both transposed",
	  .graph = "y = Gemm<transA=1, transB=1>(a:float[5,3], b:float[7,5], c:float[7])" },
	{ .name = "large",
	  .graph = "y = Gemm<transB=1>(a:float[65,130], b:float[67,130], c:float[67])" },
	{ .name = "double", .graph = "y = Gemm(a:double[3,5], b:double[5,7], c:double[7])" },
	{ .name = "integers", .graph = "y = Gemm(a:int32[3,5], b:int32[5,7], c:int32[7])" },
	{ .name = "no inner extent", .graph = "y = Gemm(a:float[3,0], b:float[0,7], c:float[7])" },
	{ .name = "no rows", .graph = "y = Gemm(a:float[0,5], b:float[5,7], c:float[7])" },
	{ .name = "inner extents differ", .graph = "y = Gemm(a:float[3,5], b:float[4,7])",
	  .want = ERR_SHAPE },
	{ .name = "C too long", .graph = "y = Gemm(a:float[3,5], b:float[5,7], c:float[8])",
	  .want = ERR_SHAPE },
	{ .name = "C of rank 3",
	  .graph = "y = Gemm(a:float[3,5], b:float[5,7], c:float[1,3,7])", .want = ERR_SHAPE },
	{ .name = "A of rank 3", .graph = "y = Gemm(a:float[1,3,5], b:float[5,7])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_gemm;
const struct op op_gemm = {
	.domain = "",
	.name = "Gemm",
	.help = "alpha A' B' + beta C of two matrices, where A' is A or its "
		"transpose.",
	.since = 7,
	.in = gemm_in,
	.out = product_out,
	.attrs = gemm_attrs,
	.attrs_size = sizeof(struct gemm_attrs),
	.infer = gemm_infer,
	.kernels = product_kernels,
	.vjp = gemm_vjp,
	.cases = gemm_cases,
};

extern const struct op op_matmul;
const struct op op_matmul = {
	.domain = "",
	.name = "MatMul",
	.help = "Matrix product over the last two axes; the others broadcast.",
	.since = 1,
	.in = product_in,
	.out = product_out,
	.infer = matmul_infer,
	.kernels = product_kernels,
	.vjp = matmul_vjp,
	.cases = matmul_cases,
};

extern const struct op op_matmul_t;
const struct op op_matmul_t = {
	.domain = "predictd",
	.name = "MatMulT",
	.help =
	    "MatMul of matrices that may be transposed as they are read, and a "
	    "row added to every row.",
	.since = 1,
	.in = gemm_in,
	.out = product_out,
	.attrs = matmul_t_attrs,
	.attrs_size = sizeof(struct matmul_attrs),
	.infer = matmul_t_infer,
	.kernels = product_kernels,
	.vjp = matmul_vjp,
	.cases = matmul_t_cases,
};
