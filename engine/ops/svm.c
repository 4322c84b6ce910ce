/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Support vector machines of ai.onnx.ml, as libsvm makes them.
 *
 * K(x, v) is the dot product (LINEAR), (gamma x.v + coef0)^degree (POLY),
 * exp(-gamma |x - v|^2) (RBF) or tanh(gamma x.v + coef0) (SIGMOID).
 *
 * SVMRegressor: s = sum of coefficient K(x, v) + rho; one_class gives 1 above
 * 0, else -1. SVMClassifier: each pair i < j of classes has such a score over
 * the vectors of both; above 0 it is a vote for i, else for j, and the label
 * is the first with most votes. With prob_a and prob_b output 1 holds
 * probabilities, coupled from those of pairs (Wu, Lin and Weng 2004, their
 * second method), else the pairs' scores; one pair gives two. Without vectors
 * a model is linear: a row of coefficients a class, the label the largest.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/ml.h"
#include "engine/ops/scores.h"

struct svm_attrs {
	struct attr_floats coefficients, support_vectors, rho, kernel_params,
	    prob_a, prob_b;
	struct attr_ints vectors_per_class;
	struct scores_labels labels;
	const char *kernel_type, *post_transform;
	int64_t n_supports, one_class;
};
#define AT(member) .offset = offsetof(struct svm_attrs, member)
#define SVM_ROWS                                                          \
	{ .name = "coefficients",                                         \
	  .kind = ATTR_FLOATS,                                            \
	  AT(coefficients),                                               \
	  .help = "of the support vectors, or of columns" },              \
	    { .name = "support_vectors",                                  \
	      .kind = ATTR_FLOATS,                                        \
	      AT(support_vectors),                                        \
	      .help = "one after the other" },                            \
	    { .name = "rho",                                              \
	      .kind = ATTR_FLOATS,                                        \
	      AT(rho),                                                    \
	      .help = "added to each score" },                            \
	    { .name = "kernel_params",                                    \
	      .kind = ATTR_FLOATS,                                        \
	      AT(kernel_params),                                          \
	      .help = "gamma, coef0 and degree" },                        \
	    { .name = "kernel_type",                                      \
	      .kind = ATTR_STRING,                                        \
	      AT(kernel_type),                                            \
	      .def_text = "LINEAR",                                       \
	      .help = "LINEAR, POLY, RBF or SIGMOID" },                   \
	{                                                                 \
		.name = "post_transform", .kind = ATTR_STRING,            \
		AT(post_transform), .def_text = "NONE",                   \
		.help = "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT" \
	}
static const struct op_attr classifier_rows[] = {
	SVM_ROWS,
	{ .name = "prob_a",
	  .kind = ATTR_FLOATS,
	  AT(prob_a),
	  .help = "slopes of the pairs' probabilities" },
	{ .name = "prob_b",
	  .kind = ATTR_FLOATS,
	  AT(prob_b),
	  .help = "offsets of the pairs' probabilities" },
	{ .name = "vectors_per_class",
	  .kind = ATTR_INTS,
	  .max = INT32_MAX,
	  AT(vectors_per_class),
	  .help = "support vectors of each class" },
	{ .name = "classlabels_ints",
	  .kind = ATTR_INTS,
	  AT(labels.ints),
	  .help = "labels of the classes" },
	{ .name = "classlabels_strings",
	  .kind = ATTR_STRINGS,
	  AT(labels.strings),
	  .help = "labels of the classes" },
	{ 0 },
};
static const struct op_attr regressor_rows[] = {
	SVM_ROWS,
	{ .name = "n_supports",
	  .kind = ATTR_INT,
	  .max = INT32_MAX,
	  AT(n_supports),
	  .help = "support vectors; 0: a linear model" },
	{ .name = "one_class",
	  .kind = ATTR_INT,
	  .max = 1,
	  AT(one_class),
	  .help = "1: only the sign counts" },
	{ 0 },
};

enum svm_kernel { SVM_LINEAR, SVM_POLY, SVM_RBF, SVM_SIGMOID, SVM_UNKNOWN };

