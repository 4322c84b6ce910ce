/* SPDX-License-Identifier: Apache-2.0 */
#include "data/features/label_table.h"

#include <string.h>

#include "base/hash.h"
#include "base/str.h"

static size_t hash(const char *label)
{
	const uint64_t h = hash_mix(HASH_BEGIN, label, strlen(label));

	return (size_t)(h ^ (h >> 32)); /* folded */
}

/* Where the label is, or would be; there is always a free slot. */
static uint32_t *find_slot(const struct label_table *t, const char *label)
{
	size_t at = hash(label) & (t->n_slots - 1);

	while (t->slot[at] && !str_equal(t->label[t->slot[at] - 1], label))
		at = (at + 1) & (t->n_slots - 1);
	return &t->slot[at];
}

int64_t label_table_find(const struct label_table *table, const char *label)
{
	return table->n_slots ? (int64_t)*find_slot(table, label) - 1 : -1;
}

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "labels: out of memory");
}

/* Room for one more: a quarter of the slots is in use at most. */
static enum err_code grow(struct label_table *t, struct arena *arena,
			  struct err *err)
{
	const size_t cap = t->cap ? 2 * t->cap : 64;
	const char **label;
	uint32_t *slot;

	if (t->n < t->cap)
		return ERR_NONE;
	label = arena_array(arena, cap, sizeof(*label));
	slot = arena_array(arena, 4 * cap, sizeof(*slot));
	if (!label || !slot)
		return no_memory(err);
	if (t->n)
		memcpy(label, t->label, t->n * sizeof(*label));
	memset(slot, 0, 4 * cap * sizeof(*slot));
	*t = (struct label_table){ label, t->n, cap, slot, 4 * cap };
	for (size_t i = 0; i < t->n; i++)
		*find_slot(t, t->label[i]) = (uint32_t)(i + 1);
	return ERR_NONE;
}

enum err_code label_table_add(struct label_table *table, const char *label,
			      struct arena *arena, struct err *err)
{
	const char *copy;
	enum err_code rc;

	if (label_table_find(table, label) >= 0)
		return ERR_NONE;
	if (table->n >= LABEL_TABLE_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "more than %d different labels",
			       (int)LABEL_TABLE_MAX);
	rc = grow(table, arena, err);
	if (rc)
		return rc;
	copy = arena_strdup(arena, label);
	if (!copy)
		return no_memory(err);
	*find_slot(table, label) = (uint32_t)(table->n + 1);
	table->label[table->n++] = copy;
	return ERR_NONE;
}
