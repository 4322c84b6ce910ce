/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trees of ai.onnx.ml: a row falls through every tree to a leaf, whose weights
 * are summed (or averaged, or the least or largest taken) by target, base
 * values are added and a transform follows.
 *
 * TreeEnsembleClassifier adds the label of the largest score. Where all votes
 * of two classes are of one class, its score decides alone: against 0.5 where
 * no weight is negative, else against 0; the other class gets the rest (1 - s,
 * or -s). Votes of the second class leave the first one's score at 0, as ONNX
 * Runtime has it.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/ops/tree_ensemble.h"

/* ---- what the three have in common --------------------------------------- */

enum kind { KIND_CLASSIFIER, KIND_REGRESSOR, KIND_ENSEMBLE };

static enum kind kind_of(const struct op *op)
{
	if (op->attrs == tree_classifier_attrs)
		return KIND_CLASSIFIER;
	return op->attrs == tree_regressor_attrs ? KIND_REGRESSOR
						 : KIND_ENSEMBLE;
}

/* A forest with how its scores are used. */
struct ensemble {
	struct forest *forest;
	enum kind kind;
	enum forest_sum sum;
	enum post post;
	int64_t n_targets;
	int64_t only_class; /* of two: all votes are of this one; -1: no */
	bool mixed;	    /* some weight is negative */
	bool has_base;
	const struct votes_attrs *votes; /* NULL for KIND_ENSEMBLE */
};

static void ensemble_destroy(void *pointer)
{
	struct ensemble *ensemble = pointer;

	if (!ensemble)
		return;
	forest_destroy(ensemble->forest);
	mem_free(ensemble);
}

static void look_at_votes(struct ensemble *e, const struct votes_attrs *a)
{
	const size_t n = a->vote_ids.n;

	e->only_class = n && e->n_targets == 2 ? a->vote_ids.v[0] : -1;
	for (size_t i = 0; i < n; i++) {
		if (a->vote_ids.v[i] != a->vote_ids.v[0])
			e->only_class = -1;
		e->mixed = e->mixed || tree_number(&a->weights, i) < 0;
	}
}

static enum err_code check_base(const struct ensemble *e,
				const struct tree_numbers *base,
				struct err *err)
{
	const size_t n = tree_numbers_n(base);
	const enum dtype elem = base->tensor ? base->tensor->dtype : DTYPE_F32;

	if (elem != DTYPE_F32 && elem != DTYPE_F64)
		return err_set(err, ERR_INVALID,
			       "attribute 'base_values_as_tensor': expected "
			       "float or double, got %s",
			       dtype_info(elem)->name);
	if (n == 0 || n == 1 || (int64_t)n == e->n_targets)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "attribute 'base_values': expected %lld, one a score, "
		       "got %zu",
		       (long long)e->n_targets, n);
}

static enum err_code fill_votes(struct ensemble *e, const struct votes_attrs *a,
				int64_t n_features, struct err *err)
{
	enum err_code rc = scores_find_post(a->post_transform, &e->post, err);

	e->votes = a;
	e->n_targets = a->n_targets;
	e->sum = FOREST_SUM;
	e->has_base = tree_numbers_n(&a->base);
	if (!rc && e->kind == KIND_CLASSIFIER)
		rc = scores_count(&a->labels, &e->n_targets, err);
	else if (!rc)
		rc = forest_find_sum(a->aggregate_function, &e->sum, err);
	if (!rc)
		rc = check_base(e, &a->base, err);
	if (!rc)
		rc = tree_votes_forest(a, n_features, e->n_targets, &e->forest,
				       err);
	if (!rc && e->kind == KIND_CLASSIFIER)
		look_at_votes(e, a);
	return rc;
}

static enum err_code ensemble_create(const struct op *op, const void *attrs,
				     int64_t n_features, struct ensemble **ret,
				     struct err *err)
{
	struct ensemble *e = mem_zero(sizeof(*e));
	enum err_code rc;

