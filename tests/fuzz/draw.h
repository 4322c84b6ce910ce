/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Draw: decisions out of a fuzzer's bytes, one after the other.
 *
 * Where the bytes end every draw gives 0, which always stands for the plain
 * choice: a short input is a plain one.
 *
 * Threads: plain data.
 */
#ifndef TESTS_FUZZ_DRAW_H
#define TESTS_FUZZ_DRAW_H

#include "engine/attr.h"

struct draw {
	const uint8_t *at, *end;
};

uint8_t draw_byte(struct draw *draw);
/** From 0 to n - 1; n from 1 to 65536. */
unsigned draw_below(struct draw *draw, unsigned n);
/** True once in n; n from 2 to 256. */
bool draw_chance(struct draw *draw, unsigned n);
/** An extent: small ones mostly, 0 and absurd ones at times. */
int64_t draw_extent(struct draw *draw);
/** A number: small ones mostly, negative and absurd ones at times. */
int64_t draw_int(struct draw *draw);
double draw_float(struct draw *draw);
enum dtype draw_dtype(struct draw *draw);

/** n elements: N(0,1), integers from 0 to 3; in one of eight cases numbers
 * that draw_int() and draw_float() give are among them. */
void draw_elements(struct draw *draw, enum dtype dtype, void *data, int64_t n);
/** Other numbers for some of n elements. */
void draw_over(struct draw *draw, enum dtype dtype, void *data, int64_t n);

/** A value of a kind, its lists in the arena. `names` are words that texts are
 * taken from; false: out of memory. */
struct draw_words {
	const char *const *word;
	unsigned n;
};
bool draw_attr(struct draw *draw, enum attr_kind kind,
	       const struct draw_words *words, struct arena *arena,
	       struct attr_value *ret);
/** Changes a value a little: a member, the length of a list, the kind. */
bool draw_attr_over(struct draw *draw, const struct draw_words *words,
		    struct arena *arena, struct attr_value *value);

#endif
