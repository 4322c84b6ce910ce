/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batcher_priv.h"

#include "base/clock.h"
#include "server/batch_pad.h"

/* What a run is made of while it is under way. */
struct run {
	const struct batcher_options *options;
	const struct batch_part *parts;
	unsigned n_parts;
	int64_t rows, padded; /* padded 0: the model does not batch */
	struct fact *facts;
	struct instance *instance;
};

static size_t row_bytes(const struct tensor_view *view)
{
	const struct shape *shape = &view->shape;

	return (size_t)shape_range(shape, 1, shape->rank) *
	       dtype_info(view->dtype)->size;
}

/* The signature: shapes of the first call, with the padded batch in place of
 * its rows. */
static enum err_code make_facts(struct run *run, struct err *err)
{
	const struct infer_call *call = run->parts[0].call;

	run->facts =
	    arena_array(call->arena, call->n_inputs + 1, sizeof(*run->facts));
	if (!run->facts)
		return err_set(err, ERR_NO_MEMORY,
			       "model '%s': the request needs more memory than "
			       "one may have",
			       run->options->name);
	for (unsigned i = 0; i < call->n_inputs; i++) {
		struct fact *fact = &run->facts[i];

		fact->type.elem = call->input[i].dtype;
		fact->shape = call->input[i].shape;
		fact->has_shape = true;
		fact->value = call->input[i].data;
		if (run->padded)
			fact->shape.dim[0] = run->padded;
		for (unsigned p = 0; p < run->n_parts && run->options->pad; p++)
			batch_pad_grow(run->options->pad, i,
				       &run->parts[p].call->input[i].shape,
				       &fact->shape);
	}
	return ERR_NONE;
}

/* Rows that nobody asked for repeat the last one, which is as valid as any;
 * without any row they are zeros. */
static void fill_padding(const struct run *run, char *data, size_t bytes)
{
	char *at = data + (size_t)run->rows * bytes;

	for (int64_t i = run->rows; i < run->padded; i++, at += bytes) {
		if (run->rows)
			memcpy(at, at - bytes, bytes);
		else
			memset(at, 0, bytes);
	}
}

/* Rows of a part; in a run of longer ones they are filled up at the end. */
static void copy_part(const struct run *run, unsigned i,
		      const struct batch_part *part, char *at,
		      const struct tensor_view *to)
{
	const struct tensor_view *from = &part->call->input[i];
	const size_t width = (size_t)shape_range(&to->shape, 1, to->shape.rank);
	const size_t n = (size_t)part->n * width, row = row_bytes(from);
	const char *rows;

	if (!n)
		return;
	/* rows without elements have no bytes to point to */
	rows =
	    row ? (const char *)from->data + (size_t)part->first * row : NULL;
	if (rows && row == row_bytes(to)) {
		memcpy(at, rows, (size_t)part->n * row);
		return;
	}
	batch_pad_fill(run->options->pad, i, to->dtype, at, n);
	if (row)
		batch_pad_copy(at, &to->shape, rows, &from->shape,
			       dtype_info(to->dtype)->size, part->n);
}

static void copy_input(const struct run *run, unsigned i)
{
	struct tensor_view to = instance_input(run->instance, i);
	char *at = to.data;

	if (!run->padded) {
		const struct tensor_view *from = &run->parts[0].call->input[i];
		const size_t bytes = tensor_bytes(from->dtype, &from->shape);

		if (bytes)
			memcpy(at, from->data, bytes);
		return;
	}
	for (unsigned p = 0; p < run->n_parts; p++) {
		copy_part(run, i, &run->parts[p], at, &to);
		at += (size_t)run->parts[p].n * row_bytes(&to);
	}
	fill_padding(run, to.data, row_bytes(&to));
}

/* Memory of a call that it did not get. What its arena may never have is not
 * there later either: as of any answer beyond its limit, that is no matter of
 * coming again. */
