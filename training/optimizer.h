/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optimizer: what a job says of it, and the engine's row that does it.
 *
 * A kind is a row of optimizers.def with PyTorch's parameter names and
 * defaults; the arithmetic is the operator's (engine/ops/optimizer.h).
 *
 * Ownership: plain data; lists live in the spec's arena. Threads: pure.
 */
#ifndef TRAINING_OPTIMIZER_H
#define TRAINING_OPTIMIZER_H

#include "base/field.h"
#include "engine/ops/optimizer.h"

struct json_writer;

/** What becomes of an embedding's rows that a batch has no gradient for: lazy
 * ones stay as they are, moments and decay too. */
enum optimizer_sparse { SPARSE_AUTO, SPARSE_LAZY, SPARSE_DENSE };
/** Tables with more rows are lazy when nothing is said. */
enum { SPARSE_AUTO_ROWS = 10000 };

/** All parameters of all kinds; each kind's table names its own. */
struct optimizer_params {
	double momentum, dampening, weight_decay, l1, eps;
	double square; /**< alpha, rho */
	double lr_decay, initial, momentum_decay, trust;
	bool nesterov, centered, amsgrad, decoupled, ewma;
	struct field_doubles betas, etas, step_sizes;
	struct field_strings exclude; /**< "bias", "norm": no weight decay */
	int sparse;		      /**< enum optimizer_sparse */
};

struct optimizer_kind {
	const char *name, *help;
	const char *op; /**< "Sgd", "RMSprop", "Adam" ... */
	bool decoupled; /**< always; others may ask for it */
	double default_betas[2];
	const struct field *fields; /**< over struct optimizer_params */
};

struct optimizer {
	const struct optimizer_kind *kind;
	const struct op *op;
	struct optimizer_params params;
	struct optimizer_attrs attrs; /**< flags; segments are the step's */
};

/** From the map `optimizer` (NULL: adam). */
MUST_USE enum err_code optimizer_read(const struct doc *map,
				      struct optimizer *ret,
				      struct arena *arena, struct err *err);
/** The members of its JSON Schema. */
void optimizer_schema(struct json_writer *writer);
void optimizer_write(const struct optimizer *optimizer,
		     struct json_writer *writer);
/** The setting of a step; momentum NaN: the optimizer's own. */
struct optimizer_setting optimizer_setting_at(const struct optimizer *optimizer,
					      double rate, double momentum);
/** What is excluded has no decay of any kind and no ratio of norms. */
void optimizer_setting_exclude(struct optimizer_setting *setting);
/** Has it a momentum (or beta1) that a schedule may cycle? */
bool optimizer_has_momentum(const struct optimizer *optimizer);

/** Are updates of a table of so many rows lazy? */
bool optimizer_is_lazy(const struct optimizer *optimizer, int64_t rows);
/** "bias" or "norm": is that left out of decay? */
bool optimizer_excludes(const struct optimizer *optimizer, const char *what);

#endif
