/* SPDX-License-Identifier: Apache-2.0 */
#include "server/inference.h"

#include "base/clock.h"
#include "base/str.h"
#include "server/api_demand.h"
#include "server/gathering.h"
#include "server/generation.h"
#include "server/inference_priv.h"
#include "server/server_priv.h"
#include "server/trace.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "the request needs more memory than one may have");
}

/* What the access log tells of it, copied: the model may go. */
static void note_served(const struct inference *inference)
{
	struct api_request *request = inference->request;
	const struct infer_call *call = &inference->call;
	struct api_served *served = &request->served;

	served->model =
	    arena_strdup(request->arena, inference->model->package->name);
	served->version =
	    arena_strdup(request->arena, inference->model->version);
	if (!call->at_ns[CALL_BEGUN])
		return;
	served->n_rows = call->rows;
	served->queue_ns = call->at_ns[CALL_BEGUN] - call->queued_ns;
	served->run_ns = call->at_ns[CALL_OUTPUT] - call->at_ns[CALL_BEGUN];
}

/* Counts the request for its model and lets that go. */
static void cleanup(struct api_request *request)
{
	struct inference *inference = request->state;

	inference_leave_sequence(inference, false);
	if (request->context->access != ACCESS_OFF)
		note_served(inference);
	trace_request(request->context->trace, inference);
	model_stats_answered(inference->model->stats, request->code,
			     clock_monotonic_ns() - request->start_ns);
	served_model_unref(inference->model);
}

enum err_code inference_begin(struct api_request *request, const char *name,
			      const char *version,
			      struct inference **ret_inference, struct err *err)
{
	struct served_model *model;
	enum err_code rc = api_find_model(request, name, version, &model, err);

	return rc ? rc
		  : inference_begin_with(request, model, ret_inference, err);
}

static bool alloc_tensors(struct inference *inference, struct arena *arena)
{
	const struct model_signature *signature = inference->signature;
	const size_t n_in = signature->n_inputs + 1;
	const size_t n_out = signature->n_outputs + 1;

	inference->input = arena_array(arena, n_in, sizeof(*inference->input));
	inference->has_input =
	    arena_array(arena, n_in, sizeof(*inference->has_input));
	inference->output =
	    arena_array(arena, n_out, sizeof(*inference->output));
	inference->is_wanted =
	    arena_array(arena, n_out, sizeof(*inference->is_wanted));
	inference->wanted =
	    arena_array(arena, n_out, sizeof(*inference->wanted));
	return inference->input && inference->has_input && inference->output &&
	       inference->is_wanted && inference->wanted;
}

enum err_code inference_begin_with(struct api_request *request,
				   struct served_model *model,
				   struct inference **ret_inference,
				   struct err *err)
{
	struct inference *inference =
	    arena_alloc(request->arena, sizeof(*inference));

	if (!inference) {
		served_model_unref(model);
		return no_memory(err);
	}
	inference->request = request;
	inference->model = model;
	inference->signature = &model->package->signature;
	request->state = inference;
	request->cleanup = cleanup;
	if (!alloc_tensors(inference, request->arena))
		return no_memory(err);
	*ret_inference = inference;
	return api_admit(request, model->package->name, model->version, err);
}

static bool is_named(const struct signature_port *port, struct str name)
{
	return strlen(port->name) == name.len &&
	       memcmp(port->name, name.bytes, name.len) == 0;
}

/* Names go into messages: their length is theirs, but not without end. */
static int shown(struct str name)
{
	return name.len < 64 ? (int)name.len : 64;
}

enum err_code inference_find_input(struct inference *inference, struct str name,
				   unsigned *ret_port, struct err *err)
{
	const struct model_signature *signature = inference->signature;
	unsigned i = 0;

	while (i < signature->n_inputs && !is_named(&signature->input[i], name))
		i++;
	if (i == signature->n_inputs)
		return err_set(
		    err, ERR_INVALID, "model '%s' has no input '%.*s'",
		    inference->model->package->name, shown(name), name.bytes);
	if (inference->has_input[i])
		return err_set(err, ERR_INVALID, "input '%.*s' is given twice",
			       shown(name), name.bytes);
	*ret_port = i;
	return ERR_NONE;
}

