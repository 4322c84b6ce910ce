/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Answers that are known already.
 */
#include "base/clock.h"
#include "server/inference_priv.h"
#include "server/response_cache.h"

bool inference_find_answer(struct inference *inference)
{
	const struct served_model *model = inference->model;
	struct infer_call *call = &inference->call;
	const struct response_question question = {
		.model = model->number,
		.n_inputs = call->n_inputs,
		.n_outputs = call->n_outputs,
		.input = call->input,
		.is_wanted = call->is_wanted,
	};
	int64_t start;
	bool is_found;

	if (!model->cache || inference->sequence)
		return false;
	start = clock_monotonic_ns();
	inference->answer_key = response_cache_key(model->cache, &question);
	inference->has_key = true;
	is_found =
	    response_cache_find(model->cache, inference->answer_key,
				call->arena, call->output, call->n_outputs);
	call->rc = ERR_NONE;
	model_stats_cached(model->stats, is_found,
			   clock_monotonic_ns() - start);
	return is_found;
}

void inference_keep_answer(const struct inference *inference)
{
	const struct infer_call *call = &inference->call;

	if (inference->has_key && !call->rc)
		response_cache_keep(
		    inference->model->cache, inference->answer_key,
		    inference->model->number, call->output, call->n_outputs);
}
