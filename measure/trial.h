/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trial: a model file, planned for given inputs and run in this process.
 *
 * The same loader, plans and team that serve requests, without HTTP.
 *
 * Ownership: open/close. Inputs are copied.
 * Threads:   one caller; its pool's helpers come and go inside a run.
 */
#ifndef MEASURE_TRIAL_H
#define MEASURE_TRIAL_H

#include "engine/instance.h"
#include "engine/tuner.h"
#include "models/package.h"

struct args;
struct plan_cache;

enum { TRIAL_MAX_PORTS = 256, TRIAL_MAX_THREADS = TEAM_MAX + 1 };

struct trial {
	struct package *package;
	struct tuning *tuning; /**< NULL: off */
	struct tuner *tuner;   /**< of the plans */
	struct plan_cache *plans;
	struct instance *instance; /**< NULL before trial_prepare() */
	struct pool *pool;
	unsigned threads;
};

/** Once, after doc_init() and before anything else here. */
MUST_USE enum err_code trial_init(struct err *err);

struct trial_options {
	unsigned threads;
	struct pass_switch passes;
	bool strict_numerics;
	bool tunes;		 /**< as predictd does at load */
	const char *tuning_file; /**< NULL: what it finds is not kept */
	enum precision precision;
	const char *calibration; /**< NULL: random rows */
};
/** Rows of a command's flags, and how its usage names them. */
#define TRIAL_FLAGS                                                            \
	{ "passes", "LIST",                                                    \
	  "graph passes off (-NAME) or on (NAME), by commas" },                \
	    { "strict-numerics", NULL,                                         \
	      "no convolution by Winograd's method" },                         \
	    { "tuning", "load|off",                                            \
	      "measure kernels before they are chosen, or predict them" },     \
	    { "tuning-file", "FILE", "keep what was measured for next time" }, \
	    { "precision", "P", "fp32, bf16 or int8 (fp32)" },                 \
	{                                                                      \
		"calibration", "PATH",                                         \
		    "rows for int8: a folder of tensors, or one file"          \
	}
#define TRIAL_USAGE                                                \
	"[--passes LIST] [--strict-numerics] [--tuning load|off] " \
	"[--tuning-file FILE] [--precision P] [--calibration PATH]"
/** What those flags say over what *ret holds; threads stay as they are. */
struct args;
MUST_USE enum err_code trial_read_flags(const struct args *args,
					struct trial_options *ret,
					struct err *err);
struct json_writer;
/** Members of an object: the precision and how far it is from fp32. */
void trial_write_precision(const struct trial *trial, struct json_writer *w);
MUST_USE enum err_code trial_open(const char *path,
				  const struct trial_options *options,
				  struct trial *ret_trial, struct err *err);
/** input[i] is for input number i: checked against the signature, planned for
 * and copied. */
MUST_USE enum err_code trial_prepare(struct trial *trial,
				     const struct tensor_view *input,
				     struct err *err);
MUST_USE enum err_code trial_run(struct trial *trial, struct err *err);
/** Twice is fine. */
void trial_close(struct trial *trial);

#endif
