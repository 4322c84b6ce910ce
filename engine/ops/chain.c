/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Chain: elementwise operators, strip by strip. A strip of the output stays in
 * the first cache while all links work on it, so that memory is passed over
 * once.
 */
#include "engine/ops/chain.h"

#include <string.h>

#include "base/mem.h"
#include "engine/build.h"
#include "engine/kernels/loops.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/elementwise.h"

enum { STRIP = 4096, NAME_CAP = 64 };

/* How an input goes along with the result. */
enum walk { WALK_ALONG, WALK_STAYS, WALK_ROWS };

struct link {
	loop_run *run;
	int operand[CHAIN_OPERANDS];
	unsigned n_rows; /* operands that walk by rows, and which they are */
	int rows[CHAIN_OPERANDS];
	struct broadcast broadcast; /* of those */
	double params[LOOP_MAX_PARAMS];
};

struct chain {
	unsigned n_links;
	struct link link[CHAIN_LINKS_MAX];
	enum walk walk[CHAIN_INPUTS_MAX];
};

static const struct loop *loop_at(const struct chain_attrs *attrs, size_t i,
				  bool reference)
{
	const struct str *text = &attrs->ops.v[i];
	char name[NAME_CAP];

	if (text->len >= sizeof(name))
		return NULL;
	memcpy(name, text->bytes, text->len);
	name[text->len] = '\0';
	return reference ? loop_find_reference(name) : loop_find(name);
}

/* --- the state --- */

static enum walk walk_of(const struct shape *out, const struct shape *shape)
{
	if (shape_equal(out, shape))
		return WALK_ALONG;
	return shape_count(shape) == 1 ? WALK_STAYS : WALK_ROWS;
}

/* The input that an operand is; -1: what the link before gave, or nothing. */
static int input_of(const struct link *link, int j, bool is_first)
{
	if (link->operand[j] == CHAIN_VALUE)
		return is_first ? 0 : -1;
	return link->operand[j] == CHAIN_NONE ? -1 : link->operand[j];
}

static void find_rows(struct link *link, const struct chain *chain,
		      const struct kernel_query *query, bool is_first)
{
	const struct shape *shape[CHAIN_OPERANDS];

	for (int j = 0; j < CHAIN_OPERANDS; j++) {
		const int from = input_of(link, j, is_first);

		if (from < 0 || chain->walk[from] != WALK_ROWS)
			continue;
		shape[link->n_rows] = &query->in[from].shape;
		link->rows[link->n_rows++] = j;
	}
	if (link->n_rows)
		broadcast_init(&link->broadcast, &query->out[0].shape, shape,
			       link->n_rows);
}

static void link_init(struct link *link, const struct chain_attrs *attrs,
		      size_t i, bool reference)
{
	const struct loop *loop = loop_at(attrs, i, reference);

	/* a function, which cppcheck takes for its result */
	/* cppcheck-suppress assignBoolToPointer */
	link->run = loop->run[DTYPE_F32];
	for (int j = 0; j < CHAIN_OPERANDS; j++) {
		link->operand[j] =
		    (int)attrs->operands.v[CHAIN_OPERANDS * i + (size_t)j];
		link->params[j] =
		    (double)attrs->params.v[LOOP_MAX_PARAMS * i + (size_t)j];
	}
}

static void chain_init(struct chain *chain, const struct kernel_query *query,
		       bool reference)
{
	const struct chain_attrs *attrs = query->attrs;

	memset(chain, 0, sizeof(*chain));
	chain->n_links = (unsigned)attrs->ops.n;
	for (unsigned i = 0; i < query->n_in; i++)
		chain->walk[i] =
		    walk_of(&query->out[0].shape, &query->in[i].shape);
	for (unsigned i = 0; i < chain->n_links; i++) {
		link_init(&chain->link[i], attrs, i, reference);
		find_rows(&chain->link[i], chain, query, i == 0);
	}
}

/* --- a strip --- */

struct strip {
	const struct chain *chain;
	const struct kernel_call *call;
	bool is_first; /* link: the result so far is input 0 */
	int64_t at, n;
};

static float *strip_out(const struct strip *strip)
{
	return (float *)strip->call->out[0] + strip->at;
}

/* `skip` elements of the strip on; operand j of a link, and whether it
 * walks. What goes by rows is the caller's. */
