/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Precision: the numbers that a served model computes in.
 *
 *	fp32   as the model is
 *	bf16   weights and what layers read in bfloat16, sums in float; where
 *the CPU has no such arithmetic, weights are rounded to bfloat16 and everything
 *is computed in float int8   weights and what layers read in bytes, sums in
 *int32, by scales that calibration finds: rows are run in fp32 and ranges seen
 *
 * README.md has the rules of what becomes narrow. The report tells how far the
 * outputs are from fp32 on the same rows.
 *
 * Ownership: the graph is changed in place; rows are borrowed for the call.
 * Threads:   one writer of the graph.
 * Limits:    PRECISION_ROWS_MAX rows.
 */
#ifndef ENGINE_PRECISION_PRECISION_H
#define ENGINE_PRECISION_PRECISION_H

#include "engine/plan.h"

enum precision {
	PRECISION_FP32,
	PRECISION_BF16,
	PRECISION_INT8,
	PRECISION_N_KINDS
};

enum { PRECISION_ROWS_MAX = 128 };

/** What the CPU multiplies by itself. */
struct precision_cpu {
	bool has_bytes, has_bf16;
};

struct precision_options {
	enum precision precision;
	struct precision_cpu cpu;
	/** row[i][k]: input k of run i, in shapes that go together. bf16 may do
	 * without rows, and then reports no deviation. */
	unsigned n_rows;
	const struct tensor_view *const *row;
	/** Of the plans that will serve. */
	struct plan_options plan;
};

struct precision_report {
	enum precision precision;
	bool is_narrow;	   /**< false: fp32 arithmetic, bf16 by weights alone */
	unsigned n_layers; /**< convolutions and products by constants */
	unsigned n_narrow; /**< of them in that precision */
	unsigned n_rows;   /**< compared: 256 MiB of outputs at most */
	/** Over all float outputs and rows: the largest difference from fp32
	 * and the largest number of fp32. */
	double deviation, largest;
};

/** "fp32", "bf16", "int8". */
const char *precision_name(enum precision precision);
/** ERR_INVALID names the nearest. */
MUST_USE enum err_code precision_parse(const char *name,
				       enum precision *ret_precision,
				       struct err *err);
/** What this CPU does through the libraries that we use. */
struct precision_cpu precision_cpu(void);

/** ERR_UNSUPPORTED: there is no layer that could become narrow. */
MUST_USE enum err_code precision_apply(struct graph *graph,
				       const struct precision_options *options,
				       struct precision_report *ret_report,
				       struct err *err);

struct buf;
/** One line of a report, without an end of line. */
void precision_print(const struct precision_report *report, struct buf *buf);

#endif