	if (!e)
		return err_set(err, ERR_NO_MEMORY, "no memory for the trees");
	e->kind = kind_of(op);
	e->only_class = -1;
	if (e->kind == KIND_ENSEMBLE) {
		const struct leaves_attrs *a = attrs;

		e->n_targets = a->n_targets;
		e->sum = (enum forest_sum)a->aggregate_function;
		e->post = (enum post)a->post_transform;
		rc = tree_leaves_forest(a, n_features, &e->forest, err);
	} else {
		rc = fill_votes(e, attrs, n_features, err);
	}
	if (rc) {
		ensemble_destroy(e);
		return rc;
	}
	*ret = e;
	return ERR_NONE;
}

static enum err_code infer_rows(struct infer *infer, const struct op *op,
				int64_t *ret_n, struct ensemble **ret,
				struct err *err)
{
	struct ml_rows rows = { 0 };
	enum err_code rc = ml_rows_infer(infer, &rows, err);

	*ret_n = rows.n;
	return rc ? rc
		  : ensemble_create(op, infer->attrs, rows.width, ret, err);
}

extern const struct op op_tree_ensemble, op_tree_ensemble_classifier,
    op_tree_ensemble_regressor;

static enum err_code infer_classifier(struct infer *infer, struct err *err)
{
	struct ensemble *e;
	int64_t n;
	enum err_code rc =
	    infer_rows(infer, &op_tree_ensemble_classifier, &n, &e, err);

	if (rc)
		return rc;
	scores_infer(infer, n, e->n_targets);
	ensemble_destroy(e);
	return ERR_NONE;
}

static enum err_code infer_scores(struct infer *infer, const struct op *op,
				  struct err *err)
{
	struct ensemble *e;
	int64_t n;
	enum err_code rc = infer_rows(infer, op, &n, &e, err);

	if (rc)
		return rc;
	infer->out[0].shape =
	    (struct shape){ .rank = 2, .dim = { n, e->n_targets } };
	infer->out[0].has_shape = true;
	ensemble_destroy(e);
	return shape_check(&infer->out[0].shape, "output 'Y'", err);
}

static enum err_code infer_regressor(struct infer *infer, struct err *err)
{
	return infer_scores(infer, &op_tree_ensemble_regressor, err);
}

static enum err_code infer_ensemble(struct infer *infer, struct err *err)
{
	return infer_scores(infer, &op_tree_ensemble, err);
}

/* ---- the run ------------------------------------------------------------- */

static double base_of(const struct ensemble *e, int64_t target)
{
	const struct tree_numbers *base = &e->votes->base;

	return tree_number(base, tree_numbers_n(base) > 1 ? (size_t)target : 0);
}

static void add_base(const struct ensemble *e, double *score)
{
	for (int64_t i = 0; i < e->n_targets && e->has_base; i++)
		score[i] += base_of(e, i);
}

/* One score decides between two classes. */
static int64_t finish_one(const struct ensemble *e, double *score)
{
	const double s = score[e->only_class];
	const int64_t label = s > (e->mixed ? 0 : 0.5);

	if (e->only_class == 0) {
		scores_of_one(e->post, s, e->mixed, score);
		return label;
	}
	score[0] = 0;
	scores_apply(e->post, score, 2);
	return label;
}

/* The label's place; scores become what output 1 holds. */
static int64_t finish_class(const struct ensemble *e, double *score,
			    const bool *has)
{
	int64_t best = -1;

	add_base(e, score);
	if (e->only_class >= 0)
		return finish_one(e, score);
	for (int64_t i = 0; i < e->n_targets; i++)
		if ((has[i] || e->has_base) &&
		    (best < 0 || score[i] > score[best]))
			best = i;
	scores_apply(e->post, score, e->n_targets);
	return best < 0 ? 0 : best;
}

static void finish_row(const struct kernel_call *call, const struct ensemble *e,
		       int64_t row, double *score, const bool *has)
{
	if (e->kind == KIND_CLASSIFIER) {
		const int64_t label = finish_class(e, score, has);

		scores_put_label(call, &e->votes->labels, row, label);
		scores_put_row(call, 1, row, score, e->n_targets);
		return;
	}
	add_base(e, score);
	scores_apply(e->post, score, e->n_targets);
	scores_put_row(call, 0, row, score, e->n_targets);
}

