/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/profile.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/kernels/onednn/onednn.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "profile: out of memory");
}

static void on_slice(void *data, size_t step, unsigned slice, bool ends)
{
	const struct profile *profile = data;
	struct profile_event *event =
	    &profile->event[profile->row[step].first_event + slice];

	if (ends) {
		event->end_ns = clock_monotonic_ns();
		return;
	}
	event->thread = pthread_self();
	event->begin_ns = clock_monotonic_ns();
}

/* The row of a node, made where it is new; n_rows: there is no memory. Nodes
 * come in the same order again and again. */
static size_t row_of(struct profile *profile, const struct graph_node *node,
		     unsigned depth)
{
	struct profile_row *row = profile->row;
	size_t i = profile->next;

	if (i < profile->n_rows && row[i].interpreted == node)
		return i;
	for (i = profile->n_steps; i < profile->n_rows; i++)
		if (row[i].interpreted == node)
			return i;
	if (profile->n_rows == profile->cap_rows) {
		row = mem_resize(row, profile->cap_rows * 2, sizeof(*row));
		if (!row) {
			profile->code = ERR_NO_MEMORY;
			return profile->n_rows;
		}
		profile->row = row;
		profile->cap_rows *= 2;
	}
	row[i] = (struct profile_row){
		.node = node->name,
		.op = node->op->name,
		.kernel = "interpreter",
		.implementation = "",
		.interpreted = node,
		.n_slices = 1,
		.depth = depth,
	};
	profile->n_rows++;
	return i;
}

static void begin_node(struct profile *profile, const struct graph_node *node,
		       unsigned depth)
{
	const size_t row = row_of(profile, node, depth);
	const unsigned i = profile->n_open;

	profile->open[i].row = row;
	profile->open[i].inside_ns = 0;
	profile->open[i].event = profile->n_events;
	profile->next = row + 1;
	if (profile->n_events < profile->n_slices + PROFILE_NODES_MAX)
		profile->n_events++;
	profile->open[i].begin_ns = clock_monotonic_ns();
}

static void end_node(struct profile *profile)
{
	const unsigned i = profile->n_open;
	const int64_t now = clock_monotonic_ns();
	const int64_t ns = now - profile->open[i].begin_ns;

	if (i)
		profile->open[i - 1].inside_ns += ns;
	if (profile->open[i].row >= profile->n_rows)
		return;
	profile->row[profile->open[i].row].run_ns +=
	    ns - profile->open[i].inside_ns;
	profile->row[profile->open[i].row].n_turns++;
	if (profile->open[i].event < profile->n_slices + PROFILE_NODES_MAX)
		profile->event[profile->open[i].event] = (struct profile_event){
			.row = profile->open[i].row,
			.thread = pthread_self(),
			.begin_ns = profile->open[i].begin_ns,
			.end_ns = now,
		};
}

static void on_node(void *data, const struct graph_node *node, unsigned depth,
		    bool ends)
{
	struct profile *profile = data;

	if (ends) {
		profile->n_open--;
		if (profile->n_open < PROFILE_DEPTH)
			end_node(profile);
		return;
	}
	if (profile->n_open < PROFILE_DEPTH)
		begin_node(profile, node, depth);
	profile->n_open++;
}

static void know_step(struct profile *profile, size_t i)
{
	const struct plan_step_info step = plan_step_info(profile->plan, i);

	profile->row[i] = (struct profile_row){
		.node = step.node_name,
		.op = step.query->op ? step.query->op->name : "copy",
		.kernel = step.kernel->name,
		.implementation =
		    onednn_implementation(step.kernel, step.state),
		.query = step.query,
		.n_slices = step.n_slices,
		.cost_us = step.cost_us,
		.work = step_work(&step),
		.first_event = profile->n_slices,
	};
	profile->n_slices += step.n_slices;
}

enum err_code profile_init(const struct plan *plan, struct profile *profile,
			   struct err *err)
{
	*profile = (struct profile){
		.plan = plan,
		.observer = { profile, on_slice, on_node },
		.n_steps = plan_report(plan)->n_steps,
	};
	profile->n_rows = profile->n_steps;
	profile->cap_rows = profile->n_steps + 16;
	profile->row = mem_array(profile->cap_rows, sizeof(*profile->row));
	if (!profile->row)
		return no_memory(err);
	for (size_t i = 0; i < profile->n_steps; i++)
		know_step(profile, i);
	profile->event = mem_array(profile->n_slices + PROFILE_NODES_MAX,
				   sizeof(*profile->event));
	return profile->event ? ERR_NONE : no_memory(err);
}

void profile_finish(struct profile *profile)
{
	for (size_t i = 0; profile->row && i < profile->n_rows; i++)
		samples_finish(&profile->row[i].samples);
	samples_finish(&profile->watched);
	mem_free(profile->row);
	mem_free(profile->event);
	*profile = (struct profile){ 0 };
}

void profile_begin(struct profile *profile)
{
	for (size_t i = profile->n_steps; i < profile->n_rows; i++)
		profile->row[i].run_ns = profile->row[i].n_turns = 0;
	profile->n_events = profile->n_slices;
	profile->n_open = 0;
	profile->next = profile->n_steps;
	profile->begin_ns = clock_monotonic_ns();
}

/* From the first slice's begin to the last one's end. */
static int64_t span(const struct profile *profile, size_t step)
{
	const struct profile_row *row = &profile->row[step];
	const struct profile_event *event = &profile->event[row->first_event];
	int64_t begin = event->begin_ns, end = event->end_ns;

	for (unsigned i = 0; i < row->n_slices; i++) {
		begin = event[i].begin_ns < begin ? event[i].begin_ns : begin;
		end = event[i].end_ns > end ? event[i].end_ns : end;
	}
	return end - begin;
}

enum err_code profile_end(struct profile *profile, struct err *err)
{
	const int64_t ns = clock_monotonic_ns() - profile->begin_ns;
	enum err_code rc = samples_add(&profile->watched, ns, err);

	if (profile->code)
		return no_memory(err);
	for (size_t i = 0; i < profile->n_rows && !rc; i++) {
		struct profile_row *row = &profile->row[i];

		if (row->interpreted && !row->n_turns)
			continue;
		rc = samples_add(
		    &row->samples,
		    row->interpreted ? row->run_ns : span(profile, i), err);
	}
	return rc;
}

void profile_close(struct profile *profile)
{
	for (size_t i = 0; i < profile->n_steps; i++) {
		const struct profile_row *row = &profile->row[i];

		for (unsigned j = 0; j < row->n_slices; j++) {
			profile->event[row->first_event + j].row = i;
			profile->event[row->first_event + j].slice = j;
		}
	}
	for (size_t i = 0; i < profile->n_rows; i++)
		if (profile->row[i].samples.n)
			profile->row[i].summary =
			    samples_summarize(&profile->row[i].samples);
	profile->whole = samples_summarize(&profile->watched);
}
