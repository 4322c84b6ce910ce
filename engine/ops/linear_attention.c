/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LinearAttention: a state of [key size, value size] for each key head, which
 * every token decays, corrects, writes to and reads.
 *
 *   S = exp(g) S              where the rule is gated (g a head's, or a row's)
 *   v = beta (v - S^T k)      where the rule has a delta
 *   S = S + k v^T,  o = scale S^T q
 *
 * Q, K, V are [batch, tokens, heads * size]; groups of query heads may share a
 * state. Sources: https://arxiv.org/abs/2006.16236, 2312.06635, 2412.06464.
 */
#include <math.h>
#include <string.h>

#include "engine/kernel.h"

enum { MAX_SLICES = 16 };

#define SLICE_US 30

enum linear_in { IN_Q, IN_K, IN_V, IN_STATE, IN_DECAY, IN_BETA };

struct linear_attrs {
	int64_t chunk_size, kv_num_heads, q_num_heads;
	double scale;
	const char *update_rule;
};

struct linear {
	int64_t n_batch, n_tokens, q_heads, kv_heads, d_k, d_v;
	bool is_gated, has_delta, has_state;
	int64_t n_decay, n_beta; /* of one token */
	float scale;
};

/* one state and what it meets */
struct head {
	int64_t b, h;
	float *state, *value; /* [d_k, d_v]; [d_v] */
};

static bool is_here(const struct fact *in, unsigned n_in, unsigned i)
{
	return i < n_in && in[i].type.elem != DTYPE_NONE;
}

/* shapes of rank 3 and attributes are checked */
static struct linear read_linear(const struct fact *in, unsigned n_in,
				 const struct linear_attrs *attrs)
{
	const struct shape *q = &in[IN_Q].shape;
	struct linear g = {
		.n_batch = q->dim[0],
		.n_tokens = q->dim[1],
		.q_heads = attrs->q_num_heads,
		.kv_heads = attrs->kv_num_heads,
		.d_k = q->dim[2] / attrs->q_num_heads,
		.d_v = in[IN_V].shape.dim[2] / attrs->kv_num_heads,
		.has_state = is_here(in, n_in, IN_STATE),
		.is_gated = !strcmp(attrs->update_rule, "gated") ||
			    !strcmp(attrs->update_rule, "gated_delta"),
		.has_delta = !strcmp(attrs->update_rule, "delta") ||
			     !strcmp(attrs->update_rule, "gated_delta"),
	};

	g.scale = (float)attrs->scale;
	if (attrs->scale == 0)
		g.scale = g.d_k ? 1 / sqrtf((float)g.d_k) : 1;
	if (g.is_gated && is_here(in, n_in, IN_DECAY))
		g.n_decay = in[IN_DECAY].shape.dim[2];
	if (g.has_delta && is_here(in, n_in, IN_BETA))
		g.n_beta = in[IN_BETA].shape.dim[2];
	return g;
}

static void decay(const struct linear *g, const struct kernel_call *call,
		  const struct head *at, int64_t token)
{
	const bool by_row = g->n_decay != g->kv_heads;
	const float *list = (const float *)call->in[IN_DECAY] +
			    token * g->n_decay + at->h * (by_row ? g->d_k : 1);

	for (int64_t i = 0; i < g->d_k; i++) {
		const float factor = expf(list[by_row ? i : 0]);
		float *row = at->state + i * g->d_v;

		for (int64_t j = 0; j < g->d_v; j++)
			row[j] *= factor;
	}
}

/* value = beta (v - S^T k), or v */
static void correct(const struct linear *g, const struct kernel_call *call,
		    const struct head *at, int64_t token, const float *k)
{
	const float *v = (const float *)call->in[IN_V] +
			 (token * g->kv_heads + at->h) * g->d_v;
	float *restrict value = at->value;
	float beta;

	for (int64_t j = 0; j < g->d_v; j++)
		value[j] = v[j];
	if (!g->has_delta)
		return;
	for (int64_t i = 0; i < g->d_k; i++) {
		const float *restrict row = at->state + i * g->d_v;

		for (int64_t j = 0; j < g->d_v; j++)
			value[j] -= k[i] * row[j];
	}
	beta = ((const float *)call->in[IN_BETA])[token * g->n_beta +
						  (g->n_beta == 1 ? 0 : at->h)];
	for (int64_t j = 0; j < g->d_v; j++)
		value[j] *= beta;
}