static const void *operand_at(const struct strip *strip,
			      const struct link *link, int j, int64_t skip,
			      int *ret_step)
{
	const int from = input_of(link, j, strip->is_first);
	const float *input;

	*ret_step = 1;
	if (from < 0)
		return link->operand[j] == CHAIN_NONE ? NULL
						      : strip_out(strip) + skip;
	input = strip->call->in[from];
	if (strip->chain->walk[from] == WALK_ALONG)
		return input + strip->at + skip;
	*ret_step = 0;
	return input;
}

static void run_link(const struct strip *strip, const struct link *link)
{
	const void *in[CHAIN_OPERANDS];
	int step[CHAIN_OPERANDS];

	for (int j = 0; j < CHAIN_OPERANDS; j++)
		in[j] = operand_at(strip, link, j, 0, &step[j]);
	(void)link->run(strip->n, in, step, strip_out(strip), link->params);
}

static void run_link_by_rows(const struct strip *strip, const struct link *link)
{
	const struct broadcast *b = &link->broadcast;
	struct broadcast_row row;

	broadcast_first(b, strip->at, strip->at + strip->n, &row);
	while (broadcast_next(b, &row)) {
		const int64_t skip = row.at - strip->at;
		const void *in[CHAIN_OPERANDS];
		int step[CHAIN_OPERANDS];

		for (int j = 0; j < CHAIN_OPERANDS; j++)
			in[j] = operand_at(strip, link, j, skip, &step[j]);
		for (unsigned r = 0; r < link->n_rows; r++) {
			const int j = link->rows[r];

			in[j] = (const float *)in[j] + row.in[r];
			step[j] = b->step[r][b->rank - 1] != 0;
		}
		(void)link->run(row.n, in, step, strip_out(strip) + skip,
				link->params);
	}
}

static void run_strips(const struct chain *chain,
		       const struct kernel_call *call, int64_t first,
		       int64_t last, int64_t length)
{
	for (int64_t at = first; at < last; at += length) {
		const int64_t left = last - at;
		struct strip strip = {
			.chain = chain,
			.call = call,
			.at = at,
			.n = left < length ? left : length,
		};

		for (unsigned i = 0; i < chain->n_links; i++) {
			strip.is_first = i == 0;
			if (chain->link[i].n_rows)
				run_link_by_rows(&strip, &chain->link[i]);
			else
				run_link(&strip, &chain->link[i]);
		}
	}
}

/* --- kernels --- */

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct chain *chain = mem_zero(sizeof(*chain));

	if (!chain)
		return err_set(err, ERR_NO_MEMORY, "chain: out of memory");
	chain_init(chain, query, false);
	ret->state = chain;
	return elementwise_prepare(query, ret, err);
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&call->query->out[0].shape), call->n_slices,
		     slice, &first, &last);
	run_strips(call->state, call, first, last, STRIP);
}

/* Element by element, with libm. */
static void run_reference(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	struct chain chain;

	(void)slice;
	(void)scratch;
	chain_init(&chain, call->query, true);
	run_strips(&chain, call, 0, shape_count(&call->query->out[0].shape), 1);
}

static double cost(const struct kernel_query *query)
{
	const struct chain_attrs *attrs = query->attrs;
	double ns = 0.1;

	for (size_t i = 0; i < attrs->ops.n; i++) {
		const struct loop *loop = loop_at(attrs, i, false);

		ns += loop ? 0.7 * loop->ns + 0.02 : 0;
	}
	return 0.1 + 1e-3 * ns * (double)shape_count(&query->out[0].shape);
}

static const struct kernel chain_strips = {
	.name = "chain.simd",
	.flags = KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
	.finish = mem_free,
};
static const struct kernel chain_reference = {
	.name = "chain.reference",
	.flags = KERNEL_QUICK,
	.run = run_reference,
};
static const struct kernel *const chain_kernels[] = { &chain_strips,
						      &chain_reference, NULL };

/* --- shapes --- */

/* The row that a loop is of: its name up to the dot. NULL: no row whose
 * results are floats, element by element. */
static const struct op *row_of(const struct str *name)
{
	char text[NAME_CAP];
	const struct op *op;
	size_t n = 0;

	while (n < name->len && n + 1 < sizeof(text) && name->bytes[n] != '.') {
		text[n] = name->bytes[n];
		n++;
	}
	text[n] = '\0';
	op = build_find(text);
	return op && op->kernels == elementwise_kernels ? op : NULL;
}

