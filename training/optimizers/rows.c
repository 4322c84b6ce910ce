/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The rows of optimizers.def: parameters, defaults and ranges as PyTorch has
 * them, of those that PyTorch has. weight_decay is L2 but where it is said to
 * be decoupled (Loshchilov and Hutter 2017).
 */
#include <stddef.h>

#include "training/optimizer.h"

#define AT(member) offsetof(struct optimizer_params, member)

/* clang-format off */
#define NUMBER(text, of, member, low, high, value)                             \
	{ .name = text, .help = of, .kind = FIELD_DOUBLE,                      \
	  .offset = AT(member), .min = low, .max = high, .def = value }
#define SWITCH(text, of, member)                                               \
	{ .name = text, .help = of, .kind = FIELD_BOOL, .offset = AT(member) }
#define PAIR(text, of, member, low, high)                                      \
	{ .name = text, .help = of, .kind = FIELD_DOUBLES,                     \
	  .offset = AT(member), .min = low, .max = high }
#define BETAS(text) PAIR("betas", "decay of the two averages; " text, betas, 0, 0.9999999)
#define EPS(text, value) NUMBER("eps", text, eps, 1e-30, 1, value)
#define MOMENTUM(value)                                                        \
	NUMBER("momentum", "share of the last update that is kept", momentum, 0, 1, value)
#define DECAY(of, value) NUMBER("weight_decay", of, weight_decay, 0, 1e3, value)
#define DECOUPLED                                                              \
	SWITCH("decoupled_weight_decay", "weight_decay shrinks weights, not gradients", decoupled)
static const char *const sparse_names[] = { "auto", "lazy", "dense", NULL };
/* last in every table: of rules that scale whole parameters, of the others */
#define SCALED                                                                 \
	NUMBER("l1", "times the weight's sign, added to the gradient", l1, 0, 1e3, 0), \
	{ .name = "exclude", .help = "no decay for: bias, norm",               \
	  .kind = FIELD_STRINGS, .offset = AT(exclude) },                      \
	{ 0 }
#define COMMON                                                                 \
	{ .name = "sparse",                                                    \
	  .help = "embeddings' rows without a gradient: lazy: they stay; dense: " \
		  "they move; auto: lazy beyond 10000 rows",                   \
	  .kind = FIELD_ENUM, .offset = AT(sparse), .names = sparse_names },   \
	SCALED

