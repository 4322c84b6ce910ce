/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recomputation: where to cut. Every try lists the run with its clones and
 * counts the bytes that are alive at once.
 */
#include "engine/plan_recompute_priv.h"

enum {
	SEGMENTS_MAX = 64,
	TRIES_MAX = 1 << 20, /* nodes looked at, all tries together */
	NEVER = RECOMPUTE_NEVER,
};

static void no_cuts(struct recompute *r)
{
	memset(r->is_cut, 0, (size_t)r->n_forward * sizeof(bool));
}

/* Bytes made at a place that the way back reads. */
static size_t saved_at(const struct recompute *r, int32_t at)
{
	const struct graph_node *node = &r->graph->node[r->forward[at]];
	size_t bytes = 0;

	for (int32_t j = 0; j < node->n_out; j++) {
		const int32_t v = graph_out(r->graph, node)[j];

		if (v != VALUE_NONE && r->is_saved[v] && !r->is_kept[v])
			bytes += r->bytes[v];
	}
	return bytes;
}

/* Segments of about `share` saved bytes. A cut is made where the fewest bytes
 * cross, among the places at which the segment has at least half of them. */
static void cut_evenly(struct recompute *r, size_t share)
{
	size_t has = 0, least = SIZE_MAX;
	int32_t first = 0, best = -1;

	no_cuts(r);
	for (int32_t at = 0; at + 1 < r->n_forward; at++) {
		has += saved_at(r, at);
		if (has >= share / 2 && r->crossing[at] <= least) {
			least = r->crossing[at];
			best = at;
		}
		if (has < share || best < first)
			continue;
		r->is_cut[best] = true;
		has = 0;
		least = SIZE_MAX;
		first = best + 1;
		at = best; /* what came after the cut is counted again */
	}
}

/* Numbers of segments; the last one's comes back. */
static int32_t number_segments(struct recompute *r)
{
	int32_t n = 0;

	for (int32_t at = 0; at < r->n_forward; at++) {
		r->segment[r->forward[at]] = n;
		n += r->is_cut[at] && at + 1 < r->n_forward;
	}
	return n;
}

/* Values of all segments but the last that no other segment reads. */
static void find_dropped(struct recompute *r, int32_t last)
{
	for (int32_t v = 0; v < r->n; v++) {
		const int32_t made = r->made_at[v], read = r->read_at[v];
		int32_t of;

		r->is_dropped[v] = false;
		if (made == NEVER || !r->bytes[v] || r->is_kept[v])
			continue;
		of = r->segment[r->forward[made]];
		r->is_dropped[v] =
		    of < last &&
		    (read < 0 || r->segment[r->forward[read]] == of);
	}
}

/* Read or made on the way forward it is the first run's. */
bool recompute_is_again(const struct recompute *r, int32_t value)
{
	const int32_t from = recompute_maker(r->graph, value);

	return from >= 0 && r->is_forward[from] &&
	       r->is_dropped[recompute_root(r, value)];
}

/* Clones of a node and of what it needs, each after its operands. */
static void demand(struct recompute *r, int32_t number)
{
	int32_t n = 0;

	r->stack[n++] = number;
	while (n) {
		const int32_t i = r->stack[n - 1];
		const struct graph_node *node = &r->graph->node[i];
		int32_t missing = -1;

		for (int32_t j = 0;
		     !r->is_cloned[i] && j < node->n_in && missing < 0; j++) {
			const int32_t v = graph_in(r->graph, node)[j];

			if (v != VALUE_NONE && recompute_is_again(r, v) &&
			    !r->is_cloned[recompute_maker(r->graph, v)])
				missing = recompute_maker(r->graph, v);
		}
		if (missing >= 0) {
			r->stack[n++] = missing;
			continue;
		}
		n--;
		if (r->is_cloned[i])
			continue;
		r->is_cloned[i] = true;
		r->item[r->n_items++] = ~i;
		r->us += r->cost[i];
	}
}

/* The run in its order, with the clones. */
static void list_items(struct recompute *r)
{
	r->n_items = 0;
	r->us = 0;
	memset(r->is_cloned, 0, (size_t)r->graph->n_node * sizeof(bool));
	for (int32_t t = 0; t < r->p->n_order; t++) {
		const int32_t i = r->p->order[t];
		const struct graph_node *node = &r->graph->node[i];

		for (int32_t j = 0; !r->is_forward[i] && j < node->n_in; j++) {
			const int32_t v = graph_in(r->graph, node)[j];

			if (v != VALUE_NONE && recompute_is_again(r, v))
				demand(r, recompute_maker(r->graph, v));
		}
		r->item[r->n_items++] = i;
	}
}

/* --- what a choice of cuts needs --- */

static const struct graph_node *node_of(const struct recompute *r, int32_t item)
{
	return &r->graph->node[item < 0 ? ~item : item];
}

/* The bytes of a value as an item sees it: those of the first run, or of the
 * second. */
static int32_t place_of(const struct recompute *r, int32_t item, int32_t value)
{
	const int32_t root =
	    value == VALUE_NONE ? -1 : recompute_root(r, value);

	if (root < 0 || !r->bytes[root])
		return -1;
	return (item < 0 || !r->is_forward[item]) && r->is_dropped[root]
		   ? root + r->n
		   : root;
}

