/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The operator row: everything the engine knows of an operator.
 *
 * A row knows one form, the newest of ONNX; older and foreign forms are
 * spellings (engine/spelling.h), lowered at import. Everything that can fail
 * happens in infer() and in a kernel's prepare(), before arithmetic. One file
 * in engine/ops/ holds a family: formula, shapes, kernels, gradient, cases;
 * the const rows stand last. ops.def lists all rows in name order.
 *
 * Ownership: rows are const and live for ever.
 * Threads:   read only.
 */
#ifndef ENGINE_OP_H
#define ENGINE_OP_H

#include "engine/graph.h"

/* clang-format off */
struct attr_ints { size_t n; const int64_t *v; };
struct attr_floats { size_t n; const float *v; };
struct attr_strings { size_t n; const struct str *v; };
/* clang-format on */

enum attr_kind {
	ATTR_INT,     /* int64_t */
	ATTR_FLOAT,   /* double */
	ATTR_STRING,  /* const char *; default def_text, which may be NULL */
	ATTR_INTS,    /* struct attr_ints; n 0 when absent */
	ATTR_FLOATS,  /* struct attr_floats */
	ATTR_STRINGS, /* struct attr_strings */
	ATTR_TENSOR,  /* const struct tensor_view *, NULL when absent */
};
enum attr_flag { ATTR_REQUIRED = 1 };

/** Describes one member of the attrs struct; a list ends with a NULL name. */
struct op_attr {
	const char *name, *help;
	size_t offset;
	enum attr_kind kind;
	unsigned flags;
	double min, max; /**< of numbers and of list members; both 0: any */
	double def;
	const char *def_text;
};

/** What is known of a value when planning. */
struct fact {
	struct type type;
	struct shape shape;
	bool has_shape;	   /**< false: only a run can tell */
	const void *value; /**< its elements where known now, else NULL */
};

/** Input or output. `types` is "float", "T:float,double", "T:arith", "T" for
 * the letter given before, "@to" for the type an attribute gives: see
 * engine/port.h. The same letter is the same type. */
struct port {
	const char *name, *types;
	unsigned flags;
};
enum port_flag { PORT_OPTIONAL = 1, PORT_VARIADIC = 2 /* the last one only */ };

struct infer {
	const void *attrs;
	const char *node_name;
	unsigned n_in, n_out; /**< absent optional ones have elem DTYPE_NONE */
	const struct fact *in;
	struct fact *out; /**< types are there; fill shape, set has_shape */
};

/** Tests, documentation and fuzz seeds at once.
 * graph: "y = Conv<pads=[1,1,1,1]>(x:float[1,3,8,8], w:float[4,3,3,3])".
 * Inputs are drawn from N(0,1) (integers from 0..3, bool 0/1), `kink` away
 * from 0; "x:int64[2]={1,0}" gives values. want: the code that infer() or
 * prepare() must give. tolerance 0: the default. */
struct op_case {
	const char *name, *graph;
	enum err_code want;
	double kink, tolerance;
};

enum op_flag {
	OP_COMMUTES = 1,
	OP_NO_GRADIENT = 2, /**< Shape, ArgMax: gradients end here */
	OP_DYNAMIC = 4,	    /**< the result's shape is known only by running */
	OP_MOVES = 8,	    /**< kernels see only element sizes: any type */
	OP_ZERO_STAYS_ZERO = 16,
	OP_IMPURE = 32,	  /**< no CSE, no folding */
	OP_ANY_TYPE = 64, /**< kernels take every type: not widened */
	OP_VIEW = 128,	  /**< out 0 is in 0's bytes under another shape */
};

struct kernel;
struct vjp;
struct evaluate;

struct op {
	const char *domain; /**< "", "com.microsoft"; "predictd" is ours */
	const char *name, *help;
	uint16_t since; /**< first opset in which this form is valid */
	unsigned flags;
	uint32_t value_inputs; /**< bit i: input i's VALUE decides a shape */
	const struct port *in, *out; /**< end with a NULL name */
	const struct op_attr *attrs; /**< NULL or ends with a NULL name */
	size_t attrs_size;
	enum err_code (*infer)(struct infer *infer, struct err *err);
	/** Best first, the reference last, then NULL. */
	const struct kernel *const *kernels;
	/** In place of kernels: see engine/evaluate.h. */
	enum err_code (*evaluate)(struct evaluate *call, struct err *err);
	/** Types of outputs where ports cannot tell; ports of outputs are then
	 * for their number only. */
	enum err_code (*type)(const struct graph_node *node,
			      const struct type *in, struct type *out,
			      unsigned n_out, struct err *err);
	const char *const *bodies; /**< attributes that are graphs, or NULL */
	const char *body;	   /**< graph text: runs without kernels */
	const char *grad; /**< graph text: "dA = SumTo(Mul(dC, B), A); ..." */
	enum err_code (*vjp)(struct vjp *vjp, struct err *err);
	const struct op_case *cases; /**< end with a NULL name */
};

/** Row by domain and name, or NULL. */
const struct op *op_find(const char *domain, const char *name);
/** Rows in order; NULL when i is past the end. */
const struct op *op_at(size_t i);

/** Fills a struct with the defaults of a table. */
void op_attr_defaults(const struct op_attr *attrs, void *into);

/* Helpers for infer(): each returns the code. */
/** out 0 has in 0's shape. */
enum err_code infer_same(struct infer *infer, struct err *err);
/** out 0 is the broadcast of all inputs. */
enum err_code infer_broadcast(struct infer *infer, struct err *err);
/** ERR_INVALID where out 0, typed by an attribute, is of texts or complex. */
enum err_code infer_real(const struct infer *infer, struct err *err);
/** Refusal that begins with operator input names: "input 'X' ...". */
#define infer_fail(err, ...) err_set((err), ERR_SHAPE, __VA_ARGS__)
/** Reads a known integer value (int32 or int64) of input i into list (at most
 * SHAPE_MAX_RANK); ERR_SHAPE when it is too long, ERR_UNSUPPORTED when it is
 * not known. An absent input gives *ret_n = 0 and returns ERR_NONE. */
MUST_USE enum err_code infer_ints(const struct infer *infer, unsigned i,
				  int64_t list[SHAPE_MAX_RANK], size_t *ret_n,
				  struct err *err);

#endif
