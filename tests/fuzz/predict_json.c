/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What POST /predict takes: whole tensors by name. The first byte chooses the
 * tensor form or rows of the TensorFlow dialect's plain array.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "base/mem.h"
#include "server/codec_predict.h"
#include "server/number_scan.h"
#include "server/number_write.h"
#include "server/server_priv.h"

enum { INPUTS = 3 };

static struct signature_port inputs[INPUTS] = {
	{ "x", DTYPE_F32, true, 2, { { -1, "n" }, { 4, NULL } } },
	{ "t", DTYPE_STRING, true, 1, { { -1, NULL } } },
	{ "any", DTYPE_I32, false, 0, { { 0, NULL } } },
};

static const struct model_signature signature = { .input = inputs,
						  .n_inputs = INPUTS };

/* What was read can be written, and the text reads as the same again. */
static void round_trip(const struct tensor_view *tensor, struct arena *arena)
{
	struct tensor_view again = *tensor;
	struct number_target target = { .name = "again",
					.dtype = tensor->dtype,
					.arena = arena };
	struct buf first, second;
	struct err err = { 0 };
	size_t used;

	buf_init(&first, (size_t)8 << 20);
	buf_init(&second, (size_t)8 << 20);
	if (number_write_nested(&first, tensor, "x", false, &err) ||
	    first.fault)
		goto out;
	target.count = (size_t)shape_count(&tensor->shape);
	again.data = arena_aligned(
	    arena, tensor_bytes(tensor->dtype, &tensor->shape) + 1);
	target.out = again.data;
	if (!again.data ||
	    number_scan(first.data, first.len, &target, &used, &err))
		goto out;
	assert(used == first.len);
	assert(!number_write_nested(&second, &again, "x", false, &err));
	assert(first.len == second.len);
	assert(memcmp(first.data, second.data, first.len) == 0);
out:
	assert(err.msg[0] == '\0' || err.code == ERR_NO_MEMORY);
	buf_finish(&first);
	buf_finish(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct package package = { .name = "m" };
	struct served_model model = { .package = &package, .max_batch = 64 };
	struct tensor_view input[INPUTS] = { 0 };
	bool has_input[INPUTS] = { 0 };
	struct api_context context = { .max_body = 1 << 20 };
	struct api_request request = { .context = &context };
	struct inference inference = { .request = &request,
				       .model = &model,
				       .signature = &signature,
				       .input = input,
				       .has_input = has_input };
	struct json_pull pull;
	struct err err = { 0 };
	enum err_code rc;

	if (!size)
		return 0;
	request.arena = arena_create((size_t)64 << 20);
	assert(request.arena);
	limit_init(&context.limit, (size_t)64 << 20);
	json_pull_init(&pull, (const char *)data + 1, size - 1, "inputs",
		       request.arena);
	rc = data[0] % 2 ? codec_read_tensors(&inference, &pull, &err)
			 : codec_read_tensor(&inference, 0, &pull, &err);
	assert(!rc || err.msg[0]);
	for (unsigned i = 0; i < INPUTS && !rc; i++)
		if (has_input[i])
			round_trip(&input[i], request.arena);
	arena_destroy(request.arena);
	return 0;
}
