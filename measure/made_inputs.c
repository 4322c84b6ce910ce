/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/made_inputs.h"

#include "base/arena.h"
#include "base/rng.h"
#include "measure/shape_flag.h"

enum { SEED = 1 };
#define INPUTS_MAX ((size_t)8 << 30)

/* The last --input-shape of that name, else what the model says. */
static enum err_code choose_shape(const struct args *args,
				  const struct signature_port *port,
				  int64_t batch, struct shape *ret_shape,
				  struct err *err)
{
	bool is_given = false;
	enum err_code rc;

	rc = shape_flag_find(args, port->name, &is_given, ret_shape, err);
	if (rc || is_given)
		return rc;
	if (!port->has_rank)
		return err_set(err, ERR_INVALID,
			       "input '%s' has any shape: give --input-shape",
			       port->name);
	ret_shape->rank = port->rank;
	for (unsigned d = 0; d < port->rank; d++) {
		int64_t open = d ? MADE_OPEN_EXTENT : batch;

		ret_shape->dim[d] =
		    port->dim[d].extent < 0 ? open : port->dim[d].extent;
	}
	return shape_check(ret_shape, port->name, err);
}

static void fill(struct tensor_view *view, unsigned stream)
{
	const struct rng rng = { .seed = SEED, .stream = stream };
	size_t size = dtype_info(view->dtype)->size;
	int64_t n = shape_count(&view->shape);

	if (!dtype_is_float(view->dtype))
		return;
	for (int64_t i = 0; i < n; i++) {
		float value = rng_uniform(rng, (uint64_t)i);

		dtype_convert(DTYPE_F32, &value, view->dtype,
			      (char *)view->data + (size_t)i * size, 1, true);
	}
}

/* The elements lie in the arena. */
static enum err_code make(const struct args *args,
			  const struct signature_port *port, int64_t batch,
			  struct arena *arena, struct tensor_view *view,
			  struct err *err)
{
	size_t size;
	enum err_code rc;

	view->dtype = port->dtype;
	rc = choose_shape(args, port, batch, &view->shape, err);
	if (rc)
		return rc;
	size = tensor_bytes(view->dtype, &view->shape);
	view->data = arena_aligned(arena, size ? size : 1);
	if (!view->data)
		return err_set(err, ERR_NO_MEMORY,
			       "input '%s': %zu bytes: out of memory",
			       port->name, size);
	return ERR_NONE;
}

enum err_code made_inputs_prepare(const struct args *args, int64_t batch,
				  struct trial *trial, struct err *err)
{
	const struct model_signature *s = &trial->package->signature;
	struct tensor_view input[TRIAL_MAX_PORTS] = { 0 };
	/* until they are copied */
	struct arena *arena = arena_create(INPUTS_MAX);
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = shape_flag_check(args, s, err);
	for (unsigned i = 0; i < s->n_inputs && !rc; i++) {
		rc = make(args, &s->input[i], batch, arena, &input[i], err);
		if (!rc)
			fill(&input[i], i);
	}
	if (!rc)
		rc = trial_prepare(trial, input, err);
	arena_destroy(arena);
	return rc;
}
