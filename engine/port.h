/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Port: checks element types of operands against an operator's ports.
 *
 * A port's types are a list ("float,double"), a group ("any", "arith",
 * "floats", "ints"), a letter with either ("T:float,double"), or a letter
 * given before ("T"). Operands of one letter have one type; a variadic port
 * with a letter wants one type of all its operands, one without takes a
 * mixture. "seq(T)" and "optional(T)" wrap a type; "all" is any tensor,
 * sequence or optional.
 *
 * Groups: any (every tensor type), arith (ints, float, double, float16,
 * bfloat16), floats (float, double, float16, bfloat16 and the four float8),
 * ints (8 to 64 bits, signed or not).
 *
 * Output types follow from letters or from the one type that a port allows;
 * "S|T" is the type of S or, where no operand has it, that of T.
 * "@to" is the type that an attribute gives (an ONNX type number, or a
 * tensor's type, or the kind of a list that is not empty: string, int64,
 * float); "@a@b" asks one after the other; "@dtype:T" and "@value:float" say
 * what holds when none gives one, "@dtype:T:uint8" what holds when T has no
 * operand either.
 *
 * Threads: pure functions over const rows.
 */
#ifndef ENGINE_PORT_H
#define ENGINE_PORT_H

#include "engine/op.h"

/** How many operands a row's list of ports takes. *ret_max is INT32_MAX when
 * the last port is variadic. */
void port_counts(const struct port *ports, int32_t *ret_min, int32_t *ret_max);
/** The port of operand i: the last one for all variadic operands; NULL past
 * the end. */
const struct port *port_at(const struct port *ports, int32_t i);
/** True when that input port of op takes tensors of this element type, letters
 * set aside. */
bool port_accepts(const struct op *op, const struct port *port,
		  enum dtype elem);

/** Checks input types and sets output types. Absent operands have elem
 * DTYPE_NONE. in holds n_in and out n_out types; node gives the attributes.
 * ERR_INVALID names node, operator, port, what it takes and what came. */
MUST_USE enum err_code port_unify(const struct op *op,
				  const struct graph_node *node,
				  const struct type *in, unsigned n_in,
				  struct type *out, unsigned n_out,
				  const char *node_name, struct err *err);

/** A row's mistakes: letters without a definition, unknown types, variadic
 * ports that are not last. For tests. */
MUST_USE enum err_code port_check_row(const struct op *op, struct err *err);

#endif
