/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Linear models of ai.onnx.ml: s = coefficients x + intercepts, a row of
 * coefficients a class or target, then a transform (scores.h).
 *
 * LinearClassifier adds the label of the largest score. One score for two
 * classes is the second's: above 0 it wins, and the first gets the rest.
 */
#include "engine/ops/ml.h"
#include "engine/ops/scores.h"

struct linear_attrs {
	struct attr_floats coefficients, intercepts;
	struct scores_labels labels;
	const char *post_transform;
	int64_t multi_class, targets;
};
#define AT(member) .offset = offsetof(struct linear_attrs, member)
#define LINEAR_ROWS                                                       \
	{ .name = "intercepts",                                           \
	  .kind = ATTR_FLOATS,                                            \
	  AT(intercepts),                                                 \
	  .help = "added to each score; none: 0" },                       \
	{                                                                 \
		.name = "post_transform", .kind = ATTR_STRING,            \
		AT(post_transform), .def_text = "NONE",                   \
		.help = "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT" \
	}
static const struct op_attr classifier_rows[] = {
	{ .name = "coefficients",
	  .kind = ATTR_FLOATS,
	  .flags = ATTR_REQUIRED,
	  AT(coefficients),
	  .help = "a row a class" },
	LINEAR_ROWS,
	{ .name = "classlabels_ints",
	  .kind = ATTR_INTS,
	  AT(labels.ints),
	  .help = "labels of the classes" },
	{ .name = "classlabels_strings",
	  .kind = ATTR_STRINGS,
	  AT(labels.strings),
	  .help = "labels of the classes" },
	{ .name = "multi_class",
	  .kind = ATTR_INT,
	  .max = 1,
	  AT(multi_class),
	  .help = "how it was trained; not looked at" },
	{ 0 },
};
static const struct op_attr regressor_rows[] = {
	{ .name = "coefficients",
	  .kind = ATTR_FLOATS,
	  AT(coefficients),
	  .help = "a row a target" },
	LINEAR_ROWS,
	{ .name = "targets",
	  .kind = ATTR_INT,
	  .min = 1,
	  .max = INT32_MAX,
	  .def = 1,
	  AT(targets),
	  .help = "numbers a row gives" },
	{ 0 },
};

static enum err_code check_linear(const struct linear_attrs *a, int64_t n,
				  int64_t width, struct err *err)
{
	enum post post;
	enum err_code rc = scores_find_post(a->post_transform, &post, err);

	if (rc)
		return rc;
	if ((int64_t)a->coefficients.n != n * width)
		return infer_fail(err,
				  "input 'X' of %lld columns: expected %lld "
				  "coefficients for %lld scores, got %zu",
				  (long long)width, (long long)(n * width),
				  (long long)n, a->coefficients.n);
	if (a->intercepts.n && (int64_t)a->intercepts.n != n)
		return err_set(err, ERR_INVALID,
			       "attribute 'intercepts': expected %lld, one a "
			       "score, got %zu",
			       (long long)n, a->intercepts.n);
	return ERR_NONE;
}

/* Scores that a classifier sums: one may stand for two classes. */
static int64_t n_scores(const struct linear_attrs *a, int64_t n_labels,
			int64_t width)
{
	const bool one = n_labels == 2 &&
			 (a->intercepts.n == 1 ||
			  (!a->intercepts.n &&
			   (int64_t)a->coefficients.n == width && width > 0));

	return one ? 1 : n_labels;
}

static int64_t n_labels_of(const struct linear_attrs *a)
{
	return (int64_t)(a->labels.ints.n + a->labels.strings.n);
}

static enum err_code infer_classifier(struct infer *infer, struct err *err)
{
	const struct linear_attrs *a = infer->attrs;
	struct ml_rows rows = { 0 };
	int64_t n_labels = 0;
	enum err_code rc = ml_rows_infer(infer, &rows, err);

	if (!rc)
		rc = scores_count(&a->labels, &n_labels, err);
	if (!rc)
		rc = check_linear(a, n_scores(a, n_labels, rows.width),
				  rows.width, err);
	if (!rc)
		scores_infer(infer, rows.n, n_labels);
	return rc;
}

static enum err_code infer_regressor(struct infer *infer, struct err *err)
{
	const struct linear_attrs *a = infer->attrs;
	struct ml_rows rows = { 0 };
	enum err_code rc = ml_rows_infer(infer, &rows, err);

	if (!rc)
		rc = check_linear(a, a->targets, rows.width, err);
	if (rc)
		return rc;
	infer->out[0].shape =
	    (struct shape){ .rank = 2, .dim = { rows.n, a->targets } };
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'Y'", err);
}

static bool is_classifier(const struct kernel_query *query)
{
	return query->op->attrs == classifier_rows;
}

static int64_t n_out(const struct kernel_query *query)
{
	const struct linear_attrs *a = query->attrs;

	return is_classifier(query) ? n_labels_of(a) : a->targets;
}

static void sum_scores(const struct linear_attrs *a, const double *x,
		       int64_t width, double *score, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		/* there are none where rows have no elements */
		const float *w = width ? a->coefficients.v + i * width : NULL;
		double sum = a->intercepts.n ? (double)a->intercepts.v[i] : 0;

		for (int64_t j = 0; j < width; j++)
			sum += (double)w[j] * x[j];
		score[i] = sum;
	}
}

