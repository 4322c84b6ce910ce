/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Adagrad, Adam and Momentum of ai.onnx.preview.training: one step for any
 * number of tensors, as arithmetic on each of them. Inputs are R (the rate), T
 * (the count of updates), then all X, all G (gradients) and all of each
 * moment; outputs all new X and all of each new moment. Our own rows of these
 * names, which train, are another form.
 *
 * Source: the operators' documents of ONNX, whose letters are used.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/spelling.h"

enum { TEXT_MAX = 1024, MOMENTS_MAX = 2 };

struct step_attrs {
	double alpha, beta, epsilon, decay, norm, norm_post;
	const char *mode;
};

/* clang-format off */
#define NUMBER(label, member, text, how, value)                             \
	{ .name = (label), .help = (text), .flags = (how),                  \
	  .offset = offsetof(struct step_attrs, member),                    \
	  .kind = ATTR_FLOAT, .def = (value) }

static const struct op_attr adagrad_attrs[] = {
	NUMBER("decay_factor", decay, "how the rate falls", 0, 0),
	NUMBER("epsilon", epsilon, "added to the root", 0, 1e-6),
	NUMBER("norm_coefficient", norm, "share of X in the gradient", 0, 0),
	{ 0 },
};
static const struct op_attr adam_attrs[] = {
	NUMBER("alpha", alpha, "share of the old average", 0, (double)0.9F),
	NUMBER("beta", beta, "share of the old average of squares", 0, (double)0.999F),
	NUMBER("epsilon", epsilon, "added to the root", 0, 1e-6),
	NUMBER("norm_coefficient", norm, "share of X in the gradient", 0, 0),
	NUMBER("norm_coefficient_post", norm_post, "taken from the new X", 0, 0),
	{ 0 },
};
static const struct op_attr momentum_attrs[] = {
	NUMBER("alpha", alpha, "share of the old momentum", ATTR_REQUIRED, 0),
	NUMBER("beta", beta, "factor of the gradient", ATTR_REQUIRED, 0),
	NUMBER("norm_coefficient", norm, "share of X in the gradient", ATTR_REQUIRED, 0),
	{ .name = "mode", .help = "standard or nesterov", .flags = ATTR_REQUIRED,
	  .offset = offsetof(struct step_attrs, mode), .kind = ATTR_STRING },
	{ 0 },
};
/* clang-format on */

/* The rate's part is in double, once: r. */
static void adagrad_text(const struct step_attrs *a, char text[TEXT_MAX])
{
	(void)snprintf(
	    text, TEXT_MAX,
	    "r = Div(Cast<to=11>(R), Add(Mul(Cast<to=11>(T), %.17g), "
	    "1))\n"
	    "g = Add(Mul(X, %.17g), G)\n"
	    "H_new = Add(H, Mul(g, g))\n"
	    "X_new = Sub(X, Div(Mul(g, CastLike(r, X)), "
	    "Add(Sqrt(H_new), %.17g)))",
	    a->decay, a->norm, a->epsilon);
}

static void adam_text(const struct step_attrs *a, char text[TEXT_MAX])
{
	(void)snprintf(text, TEXT_MAX,
		       "t = Cast<to=11>(T)\n"
		       "r0 = Cast<to=11>(R)\n"
		       "r1 = Div(Mul(r0, Sqrt(Sub(1, Pow(%.17g, t)))), "
		       "Sub(1, Pow(%.17g, t)))\n"
		       "r = Where(Greater(t, 0), r1, r0)\n"
		       "g = Add(Mul(X, %.17g), G)\n"
		       "V_new = Add(Mul(V, %.17g), Mul(g, %.17g))\n"
		       "H_new = Add(Mul(H, %.17g), Mul(Mul(g, g), %.17g))\n"
		       "moved = Sub(X, Mul(CastLike(r, X), "
		       "Div(V_new, Add(Sqrt(H_new), %.17g))))\n"
		       "X_new = Mul(moved, %.17g)",
		       a->beta, a->alpha, a->norm, a->alpha, 1 - a->alpha,
		       a->beta, 1 - a->beta, a->epsilon, 1 - a->norm_post);
}

