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
	return err_set(err, ERR_INVALID,
		       "%s: there is no optimizer '%s'%s%s%s (there are adam, "
		       "adamw, rmsprop, sgd)",
		       where, name, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

static enum err_code check(struct optimizer *optimizer, struct arena *arena,
			   struct err *err)
{
	struct optimizer_params *p = &optimizer->params;
	const struct optimizer_kind *kind = optimizer->kind;

	if (p->betas.n == 0 && kind->default_betas[0] > 0) {
		p->betas.v = arena_copy(arena, kind->default_betas,
					sizeof(kind->default_betas));
		if (!p->betas.v)
			return err_set(err, ERR_NO_MEMORY, "%s: out of memory",
				       where);
		p->betas.n = 2;
	}
	if (p->betas.n && p->betas.n != 2)
		return err_set(err, ERR_INVALID,
			       "%s.betas: expected two numbers, got %zu", where,
			       p->betas.n);
	if (p->nesterov && (p->momentum <= 0 || p->dampening > 0))
		return err_set(err, ERR_INVALID,
			       "%s: nesterov needs a momentum above 0 and no "
			       "dampening",
			       where);
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
		.decoupled = optimizer.kind->decoupled,
	};
	*ret = optimizer;
	return ERR_NONE;
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

	if (isnan(momentum) || !optimizer_has_momentum(optimizer))
		momentum = own;
	return (struct optimizer_setting){
		.rate = rate,
		.weight_decay = p->weight_decay,
		.momentum = momentum,
		.dampening = p->dampening,
		.square = has_betas ? p->betas.v[1] : p->alpha,
		.eps = p->eps,
	};
}