/* The label's place; scores become what output 1 holds. */
static int64_t finish_class(enum post post, double *score, int64_t n,
			    int64_t n_labels)
{
	int64_t label;

	if (n == 1 && n_labels == 2) {
		label = score[0] > 0;
		scores_of_one(post, score[0], false, score);
		return label;
	}
	label = scores_largest(score, n);
	scores_apply(post, score, n);
	return label;
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct linear_attrs *a = query->attrs;
	const struct ml_rows rows = ml_rows_of(query, call->in[0]);
	const int64_t width = n_out(query);
	const bool labels = is_classifier(query);
	const int64_t n = labels ? n_scores(a, width, rows.width) : width;
	double *x = scratch, *score = x + rows.width;
	const enum post post = scores_post(a->post_transform);
	int64_t first, last;

	kernel_slice(rows.n, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		ml_row_read(&rows, i, x);
		sum_scores(a, x, rows.width, score, n);
		if (labels)
			scores_put_label(call, &a->labels, i,
					 finish_class(post, score, n, width));
		else
			scores_apply(post, score, n);
		scores_put_row(call, labels, i, score, width);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const int64_t width = ml_rows_of(query, NULL).width;

	(void)err;
	ret->n_slices = ml_slices(query);
	ret->scratch_bytes = (size_t)(width + n_out(query)) * sizeof(double);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	return ml_cost(query) + 1e-3 *
				    (double)shape_count(&query->in[0].shape) *
				    (double)n_out(query);
}

static const struct kernel linear = {
	.name = "linear",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const linear_kernels[] = { &linear, NULL };

#define CLASSES(attrs) "y, z = ai.onnx.ml.LinearClassifier<" attrs ">"
#define TARGETS(attrs) "y = ai.onnx.ml.LinearRegressor<" attrs ">"
#define THREE "coefficients=[1,2,3,4,-5,-6], intercepts=[0.5,0.25,0], "
static const struct op_case classifier_cases[] = {
	{ .name = "three",
	  .graph =
	      CLASSES(THREE "classlabels_ints=[7,8,9]") "(x:float[37,2])" },
	{ .name = "softmax of strings",
	  .graph =
	      CLASSES(THREE "classlabels_strings=[\"a\",\"b\",\"c\"], "
			    "post_transform=\"SOFTMAX\"") "(x:double[5,2])" },
	{ .name = "one score",
	  .graph = CLASSES(
	      "coefficients=[1,-2], intercepts=[0.5], classlabels_ints=[7,8], "
	      "post_transform=\"LOGISTIC\"") "(x:int64[5,2])" },
	{ .name = "one score, no transform",
	  .graph = CLASSES(
	      "coefficients=[1,-2], classlabels_ints=[7,8]") "(x:int32[5,2])" },
	{ .name = "vector",
	  .graph = CLASSES(THREE "classlabels_ints=[7,8,9]") "(x:float[2])" },
	{ .name = "nothing",
	  .graph = CLASSES(THREE "classlabels_ints=[7,8,9]") "(x:float[0,2])" },
	{ .name = "too few columns",
	  .graph = CLASSES(THREE "classlabels_ints=[7,8,9]") "(x:float[3,1])",
	  .want = ERR_SHAPE },
	{ .name = "an unknown transform",
	  .graph = CLASSES(THREE "classlabels_ints=[7,8,9], "
				 "post_transform=\"TANH\"") "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ .name = "no labels",
	  .graph = CLASSES("coefficients=[1,2]") "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case regressor_cases[] = {
	{ .name = "one",
	  .graph = TARGETS(
	      "coefficients=[1,2], intercepts=[0.5]") "(x:float[37,2])" },
	{ .name = "two",
	  .graph = TARGETS("coefficients=[1,2,3,4], targets=2, "
			   "post_transform=\"LOGISTIC\"") "(x:double[5,2])" },
	{ .name = "integers",
	  .graph = TARGETS("coefficients=[1,2]") "(x:int64[5,2])" },
	{ .name = "nothing",
	  .graph = TARGETS("coefficients=[1,2]") "(x:int32[0,2])" },
	{ .name = "too many columns",
	  .graph = TARGETS("coefficients=[1,2]") "(x:float[3,3])",
	  .want = ERR_SHAPE },
	{ .name = "too many intercepts",
	  .graph =
	      TARGETS("coefficients=[1,2], intercepts=[1,2]") "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_linear_classifier, op_linear_regressor;

const struct op op_linear_classifier = {
	.domain = "ai.onnx.ml",
	.name = "LinearClassifier",
	.help = "label and scores of linear functions",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = ml_number_in,
	.out = scores_label_out,
	.attrs = classifier_rows,
	.attrs_size = sizeof(struct linear_attrs),
	.infer = infer_classifier,
	.kernels = linear_kernels,
	.cases = classifier_cases,
};

const struct op op_linear_regressor = {
	.domain = "ai.onnx.ml",
	.name = "LinearRegressor",
	.help = "linear functions of a row",
	.since = 1,
	.in = ml_number_in,
	.out = ml_float_out,
	.attrs = regressor_rows,
	.attrs_size = sizeof(struct linear_attrs),
	.infer = infer_regressor,
	.kernels = linear_kernels,
	.cases = regressor_cases,
};
