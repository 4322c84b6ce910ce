/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Network: a job's `model` map as a base graph, ready to train and to export.
 *
 * `type` names a row of architectures/architectures.def, `layers` lists layers
 * as PyTorch spells them, or `onnx` names a model to train further. The graph
 * is in evaluation form, of standard operators, with a symbolic batch;
 * parameters and statistics are variables named as PyTorch names them, or as
 * the file does. Its output has no softmax: losses take logits.
 *
 * Ownership: everything lives in the graph's arena, the values of variables
 *            too; graph_destroy() ends it.
 * Threads:   any, each on its own network.
 * Limits:    1,000 layers, 2^31 parameters.
 */
#ifndef MODELS_NETWORK_H
#define MODELS_NETWORK_H

#include "base/doc.h"
#include "models/signature.h"

/** An input feature: what one row of it is. */
struct network_port {
	const char *name;
	enum dtype dtype;
	struct shape row;
	int64_t n_indices;	/**< elements are below it; 0: no index */
	int64_t embedding_size; /**< of an index; 0: the network chooses */
};

/** An output feature: how many numbers a row the network must give for it. */
struct network_target {
	const char *name;
	int64_t width;
	bool is_sequence; /**< for each step of the input, not for the row */
};

/** Where a model to train further may lie. */
struct network_places {
	const char *repository; /**< NULL: there is none */
	const char *const *roots;
	size_t n_roots;
};

struct network_request {
	const struct doc *model; /**< the map `model` of the job */
	const struct network_port *in;
	unsigned n_in;
	const struct network_target *out;
	unsigned n_out;
	uint64_t seed;
	const struct network_places *places; /**< NULL: nowhere */
	bool dry; /**< only shapes count: values stay 0 */
};

struct network_layer {
	const char
	    *name; /**< where its parameters are: "0", "layer1.0.conv1" */
	const char *type; /**< "conv2d" */
	struct shape row; /**< of its output */
	int64_t n_params; /**< trainable numbers */
};

struct network_summary {
	size_t n;
	const struct network_layer *layer;
	int64_t n_params;
};

/** Names of the input and output by which a network hands a state from one run
 * to the next: float of the same shape, zeros at the beginning. They are its
 * last ones, and belong to no feature. */
#define NETWORK_STATE_INPUT "initial_state"
#define NETWORK_STATE_OUTPUT "final_state"

struct network {
	struct graph *graph;
	struct model_signature signature;
	struct network_summary summary;
	struct shape state; /**< a row of it; rank 0: it has none */
};

struct pipeline;

/** What a pipeline's features give a network and ask of it: fills `in` of cap
 * members and *ret_out. */
MUST_USE enum err_code network_ports(const struct pipeline *pipeline,
				     struct network_port *in, unsigned cap,
				     struct network_target *ret_out,
				     struct err *err);
/** Whether the map `model` names a network that there is, with options and
 * layers that there are; shapes, and a model to train further, are not looked
 * at. */
MUST_USE enum err_code network_check(const struct doc *model,
				     struct arena *scratch, struct err *err);
MUST_USE enum err_code network_build(const struct network_request *request,
				     struct network *ret, struct err *err);

#endif
