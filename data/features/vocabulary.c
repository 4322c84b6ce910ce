/* SPDX-License-Identifier: Apache-2.0 */
#include "data/features/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* as fastai writes them */
static const char *const special[VOCABULARY_SPECIALS] = {
	[VOCABULARY_UNKNOWN] = "xxunk",
	[VOCABULARY_PADDING] = "xxpad",
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "vocabulary: out of memory");
}

void vocabulary_init(struct vocabulary *vocabulary, struct arena *arena)
{
	*vocabulary = (struct vocabulary){ .arena = arena };
}

/* --- the table --- */

static size_t hash(struct token token)
{
	const uint64_t h = hash_mix(HASH_BEGIN, token.bytes, token.len);

	return (size_t)(h ^ (h >> 32)); /* folded */
}

static bool is_same(struct token a, struct token b)
{
	return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

/* Where the token is, or would be; there is always a free slot. */
static uint32_t *find_slot(const struct vocabulary *v, struct token token)
{
	size_t at = hash(token) & (v->n_slots - 1);

	while (v->slot[at] && !is_same(v->entry[v->slot[at] - 1].token, token))
		at = (at + 1) & (v->n_slots - 1);
	return &v->slot[at];
}

static void fill_slots(struct vocabulary *v)
{
	memset(v->slot, 0, v->n_slots * sizeof(*v->slot));
	for (size_t i = 0; i < v->n; i++)
		*find_slot(v, v->entry[i].token) = (uint32_t)(i + 1);
}

/* Room for one more: a quarter of the slots is in use at most. */
static enum err_code grow(struct vocabulary *v, struct err *err)
{
	const size_t cap = v->cap ? 2 * v->cap : 128;
	struct vocabulary_entry *entry;
	uint32_t *slot;

	if (v->n < v->cap)
		return ERR_NONE;
	entry = arena_array(v->arena, cap, sizeof(*entry));
	slot = arena_array(v->arena, 4 * cap, sizeof(*slot));
	if (!entry || !slot)
		return no_memory(err);
	if (v->n)
		memcpy(entry, v->entry, v->n * sizeof(*entry));
	v->entry = entry;
	v->cap = cap;
	v->slot = slot;
	v->n_slots = 4 * cap;
	fill_slots(v);
	return ERR_NONE;
}

static enum err_code add(struct vocabulary *v, struct token token,
			 int64_t count, struct err *err)
{
	char *bytes;
	enum err_code rc = grow(v, err);

	if (rc)
		return rc;
	bytes = arena_strndup(v->arena, token.bytes, token.len);
	if (!bytes)
		return no_memory(err);
	token.bytes = bytes;
	*find_slot(v, token) = (uint32_t)(v->n + 1);
	v->entry[v->n++] = (struct vocabulary_entry){ token, count };
	return ERR_NONE;
}

/* --- fitting --- */

enum err_code vocabulary_count(struct vocabulary *vocabulary,
			       struct token token, struct err *err)
{
	uint32_t *slot;

	/* lists of strings, which end with NUL, could not hold it */
	if (!token.len || memchr(token.bytes, '\0', token.len))
		return ERR_NONE;
	slot = vocabulary->n ? find_slot(vocabulary, token) : NULL;
	if (slot && *slot) {
		vocabulary->entry[*slot - 1].count++;
		return ERR_NONE;
	}
	if (vocabulary->n >= VOCABULARY_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "vocabulary: more than %d different tokens",
			       (int)VOCABULARY_MAX);
	return add(vocabulary, token, 1, err);
}

static int by_count(const void *a, const void *b)
{
	const struct vocabulary_entry *x = a, *y = b;
	const size_t len =
	    x->token.len < y->token.len ? x->token.len : y->token.len;
	int order;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	order = memcmp(x->token.bytes, y->token.bytes, len);
	return order ? order
		     : (x->token.len > y->token.len) -
			   (x->token.len < y->token.len);
}

static bool is_special(struct token token)
{
	for (int i = 0; i < VOCABULARY_SPECIALS; i++) {
		const struct token one = { special[i], strlen(special[i]) };

		if (is_same(token, one))
			return true;
	}
	return false;
}

enum err_code vocabulary_fit(struct vocabulary *vocabulary,
			     const struct vocabulary_limits *limits,
			     struct field_strings *ret_list, struct err *err)
{
	struct vocabulary *v = vocabulary;
	const char **list =
	    arena_array(v->arena, v->n + VOCABULARY_SPECIALS, sizeof(*list));
	size_t n = 0;

	if (!list)
		return no_memory(err);
	for (; n < VOCABULARY_SPECIALS; n++)
		list[n] = special[n];
	if (v->n)
		qsort(v->entry, v->n, sizeof(*v->entry), by_count);
	for (size_t i = 0; i < v->n && (int64_t)n < limits->size; i++) {
		if (v->entry[i].count < limits->least_count)
			break;
		if (!is_special(v->entry[i].token))
			list[n++] = v->entry[i].token.bytes;
	}
	*ret_list = (struct field_strings){ n, list };
	return vocabulary_set(v, ret_list, err);
}

enum err_code vocabulary_set(struct vocabulary *vocabulary,
			     const struct field_strings *list, struct err *err)
{
	struct vocabulary v = { .arena = vocabulary->arena };
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < VOCABULARY_SPECIALS; i++) {
		if (i >= list->n || !str_equal(list->v[i], special[i]))
			return err_set(err, ERR_INVALID,
				       "vocabulary: entry %zu must be '%s'", i,
				       special[i]);
	}
	if (list->n > VOCABULARY_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "vocabulary: more than %d tokens",
			       (int)VOCABULARY_MAX);
	for (size_t i = 0; i < list->n && !rc; i++) {
		const struct token token = { list->v[i], strlen(list->v[i]) };

		if (v.n && *find_slot(&v, token))
			return err_set(err, ERR_INVALID,
				       "vocabulary: the token '%.64s' is given "
				       "twice",
				       token.bytes);
		rc = add(&v, token, 0, err);
	}
	if (!rc)
		*vocabulary = v;
	return rc;
}

int64_t vocabulary_find(const struct vocabulary *vocabulary, struct token token)
{
	const uint32_t slot = vocabulary->n ? *find_slot(vocabulary, token) : 0;

	return slot ? (int64_t)slot - 1 : VOCABULARY_UNKNOWN;
}