static enum svm_kernel kernel_of(const struct svm_attrs *a)
{
	static const char *const names[] = { "LINEAR", "POLY", "RBF",
					     "SIGMOID" };
	unsigned i = 0;

	while (i < SVM_UNKNOWN && strcmp(a->kernel_type, names[i]) != 0)
		i++;
	return (enum svm_kernel)i;
}

/* ---- sizes --------------------------------------------------------------- */

struct sizes {
	int64_t classes, vectors, pairs, width;
	bool has_vectors, has_prob;
};

static struct sizes sizes_of(const struct svm_attrs *a, bool classifies)
{
	struct sizes s = { .vectors = a->n_supports };

	if (!classifies) {
		s.has_vectors = s.vectors > 0;
		s.classes = s.pairs = s.width = 1;
		return s;
	}
	s.vectors = 0;
	for (size_t i = 0; i < a->vectors_per_class.n; i++)
		s.vectors += a->vectors_per_class.v[i];
	s.classes = (int64_t)(a->labels.ints.n + a->labels.strings.n);
	s.has_vectors = s.vectors > 0;
	s.pairs = s.has_vectors ? s.classes * (s.classes - 1) / 2 : s.classes;
	s.has_prob = s.has_vectors && a->prob_a.n;
	s.width = s.has_prob || !s.has_vectors ? s.classes
		  : s.pairs == 1	       ? 2
					       : s.pairs;
	return s;
}

static enum err_code check_list(const char *name, size_t n, int64_t want,
				struct err *err)
{
	if ((int64_t)n == want)
		return ERR_NONE;
	return err_set(err, ERR_SHAPE,
		       "attribute '%s': expected %lld numbers for these "
		       "columns, vectors and classes, got %zu",
		       name, (long long)want, n);
}

static enum err_code check_names(const struct svm_attrs *a, struct err *err)
{
	enum post post;

	if (kernel_of(a) == SVM_UNKNOWN)
		return err_set(err, ERR_INVALID,
			       "attribute 'kernel_type': expected LINEAR, "
			       "POLY, RBF or SIGMOID, got '%s'",
			       a->kernel_type);
	if (a->kernel_params.n != 0 && a->kernel_params.n != 3)
		return err_set(err, ERR_INVALID,
			       "attribute 'kernel_params': expected gamma, "
			       "coef0 and degree, got %zu numbers",
			       a->kernel_params.n);
	return scores_find_post(a->post_transform, &post, err);
}

static enum err_code check_svm(const struct svm_attrs *a, const struct sizes *s,
			       bool classifies, int64_t width, struct err *err)
{
	const int64_t per_vector = classifies ? s->classes - 1 : 1;
	enum err_code rc = check_names(a, err);

	if (rc)
		return rc;
	if (!s->has_vectors) {
		if (!a->rho.n)
			return check_list("rho", 0, 1, err);
		return check_list("coefficients", a->coefficients.n,
				  s->classes * width, err);
	}
	if (s->vectors > INT32_MAX || s->classes > INT32_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "more than %d support vectors", INT32_MAX);
	rc = check_list("support_vectors", a->support_vectors.n,
			s->vectors * width, err);
	if (!rc)
		rc = check_list("coefficients", a->coefficients.n,
				s->vectors * per_vector, err);
	if (!rc && (classifies || !a->rho.n))
		rc = check_list("rho", a->rho.n, s->pairs, err);
	return rc;
}

static enum err_code infer_classifier(struct infer *infer, struct err *err)
{
	const struct svm_attrs *a = infer->attrs;
	const struct sizes s = sizes_of(a, true);
	struct ml_rows rows = { 0 };
	int64_t n_labels;
	enum err_code rc = ml_rows_infer(infer, &rows, err);

	if (!rc)
		rc = scores_count(&a->labels, &n_labels, err);
	if (!rc)
		rc = check_svm(a, &s, true, rows.width, err);
	if (!rc && s.has_vectors)
		rc = check_list("vectors_per_class", a->vectors_per_class.n,
				s.classes, err);
	if (!rc && s.has_prob)
		rc = check_list("prob_a", a->prob_a.n, s.pairs, err);
	if (!rc && s.has_prob)
		rc = check_list("prob_b", a->prob_b.n, s.pairs, err);
	if (!rc)
		scores_infer(infer, rows.n, s.width);
	return rc;
}

