/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernel_trial.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/flush.h"

enum { SEED = 20, STREAM = 0x7472 };

struct kernel_trial {
	const struct kernel_query *query;
	struct arena *arena;
	const void **in;
	void **out;
	void *scratch; /* what the largest so far wanted */
	size_t scratch_bytes;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "kernel trial: out of memory");
}

static enum err_code add_bytes(const struct fact *fact, size_t *sum,
			       struct err *err)
{
	if (fact->type.elem == DTYPE_STRING)
		return err_set(err, ERR_UNSUPPORTED,
			       "kernel trial: no strings are made");
	if (fact->type.elem != DTYPE_NONE)
		*sum += tensor_bytes(fact->type.elem, &fact->shape);
	if (*sum > KERNEL_TRIAL_BYTES)
		return err_set(err, ERR_TOO_LARGE,
			       "kernel trial: operands above %zu bytes",
			       KERNEL_TRIAL_BYTES);
	return ERR_NONE;
}

static enum err_code check_operands(const struct kernel_query *query,
				    struct err *err)
{
	size_t sum = 0;
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < query->n_in && !rc; i++)
		rc = add_bytes(&query->in[i], &sum, err);
	for (unsigned i = 0; i < query->n_out && !rc; i++)
		rc = add_bytes(&query->out[i], &sum, err);
	return rc;
}

static void draw(const struct fact *fact, unsigned i, float *x)
{
	const struct rng rng = { .seed = SEED, .stream = STREAM, .step = i };
	const size_t n = (size_t)shape_count(&fact->shape);

	rng_fill_uniform(rng, 0, n, x);
	for (size_t j = 0; j < n; j++)
		x[j] = 2 * x[j] - 1;
}

/* Bytes of an operand that nobody knows; NULL: out of memory. */
static void *make(struct kernel_trial *trial, const struct fact *fact)
{
	return arena_aligned(trial->arena,
			     tensor_bytes(fact->type.elem, &fact->shape) + 1);
}

static enum err_code fill(struct kernel_trial *trial, struct err *err)
{
	const struct kernel_query *query = trial->query;

	trial->in =
	    arena_array(trial->arena, query->n_in + 1, sizeof(*trial->in));
	trial->out =
	    arena_array(trial->arena, query->n_out + 1, sizeof(*trial->out));
	if (!trial->in || !trial->out)
		return no_memory(err);
	for (unsigned i = 0; i < query->n_in; i++) {
		const struct fact *fact = &query->in[i];
		void *made;

		trial->in[i] = fact->value;
		if (fact->type.elem == DTYPE_NONE || fact->value)
			continue;
		made = make(trial, fact);
		if (!made)
			return no_memory(err);
		if (fact->type.elem == DTYPE_F32)
			draw(fact, i, made);
		trial->in[i] = made;
	}
	for (unsigned i = 0; i < query->n_out; i++) {
		if (query->out[i].type.elem == DTYPE_NONE)
			continue;
		trial->out[i] = make(trial, &query->out[i]);
		if (!trial->out[i])
			return no_memory(err);
	}
	return ERR_NONE;
}

enum err_code kernel_trial_create(const struct kernel_query *query,
				  struct kernel_trial **ret_trial,
				  struct err *err)
{
	struct kernel_trial *trial;
	enum err_code rc = check_operands(query, err);

	if (rc)
		return rc;
	trial = mem_zero(sizeof(*trial));
	if (!trial)
		return no_memory(err);
	trial->query = query;
	trial->arena = arena_create(2 * KERNEL_TRIAL_BYTES);
	rc = trial->arena ? fill(trial, err) : no_memory(err);
	if (rc) {
		kernel_trial_destroy(trial);
		return rc;
	}
	*ret_trial = trial;
	return ERR_NONE;
}

void kernel_trial_destroy(struct kernel_trial *trial)
{
	if (!trial)
		return;
	arena_destroy(trial->arena);
	mem_free(trial->scratch);
	mem_free(trial);
}

/* Kept from run to run, as a plan does: new pages would be part of the time. */
static enum err_code grow_scratch(struct kernel_trial *trial, size_t bytes,
				  struct err *err)
{
	if (trial->scratch && bytes <= trial->scratch_bytes)
		return ERR_NONE;
	mem_free(trial->scratch);
	trial->scratch = mem_large(bytes + 1);
	trial->scratch_bytes = bytes;
	return trial->scratch ? ERR_NONE : no_memory(err);
}

enum err_code kernel_trial_run(struct kernel_trial *trial,
			       const struct kernel *kernel,
			       const struct kernel_setup *setup,
			       int64_t *ret_ns, struct err *err)
{
	int32_t fault = 0;
	struct kernel_call call = {
		.query = trial->query,
		.state = setup->state,
		.in = trial->in,
		.out = trial->out,
		.n_slices = setup->n_slices ? setup->n_slices : 1,
		.fault = &fault,
	};
	enum err_code rc = grow_scratch(trial, setup->scratch_bytes, err);
	uint64_t old;
	int64_t start;

	if (!rc && kernel->bind)
		rc = kernel->bind(&call, err);
	if (rc)
		return rc;
	old = flush_begin();
	start = clock_monotonic_ns();
	for (unsigned i = 0; i < call.n_slices; i++)
		kernel->run(&call, i, trial->scratch);
	if (ret_ns)
		*ret_ns = clock_monotonic_ns() - start;
	flush_end(old);
	if (kernel->unbind)
		kernel->unbind(call.bound);
	return ERR_NONE;
}

const void *kernel_trial_in(const struct kernel_trial *trial, unsigned i)
{
	return i < trial->query->n_in ? trial->in[i] : NULL;
}

const void *kernel_trial_out(const struct kernel_trial *trial, unsigned i)
{
	return i < trial->query->n_out ? trial->out[i] : NULL;
}