static size_t tile_bytes(const struct kernel_query *query, int64_t n_targets)
{
	const size_t width = (size_t)ml_rows_of(query, NULL).width;
	const size_t targets = (size_t)n_targets;

	return FOREST_TILE *
	       (width * sizeof(double) + targets * (sizeof(double) + 1));
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct ensemble *e = call->state ? call->state : call->bound;
	const struct ml_rows rows = ml_rows_of(call->query, call->in[0]);
	double *x = scratch;
	double *score = x + FOREST_TILE * rows.width;
	bool *has = (void *)(score + FOREST_TILE * e->n_targets);
	int64_t first, last;

	kernel_slice(rows.n, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i += FOREST_TILE) {
		const int64_t n =
		    last - i < FOREST_TILE ? last - i : FOREST_TILE;
		const struct forest_tile tile = {
			.x = x,
			.n = n,
			.width = rows.width,
			.score = score,
			.has_score = has,
			.n_targets = e->n_targets,
			.sum = e->sum,
			.is_single = rows.elem != DTYPE_F64,
		};

		for (int64_t j = 0; j < n; j++)
			ml_row_read(&rows, i + j, x + j * rows.width);
		forest_walk(e->forest, &tile);
		for (int64_t j = 0; j < n; j++)
			finish_row(call, e, i + j, score + j * e->n_targets,
				   has + j * e->n_targets);
	}
}

static int64_t targets_of(const struct kernel_query *query)
{
	const struct votes_attrs *a = query->attrs;

	if (kind_of(query->op) == KIND_CLASSIFIER)
		return (int64_t)(a->labels.ints.n + a->labels.strings.n);
	return query->out[0].shape.dim[1];
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct ensemble *e;
	enum err_code rc = ensemble_create(
	    query->op, query->attrs, ml_rows_of(query, NULL).width, &e, err);

	if (rc)
		return rc;
	ret->state = e;
	ret->n_slices = ml_slices(query);
	ret->scratch_bytes = tile_bytes(query, e->n_targets);
	return ERR_NONE;
}

static enum err_code prepare_quick(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	(void)err;
	ret->scratch_bytes = tile_bytes(query, targets_of(query));
	return ERR_NONE;
}

static enum err_code bind(struct kernel_call *call, struct err *err)
{
	struct ensemble *e;
	enum err_code rc =
	    ensemble_create(call->query->op, call->query->attrs,
			    ml_rows_of(call->query, NULL).width, &e, err);

	if (!rc)
		call->bound = e;
	return rc;
}

/* about 3 ns a level, ten levels a tree */
static double cost(const struct kernel_query *query)
{
	const struct votes_attrs *votes = query->attrs;
	const struct leaves_attrs *leaves = query->attrs;
	const double n = (double)ml_rows_of(query, NULL).n;
	const double nodes = kind_of(query->op) == KIND_ENSEMBLE
				 ? (double)leaves->featureids.n
				 : (double)votes->treeids.n;

	return ml_cost(query) + n * (0.05 + 1e-3 * nodes);
}

static const struct kernel shared = {
	.name = "trees",
	.flags = KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
	.finish = ensemble_destroy,
};
static const struct kernel reference = {
	.name = "trees.reference",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.prepare = prepare_quick,
	.bind = bind,
	.run = run,
	.unbind = ensemble_destroy,
};
static const struct kernel *const tree_kernels[] = { &shared, &reference,
						     NULL };

/* Two trees: x[0] <= 0.1 ? (x[1] > 0 ? leaf 3 : leaf 4) : leaf 2, and a leaf
 * alone. */