static const char *type_name(enum dtype dtype)
{
	const struct dtype_info *info = dtype_info(dtype);

	return info->v2_name ? info->v2_name : info->name;
}

/* A tensor without elements comes in no bytes, whatever else its shape says;
 * but a run is planned for what a row of it would be, so that has to be what a
 * body could carry. */
static enum err_code check_empty(const struct inference *inference,
				 const char *name, enum dtype dtype,
				 const struct shape *shape, struct err *err)
{
	const size_t max = inference->request->body_max;
	size_t bytes = dtype_info(dtype)->size;

	for (unsigned d = 0; d < shape->rank; d++) {
		/* without the zeros they are below 2^40 too */
		if (shape->dim[d])
			bytes *= (size_t)shape->dim[d];
		if (bytes > max)
			return err_set(err, ERR_TOO_LARGE,
				       "input '%s' has no elements, and beside "
				       "that extents of more than the %zu "
				       "bytes that a body may have",
				       name, max);
	}
	return ERR_NONE;
}

enum err_code inference_shape_input(struct inference *inference, unsigned port,
				    enum dtype dtype, const struct shape *shape,
				    size_t *ret_bytes, struct err *err)
{
	const struct signature_port *row = &inference->signature->input[port];
	enum err_code rc;

	if (dtype != row->dtype)
		return err_set(err, ERR_INVALID,
			       "input '%s': expected datatype %s, got %s",
			       row->name, type_name(row->dtype),
			       type_name(dtype));
	rc = tensor_bytes_checked(dtype, shape->rank, shape->dim, row->name,
				  ret_bytes, err);
	if (rc)
		return err_prefix(err, "input '%s'", row->name);
	rc = signature_check(row, shape, err);
	if (!rc && !*ret_bytes)
		rc = check_empty(inference, row->name, dtype, shape, err);
	if (rc)
		return rc;
	inference->has_input[port] = true;
	inference->input[port].dtype = dtype;
	inference->input[port].shape = *shape;
	return ERR_NONE;
}

enum err_code inference_alloc_input(struct inference *inference, unsigned port,
				    size_t bytes, struct err *err)
{
	struct api_request *request = inference->request;
	void *data;
	enum err_code rc = api_hold(request, bytes, err);

	if (rc)
		return rc;
	data = arena_aligned(request->arena, bytes + 1);
	if (!data && bytes >= arena_left(request->arena))
		return err_set(err, ERR_TOO_LARGE,
			       "input '%s' takes %zu bytes; a request may have "
			       "%zu more",
			       inference->signature->input[port].name, bytes,
			       arena_left(request->arena));
	if (!data)
		return no_memory(err);
	inference->input[port].data = data;
	return ERR_NONE;
}

enum err_code inference_want(struct inference *inference, struct str name,
			     bool is_binary, uint64_t n_classes,
			     struct err *err)
{
	const struct model_signature *signature = inference->signature;
	unsigned i = 0;

	while (i < signature->n_outputs &&
	       !is_named(&signature->output[i], name))
		i++;
	if (i == signature->n_outputs)
		return err_set(
		    err, ERR_INVALID, "model '%s' has no output '%.*s'",
		    inference->model->package->name, shown(name), name.bytes);
	if (inference->is_wanted[i])
		return err_set(err, ERR_INVALID,
			       "output '%.*s' is asked for twice", shown(name),
			       name.bytes);
	inference->is_wanted[i] = true;
	inference->wanted[inference->n_wanted++] =
	    (struct inference_output){ i, is_binary, n_classes };
	return ERR_NONE;
}

enum err_code inference_want_all(struct inference *inference, bool is_binary,
				 struct err *err)
{
	const struct model_signature *signature = inference->signature;
	enum err_code rc = ERR_NONE;

	inference->wants_all = true;
	for (unsigned i = 0; i < signature->n_outputs && !rc; i++) {
		const char *name = signature->output[i].name;

		rc = inference_want(inference,
				    (struct str){ name, strlen(name) },
				    is_binary, 0, err);
	}
	return rc;
}

