/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Placing: an offset in one block for every area.
 *
 * Areas that live at the same time may not overlap. Each is put into the
 * smallest gap that holds it, below, between or above those already placed
 * that live at its time. In which order they come decides how good that is:
 * three orders are tried and the best is kept (largest first is within 1 % of
 * the bound for most networks, longest lifetime first wins where it is not).
 */
#include "engine/planner_priv.h"

struct item {
	size_t bytes, offset;
	int32_t first, last, area;
};

struct items {
	struct item *item; /* in the order of placing */
	struct item *set;  /* placed, by offset */
	size_t *offset;	   /* by area: of the best placing so far */
	size_t n, total, best, bound;
};

/** Ties are broken by number, so that a plan is the same every time. */
static int by_number(const struct item *a, const struct item *b)
{
	return (a->area > b->area) - (a->area < b->area);
}

static int by_size(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return by_number(a, b);
}

static int by_lifetime(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	const int32_t i = a->last - a->first, j = b->last - b->first;

	return i != j ? (i < j ? 1 : -1) : by_size(x, y);
}

static int by_start(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return by_size(x, y);
}

/** The smallest gap among those of `set` that live at the item's time. */
static size_t find_gap(const struct items *items, size_t n_set,
		       const struct item *item)
{
	size_t free_from = 0, best_at = 0, best_gap = SIZE_MAX;

	for (size_t i = 0; i < n_set; i++) {
		const struct item *other = &items->set[i];
		size_t gap;

		if (other->last < item->first || item->last < other->first)
			continue;
		if (other->offset > free_from) {
			gap = other->offset - free_from;
			if (gap >= item->bytes && gap < best_gap) {
				best_gap = gap;
				best_at = free_from;
			}
		}
		if (free_from < other->offset + other->bytes)
			free_from = other->offset + other->bytes;
	}
	return best_gap < SIZE_MAX ? best_at : free_from;
}

static void insert(struct items *items, size_t n_set, const struct item *item)
{
	size_t low = 0, high = n_set;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (items->set[middle].offset < item->offset)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(&items->set[low + 1], &items->set[low],
		(n_set - low) * sizeof(*item));
	items->set[low] = *item;
}

static void try_order(struct items *items,
		      int (*compare)(const void *x, const void *y))
{
	if (items->best == items->bound)
		return;
	qsort(items->item, items->n, sizeof(*items->item), compare);
	items->total = 0;
	for (size_t i = 0; i < items->n; i++) {
		struct item *item = &items->item[i];

		item->offset = find_gap(items, i, item);
		insert(items, i, item);
		if (items->total < item->offset + item->bytes)
			items->total = item->offset + item->bytes;
		if (items->total >= items->best)
			return;
	}
	items->best = items->total;
	for (size_t i = 0; i < items->n; i++)
		items->offset[items->item[i].area] = items->item[i].offset;
}

/** Most bytes alive at any one time: no placing can be better. */
static enum err_code find_bound(struct planner *p, struct items *items,
				struct err *err)
{
	const size_t n = (size_t)time_end(p) + 2;
	size_t *born = arena_array(p->arena, n, sizeof(*born));
	size_t *died = arena_array(p->arena, n, sizeof(*died));
	size_t live = 0;

	if (!born || !died)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	for (size_t i = 0; i < items->n; i++) {
		born[items->item[i].first] += items->item[i].bytes;
		died[items->item[i].last + 1] += items->item[i].bytes;
	}
	for (size_t t = 0; t < n; t++) {
		live += born[t] - died[t];
		if (items->bound < live)
			items->bound = live;
	}
	return ERR_NONE;
}

static enum err_code gather(struct planner *p, struct items *items,
			    struct err *err)
{
	const size_t n = (size_t)p->n_areas + 1;

	items->item = arena_array(p->arena, n, sizeof(*items->item));
	items->set = arena_array(p->arena, n, sizeof(*items->set));
	items->offset = arena_array(p->arena, n, sizeof(*items->offset));
	if (!items->item || !items->set || !items->offset)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	for (int32_t i = 0; i < p->n_areas; i++) {
		const struct area *area = &p->areas[i];
		const bool keep = p->plan->options.keep_all;

		if (area->parent >= 0 || area->fixed || !area->bytes)
			continue;
		items->item[items->n++] = (struct item){
			.bytes = plan_round(area->bytes),
			.first = keep ? 0 : area->first,
			.last = keep ? time_end(p) : area->last,
			.area = i,
		};
	}
	return ERR_NONE;
}

enum err_code plan_place(struct planner *p, struct err *err)
{
	struct plan_report *report = &p->plan->report;
	const size_t limit = p->plan->options.memory_limit;
	struct items items = { .best = SIZE_MAX };
	enum err_code rc = gather(p, &items, err);

	if (!rc)
		rc = find_bound(p, &items, err);
	if (rc)
		return rc;
	try_order(&items, by_size);
	try_order(&items, by_lifetime);
	try_order(&items, by_start);
	for (int32_t i = 0; i < p->n_areas; i++)
		p->areas[i].offset = items.offset[i];
	report->arena = items.n ? items.best : 0;
	report->arena_lower_bound = items.bound;
	if (limit && report->arena > limit)
		return err_set(err, ERR_TOO_LARGE,
			       "a run of these shapes takes %zu bytes, and "
			       "the memory limit is %zu",
			       report->arena, limit);
	return ERR_NONE;
}
