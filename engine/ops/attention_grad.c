/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The gradient of Attention, as products and softmaxes of the whole scores.
 * With heads as [batch, key head, query head of that key head, row, size],
 * sharing of keys is broadcasting. `seen` is 1 where a query sees a key:
 *
 *   P = softmax(C + bias) seen          C = softcap T, T = tanh(S / softcap)
 *   dV = P^T dY                         dC = softmax'(dY V^T seen)
 *   dS = dC (1 - T T)                   dQ = scale dS K, dK = scale dS^T Q
 */
#include "engine/autodiff.h"
#include "engine/ops/attention.h"
#include "engine/ops/reshape.h"

#include "base/mem.h"

/* a score that no softmax of others can tell from -infinity */
#define NEVER (-1e30)

struct grad {
	struct vjp *vjp;
	struct build *build;
	struct attention a;
	enum dtype elem;
	bool is_packed; /* inputs of rank 3 */
	int64_t groups; /* query heads of a key head */
	int32_t seen;	/* VALUE_NONE: everything */
	int32_t bias, mask;
};

static int32_t swap_axes(struct build *build, int32_t x, const char *perm)
{
	struct build_name in = { "x", x }, out = { "y", VALUE_NONE };

	build_text(build, perm, &in, 1, NULL, &out, 1);
	return out.value;
}

/* an operand of `groups` heads a key head, with `n` rows of `size` */
static int32_t split_heads(const struct grad *g, int32_t x, int64_t groups,
			   const int64_t n_size[2])
{
	const int64_t b = g->a.n_batch, h = g->a.kv_heads;
	const struct shape whole = { 5,
				     { b, h, groups, n_size[0], n_size[1] } };
	const struct shape packed = { 5,
				      { b, n_size[0], h, groups, n_size[1] } };

	if (!g->is_packed)
		return build_reshape(g->build, x, &whole);
	return swap_axes(g->build, build_reshape(g->build, x, &packed),
			 "y = Transpose<perm=[0,2,3,1,4]>(x)");
}

static int32_t join_heads(const struct grad *g, int32_t x, int32_t like)
{
	if (g->is_packed)
		x = swap_axes(g->build, x,
			      "y = Transpose<perm=[0,3,1,2,4]>(x)");
	return build_reshape_like(g->build, x, like);
}

static int32_t product(const struct grad *g, const char *text, int32_t a,
		       int32_t b)
{
	const struct build_name in[2] = { { "a", a }, { "b", b } };
	struct build_name out = { "y", VALUE_NONE };

	build_text(g->build, text, in, 2, NULL, &out, 1);
	return out.value;
}

static int32_t times(const struct grad *g, int32_t x, double factor)
{
	return build_2(g->build, "Mul", x,
		       build_scalar(g->build, g->elem, factor));
}

static int32_t and_seen(const struct grad *g, int32_t x)
{
	return g->seen == VALUE_NONE ? x : build_2(g->build, "Mul", x, g->seen);
}

/* 1 where the windows allow it, of [queries, keys] */
static int32_t window_seen(const struct grad *g)
{
	const struct attention *a = &g->a;
	const struct shape shape = { 2, { a->n_q, a->n_kv } };
	struct tensor_view view = { .dtype = DTYPE_BOOL, .shape = shape };
	uint8_t *seen = arena_alloc(g->build->graph->arena,
				    (size_t)shape_count(&shape) + 1);

	if (!seen) {
		g->build->code = err_set(&g->build->err, ERR_NO_MEMORY,
					 "Attention: out of memory");
		return VALUE_NONE;
	}
	for (int64_t i = 0; i < a->n_q; i++) {
		const struct attention_window w =
		    attention_window(a, i, a->n_kv);

		for (int64_t j = 0; j < a->n_kv; j++)
			seen[i * a->n_kv + j] = j >= w.lo && j < w.hi;
	}
	view.data = seen;
	return build_const(g->build, &view);
}

/* the mask as [batch, key head, query head, query, key] */
static int32_t split_mask(const struct grad *g, int32_t mask)
{
	const struct shape *m = &build_fact(g->build, mask)->shape;
	int64_t dim[4] = { 1, 1, 1, 1 };
	struct shape split = { .rank = 5 };

	for (unsigned i = 0; i < m->rank; i++)
		dim[4 - m->rank + i] = m->dim[i];
	split.dim[0] = dim[0];
	split.dim[1] = dim[1] == 1 ? 1 : g->a.kv_heads;
	split.dim[2] = dim[1] == 1 ? 1 : g->groups;
	split.dim[3] = dim[2];
	split.dim[4] = dim[3];
	return build_reshape(g->build, mask, &split);
}

static int32_t as_elem(const struct grad *g, int32_t x)
{
	return build_2(g->build, "CastLike", x,
		       build_scalar(g->build, g->elem, 0));
}

/* Sets seen, bias and mask. */
static void read_mask(struct grad *g)
{
	struct build *build = g->build;
	const bool is_bound = g->a.left >= 0 || g->a.right >= 0;
	const int32_t mask =
	    g->a.has_mask ? g->vjp->in[ATTENTION_MASK] : VALUE_NONE;
	int32_t never, seen = is_bound ? window_seen(g) : VALUE_NONE, here;

	never = build_scalar(build, g->elem, NEVER);
	if (g->a.has_mask) {
		g->mask = split_mask(g, mask);
		here = g->mask;
		if (build_fact(build, mask)->type.elem != DTYPE_BOOL) {
			const int32_t both[2] = { as_elem(g, g->mask), never };

			here = build_2(build, "Greater", both[0], never);
			g->bias = build_node(build, "Max", NULL, both, 2);
		}
		seen = seen == VALUE_NONE ? here
					  : build_2(build, "And", seen, here);
	}
	if (seen == VALUE_NONE)
		return;
	g->seen = as_elem(g, seen);
	seen = times(
	    g, build_2(build, "Sub", g->seen, build_scalar(build, g->elem, 1)),
	    -NEVER);
	g->bias =
	    g->bias == VALUE_NONE ? seen : build_2(build, "Add", g->bias, seen);
}