static enum err_code no_room(const struct infer_call *call, size_t bytes,
			     const char *name, struct err *err)
{
	const bool is_never = bytes > arena_left(call->arena);

	return err_set(err, is_never ? ERR_INTERNAL : ERR_NO_MEMORY,
		       "model '%s': its answer needs more memory than one "
		       "request may have",
		       name);
}

/* A call's place for output j, made when its first rows come. */
static enum err_code make_output(const struct run *run, struct infer_call *call,
				 unsigned j, const struct tensor_view *from,
				 struct err *err)
{
	struct tensor_view *to = &call->output[j];
	size_t bytes;

	if (to->data)
		return ERR_NONE;
	*to = *from;
	if (run->padded)
		to->shape.dim[0] = call->rows;
	if (run->padded && run->options->pad)
		batch_pad_crop(run->options->pad, j, call->input, &to->shape);
	bytes = tensor_bytes(to->dtype, &to->shape) + 1;
	to->data = arena_aligned(call->arena, bytes);
	return to->data ? ERR_NONE
			: no_room(call, bytes, run->options->name, err);
}

/* Strings are borrowed from the instance, which is lent to others next. */
static enum err_code copy_strings(const struct run *run,
				  struct infer_call *call, struct str *to,
				  const struct str *from, size_t n,
				  struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		to[i].len = from[i].len;
		to[i].bytes = arena_strndup(call->arena,
					    from[i].bytes ? from[i].bytes : "",
					    from[i].len);
		if (!to[i].bytes)
			return no_room(call, from[i].len + 1,
				       run->options->name, err);
	}
	return ERR_NONE;
}

/* Rows that a call sees shorter than they are in the run. */
static bool is_cropped(const struct infer_call *call, unsigned j,
		       const struct tensor_view *from)
{
	const struct shape *shape = &call->output[j].shape;

	return memcmp(shape->dim + 1, from->shape.dim + 1,
		      (shape->rank - 1) * sizeof(*shape->dim)) != 0;
}

static void crop_rows(const struct batch_part *part, unsigned j,
		      const struct tensor_view *from, int64_t first)
{
	const struct tensor_view *to = &part->call->output[j];

	batch_pad_copy(
	    (char *)to->data + (size_t)part->first * row_bytes(to), &to->shape,
	    (const char *)from->data + (size_t)first * row_bytes(from),
	    &from->shape, dtype_info(from->dtype)->size, part->n);
}

/* Which elements of an instance's output become which of a call's. */
struct piece {
	const struct tensor_view *from;
	size_t skip, at, n;
};

static enum err_code copy_elements(const struct run *run,
				   struct infer_call *call, unsigned j,
				   const struct piece *piece, struct err *err)
{
	const size_t size = dtype_info(piece->from->dtype)->size;
	const char *from = piece->from->data;
	char *to = call->output[j].data;

	if (piece->from->dtype == DTYPE_STRING)
		return copy_strings(
		    run, call, (struct str *)(void *)to + piece->at,
		    (const struct str *)piece->from->data + piece->skip,
		    piece->n, err);
	if (piece->n)
		memcpy(to + piece->at * size, from + piece->skip * size,
		       piece->n * size);
	return ERR_NONE;
}

static enum err_code check_batched(const struct run *run, unsigned j,
				   const struct tensor_view *from,
				   struct err *err)
{
	if (from->shape.rank && from->shape.dim[0] == run->padded)
		return ERR_NONE;
	return err_set(err, ERR_INTERNAL,
		       "model '%s': output %u does not have a row for each row "
		       "of the inputs",
		       run->options->name, j);
}

