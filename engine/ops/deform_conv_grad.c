/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The gradients of DeformConv, which is three steps that have theirs: taps are
 * read where offsets bring them (GridSample), weighed by the mask, and
 * multiplied by the filters.
 *
 *   columns S = GridSample(X, places + offset)     M = mask S     Y = W M + B
 *   dM = W^T dY    dW = dY M^T    dmask = sum over channels of dM S
 *   dX, doffset = GridSample's of mask dM
 *
 * S is computed again: [batch, offset groups, channels, taps, places].
 */
#include "engine/ops/deform_conv.h"
#include "engine/ops/reshape.h"

struct grad {
	struct vjp *vjp;
	struct build *build;
	struct deform d;
	enum dtype elem;
	int64_t batch, rows, columns; /* of places */
	int32_t grid, source, sampled, mask;
};

static int32_t no_memory(struct build *build)
{
	build->code =
	    err_set(&build->err, ERR_NO_MEMORY, "gradient: out of memory");
	return VALUE_NONE;
}

/* y = text of a, b and c. */
static int32_t apply(struct build *build, const char *text, int32_t a,
		     int32_t b, int32_t c)
{
	const struct build_name in[] = { { "a", a }, { "b", b }, { "c", c } };
	struct build_name out = { "y", VALUE_NONE };

	build_text(build, text, in, 3, NULL, &out, 1);
	return out.value;
}

/* Numbers as a constant of the gradient's type; those given are spent. */
static int32_t constant(const struct grad *g, void *number,
			const struct shape *shape)
{
	const struct tensor_view view = { .data = number,
					  .dtype = DTYPE_F64,
					  .shape = *shape };
	int32_t value;

	if (!number)
		return no_memory(g->build);
	value = build_const(g->build, &view);
	return g->elem == DTYPE_F64 ? value
				    : apply(g->build, "y = Cast<to=float>(a)",
					    value, VALUE_NONE, VALUE_NONE);
}

/* GridSample counts from -1 to 1, between the outermost edges. */
static double per_element(const struct grad *g, int64_t axis)
{
	return 2 / (double)g->d.win.in[1 + axis];
}

/* Rows, then columns. */
static int32_t scale(const struct grad *g)
{
	const struct shape pair = { 1, { 2 } };
	double *number =
	    arena_array(g->build->graph->arena, 2, sizeof(*number));

	for (int64_t axis = 0; number && axis < 2; axis++)
		number[axis] = per_element(g, axis);
	return constant(g, number, &pair);
}

/* Taps without their offsets: [1, taps, rows, columns, 2]. */
static int32_t bare_places(const struct grad *g)
{
	const struct window *win = &g->d.win;
	const struct shape shape = {
		5, { 1, win->n_taps, g->rows, g->columns, 2 }
	};
	const int64_t n = shape_count(&shape);
	double *place =
	    arena_array(g->build->graph->arena, (size_t)n + 1, sizeof(*place));

	for (int64_t i = 0; place && i < n; i++) {
		const int64_t axis = i % 2, at = i / 2 % win->n_out;
		const int64_t tap = i / 2 / win->n_out;
		const int64_t out = axis ? at % g->columns : at / g->columns;
		const int64_t step =
		    axis ? tap % win->kernel[2] : tap / win->kernel[2];
		const double by = per_element(g, axis);

		place[i] = by * (double)deform_place(&g->d, 1 + (unsigned)axis,
						     out, step) +
			   by / 2 - 1;
	}
	return constant(g, place, &shape);
}

/* The last axis the other way round: GridSample has columns first. */
static int32_t swap(const struct grad *g, int32_t x)
{
	static const int64_t order[] = { 1, 0 };

	return apply(g->build, "y = Gather<axis=4>(a, b)", x,
		     build_ints(g->build, order, 2), VALUE_NONE);
}

/* Groups of offsets are images of their own, taps rows of places. */
static struct shape grid_shape(const struct grad *g)
{
	return (struct shape){ 4,
			       { g->batch * g->d.offset_groups,
				 g->d.win.n_taps * g->rows, g->columns, 2 } };
}

static void sample(struct grad *g)
{
	const struct deform *d = &g->d;
	const int64_t share = d->channels / d->offset_groups;
	const int64_t images = g->batch * d->offset_groups;
	const struct shape offset = {
		5, { images, d->win.n_taps, 2, g->rows, g->columns }
	};
	const struct shape source = {
		4, { images, share, d->win.in[1], d->win.in[2] }
	};
	const struct shape sampled = { 5,
				       { g->batch, d->offset_groups, share,
					 d->win.n_taps, d->win.n_out } };
	const struct shape mask = { 5,
				    { g->batch, d->offset_groups, 1,
				      d->win.n_taps, d->win.n_out } };
	const struct shape grid = grid_shape(g);
	const int32_t *in = g->vjp->in;
	int32_t x;

	x = build_reshape(g->build, in[DEFORM_OFFSET], &offset);
	x = apply(g->build,
		  "y = Add(Mul(Transpose<perm=[0,1,3,4,2]>(a), b), c)", x,
		  scale(g), bare_places(g));
	g->grid = build_reshape(g->build, swap(g, x), &grid);
	g->source = build_reshape(g->build, in[DEFORM_X], &source);
	x = build_2(g->build, "GridSample", g->source, g->grid);
	g->sampled = build_reshape(g->build, x, &sampled);
	g->mask = d->has_mask ? build_reshape(g->build, in[DEFORM_MASK], &mask)
			      : VALUE_NONE;
}