static const struct field adadelta_fields[] = {
	NUMBER("rho", "decay of the averages", square, 0, 1, 0.9),
	EPS("added beneath the roots", 1e-6),
	DECAY("L2", 0), COMMON,
};
static const struct field adagrad_fields[] = {
	NUMBER("lr_decay", "the rate is divided by 1 + this times the steps", lr_decay, 0, 1e6, 0),
	NUMBER("initial_accumulator_value", "sum of squares at the start", initial, 0, 1e6, 0),
	EPS("added to the root", 1e-10),
	DECAY("L2", 0), COMMON,
};
static const struct field adam_fields[] = {
	BETAS("[0.9, 0.999]"),
	EPS("added to the root", 1e-8),
	SWITCH("amsgrad", "divide by the largest average of squares", amsgrad),
	DECAY("L2", 0), COMMON,
};
static const struct field adamw_fields[] = {
	BETAS("[0.9, 0.999]"),
	EPS("added to the root", 1e-8),
	SWITCH("amsgrad", "divide by the largest average of squares", amsgrad),
	DECAY("decoupled from the gradient", 0.01), COMMON,
};
static const struct field adamax_fields[] = {
	BETAS("[0.9, 0.999]"),
	EPS("added to the magnitude", 1e-8),
	DECAY("L2", 0), COMMON,
};
static const struct field lamb_fields[] = {
	BETAS("[0.9, 0.999]"),
	EPS("added to the root", 1e-6),
	DECAY("part of the direction", 0.01), SCALED,
};
static const struct field lars_fields[] = {
	MOMENTUM(0.9),
	NUMBER("trust_coefficient", "times the ratio of norms", trust, 0, 1e3, 1e-3),
	EPS("added to the divisor", 1e-8),
	DECAY("part of the direction", 1e-4), SCALED,
};
static const struct field lion_fields[] = {
	BETAS("[0.9, 0.99]"),
	DECAY("decoupled from the gradient", 0), COMMON,
};
static const struct field muon_fields[] = {
	BETAS("of the momentum, and with it of what is no matrix; [0.95, 0.99]"),
	EPS("added to the root, of what is no matrix", 1e-8),
	DECAY("decoupled from the gradient", 0), COMMON,
};
static const struct field nadam_fields[] = {
	BETAS("[0.9, 0.999]"),
	EPS("added to the root", 1e-8),
	NUMBER("momentum_decay", "of the momentum's warm-up", momentum_decay, 1e-12, 1, 4e-3),
	DECAY("L2, or decoupled", 0), DECOUPLED, COMMON,
};
static const struct field radam_fields[] = {
	BETAS("[0.9, 0.999]"),
	EPS("added to the root", 1e-8),
	DECAY("L2, or decoupled", 0), DECOUPLED, COMMON,
};
static const struct field rmsprop_fields[] = {
	NUMBER("alpha", "decay of the average of squares", square, 0, 1, 0.99),
	EPS("added to the root", 1e-8),
	MOMENTUM(0),
	SWITCH("centered", "subtract the square of the average gradient", centered),
	DECAY("L2", 0), COMMON,
};
static const struct field rprop_fields[] = {
	PAIR("etas", "factors of a size: shrinking, growing; [0.5, 1.2]", etas, 1e-6, 1e3),
	PAIR("step_sizes", "least and most; [1e-6, 50]", step_sizes, 1e-30, 1e6),
	COMMON,
};
static const struct field sgd_fields[] = {
	MOMENTUM(0),
	NUMBER("dampening", "the gradient enters the momentum times 1 - this", dampening, 0, 1, 0),
	SWITCH("nesterov", "look ahead along the momentum", nesterov),
	SWITCH("ewma", "the momentum is an average: the gradient enters by 1 - momentum", ewma),
	DECAY("L2, or decoupled", 0), DECOUPLED, COMMON,
};

#define ROW(row, text, always, beta1, beta2, of)                               \
	extern const struct optimizer_kind optimizer_##row;                    \
	const struct optimizer_kind optimizer_##row = {                        \
		.name = #row, .op = text, .help = of, .fields = row##_fields,  \
		.decoupled = always, .default_betas = { beta1, beta2 } }

ROW(adadelta, "Adadelta", false, 0, 0, "steps in the units of the weights (Zeiler 2012)");
ROW(adagrad, "Adagrad", false, 0, 0, "divided by the root of all squares (Duchi et al. 2011)");
ROW(adam, "Adam", false, 0.9, 0.999, "averages of gradients and squares (Kingma and Ba 2014)");
ROW(adamax, "Adamax", false, 0.9, 0.999, "adam with a largest magnitude (Kingma and Ba 2014)");
ROW(adamw, "Adam", true, 0.9, 0.999, "adam with decoupled weight decay");
ROW(lamb, "Lamb", false, 0.9, 0.999, "adam scaled by norms of parameters, for large batches");
ROW(lars, "Lars", false, 0, 0, "sgd scaled by norms of parameters, for large batches");
ROW(lion, "Lion", true, 0.9, 0.99, "the sign of a momentum (Chen et al. 2023)");
ROW(muon, "Muon", true, 0.95, 0.99, "all directions of a momentum count alike (Jordan 2024)");
ROW(nadam, "NAdam", false, 0.9, 0.999, "adam with nesterov's momentum (Dozat 2016)");
ROW(radam, "RAdam", false, 0.9, 0.999, "adam that waits for its variance (Liu et al. 2019)");
ROW(rmsprop, "RMSprop", false, 0, 0, "divided by a running root mean square");
ROW(rprop, "Rprop", false, 0, 0, "a step size for each weight (Riedmiller and Braun 1993)");
ROW(sgd, "Sgd", false, 0, 0, "stochastic gradient descent, with momentum or without");
/* clang-format on */
