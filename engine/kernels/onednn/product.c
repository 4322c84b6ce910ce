/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Matrix products through oneDNN: MatMul, MatMulT and Gemm with a bias row; of
 * floats, or of operands that are rounded to bfloat16 on their way in.
 *
 * Slices take batches, rows or, where the right side is a constant (packed at
 * birth) or rounded anyway, columns. Sums depend on the shape of a product, so
 * that the number of slices does not depend on the threads unless numerics are
 * FAST.
 */
#include "engine/ops/product.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"
#include "engine/ops/round_bfloat16.h"

enum { MAX_SLICES = 16, ROWS = 16, ROWS_OF_UNPACKED = 32, COLUMNS = 64 };

#define FLOPS_PER_US 140e3
#define BF16_FLOPS_PER_US 250e3
#define ROUNDED_PER_US 12e3 /* floats to bfloat16, as they lie */
#define FLOATS_PER_US 9e3   /* of the right side, read once */
#define FIXED_SLICE_US 100
#define WANTED_SLICE_US 30
#define PAIR_US 10 /* two slices from here on, if nothing is packed anew */
#define FEWEST_FLOPS 2e4 /* fewer are not worth a call */

enum cut { CUT_NONE, CUT_BATCH, CUT_ROWS, CUT_COLUMNS };

struct job {
	struct product p;
	enum cut cut;
	unsigned n_slices;
	bool b_is_known;
	dnnl_data_type_t type; /* of a and b in the product */
};

static double product_us(const struct product *p, dnnl_data_type_t type)
{
	const double n_a = (double)p->n_batch * (double)p->m * (double)p->k;
	const double n_b = (double)p->n_batch * (double)p->n * (double)p->k;
	const double read = n_b / FLOATS_PER_US, flops = product_flops(p);
	const bool is_bf16 = type == dnnl_bf16;
	const double us = flops / (is_bf16 ? BF16_FLOPS_PER_US : FLOPS_PER_US);

	return 0.5 + (us > read ? us : read) +
	       (is_bf16 ? (n_a + n_b) / ROUNDED_PER_US : 0);
}

/* What each slice of rows rounds again may cost a fortieth of it, but for two.
 */
static double most_rounding(const struct job *job, double us)
{
	const double again_us =
	    (double)job->p.n * (double)job->p.k / ROUNDED_PER_US;
	const double most = us / (40 * again_us);

	return most > 2 ? most : 2;
}

static void cut_job(struct job *job, const struct kernel_query *query)
{
	const struct product *p = &job->p;
	const bool is_fast = query->numerics == NUMERICS_FAST;
	const double us = product_us(p, job->type);
	double most = us / (is_fast ? WANTED_SLICE_US : FIXED_SLICE_US);
	unsigned want = is_fast ? query->want_slices : MAX_SLICES;
	int64_t unit = 1, n;

	if (job->b_is_known && us >= PAIR_US && most < 2)
		most = 2;
	if (job->type == dnnl_bf16 && p->n_batch == 1 && p->n <= 2 * p->m &&
	    most > most_rounding(job, us))
		most = most_rounding(job, us);
	if (most < want)
		want = most < 1 ? 1 : (unsigned)most;
	job->n_slices = 1;
	job->cut = CUT_BATCH;
	if (p->n_batch > 1) {
		n = p->batch.dim[0];
	} else if ((job->b_is_known || job->type == dnnl_bf16) &&
		   p->n > 2 * p->m) {
		job->cut = CUT_COLUMNS;
		n = p->n;
		unit = COLUMNS;
	} else {
		job->cut = CUT_ROWS;
		n = p->m;
		/* each slice packs the right side again */
		unit = job->b_is_known ? ROWS : ROWS_OF_UNPACKED;
	}
	job->n_slices = recipe_parts(n, unit, want, MAX_SLICES);
	if (job->n_slices == 1)
		job->cut = CUT_NONE;
}

static struct job job_of(const struct kernel_query *query,
			 dnnl_data_type_t type)
{
	struct job job = { .b_is_known = query->in[1].value != NULL,
			   .type = type };

	product_query(query, &job.p);
	cut_job(&job, query);
	return job;
}

/* One operand: batch axes of which shared ones have extent 1, then rows and
 * columns; strides as they lie, and the elements between two slices. */
struct operand {
	struct shape shape;
	int64_t stride[SHAPE_MAX_RANK], step;
};

