/* SPDX-License-Identifier: Apache-2.0 */
#include "training/loss.h"

#include <stddef.h>

#include "base/json_write.h"
#include "base/str.h"
#include "engine/ops/loss.h"

#define AT(member) offsetof(struct loss_params, member)

static const struct field cross_entropy_fields[] = {
	{ .name = "label_smoothing",
	  .help = "share of the target spread over all classes",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(label_smoothing),
	  .min = 0,
	  .max = 1 },
	{ .name = "weight",
	  .help = "one weight a class",
	  .kind = FIELD_DOUBLES,
	  .offset = AT(weight),
	  .min = 0,
	  .max = 1e9 },
	{ .name = "ignore_index",
	  .help = "targets of this number do not count",
	  .kind = FIELD_INT,
	  .offset = AT(ignore_index),
	  .min = -1e9,
	  .max = 1e9,
	  .def = -100 },
	{ 0 },
};

static const struct field plain_fields[] = { { 0 } };

static const struct field delta_fields[] = {
	{ .name = "delta",
	  .help = "where the parabola becomes a line",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(delta),
	  .min = 1e-9,
	  .max = 1e9,
	  .def = 1 },
	{ 0 },
};

#define ONE_FIELD(table, text, of, member, low, high, value) \
	static const struct field table[] = {                \
		{ .name = text,                              \
		  .help = of,                                \
		  .kind = FIELD_DOUBLE,                      \
		  .offset = AT(member),                      \
		  .min = low,                                \
		  .max = high,                               \
		  .def = value },                            \
		{ 0 },                                       \
	}
ONE_FIELD(beta_fields, "beta", "where the parabola becomes a line", delta, 1e-9,
	  1e9, 1);
ONE_FIELD(gamma_fields, "gamma", "how little easy rows count", gamma, 1, 100,
	  2);
ONE_FIELD(margin_fields, "margin", "by which the target should lead", margin,
	  1e-9, 1e9, 1);
ONE_FIELD(quantile_fields, "quantile", "share of targets that lie below",
	  quantile, 1e-6, 0.999999, 0.5);

/* clang-format off */
/* -(1 - p)^a log(p) of the target's probability p (Lin et al. 2017) */
static const char focal[] =
	"g = GatherElements<axis=1>(LogSoftmax<axis=1>(x), Unsqueeze(t, i:int64[1]={1})); "
	"loss = Neg(ReduceMean<keepdims=0>(Mul(Pow(Sub(1, Exp(g)), a), g)))";
/* max(0, a - x of the target + x), over all classes: the target's own term is
 * a, whatever x is (PyTorch's MultiMarginLoss, but for that term) */
static const char hinge[] =
	"g = GatherElements<axis=1>(x, Unsqueeze(t, i:int64[1]={1})); "
	"loss = ReduceMean<keepdims=0>(Relu(Add(Sub(x, g), a)))";
/* a max(0, t - x) + (1 - a) max(0, x - t) (Koenker and Bassett 1978) */
static const char quantile[] =
	"d = Sub(t, x); loss = ReduceMean<keepdims=0>(Add("
	"Mul(a, Relu(d)), Mul(Sub(1, a), Relu(Neg(d)))))";

static const struct loss_kind kinds[] = {
	{ "cross_entropy", "softmax and negative log-likelihood", "category",
	  "SoftmaxCrossEntropy", NULL, 0, cross_entropy_fields },
	{ "focal", "cross-entropy that leaves easy rows aside", "category",
	  NULL, focal, AT(gamma), gamma_fields },
	{ "hinge", "how far others are within the margin", "category",
	  NULL, hinge, AT(margin), margin_fields },
	{ "cross_entropy", "softmax and negative log-likelihood", "text",
	  "SoftmaxCrossEntropy", NULL, 0, cross_entropy_fields },
	{ "focal", "cross-entropy that leaves easy tokens aside", "text",
	  NULL, focal, AT(gamma), gamma_fields },
	{ "mse", "mean of squared errors", "number",
	  "MeanSquaredError", NULL, 0, plain_fields },
	{ "mae", "mean of absolute errors", "number",
	  "MeanAbsoluteError", NULL, 0, plain_fields },
	{ "huber", "squared up to delta, then absolute", "number",
	  "HuberLoss", NULL, 0, delta_fields },
	{ "smooth_l1", "huber divided by its delta", "number",
	  "SmoothL1Loss", NULL, 0, beta_fields },
	{ "quantile", "errors to both sides count differently", "number",
	  NULL, quantile, AT(quantile), quantile_fields },
	{ 0 },
};
/* clang-format on */

