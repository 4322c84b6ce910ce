/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Placing: an offset in one block for every area.
 *
 * Areas that live at the same time may not overlap. Each is put into the
 * smallest gap that holds it, below, between or above those already placed
 * that live at its time. In which order they come decides how good that is:
 * three orders are tried and the best is kept (largest first is within 1 % of
 * the bound for most networks, longest lifetime first wins where it is not).
 *
 * Where memory is short (arena_goal), the parts of a Concat that are made in
 * its place are taken one by one, each from when it is made on: most of a flat
 * gradient is free for others during most of the way back.
 */
#include "engine/planner_priv.h"

struct item {
	size_t bytes, offset;
	int32_t first, last, area;
	int32_t first_piece, n_pieces; /* 0: all of it at once */
};

/* Bytes of an item from `shift` on, taken from time `first` on. */
struct piece {
	size_t shift, bytes;
	int32_t first;
};

struct items {
	struct item *item; /* in the order of placing */
	struct item *set;  /* placed, by offset; pieces one by one */
	struct piece *piece;
	size_t n_pieces;
	size_t *offset; /* by area: of the best placing so far */
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

/* Where memory is short, one more is worth its time. */
static int by_area(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	const size_t i = a->bytes * (size_t)(a->last - a->first + 1);
	const size_t j = b->bytes * (size_t)(b->last - b->first + 1);

	return i != j ? (i < j ? 1 : -1) : by_size(x, y);
}

static int by_end(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	if (a->last != b->last)
		return a->last < b->last ? 1 : -1;
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

/* How many are placed then. */
static size_t insert_pieces(struct items *items, size_t n_set,
			    const struct item *item)
{
	if (!item->n_pieces)
		insert(items, n_set++, item);
	for (int32_t i = 0; i < item->n_pieces; i++) {
		const struct piece *piece =
		    &items->piece[item->first_piece + i];
		struct item part = *item;

		part.offset += piece->shift;
		part.bytes = piece->bytes;
		part.first = piece->first;
		insert(items, n_set++, &part);
	}
	return n_set;
}

static void try_order(struct items *items,
		      int (*compare)(const void *x, const void *y))
{
	size_t n_set;

	if (items->best == items->bound)
		return;
	qsort(items->item, items->n, sizeof(*items->item), compare);
	items->total = n_set = 0;
	for (size_t i = 0; i < items->n; i++) {
		struct item *item = &items->item[i];

		item->offset = find_gap(items, n_set, item);
		n_set = insert_pieces(items, n_set, item);
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
		const struct item *item = &items->item[i];
		const struct piece *piece = items->piece + item->first_piece;

		if (!item->n_pieces)
			born[item->first] += item->bytes;
		for (int32_t j = 0; j < item->n_pieces; j++)
			born[piece[j].first] += piece[j].bytes;
		died[item->last + 1] += item->bytes;
	}
	for (size_t t = 0; t < n; t++) {
		live += born[t] - died[t];
		if (items->bound < live)
			items->bound = live;
	}
	return ERR_NONE;
}

/* When bytes [at, end) of a root are taken first: by what was joined into it,
 * or, where there is nothing, by a copy at `time`. */
static int32_t first_taken(struct planner *p, int32_t root, size_t at,
			   size_t end, int32_t time)
{
	for (int32_t i = 0; i < p->n_areas; i++) {
		const struct area *area = &p->areas[i];
		size_t shift;

		if (i == root || area->parent < 0 ||
		    area_root(p, i, &shift) != root || shift >= end ||
		    shift + area->bytes <= at)
			continue;
		if (time > area->first)
			time = area->first;
	}
	return time;
}

/* Pieces of the Concat that a root is, the last one with the round-up. */
static void cut_item(struct planner *p, struct items *items,
		     const struct graph_node *node, struct item *item)
{
	const int32_t number = (int32_t)(node - p->graph->node);
	size_t at = 0;

	item->first_piece = (int32_t)items->n_pieces;
	for (int32_t j = 0; j < node->n_in; j++) {
		const size_t bytes = fact_bytes(p, graph_in(p->graph, node)[j]);
		const bool is_last = j + 1 == node->n_in;

		if (!bytes && !is_last)
			continue;
		items->piece[items->n_pieces++] = (struct piece){
			.shift = at,
			.bytes = is_last ? item->bytes - at : bytes,
			.first = first_taken(p, item->area, at, at + bytes,
					     p->time[number]),
		};
		at += bytes;
	}
	item->n_pieces = (int32_t)items->n_pieces - item->first_piece;
}

static void cut_concats(struct planner *p, struct items *items)
{
	for (int32_t i = 0; i < p->n_order; i++) {
		const struct graph_node *node = &p->graph->node[p->order[i]];
		size_t at;
		int32_t root;

		if (p->fate[p->order[i]] != FATE_PIECES)
			continue;
		root = value_root(p, graph_out(p->graph, node)[0], &at);
		for (size_t j = 0; j < items->n && at == 0; j++)
			if (items->item[j].area == root &&
			    !items->item[j].n_pieces &&
			    p->areas[root].bytes ==
				fact_bytes(p, graph_out(p->graph, node)[0]))
				cut_item(p, items, node, &items->item[j]);
	}
}

static enum err_code gather(struct planner *p, struct items *items,
			    struct err *err)
{
	const size_t n = (size_t)p->n_areas + 1;
	/* a piece an edge at most */
	const size_t n_set = n + (size_t)p->graph->n_edge;

	items->item = arena_array(p->arena, n, sizeof(*items->item));
	items->set = arena_array(p->arena, n_set, sizeof(*items->set));
	items->piece = arena_array(p->arena, n_set, sizeof(*items->piece));
	items->offset = arena_array(p->arena, n, sizeof(*items->offset));
	if (!items->item || !items->set || !items->piece || !items->offset)
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
	if (p->plan->options.arena_goal && !p->plan->options.keep_all)
		cut_concats(p, items);
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
	if (p->plan->options.arena_goal) {
		try_order(&items, by_area);
		try_order(&items, by_end);
	}
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
