/* SPDX-License-Identifier: Apache-2.0 */
#include "training/loss.h"

#include <stddef.h>

#include "base/json_write.h"
#include "base/str.h"
#include "engine/ops/loss.h"

enum { NAMES_MAX = 32 };

static const char *const own_keys[] = { "type", NULL };
static const char where[] = "output_features.loss";

static unsigned type_of(const char *feature)
{
	if (str_equal(feature, "category"))
		return LOSS_OF_CATEGORY;
	if (str_equal(feature, "number"))
		return LOSS_OF_NUMBER;
	if (str_equal(feature, "text"))
		return LOSS_OF_TEXT;
	return str_equal(feature, "vector") ? LOSS_OF_VECTOR : 0;
}

/* A name that outputs of this type do not have. */
static enum err_code refuse(const char *name, const char *feature,
			    struct err *err)
{
	const char *valid[NAMES_MAX] = { NULL }, *near, *other = NULL;
	size_t n = 0;

	for (const struct loss_kind *kind = loss_kinds(); kind->name; kind++) {
		if (kind->of & type_of(feature) && n + 1 < NAMES_MAX)
			valid[n++] = kind->name;
		else if (str_equal(kind->name, name))
			other = kind->of & LOSS_OF_CATEGORY ? "category"
				: kind->of & LOSS_OF_NUMBER ? "number"
							    : "vector";
	}
	if (other)
		return err_set(err, ERR_INVALID,
			       "%s: an output of type %s has no loss '%s', one "
			       "of type %s has",
			       where, feature, name, other);
	near = field_nearest(name, valid);
	return err_set(err, ERR_INVALID,
		       "%s: an output of type %s has no loss '%.64s'%s%s%s",
		       where, feature, name, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

static enum err_code find_kind(const struct doc *map, const char *feature,
			       const struct loss_kind **ret, struct err *err)
{
	const struct doc *type = doc_find(map, "type");
	const char *name = type ? type->text : NULL;

	if (type && type->kind != DOC_STRING)
		return err_set(err, ERR_INVALID,
			       "%s.type: expected the name of a loss", where);
	for (const struct loss_kind *kind = loss_kinds(); kind->name; kind++) {
		if (!(kind->of & type_of(feature)))
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
	return refuse(name, feature, err);
}

/* width 0: it is not known yet. */
static enum err_code check_weight(const struct loss *loss, int64_t width,
				  struct err *err)
{
	const bool may_be_one = loss->kind->weight == LOSS_POSITIVE_WEIGHT;
	const size_t n = loss->params.weight.n;

	if (!n || width <= 0 || n == (size_t)width || (may_be_one && n == 1))
		return ERR_NONE;
	return err_set(
	    err, ERR_INVALID, "%s.%s: expected %s%lld weights, one %s, got %zu",
	    where, may_be_one ? "pos_weight" : "weight",
	    may_be_one ? "1 or " : "", (long long)width,
	    loss->kind->of & LOSS_OF_CATEGORY ? "a class" : "a number", n);
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
	if (!rc && loss.kind)
		rc = field_read(loss.kind->fields, map, where, own_keys,
				&loss.params, arena, err);
	if (!rc && loss.kind)
		rc = check_weight(&loss, width, err);
	if (rc)
		return rc;
	*ret = loss;
	return ERR_NONE;
}

void loss_schema(struct json_writer *writer)
{
	json_write_array(writer, "anyOf");
	for (const struct loss_kind *k = loss_kinds(); k->name; k++) {
		json_write_object(writer, NULL);
		json_write_string(writer, "description", k->help);
		field_schema(k->fields, k->name, NULL, writer);
		json_write_object_end(writer);
	}
	json_write_array_end(writer);
}

void loss_write(const struct loss *loss, struct json_writer *writer)
{
	json_write_object(writer, "loss");
	json_write_string(writer, "type", loss->kind->name);
	field_write(loss->kind->fields, &loss->params, writer);
	json_write_object_end(writer);
}

/* Those of the spec, or ones where the kind reads some anyway. */
static enum err_code fill_weight(const struct loss *loss, int64_t width,
				 struct arena *arena, struct fact *ret,
				 struct err *err)
{
	const struct field_doubles *weight = &loss->params.weight;
	size_t n = weight->n;
	float *value;

	if (!n && loss->kind->weight == LOSS_CLASS_ONES)
		n = (size_t)width;
	else if (!n && loss->kind->weight == LOSS_POSITIVE_WEIGHT)
		n = 1;
	if (!n)
		return ERR_NONE;
	value = arena_array(arena, n, sizeof(*value));
	if (!value)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
	for (size_t i = 0; i < n; i++)
		value[i] = weight->n ? (float)weight->v[i] : 1;
	*ret = (struct fact){ .type = { .elem = DTYPE_F32 },
			      .has_shape = true,
			      .value = value };
	ret->shape = (struct shape){ .rank = 1, .dim = { (int64_t)n } };
	return ERR_NONE;
}

static enum err_code fill_attrs(const struct loss *loss, struct arena *arena,
				struct train_loss *step, struct err *err)
{
	const struct cross_entropy_attrs entropy = {
		.label_smoothing = loss->params.label_smoothing,
		.ignore_index = loss->params.ignore_index,
	};
	const struct pointwise_loss_attrs pointwise = {
		.delta = loss->params.delta > 0 ? loss->params.delta : 1,
	};
	bool is_category = loss->kind->of & (LOSS_OF_CATEGORY | LOSS_OF_TEXT);

	step->target.elem = is_category ? DTYPE_I64 : DTYPE_F32;
	step->attrs = is_category
			  ? arena_copy(arena, &entropy, sizeof(entropy))
			  : arena_copy(arena, &pointwise, sizeof(pointwise));
	return step->attrs
		   ? ERR_NONE
		   : err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
}

enum err_code loss_for_step(const struct loss *loss, int64_t width,
			    struct arena *arena, struct train_loss *ret,
			    struct err *err)
{
	const struct loss_kind *kind = loss->kind;
	struct train_loss step = { .op = kind->op,
				   .text = kind->text,
				   .is_sequence = kind->of & LOSS_OF_TEXT };
	enum err_code rc = check_weight(loss, width, err);

	for (size_t i = 0; i < TRAIN_LOSS_NUMBERS; i++)
		memcpy(&step.number[i],
		       (const char *)&loss->params + kind->number[i],
		       sizeof(step.number[i]));
	if (kind->choose)
		kind->choose(&loss->params, &step);
	if (!rc)
		rc = fill_attrs(loss, arena, &step, err);
	/* the engine's own rows take none of ones */
	if (!rc && (step.text || kind->weight == LOSS_CLASS_WEIGHT))
		rc = fill_weight(loss, width, arena, &step.weight, err);
	if (!rc)
		*ret = step;
	return rc;
}