static enum err_code infer_regressor(struct infer *infer, struct err *err)
{
	const struct sizes s = sizes_of(infer->attrs, false);
	struct ml_rows rows = { 0 };
	enum err_code rc = ml_rows_infer(infer, &rows, err);

	if (!rc)
		rc = check_svm(infer->attrs, &s, false, rows.width, err);
	infer->out[0].shape = (struct shape){ .rank = 2, .dim = { rows.n, 1 } };
	infer->out[0].has_shape = true;
	return rc;
}

/* ---- sums ---------------------------------------------------------------- */

static double dot(const double *x, const float *v, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += x[i] * (double)v[i];
	return sum;
}

static double distance(const double *x, const float *v, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (x[i] - (double)v[i]) * (x[i] - (double)v[i]);
	return sum;
}

static double param(const struct svm_attrs *a, unsigned i)
{
	return a->kernel_params.n ? (double)a->kernel_params.v[i] : 0;
}

static double kernel_value(const struct svm_attrs *a, enum svm_kernel kernel,
			   const double *x, const float *v, int64_t n)
{
	switch (kernel) {
	case SVM_POLY:
		return pow(param(a, 0) * dot(x, v, n) + param(a, 1),
			   param(a, 2));
	case SVM_RBF:
		return exp(-param(a, 0) * distance(x, v, n));
	case SVM_SIGMOID:
		return tanh(param(a, 0) * dot(x, v, n) + param(a, 1));
	default:
		return dot(x, v, n);
	}
}

/* Scratch of one row. */
struct work {
	double *x;	/* columns */
	double *kernel; /* by vector */
	double *score;	/* by pair, or what output 1 holds */
	double *prob;	/* classes x classes: of pairs, then the matrix Q */
	double *row;	/* 2 x classes */
	int64_t *first; /* by class: its first vector */
};

static size_t work_bytes(const struct sizes *s, int64_t width)
{
	const int64_t scores = s->pairs > s->width ? s->pairs : s->width;
	const int64_t square = s->has_prob ? 2 * s->classes * s->classes : 0;

	return (size_t)(width + s->vectors + scores + square + 3 * s->classes) *
	       sizeof(double);
}

static struct work work_in(void *scratch, const struct sizes *s, int64_t width)
{
	const int64_t scores = s->pairs > s->width ? s->pairs : s->width;
	const int64_t square = s->has_prob ? 2 * s->classes * s->classes : 0;
	struct work work = { .x = scratch };

	work.kernel = work.x + width;
	work.score = work.kernel + s->vectors;
	work.prob = work.score + scores;
	work.row = work.prob + square;
	work.first = (int64_t *)(void *)(work.row + 2 * s->classes);
	return work;
}

static void sum_kernels(const struct svm_attrs *a, const struct sizes *s,
			int64_t width, const struct work *work)
{
	const enum svm_kernel kernel = kernel_of(a);
	/* there are none where rows have no elements */
	const float *vector = width ? a->support_vectors.v : NULL;

	for (int64_t i = 0; i < s->vectors; i++) {
		work->kernel[i] =
		    kernel_value(a, kernel, work->x, vector, width);
		if (width)
			vector += width;
	}
}

static double sum_class(const struct svm_attrs *a, const struct sizes *s,
			const struct work *work, int64_t class, int64_t other)
{
	const float *weight = a->coefficients.v + other * s->vectors;
	const int64_t first = work->first[class];
	double sum = 0;

	for (int64_t i = first; i < first + a->vectors_per_class.v[class]; i++)
		sum += (double)weight[i] * work->kernel[i];
	return sum;
}

