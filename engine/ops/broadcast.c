/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/broadcast.h"

#include <string.h>

/* Steps of one input, by axis of the output; 0 where it is repeated. */
static void steps_of(const struct shape *out, const struct shape *in,
		     int64_t *step)
{
	const unsigned lead = out->rank - in->rank;
	int64_t next = 1;

	for (unsigned d = out->rank; d-- > 0;) {
		const int64_t extent = d < lead ? 1 : in->dim[d - lead];

		step[d] = extent == 1 ? 0 : next;
		next *= extent;
	}
}

/* True when axis d of the output continues the merged axis `to` (inside it)
 * for every input. */
static bool continues(const struct broadcast *b, int64_t step[][SHAPE_MAX_RANK],
		      unsigned d, unsigned to)
{
	for (unsigned k = 0; k < b->n_in; k++)
		if (step[k][d] != b->step[k][to] * b->dim[to])
			return false;
	return true;
}

static void append(struct broadcast *b, int64_t step[][SHAPE_MAX_RANK],
		   unsigned d, int64_t extent)
{
	b->dim[b->rank] = extent;
	for (unsigned k = 0; k < b->n_in; k++)
		b->step[k][b->rank] = step[k][d];
	b->rank++;
}

static void reverse(int64_t *list, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		const int64_t last = list[n - 1 - i];

		list[n - 1 - i] = list[i];
		list[i] = last;
	}
}

void broadcast_init(struct broadcast *b, const struct shape *out,
		    const struct shape *const *in, unsigned n_in)
{
	int64_t step[BROADCAST_MAX_IN][SHAPE_MAX_RANK];

	memset(b, 0, sizeof(*b));
	b->n_in = n_in;
	for (unsigned k = 0; k < n_in; k++)
		steps_of(out, in[k], step[k]);
	/* from the innermost axis outwards, turned round at the end */
	for (unsigned d = out->rank; d-- > 0;) {
		if (out->dim[d] == 1)
			continue;
		if (b->rank > 0 && continues(b, step, d, b->rank - 1))
			b->dim[b->rank - 1] *= out->dim[d];
		else
			append(b, step, d, out->dim[d]);
	}
	if (b->rank == 0) {
		b->rank = 1;
		b->dim[0] = 1;
	}
	reverse(b->dim, b->rank);
	for (unsigned k = 0; k < n_in; k++)
		reverse(b->step[k], b->rank);
}

void broadcast_first(const struct broadcast *b, int64_t first, int64_t last,
		     struct broadcast_row *row)
{
	int64_t rest = first;

	memset(row, 0, sizeof(*row));
	row->at = first;
	row->end = last;
	if (first >= last)
		return;
	for (unsigned d = b->rank; d-- > 0;) {
		row->index[d] = rest % b->dim[d];
		rest /= b->dim[d];
		for (unsigned k = 0; k < b->n_in; k++)
			row->in[k] += row->index[d] * b->step[k][d];
	}
}

/* Behind the row just given: to the start of the next one. */
static void advance(const struct broadcast *b, struct broadcast_row *row)
{
	row->at += row->n;
	row->index[b->rank - 1] += row->n;
	for (unsigned k = 0; k < b->n_in; k++)
		row->in[k] += row->n * b->step[k][b->rank - 1];
	for (unsigned d = b->rank - 1; d > 0 && row->index[d] == b->dim[d];
	     d--) {
		row->index[d] = 0;
		row->index[d - 1]++;
		for (unsigned k = 0; k < b->n_in; k++)
			row->in[k] +=
			    b->step[k][d - 1] - b->dim[d] * b->step[k][d];
	}
}

bool broadcast_next(const struct broadcast *b, struct broadcast_row *row)
{
	const int64_t length = b->dim[b->rank - 1];

	if (row->n > 0)
		advance(b, row);
	if (row->at >= row->end)
		return false;
	row->n = length - row->index[b->rank - 1];
	if (row->n > row->end - row->at)
		row->n = row->end - row->at;
	return true;
}

int64_t broadcast_index(const struct shape *out, const struct shape *in,
			int64_t at)
{
	const unsigned lead = out->rank - in->rank;
	int64_t index = 0, next = 1;

	for (unsigned d = out->rank; d-- > lead;) {
		if (in->dim[d - lead] != 1)
			index += at % out->dim[d] * next;
		next *= in->dim[d - lead];
		at /= out->dim[d];
	}
	return index;
}
