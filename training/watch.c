/* SPDX-License-Identifier: Apache-2.0 */
#include "training/watch.h"

#include <math.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "watch: out of memory");
}

static size_t row_of(const struct watch *w)
{
	return 1 + w->n_groups + w->n_layers;
}

/* --- names --- */

/* What the parameters of a group begin with: "layer1" of "layer1.0.bias". */
static const char *group_name(const struct watch *w, int32_t group,
			      struct arena *arena)
{
	for (int32_t v = 0; v < w->graph->n_variable; v++) {
		const char *name = w->graph->variable[v].name;

		if (w->groups->of[v] == group)
			return arena_printf(arena, "%.*s",
					    (int)strcspn(name, "."), name);
	}
	return "";
}

/* Without the operator that a layer is made of: "2" of "2.Relu_5". */
static const char *layer_name(const char *node, struct arena *arena)
{
	const char *dot = strrchr(node, '.');

	if (!dot || dot == node || !str_starts_with(dot, ".Relu"))
		return arena_strdup(arena, node);
	return arena_printf(arena, "%.*s", (int)(dot - node), node);
}

static enum err_code fill_names(struct watch *w, const int32_t *node,
				struct arena *arena, struct err *err)
{
	w->name = arena_array(arena, row_of(w), sizeof(*w->name));
	if (!w->name)
		return no_memory(err);
	for (size_t i = 0; i < w->n_groups; i++)
		w->name[i] = group_name(w, (int32_t)i, arena);
	for (size_t i = 0; i < w->n_layers; i++)
		w->name[w->n_groups + i] =
		    layer_name(w->graph->node[node[i]].name, arena);
	for (size_t i = 0; i < w->n_groups + w->n_layers; i++) {
		if (!w->name[i])
			return no_memory(err);
	}
	return ERR_NONE;
}

/* --- samples of weights --- */

static bool is_sampled(const struct variable *variable)
{
	return variable->role == ROLE_PARAM &&
	       variable->view.dtype == DTYPE_F32;
}

/* Every so many elements of a parameter. */
static int64_t stride_of(const struct variable *variable)
{
	return shape_count(&variable->view.shape) / WATCH_SAMPLES + 1;
}

static size_t count_samples(const struct graph *graph)
{
	size_t n = 0;

	for (int32_t v = 0; v < graph->n_variable; v++) {
		const struct variable *variable = &graph->variable[v];
		const int64_t stride = stride_of(variable);

		if (is_sampled(variable))
			n += (size_t)((shape_count(&variable->view.shape) +
				       stride - 1) /
				      stride);
	}
	return n;
}

enum err_code watch_init(struct watch *watch, const struct watch_spec *spec,
			 const struct graph *graph,
			 const struct layer_groups *groups, struct arena *arena,
			 struct err *err)
{
	struct watch w = { .graph = graph, .groups = groups };
	int32_t node[TRAIN_WATCH_MAX] = { 0 };
	enum err_code rc;

	w.n_groups = spec->update_ratio ? (size_t)groups->n : 0;
	w.n_layers = spec->dead_units ? train_watched(graph, node) : 0;
	w.now = arena_array(arena, row_of(&w), sizeof(*w.now));
	w.most = arena_array(arena, w.n_layers + 1, sizeof(*w.most));
	w.n_units = arena_array(arena, w.n_layers + 1, sizeof(*w.n_units));
	if (w.n_groups)
		w.before =
		    mem_array(count_samples(graph) + 1, sizeof(*w.before));
	*watch = w;
	if (!w.now || !w.most || !w.n_units || (w.n_groups && !w.before))
		return no_memory(err);
	rc = fill_names(watch, node, arena, err);
	for (size_t i = 0; i + 1 < row_of(watch); i++)
		watch->now[i] = (double)NAN;
	return rc;
}

void watch_finish(struct watch *watch)
{
	for (size_t i = 0; watch->most && i < watch->n_layers; i++)
		mem_free(watch->most[i]);
	mem_free(watch->before);
	mem_free(watch->past);
	*watch = (struct watch){ 0 };
}

