/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/scores.h"

#include <math.h>
#include <string.h>

const struct port scores_label_out[] = {
	{ "Y", "@classlabels_strings@classlabels_ints:int64", 0 },
	{ "Z", "float", PORT_OPTIONAL },
	{ 0 },
};

/* Winitzki's approximation of the inverse error function has this constant */
#define ERF_INV_A 0.147
#define PI 3.14159265358979323846
/* a score nearer to 0 counts as none (SOFTMAX_ZERO) */
#define ZERO_SCORE 1e-7

enum post scores_post(const char *name)
{
	static const char *const names[POST_COUNT] = {
		"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"
	};
	unsigned i = 0;

	while (i < POST_COUNT && strcmp(name, names[i]) != 0)
		i++;
	return (enum post)i;
}

enum err_code scores_find_post(const char *name, enum post *ret,
			       struct err *err)
{
	*ret = scores_post(name);
	if (*ret != POST_COUNT)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "attribute 'post_transform': expected NONE, SOFTMAX, "
		       "LOGISTIC, SOFTMAX_ZERO or PROBIT, got '%s'",
		       name);
}

double scores_logistic(double score)
{
	const double v = 1 / (1 + exp(-fabs(score)));

	return score < 0 ? 1 - v : v;
}

static double probit(double score)
{
	const double x = 2 * score - 1;
	const double log_term = log((1 - x) * (1 + x));
	const double a = 2 / (PI * ERF_INV_A) + 0.5 * log_term;
	const double b = log_term / ERF_INV_A;
	const double inverse = sqrt(-a + sqrt(a * a - b));

	return sqrt(2.0) * (x < 0 ? -inverse : inverse);
}

static void softmax(double *score, int64_t n, bool keep_zeros)
{
	double largest = score[0], sum = 0;

	for (int64_t i = 1; i < n; i++)
		largest = score[i] > largest ? score[i] : largest;
	for (int64_t i = 0; i < n; i++) {
		if (keep_zeros && fabs(score[i]) <= ZERO_SCORE)
			score[i] *= exp(-largest);
		else
			score[i] = exp(score[i] - largest);
		sum += score[i];
	}
	for (int64_t i = 0; i < n; i++)
		score[i] = sum == 0 ? 0.5 : score[i] / sum;
}

void scores_apply(enum post post, double *score, int64_t n)
{
	if (n < 1 || (n == 1 && post != POST_PROBIT))
		return;
	if (post == POST_SOFTMAX || post == POST_SOFTMAX_ZERO) {
		softmax(score, n, post == POST_SOFTMAX_ZERO);
		return;
	}
	for (int64_t i = 0; i < n && post != POST_NONE; i++)
		score[i] = post == POST_LOGISTIC ? scores_logistic(score[i])
						 : probit(score[i]);
}

void scores_of_one(enum post post, double score, bool mixed, double ret[2])
{
	if (post == POST_LOGISTIC) {
		ret[0] = scores_logistic(-score);
		ret[1] = scores_logistic(score);
		return;
	}
	ret[0] = mixed ? -score : 1 - score;
	ret[1] = score;
	if (post == POST_PROBIT)
		scores_apply(post, ret, 2);
}

int64_t scores_largest(const double *score, int64_t n)
{
	int64_t best = 0;

	for (int64_t i = 1; i < n; i++)
		if (score[i] > score[best])
			best = i;
	return best;
}

void scores_infer(struct infer *infer, int64_t n_rows, int64_t width)
{
	infer->out[0].shape = (struct shape){ .rank = 1, .dim = { n_rows } };
	infer->out[0].has_shape = true;
	if (infer->n_out < 2)
		return;
	infer->out[1].shape =
	    (struct shape){ .rank = 2, .dim = { n_rows, width } };
	infer->out[1].has_shape = true;
}

enum err_code scores_count(const struct scores_labels *labels, int64_t *ret_n,
			   struct err *err)
{
	const size_t ints = labels->ints.n, strings = labels->strings.n;

	if ((ints != 0) == (strings != 0))
		return err_set(err, ERR_INVALID,
			       "attributes classlabels_*: expected integers or "
			       "strings, got %zu and %zu",
			       ints, strings);
	*ret_n = (int64_t)(ints + strings);
	return ERR_NONE;
}

void scores_put_label(const struct kernel_call *call,
		      const struct scores_labels *labels, int64_t row,
		      int64_t i)
{
	if (!call->out[0])
		return;
	if (labels->strings.n)
		((struct str *)call->out[0])[row] = labels->strings.v[i];
	else
		((int64_t *)call->out[0])[row] = labels->ints.v[i];
}

void scores_put_row(const struct kernel_call *call, unsigned j, int64_t row,
		    const double *score, int64_t n)
{
	const bool is_double = call->query->n_out > j &&
			       call->query->out[j].type.elem == DTYPE_F64;

	if (call->query->n_out <= j || !call->out[j])
		return;
	for (int64_t i = row * n; i < (row + 1) * n; i++)
		if (is_double)
			((double *)call->out[j])[i] = score[i - row * n];
		else
			((float *)call->out[j])[i] = (float)score[i - row * n];
}