/* Operand j of a loop over n: the loops themselves do not look. */
static bool may_read(const struct infer *infer, const struct op *op,
		     const int64_t *operand, int j)
{
	const bool is_clip = strcmp(op->name, "Clip") == 0;
	const bool is_unary =
	    !op->in[1].name && !(op->in[0].flags & PORT_VARIADIC);
	const int64_t from = operand[j];

	if (j > (is_clip ? 2 : is_unary ? 0 : 1))
		return from == CHAIN_NONE;
	/* input 0 may be written over by the first link */
	if (from == CHAIN_VALUE)
		return !is_clip || j == 0;
	if ((is_clip || is_unary) && j == 0)
		return false;
	if (from == CHAIN_NONE)
		return is_clip;
	return from >= 1 && from < (int64_t)infer->n_in &&
	       infer->in[from].type.elem != DTYPE_NONE &&
	       (!is_clip || shape_count(&infer->in[from].shape) == 1);
}

static enum err_code check_link(const struct infer *infer, size_t i,
				struct err *err)
{
	const struct chain_attrs *attrs = infer->attrs;
	const int64_t *operand = attrs->operands.v + CHAIN_OPERANDS * i;
	const struct loop *loop = loop_at(attrs, i, false);
	const struct op *op = row_of(&attrs->ops.v[i]);

	if (!op || !loop || !loop->run[DTYPE_F32])
		return err_set(err, ERR_INVALID,
			       "attribute 'ops': there is no loop '%.*s'",
			       (int)attrs->ops.v[i].len, attrs->ops.v[i].bytes);
	for (int j = 0; j < CHAIN_OPERANDS; j++)
		if (!may_read(infer, op, operand, j))
			return err_set(err, ERR_INVALID,
				       "attribute 'operands': %lld as operand "
				       "%d of %s",
				       (long long)operand[j], j, op->name);
	return ERR_NONE;
}

static enum err_code check_links(const struct infer *infer, struct err *err)
{
	const struct chain_attrs *attrs = infer->attrs;
	const size_t n = attrs->ops.n;
	enum err_code rc = ERR_NONE;

	if (!n || n > CHAIN_LINKS_MAX || infer->n_in > CHAIN_INPUTS_MAX ||
	    attrs->operands.n != CHAIN_OPERANDS * n ||
	    attrs->params.n != (size_t)LOOP_MAX_PARAMS * n)
		return err_set(err, ERR_INVALID,
			       "attribute 'ops': expected 1 to %d links with "
			       "%d operands and %d numbers each, got %zu",
			       CHAIN_LINKS_MAX, CHAIN_OPERANDS, LOOP_MAX_PARAMS,
			       n);
	for (size_t i = 0; i < n && !rc; i++)
		rc = check_link(infer, i, err);
	return rc;
}

static enum err_code chain_infer(struct infer *infer, struct err *err)
{
	const enum err_code rc = check_links(infer, err);

	return rc ? rc : infer_broadcast(infer, err);
}

/* --- the row --- */

static const struct port chain_in[] = {
	{ "X", "T:float", 0 },
	{ "Others", "T", PORT_OPTIONAL | PORT_VARIADIC },
	{ 0 },
};
static const struct port chain_out[] = { { "Y", "T", 0 }, { 0 } };

static const struct op_attr chain_attrs[] = {
	{ .name = "ops",
	  .help = "loops by name, in the order in which they run",
	  .kind = ATTR_STRINGS,
	  .offset = offsetof(struct chain_attrs, ops) },
	{ .name = "operands",
	  .help = "three a loop: -1 the result so far, -2 nothing, else an "
		  "input but the first",
	  .kind = ATTR_INTS,
	  .offset = offsetof(struct chain_attrs, operands) },
	{ .name = "params",
	  .help = "three numbers a loop",
	  .kind = ATTR_FLOATS,
	  .offset = offsetof(struct chain_attrs, params) },
	{ 0 },
};

#define CHAIN(ops, operands, params)                            \
	"y = predictd.Chain<ops=[" ops "], operands=[" operands \
	"], params=[" params "]>"
#define SQUARE CHAIN("\"Mul\"", "-1,-1,-2", "0,0,0")
#define SCALED                                                             \
	CHAIN("\"HardSwish\",\"Mul\",\"Add\"", "-1,-2,-2,-1,1,-2,2,-1,-2", \
	      "0,0,0,0,0,0,0,0,0")

