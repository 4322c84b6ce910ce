/* SPDX-License-Identifier: Apache-2.0 */
#include "training/optimizer.h"

#include <math.h>

#include "base/json_write.h"
#include "base/str.h"

#define OPTIMIZER(name) extern const struct optimizer_kind optimizer_##name;
#include "training/optimizers/optimizers.def"
#undef OPTIMIZER

static const struct optimizer_kind *const kinds[] = {
#define OPTIMIZER(name) &optimizer_##name,
#include "training/optimizers/optimizers.def"
#undef OPTIMIZER
	NULL,
};

static const char *const kind_names[] = {
#define OPTIMIZER(name) #name,
#include "training/optimizers/optimizers.def"
#undef OPTIMIZER
	NULL,
};

static const char *const own_keys[] = { "type", NULL };
static const char where[] = "trainer.optimizer";

static enum err_code find_kind(const struct doc *map,
			       const struct optimizer_kind **ret,
			       struct err *err)
{
	const struct doc *type = doc_find(map, "type");
	const char *name = "adam", *near;

	if (type && type->kind != DOC_STRING)
		return err_set(err, ERR_INVALID,
			       "%s.type: expected the name of an optimizer",
			       where);
	if (type)
		name = type->text;
	for (size_t i = 0; kinds[i]; i++) {
		if (str_equal(kinds[i]->name, name)) {
			*ret = kinds[i];
			return ERR_NONE;
		}
	}
	near = field_nearest(name, kind_names);
	return err_set(err, ERR_INVALID, "%s: there is no optimizer '%s'%s%s%s",
		       where, name, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

/* Two numbers; `usual` where there are none (0: there need not be). */
static enum err_code check_pair(struct field_doubles *pair,
				const double usual[2], const char *name,
				struct arena *arena, struct err *err)
{
	if (pair->n == 0 && usual[0] > 0) {
		pair->v = arena_copy(arena, usual, 2 * sizeof(*usual));
		if (!pair->v)
			return err_set(err, ERR_NO_MEMORY, "%s: out of memory",
				       where);
		pair->n = 2;
	}
	if (pair->n && pair->n != 2)
		return err_set(err, ERR_INVALID,
			       "%s.%s: expected two numbers, got %zu", where,
			       name, pair->n);
	return ERR_NONE;
}

static enum err_code check_exclude(const struct optimizer_params *p,
				   struct err *err)
{
	for (size_t i = 0; i < p->exclude.n; i++) {
		if (!str_equal(p->exclude.v[i], "bias") &&
		    !str_equal(p->exclude.v[i], "norm"))
			return err_set(err, ERR_INVALID,
				       "%s.exclude: expected bias or norm, got "
				       "'%s'",
				       where, p->exclude.v[i]);
	}
	return ERR_NONE;
}

static enum err_code check(struct optimizer *optimizer, struct arena *arena,
			   struct err *err)
{
	static const double etas[] = { 0.5, 1.2 }, sizes[] = { 1e-6, 50 };
	struct optimizer_params *p = &optimizer->params;
	const struct optimizer_kind *kind = optimizer->kind;
	enum err_code rc;

	rc = check_pair(&p->betas, kind->default_betas, "betas", arena, err);
	if (!rc && str_equal(kind->op, "Rprop"))
		rc = check_pair(&p->etas, etas, "etas", arena, err);
	if (!rc && str_equal(kind->op, "Rprop"))
		rc =
		    check_pair(&p->step_sizes, sizes, "step_sizes", arena, err);
	if (rc)
		return rc;
	/* the product of its momenta is made anew for each step */
	if (p->momentum_decay > 0 && p->betas.v[0] > 0.9999)
		return err_set(err, ERR_INVALID,
			       "%s.betas: the first is at most 0.9999 here, "
			       "got %g",
			       where, p->betas.v[0]);
	if (p->ewma && (p->nesterov || p->dampening > 0 || p->momentum <= 0))
		return err_set(err, ERR_INVALID,
			       "%s: ewma needs a momentum above 0, no nesterov "
			       "and no dampening",
			       where);
	if (p->nesterov && (p->momentum <= 0 || p->dampening > 0))
		return err_set(err, ERR_INVALID,
			       "%s: nesterov needs a momentum above 0 and no "
			       "dampening",
			       where);
	return check_exclude(p, err);
}

enum err_code optimizer_read(const struct doc *map, struct optimizer *ret,
			     struct arena *arena, struct err *err)
{
	struct optimizer optimizer = { 0 };
	struct optimizer_params *p = &optimizer.params;
	enum err_code rc;

	rc = find_kind(map, &optimizer.kind, err);
	if (!rc)
		rc = field_read(optimizer.kind->fields, map, where, own_keys, p,
				arena, err);
	if (!rc)
		rc = check(&optimizer, arena, err);
	if (rc)
		return rc;
	optimizer.op = op_find("predictd", optimizer.kind->op);
	if (!optimizer.op)
		return err_set(err, ERR_INTERNAL,
			       "%s: the engine has no operator %s", where,
			       optimizer.kind->op);
	/* a schedule may bring momentum to an optimizer that has its buffer */
	optimizer.attrs = (struct optimizer_attrs){
		.momentum = p->momentum > 0,
		.nesterov = p->nesterov,
		.centered = p->centered,
		.amsgrad = p->amsgrad,
		.decoupled = optimizer.kind->decoupled || p->decoupled,
	};
	*ret = optimizer;
	return ERR_NONE;
}

void optimizer_schema(struct json_writer *writer)
{
	json_write_array(writer, "oneOf");
	for (size_t i = 0; kinds[i]; i++) {
		json_write_object(writer, NULL);
		json_write_string(writer, "description", kinds[i]->help);
		field_schema(kinds[i]->fields, kinds[i]->name, NULL, writer);
		json_write_object_end(writer);
	}
	json_write_array_end(writer);
}

void optimizer_write(const struct optimizer *optimizer,
		     struct json_writer *writer)
{
	json_write_object(writer, "optimizer");
	json_write_string(writer, "type", optimizer->kind->name);
	field_write(optimizer->kind->fields, &optimizer->params, writer);
	json_write_object_end(writer);
}

bool optimizer_has_momentum(const struct optimizer *optimizer)
{
	return optimizer->params.betas.n == 2 || optimizer->params.momentum > 0;
}

struct optimizer_setting optimizer_setting_at(const struct optimizer *optimizer,
					      double rate, double momentum)
{
	const struct optimizer_params *p = &optimizer->params;
	bool has_betas = p->betas.n == 2;
	double own = has_betas ? p->betas.v[0] : p->momentum;
	struct optimizer_setting setting;

	if (isnan(momentum) || !optimizer_has_momentum(optimizer))
		momentum = own;
	setting = (struct optimizer_setting){
		.rate = rate,
		.weight_decay = p->weight_decay,
		.momentum = momentum,
		.dampening = p->dampening,
		.ewma = p->ewma,
		.square = has_betas ? p->betas.v[1] : p->square,
		.eps = p->eps,
		.l1 = p->l1,
		.lr_decay = p->lr_decay,
		.initial = p->initial,
		.momentum_decay = p->momentum_decay,
		.trust = p->trust,
	};
	for (size_t i = 0; i < p->etas.n; i++) {
		setting.etas[i] = p->etas.v[i];
		setting.sizes[i] = p->step_sizes.v[i];
	}
	return setting;
}

void optimizer_setting_exclude(struct optimizer_setting *setting)
{
	setting->weight_decay = 0;
	setting->l1 = 0;
	setting->is_unscaled = true;
}

bool optimizer_is_lazy(const struct optimizer *optimizer, int64_t rows)
{
	const int sparse = optimizer->params.sparse;

	if (optimizer_is_by_parameter(optimizer->op))
		return false;
	return sparse == SPARSE_LAZY ||
	       (sparse == SPARSE_AUTO && rows > SPARSE_AUTO_ROWS);
}

bool optimizer_excludes(const struct optimizer *optimizer, const char *what)
{
	const struct field_strings *list = &optimizer->params.exclude;

	for (size_t i = 0; i < list->n; i++) {
		if (str_equal(list->v[i], what))
			return true;
	}
	return false;
}