static int32_t sum_to(const struct grad *g, int32_t x, int32_t like)
{
	return build_2(g->build, "SumTo", x, like);
}

/* Fills grad_in from q, k, v and dy in split heads. */
static void make_grads(const struct grad *g, const int32_t x[3], int32_t dy)
{
	struct build *build = g->build;
	struct vjp *vjp = g->vjp;
	int32_t s, t = VALUE_NONE, p, ds;

	s = times(g, product(g, "y = MatMulT<trans_b=1>(a, b)", x[0], x[1]),
		  g->a.scale);
	if (g->a.softcap > 0) {
		t = build_1(build, "Tanh", times(g, s, 1 / g->a.softcap));
		s = times(g, t, g->a.softcap);
	}
	if (g->bias != VALUE_NONE)
		s = build_2(build, "Add", s, g->bias);
	p = build_1(build, "Softmax", s);
	if (vjp->wanted[ATTENTION_V])
		vjp->grad_in[ATTENTION_V] =
		    join_heads(g,
			       sum_to(g,
				      product(g, "y = MatMulT<trans_a=1>(a, b)",
					      and_seen(g, p), dy),
				      x[2]),
			       vjp->in[ATTENTION_V]);
	ds = and_seen(g, product(g, "y = MatMulT<trans_b=1>(a, b)", dy, x[2]));
	ds = product(g, "y = predictd.SoftmaxGrad(a, b)", ds, p);
	if (g->a.has_mask && vjp->wanted[ATTENTION_MASK])
		vjp->grad_in[ATTENTION_MASK] = build_reshape_like(
		    build, sum_to(g, ds, g->mask), vjp->in[ATTENTION_MASK]);
	if (t != VALUE_NONE)
		ds = product(g, "y = Mul(a, Sub(1, Mul(b, b)))", ds, t);
	ds = times(g, ds, g->a.scale);
	if (vjp->wanted[ATTENTION_Q])
		vjp->grad_in[ATTENTION_Q] =
		    join_heads(g, product(g, "y = MatMul(a, b)", ds, x[1]),
			       vjp->in[ATTENTION_Q]);
	if (vjp->wanted[ATTENTION_K])
		vjp->grad_in[ATTENTION_K] = join_heads(
		    g,
		    sum_to(g,
			   product(g, "y = MatMulT<trans_a=1>(a, b)", ds, x[0]),
			   x[1]),
		    vjp->in[ATTENTION_K]);
}

/* what a graph of whole scores can do */
static enum err_code check(const struct grad *g, struct err *err)
{
	const struct vjp *vjp = g->vjp;

	for (int32_t i = 1; i < vjp->node->n_out; i++)
		if (vjp->grad_out[i] != VALUE_NONE)
			return err_set(err, ERR_UNSUPPORTED,
				       "Attention: only its first result has a "
				       "gradient");
	if (g->a.n_past || g->a.has_lengths || g->a.n_mask < g->a.n_kv)
		return err_set(err, ERR_UNSUPPORTED,
			       "Attention: with a cache or a mask of fewer "
			       "keys it has no gradient");
	if (build_fact(g->build, vjp->in[ATTENTION_V])->type.elem != g->elem)
		return err_set(err, ERR_UNSUPPORTED,
			       "Attention: with values of another type it has "
			       "no gradient");
	return ERR_NONE;
}

enum err_code attention_vjp(struct vjp *vjp, struct err *err)
{
	struct fact in[ATTENTION_LENGTHS + 1] = { 0 };
	const struct kernel_query query = { .attrs = vjp->attrs,
					    .in = in,
					    .n_in = (unsigned)vjp->node->n_in };
	struct grad g = { .vjp = vjp,
			  .build = vjp->build,
			  .seen = VALUE_NONE,
			  .bias = VALUE_NONE,
			  .mask = VALUE_NONE };
	int32_t x[3], dy;
	enum err_code rc;

	for (int32_t i = 0; i < vjp->node->n_in; i++)
		if (vjp->in[i] != VALUE_NONE)
			in[i] = *build_fact(vjp->build, vjp->in[i]);
	g.a = attention_of(&query);
	g.elem = in[0].type.elem;
	g.is_packed = in[0].shape.rank == 3;
	rc = check(&g, err);
	if (rc || vjp->grad_out[0] == VALUE_NONE)
		return rc;
	g.groups = g.a.kv_heads ? g.a.q_heads / g.a.kv_heads : 1;
	read_mask(&g);
	x[0] = split_heads(&g, vjp->in[0], g.groups,
			   (const int64_t[]){ g.a.n_q, g.a.head });
	x[1] = split_heads(&g, vjp->in[1], 1,
			   (const int64_t[]){ g.a.n_kv, g.a.head });
	x[2] = split_heads(&g, vjp->in[2], 1,
			   (const int64_t[]){ g.a.n_kv, g.a.v_head });
	dy = split_heads(&g, vjp->grad_out[0], g.groups,
			 (const int64_t[]){ g.a.n_q, g.a.v_head });
	make_grads(&g, x, dy);
	return build_check(vjp->build, err);
}