static void write_state(const struct linear *g, const struct head *at,
			const float *k)
{
	const float *restrict value = at->value;

	for (int64_t i = 0; i < g->d_k; i++) {
		float *restrict row = at->state + i * g->d_v;

		for (int64_t j = 0; j < g->d_v; j++)
			row[j] += k[i] * value[j];
	}
}

static void read_state(const struct linear *g, const struct kernel_call *call,
		       const struct head *at, int64_t token)
{
	const int64_t group = g->q_heads / g->kv_heads;

	for (int64_t h = at->h * group; h < (at->h + 1) * group; h++) {
		const float *q = (const float *)call->in[IN_Q] +
				 (token * g->q_heads + h) * g->d_k;
		float *restrict o =
		    (float *)call->out[0] + (token * g->q_heads + h) * g->d_v;

		for (int64_t j = 0; j < g->d_v; j++)
			o[j] = 0;
		for (int64_t i = 0; i < g->d_k; i++) {
			const float *restrict row = at->state + i * g->d_v;
			const float factor = q[i] * g->scale;

			for (int64_t j = 0; j < g->d_v; j++)
				o[j] += factor * row[j];
		}
	}
}

static void run_head(const struct linear *g, const struct kernel_call *call,
		     const struct head *at)
{
	const int64_t n = g->d_k * g->d_v;
	const int64_t from = (at->b * g->kv_heads + at->h) * n;

	for (int64_t i = 0; i < n; i++)
		at->state[i] =
		    g->has_state ? ((const float *)call->in[IN_STATE])[from + i]
				 : 0;
	for (int64_t t = 0; t < g->n_tokens; t++) {
		const int64_t token = at->b * g->n_tokens + t;
		const float *k = (const float *)call->in[IN_K] +
				 (token * g->kv_heads + at->h) * g->d_k;

		if (g->is_gated)
			decay(g, call, at, token);
		correct(g, call, at, token, k);
		write_state(g, at, k);
		if (call->out[0])
			read_state(g, call, at, token);
	}
	if (call->query->n_out > 1 && call->out[1] && n)
		memcpy((float *)call->out[1] + from, at->state,
		       (size_t)n * sizeof(float));
}

static struct linear query_linear(const struct kernel_query *query)
{
	return read_linear(query->in, query->n_in, query->attrs);
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct linear g = query_linear(call->query);
	struct head at = { .state = scratch };
	int64_t first, last;

	at.value = at.state + g.d_k * g.d_v;
	kernel_slice(g.n_batch * g.kv_heads, call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		at.b = i / g.kv_heads;
		at.h = i % g.kv_heads;
		run_head(&g, call, &at);
	}
}

static double cost(const struct kernel_query *query)
{
	const struct linear g = query_linear(query);

	return 0.2 + (double)(g.n_batch * g.n_tokens) *
			 (double)(3 * g.kv_heads + g.q_heads) *
			 (double)(g.d_k * g.d_v) * 2e-4;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct linear g = query_linear(query);
	const double want = cost(query) / SLICE_US;
	int64_t n = g.n_batch * g.kv_heads;

	(void)err;
	n = (double)n > want ? (int64_t)want : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	ret->scratch_bytes = (size_t)((g.d_k + 1) * g.d_v) * sizeof(float);
	return ERR_NONE;
}

/* ---- shapes -------------------------------------------------------------- */

static enum err_code expect(const struct infer *infer, unsigned i,
			    const struct shape *want, struct err *err)
{
	static const char *const names[] = { "query",	   "key",   "value",
					     "past_state", "decay", "beta" };
	char text[2][64];

	if (!is_here(infer->in, infer->n_in, i) ||
	    shape_equal(&infer->in[i].shape, want))
		return ERR_NONE;
	return infer_fail(
	    err, "input '%s': expected %s, got %s", names[i],
	    shape_text(want, text[0], sizeof(text[0])),
	    shape_text(&infer->in[i].shape, text[1], sizeof(text[1])));
}

static enum err_code check_rule(const struct infer *infer, struct err *err)
{
	const struct linear_attrs *attrs = infer->attrs;
	const char *const rules[] = { "linear", "gated", "delta",
				      "gated_delta" };
	unsigned rule = 0;

	while (rule < 4 && strcmp(attrs->update_rule, rules[rule]) != 0)
		rule++;
	if (rule == 4)
		return err_set(err, ERR_INVALID,
			       "attribute 'update_rule': expected linear, "
			       "gated, delta or gated_delta, got '%.40s'",
			       attrs->update_rule);
	for (unsigned i = 0; i < 2; i++) {
		const bool wants = rule >> i & 1;

		if (wants == is_here(infer->in, infer->n_in, IN_DECAY + i))
			continue;
		return err_set(err, ERR_INVALID,
			       "input '%s': update_rule '%s' %s it",
			       i ? "beta" : "decay", attrs->update_rule,
			       wants ? "needs" : "does not take");
	}
	return ERR_NONE;
}