/* Of filters, and of what they were multiplied by, which is returned. */
static int32_t grad_of_product(struct grad *g)
{
	const struct deform *d = &g->d;
	const int64_t depth = d->channels / d->groups * d->win.n_taps;
	const int64_t share = d->filters / d->groups;
	const struct shape out = {
		4, { g->batch, d->groups, share, d->win.n_out }
	};
	const struct shape column = {
		4, { g->batch, d->groups, depth, d->win.n_out }
	};
	const struct shape filter = { 3, { d->groups, share, depth } };
	static const int64_t first = 0;
	const int32_t dy = build_reshape(g->build, g->vjp->grad_out[0], &out);
	const int32_t *in = g->vjp->in;
	int32_t x = g->sampled;

	if (d->has_mask)
		x = build_2(g->build, "Mul", x, g->mask);
	x = build_reshape(g->build, x, &column);
	if (g->vjp->wanted[DEFORM_W])
		g->vjp->grad_in[DEFORM_W] = build_reshape_like(
		    g->build,
		    apply(g->build,
			  "y = ReduceSum<keepdims=0>("
			  "predictd.MatMulT<trans_b=1>(a, b), c)",
			  dy, x, build_ints(g->build, &first, 1)),
		    in[DEFORM_W]);
	x = apply(g->build, "y = MatMul(Transpose<perm=[0,2,1]>(a), b)",
		  build_reshape(g->build, in[DEFORM_W], &filter), dy,
		  VALUE_NONE);
	return build_reshape_like(g->build, x, g->sampled);
}

static void grad_of_mask(struct grad *g, int32_t d_columns)
{
	static const int64_t channels = 2;

	if (g->d.has_mask && g->vjp->wanted[DEFORM_MASK])
		g->vjp->grad_in[DEFORM_MASK] = build_reshape_like(
		    g->build,
		    apply(g->build, "y = ReduceSum(Mul(a, b), c)", d_columns,
			  g->sampled, build_ints(g->build, &channels, 1)),
		    g->vjp->in[DEFORM_MASK]);
}

static void grad_of_sample(struct grad *g, int32_t d_columns)
{
	const struct deform *d = &g->d;
	const struct shape read = { 4,
				    { g->batch * d->offset_groups,
				      d->channels / d->offset_groups,
				      d->win.n_taps * g->rows, g->columns } };
	const struct shape place = { 5,
				     { g->batch * d->offset_groups,
				       d->win.n_taps, g->rows, g->columns,
				       2 } };
	struct vjp *vjp = g->vjp;
	int32_t in[3] = { g->source, g->grid, VALUE_NONE }, out[2], x;

	if (d->has_mask)
		d_columns = build_2(g->build, "Mul", d_columns, g->mask);
	in[2] = build_reshape(g->build, d_columns, &read);
	build_nodes(g->build, "GridSampleGrad", NULL, in, 3, out, 2);
	if (vjp->wanted[DEFORM_X])
		vjp->grad_in[DEFORM_X] =
		    build_reshape_like(g->build, out[0], vjp->in[DEFORM_X]);
	if (!vjp->wanted[DEFORM_OFFSET])
		return;
	x = swap(g, build_reshape(g->build, out[1], &place));
	x = apply(g->build, "y = Transpose<perm=[0,1,4,2,3]>(Mul(a, b))", x,
		  scale(g), VALUE_NONE);
	vjp->grad_in[DEFORM_OFFSET] =
	    build_reshape_like(g->build, x, vjp->in[DEFORM_OFFSET]);
}

enum err_code deform_vjp(struct vjp *vjp, struct err *err)
{
	static const int64_t all_but_filters[] = { 0, 2, 3 };
	struct fact in[DEFORM_INPUTS] = { 0 };
	const struct infer infer = { .attrs = vjp->attrs,
				     .n_in = (unsigned)vjp->node->n_in,
				     .in = in };
	struct grad g = { .vjp = vjp, .build = vjp->build };
	int32_t d_columns;
	enum err_code rc;

	for (int32_t i = 0; i < vjp->node->n_in; i++)
		if (vjp->in[i] != VALUE_NONE)
			in[i] = *build_fact(vjp->build, vjp->in[i]);
	rc = deform_read(&infer, &g.d, err);
	if (rc)
		return rc;
	g.elem = in[DEFORM_X].type.elem;
	g.batch = in[DEFORM_X].shape.dim[0];
	g.rows = g.d.win.out[1];
	g.columns = g.d.win.out[2];
	sample(&g);
	d_columns = grad_of_product(&g);
	grad_of_mask(&g, d_columns);
	grad_of_sample(&g, d_columns);
	if (g.d.has_bias && vjp->wanted[DEFORM_B])
		vjp->grad_in[DEFORM_B] =
		    apply(g.build, "y = ReduceSum<keepdims=0>(a, b)",
			  vjp->grad_out[0],
			  build_ints(g.build, all_but_filters, 3), VALUE_NONE);
	return build_check(g.build, err);
}