static void read_last(struct recompute *r)
{
	const struct graph *graph = r->graph;

	for (int32_t v = 0; v < 2 * r->n; v++) {
		r->part_bytes[v % r->n] = 0;
		r->last[v] = -1;
		r->is_live[v] = false;
	}
	for (int32_t t = 0; t < r->n_items; t++) {
		const struct graph_node *node = node_of(r, r->item[t]);

		for (int32_t j = 0; j < node->n_in; j++) {
			const int32_t at =
			    place_of(r, r->item[t], graph_in(graph, node)[j]);

			if (at >= 0)
				r->last[at] = t;
		}
	}
	for (int32_t i = 0; i < graph->n_output; i++)
		r->last[recompute_root(r, graph->output[i])] = NEVER;
	for (int32_t i = 0; i < graph->n_assign; i++)
		r->last[recompute_root(r, graph->assign[i].value)] = NEVER;
}

/* Bytes that a result takes, which a part of a Concat does on its own. */
static size_t take_bytes(struct recompute *r, const struct graph_node *node,
			 int32_t value, int32_t at)
{
	size_t bytes;

	if (at < r->n && r->is_whole[at]) {
		r->is_live[at] = true;
		if (is_another_shape(r->p, node) || is_outer_concat(r->p, node))
			return 0;
		bytes = fact_bytes(r->p, value);
		r->part_bytes[at] += bytes;
		return bytes;
	}
	if (r->is_live[at])
		return 0;
	r->is_live[at] = true;
	return r->bytes[at % r->n];
}

/* Most bytes alive at once. */
static size_t count_peak(struct recompute *r)
{
	const struct graph *graph = r->graph;
	size_t live = 0, peak = 0;

	read_last(r);
	for (int32_t t = 0; t < r->n_items; t++) {
		const struct graph_node *node = node_of(r, r->item[t]);
		const int32_t *edge = graph_out(graph, node);
		const size_t scratch = r->scratch[node - graph->node];

		for (int32_t j = 0; j < node->n_out; j++) {
			const int32_t at = place_of(r, r->item[t], edge[j]);

			if (at < 0 || r->last[at] < t)
				continue;
			live += take_bytes(r, node, edge[j], at);
		}
		if (peak < live + scratch)
			peak = live + scratch;
		edge = graph_in(graph, node);
		for (int32_t j = 0; j < node->n_in; j++) {
			const int32_t at = place_of(r, r->item[t], edge[j]);

			if (at < 0 || !r->is_live[at] || r->last[at] != t)
				continue;
			r->is_live[at] = false;
			live -= r->is_whole[at % r->n] ? r->part_bytes[at]
						       : r->bytes[at % r->n];
		}
	}
	return peak;
}

static size_t try_cuts(struct recompute *r)
{
	r->n_tries++;
	find_dropped(r, number_segments(r));
	list_items(r);
	return count_peak(r);
}

/* The cuts at hand as the best ones, when they are. */
static void weigh(struct recompute *r, struct recompute_choice *best)
{
	const size_t goal = r->p->plan->options.arena_goal;
	const size_t peak = try_cuts(r);
	const bool is_better =
	    peak <= goal && best->peak <= goal
		? r->us < best->us
		: peak < best->peak || (peak == best->peak && r->us < best->us);

	if (!is_better)
		return;
	best->peak = peak;
	best->us = r->us;
	memcpy(best->is_cut, r->is_cut, (size_t)r->n_forward * sizeof(bool));
}

static void take(struct recompute *r, const struct recompute_choice *from)
{
	memcpy(r->is_cut, from->is_cut, (size_t)r->n_forward * sizeof(bool));
}

/* No fewer bytes cross beside it. */
static bool is_narrow(const struct recompute *r, int32_t at)
{
	return at + 1 < r->n_forward &&
	       (at == 0 || r->crossing[at] <= r->crossing[at - 1]) &&
	       r->crossing[at] <= r->crossing[at + 1];
}

/* One cut more, one less, or one elsewhere, as long as that is better. */
static void improve(struct recompute *r, struct recompute_choice *best)
{
	const int32_t most = TRIES_MAX / (r->graph->n_node + 1) + SEGMENTS_MAX;
	bool is_better = true;

	while (is_better && r->n_tries < most) {
		const struct recompute_choice before = { NULL, best->peak,
							 best->us };
		int32_t cut = -1; /* the last one before the place */

		for (int32_t at = 0; at < r->n_forward; at++) {
			take(r, best);
			if (!is_narrow(r, at) && !r->is_cut[at])
				continue;
			r->is_cut[at] = !r->is_cut[at];
			weigh(r, best);
			take(r, best);
			if (cut >= 0 && r->is_cut[cut] && !r->is_cut[at]) {
				r->is_cut[cut] = false;
				r->is_cut[at] = true;
				weigh(r, best);
				take(r, best);
			}
			if (r->is_cut[at])
				cut = at;
		}
		is_better = best->peak < before.peak || best->us < before.us;
	}
}

/* Whether anything helps; the cuts are then those of *best. */
bool recompute_choose(struct recompute *r, struct recompute_choice *best)
{
	const size_t goal = r->p->plan->options.arena_goal;
	size_t whole;

	no_cuts(r);
	whole = best->peak = try_cuts(r);
	for (size_t n = 2; n <= SEGMENTS_MAX && best->peak > goal; n++) {
		cut_evenly(r, r->saved / n + 1);
		weigh(r, best);
	}
	if (whole > goal)
		improve(r, best);
	take(r, best);
	(void)try_cuts(r);
	return best->peak < whole;
}