#define NODES(mode)                                                      \
	"nodes_treeids=[0,0,0,0,0,1], nodes_nodeids=[0,1,2,3,4,0], "     \
	"nodes_featureids=[0,1,0,0,0,0], nodes_values=[0.1,0,0,0,0,0], " \
	"nodes_modes=[\"BRANCH_LEQ\",\"" mode                            \
	"\",\"LEAF\",\"LEAF\",\"LEAF\",\"LEAF\"], "                      \
	"nodes_truenodeids=[1,3,0,0,0,0], nodes_falsenodeids=[2,4,0,0,0,0]"
#define VOTES(what, ids, weights)                                    \
	what "_treeids=[0,0,0,1], " what "_nodeids=[2,3,4,0], " what \
	     "_ids=[" ids "], " what "_weights=[" weights "]"
#define CLASSES(ids, weights, more)                        \
	"y, z = ai.onnx.ml.TreeEnsembleClassifier<" NODES( \
	    "BRANCH_GT") ", " VOTES("class", ids, weights) ", " more ">"
#define TARGETS(mode, more)                                             \
	"y = ai.onnx.ml.TreeEnsembleRegressor<" NODES(mode) ", " VOTES( \
	    "target", "0,1,0,1", "1,-2,3,0.5") ", n_targets=2" more ">"
