/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Signature: what a model takes and gives, with symbols for open extents.
 *
 * Ownership: lives in the package's arena. Threads: read only once loaded.
 */
#ifndef MODELS_SIGNATURE_H
#define MODELS_SIGNATURE_H

#include "engine/graph.h"

struct signature_dim {
	int64_t extent;	    /**< -1: open */
	const char *symbol; /**< of an open extent; NULL: each its own */
};

struct signature_port {
	const char *name;
	enum dtype dtype;
	bool has_rank; /**< false: any rank */
	unsigned rank;
	struct signature_dim dim[SHAPE_MAX_RANK];
};

/** What a file says beside its graph: names of classes, its training ... */
struct signature_note {
	const char *key, *value;
};

struct model_signature {
	struct signature_port *input, *output; /**< in the graph's order */
	unsigned n_inputs, n_outputs;
	/** The first dimension of all inputs and outputs is one symbol. Whether
	 * rows are independent is checked at load (package_check_batch). */
	bool may_batch;
	unsigned n_notes;
	struct signature_note *note; /**< each key once, in the file's order */
};

/** Refuses a shape that the port does not admit; the sentence names the
 * input, what was expected and what came. Symbols shared between ports are
 * checked by the caller through signature_bind(). */
MUST_USE enum err_code signature_check(const struct signature_port *port,
				       const struct shape *shape,
				       struct err *err);
/** Checks the shapes of all inputs together: equal symbols, equal extents. */
MUST_USE enum err_code signature_bind(const struct model_signature *signature,
				      const struct shape *input,
				      struct err *err);
/** What may_batch says, from the ports. */
bool signature_may_batch(const struct model_signature *signature);

#endif
