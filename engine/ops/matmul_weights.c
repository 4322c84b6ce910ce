/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * MatMulWeights: floats by weights that are stored as bytes.
 *
 *   Y = X ((W - zero) scale) + bias
 * X has rows of k, W is a matrix [k, n] or, with trans_b, [n, k]; scale and
 * zero are one for all or one for each column. Kernels but the plain one round
 * each row of X to 16 bits (byte_weights.h).
 */
#include "engine/ops/byte_weights.h"

#include "engine/ops/product.h"
#include "engine/ops/quantize.h"
#include "engine/pack.h"

enum { IN_X, IN_W, IN_SCALE, IN_ZERO, IN_BIAS, N_IN };
#define SLICE_US 20.0

struct weights_attrs {
	int64_t trans_b;
};

/* The extents of a node, and its operands in a run. */
struct node {
	int64_t m, n, k;
	bool trans_b;
	enum dtype elem;
	const float *x, *scale, *bias;
	const void *w, *zero;
	int64_t n_scale, n_zero;
	float *y;
};

static bool has(const struct kernel_query *q, unsigned i)
{
	return i < q->n_in && q->in[i].type.elem != DTYPE_NONE;
}

static void node_query(const struct kernel_query *q, struct node *ret)
{
	const struct weights_attrs *attrs = q->attrs;
	const struct shape *x = &q->in[IN_X].shape, *y = &q->out[0].shape;

	*ret = (struct node){
		.m = shape_range(y, 0, y->rank - 1),
		.n = y->dim[y->rank - 1],
		.k = x->dim[x->rank - 1],
		.trans_b = attrs->trans_b != 0,
		.elem = q->in[IN_W].type.elem,
		.n_scale = shape_count(&q->in[IN_SCALE].shape),
		.n_zero =
		    has(q, IN_ZERO) ? shape_count(&q->in[IN_ZERO].shape) : 1,
	};
}

static void node_call(const struct kernel_call *call, struct node *ret)
{
	const struct kernel_query *q = call->query;

	node_query(q, ret);
	ret->x = call->in[IN_X];
	ret->w = call->in[IN_W];
	ret->scale = call->in[IN_SCALE];
	ret->zero = has(q, IN_ZERO) ? call->in[IN_ZERO] : NULL;
	ret->bias = has(q, IN_BIAS) ? call->in[IN_BIAS] : NULL;
	ret->y = call->out[0];
}

static struct byte_matrix matrix_of(const struct node *d, const void *w)
{
	if (d->trans_b)
		return (struct byte_matrix){ w, 0, 1, d->k };
	return (struct byte_matrix){ w, 0, d->n, 1 };
}

/* ---- slices: parts of the rows by parts of the panels -------------------- */

