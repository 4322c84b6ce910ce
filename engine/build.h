/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Build: appends checked nodes to a graph, by call or by graph text.
 *
 * Gradient rules, passes, networks and lowering all build through it. The
 * first failure sticks (and its sentence is kept): later calls give
 * VALUE_NONE and do nothing, so that a rule is a few lines with one check at
 * its end. When `facts` is set, each appended node is shape-inferred at once
 * from the facts of its inputs and build_fact() knows every value.
 *
 * Ownership: borrows the graph; facts live in the graph's arena.
 * Threads:   one at a time.
 */
#ifndef ENGINE_BUILD_H
#define ENGINE_BUILD_H

#include "engine/facts.h"
#include "engine/op.h"

struct build {
	struct graph *graph;
	struct facts *facts; /**< NULL: no inference while building */
	const char *prefix;  /**< of node names; NULL: "" */
	enum err_code code;  /**< sticky */
	struct err err;
};

void build_init(struct build *build, struct graph *graph, struct facts *facts);
/** The sticky failure. */
MUST_USE enum err_code build_check(const struct build *build, struct err *err);

/** Node by name (build_find), with defaults or attrs; returns
 * its first output. in may hold VALUE_NONE. */
int32_t build_node(struct build *build, const char *op, const void *attrs,
		   const int32_t *in, unsigned n_in);
/** The same with n_out outputs; out[i] VALUE_NONE on failure. */
void build_nodes(struct build *build, const char *op, const void *attrs,
		 const int32_t *in, unsigned n_in, int32_t *out,
		 unsigned n_out);
/** The same by row. */
void build_row(struct build *build, const struct op *op, const void *attrs,
	       const int32_t *in, unsigned n_in, int32_t *out, unsigned n_out);
/** The row that a name in texts and calls stands for: "Conv" (domain "" or
 * "predictd"), "com.microsoft.Gelu"; NULL when there is none. */
const struct op *build_find(const char *name);
int32_t build_1(struct build *build, const char *op, int32_t a);
int32_t build_2(struct build *build, const char *op, int32_t a, int32_t b);

int32_t build_const(struct build *build, const struct tensor_view *view);
/** A scalar of that type, which is not string. */
int32_t build_scalar(struct build *build, enum dtype dtype, double value);
/** int64 vector. */
int32_t build_ints(struct build *build, const int64_t *list, size_t n);

/** One binding of a name in graph text to a value. */
struct build_name {
	const char *name;
	int32_t value;
};
/** Appends the statements of `text`; names that it reads must be among
 * `bound`; attributes written as `name=@other` copy the member `other` of
 * `attrs_of`'s attributes. After it, each entry of `want` has its value
 * (VALUE_NONE when the text does not define it). */
void build_text(struct build *build, const char *text,
		const struct build_name *bound, size_t n_bound,
		const struct graph_node *attrs_of, struct build_name *want,
		size_t n_want);

/** The fact of a value; has_shape false when it is not known. */
const struct fact *build_fact(const struct build *build, int32_t value);

#endif
