/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Vocabulary: tokens and their numbers.
 *
 * Number 0 is what is not in it, 1 what fills a text up. The others are the
 * most frequent tokens of the training part, the most frequent first, those of
 * the same count in the order of their bytes: the same text gives the same
 * numbers anywhere.
 *
 * Ownership: everything lies in the arena handed in.
 * Threads:   one while it counts; a fitted one is read only.
 * Limits:    VOCABULARY_MAX tokens are told apart.
 */
#ifndef DATA_FEATURES_VOCABULARY_H
#define DATA_FEATURES_VOCABULARY_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/field.h"
#include "data/features/token.h"

enum { VOCABULARY_UNKNOWN, VOCABULARY_PADDING, VOCABULARY_SPECIALS };
enum { VOCABULARY_MAX = 1000000 };

struct vocabulary_entry {
	struct token token;
	int64_t count; /**< while it counts */
};

struct vocabulary {
	struct arena *arena;
	struct vocabulary_entry *entry; /**< [n] */
	size_t n, cap;
	uint32_t *slot; /**< entry + 1; 0: free */
	size_t n_slots; /**< a power of two */
};

/** What may go into one. */
struct vocabulary_limits {
	int64_t size; /**< with the specials */
	int64_t least_count;
};

/** Empty, ready to count. */
void vocabulary_init(struct vocabulary *vocabulary, struct arena *arena);
/** One more of this token. A token with a NUL is not counted. */
MUST_USE enum err_code vocabulary_count(struct vocabulary *vocabulary,
					struct token token, struct err *err);
/** The numbers of what was counted, as a list of strings. */
MUST_USE enum err_code vocabulary_fit(struct vocabulary *vocabulary,
				      const struct vocabulary_limits *limits,
				      struct field_strings *ret_list,
				      struct err *err);
/** From such a list, which may come from anywhere: ERR_INVALID where it does
 * not begin with the specials, or has a token twice. */
MUST_USE enum err_code vocabulary_set(struct vocabulary *vocabulary,
				      const struct field_strings *list,
				      struct err *err);
/** VOCABULARY_UNKNOWN where it is not in it. */
int64_t vocabulary_find(const struct vocabulary *vocabulary,
			struct token token);
#endif
