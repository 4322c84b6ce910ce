/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ONNX files for tests, made field by field, right or wrong as the test
 * wants. Calls follow the file's nesting:
 *
 *   make_begin(&m, 8, 17);
 *   make_node(&m, "Add", "x w", "y");
 *   make_floats(&m, "w", "2", (float[]){ 1, 2 }, 2);
 *   make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "N 2");
 *   make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "N 2");
 *   make_end(&m);
 *
 * Functions come behind make_end().
 *
 * Ownership: make_finish() ends the buffer.
 * Threads:   one file a test.
 */
#ifndef TESTS_UNIT_MODELS_MAKE_ONNX_H
#define TESTS_UNIT_MODELS_MAKE_ONNX_H

#include <stdint.h>

#include "base/buf.h"
#include "engine/dtype.h"

struct make {
	struct buf buf;
	size_t graph; /* where the graph begins */
	size_t node, function;
	uint32_t node_field; /* of the message that nodes go into */
	unsigned opset;
};

enum { MAKE_INPUT = 11, MAKE_OUTPUT = 12 };

void make_begin(struct make *m, unsigned ir_version, unsigned opset);
void make_end(struct make *m);
void make_finish(struct make *m);

/** Operands are parted by spaces; "-" is one left out. "domain:Op" too. */
void make_node(struct make *m, const char *op, const char *in, const char *out);
/** A node with attributes: open, attributes, close. */
void make_node_open(struct make *m, const char *op, const char *in,
		    const char *out);
void make_node_close(struct make *m);
void make_attr_int(struct make *m, const char *name, int64_t value);
void make_attr_ints(struct make *m, const char *name, const int64_t *v,
		    size_t n);
void make_attr_float(struct make *m, const char *name, float value);
void make_attr_graph(struct make *m, const char *name);
/** A body of the open node: nodes, initializers and ports between the two are
 * its own. */
struct make_body {
	size_t attr, graph, node;
	uint32_t field;
};
struct make_body make_body_open(struct make *m, const char *name);
void make_body_close(struct make *m, struct make_body body);

/** A function of the model, behind make_end(): nodes between the two are its
 * own. `name` is "domain:Name". Its standard operators are of that set; 0: it
 * imports none. */
void make_function_open(struct make *m, const char *name, const char *in,
			const char *out, unsigned opset);
void make_function_default(struct make *m, const char *attr, float value);
void make_function_close(struct make *m);
/** In a function: what the call gives as `ref`. */
void make_attr_ref(struct make *m, const char *name, const char *ref);
/** Of the open node: the one of several functions of a name. */
void make_node_overload(struct make *m, const char *overload);
void make_function_overload(struct make *m, const char *overload);

/** A pair beside the graph, behind make_end(); NULL: left out. */
void make_note(struct make *m, const char *key, const char *value);

/** dims: "2 3", "" for a scalar. */
void make_floats(struct make *m, const char *name, const char *dims,
		 const float *v, size_t n);
void make_ints(struct make *m, const char *name, const char *dims,
	       const int64_t *v, size_t n);
/** Data in another file; length 0: not said. */
void make_external(struct make *m, const char *name, const char *dims,
		   const char *location, const char *offset,
		   const char *length);
/** dims: numbers or symbols; "?" is an open one, NULL no shape. */
void make_port(struct make *m, uint32_t field, const char *name,
	       enum dtype dtype, const char *dims);

#endif