static void momentum_text(const struct step_attrs *a, char text[TEXT_MAX])
{
	(void)snprintf(text, TEXT_MAX,
		       "first:double[]={1}\n"
		       "later:double[]={%.17g}\n"
		       "b = Where(Greater(T, 0), later, first)\n"
		       "g = Add(Mul(X, %.17g), G)\n"
		       "V_new = Add(Mul(V, %.17g), Mul(g, CastLike(b, X)))\n"
		       "way = %s\n"
		       "X_new = Sub(X, Mul(way, CastLike(R, X)))",
		       a->beta, a->norm, a->alpha,
		       strcmp(a->mode, "nesterov") != 0
			   ? "V_new"
			   : "Add(g, Mul(V_new, CastLike(alpha, X)))");
}

struct rule {
	const char *name;
	void (*text)(const struct step_attrs *a, char text[TEXT_MAX]);
	unsigned n_moments;
	const char *moment[MOMENTS_MAX], *new_moment[MOMENTS_MAX];
};

static const struct rule rules[] = {
	{ "Adagrad", adagrad_text, 1, { "H" }, { "H_new" } },
	{ "Adam", adam_text, 2, { "V", "H" }, { "V_new", "H_new" } },
	{ "Momentum", momentum_text, 1, { "V" }, { "V_new" } },
};

static const struct rule *rule_of(const char *name)
{
	size_t i = 0;

	while (strcmp(rules[i].name, name) != 0)
		i++;
	return &rules[i];
}

/* Tensor i of n. */
static void lower_tensor(const struct lower *lower, const struct rule *rule,
			 const char *text, unsigned i, unsigned n)
{
	const struct spelling_node *node = lower->node;
	const struct step_attrs *a = lower->attrs;
	const int32_t *in = node->in + 2;
	struct build_name bound[5 + MOMENTS_MAX] = {
		{ "R", node->in[0] },
		{ "T", node->in[1] },
		{ "X", in[i] },
		{ "G", in[n + i] },
		{ "alpha", build_scalar(lower->build, DTYPE_F64, a->alpha) },
	};
	struct build_name want[1 + MOMENTS_MAX] = { { "X_new", VALUE_NONE } };

	for (unsigned m = 0; m < rule->n_moments; m++) {
		bound[5 + m].name = rule->moment[m];
		bound[5 + m].value = in[(2 + m) * n + i];
		want[1 + m].name = rule->new_moment[m];
	}
	build_text(lower->build, text, bound, 5 + rule->n_moments, NULL, want,
		   1 + rule->n_moments);
	for (unsigned m = 0; m <= rule->n_moments; m++)
		node->out[m * n + i] = want[m].value;
}

static enum err_code lower_step(struct lower *lower, struct err *err)
{
	const struct spelling_node *node = lower->node;
	const struct step_attrs *a = lower->attrs;
	const struct rule *rule = rule_of(node->name);
	const unsigned each = 2 + rule->n_moments;
	char text[TEXT_MAX];
	unsigned n;

	if (node->n_in < 2 + each || (node->n_in - 2) % each ||
	    node->n_out != (node->n_in - 2) / each * (each - 1))
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s): expected R, T and %u inputs "
			       "and %u outputs for each tensor, got %u and %u",
			       node->node_name, node->name, each, each - 1,
			       node->n_in, node->n_out);
	if (a->mode && strcmp(a->mode, "standard") != 0 &&
	    strcmp(a->mode, "nesterov") != 0)
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s): attribute 'mode' must be "
			       "standard or nesterov, but is '%s'",
			       node->node_name, node->name, a->mode);
	n = (node->n_in - 2) / each;
	rule->text(a, text);
	for (unsigned i = 0; i < n; i++)
		lower_tensor(lower, rule, text, i, n);
	return build_check(lower->build, err);
}

#define STEP(label, table)                                                \
	{                                                                 \
		.domain = "ai.onnx.preview.training", .name = (label),    \
		.from = 1, .to = UINT16_MAX, .lower = lower_step,         \
		.attrs = (table), .attrs_size = sizeof(struct step_attrs) \
	}

const struct spelling spellings_optimizer[] = {
	STEP("Adagrad", adagrad_attrs),
	STEP("Adam", adam_attrs),
	STEP("Momentum", momentum_attrs),
	{ 0 },
};