static enum err_code check_heads(const struct infer *infer, struct err *err)
{
	const struct linear_attrs *attrs = infer->attrs;
	const struct shape *q = &infer->in[IN_Q].shape;
	const struct shape *v = &infer->in[IN_V].shape;

	for (unsigned i = IN_Q; i <= IN_V; i++)
		if (infer->in[i].shape.rank != 3)
			return infer_fail(err,
					  "input '%s': expected rank 3, got %u",
					  i == IN_Q   ? "query"
					  : i == IN_K ? "key"
						      : "value",
					  infer->in[i].shape.rank);
	if (attrs->q_num_heads % attrs->kv_num_heads ||
	    q->dim[2] % attrs->q_num_heads)
		return infer_fail(err,
				  "attribute 'q_num_heads': expected a "
				  "multiple of %lld that divides %lld, got "
				  "%lld",
				  (long long)attrs->kv_num_heads,
				  (long long)q->dim[2],
				  (long long)attrs->q_num_heads);
	if (v->dim[2] % attrs->kv_num_heads)
		return infer_fail(err,
				  "attribute 'kv_num_heads': expected a "
				  "divisor of %lld, got %lld",
				  (long long)v->dim[2],
				  (long long)attrs->kv_num_heads);
	return ERR_NONE;
}

static enum err_code check_shapes(const struct infer *infer,
				  const struct linear *g,
				  const struct shape *state, struct err *err)
{
	struct shape want = { 3, { g->n_batch, g->n_tokens, 0 } };
	enum err_code rc;

	want.dim[2] = g->kv_heads * g->d_k;
	rc = expect(infer, IN_K, &want, err);
	if (!rc && is_here(infer->in, infer->n_in, IN_DECAY)) {
		const struct shape *x = &infer->in[IN_DECAY].shape;

		if (x->rank == 3 && x->dim[2] == g->kv_heads)
			want.dim[2] = g->kv_heads;
		rc = expect(infer, IN_DECAY, &want, err);
	}
	want.dim[2] = g->kv_heads * g->d_v;
	if (!rc)
		rc = expect(infer, IN_V, &want, err);
	if (!rc && is_here(infer->in, infer->n_in, IN_BETA)) {
		const struct shape *x = &infer->in[IN_BETA].shape;

		want.dim[2] = x->rank == 3 && x->dim[2] == 1 ? 1 : g->kv_heads;
		rc = expect(infer, IN_BETA, &want, err);
	}
	return rc ? rc : expect(infer, IN_STATE, state, err);
}

static enum err_code linear_infer(struct infer *infer, struct err *err)
{
	struct shape y = infer->in[IN_Q].shape, state;
	struct linear g;
	enum err_code rc = check_rule(infer, err);

	if (!rc)
		rc = check_heads(infer, err);
	if (rc)
		return rc;
	g = read_linear(infer->in, infer->n_in, infer->attrs);
	state = (struct shape){ 4, { g.n_batch, g.kv_heads, g.d_k, g.d_v } };
	rc = check_shapes(infer, &g, &state, err);
	if (rc)
		return rc;
	y.dim[2] = g.q_heads * g.d_v;
	infer->out[0].shape = y;
	infer->out[0].has_shape = true;
	if (infer->n_out > 1) {
		infer->out[1].shape = state;
		infer->out[1].has_shape = true;
	}
	rc = shape_check(&state, "output 'present_state'", err);
	return rc ? rc : shape_check(&y, "output 'output'", err);
}