/* A state that nobody carries is one that no sequence was named for. */
static enum err_code missing(const struct inference *inference, unsigned port,
			     struct err *err)
{
	const struct sequences *sequences = inference->model->sequences;
	bool is_state = false;

	for (unsigned k = 0; sequences && k < sequences_n_states(sequences);
	     k++)
		is_state =
		    is_state || sequences_port(sequences, k).input == port;
	return err_set(err, ERR_INVALID, "model '%s': input '%s' is missing%s",
		       inference->model->package->name,
		       inference->signature->input[port].name,
		       is_state ? "; it is carried from request to request "
				  "where parameters say \"sequence_id\""
				: "");
}

static enum err_code check_complete(const struct inference *inference,
				    struct err *err)
{
	const struct model_signature *signature = inference->signature;
	struct shape *shapes =
	    arena_array(inference->request->arena, signature->n_inputs + 1,
			sizeof(*shapes));

	if (!shapes)
		return no_memory(err);
	for (unsigned i = 0; i < signature->n_inputs; i++) {
		if (!inference->has_input[i])
			return missing(inference, i, err);
		shapes[i] = inference->input[i].shape;
	}
	return signature_bind(signature, shapes, err);
}

static void end_run(struct inference *inference)
{
	inference_leave_sequence(inference, true);
	inference_keep_answer(inference);
}

static void done(struct infer_call *call)
{
	struct api_request *request = call->data;

	end_run(request->state);
	api_finish(request);
}

static void fill_call(struct inference *inference, struct arena *arena)
{
	struct api_request *request = inference->request;
	struct infer_call *call = &inference->call;

	call->n_inputs = inference->signature->n_inputs;
	call->n_outputs = inference->signature->n_outputs;
	call->input = inference->input;
	call->output = inference->output;
	call->is_wanted = inference->is_wanted;
	call->arena = arena;
	call->priority = model_config_priority(
	    inference->model->priority_levels,
	    inference->model->default_priority, inference->priority);
	call->deadline_ns = request->deadline_ns;
	call->is_abandoned = &request->is_abandoned;
	call->done = done;
	call->data = request;
}

static void step_done(struct infer_call *call)
{
	api_finish(call->data);
}

enum err_code inference_submit(struct inference *inference, struct arena *arena,
			       void (*run_done)(struct infer_call *),
			       void *data, struct err *err)
{
	struct infer_call *call = &inference->call;
	enum err_code rc = check_complete(inference, err);

	if (rc)
		return rc;
	*call = (struct infer_call){ 0 };
	fill_call(inference, arena);
	call->is_wanted = NULL;
	call->done = run_done;
	call->data = data;
	return batcher_submit(inference->model->batcher, call, err);
}

enum err_code inference_step(struct inference *inference, struct arena *arena,
			     api_handler *then, struct err *err)
{
	api_suspend(inference->request, then);
	return inference_submit(inference, arena, step_done, inference->request,
				err);
}

enum err_code inference_run(struct inference *inference, api_handler *answer,
			    struct err *err)
{
	struct api_request *request = inference->request;
	struct infer_call *call = &inference->call;
	enum err_code rc;

	if (inference->generation)
		return generation_run(inference->generation, answer, err);
	rc = inference_enter_sequence(inference, err);
	if (!rc)
		rc = check_complete(inference, err);
	if (rc)
		return rc;
	fill_call(inference, request->arena);
	if (inference_find_answer(inference))
		return answer(request, err);
	if (request->gathering && !inference->sequence &&
	    gathering_add(request->gathering, inference->model->batcher,
			  call)) {
		request->is_gathered = true;
		api_suspend(request, answer);
		return ERR_NONE;
	}
	if (batcher_run_now(inference->model->batcher, call)) {
		end_run(inference);
		return answer(request, err);
	}
	api_suspend(request, answer);
	return batcher_submit(inference->model->batcher, call, err);
}

enum err_code inference_result(struct api_request *request,
			       struct inference **ret_inference,
			       struct err *err)
{
	struct inference *inference = request->state;

	*ret_inference = inference;
	if (inference->call.rc)
		*err = inference->call.err;
	return inference->call.rc;
}
