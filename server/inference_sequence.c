/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The sequence of a request: its state goes in with the inputs and is kept from
 * the outputs.
 */
#include "server/inference_priv.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "the request needs more memory than one may have");
}

/* An open extent is that of an input with the same symbol, or 1. */
static int64_t extent_of(const struct inference *inference,
			 const struct signature_dim *dim)
{
	const struct model_signature *signature = inference->signature;

	if (dim->extent >= 0)
		return dim->extent;
	for (unsigned i = 0; i < signature->n_inputs && dim->symbol; i++) {
		const struct signature_port *port = &signature->input[i];

		if (!inference->has_input[i])
			continue;
		for (unsigned d = 0; d < port->rank; d++)
			if (port->dim[d].symbol &&
			    strcmp(port->dim[d].symbol, dim->symbol) == 0)
				return inference->input[i].shape.dim[d];
	}
	return 1;
}

/* The state before the first request. */
static enum err_code begin_with_zeros(struct inference *inference, unsigned i,
				      struct err *err)
{
	const struct signature_port *port = &inference->signature->input[i];
	struct shape shape = { .rank = port->rank };
	size_t bytes;
	enum err_code rc;

	for (unsigned d = 0; d < port->rank; d++)
		shape.dim[d] = extent_of(inference, &port->dim[d]);
	rc = inference_shape_input(inference, i, port->dtype, &shape, &bytes,
				   err);
	if (!rc)
		rc = inference_alloc_input(inference, i, bytes, err);
	if (!rc)
		memset(inference->input[i].data, 0, bytes);
	return rc;
}

/* A copy: the state is another's once the request has left. */
static enum err_code take_state(struct inference *inference, unsigned k,
				struct err *err)
{
	const struct sequences *sequences = inference->model->sequences;
	const unsigned i = sequences_port(sequences, k).input;
	const struct tensor_view *state =
	    sequence_state(inference->sequence, k);
	size_t bytes;
	enum err_code rc;

	if (inference->has_input[i])
		return err_set(err, ERR_INVALID,
			       "input '%s' is carried by the sequence, and may "
			       "not be given",
			       inference->signature->input[i].name);
	if (!state->data)
		return begin_with_zeros(inference, i, err);
	rc = inference_shape_input(inference, i, state->dtype, &state->shape,
				   &bytes, err);
	if (!rc)
		rc = inference_alloc_input(inference, i, bytes, err);
	if (!rc && bytes)
		memcpy(inference->input[i].data, state->data, bytes);
	return rc;
}

/* States are made, whether the client wants to see them or not; one that asked
 * for nothing in particular does not. */
static enum err_code want_states(struct inference *inference, struct err *err)
{
	const struct sequences *sequences = inference->model->sequences;
	unsigned n = 0;

	if (inference->wants_all) {
		for (unsigned i = 0; i < inference->n_wanted; i++) {
			bool is_state = false;

			for (unsigned k = 0; k < sequences_n_states(sequences);
			     k++)
				is_state =
				    is_state ||
				    inference->wanted[i].port ==
					sequences_port(sequences, k).output;
			if (!is_state)
				inference->wanted[n++] = inference->wanted[i];
		}
		inference->n_wanted = n;
	}
	if (!inference->is_wanted)
		return no_memory(err);
	for (unsigned k = 0; k < sequences_n_states(sequences); k++)
		inference->is_wanted[sequences_port(sequences, k).output] =
		    true;
	return ERR_NONE;
}

enum err_code inference_enter_sequence(struct inference *inference,
				       struct err *err)
{
	struct sequences *sequences = inference->model->sequences;
	enum err_code rc;

	if (!inference->sequence_id.bytes)
		return ERR_NONE;
	if (!sequences)
		return err_set(err, ERR_INVALID,
			       "model '%s' has no sequences: its config.yaml "
			       "names no state",
			       inference->model->package->name);
	rc = sequences_enter(sequences, inference->sequence_id,
			     inference->is_sequence_start, &inference->sequence,
			     err);
	if (!rc)
		rc = want_states(inference, err);
	for (unsigned k = 0; k < sequences_n_states(sequences) && !rc; k++)
		rc = take_state(inference, k, err);
	return rc;
}

void inference_leave_sequence(struct inference *inference, bool has_run)
{
	struct sequences *sequences = inference->model->sequences;
	struct infer_call *call = &inference->call;

	if (!inference->sequence)
		return;
	for (unsigned k = 0;
	     has_run && !call->rc && k < sequences_n_states(sequences); k++)
		call->rc = sequence_keep(
		    inference->sequence, k,
		    &call->output[sequences_port(sequences, k).output],
		    &call->err);
	sequences_leave(sequences, inference->sequence,
			has_run && !call->rc && inference->is_sequence_end);
	inference->sequence = NULL;
}