/* Scores of all pairs; the first class with most votes. */
static int64_t sum_pairs(const struct svm_attrs *a, const struct sizes *s,
			 const struct work *work)
{
	double *votes = work->row;
	int64_t first = 0, pair = 0;

	for (int64_t i = 0; i < s->classes; i++) {
		votes[i] = 0;
		work->first[i] = first;
		first += a->vectors_per_class.v[i];
	}
	for (int64_t i = 0; i < s->classes; i++)
		for (int64_t j = i + 1; j < s->classes; j++, pair++) {
			const double score = (double)a->rho.v[pair] +
					     sum_class(a, s, work, i, j - 1) +
					     sum_class(a, s, work, j, i);

			work->score[pair] = score;
			votes[score > 0 ? i : j]++;
		}
	return scores_largest(votes, s->classes);
}

/* ---- probabilities ------------------------------------------------------- */

/* r[i][j]: how likely i is of the two. */
static void pair_probabilities(const struct svm_attrs *a, const struct sizes *s,
			       const struct work *work)
{
	const double least = 1e-7;
	double *r = work->prob;
	int64_t pair = 0;

	for (int64_t i = 0; i < s->classes; i++)
		for (int64_t j = i + 1; j < s->classes; j++, pair++) {
			double p =
			    1 - scores_logistic(work->score[pair] *
						    (double)a->prob_a.v[pair] +
						(double)a->prob_b.v[pair]);

			p = p < least ? least : p > 1 - least ? 1 - least : p;
			r[i * s->classes + j] = p;
			r[j * s->classes + i] = 1 - p;
		}
}

/* Q[t][t] = sum of r[j][t]^2, Q[t][j] = -r[j][t] r[t][j]. */
static void make_q(int64_t k, const double *r, double *q)
{
	for (int64_t t = 0; t < k; t++) {
		q[t * k + t] = 0;
		for (int64_t j = 0; j < k; j++) {
			if (j == t)
				continue;
			q[t * k + t] += r[j * k + t] * r[j * k + t];
			q[t * k + j] = -r[j * k + t] * r[t * k + j];
		}
	}
}

/* One sweep over the classes; p sums to 1 before and after. */
static void improve(int64_t k, const double *q, double *p, double *qp,
		    double pqp)
{
	for (int64_t t = 0; t < k; t++) {
		const double step = (pqp - qp[t]) / q[t * k + t];
		const double whole = 1 + step;

		p[t] += step;
		pqp = (pqp + step * (step * q[t * k + t] + 2 * qp[t])) /
		      (whole * whole);
		for (int64_t j = 0; j < k; j++) {
			qp[j] = (qp[j] + step * q[t * k + j]) / whole;
			p[j] /= whole;
		}
	}
}

/* p that minimizes p'Qp, into work->score. */
static void couple(const struct sizes *s, const struct work *work)
{
	const int64_t k = s->classes;
	double *q = work->prob + k * k;
	double *p = work->score, *qp = work->row;
	const int64_t most = k > 100 ? k : 100;

	make_q(k, work->prob, q);
	for (int64_t t = 0; t < k; t++)
		p[t] = 1 / (double)k;
	for (int64_t sweep = 0; sweep < most; sweep++) {
		double pqp = 0, worst = 0;

		for (int64_t t = 0; t < k; t++) {
			qp[t] = 0;
			for (int64_t j = 0; j < k; j++)
				qp[t] += q[t * k + j] * p[j];
			pqp += p[t] * qp[t];
		}
		for (int64_t t = 0; t < k; t++)
			worst = fmax(worst, fabs(qp[t] - pqp));
		if (worst < 0.005 / (double)k)
			break;
		improve(k, q, p, qp, pqp);
	}
}

/* ---- rows ---------------------------------------------------------------- */

static int64_t classify(const struct svm_attrs *a, const struct sizes *s,
			const struct work *work, int64_t width, enum post post)
{
	int64_t label;

	if (!s->has_vectors) {
		for (int64_t i = 0; i < s->classes; i++)
			work->score[i] =
			    (double)a->rho.v[0] +
			    (width ? dot(work->x, a->coefficients.v + i * width,
					 width)
				   : 0);
		label = scores_largest(work->score, s->classes);
		scores_apply(post, work->score, s->classes);
		return label;
	}
	sum_kernels(a, s, width, work);
	label = sum_pairs(a, s, work);
	if (s->has_prob) {
		pair_probabilities(a, s, work);
		couple(s, work);
	} else if (s->pairs == 1) {
		scores_of_one(post, work->score[0], post == POST_NONE,
			      work->score);
		return label;
	}
	scores_apply(post, work->score, s->width);
	return label;
}

