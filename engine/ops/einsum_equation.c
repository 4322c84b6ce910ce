/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the equation of Einsum. */
#include <string.h>

#include "engine/ops/einsum.h"
#include "engine/ops/move.h"

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* A term as it stands: letters, and "..." before number `ellipsis` of them. */
struct raw {
	unsigned n;
	int ellipsis; /* -1: none */
	uint8_t label[SHAPE_MAX_RANK];
};

struct reader {
	const char *at;
	const char *equation;
	struct err *err;
};

char einsum_letter(unsigned label)
{
	return letters[label - EINSUM_FIRST_LETTER];
}

static enum err_code refuse(const struct reader *r, const char *what)
{
	return err_set(r->err, ERR_INVALID,
		       "attribute 'equation': %s at place %d of '%.100s'", what,
		       (int)(r->at - r->equation), r->equation);
}

static enum err_code read_letter(struct reader *r, struct raw *term)
{
	const char *found = strchr(letters, *r->at);

	if (!found)
		return refuse(r, "expected a letter");
	if (term->n == SHAPE_MAX_RANK)
		return refuse(r, "expected at most 8 letters in a term");
	term->label[term->n++] =
	    (uint8_t)(EINSUM_FIRST_LETTER + (found - letters));
	r->at++;
	return ERR_NONE;
}

/* Up to ',', "->" or the end. */
static enum err_code read_term(struct reader *r, struct raw *term)
{
	enum err_code rc = ERR_NONE;

	*term = (struct raw){ .ellipsis = -1 };
	while (!rc && *r->at && *r->at != ',' && *r->at != '-') {
		if (*r->at == ' ') {
			r->at++;
		} else if (*r->at == '.') {
			if (strncmp(r->at, "...", 3) != 0 ||
			    term->ellipsis >= 0)
				return refuse(r, "expected one '...' a term");
			term->ellipsis = (int)term->n;
			r->at += 3;
		} else {
			rc = read_letter(r, term);
		}
	}
	return rc;
}

/* "..." becomes the last n_ellipsis of its labels. */
static enum err_code expand(const struct reader *r, const struct raw *raw,
			    unsigned n_ellipsis, struct einsum_term *ret)
{
	ret->rank = 0;
	if (raw->n + n_ellipsis > SHAPE_MAX_RANK)
		return err_set(r->err, ERR_SHAPE,
			       "attribute 'equation': a term of '%.100s' has "
			       "rank %u, expected at most %d",
			       r->equation, raw->n + n_ellipsis,
			       SHAPE_MAX_RANK);
	for (unsigned i = 0; i <= raw->n; i++) {
		if ((int)i == raw->ellipsis)
			for (unsigned j = n_ellipsis; j > 0; j--)
				ret->label[ret->rank++] =
				    (uint8_t)(EINSUM_FIRST_LETTER - j);
		if (i < raw->n)
			ret->label[ret->rank++] = raw->label[i];
	}
	return ERR_NONE;
}

/* Operand i of that shape has the term. */
static enum err_code add_operand(const struct reader *r, const struct raw *raw,
				 const struct shape *shape, struct einsum *e,
				 unsigned *ellipsis)
{
	struct einsum_term *term = &e->in[e->n_in];
	char text[64];
	unsigned n = 0;
	enum err_code rc;

	if (raw->n > shape->rank ||
	    (raw->ellipsis < 0 && raw->n != shape->rank))
		return infer_fail(r->err,
				  "input %u of shape %s: expected %u axes by "
				  "the equation '%.100s'",
				  e->n_in,
				  shape_text(shape, text, sizeof(text)), raw->n,
				  r->equation);
	if (raw->ellipsis >= 0)
		n = shape->rank - raw->n;
	if (n > *ellipsis)
		*ellipsis = n;
	rc = expand(r, raw, n, term);
	for (unsigned i = 0; i < term->rank && !rc; i++) {
		int64_t *extent = &e->extent[term->label[i]];

		if (*extent < 0 || *extent == 1)
			*extent = shape->dim[i];
		else if (shape->dim[i] != 1 && shape->dim[i] != *extent)
			rc = infer_fail(r->err,
					"input %u of shape %s: expected "
					"extent %lld on axis %u by the "
					"equation '%.100s'",
					e->n_in,
					shape_text(shape, text, sizeof(text)),
					(long long)*extent, i, r->equation);
	}
	e->n_in++;
	return rc;
}

/* Letters that stand once, in order. */
static enum err_code implied_term(const struct reader *r, const uint8_t *count,
				  struct raw *raw)
{
	*raw = (struct raw){ .ellipsis = 0 };
	for (unsigned i = EINSUM_FIRST_LETTER; i < EINSUM_LABELS; i++) {
		if (count[i] != 1)
			continue;
		if (raw->n == SHAPE_MAX_RANK)
			return refuse(r, "more than 8 letters of a result");
		raw->label[raw->n++] = (uint8_t)i;
	}
	return ERR_NONE;
}

static enum err_code read_result(struct reader *r, const uint8_t *count,
				 struct raw *raw)
{
	uint64_t seen = 0;
	enum err_code rc;

	if (!*r->at)
		return implied_term(r, count, raw);
	if (strncmp(r->at, "->", 2) != 0)
		return refuse(r, "expected '->'");
	r->at += 2;
	rc = read_term(r, raw);
	if (!rc && *r->at)
		rc = refuse(r, "expected the end");
	for (unsigned i = 0; i < raw->n && !rc; i++) {
		if (!count[raw->label[i]])
			rc = refuse(r, "a letter without operand");
		else if (seen >> raw->label[i] & 1)
			rc = refuse(r, "a letter given twice in the result");
		seen |= (uint64_t)1 << raw->label[i];
	}
	return rc;
}

enum err_code einsum_parse(const char *equation, unsigned n_in,
			   const struct fact *in, struct einsum *ret,
			   struct err *err)
{
	struct reader r = { equation, equation, err };
	uint8_t count[EINSUM_LABELS] = { 0 };
	unsigned ellipsis = 0;
	enum err_code rc = ERR_NONE;
	struct raw raw;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < EINSUM_LABELS; i++)
		ret->extent[i] = -1;
	if (n_in > EINSUM_MAX_OPERANDS)
		return err_set(err, ERR_UNSUPPORTED,
			       "expected at most %d operands, got %u",
			       EINSUM_MAX_OPERANDS, n_in);
	for (unsigned i = 0; i < n_in && !rc; i++) {
		if (i && *r.at != ',')
			return refuse(&r, "expected as many terms as operands");
		r.at += i != 0;
		rc = read_term(&r, &raw);
		for (unsigned j = 0; j < raw.n && !rc; j++)
			count[raw.label[j]]++;
		if (!rc)
			rc =
			    add_operand(&r, &raw, &in[i].shape, ret, &ellipsis);
	}
	if (!rc && *r.at == ',')
		rc = refuse(&r, "expected no more terms than operands");
	if (!rc)
		rc = read_result(&r, count, &raw);
	return rc ? rc
		  : expand(&r, &raw, raw.ellipsis < 0 ? 0 : ellipsis,
			   &ret->out);
}

void einsum_strides(const struct einsum *e, unsigned operand,
		    const struct shape *shape, int64_t stride[EINSUM_LABELS])
{
	int64_t dense[SHAPE_MAX_RANK];

	memset(stride, 0, EINSUM_LABELS * sizeof(*stride));
	move_strides(shape, dense);
	for (unsigned i = 0; i < shape->rank; i++)
		if (shape->dim[i] != 1)
			stride[e->in[operand].label[i]] += dense[i];
}