/* Copies samples away, or (ret_square not NULL) adds up by group squares of
 * what they were and of how they changed. */
static void pass_samples(struct watch *w, double (*ret_square)[2])
{
	float *at = w->before;

	for (int32_t v = 0; v < w->graph->n_variable; v++) {
		const struct variable *variable = &w->graph->variable[v];
		const float *value = variable->view.data;
		const int64_t n = shape_count(&variable->view.shape);
		const int64_t stride = stride_of(variable);
		const int32_t group = w->groups->of[v];

		for (int64_t i = 0; is_sampled(variable) && i < n;
		     i += stride, at++) {
			const double d = (double)value[i] - (double)*at;

			if (!ret_square) {
				*at = value[i];
				continue;
			}
			ret_square[group][0] += (double)*at * (double)*at;
			ret_square[group][1] += d * d;
		}
	}
}

void watch_before_step(struct watch *watch)
{
	if (watch->n_groups)
		pass_samples(watch, NULL);
}

void watch_after_step(struct watch *watch)
{
	double(*square)[2] = mem_array(watch->n_groups + 1, sizeof(*square));

	/* without memory there is no figure, and the run goes on */
	if (square && watch->n_groups)
		pass_samples(watch, square);
	for (size_t i = 0; square && i < watch->n_groups; i++)
		watch->now[i] = square[i][0] > 0
				    ? sqrt(square[i][1] / square[i][0])
				    : (double)NAN;
	mem_free(square);
}

/* --- units --- */

void watch_begin(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_layers; i++) {
		watch->now[watch->n_groups + i] = (double)NAN;
		for (int64_t u = 0; u < watch->n_units[i]; u++)
			watch->most[i][u] = 0;
	}
}

static enum err_code make_units(struct watch *w, size_t layer, int64_t n,
				struct err *err)
{
	if (w->most[layer])
		return ERR_NONE;
	w->most[layer] = mem_array((size_t)n + 1, sizeof(**w->most));
	w->n_units[layer] = n;
	return w->most[layer] ? ERR_NONE : no_memory(err);
}

enum err_code watch_rows(struct watch *watch, const struct stepper *stepper,
			 struct err *err)
{
	for (size_t i = 0; i < watch->n_layers; i++) {
		const struct tensor_view view =
		    stepper_watched(stepper, (unsigned)i);
		const int64_t n = shape_count(&view.shape);
		const float *most = view.data;
		enum err_code rc = make_units(watch, i, n, err);

		if (rc)
			return rc;
		for (int64_t u = 0; u < n && u < watch->n_units[i]; u++)
			watch->most[i][u] = fmaxf(watch->most[i][u], most[u]);
		watch->now[watch->n_groups + i] = 0; /* there were rows */
	}
	return ERR_NONE;
}

void watch_end(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_layers; i++) {
		double *share = &watch->now[watch->n_groups + i];
		int64_t dead = 0;

		for (int64_t u = 0; u < watch->n_units[i]; u++)
			dead += !(watch->most[i][u] > 0);
		if (!isnan(*share) && watch->n_units[i])
			*share = (double)dead / (double)watch->n_units[i];
	}
}

/* --- past evaluations --- */

static enum err_code grow(struct watch *w, int64_t n, struct err *err)
{
	double *more;

	if (n <= w->cap_past)
		return ERR_NONE;
	more = mem_resize(w->past, (size_t)n * 2 * row_of(w), sizeof(*w->past));
	if (!more)
		return no_memory(err);
	w->past = more;
	w->cap_past = 2 * n;
	return ERR_NONE;
}

enum err_code watch_keep(struct watch *watch, int64_t step, struct err *err)
{
	const size_t row = row_of(watch);
	double *to;
	enum err_code rc;

	if (row == 1 || (size_t)(watch->n_past + 1) * row > WATCH_MAX)
		return ERR_NONE;
	rc = grow(watch, watch->n_past + 1, err);
	if (rc)
		return rc;
	to = watch->past + (size_t)watch->n_past++ * row;
	to[0] = (double)step;
	memcpy(to + 1, watch->now, (row - 1) * sizeof(*to));
	return ERR_NONE;
}

