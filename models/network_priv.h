/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What networks by name and networks from a file share.
 *
 * Threads: as network.h.
 */
#ifndef MODELS_NETWORK_PRIV_H
#define MODELS_NETWORK_PRIV_H

#include "models/architectures/assembly.h"

#define NETWORK_BYTES_MAX ((size_t)10 << 30)
#define NETWORK_SCRATCH_MAX ((size_t)64 << 20)

enum err_code network_no_memory(struct err *err);
/** Ports of the graph's inputs, and of `value` under the target's name. */
MUST_USE enum err_code
network_fill_signature(const struct assembly *assembly,
		       const struct network_request *request, int32_t value,
		       struct model_signature *ret, struct err *err);

/** The graph of the file that `where` names, MODEL, MODEL/VERSION or
 * path:FILE, with parameters as variables. */
MUST_USE enum err_code network_read_file(const char *where,
					 const struct network_places *places,
					 struct graph **ret_graph,
					 struct model_signature *ret_signature,
					 struct err *err);
/** network_build() of a map with `onnx`. */
MUST_USE enum err_code network_from_onnx(const struct network_request *request,
					 struct network *ret, struct err *err);

/** Lets the graph of one row, or of any number, take any number of rows:
 * extents that are written into the shapes of Reshape follow the rows. */
MUST_USE enum err_code network_free_batch(struct graph *graph,
					  const struct fact *input,
					  struct err *err);
/** Drops variables that no node reads. */
MUST_USE enum err_code network_drop_unused(struct graph *graph,
					   struct err *err);

/** Whether kinds and options of a list of layers, and of lists in its layers,
 * are ones that there are. */
MUST_USE enum err_code assembly_check_layers(const struct doc *list,
					     const char *where,
					     struct arena *scratch,
					     struct err *err);

#endif
