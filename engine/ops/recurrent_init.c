/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "engine/ops/recurrent.h"

struct known_bend {
	const char *name; /* of the loop, too */
	enum bend_form form;
	enum bend_slope slope;
	unsigned n_params;
	double alpha, beta;
};

/* clang-format off */
static const struct known_bend known[] = {
	{ "Affine",          BEND_AFFINE,      SLOPE_AFFINE,       2, 1,    0 },
	{ "Elu",             BEND_LOOP,        SLOPE_ELU,          1, 1,    0 },
	{ "HardSigmoid",     BEND_LOOP,        SLOPE_HARD_SIGMOID, 2, 0.2,  0.5 },
	{ "LeakyRelu",       BEND_LOOP,        SLOPE_LEAKY_RELU,   1, 0.01, 0 },
	{ "Relu",            BEND_LOOP,        SLOPE_RELU,         0, 0,    0 },
	{ "ScaledTanh",      BEND_SCALED_TANH, SLOPE_SCALED_TANH,  2, 1,    1 },
	{ "Sigmoid",         BEND_LOOP,        SLOPE_SIGMOID,      0, 0,    0 },
	{ "Softplus",        BEND_LOOP,        SLOPE_SOFTPLUS,     0, 0,    0 },
	{ "Softsign",        BEND_LOOP,        SLOPE_SOFTSIGN,     0, 0,    0 },
	{ "Tanh",            BEND_LOOP,        SLOPE_TANH,         0, 0,    0 },
	{ "ThresholdedRelu", BEND_THRESHOLD,   SLOPE_THRESHOLD,    1, 1,    0 },
	{ NULL,              BEND_LOOP,        SLOPE_AFFINE,       0, 0,    0 },
};
/* clang-format on */

static const struct known_bend *find_bend(const struct str *name)
{
	const struct known_bend *bend = known;

	while (bend->name &&
	       (strlen(bend->name) != name->len ||
		strncasecmp(bend->name, name->bytes, name->len) != 0))
		bend++;
	return bend->name ? bend : NULL;
}

/* How much of the lists of alphas and betas is used up. */
struct used {
	size_t alpha, beta;
};

static struct bend make_bend(const struct known_bend *from,
			     const struct recurrent_attrs *attrs,
			     struct used *used)
{
	struct bend bend = {
		from->form, from->slope, from->name, { from->alpha, from->beta }
	};

	if (from->n_params > 0 && used->alpha < attrs->alpha.n)
		bend.param[0] = (double)attrs->alpha.v[used->alpha++];
	if (from->n_params > 1 && used->beta < attrs->beta.n)
		bend.param[1] = (double)attrs->beta.v[used->beta++];
	return bend;
}

static unsigned bends_of(enum recurrent_kind kind)
{
	return kind == RECURRENT_LSTM ? 3 : kind == RECURRENT_GRU ? 2 : 1;
}

/* Without names: Sigmoid for gates, Tanh for states. */
static enum err_code read_bends(const struct recurrent_attrs *attrs,
				struct recurrent *r, struct err *err)
{
	const unsigned n = bends_of(r->kind);
	const bool are_given = attrs->activations.n > 0;
	struct used used = { 0, 0 };

	if (are_given && attrs->activations.n < (size_t)n * r->n_directions)
		return err_set(err, ERR_INVALID,
			       "attribute 'activations': expected %u names, "
			       "got %zu",
			       n * r->n_directions, attrs->activations.n);
	for (unsigned i = 0; i < n * r->n_directions; i++) {
		const bool is_gate = r->kind != RECURRENT_RNN && i % n == 0;
		const struct str usual = { is_gate ? "Sigmoid" : "Tanh",
					   is_gate ? 7 : 4 };
		const struct str *name =
		    are_given ? &attrs->activations.v[i] : &usual;
		const struct known_bend *bend = find_bend(name);

		if (!bend)
			return err_set(err, ERR_UNSUPPORTED,
				       "attribute 'activations': '%.*s' is "
				       "none that is known",
				       name->len < 40 ? (int)name->len : 40,
				       name->bytes);
		r->bend[i / n][i % n] = make_bend(bend, attrs, &used);
	}
	return ERR_NONE;
}