struct grid {
	int64_t rows, panels; /* parts */
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static struct grid grid_of(const struct node *d, int64_t n_slices)
{
	const int64_t most = (d->m + BYTE_WEIGHTS_ROWS - 1) / BYTE_WEIGHTS_ROWS;
	struct grid grid = { least(most, n_slices), 1 };

	if (grid.rows < 1)
		grid.rows = 1;
	while (grid.rows * (grid.panels + 1) <= n_slices &&
	       grid.panels < byte_panels(d->n))
		grid.panels++;
	return grid;
}

static double weights_cost(const struct kernel_query *query)
{
	const double us_a_product = byte_is_fast(byte_loops()) ? 6e-6 : 4e-5;
	struct node d;

	node_query(query, &d);
	return 0.2 + us_a_product * (double)d.m * (double)d.n * (double)d.k;
}

/* Zero points, scales, and the rows' bytes. */
struct scratch {
	int32_t *zero, *column; /* [n] */
	float *scale, *base;	/* [n] */
	void *rows, *panel;
};

static int64_t up_to_line(int64_t n)
{
	return (n + 63) / 64 * 64;
}

static size_t scratch_bytes(const struct node *d)
{
	return (size_t)(4 * up_to_line(4 * d->n) +
			up_to_line((int64_t)byte_weights_scratch(d->k)));
}

static void scratch_init(const struct node *d, void *at, struct scratch *ret)
{
	uint8_t *bytes = at;

	ret->zero = at;
	bytes += up_to_line(4 * d->n);
	at = bytes;
	ret->column = at;
	bytes += up_to_line(4 * d->n);
	at = bytes;
	ret->scale = at;
	bytes += up_to_line(4 * d->n);
	at = bytes;
	ret->base = at;
	ret->rows = bytes + up_to_line(4 * d->n);
	ret->panel = (uint8_t *)ret->rows +
		     up_to_line((int64_t)byte_weights_scratch(d->k));
	for (int64_t j = 0; j < d->n; j++)
		ret->scale[j] = d->scale[d->n_scale == 1 ? 0 : j];
	for (int64_t j = 0; j < d->n; j++)
		ret->base[j] = d->bias ? d->bias[j] : 0;
	for (int64_t j = 0; j < d->n_zero; j++)
		ret->zero[j] = quantized_at(d->elem, d->zero, j);
}

static void setup(const struct kernel_query *query, struct kernel_setup *ret)
{
	struct grid grid;
	struct node d;

	node_query(query, &d);
	grid =
	    grid_of(&d, kernel_slices(query, weights_cost(query) / SLICE_US));
	ret->n_slices = (unsigned)(grid.rows * grid.panels);
	ret->scratch_bytes = scratch_bytes(&d);
}

/* What a slice computes. */
struct range {
	int64_t row, last_row, panel, last_panel;
};

static struct byte_weights weights_of(const struct node *d,
				      const struct scratch *scratch)
{
	return (struct byte_weights){
		.form = byte_weights_form(byte_loops(), d->k, d->n, d->elem),
		.zero = scratch->zero,
		.n_zero = d->n_zero,
		.scale = scratch->scale,
		.column = scratch->column,
		.base = scratch->base,
		.y_step = d->n,
	};
}

/* ---- kernels ------------------------------------------------------------- */

static struct range range_of(const struct kernel_call *call, unsigned slice,
			     const struct node *d)
{
	const struct grid grid = grid_of(d, call->n_slices);
	struct range range;

	kernel_slice(d->m, (unsigned)grid.rows, slice / (unsigned)grid.panels,
		     &range.row, &range.last_row);
	kernel_slice(byte_panels(d->n), (unsigned)grid.panels,
		     slice % (unsigned)grid.panels, &range.panel,
		     &range.last_panel);
	return range;
}

static void packed_run(const struct kernel_call *call, unsigned slice, void *at)
{
	struct byte_weights w;
	struct scratch scratch;
	struct range range;
	struct node d;

	node_call(call, &d);
	scratch_init(&d, at, &scratch);
	range = range_of(call, slice, &d);
	w = weights_of(&d, &scratch);
	w.packed = pack_bytes(call->state);
	byte_weights_columns(&w, scratch.column);
	byte_weights_add(&w, range.last_row - range.row, d.x + range.row * d.k,
			 d.y + range.row * d.n,
			 (int64_t[]){ range.panel, range.last_panel },
			 scratch.rows);
}

static enum err_code fill(const void *data, const void *plain, void *to,
			  struct err *err)
{
	const struct node *d = data;
	const struct byte_form form =
	    byte_weights_form(byte_loops(), d->k, d->n, d->elem);
	const struct byte_matrix b = matrix_of(d, plain);

	(void)err;
	byte_pack(&form, &b, to);
	return ERR_NONE;
}

static enum err_code packed_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	int64_t form[4];
	struct byte_form packed;
	struct pack_wish wish;
	struct pack *pack;
	struct node d;
	enum err_code rc;

	node_query(query, &d);
	form[0] = d.k;
	form[1] = d.n;
	form[2] = d.trans_b;
	form[3] = d.elem;
	packed = byte_weights_form(byte_loops(), d.k, d.n, d.elem);
	wish = (struct pack_wish){
		.plain = query->in[IN_W].value,
		.plain_bytes = (size_t)(d.n * d.k),
		.form = form,
		.form_bytes = sizeof(form),
		.bytes = byte_pack_bytes(&packed),
		.make = fill,
		.data = &d,
	};
	rc = pack_get(query->packs, &wish, &pack, err);
	if (rc)
		return rc;
	ret->pack_bytes = pack_size(pack);
	ret->state = pack;
	setup(query, ret);
	return ERR_NONE;
}

static void packed_finish(void *state)
{
	pack_put(state);
}

static bool is_shallow(const struct kernel_query *query)
{
	struct node d;

	node_query(query, &d);
	return d.k <= BYTE_WEIGHTS_MAX_K;
}

static bool packed_fits(const struct kernel_query *query)
{
	return query->in[IN_W].value && is_shallow(query);
}