static const struct op_case classifier_cases[] = {
	{ .name = "three classes",
	  .graph = CLASSES("0,1,2,1", "0.5,0.25,0.75,0.3",
			   "classlabels_int64s=[7,8,9]") "(x:float[37,2])" },
	{ .name = "softmax of strings",
	  .graph = CLASSES("0,1,2,1", "0.5,0.25,0.75,0.3",
			   "classlabels_strings=[\"a\",\"b\",\"c\"], "
			   "post_transform=\"SOFTMAX\", "
			   "base_values=[0.1,0.2,0.3]") "(x:double[5,2])" },
	{ .name = "zeros stay",
	  .graph =
	      CLASSES("0,1,2,1", "0.5,0.25,0.75,0.3",
		      "classlabels_int64s=[7,8,9], "
		      "post_transform=\"SOFTMAX_ZERO\"") "(x:int64[5,2])" },
	{ .name = "one of two, shares",
	  .graph = CLASSES("0,0,0,0", "0.5,0.25,0.75,0.1",
			   "classlabels_int64s=[7,8]") "(x:float[9,3])" },
	{ .name = "one of two, mixed",
	  .graph = CLASSES(
	      "0,0,0,0", "0.5,-0.25,-0.75,0.1",
	      "classlabels_int64s=[7,8], base_values=[0.2]") "(x:float[9,2])" },
	{ .name = "one of two, logistic",
	  .graph = CLASSES("0,0,0,0", "0.5,-0.25,-0.75,0.1",
			   "classlabels_int64s=[7,8], "
			   "post_transform=\"LOGISTIC\"") "(x:int32[9,2])" },
	{ .name = "the second of two",
	  .graph = CLASSES("1,1,1,1", "0.5,0.25,0.7,0.1",
			   "classlabels_int64s=[7,8], "
			   "post_transform=\"LOGISTIC\"") "(x:float[9,2])" },
	{ .name = "probit",
	  .graph = CLASSES("0,0,0,0", "0.5,0.25,0.7,0.1",
			   "classlabels_int64s=[7,8], "
			   "post_transform=\"PROBIT\"") "(x:float[9,2])" },
	{ .name = "vector",
	  .graph = CLASSES("0,1,0,1", "0.5,0.25,0.7,0.1",
			   "classlabels_int64s=[7,8]") "(x:float[2])" },
	{ .name = "nothing",
	  .graph = CLASSES("0,1,0,1", "0.5,0.25,0.7,0.1",
			   "classlabels_int64s=[7,8]") "(x:float[0,2])" },
	{ .name = "too few columns",
	  .graph = CLASSES("0,1,0,1", "0.5,0.25,0.7,0.1",
			   "classlabels_int64s=[7,8]") "(x:float[3,1])",
	  .want = ERR_SHAPE },
	{ .name = "no such class",
	  .graph = CLASSES("0,2,0,1", "0.5,0.25,0.7,0.1",
			   "classlabels_int64s=[7,8]") "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ .name = "no labels",
	  .graph = CLASSES("0,1,0,1", "0.5,0.25,0.7,0.1",
			   "post_transform=\"NONE\"") "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case regressor_cases[] = {
	{ .name = "sum",
	  .graph =
	      TARGETS("BRANCH_GT", ", base_values=[1,2]") "(x:float[37,2])" },
	{ .name = "average",
	  .graph =
	      TARGETS("BRANCH_LT",
		      ", aggregate_function=\"AVERAGE\"") "(x:double[5,2])" },
	{ .name = "least",
	  .graph = TARGETS("BRANCH_GTE",
			   ", aggregate_function=\"MIN\"") "(x:int64[5,2])" },
	{ .name = "largest",
	  .graph = TARGETS("BRANCH_EQ",
			   ", aggregate_function=\"MAX\"") "(x:int32[5,2])" },
	{ .name = "logistic",
	  .graph = TARGETS("BRANCH_NEQ",
			   ", post_transform=\"LOGISTIC\"") "(x:float[5,2])" },
	{ .name = "NaN is true",
	  .graph = TARGETS("BRANCH_LEQ", ", "
					 "nodes_missing_value_tracks_true=[1,1,"
					 "0,0,0,0]") "(Div(x:float[4,2]={0,0,1,"
						     "0,0,1,2,2}, "
						     "z:float[4,2]={0,0,1,1,1,"
						     "0,1,1}))" },
	{ .name = "in double",
	  .graph =
	      "y = ai.onnx.ml.TreeEnsembleRegressor<nodes_treeids=[0], "
	      "nodes_nodeids=[0], nodes_featureids=[0], "
	      "nodes_modes=[\"LEAF\"], nodes_values_as_tensor=double[1]={0}, "
	      "nodes_truenodeids=[0], nodes_falsenodeids=[0], "
	      "target_treeids=[0], target_nodeids=[0], target_ids=[0], "
	      "target_weights_as_tensor=double[1]={0.1}>(x:double[3,1])" },
	{ .name = "an unknown mode",
	  .graph = TARGETS("BRANCH_NOT", "") "(x:float[5,2])",
	  .want = ERR_INVALID },
	{ .name = "an unknown sum",
	  .graph = TARGETS("BRANCH_LT",
			   ", aggregate_function=\"MEAN\"") "(x:float[5,2])",
	  .want = ERR_INVALID },
	{ .name = "a cycle",
	  .graph =
	      "y = ai.onnx.ml.TreeEnsembleRegressor<nodes_treeids=[0,0,0], "
	      "nodes_nodeids=[0,1,2], nodes_featureids=[0,0,0], "
	      "nodes_modes=[\"BRANCH_LEQ\",\"BRANCH_LEQ\",\"LEAF\"], "
	      "nodes_values=[0,0,0], nodes_truenodeids=[1,0,0], "
	      "nodes_falsenodeids=[2,2,0]>(x:float[3,1])",
	  .want = ERR_INVALID },
	{ .name = "a branch to nowhere",
	  .graph = "y = ai.onnx.ml.TreeEnsembleRegressor<nodes_treeids=[0,0], "
		   "nodes_nodeids=[0,1], nodes_featureids=[0,0], "
		   "nodes_modes=[\"BRANCH_LEQ\",\"LEAF\"], nodes_values=[0,0], "
		   "nodes_truenodeids=[1,0], "
		   "nodes_falsenodeids=[5,0]>(x:float[3,1])",
	  .want = ERR_INVALID },
	{ .name = "rank",
	  .graph = TARGETS("BRANCH_LT", "") "(x:float[5,2,1])",
	  .want = ERR_SHAPE },
	{ 0 },
};
#define ENSEMBLE(modes, feature, follow, more)                             \
	"y = ai.onnx.ml.TreeEnsemble<tree_roots=[0,2], "                   \
	"nodes_featureids=[0," feature ",0], nodes_modes=uint8[3]={" modes \
	"}, "                                                              \
	"nodes_truenodeids=[" follow ",0,2], nodes_falsenodeids=[2,1,2], " \
	"nodes_trueleafs=[0,1,1], nodes_falseleafs=[1,1,1], "              \
	"leaf_targetids=[0,1,0]" more ">"
#define IN_FLOAT                              \
	", nodes_splits=float[3]={0.1,0,0}, " \
	"leaf_weights=float[3]={1,-2,0.5}, n_targets=2"
static const struct op_case ensemble_cases[] = {
	{ .name = "sum",
	  .graph = ENSEMBLE("0,3,0", "1", "1", IN_FLOAT) "(x:float[37,2])" },
	{ .name = "members",
	  .graph = ENSEMBLE(
	      "6,6,0", "1", "1",
	      IN_FLOAT
	      ", membership_values=float[5]={0,1,nan,2,nan}") "(Cast<to=1>(x:"
							      "int64[9,2]))" },
	{ .name = "average, softmax",
	  .graph = ENSEMBLE(
	      "1,2,0", "1", "1",
	      IN_FLOAT
	      ", aggregate_function=0, post_transform=1") "(x:float[9,2])" },
	{ .name = "in double",
	  .graph = ENSEMBLE("4,5,0", "1", "1",
			    ", nodes_splits=double[3]={0.1,0,0}, "
			    "leaf_weights=double[3]={1,-2,0.5}, n_targets=2, "
			    "aggregate_function=2") "(x:double[9,2])" },
	{ .name = "in halves",
	  .graph = ENSEMBLE("0,3,0", "1", "1",
			    ", nodes_splits=float16[3]={0.1,0,0}, "
			    "leaf_weights=float16[3]={1,-2,0.5}, n_targets=2, "
			    "aggregate_function=3") "(x:float16[9,2])",
	  .tolerance = 2e-3 },
	{ .name = "too few columns",
	  .graph = ENSEMBLE("0,3,0", "9", "1", IN_FLOAT) "(x:float[3,2])",
	  .want = ERR_SHAPE },
	{ .name = "a cycle",
	  .graph = ENSEMBLE("0,3,0", "1", "0", IN_FLOAT) "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ .name = "no members",
	  .graph = ENSEMBLE("6,3,0", "1", "1", IN_FLOAT) "(x:float[3,2])",
	  .want = ERR_INVALID },
	{ 0 },
};

const struct op op_tree_ensemble = {
	.domain = "ai.onnx.ml",
	.name = "TreeEnsemble",
	.help = "sums over decision trees",
	.since = 5,
	.in = (const struct port[]){ { "X", "T:float,double,float16", 0 },
				     { 0 } },
	.out = (const struct port[]){ { "Y", "T", 0 }, { 0 } },
	.attrs = tree_ensemble_attrs,
	.attrs_size = sizeof(struct leaves_attrs),
	.infer = infer_ensemble,
	.kernels = tree_kernels,
	.cases = ensemble_cases,
};

const struct op op_tree_ensemble_classifier = {
	.domain = "ai.onnx.ml",
	.name = "TreeEnsembleClassifier",
	.help = "label and scores of a forest's votes",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = ml_number_in,
	.out =
	    (const struct port[]){
		{ "Y", "@classlabels_strings@classlabels_int64s:int64", 0 },
		{ "Z", "float", PORT_OPTIONAL },
		{ 0 } },
	.attrs = tree_classifier_attrs,
	.attrs_size = sizeof(struct votes_attrs),
	.infer = infer_classifier,
	.kernels = tree_kernels,
	.cases = classifier_cases,
};

const struct op op_tree_ensemble_regressor = {
	.domain = "ai.onnx.ml",
	.name = "TreeEnsembleRegressor",
	.help = "sums of a forest's votes, by target",
	.since = 1,
	.in = ml_number_in,
	.out = ml_float_out,
	.attrs = tree_regressor_attrs,
	.attrs_size = sizeof(struct votes_attrs),
	.infer = infer_regressor,
	.kernels = tree_kernels,
	.cases = regressor_cases,
};
