/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Inference: one request to a model, whatever the door it came in by.
 *
 * A codec begins it, gives each input, and says what happens with the outputs;
 * inference_run() checks that everything is there and runs it, on this thread
 * or behind the batcher.
 *
 * Ownership: lives in the request's arena; holds the model until the request
 *            is answered.
 * Threads:   as the request.
 */
#ifndef SERVER_INFERENCE_H
#define SERVER_INFERENCE_H

#include "base/fingerprint.h"
#include "server/api.h"
#include "server/served_model.h"

enum { INFERENCE_TENSORS_MAX = 64 };

/** One output as the client asked for it. */
struct inference_output {
	unsigned port;
	bool is_binary;
	uint64_t n_classes; /**< 0: the tensor itself */
};

struct generation;
struct sequence;

struct inference {
	struct api_request *request;
	struct served_model *model;
	const struct model_signature *signature;
	struct tensor_view *input; /**< [n_inputs] */
	bool *has_input;
	struct tensor_view *output; /**< [n_outputs], after the run */
	bool *is_wanted;
	struct inference_output
	    *wanted; /**< [n_wanted], in the client's order */
	unsigned n_wanted;
	struct str id;		/**< bytes NULL: none given */
	uint64_t priority;	/**< as the client says; 0: nothing */
	struct str sequence_id; /**< bytes NULL: of no sequence */
	bool is_sequence_start, is_sequence_end;
	bool wants_all;		   /**< nothing in particular was asked for */
	struct sequence *sequence; /**< while it is under way */
	struct generation *generation; /**< of a language model's texts */
	struct fingerprint answer_key; /**< in the cache of answers */
	bool has_key;
	struct infer_call call;
};

/** Finds the model (server/api_demand.h). request->state is the
 * inference from then on. */
MUST_USE enum err_code inference_begin(struct api_request *request,
				       const char *name, const char *version,
				       struct inference **ret_inference,
				       struct err *err);
/** The same for a model that is found already; takes it, also on failure. */
MUST_USE enum err_code inference_begin_with(struct api_request *request,
					    struct served_model *model,
					    struct inference **ret_inference,
					    struct err *err);

/** The input of that name, which must not have been given before. */
MUST_USE enum err_code inference_find_input(struct inference *inference,
					    struct str name, unsigned *ret_port,
					    struct err *err);
/** Checks type and shape of input `port` and says how many bytes it has. The
 * caller then sets inference->input[port].data. */
MUST_USE enum err_code inference_shape_input(struct inference *inference,
					     unsigned port, enum dtype dtype,
					     const struct shape *shape,
					     size_t *ret_bytes,
					     struct err *err);
/** Memory for it, counted in the budget. */
MUST_USE enum err_code inference_alloc_input(struct inference *inference,
					     unsigned port, size_t bytes,
					     struct err *err);
/** Asks for one more output. */
MUST_USE enum err_code inference_want(struct inference *inference,
				      struct str name, bool is_binary,
				      uint64_t n_classes, struct err *err);
/** All outputs, when none was asked for. */
MUST_USE enum err_code inference_want_all(struct inference *inference,
					  bool is_binary, struct err *err);

struct json_pull;
/** A parameter of the request that says how it is run (timeout, priority,
 * sequence_id, sequence_start, sequence_end); others are passed over. */
MUST_USE enum err_code inference_take_parameter(struct inference *inference,
						struct str key,
						struct json_pull *pull,
						struct err *err);

/** Runs it; `answer` then writes the answer, now or later. */
MUST_USE enum err_code inference_run(struct inference *inference,
				     api_handler *answer, struct err *err);
/** One run among several of one request: outputs go to `arena`. done() comes on
 * another thread, unless an error is returned. Neither sequences nor known
 * answers are looked at. */
MUST_USE enum err_code inference_submit(struct inference *inference,
					struct arena *arena,
					void (*run_done)(struct infer_call *),
					void *data, struct err *err);
/** The same with the request suspended until then. */
MUST_USE enum err_code inference_step(struct inference *inference,
				      struct arena *arena, api_handler *then,
				      struct err *err);
/** What `answer` begins with: the run's error, if there was one. */
MUST_USE enum err_code inference_result(struct api_request *request,
					struct inference **ret_inference,
					struct err *err);

#endif