static const struct kernel linear_kernel = {
	.name = "linear_attention.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = { &linear_kernel, NULL };

static const struct port linear_in[] = {
	{ "query", "T:float,float16,bfloat16", 0 },
	{ "key", "T", 0 },
	{ "value", "T", 0 },
	{ "past_state", "S:float,float16,bfloat16", PORT_OPTIONAL },
	{ "decay", "T", PORT_OPTIONAL },
	{ "beta", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port linear_out[] = {
	{ "output", "T", 0 },
	{ "present_state", "S|T", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
#define AT(member) .offset = offsetof(struct linear_attrs, member)
static const struct op_attr attrs[] = {
	{ .name = "chunk_size", .help = "a hint that is not taken", AT(chunk_size),
	  .kind = ATTR_INT, .def = 64 },
	{ .name = "kv_num_heads", .help = "heads of key and value", AT(kv_num_heads),
	  .kind = ATTR_INT, .flags = ATTR_REQUIRED, .min = 1, .max = INT32_MAX },
	{ .name = "q_num_heads", .help = "heads of query", AT(q_num_heads),
	  .kind = ATTR_INT, .flags = ATTR_REQUIRED, .min = 1, .max = INT32_MAX },
	{ .name = "scale", .help = "factor of the result; 0: 1 / sqrt(size of a key)",
	  AT(scale), .kind = ATTR_FLOAT },
	{ .name = "update_rule", .help = "linear, gated, delta or gated_delta", AT(update_rule),
	  .kind = ATTR_STRING, .def_text = "gated_delta" },
	{ 0 },
};

static const struct op_case cases[] = {
	{ .name = "linear",
	  .graph = "y, s = LinearAttention<q_num_heads=2, kv_num_heads=2, "
		   "update_rule=\"linear\">(q:float[2,3,8], k:float[2,3,8], v:float[2,3,10])" },
	{ .name = "gates of rows",
	  .graph = "y, s = LinearAttention<q_num_heads=2, kv_num_heads=2, scale=0.5, "
		   "update_rule=\"gated\">(q:float[2,3,8], k:float[2,3,8], v:float[2,3,10], "
		   "p:float[2,2,4,5], g:float[2,3,8])" },
	{ .name = "delta",
	  .graph = "y, s = LinearAttention<q_num_heads=2, kv_num_heads=1, "
		   "update_rule=\"delta\">(q:float[2,3,8], k:float[2,3,4], v:float[2,3,5], , , "
		   "b:float[2,3,1])" },
	{ .name = "gates of heads and delta",
	  .graph = "y, s = LinearAttention<q_num_heads=4, kv_num_heads=2>(q:float[2,3,16], "
		   "k:float[2,3,8], v:float[2,3,10], p:float[2,2,4,5], g:float[2,3,2], "
		   "b:float[2,3,2])" },
	{ .name = "many heads",
	  .graph = "y, s = LinearAttention<q_num_heads=8, kv_num_heads=8, "
		   "update_rule=\"linear\">(q:float[2,9,256], k:float[2,9,256], "
		   "v:float[2,9,256])" },
	{ .name = "state of another type",
	  .graph = "y, s = LinearAttention<q_num_heads=1, kv_num_heads=1, "
		   "update_rule=\"linear\">(q:float16[1,2,4], k:float16[1,2,4], "
		   "v:float16[1,2,4], p:float[1,1,4,4])", .tolerance = 2e-3 },
	{ .name = "no tokens",
	  .graph = "y, s = LinearAttention<q_num_heads=1, kv_num_heads=1, "
		   "update_rule=\"linear\">(q:float[1,0,4], k:float[1,0,4], v:float[1,0,4])" },
	{ .name = "no gates",
	  .graph = "y = LinearAttention<q_num_heads=1, kv_num_heads=1>(q:float[1,2,4], "
		   "k:float[1,2,4], v:float[1,2,4])", .want = ERR_INVALID },
	{ .name = "another rule",
	  .graph = "y = LinearAttention<q_num_heads=1, kv_num_heads=1, "
		   "update_rule=\"sum\">(q:float[1,2,4], k:float[1,2,4], v:float[1,2,4])",
	  .want = ERR_INVALID },
	{ .name = "heads do not divide",
	  .graph = "y = LinearAttention<q_num_heads=3, kv_num_heads=2, "
		   "update_rule=\"linear\">(q:float[1,2,6], k:float[1,2,4], v:float[1,2,4])",
	  .want = ERR_SHAPE },
	{ .name = "state too small",
	  .graph = "y = LinearAttention<q_num_heads=1, kv_num_heads=1, "
		   "update_rule=\"linear\">(q:float[1,2,4], k:float[1,2,4], v:float[1,2,4], "
		   "p:float[1,1,4,3])", .want = ERR_SHAPE },
	{ .name = "rank 2",
	  .graph = "y = LinearAttention<q_num_heads=1, kv_num_heads=1, "
		   "update_rule=\"linear\">(q:float[2,4], k:float[2,4], v:float[2,4])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_linear_attention;
const struct op op_linear_attention = {
	.domain = "",
	.name = "LinearAttention",
	.help = "Tokens that write to and read from a state.",
	.since = 27,
	.in = linear_in,
	.out = linear_out,
	.attrs = attrs,
	.attrs_size = sizeof(struct linear_attrs),
	.infer = linear_infer,
	.kernels = kernels,
	.cases = cases,
};
