/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Einsum: y[out] = the sum, over all labels that the result has not, of the
 * product of the operands' elements at their labels.
 *
 * The gradient of an operand is an Einsum of dY and the other operands, whose
 * result has that operand's labels. Where it repeats a label, a unit matrix
 * leads from the label to a new one; where nothing else has the label, ones
 * do.
 */
#include "engine/ops/einsum.h"

#include <string.h>

#include "base/mem.h"
#include "engine/autodiff.h"
#include "engine/ops/reshape.h"

enum { EQUATION_MAX = 512, EYE_MAX = 1 << 20 };

static const struct kernel *const einsum_kernels[] = { &einsum_product,
						       &einsum_plain, NULL };

static enum err_code einsum_infer(struct infer *infer, struct err *err)
{
	const struct einsum_attrs *attrs = infer->attrs;
	struct shape *y = &infer->out[0].shape;
	struct einsum e;
	enum err_code rc =
	    einsum_parse(attrs->equation, infer->n_in, infer->in, &e, err);

	if (rc)
		return rc;
	y->rank = e.out.rank;
	for (unsigned i = 0; i < e.out.rank; i++)
		y->dim[i] = e.extent[e.out.label[i]];
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Output'", err);
}

/* ---- gradient ------------------------------------------------------------ */

/* An equation that grows: operands, then the result. Labels get new letters:
 * those of "..." have none. */
struct gradient {
	struct build *build;
	const struct einsum *e;
	uint8_t
	    letter[EINSUM_LABELS]; /* new label of an old one; 0: none yet */
	unsigned next;		   /* the next new one */
	char text[EQUATION_MAX];
	size_t n_text;
	int32_t in[EINSUM_MAX_OPERANDS];
	unsigned n_in;
	uint64_t has; /* old labels with their full extent in an operand */
};

static unsigned new_letter(struct gradient *g)
{
	return g->next < EINSUM_LABELS ? g->next++ : EINSUM_LABELS - 1;
}

static void put(struct gradient *g, char c)
{
	if (g->n_text + 1 < sizeof(g->text))
		g->text[g->n_text++] = c;
}

static void put_label(struct gradient *g, unsigned label)
{
	if (!g->letter[label])
		g->letter[label] = (uint8_t)new_letter(g);
	put(g, einsum_letter(g->letter[label]));
}

static void add_operand(struct gradient *g, int32_t value,
			const struct einsum_term *term)
{
	const struct shape shape = build_fact(g->build, value)->shape;

	if (g->n_in)
		put(g, ',');
	if (g->n_in < EINSUM_MAX_OPERANDS)
		g->in[g->n_in++] = value;
	for (unsigned i = 0; i < term->rank; i++) {
		put_label(g, term->label[i]);
		if (shape.dim[i] == g->e->extent[term->label[i]])
			g->has |= (uint64_t)1 << term->label[i];
	}
}

static void add_ones(struct gradient *g, unsigned label, enum dtype elem)
{
	const struct einsum_term term = { 1, { (uint8_t)label } };
	int32_t ones =
	    build_2(g->build, "Expand", build_scalar(g->build, elem, 1),
		    build_ints(g->build, &g->e->extent[label], 1));

	add_operand(g, ones, &term);
}

/* A unit matrix as a constant. */
static int32_t build_eye(struct build *build, int64_t n, enum dtype elem)
{
	const size_t size = dtype_info(elem)->size;
	const double one = 1;
	struct tensor_view eye = { .dtype = elem, .shape = { 2, { n, n } } };
	int32_t value;

	eye.data = mem_zero((size_t)(n * n) * size + 1);
	for (int64_t i = 0; i < n && eye.data; i++)
		dtype_convert(DTYPE_F64, &one, elem,
			      (char *)eye.data + (size_t)(i * (n + 1)) * size,
			      1, false);
	if (!eye.data)
		return VALUE_NONE;
	value = build_const(build, &eye);
	mem_free(eye.data);
	return value;
}

/* The second place of a label: a new letter, led to by a unit matrix. */
static unsigned add_eye(struct gradient *g, unsigned label, enum dtype elem)
{
	const unsigned letter = new_letter(g);

	put(g, ',');
	put_label(g, label);
	put(g, einsum_letter(letter));
	if (g->n_in < EINSUM_MAX_OPERANDS)
		g->in[g->n_in++] =
		    build_eye(g->build, g->e->extent[label], elem);
	return letter;
}

/* The result: the operand's axes but those of extent 1. Constants that some
 * of them need go before. */
