/* SPDX-License-Identifier: Apache-2.0 */
#include "training/weights.h"

#include <math.h>

#include "base/mem.h"
#include "base/str.h"

enum { PIECE = 1 << 18 };

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "weights: out of memory");
}

enum err_code weights_list(const struct graph *graph, struct arena *arena,
			   struct safetensors *ret, struct err *err)
{
	struct safetensors list = { 0 };

	list.entry = arena_array(arena, (size_t)graph->n_variable + 1,
				 sizeof(*list.entry));
	if (!list.entry)
		return no_memory(err);
	for (int32_t v = 0; v < graph->n_variable; v++) {
		const struct variable *variable = &graph->variable[v];

		if (variable->role != ROLE_PARAM &&
		    variable->role != ROLE_STATE)
			continue;
		list.entry[list.n].name = variable->name;
		list.entry[list.n++].view = variable->view;
	}
	*ret = list;
	return ERR_NONE;
}

enum err_code weights_moments(const struct train_memory *memory,
			      struct tensor_view state, struct arena *arena,
			      struct safetensors *ret, struct err *err)
{
	struct safetensors list = { .n = memory->n_moments +
					 (memory->sum != NULL) };

	list.entry = arena_array(arena, list.n + 1, sizeof(*list.entry));
	if (!list.entry)
		return no_memory(err);
	for (unsigned i = 0; i < list.n; i++) {
		struct tensor_view *view = &list.entry[i].view;
		bool is_sum = i == memory->n_moments;

		list.entry[i].name =
		    is_sum ? "sum" : arena_printf(arena, "moment.%u", i);
		if (!list.entry[i].name)
			return no_memory(err);
		*view = (struct tensor_view){
			.data = is_sum ? memory->sum : memory->moment[i],
			.dtype = DTYPE_F32,
		};
		view->shape =
		    (struct shape){ .rank = 1, .dim = { (int64_t)memory->n } };
	}
	if (state.data) {
		list.entry[list.n].name = "state";
		list.entry[list.n++].view = state;
	}
	*ret = list;
	return ERR_NONE;
}

enum err_code weights_restore(const struct safetensors *from,
			      const struct safetensors *to, struct err *err)
{
	if (from->n != to->n)
		return err_set(err, ERR_FORMAT,
			       "the checkpoint has %zu tensors, the network "
			       "%zu",
			       from->n, to->n);
	for (size_t i = 0; i < to->n; i++) {
		const struct tensor_view *have =
		    safetensors_find(from, to->entry[i].name);
		struct tensor_view *want = &to->entry[i].view;

		if (!have || have->dtype != want->dtype ||
		    !shape_equal(&have->shape, &want->shape))
			return err_set(err, ERR_FORMAT,
				       "the checkpoint's '%s' does not fit the "
				       "network",
				       to->entry[i].name);
		memcpy(want->data, have->data,
		       tensor_bytes(want->dtype, &want->shape));
	}
	return ERR_NONE;
}

bool tensor_is_finite(const struct tensor_view *view)
{
	const float *value = view->data;
	const int64_t n = shape_count(&view->shape);

	for (int64_t j = 0; view->dtype == DTYPE_F32 && j < n; j++)
		if (!isfinite(value[j]))
			return false;
	return true;
}

bool weights_are_finite(const struct safetensors *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!tensor_is_finite(&list->entry[i].view))
			return false;
	return true;
}

static enum err_code make_room(struct weights_snapshot *snapshot, size_t bytes,
			       const char *dir, struct err *err)
{
	if (dir)
		return spill_create(dir, bytes + 1, &snapshot->spill, err);
	snapshot->bytes = mem_aligned(bytes + 1);
	return snapshot->bytes ? ERR_NONE : no_memory(err);
}

enum err_code weights_snapshot_spill(struct weights_snapshot *snapshot,
				     const struct safetensors *of,
				     const char *dir, struct arena *arena,
				     struct err *err)
{
	struct weights_snapshot made = { .list.n = of->n };
	size_t bytes = 0;
	char *to;
	enum err_code rc;

	made.list.entry =
	    arena_array(arena, of->n + 1, sizeof(*made.list.entry));
	if (!made.list.entry)
		return no_memory(err);
	for (size_t i = 0; i < of->n; i++)
		bytes += tensor_bytes(of->entry[i].view.dtype,
				      &of->entry[i].view.shape);
	rc = make_room(&made, bytes, dir, err);
	if (rc)
		return rc;
	to = dir ? made.spill.data : made.bytes;
	for (size_t i = 0; i < of->n; i++) {
		made.list.entry[i] = of->entry[i];
		made.list.entry[i].view.data = to;
		to += tensor_bytes(of->entry[i].view.dtype,
				   &of->entry[i].view.shape);
	}
	*snapshot = made;
	weights_snapshot_take(snapshot, of);
	return ERR_NONE;
}

enum err_code weights_snapshot_init(struct weights_snapshot *snapshot,
				    const struct safetensors *of,
				    struct arena *arena, struct err *err)
{
	return weights_snapshot_spill(snapshot, of, NULL, arena, err);
}

void weights_snapshot_rest(const struct weights_snapshot *snapshot)
{
	spill_rest(&snapshot->spill, 0, snapshot->spill.bytes);
}

/* Bytes [at, at + n) of it were read or written. */
static void rest(const struct weights_snapshot *snapshot, const char *at,
		 size_t n)
{
	if (snapshot->spill.data)
		spill_rest(&snapshot->spill,
			   (size_t)(at - snapshot->spill.data), n);
}

/* Tensor i, into the snapshot or out of it. What lies in a file comes into
 * memory piece by piece. */
static void copy_tensor(const struct weights_snapshot *snapshot, size_t i,
			const struct tensor_view *view, bool out)
{
	char *at = snapshot->list.entry[i].view.data, *live = view->data;
	size_t left = tensor_bytes(view->dtype, &view->shape);

	while (left) {
		const size_t n = left < PIECE ? left : PIECE;

		memcpy(out ? live : at, out ? at : live, n);
		rest(snapshot, at, n);
		at += n;
		live += n;
		left -= n;
	}
}

void weights_snapshot_take(struct weights_snapshot *snapshot,
			   const struct safetensors *of)
{
	for (size_t i = 0; i < of->n; i++)
		copy_tensor(snapshot, i, &of->entry[i].view, false);
	weights_snapshot_rest(snapshot);
}

void weights_snapshot_give(const struct weights_snapshot *snapshot,
			   const struct safetensors *to)
{
	for (size_t i = 0; i < to->n; i++)
		copy_tensor(snapshot, i, &to->entry[i].view, true);
	weights_snapshot_rest(snapshot);
}

void weights_snapshot_mix(struct weights_snapshot *snapshot,
			  const struct safetensors *of, double share)
{
	for (size_t i = 0; i < of->n; i++) {
		const struct tensor_view *view = &of->entry[i].view;
		int64_t n = shape_count(&view->shape);
		const float *new = view->data;
		float *old = snapshot->list.entry[i].view.data;
		const float part = (float)share;

		if (view->dtype != DTYPE_F32 || share >= 1) {
			memcpy(old, new,
			       tensor_bytes(view->dtype, &view->shape));
			continue;
		}
		for (int64_t j = 0; j < n; j++)
			old[j] += part * (new[j] - old[j]);
	}
}

void weights_snapshot_finish(struct weights_snapshot *snapshot)
{
	mem_free(snapshot->bytes);
	spill_destroy(&snapshot->spill);
	*snapshot = (struct weights_snapshot){ 0 };
}