static struct operand operand_of(const struct job *job, const int64_t *step,
				 const int64_t extent[2],
				 const int64_t stride[2])
{
	const unsigned rank = job->p.batch.rank;
	struct operand o = { .shape = { .rank = rank + 2 } };
	int64_t n = extent[0] * extent[1];

	for (unsigned i = 0; i < 2; i++) {
		o.shape.dim[rank + i] = extent[i];
		o.stride[rank + i] = stride[i];
	}
	for (unsigned i = rank; i-- > 0;) {
		o.shape.dim[i] = step[i] ? job->p.batch.dim[i] : 1;
		/* of an extent of 1 any stride is right; oneDNN compares */
		o.stride[i] = o.shape.dim[i] > 1 ? step[i] : n;
		n *= o.shape.dim[i];
	}
	return o;
}

/* axis: what the cut shortens, from the last axis on; -1: nothing. */
static void cut_operand(struct operand *o, const struct job *job, int axis)
{
	const unsigned rank = o->shape.rank;

	if (job->cut == CUT_BATCH) {
		if (o->shape.dim[0] == 1)
			return;
		axis = (int)rank - 1;
	} else if (job->cut == CUT_NONE || axis < 0) {
		return;
	}
	o->shape.dim[rank - 1 - (unsigned)axis] /= job->n_slices;
	o->step = o->shape.dim[rank - 1 - (unsigned)axis] *
		  o->stride[rank - 1 - (unsigned)axis];
}

/* a, b and y of a slice. */
static void operands_of(const struct job *job, struct operand o[3])
{
	const struct product *p = &job->p;
	int64_t step_y[SHAPE_MAX_RANK], n = p->m * p->n;

	for (unsigned i = p->batch.rank; i-- > 0;) {
		step_y[i] = n;
		n *= p->batch.dim[i];
	}
	o[0] = operand_of(job, p->step_a, (int64_t[]){ p->m, p->k },
			  p->trans_a ? (int64_t[]){ 1, p->m }
				     : (int64_t[]){ p->k, 1 });
	o[1] = operand_of(job, p->step_b, (int64_t[]){ p->k, p->n },
			  p->trans_b ? (int64_t[]){ 1, p->k }
				     : (int64_t[]){ p->n, 1 });
	o[2] = operand_of(job, step_y, (int64_t[]){ p->m, p->n },
			  (int64_t[]){ p->n, 1 });
	cut_operand(&o[0], job, job->cut == CUT_ROWS ? 1 : -1);
	cut_operand(&o[1], job, job->cut == CUT_COLUMNS ? 0 : -1);
	cut_operand(&o[2], job, job->cut == CUT_ROWS ? 1 : 0);
}

/* The same operand without gaps, either way round: oneDNN is slow with gaps. */
static enum err_code dense_desc(const struct operand *o, dnnl_data_type_t type,
				bool is_transposed, dnnl_memory_desc_t *ret,
				struct err *err)
{
	const unsigned rank = o->shape.rank;
	int64_t stride[SHAPE_MAX_RANK], n;

	n = o->shape.dim[rank - 1] * o->shape.dim[rank - 2];
	stride[rank - 1] = is_transposed ? o->shape.dim[rank - 2] : 1;
	stride[rank - 2] = is_transposed ? 1 : o->shape.dim[rank - 1];
	for (unsigned i = rank - 2; i-- > 0;) {
		stride[i] = n;
		n *= o->shape.dim[i];
	}
	return onednn_desc_of(type, &o->shape, stride, ret, err);
}

static enum err_code offer(const struct job *job, const struct recipe *recipe,
			   const struct operand o[3],
			   dnnl_primitive_desc_t *ret, struct err *err)
{
	dnnl_memory_desc_t a, b, y, bias = { 0 };
	dnnl_matmul_desc_t desc;
	struct shape row = { .rank = o[2].shape.rank };
	enum err_code rc;

	for (unsigned i = 0; i < row.rank; i++)
		row.dim[i] = 1;
	row.dim[row.rank - 1] = o[2].shape.dim[row.rank - 1];
	rc = dense_desc(&o[0], job->type, job->p.trans_a, &a, err);
	if (!rc)
		rc =
		    job->b_is_known
			? onednn_any_of(job->type, &o[1].shape, &b, err)
			: dense_desc(&o[1], job->type, job->p.trans_b, &b, err);
	if (!rc)
		rc = dense_desc(&o[2], dnnl_f32, false, &y, err);
	if (!rc)
		rc = onednn_desc(&row, NULL, &bias, err);
	if (!rc)
		rc = onednn_check(
		    dnnl_matmul_desc_init(&desc, &a, &b,
					  job->p.has_c ? &bias : NULL, &y),
		    "a product", err);
	return rc ? rc : recipe_offer(recipe, &desc, NULL, ret, err);
}