static enum err_code copy_rows(const struct run *run, unsigned j,
			       const struct tensor_view *from, struct err *err)
{
	const size_t width =
	    (size_t)shape_range(&from->shape, 1, from->shape.rank);
	int64_t row = 0;
	enum err_code rc = check_batched(run, j, from, err);

	for (unsigned p = 0; p < run->n_parts && !rc; p++) {
		const struct batch_part *part = &run->parts[p];
		struct infer_call *call = part->call;
		const struct piece piece = { .from = from,
					     .skip = (size_t)row * width,
					     .at = (size_t)part->first * width,
					     .n = (size_t)part->n * width };

		row += part->n;
		if (call->is_wanted && !call->is_wanted[j])
			continue;
		rc = make_output(run, call, j, from, err);
		if (!rc && is_cropped(call, j, from))
			crop_rows(part, j, from, row - part->n);
		else if (!rc)
			rc = copy_elements(run, call, j, &piece, err);
	}
	return rc;
}

static enum err_code copy_output(const struct run *run, unsigned j,
				 struct err *err)
{
	struct tensor_view from = instance_output(run->instance, j);
	struct infer_call *call = run->parts[0].call;
	const struct piece whole = { .from = &from,
				     .n = (size_t)shape_count(&from.shape) };
	enum err_code rc;

	if (run->padded)
		return copy_rows(run, j, &from, err);
	if (call->is_wanted && !call->is_wanted[j])
		return ERR_NONE;
	rc = make_output(run, call, j, &from, err);
	if (!rc)
		rc = copy_elements(run, call, j, &whole, err);
	return rc;
}

/* Each call keeps when it ran. */
static void note_times(const struct run *run, int64_t start,
		       const int64_t ns[PHASE_OUTPUT + 1])
{
	for (unsigned p = 0; p < run->n_parts; p++) {
		int64_t *at = run->parts[p].call->at_ns;

		at[CALL_BEGUN] = start;
		at[CALL_INPUT] = start + ns[PHASE_INPUT];
		at[CALL_RAN] = at[CALL_INPUT] + ns[PHASE_INFER];
		at[CALL_OUTPUT] = at[CALL_RAN] + ns[PHASE_OUTPUT];
	}
}

/* With the instance lent: in, run, out. */
static enum err_code go(struct run *run, struct team *team, int64_t start,
			int64_t ret_ns[PHASE_OUTPUT + 1], struct err *err)
{
	const struct infer_call *call = run->parts[0].call;
	int64_t copied, ran;
	enum err_code rc;

	for (unsigned i = 0; i < call->n_inputs; i++)
		copy_input(run, i);
	copied = clock_monotonic_ns();
	rc = instance_run(run->instance, team, err);
	ran = clock_monotonic_ns();
	for (unsigned j = 0; j < call->n_outputs && !rc; j++)
		rc = copy_output(run, j, err);
	ret_ns[PHASE_QUEUE] = 0;
	ret_ns[PHASE_INPUT] = copied - start;
	ret_ns[PHASE_INFER] = ran - copied;
	ret_ns[PHASE_OUTPUT] = clock_monotonic_ns() - ran;
	note_times(run, start, ret_ns);
	return rc;
}

enum err_code batch_run(const struct batcher_options *options,
			const struct batch_part *parts, unsigned n_parts,
			struct team *team, int64_t ret_ns[PHASE_OUTPUT + 1],
			struct err *err)
{
	const int64_t start = clock_monotonic_ns();
	struct run run = { .options = options,
			   .parts = parts,
			   .n_parts = n_parts };
	struct signature signature;
	enum err_code rc;

	if (options->batches) {
		for (unsigned p = 0; p < n_parts; p++)
			run.rows += parts[p].n;
		run.padded = run_padded(run.rows);
	}
	rc = make_facts(&run, err);
	if (rc)
		return rc;
	signature.n = parts[0].call->n_inputs;
	signature.input = run.facts;
	rc = plan_cache_acquire(options->plans, &signature, &run.instance, err);
	if (rc)
		return rc;
	rc = go(&run, team, start, ret_ns, err);
	plan_cache_release(options->plans, run.instance);
	return rc;
}