static void classifier_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const struct svm_attrs *a = call->query->attrs;
	const struct ml_rows rows = ml_rows_of(call->query, call->in[0]);
	const struct sizes s = sizes_of(a, true);
	const struct work work = work_in(scratch, &s, rows.width);
	const enum post post = scores_post(a->post_transform);
	int64_t first, last;

	kernel_slice(rows.n, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		ml_row_read(&rows, i, work.x);
		scores_put_label(call, &a->labels, i,
				 classify(a, &s, &work, rows.width, post));
		scores_put_row(call, 1, i, work.score, s.width);
	}
}

static void regressor_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	const struct svm_attrs *a = call->query->attrs;
	const struct ml_rows rows = ml_rows_of(call->query, call->in[0]);
	const struct sizes s = sizes_of(a, false);
	const struct work work = work_in(scratch, &s, rows.width);
	const enum post post = scores_post(a->post_transform);
	int64_t first, last;

	kernel_slice(rows.n, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		double score = (double)a->rho.v[0];

		ml_row_read(&rows, i, work.x);
		sum_kernels(a, &s, rows.width, &work);
		for (int64_t j = 0; j < s.vectors; j++)
			score += (double)a->coefficients.v[j] * work.kernel[j];
		if (!s.has_vectors)
			score += dot(work.x, a->coefficients.v, rows.width);
		if (a->one_class)
			score = score > 0 ? 1 : -1;
		scores_apply(post, &score, 1);
		scores_put_row(call, 0, i, &score, 1);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct sizes s =
	    sizes_of(query->attrs, query->op->attrs == classifier_rows);

	(void)err;
	ret->n_slices = ml_slices(query);
	ret->scratch_bytes = work_bytes(&s, ml_rows_of(query, NULL).width);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const struct svm_attrs *a = query->attrs;
	const double n = (double)ml_rows_of(query, NULL).n;

	return ml_cost(query) + 1e-3 * n * (double)a->support_vectors.n;
}

static const struct kernel classifier = {
	.name = "svm_classifier",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = classifier_run,
};
static const struct kernel regressor = {
	.name = "svm_regressor",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = regressor_run,
};

#define CLASSES(attrs) "y, z = ai.onnx.ml.SVMClassifier<" attrs ">"
#define NUMBERS(attrs) "y = ai.onnx.ml.SVMRegressor<" attrs ">"
#define PARAMS(kernel) \
	"kernel_type=\"" kernel "\", kernel_params=[0.5,0.25,3], "
#define TWO                                                           \
	"support_vectors=[1,0,0,1,-1,0.5], vectors_per_class=[1,2], " \
	"coefficients=[1,-0.5,-0.5], rho=[0.25], "
#define THREE                                                           \
	"support_vectors=[1,0,0,1,-1,0.5], vectors_per_class=[1,1,1], " \
	"coefficients=[1,-0.5,-0.5,2,1,-1], rho=[0.25,-0.1,0.2], "