static enum err_code read_direction(const char *direction, struct recurrent *r,
				    struct err *err)
{
	r->n_directions = 1;
	if (!strcmp(direction, "forward"))
		return ERR_NONE;
	if (!strcmp(direction, "reverse")) {
		r->is_reverse[0] = true;
		return ERR_NONE;
	}
	if (strcmp(direction, "bidirectional") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'direction': expected forward, "
			       "reverse or bidirectional, got '%.40s'",
			       direction);
	r->n_directions = 2;
	r->is_reverse[1] = true;
	return ERR_NONE;
}

static enum err_code expect(const struct fact *in, unsigned n_in, unsigned i,
			    const char *name, const struct shape *want,
			    struct err *err)
{
	char text[2][64];

	if (i >= n_in || in[i].type.elem == DTYPE_NONE ||
	    shape_equal(&in[i].shape, want))
		return ERR_NONE;
	return infer_fail(err, "input '%s': expected %s, got %s", name,
			  shape_text(want, text[0], sizeof(text[0])),
			  shape_text(&in[i].shape, text[1], sizeof(text[1])));
}

static enum err_code check_inputs(const struct recurrent *r,
				  const struct fact *in, unsigned n_in,
				  struct err *err)
{
	const int64_t d = r->n_directions, h = r->n_hidden, g = r->n_gates;
	const struct shape w = { 3, { d, g * h, r->n_in } };
	const struct shape u = { 3, { d, g * h, h } };
	const struct shape b = { 2, { d, 2 * g * h } };
	const struct shape p = { 2, { d, 3 * h } };
	const struct shape lengths = { 1, { r->n_batch } };
	const struct shape state = { 3,
				     { r->batch_first ? r->n_batch : d,
				       r->batch_first ? d : r->n_batch, h } };
	enum err_code rc = expect(in, n_in, RECURRENT_W, "W", &w, err);

	if (!rc)
		rc = expect(in, n_in, RECURRENT_R, "R", &u, err);
	if (!rc)
		rc = expect(in, n_in, RECURRENT_B, "B", &b, err);
	if (!rc)
		rc = expect(in, n_in, RECURRENT_LENGTHS, "sequence_lens",
			    &lengths, err);
	if (!rc)
		rc = expect(in, n_in, RECURRENT_H0, "initial_h", &state, err);
	if (!rc)
		rc = expect(in, n_in, RECURRENT_C0, "initial_c", &state, err);
	if (!rc)
		rc = expect(in, n_in, RECURRENT_P, "P", &p, err);
	return rc;
}

/* Of the layer or of its gradient. */
static enum recurrent_kind kind_of(const char *op)
{
	if (str_starts_with(op, "LSTM"))
		return RECURRENT_LSTM;
	return str_starts_with(op, "GRU") ? RECURRENT_GRU : RECURRENT_RNN;
}

enum err_code recurrent_init(const char *op,
			     const struct recurrent_attrs *attrs,
			     const struct fact *in, unsigned n_in,
			     struct recurrent *ret, struct err *err)
{
	const struct shape *x = &in[RECURRENT_X].shape;
	const struct shape *u = &in[RECURRENT_R].shape;
	enum err_code rc;

	if (x->rank != 3 || u->rank != 3)
		return infer_fail(err, "input '%s': expected rank 3, got %u",
				  x->rank != 3 ? "X" : "R",
				  x->rank != 3 ? x->rank : u->rank);
	*ret = (struct recurrent){
		.kind = kind_of(op),
		.n_steps = x->dim[attrs->layout ? 1 : 0],
		.n_batch = x->dim[attrs->layout ? 0 : 1],
		.n_in = x->dim[2],
		.n_hidden = u->dim[2],
		.batch_first = attrs->layout != 0,
		.input_forget = attrs->input_forget != 0,
		.linear_before_reset = attrs->linear_before_reset != 0,
		.clip = attrs->clip,
	};
	ret->n_gates = ret->kind == RECURRENT_LSTM  ? 4
		       : ret->kind == RECURRENT_GRU ? 3
						    : 1;
	if (attrs->hidden_size && attrs->hidden_size != ret->n_hidden)
		return infer_fail(err,
				  "input 'R': expected %lld columns as "
				  "'hidden_size' says, got %lld",
				  (long long)attrs->hidden_size,
				  (long long)ret->n_hidden);
	rc = read_direction(attrs->direction, ret, err);
	if (!rc)
		rc = read_bends(attrs, ret, err);
	return rc ? rc : check_inputs(ret, in, n_in, err);
}