static void add_result(struct gradient *g, const struct einsum_term *term,
		       const struct shape *shape, enum dtype elem)
{
	unsigned letter[SHAPE_MAX_RANK], n = 0;
	uint64_t seen = 0;

	for (unsigned i = 0; i < term->rank; i++) {
		const unsigned label = term->label[i];

		if (shape->dim[i] == 1)
			continue;
		if (!(g->has >> label & 1))
			add_ones(g, label, elem);
		letter[n++] = seen >> label & 1 ? add_eye(g, label, elem)
						: g->letter[label];
		seen |= (uint64_t)1 << label;
	}
	put(g, '-');
	put(g, '>');
	for (unsigned i = 0; i < n; i++)
		put(g, einsum_letter(letter[i]));
	put(g, '\0');
}

static bool is_too_large(const struct einsum *e, unsigned operand)
{
	const struct einsum_term *term = &e->in[operand];

	for (unsigned i = 0; i < term->rank; i++)
		for (unsigned j = 0; j < i; j++)
			if (term->label[i] == term->label[j] &&
			    e->extent[term->label[i]] *
				    e->extent[term->label[i]] >
				EYE_MAX)
				return true;
	return false;
}

static enum err_code operand_gradient(struct vjp *vjp, const struct einsum *e,
				      unsigned operand, struct err *err)
{
	struct build *build = vjp->build;
	const struct fact x = *build_fact(build, vjp->in[operand]);
	struct gradient g = { .build = build,
			      .e = e,
			      .next = EINSUM_FIRST_LETTER };
	const struct einsum_attrs attrs = { g.text };

	if (is_too_large(e, operand))
		return err_set(err, ERR_UNSUPPORTED,
			       "the gradient of a diagonal is there up to "
			       "extent 1024 only");
	add_operand(&g, vjp->grad_out[0], &e->out);
	for (unsigned i = 0; i < e->n_in; i++)
		if (i != operand)
			add_operand(&g, vjp->in[i], &e->in[i]);
	add_result(&g, &e->in[operand], &x.shape, x.type.elem);
	if (g.n_in == EINSUM_MAX_OPERANDS || g.next == EINSUM_LABELS ||
	    g.n_text + 1 == sizeof(g.text))
		return err_set(err, ERR_UNSUPPORTED,
			       "the equation of the gradient grows too long");
	vjp->grad_in[operand] = build_reshape_like(
	    build, build_node(build, "Einsum", &attrs, g.in, g.n_in),
	    vjp->in[operand]);
	return build_check(build, err);
}

static enum err_code einsum_vjp(struct vjp *vjp, struct err *err)
{
	const struct einsum_attrs *attrs = vjp->attrs;
	const unsigned n_in = (unsigned)vjp->node->n_in;
	struct fact in[EINSUM_MAX_OPERANDS];
	enum err_code rc = ERR_NONE;
	struct einsum e;

	for (unsigned i = 0; i < n_in && i < EINSUM_MAX_OPERANDS; i++)
		in[i] = *build_fact(vjp->build, vjp->in[i]);
	rc = einsum_parse(attrs->equation, n_in, in, &e, err);
	for (unsigned i = 0; i < n_in && !rc; i++)
		if (vjp->wanted[i])
			rc = operand_gradient(vjp, &e, i, err);
	return rc;
}

static const struct port einsum_in[] = {
	{ "Inputs", "T:arith", PORT_VARIADIC },
	{ 0 },
};
static const struct port einsum_out[] = { { "Output", "T", 0 }, { 0 } };

static const struct op_attr einsum_attrs[] = {
	{ .name = "equation",
	  .help = "labels of the operands' axes and of the result's",
	  .offset = offsetof(struct einsum_attrs, equation),
	  .kind = ATTR_STRING,
	  .flags = ATTR_REQUIRED },
	{ 0 },
};

