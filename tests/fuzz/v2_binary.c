/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * An inference request of the v2 protocol, JSON and binary tensors in one
 * body: the first two bytes say how much of the rest is JSON. The model takes
 * floats, texts, integers and booleans.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "base/mem.h"
#include "server/codec_v2.h"
#include "server/server_priv.h"

enum { INPUTS = 4, OUTPUTS = 2 };

#define OPEN(t, text)                                                  \
	{                                                              \
		.name = text, .dtype = t, .has_rank = true, .rank = 2, \
		.dim = { { -1, "n" },                                  \
			 { 4, NULL } }                                 \
	}

static struct signature_port inputs[INPUTS] = { OPEN(DTYPE_F32, "x"),
						OPEN(DTYPE_STRING, "t"),
						OPEN(DTYPE_I64, "i"),
						OPEN(DTYPE_BOOL, "b") };
static struct signature_port outputs[OUTPUTS] = { OPEN(DTYPE_F32, "y"),
						  OPEN(DTYPE_F32, "z") };

static const struct model_signature signature = { .input = inputs,
						  .output = outputs,
						  .n_inputs = INPUTS,
						  .n_outputs = OUTPUTS };

/* What was taken has all its bytes: every one is read. */
static void touch(const struct inference *inference)
{
	volatile unsigned char sum = 0;

	for (unsigned i = 0; i < INPUTS; i++) {
		const struct tensor_view *view = &inference->input[i];
		size_t n = inference->has_input[i]
			       ? tensor_bytes(view->dtype, &view->shape)
			       : 0;

		for (size_t k = 0; k < n; k++)
			sum ^= ((const unsigned char *)view->data)[k];
		if (view->dtype != DTYPE_STRING || !inference->has_input[i])
			continue;
		for (int64_t k = 0; k < shape_count(&view->shape); k++) {
			const struct str *s =
			    (const struct str *)view->data + k;

			for (size_t j = 0; j < s->len; j++)
				sum ^= (unsigned char)s->bytes[j];
		}
	}
	(void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tensor_view input[INPUTS] = { 0 }, output[OUTPUTS] = { 0 };
	struct inference_output wanted[INFERENCE_TENSORS_MAX] = { 0 };
	bool has_input[INPUTS] = { 0 }, is_wanted[OUTPUTS] = { 0 };
	struct api_context context = { .max_body = 1 << 20 };
	struct api_request request = { .context = &context };
	struct package package = { .name = "m" };
	struct served_model model = { .package = &package, .max_batch = 64 };
	struct inference inference = { .request = &request,
				       .model = &model,
				       .signature = &signature,
				       .input = input,
				       .output = output,
				       .has_input = has_input,
				       .is_wanted = is_wanted,
				       .wanted = wanted };
	struct codec_blob blob;
	struct err err = { 0 };
	size_t n;
	char *body;

	if (size < 2)
		return 0;
	n = ((size_t)data[0] << 8 | data[1]) % (size - 1);
	body = mem_alloc(size - 1);
	request.arena = arena_create((size_t)16 << 20);
	assert(body && request.arena);
	memcpy(body, data + 2, size - 2);
	body[size - 2] = '\0';
	limit_init(&context.limit, (size_t)64 << 20);
	blob = (struct codec_blob){ body + n, size - 2 - n };
	if (codec_v2_read(&inference, body, n, blob, &err))
		assert(err.msg[0]);
	else
		touch(&inference);
	arena_destroy(request.arena);
	mem_free(body);
	return 0;
}