/* One panel of W, packed for this run. */
static void run_panel(const struct node *d, const struct scratch *scratch,
		      int64_t panel, const struct range *range)
{
	const int64_t first = panel * BYTE_PANEL;
	const int64_t n = least(d->n - first, BYTE_PANEL);
	struct byte_matrix b = matrix_of(d, d->w);
	struct byte_weights w = weights_of(d, scratch);

	b.data = (const uint8_t *)b.data + first * b.col_step;
	w.form.n = n;
	w.packed = scratch->panel;
	w.scale += first;
	w.base += first;
	if (d->n_zero > 1) {
		w.zero += first;
		w.n_zero = n;
	}
	byte_pack(&w.form, &b, scratch->panel);
	byte_weights_columns(&w, scratch->column);
	byte_weights_add(&w, range->last_row - range->row,
			 d->x + range->row * d->k,
			 d->y + range->row * d->n + first, (int64_t[]){ 0, 1 },
			 scratch->rows);
}

static void bytes_run(const struct kernel_call *call, unsigned slice, void *at)
{
	struct scratch scratch;
	struct range range;
	struct node d;

	node_call(call, &d);
	scratch_init(&d, at, &scratch);
	range = range_of(call, slice, &d);
	for (int64_t p = range.panel; p < range.last_panel; p++)
		run_panel(&d, &scratch, p, &range);
}

static enum err_code bytes_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	struct byte_form form;
	struct node d;

	(void)err;
	node_query(query, &d);
	form = byte_weights_form(byte_loops(), d.k, least(d.n, BYTE_PANEL),
				 d.elem);
	setup(query, ret);
	ret->scratch_bytes += byte_pack_bytes(&form);
	return ERR_NONE;
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct byte_matrix b;
	struct node d;

	(void)slice;
	(void)scratch;
	node_call(call, &d);
	b = matrix_of(&d, d.w);
	for (int64_t e = 0; e < d.m * d.n; e++) {
		const int64_t j = e % d.n, at = j * b.col_step;
		const int32_t zero =
		    quantized_at(d.elem, d.zero, d.n_zero == 1 ? 0 : j);
		double sum = 0;

		for (int64_t l = 0; l < d.k; l++)
			sum += (double)d.x[e / d.n * d.k + l] *
			       (quantized_at(d.elem, d.w, at + l * b.row_step) -
				zero);
		d.y[e] = (float)(sum * (double)d.scale[d.n_scale == 1 ? 0 : j] +
				 (d.bias ? (double)d.bias[j] : 0));
	}
}

/* ---- shapes -------------------------------------------------------------- */

/* One for all, or a vector of n. */
static enum err_code check_factor(const struct infer *infer, unsigned i,
				  int64_t n, bool may_be_one, struct err *err)
{
	const struct shape *s = &infer->in[i].shape;
	char text[64];

	if (i >= infer->n_in || infer->in[i].type.elem == DTYPE_NONE ||
	    (may_be_one && s->rank <= 1 && shape_count(s) == 1) ||
	    (s->rank == 1 && s->dim[0] == n))
		return ERR_NONE;
	return infer_fail(err,
			  "input '%s': expected %s[%lld], one for each column, "
			  "got %s",
			  i == IN_SCALE	 ? "scale"
			  : i == IN_ZERO ? "zero"
					 : "bias",
			  may_be_one ? "a scalar or " : "", (long long)n,
			  shape_text(s, text, sizeof(text)));
}

static enum err_code weights_infer(struct infer *infer, struct err *err)
{
	const struct weights_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[IN_X].shape;
	const struct shape *w = &infer->in[IN_W].shape;
	const unsigned row = attrs->trans_b ? 1 : 0;
	enum err_code rc;

	if (w->rank != 2 || !x->rank || x->dim[x->rank - 1] != w->dim[row])
		return infer_fail(err,
				  "input 'W': expected a matrix for rows of X");
	rc = check_factor(infer, IN_SCALE, w->dim[1 - row], true, err);
	if (!rc)
		rc = check_factor(infer, IN_ZERO, w->dim[1 - row], true, err);
	if (!rc)
		rc = check_factor(infer, IN_BIAS, w->dim[1 - row], false, err);
	infer->out[0].shape = *x;
	infer->out[0].shape.dim[x->rank - 1] = w->dim[1 - row];
	infer->out[0].has_shape = true;
	return rc ? rc : shape_check(&infer->out[0].shape, "output 'Y'", err);
}

/* ---- rows ---------------------------------------------------------------- */

