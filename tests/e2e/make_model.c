/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Writes a model for the tests of serving: x [n, WIDTH] through LAYERS products
 * with [WIDTH, WIDTH], each followed by Relu, to y [n, WIDTH].
 *
 *   make_model FILE WIDTH LAYERS SEED
 *
 * The graph is the same for every SEED, the weights are not.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/build.h"
#include "models/onnx.h"

enum { FILE_MAX = 512 << 20 };

static int32_t add_layers(struct build *build, int32_t x, int64_t width,
			  int64_t layers, uint64_t seed)
{
	const size_t n = (size_t)(width * width);
	float *w = mem_array(n, sizeof(*w));

	for (int64_t i = 0; w && i < layers; i++) {
		const struct rng rng = { .seed = seed, .stream = (uint32_t)i };
		struct tensor_view view = { .data = w,
					    .dtype = DTYPE_F32,
					    .shape = { 2, { width, width } } };
		char name[32];
		int32_t value = VALUE_NONE;

		rng_fill_uniform(rng, 0, n, w);
		for (size_t k = 0; k < n; k++)
			w[k] = (w[k] - 0.4f) / (float)width;
		(void)snprintf(name, sizeof(name), "w%lld", (long long)i);
		if (graph_copy_constant(build->graph, name, &view, &value,
					&build->err))
			break;
		x = build_1(build, "Relu", build_2(build, "MatMul", x, value));
	}
	mem_free(w);
	return x;
}

static enum err_code write_model(const char *path, int64_t width,
				 int64_t layers, uint64_t seed, struct err *err)
{
	static struct signature_port x = { .name = "x",
					   .dtype = DTYPE_F32,
					   .has_rank = true,
					   .rank = 2,
					   .dim = { { -1, "n" } } };
	static struct signature_port y;
	const struct model_signature signature = {
		.input = &x, .output = &y, .n_inputs = 1, .n_outputs = 1
	};
	const struct onnx_write_options options = { "0", "g" };
	struct graph *graph;
	struct build build;
	int32_t in = VALUE_NONE, out;
	struct buf buf;
	enum err_code rc;

	x.dim[1].extent = width;
	y = x;
	y.name = "y";
	buf_init(&buf, FILE_MAX);
	rc = graph_create(FILE_MAX, &graph, err);
	if (rc)
		return rc;
	rc = graph_add_input(graph, "x", (struct type){ .elem = DTYPE_F32 },
			     &in, err);
	build_init(&build, graph, NULL);
	out = rc ? VALUE_NONE : add_layers(&build, in, width, layers, seed);
	if (!rc)
		rc = build_check(&build, err);
	if (!rc)
		rc = graph_rename(graph, out, "y", err);
	if (!rc)
		rc = graph_add_output(graph, out, err);
	if (!rc)
		rc = facts_type_graph(graph, err);
	if (!rc)
		rc = onnx_write(graph, &signature, &options, &buf, err);
	if (!rc)
		rc = file_write_atomic(path, buf.data, buf.len, err);
	buf_finish(&buf);
	graph_destroy(graph);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err;

	if (argc != 5) {
		(void)fprintf(stderr, "make_model FILE WIDTH LAYERS SEED\n");
		return 2;
	}
	if (!write_model(argv[1], strtol(argv[2], NULL, 10),
			 strtol(argv[3], NULL, 10), strtoul(argv[4], NULL, 10),
			 &err))
		return 0;
	(void)fprintf(stderr, "%s\n", err.msg);
	return 1;
}
