/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Assembly: a network while it is put together, layer by layer.
 *
 * A layer takes one value and gives one. Shapes are inferred as nodes are
 * appended, with a batch of one row, so that each layer knows the row it gets.
 *
 * Ownership: what stays is in the graph's arena, options in `scratch`.
 * Threads:   one at a time.
 */
#ifndef MODELS_ARCHITECTURES_ASSEMBLY_H
#define MODELS_ARCHITECTURES_ASSEMBLY_H

#include "base/field.h"
#include "engine/attr.h"
#include "engine/build.h"
#include "models/network.h"

/** How weights begin. default: as PyTorch's layers do by themselves. */
enum init_kind {
	/* clang-format off */
	INIT_DEFAULT, INIT_KAIMING_NORMAL, INIT_KAIMING_UNIFORM,
	INIT_XAVIER_NORMAL, INIT_XAVIER_UNIFORM,
	/* clang-format on */
	INIT_NORMAL,	   /**< of deviation 0.01 */
	INIT_TRUNC_NORMAL, /**< of 0.02, drawn again beyond two */
	INIT_ORTHOGONAL,   /**< rows (or columns) at right angles */
	INIT_ZEROS,
	INIT_LSUV, /**< orthogonal; the trainer scales them by the first batch
		    */
	INIT_KAIMING_FAN_OUT /**< torchvision's for residual networks */
};
extern const char *const init_names[];

/** The row every architecture's options begin with. */
#define INIT_FIELD(type)                                            \
	{                                                           \
		.name = "init",                                     \
		.help = "how weights begin; biases begin at 0 "     \
			"unless it is default",                     \
		.kind = FIELD_ENUM, .offset = offsetof(type, init), \
		.names = init_names                                 \
	}

struct assembly {
	struct graph *graph;
	struct build build;
	struct arena *scratch;
	uint64_t seed;
	bool dry;
	enum init_kind init;
	uint32_t n_drawn; /**< parameters so far: each has its own stream */
	int64_t n_params;
	struct network_layer *layer;
	size_t n_layers, cap_layers;
	/** What one run hands to the next; row.rank 0: nothing. */
	struct {
		struct shape row;
		int32_t in, out;
	} state;
};

/** A kind of layer: a row of layers.def. */
struct layer_kind {
	const char *name, *help;
	const struct field *fields; /**< ends with a NULL name */
	size_t size;		    /**< of the options */
	/** `name`: of its parameters, "3" for "3.weight". */
	enum err_code (*build)(struct assembly *assembly, const void *options,
			       const char *name, int32_t in, int32_t *ret_out,
			       struct err *err);
};

/** All input features as values of the graph. */
struct assembly_inputs {
	unsigned n;
	const struct network_port *port; /**< [n] */
	const int32_t *value;		 /**< [n] */
};

/** A network by name: a row of architectures.def. */
struct architecture {
	const char *name, *help;
	const struct field *options; /**< begins with INIT_FIELD */
	size_t size;
	/** width: numbers a row that the output needs. One of the two is set:
	 * the first takes one value of float, into which numbers are joined. */
	enum err_code (*build)(struct assembly *assembly, const void *options,
			       int32_t in, int64_t width, int32_t *ret_out,
			       struct err *err);
	enum err_code (*build_of_ports)(struct assembly *assembly,
					const void *options,
					const struct assembly_inputs *in,
					int64_t width, int32_t *ret_out,
					struct err *err);
};
/** NULL when there is none. */
const struct layer_kind *layer_find(const char *name);
/** Ends with NULL: for field_nearest(). */
const char *const *layer_names(void);
/** Builds one layer by kind and options, and notes it in the summary. */
MUST_USE enum err_code assembly_layer(struct assembly *assembly,
				      const char *kind, const void *options,
				      const char *name, int32_t *value,
				      struct err *err);
/** A list of maps with `type`; names are prefix + index. `where` names the
 * list in messages. *value: in and out. */
MUST_USE enum err_code assembly_layers(struct assembly *assembly,
				       const struct doc *list,
				       const char *where, const char *prefix,
				       int32_t *value, struct err *err);
/** The shape of one row of a value. */
struct shape assembly_row(const struct assembly *assembly, int32_t value);

/** A node to append; attrs.n 0: all at their defaults. */
struct assembly_call {
	const char *op;
	struct attr_list attrs;
	const int32_t *in;
	unsigned n_in;
};
MUST_USE enum err_code assembly_node(struct assembly *assembly,
				     const struct assembly_call *call,
				     int32_t *ret_out, struct err *err);
/** Its first n outputs. */
MUST_USE enum err_code assembly_nodes(struct assembly *assembly,
				      const struct assembly_call *call,
				      int32_t *out, unsigned n,
				      struct err *err);

/** p 0: none. rows: NULL, or a name: then by rows (engine/ops/dropout.h). */
MUST_USE enum err_code assembly_dropout(struct assembly *assembly, double p,
					const char *rows, int32_t *value,
					struct err *err);
/** A parameter or statistic as a variable "name.part". */
struct assembly_param {
	const char *name, *part;
	enum role role;
	struct shape shape;
	bool is_weight; /**< drawn by `init`; else a bias, or constant */
	bool is_constant;
	float constant;
	double std; /**< > 0: normal, cut at 2 deviations, whatever `init` */
	int64_t fan_in, fan_out;
};
MUST_USE enum err_code assembly_param(struct assembly *assembly,
				      const struct assembly_param *param,
				      int32_t *ret_value, struct err *err);

#endif
