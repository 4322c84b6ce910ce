/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "server/model_cache_priv.h"

const char *model_state_name(enum model_state state)
{
	static const char *const names[] = { "READY", "UNAVAILABLE", "LOADING",
					     "UNLOADING" };

	return names[state];
}

/* Where the name is, or where it would be put. */
static size_t place_of(const struct model_cache *cache, const char *name)
{
	size_t low = 0, high = cache->n;

	while (low < high) {
		const size_t mid = (low + high) / 2;

		if (strcmp(cache->entry[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct model_entry *model_table_find(const struct model_cache *cache,
				     const char *name)
{
	const size_t i = place_of(cache, name);

	return i < cache->n && strcmp(cache->entry[i]->name, name) == 0
		   ? cache->entry[i]
		   : NULL;
}

static struct model_entry *entry_create(const char *name)
{
	struct model_entry *entry = mem_zero(sizeof(*entry));

	if (!entry)
		return NULL;
	entry->name = mem_strdup(name);
	if (entry->name)
		return entry;
	mem_free(entry);
	return NULL;
}

static bool grow(struct model_cache *cache)
{
	const size_t cap = cache->cap ? 2 * cache->cap : 16;
	struct model_entry **grown;

	if (cache->n < cache->cap)
		return true;
	grown = mem_resize(cache->entry, cap, sizeof(void *));
	if (!grown)
		return false;
	cache->entry = grown;
	cache->cap = cap;
	return true;
}

/* --- what was chosen of models that are not there --- */

static void forget_choice(struct model_cache *cache, size_t i)
{
	mem_free(cache->choice[i].name);
	cache->n_choices--;
	memmove(cache->choice + i, cache->choice + i + 1,
		(cache->n_choices - i) * sizeof(*cache->choice));
}

/* Takes it: 0 when there is none. */
static int64_t recall(struct model_cache *cache, const char *name)
{
	int64_t version = 0;

	for (size_t i = cache->n_choices; i-- > 0;)
		if (strcmp(cache->choice[i].name, name) == 0) {
			version = cache->choice[i].version;
			forget_choice(cache, i);
		}
	return version;
}

void model_table_remember(struct model_cache *cache, const char *name,
			  int64_t version)
{
	char *copy = version ? mem_strdup(name) : NULL;

	(void)recall(cache, name);
	if (!copy)
		return;
	if (cache->n_choices == MODEL_CHOICES)
		forget_choice(cache, 0);
	cache->choice[cache->n_choices++] =
	    (struct model_choice){ copy, version };
}

void model_table_finish(struct model_cache *cache)
{
	for (size_t i = 0; i < cache->n; i++)
		model_entry_destroy(cache->entry[i]);
	mem_free(cache->entry);
	while (cache->n_choices)
		forget_choice(cache, cache->n_choices - 1);
}

struct model_entry *model_table_add(struct model_cache *cache, const char *name)
{
	struct model_entry *entry = model_table_find(cache, name);
	const size_t i = place_of(cache, name);

	if (entry || !grow(cache))
		return entry;
	entry = entry_create(name);
	if (!entry)
		return NULL;
	entry->default_version = recall(cache, name);
	memmove(cache->entry + i + 1, cache->entry + i,
		(cache->n - i) * sizeof(void *));
	cache->entry[i] = entry;
	cache->n++;
	return entry;
}

void model_table_remove(struct model_cache *cache, struct model_entry *entry)
{
	const size_t i = place_of(cache, entry->name);

	model_table_remember(cache, entry->name, entry->default_version);
	cache->n--;
	memmove(cache->entry + i, cache->entry + i + 1,
		(cache->n - i) * sizeof(void *));
}

struct model_slot *model_entry_find(const struct model_entry *entry,
				    int64_t version)
{
	for (size_t i = 0; i < entry->n; i++)
		if (entry->slot[i].version == version)
			return &entry->slot[i];
	return NULL;
}

void model_slot_explain(struct model_slot *slot, const char *reason)
{
	mem_free(slot->reason);
	slot->reason = *reason ? mem_strdup(reason) : NULL;
}

struct sequences *model_slots_sequences(const struct model_slot *slots,
					size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (slots[i].model && slots[i].model->sequences)
			return slots[i].model->sequences;
	return NULL;
}

void model_slot_finish(struct model_slot *slot)
{
	served_model_unref(slot->model);
	model_stats_unref(slot->stats);
	mem_free(slot->reason);
	*slot = (struct model_slot){ 0 };
}

static void free_labels(struct model_label *label, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		union {
			const char *name;
			void *owned; /* by the entry */
		} at = { label[i].name };

		mem_free(at.owned);
	}
	mem_free(label);
}

void model_entry_set_labels(struct model_entry *entry,
			    const struct model_label *label, size_t n)
{
	struct model_label *copy = mem_array(n + 1, sizeof(*copy));
	size_t n_copied = 0;

	free_labels(entry->label, entry->n_labels);
	entry->label = copy;
	for (size_t i = 0; copy && i < n; i++) {
		copy[n_copied].name = mem_strdup(label[i].name);
		copy[n_copied].version = label[i].version;
		n_copied += copy[n_copied].name != NULL;
	}
	entry->n_labels = n_copied;
}

void model_entry_set_policy(struct model_entry *entry,
			    const struct model_policy *policy)
{
	const size_t n = policy->specific.n;
	int64_t *copy = mem_array(n + 1, sizeof(*copy));

	mem_free(entry->policy.specific.v);
	entry->policy = *policy;
	entry->policy.specific.v = copy;
	entry->policy.specific.n = copy ? n : 0;
	if (copy && n)
		memcpy(copy, policy->specific.v, n * sizeof(*copy));
}

bool model_entry_is_loaded(const struct model_entry *entry)
{
	for (size_t i = 0; i < entry->n; i++)
		if (entry->slot[i].model)
			return true;
	return false;
}

void model_entry_destroy(struct model_entry *entry)
{
	if (!entry)
		return;
	free_labels(entry->label, entry->n_labels);
	mem_free(entry->policy.specific.v);
	mem_free(entry->override);
	for (size_t i = 0; i < entry->n; i++)
		model_slot_finish(&entry->slot[i]);
	mem_free(entry->slot);
	mem_free(entry->name);
	mem_free(entry);
}
