/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Maker: a random graph under way, shared by graph_draw.c (nodes),
 * source_draw.c (inputs, constants, variables) and body_draw.c (bodies of
 * nodes).
 *
 * Ownership: everything lives in the graph's arena.
 * Threads:   one at a time.
 */
#ifndef TESTS_FUZZ_MAKER_H
#define TESTS_FUZZ_MAKER_H

#include "engine/graph_body.h"
#include "tests/fuzz/graph_draw.h"

enum { POOL_MAX = 256, OPERANDS_MAX = 64, TRIPS_MAX = 20 };

struct maker {
	struct draw *draw;
	const struct seeds *seeds;
	struct build build;	/**< facts NULL: as files are read */
	int32_t pool[POOL_MAX]; /**< values that operands may be */
	unsigned n_pool;
	int64_t *room; /**< elements that may still be made */
	bool is_body;  /**< sources are constants, nodes have no bodies */
	struct drawn *drawn;
};

/** One seed on its way into the graph. */
struct cast {
	const struct seed *seed;
	int64_t from, to; /**< extents to change alike; from -1: none */
	bool is_loop;	  /**< its first source is a number of turns */
};

/** A value in place of the seed's source: an earlier one or a new one. */
int32_t maker_source(struct maker *maker, const struct cast *cast,
		     int32_t value);
/** Appends a seed's nodes; refusals leave the graph as it was. */
void maker_seed(struct maker *maker);
/** Bodies for the node made last. */
MUST_USE enum err_code maker_bodies(struct maker *maker, struct err *err);

#endif
