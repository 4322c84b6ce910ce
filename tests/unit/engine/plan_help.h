/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What tests of plans and instances share: a graph from text, a plan for it,
 * inputs with numbers, and a run compared with the interpreter's.
 */
#ifndef TESTS_ENGINE_PLAN_HELP_H
#define TESTS_ENGINE_PLAN_HELP_H

#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "engine/plan_priv.h"

struct bench {
	struct graph *graph;
	struct fact *input;
	struct plan *plan;
	struct instance *instance;
	struct arena *known; /* values of bench_plan_known() */
	struct err err;
};

/** Parses and types; asserts. */
void bench_parse(struct bench *bench, const char *text);
/** Plans and makes an instance; asserts, and checks the plan's bytes. */
void bench_plan(struct bench *bench, const struct plan_options *options);
/** Plans with every pass, as serving does, and makes no instance. Inputs from
 * number `first` on have known values: small numbers that differ. */
void bench_plan_known(struct bench *bench, const struct plan_options *options,
		      unsigned first);
void bench_finish(struct bench *bench);

/** Numbers that a seed gives, of the type of each input. */
void bench_fill(struct bench *bench, unsigned seed);
/** Runs both; outputs (and variables, from the same start) must have equal
 * bits. */
void bench_compare(struct bench *bench, struct team *team);
const float *bench_floats(struct bench *bench, unsigned output);

/** A graph of n nodes by chance; the text lies in the buffer. */
void bench_random(unsigned seed, int n_nodes, char *text, size_t cap);

#endif