enum err_code watch_list(struct watch *watch, struct arena *arena,
			 struct safetensors *list, struct err *err)
{
	const int64_t row = (int64_t)row_of(watch);
	struct safetensors_entry *entry =
	    arena_array(arena, list->n + 2, sizeof(*entry));

	if (row == 1)
		return ERR_NONE;
	if (!entry)
		return no_memory(err);
	memcpy(entry, list->entry, list->n * sizeof(*entry));
	entry[list->n].name = "watch.now";
	entry[list->n].view = (struct tensor_view){
		.data = watch->now,
		.dtype = DTYPE_F64,
		.shape = { 1, { row - 1 } },
	};
	entry[list->n + 1].name = "watch.past";
	entry[list->n + 1].view = (struct tensor_view){
		.data = watch->past,
		.dtype = DTYPE_F64,
		.shape = { 2, { watch->n_past, row } },
	};
	*list = (struct safetensors){ .n = list->n + 2, .entry = entry };
	return ERR_NONE;
}

enum err_code watch_restore(struct watch *watch, const struct safetensors *list,
			    struct err *err)
{
	const struct tensor_view *now = safetensors_find(list, "watch.now");
	const struct tensor_view *past = safetensors_find(list, "watch.past");
	const int64_t row = (int64_t)row_of(watch);
	enum err_code rc;

	if (!now || !past)
		return ERR_NONE;
	if (now->dtype != DTYPE_F64 || past->dtype != DTYPE_F64 ||
	    now->shape.rank != 1 || now->shape.dim[0] != row - 1 ||
	    past->shape.rank != 2 || past->shape.dim[1] != row ||
	    past->shape.dim[0] > WATCH_MAX)
		return err_set(err, ERR_FORMAT,
			       "what the checkpoint watched does not fit the "
			       "job");
	rc = grow(watch, past->shape.dim[0], err);
	if (rc)
		return rc;
	memcpy(watch->now, now->data, tensor_bytes(now->dtype, &now->shape));
	if (past->shape.dim[0])
		memcpy(watch->past, past->data,
		       tensor_bytes(past->dtype, &past->shape));
	watch->n_past = past->shape.dim[0];
	return ERR_NONE;
}

/* --- to read --- */

static void write_now(const struct watch *w, const char *key, size_t first,
		      size_t n, struct json_writer *writer)
{
	bool is_open = false;

	for (size_t i = first; i < first + n; i++) {
		if (isnan(w->now[i]))
			continue;
		if (!is_open)
			json_write_object(writer, key);
		is_open = true;
		json_write_double(writer, w->name[i], w->now[i]);
	}
	if (is_open)
		json_write_object_end(writer);
}

void watch_write(const struct watch *watch, struct json_writer *writer)
{
	if (!watch)
		return;
	write_now(watch, "update_ratio", 0, watch->n_groups, writer);
	write_now(watch, "dead_units", watch->n_groups, watch->n_layers,
		  writer);
}

static void write_column(const struct watch *w, const char *name, size_t column,
			 struct json_writer *writer)
{
	json_write_array(writer, name);
	for (int64_t i = 0; i < w->n_past; i++)
		json_write_double(writer, NULL,
				  w->past[(size_t)i * row_of(w) + column]);
	json_write_array_end(writer);
}

static void write_columns(const struct watch *w, const char *key, size_t first,
			  size_t n, struct json_writer *writer)
{
	if (!n)
		return;
	json_write_object(writer, key);
	for (size_t i = first; i < first + n; i++)
		write_column(w, w->name[i], 1 + i, writer);
	json_write_object_end(writer);
}

void watch_write_past(const struct watch *watch, struct json_writer *writer)
{
	if (!watch->n_past)
		return;
	json_write_object(writer, "watch");
	write_column(watch, "step", 0, writer);
	write_columns(watch, "update_ratio", 0, watch->n_groups, writer);
	write_columns(watch, "dead_units", watch->n_groups, watch->n_layers,
		      writer);
	json_write_object_end(writer);
}
