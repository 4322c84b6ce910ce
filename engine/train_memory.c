/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "engine/train_step.h"

/* floats; a parameter begins on a cache line */
enum { LINE = 16 };

static size_t round_up(size_t n)
{
	return (n + LINE - 1) / LINE * LINE;
}

static size_t bytes_of(const struct variable *variable)
{
	return tensor_bytes(variable->view.dtype, &variable->view.shape);
}

/** Floats of all parameters and of all states, each on its own lines. */
static enum err_code count(const struct graph *base, size_t *ret_params,
			   size_t *ret_states, struct err *err)
{
	size_t params = 0, states = 0;

	for (int32_t i = 0; i < base->n_variable; i++) {
		const struct variable *variable = &base->variable[i];
		const size_t n = round_up(
		    (bytes_of(variable) + sizeof(float) - 1) / sizeof(float));

		if (variable->role == ROLE_STATE)
			states += n;
		if (variable->role != ROLE_PARAM)
			continue;
		if (variable->view.dtype != DTYPE_F32)
			return err_set(
			    err, ERR_UNSUPPORTED,
			    "parameter '%s' is of type %s; only float "
			    "parameters are trained",
			    variable->name,
			    dtype_info(variable->view.dtype)->name);
		params += n;
	}
	*ret_params = params;
	*ret_states = states;
	return ERR_NONE;
}

static void move(struct variable *variable, float *to)
{
	const size_t bytes = bytes_of(variable);

	if (variable->view.data && bytes)
		memcpy(to, variable->view.data, bytes);
	variable->view.data = to;
}

enum err_code train_memory_create(struct graph *base, unsigned n_moments,
				  bool has_sum,
				  struct train_memory **ret_memory,
				  struct err *err)
{
	struct train_memory *memory = NULL;
	size_t n = 0, states = 0, total;
	float *param, *state;
	enum err_code rc;

	if (n_moments > sizeof(memory->moment) / sizeof(memory->moment[0]))
		return err_set(err, ERR_INVALID,
			       "training: at most 3 moments, got %u",
			       n_moments);
	rc = count(base, &n, &states, err);
	if (rc)
		return rc;
	total = (n * (1 + n_moments + has_sum) + states + LINE) * sizeof(float);
	memory = mem_zero(sizeof(*memory));
	if (memory)
		memory->block = mem_aligned(total);
	if (!memory || !memory->block) {
		train_memory_destroy(memory);
		return err_set(err, ERR_NO_MEMORY,
			       "training: no memory for %zu bytes", total);
	}
	memset(memory->block, 0, total);
	memory->n = n;
	memory->n_moments = n_moments;
	param = memory->params = memory->block;
	for (unsigned i = 0; i < n_moments; i++)
		memory->moment[i] = memory->params + n * (i + 1);
	if (has_sum)
		memory->sum = memory->params + n * (n_moments + 1);
	state = memory->params + n * (n_moments + 1 + has_sum);
	for (int32_t i = 0; i < base->n_variable; i++) {
		struct variable *variable = &base->variable[i];
		float **next = variable->role == ROLE_PARAM ? &param : &state;

		if (variable->role != ROLE_PARAM &&
		    variable->role != ROLE_STATE)
			continue;
		move(variable, *next);
		*next += round_up((bytes_of(variable) + sizeof(float) - 1) /
				  sizeof(float));
	}
	*ret_memory = memory;
	return ERR_NONE;
}

void train_memory_destroy(struct train_memory *memory)
{
	if (!memory)
		return;
	mem_free(memory->block);
	mem_free(memory);
}