static const struct op_case chain_cases[] = {
	{ .name = "one link", .graph = SQUARE "(x:float[5,7])" },
	{ .name = "a scalar", .graph = SQUARE "(x:float[])" },
	{ .name = "nothing", .graph = SQUARE "(x:float[0,3])" },
	{ .name = "an operand that is left out",
	  .graph = CHAIN("\"Mul\"", "-1,1,-2", "0,0,0") "(x:float[2], , "
							"z:float[2])",
	  .want = ERR_INVALID },
	{ .name = "numbers",
	  .graph = SCALED "(x:float[37,67], a:float[], b:float[1])" },
	{ .name = "a number a channel",
	  .graph = SCALED "(x:float[2,3,31,21], a:float[3,1,1], "
			  "b:float[1,3,1,1])" },
	{ .name = "a number a column",
	  .graph = SCALED "(x:float[30,71], a:float[71], b:float[30,71])" },
	{ .name = "a number a row",
	  .graph = SCALED "(x:float[30,71], a:float[30,1], b:float[30,71])" },
	{ .name = "input 0 again",
	  .graph = CHAIN("\"Sigmoid\",\"Sub\"", "-1,-2,-2,1,-1,-2",
			 "0,0,0,0,0,0") "(x:float[3,700], x)" },
	{ .name = "numbers of loops",
	  .graph = CHAIN("\"LeakyRelu\",\"Clip\",\"Gelu.tanh\"",
			 "-1,-2,-2,-1,1,-2,-1,-2,-2",
			 "0.3,0,0,0,0,0,0,0,0") "(x:float[9,9], a:float[])" },
	{ .name = "one operand of what stays along a row",
	  .graph = CHAIN("\"HardSwish\",\"Mul\"", "-1,-2,-2,-1,1,-2",
			 "0,0,0,0,0,0") "(x:float[30,1], a:float[30,71])" },
	{ .name = "one operand of a number",
	  .graph = CHAIN("\"Sigmoid\",\"Mul\"", "-1,-2,-2,-1,1,-2",
			 "0,0,0,0,0,0") "(x:float[], a:float[30,71])" },
	{ .name = "limits of what stays along a row",
	  .graph = CHAIN(
	      "\"Clip\",\"Mul\"", "-1,2,-2,-1,1,-2",
	      "0,0,0,0,0,0") "(x:float[30,1], a:float[30,71], b:float[])" },
	{ .name = "no links",
	  .graph = CHAIN("", "", "") "(x:float[3])",
	  .want = ERR_INVALID },
	{ .name = "an unknown loop",
	  .graph = CHAIN("\"Conv\"", "-1,-2,-2", "0,0,0") "(x:float[3])",
	  .want = ERR_INVALID },
	{ .name = "an input too many",
	  .graph = CHAIN("\"Add\"", "-1,1,-2", "0,0,0") "(x:float[3])",
	  .want = ERR_INVALID },
	{ .name = "a loop that gives truth",
	  .graph =
	      CHAIN("\"Less\"", "-1,1,-2", "0,0,0") "(x:float[3], a:float[])",
	  .want = ERR_INVALID },
	{ .name = "an operand too few",
	  .graph = CHAIN("\"Add\"", "-1,-2,-2", "0,0,0") "(x:float[3])",
	  .want = ERR_INVALID },
	{ .name = "limits that are more than numbers",
	  .graph =
	      CHAIN("\"Clip\"", "-1,1,-2", "0,0,0") "(x:float[3], a:float[3])",
	  .want = ERR_INVALID },
	{ .name = "input 0 by its number",
	  .graph = CHAIN("\"Neg\"", "0,-2,-2", "0,0,0") "(x:float[3])",
	  .want = ERR_INVALID },
	{ .name = "an input that is larger",
	  .graph = CHAIN("\"Add\"", "-1,1,-2",
			 "0,0,0") "(x:float[3], a:float[2,3])" },
	{ .name = "rows by columns",
	  .graph = CHAIN("\"Sub\",\"Tanh\"", "-1,1,-2,-1,-2,-2",
			 "0,0,0,0,0,0") "(x:float[1,41,1,70], "
					"a:float[2,1,13,70])" },
	{ .name = "a number by rows",
	  .graph = CHAIN("\"Sub\",\"Mul\"", "1,-1,-2,-1,2,-2",
			 "0,0,0,0,0,0") "(x:float[1], a:float[1,70], "
					"b:float[90,1])" },
	{ .name = "an input that goes along with none",
	  .graph =
	      CHAIN("\"Add\"", "-1,1,-2", "0,0,0") "(x:float[3], a:float[2,4])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_chain;
const struct op op_chain = {
	.domain = "predictd",
	.name = "Chain",
	.help = "elementwise operators one after the other, in one pass over "
		"memory",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = chain_in,
	.out = chain_out,
	.attrs = chain_attrs,
	.attrs_size = sizeof(struct chain_attrs),
	.infer = chain_infer,
	.kernels = chain_kernels,
	.cases = chain_cases,
};
