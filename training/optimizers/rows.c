/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The rows of optimizers.def: parameters, defaults and ranges as PyTorch has
 * them. sgd and rmsprop and adam take weight_decay as L2, adamw decoupled
 * (Loshchilov and Hutter 2017).
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
#define EXCLUDE                                                                \
	{ .name = "exclude", .help = "no weight decay for: bias, norm",        \
	  .kind = FIELD_STRINGS, .offset = AT(exclude) }
#define BETAS                                                                  \
	{ .name = "betas", .help = "decay of the two averages; [0.9, 0.999]",  \
	  .kind = FIELD_DOUBLES, .offset = AT(betas), .min = 0, .max = 0.9999999 }

static const struct field sgd_fields[] = {
	NUMBER("momentum", "share of the last update that is kept", momentum, 0, 1, 0),
	NUMBER("dampening", "the gradient enters the momentum times 1 - this", dampening, 0, 1, 0),
	SWITCH("nesterov", "look ahead along the momentum", nesterov),
	NUMBER("weight_decay", "L2", weight_decay, 0, 1e3, 0),
	EXCLUDE,
	{ 0 },
};
static const struct field rmsprop_fields[] = {
	NUMBER("alpha", "decay of the average of squares", alpha, 0, 1, 0.99),
	NUMBER("eps", "added to the root", eps, 1e-30, 1, 1e-8),
	NUMBER("momentum", "share of the last update that is kept", momentum, 0, 1, 0),
	SWITCH("centered", "subtract the square of the average gradient", centered),
	NUMBER("weight_decay", "L2", weight_decay, 0, 1e3, 0),
	EXCLUDE,
	{ 0 },
};
static const struct field adam_fields[] = {
	BETAS,
	NUMBER("eps", "added to the root", eps, 1e-30, 1, 1e-8),
	SWITCH("amsgrad", "divide by the largest average of squares", amsgrad),
	NUMBER("weight_decay", "L2", weight_decay, 0, 1e3, 0),
	EXCLUDE,
	{ 0 },
};
static const struct field adamw_fields[] = {
	BETAS,
	NUMBER("eps", "added to the root", eps, 1e-30, 1, 1e-8),
	SWITCH("amsgrad", "divide by the largest average of squares", amsgrad),
	NUMBER("weight_decay", "decoupled from the gradient", weight_decay, 0, 1e3, 0.01),
	EXCLUDE,
	{ 0 },
};
/* clang-format on */

extern const struct optimizer_kind optimizer_sgd;
const struct optimizer_kind optimizer_sgd = {
	.name = "sgd",
	.help = "stochastic gradient descent, with momentum or without",
	.op = "Sgd",
	.fields = sgd_fields,
};

extern const struct optimizer_kind optimizer_rmsprop;
const struct optimizer_kind optimizer_rmsprop = {
	.name = "rmsprop",
	.help = "divided by a running root mean square",
	.op = "RMSprop",
	.fields = rmsprop_fields,
};

extern const struct optimizer_kind optimizer_adam;
const struct optimizer_kind optimizer_adam = {
	.name = "adam",
	.help =
	    "running averages of gradients and squares (Kingma and Ba 2014)",
	.op = "Adam",
	.default_betas = { 0.9, 0.999 },
	.fields = adam_fields,
};

extern const struct optimizer_kind optimizer_adamw;
const struct optimizer_kind optimizer_adamw = {
	.name = "adamw",
	.help = "adam with decoupled weight decay",
	.op = "Adam",
	.decoupled = true,
	.default_betas = { 0.9, 0.999 },
	.fields = adamw_fields,
};