static const char *const kind_names[] = { "cross_entropy", "focal",    "hinge",
					  "mse",	   "mae",      "huber",
					  "smooth_l1",	   "quantile", NULL };
static const char *const own_keys[] = { "type", NULL };
static const char where[] = "output_features.loss";

static enum err_code find_kind(const struct doc *map, const char *feature,
			       const struct loss_kind **ret, struct err *err)
{
	const struct doc *type = doc_find(map, "type");
	const char *name = type ? type->text : NULL;
	const char *near;

	if (type && type->kind != DOC_STRING)
		return err_set(err, ERR_INVALID,
			       "%s.type: expected the name of a loss", where);
	for (const struct loss_kind *kind = kinds; kind->name; kind++) {
		if (!str_equal(kind->feature, feature))
			continue;
		if (!name || str_equal(kind->name, name)) {
			*ret = kind;
			return ERR_NONE;
		}
	}
	if (!name)
		return err_set(err, ERR_UNSUPPORTED,
			       "output_features: there is no loss for an "
			       "output of type %s",
			       feature);
	near = field_nearest(name, kind_names);
	return err_set(err, ERR_INVALID,
		       "%s: an output of type %s has no loss '%s'%s%s%s", where,
		       feature, name, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

enum err_code loss_read(const struct doc *map, const char *feature_type,
			int64_t width, struct loss *ret, struct arena *arena,
			struct err *err)
{
	struct loss loss = { 0 };
	enum err_code rc;

	if (map && map->kind == DOC_NULL)
		map = NULL;
	rc = find_kind(map, feature_type, &loss.kind, err);
	if (!rc)
		rc = field_read(loss.kind->fields, map, where, own_keys,
				&loss.params, arena, err);
	if (rc)
		return rc;
	if (loss.params.weight.n && width > 0 &&
	    loss.params.weight.n != (size_t)width)
		return err_set(err, ERR_INVALID,
			       "%s.weight: expected %lld weights, one a class, "
			       "got %zu",
			       where, (long long)width, loss.params.weight.n);
	*ret = loss;
	return ERR_NONE;
}

void loss_write(const struct loss *loss, struct json_writer *writer)
{
	json_write_object(writer, "loss");
	json_write_string(writer, "type", loss->kind->name);
	field_write(loss->kind->fields, &loss->params, writer);
	json_write_object_end(writer);
}

static enum err_code fill_weight(const struct field_doubles *weight,
				 struct arena *arena, struct fact *ret,
				 struct err *err)
{
	float *value = arena_array(arena, weight->n, sizeof(*value));

	if (!value)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
	for (size_t i = 0; i < weight->n; i++)
		value[i] = (float)weight->v[i];
	*ret = (struct fact){ .type = { .elem = DTYPE_F32 },
			      .has_shape = true,
			      .value = value };
	ret->shape = (struct shape){ .rank = 1, .dim = { (int64_t)weight->n } };
	return ERR_NONE;
}

enum err_code loss_for_step(const struct loss *loss, struct arena *arena,
			    struct train_loss *ret, struct err *err)
{
	const struct cross_entropy_attrs entropy = {
		.label_smoothing = loss->params.label_smoothing,
		.ignore_index = loss->params.ignore_index,
	};
	const struct pointwise_loss_attrs pointwise = {
		.delta = loss->params.delta > 0 ? loss->params.delta : 1,
	};
	const bool is_text = str_equal(loss->kind->feature, "text");
	const bool is_category =
	    is_text || str_equal(loss->kind->feature, "category");
	struct train_loss step = { .op = loss->kind->op,
				   .text = loss->kind->text,
				   .is_sequence = is_text };

	if (step.text)
		memcpy(&step.a,
		       (const char *)&loss->params + loss->kind->number,
		       sizeof(step.a));
	step.target.elem = is_category ? DTYPE_I64 : DTYPE_F32;
	step.attrs = is_category
			 ? arena_copy(arena, &entropy, sizeof(entropy))
			 : arena_copy(arena, &pointwise, sizeof(pointwise));
	if (!step.attrs)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
	if (loss->params.weight.n) {
		enum err_code rc =
		    fill_weight(&loss->params.weight, arena, &step.weight, err);
		if (rc)
			return rc;
	}
	*ret = step;
	return ERR_NONE;
}