static const struct op_case classifier_cases[] = {
	{ .name = "three",
	  .graph = CLASSES(PARAMS("RBF") THREE
			   "classlabels_ints=[7,8,9]") "(x:float[37,2])" },
	{ .name = "probabilities",
	  .graph = CLASSES(
	      PARAMS("SIGMOID") THREE
	      "prob_a=[-1,-2,-1], prob_b=[0.1,0,0.2], "
	      "classlabels_strings=[\"a\",\"b\",\"c\"]") "(x:double[5,2])" },
	{ .name = "a pair",
	  .graph = CLASSES(PARAMS("POLY") TWO
			   "classlabels_ints=[7,8]") "(x:int64[9,2])" },
	{ .name = "a pair, logistic",
	  .graph = CLASSES(PARAMS("LINEAR") TWO
			   "classlabels_ints=[7,8], "
			   "post_transform=\"LOGISTIC\"") "(x:float[9,2])" },
	{ .name = "a pair's probabilities",
	  .graph = CLASSES(PARAMS("RBF") TWO
			   "prob_a=[-1], prob_b=[0.1], "
			   "classlabels_ints=[7,8]") "(x:int32[9,2])" },
	{ .name = "linear",
	  .graph = CLASSES(
	      "coefficients=[1,2,3,4], rho=[0.5], classlabels_ints=[7,8], "
	      "post_transform=\"SOFTMAX\"") "(x:float[9,2])" },
	{ .name = "nothing",
	  .graph = CLASSES(PARAMS("RBF") TWO
			   "classlabels_ints=[7,8]") "(x:float[0,2])" },
	{ .name = "columns",
	  .graph = CLASSES(PARAMS("RBF") TWO
			   "classlabels_ints=[7,8]") "(x:float[3,3])",
	  .want = ERR_SHAPE },
	{ .name = "classes",
	  .graph = CLASSES(PARAMS("RBF") TWO
			   "classlabels_ints=[7,8,9]") "(x:float[3,2])",
	  .want = ERR_SHAPE },
	{ .name = "an unknown kernel",
	  .graph = CLASSES(PARAMS("COSINE") TWO
			   "classlabels_ints=[7,8]") "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ 0 },
};
#define VECTORS                                            \
	"support_vectors=[1,0,0,1,-1,0.5], n_supports=3, " \
	"coefficients=[1,-0.5,-0.5], rho=[0.25]"
static const struct op_case regressor_cases[] = {
	{ .name = "rbf",
	  .graph = NUMBERS(PARAMS("RBF") VECTORS) "(x:float[37,2])" },
	{ .name = "poly",
	  .graph = NUMBERS(PARAMS("POLY") VECTORS) "(x:double[5,2])" },
	{ .name = "one class",
	  .graph = NUMBERS(PARAMS("SIGMOID") VECTORS
			   ", one_class=1") "(x:int64[5,2])" },
	{ .name = "linear",
	  .graph = NUMBERS("coefficients=[1,2], rho=[0.25]") "(x:int32[5,2])" },
	{ .name = "vector",
	  .graph = NUMBERS(PARAMS("LINEAR") VECTORS) "(x:float[2])" },
	{ .name = "nothing",
	  .graph = NUMBERS(PARAMS("RBF") VECTORS) "(x:float[0,2])" },
	{ .name = "no elements",
	  .graph = NUMBERS(PARAMS("RBF") "n_supports=2, coefficients=[1,-0.5], "
					 "rho=[0.25]") "(x:float[3,0])" },
	{ .name = "columns",
	  .graph = NUMBERS(PARAMS("RBF") VECTORS) "(x:float[5,3])",
	  .want = ERR_SHAPE },
	{ .name = "no rho",
	  .graph = NUMBERS("coefficients=[1,2]") "(x:float[5,2])",
	  .want = ERR_SHAPE },
	{ .name = "rank",
	  .graph = NUMBERS(PARAMS("RBF") VECTORS) "(x:float[])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_svm_classifier, op_svm_regressor;

const struct op op_svm_classifier = {
	.domain = "ai.onnx.ml",
	.name = "SVMClassifier",
	.help = "label and scores by support vectors",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = ml_number_in,
	.out = scores_label_out,
	.attrs = classifier_rows,
	.attrs_size = sizeof(struct svm_attrs),
	.infer = infer_classifier,
	.kernels = (const struct kernel *const[]){ &classifier, NULL },
	.cases = classifier_cases,
};

const struct op op_svm_regressor = {
	.domain = "ai.onnx.ml",
	.name = "SVMRegressor",
	.help = "a number by support vectors",
	.since = 1,
	.in = ml_number_in,
	.out = ml_float_out,
	.attrs = regressor_rows,
	.attrs_size = sizeof(struct svm_attrs),
	.infer = infer_regressor,
	.kernels = (const struct kernel *const[]){ &regressor, NULL },
	.cases = regressor_cases,
};