/* clang-format off */
static const struct op_case einsum_cases[] = {
	{ .name = "product",
	  .graph = "y = Einsum<equation=\"ij,jk->ik\">(a:float[5,7], b:float[7,4])" },
	{ .name = "transposed",
	  .graph = "y = Einsum<equation=\"ji, kj -> ki\">(a:double[7,5], b:double[4,7])" },
	{ .name = "batches",
	  .graph = "y = Einsum<equation=\"bqhd,bkhd->bhqk\">"
		   "(a:float[2,5,3,4], b:float[2,6,3,4])" },
	{ .name = "back from heads",
	  .graph = "y = Einsum<equation=\"bhqk,bkhd->bqhd\">"
		   "(a:float[2,3,5,6], b:float[2,6,3,4])" },
	{ .name = "shared operand",
	  .graph = "y = Einsum<equation=\"btd,dhk->bthk\">(a:float[3,5,8], b:float[8,2,4])" },
	{ .name = "two inner labels",
	  .graph = "y = Einsum<equation=\"bthk,hkd->btd\">(a:float[3,5,2,4], b:float[2,4,8])" },
	{ .name = "packed both",
	  .graph = "y = Einsum<equation=\"abcd,bedc->cea\">"
		   "(a:float[3,4,5,6], b:float[4,7,6,5])" },
	{ .name = "packed result",
	  .graph = "y = Einsum<equation=\"abk,kcd->cadb\">(a:float[3,4,9], b:float[9,2,5])" },
	{ .name = "outer", .graph = "y = Einsum<equation=\"i,j->ij\">"
		   "(a:float[9], b:float[8])" },
	{ .name = "inner", .graph = "y = Einsum<equation=\"i,i\">(a:float[50], b:float[50])" },
	{ .name = "diagonal", .graph = "y = Einsum<equation=\"...ii->...i\">"
		   "(a:double[2,3,3])" },
	{ .name = "trace", .graph = "y = Einsum<equation=\"ii\">(a:double[4,4])" },
	{ .name = "sum", .graph = "y = Einsum<equation=\"ij->j\">(a:double[4,3])" },
	{ .name = "transpose", .graph = "y = Einsum<equation=\"ba\">(a:float[4,3])" },
	{ .name = "ellipsis",
	  .graph = "y = Einsum<equation=\"...ij,...jk\">(a:float[2,1,5,7], b:float[2,3,7,4])" },
	{ .name = "shorter ellipsis",
	  .graph = "y = Einsum<equation=\"...ij,jk...->k...i\">"
		   "(a:double[2,3,5,7], b:double[7,4,3])" },
	{ .name = "label of one operand",
	  .graph = "y = Einsum<equation=\"ija,jkb->ik\">(a:float[5,7,2], b:float[7,4,3])" },
	{ .name = "three operands",
	  .graph = "y = Einsum<equation=\"ab,bc,cd->da\">"
		   "(a:double[2,3], b:double[3,4], c:double[4,2])" },
	{ .name = "extent of 1",
	  .graph = "y = Einsum<equation=\"ij,jk->ik\">(a:double[5,1], b:double[7,4])" },
	{ .name = "scalars", .graph = "y = Einsum<equation=\",->\">(a:double[], b:double[])" },
	{ .name = "integers",
	  .graph = "y = Einsum<equation=\"ij,jk->ik\">(a:int32[5,7], b:int32[7,4])" },
	{ .name = "sum of nothing",
	  .graph = "y = Einsum<equation=\"ij,jk->ik\">(a:float[5,0], b:float[0,4])" },
	{ .name = "nothing",
	  .graph = "y = Einsum<equation=\"ij,jk->ik\">(a:float[0,3], b:float[3,4])" },
	{ .name = "sliced rows",
	  .graph = "y = Einsum<equation=\"ij,jk->ik\">(a:float[301,200], b:float[200,150])" },
	{ .name = "sliced batches",
	  .graph = "y = Einsum<equation=\"nij,jkn->nik\">"
		   "(a:float[17,61,100], b:float[100,50,17])" },
	{ .name = "extents differ",
	  .graph = "y = Einsum<equation=\"ij,jk->ik\">(a:float[5,7], b:float[6,4])",
	  .want = ERR_SHAPE },
	{ .name = "rank differs",
	  .graph = "y = Einsum<equation=\"ijk->ik\">(a:float[5,7])", .want = ERR_SHAPE },
	{ .name = "a term too few",
	  .graph = "y = Einsum<equation=\"ij->ij\">(a:float[5,7], b:float[5,7])",
	  .want = ERR_INVALID },
	{ .name = "a term too many",
	  .graph = "y = Einsum<equation=\"ij,k->ij\">(a:float[5,7])", .want = ERR_INVALID },
	{ .name = "no letter",
	  .graph = "y = Einsum<equation=\"i1->i\">(a:float[5,7])", .want = ERR_INVALID },
	{ .name = "result from nowhere",
	  .graph = "y = Einsum<equation=\"ij->ik\">(a:float[5,7])", .want = ERR_INVALID },
	{ .name = "result given twice",
	  .graph = "y = Einsum<equation=\"ij->ii\">(a:float[5,7])", .want = ERR_INVALID },
	{ .name = "two dots",
	  .graph = "y = Einsum<equation=\"..ij\">(a:float[5,7])", .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_einsum;
const struct op op_einsum = {
	.domain = "",
	.name = "Einsum",
	.help = "Sums of products by an equation of labels.",
	.since = 12,
	.in = einsum_in,
	.out = einsum_out,
	.attrs = einsum_attrs,
	.attrs_size = sizeof(struct einsum_attrs),
	.infer = einsum_infer,
	.kernels = einsum_kernels,
	.vjp = einsum_vjp,
	.cases = einsum_cases,
};
