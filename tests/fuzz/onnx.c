/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "engine/graph.h"
#include "models/onnx.h"

#define BYTES_MAX ((size_t)64 << 20)

static const struct onnx_options options = { .max_bytes = BYTES_MAX };

/* What was read is written, and what was written is read. */
static void round_trip(const struct graph *graph,
		       const struct model_signature *signature)
{
	const struct onnx_write_options writing = { "1", "fuzz" };
	struct model_signature back;
	struct graph *again = NULL;
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, BYTES_MAX);
	if (!onnx_write(graph, signature, &writing, &buf, &err)) {
		enum err_code rc = onnx_read(buf.data, buf.len, "again",
					     &options, &again, &back, &err);

		if (rc && rc != ERR_NO_MEMORY) {
			(void)fprintf(stderr, "%s\n", err.msg);
			abort();
		}
		assert(rc || back.n_outputs == signature->n_outputs);
		graph_destroy(again);
	}
	buf_finish(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct onnx_options trainable = options;
	struct model_signature signature;
	struct graph *graph = NULL;
	struct err err = { 0 };

	if (!onnx_read(data, size, "fuzz", &options, &graph, &signature,
		       &err)) {
		round_trip(graph, &signature);
		graph_destroy(graph);
	}
	trainable.trainable = true;
	trainable.copy = true;
	if (!onnx_read(data, size, "fuzz", &trainable, &graph, &signature,
		       &err))
		graph_destroy(graph);
	return 0;
}