static const struct kernel packed = {
	.name = "matmul_weights.packed",
	.flags = KERNEL_SLICE_FREE,
	.fits = packed_fits,
	.cost = weights_cost,
	.prepare = packed_prepare,
	.run = packed_run,
	.finish = packed_finish,
};
static const struct kernel bytes = {
	.name = "matmul_weights.bytes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = is_shallow,
	.cost = weights_cost,
	.prepare = bytes_prepare,
	.run = bytes_run,
};
static const struct kernel plain = {
	.name = "matmul_weights.plain",
	.flags = KERNEL_QUICK,
	.cost = weights_cost,
	.run = plain_run,
};
static const struct kernel *const weights_kernels[] = { &packed, &bytes, &plain,
							NULL };

/* clang-format off */
static const struct port weights_in[] = {
	{ "X", "T:float", 0 },
	{ "W", "T1:int8,uint8", 0 },
	{ "scale", "T", 0 },
	{ "zero", "T1", PORT_OPTIONAL },
	{ "bias", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port weights_out[] = { { "Y", "T", 0 }, { 0 } };
static const struct op_attr weights_attrs[] = {
	{ .name = "trans_b", .help = "1: W is [n, k]",
	  .offset = offsetof(struct weights_attrs, trans_b), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};

/* x is off by its row's largest magnitude / 65,000 */
#define ROUNDED .tolerance = 2e-3
static const struct op_case weights_cases[] = {
	{ .name = "a scale", ROUNDED,
	  .graph = "y = predictd.MatMulWeights(x:float[3,5], w:int8[5,7], s:float[]={0.3})" },
	{ .name = "everything by column", ROUNDED,
	  .graph = "y = predictd.MatMulWeights(x:float[2,29,65], w:uint8[65,70], s:float[70], "
		   "z:uint8[70], b:float[70])" },
	{ .name = "transposed", ROUNDED,
	  .graph = "y = predictd.MatMulWeights<trans_b=1>(x:float[7,33], w:int8[130,33], "
		   "s:float[130], z:int8[]={-2}, b:float[130])" },
	{ .name = "a vector", ROUNDED,
	  .graph = "y = predictd.MatMulWeights(x:float[33], w:uint8[33,3], s:float[1]={0.5})" },
	{ .name = "constant weights", ROUNDED,
	  .graph = "w = Cast<to=3>(Sub(Mod(Reshape(Range(0, 8515, 1), d:int64[2]={65,131}), 251), "
		   "120)); y = predictd.MatMulWeights(x:float[50,65], w, s:float[131], , "
		   "b:float[131])" },
	{ .name = "constant weights, transposed", ROUNDED,
	  .graph = "w = Cast<to=2>(Mod(Reshape(Range(0, 8515, 1), d:int64[2]={131,65}), 251)); "
		   "y = predictd.MatMulWeights<trans_b=1>(x:float[1,65], w, s:float[131], "
		   "z:uint8[131])" },
	{ .name = "no inner extent",
	  .graph = "y = predictd.MatMulWeights(x:float[3,0], w:int8[0,7], s:float[], , "
		   "b:float[7])" },
	{ .name = "no rows",
	  .graph = "y = predictd.MatMulWeights(x:float[0,5], w:int8[5,7], s:float[])" },
	{ .name = "zeros", .graph = "y = predictd.MatMulWeights(x:float[1,2]={0,0}, w:int8[2,7], "
		   "s:float[])" },
	{ .name = "a row that is no number", ROUNDED,
	  .graph = "y = predictd.MatMulWeights(x:float[2,3]={1,2,3,4,nan,6}, w:int8[3,7], "
		   "s:float[])" },
	{ .name = "inner extents differ",
	  .graph = "y = predictd.MatMulWeights(x:float[3,5], w:int8[4,7], s:float[])",
	  .want = ERR_SHAPE },
	{ .name = "W of rank 3",
	  .graph = "y = predictd.MatMulWeights(x:float[3,5], w:int8[1,5,7], s:float[])",
	  .want = ERR_SHAPE },
	{ .name = "too many scales",
	  .graph = "y = predictd.MatMulWeights(x:float[3,5], w:int8[5,7], s:float[5])",
	  .want = ERR_SHAPE },
	{ .name = "one bias",
	  .graph = "y = predictd.MatMulWeights(x:float[3,5], w:int8[5,7], s:float[], , b:float[1])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_matmul_weights;
const struct op op_matmul_weights = {
	.domain = "predictd",
	.name = "MatMulWeights",
	.help = "Matrix product of floats by weights stored as bytes.",
	.since = 1,
	.flags = OP_ANY_TYPE,
	.in = weights_in,
	.out = weights_out,
	.attrs = weights_attrs,
	.attrs_size = sizeof(struct weights_attrs),
	.infer = weights_infer,
	.kernels = weights_kernels,
	.cases = weights_cases,
};