static enum err_code cook(const struct job *job,
			  const struct kernel_query *query,
			  struct recipe *recipe, const struct operand o[3],
			  const_dnnl_primitive_desc_t pd, struct err *err)
{
	const dnnl_memory_desc_t *a, *b, *y, *bias;
	struct recipe_arg arg[4] = { { DNNL_ARG_SRC, 0 },
				     { DNNL_ARG_WEIGHTS, 0 },
				     { DNNL_ARG_DST, 0 },
				     { DNNL_ARG_BIAS, 0 } };
	dnnl_memory_desc_t md;
	unsigned bound[3];
	enum err_code rc = ERR_NONE;

	a = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
	b = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
	bias = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1);
	y = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
	for (unsigned i = 0; !rc && i < 3; i++) {
		rc = onednn_desc(&o[i].shape, o[i].stride, &md, err);
		bound[i] = recipe_sliced(recipe, i == 2 ? SLOT_OUT : SLOT_IN,
					 i == 2 ? 0 : i, &md, o[i].step);
	}
	if (!rc)
		rc = recipe_reorder_in(recipe, bound[0], a, &arg[0].slot, err);
	if (!rc && job->b_is_known)
		rc = recipe_pack(recipe, bound[1], query->in[1].value, b,
				 &arg[1].slot, err);
	else if (!rc)
		rc = recipe_reorder_in(recipe, bound[1], b, &arg[1].slot, err);
	if (rc)
		return rc;
	arg[2].slot = recipe_target(recipe, bound[2], y);
	if (job->p.has_c)
		arg[3].slot = recipe_sliced(
		    recipe, SLOT_IN, 2, bias,
		    job->cut == CUT_COLUMNS ? o[1].shape.dim[1] : 0);
	rc = recipe_add(recipe, pd, arg, job->p.has_c ? 4 : 3, err);
	return rc ? rc : recipe_reorder_out(recipe, arg[2].slot, bound[2], err);
}

static enum err_code prepare_of(const struct kernel_query *query,
				dnnl_data_type_t type, struct kernel_setup *ret,
				struct err *err)
{
	const struct job job = job_of(query, type);
	dnnl_primitive_desc_t pd = NULL;
	struct recipe *recipe = NULL;
	struct operand o[3];
	enum err_code rc;

	operands_of(&job, o);
	rc = recipe_create(job.n_slices, &recipe, err);
	if (!rc) {
		recipe_share(recipe, query);
		rc = offer(&job, recipe, o, &pd, err);
	}
	if (!rc)
		rc = cook(&job, query, recipe, o, pd, err);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

static bool fits(const struct kernel_query *query)
{
	struct product p;

	if (query->in[0].type.elem != DTYPE_F32)
		return false;
	product_query(query, &p);
	/* a row against a matrix that is not packed: our own loop is as good */
	if (p.m == 1 && p.n_batch == 1 && !query->in[1].value)
		return false;
	return p.alpha == 1 && product_flops(&p) >= FEWEST_FLOPS &&
	       (!p.has_c ||
		(p.beta == 1 && p.row_c == 0 && (p.col_c || p.n == 1)));
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	return prepare_of(query, dnnl_f32, ret, err);
}

static double cost(const struct kernel_query *query)
{
	struct product p;

	product_query(query, &p);
	return product_us(&p, dnnl_f32);
}

const struct kernel product_onednn = {
	.name = "product.dnnl",
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};

static enum err_code bf16_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	return prepare_of(query, dnnl_bf16, ret, err);
}

static double bf16_cost(const struct kernel_query *query)
{
	struct product p;

	product_query(query, &p);
	return product_us(&p, dnnl_bf16);
}

static bool bf16_fits(const struct kernel_query *query)
{
	return onednn_has_bf16() && fits(query) &&
	       round_pays(query, bf16_cost(query));
}

const struct kernel product_onednn_bf16 = {
	.name = "product.dnnl.bf16",
	.flags = KERNEL_ROUNDS,
	.fits = bf16_fits,
	.cost = bf16_cost,
	.prepare = bf16_prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};
