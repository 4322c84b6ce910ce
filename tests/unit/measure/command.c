/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/command.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "base/buf.h"
#include "base/mem.h"
#include "models/network.h"
#include "models/npy.h"
#include "models/onnx.h"
#include "tests/unit/base/folder.h"

static char folder[PATH_MAX];

static void setup(void)
{
	doc_init();
	cr_redirect_stdout();
	cr_redirect_stderr();
	folder_enter(folder);
}

static void teardown(void)
{
	folder_leave(folder);
}

TestSuite(command, .init = setup, .fini = teardown);

static int run(int argc, const char *const *argv)
{
	const struct measure_command *const *m = measure_commands();

	while (!str_equal((*m)->name, argv[0]))
		m++;
	return measure_run(*m, argc - 1, argv + 1);
}

#define RUN(...)                                            \
	run((int)(sizeof((const char *[]){ __VA_ARGS__ }) / \
		  sizeof(const char *)),                    \
	    (const char *const[]){ __VA_ARGS__ })

/* model.onnx: flatten, then a layer from 4 numbers to 2. */
static void save_model(const char *path)
{
	static const char text[] = "layers: [{type: linear, out_features: 2}]";
	const struct network_port in = { .name = "x",
					 .dtype = DTYPE_F32,
					 .row = { 1, { 4 } } };
	const struct network_target out = { "y", 2, false };
	struct arena *arena = arena_create(1 << 20);
	struct network_request request = {
		.in = &in, .n_in = 1, .out = &out, .n_out = 1, .seed = 1
	};
	struct onnx_write_options options = { .graph_name = "test" };
	struct network network;
	struct err err;
	struct doc *doc;
	struct buf buf;

	buf_init(&buf, 1 << 20);
	cr_assert_eq(
	    doc_parse_yaml(text, strlen(text), "model", arena, &doc, &err),
	    ERR_NONE);
	request.model = doc;
	cr_assert_eq(network_build(&request, &network, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(
	    onnx_write(network.graph, &network.signature, &options, &buf, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(file_write_atomic(path, buf.data, buf.len, &err),
		     ERR_NONE);
	buf_finish(&buf);
	graph_destroy(network.graph);
	arena_destroy(arena);
}

static void save_tensor(const char *path, const float *data, int64_t rows,
			int64_t columns)
{
	union {
		const float *in;
		void *out;
	} bytes = { .in = data };
	struct tensor_view view = { .data = bytes.out,
				    .dtype = DTYPE_F32,
				    .shape = { 2, { rows, columns } } };
	struct buf buf;

	buf_init(&buf, 1 << 20);
	cr_assert_eq(npy_write(&view, path, &buf, NULL), ERR_NONE);
	cr_assert_eq(file_write_atomic(path, buf.data, buf.len, NULL),
		     ERR_NONE);
	buf_finish(&buf);
}

static const float rows[] = { 1, 2, 3, 4, -1, 0.5f, 2, 8 };

Test(command, a_model_is_timed)
{
	save_model("model.onnx");
	cr_assert_eq(RUN("bench-model", "model.onnx", "--batch-size", "3",
			 "--seconds", "0.01", "--threads", "2"),
		     MEASURE_OK);
}

Test(command, a_model_is_profiled)
{
	static const char *const wanted[] = {
		"\"traceEvents\"",
		"\"ph\":\"X\"",
		"\"kernel\"",
		"\"tid\":0",
	};
	char *text = NULL;
	size_t len;

	save_model("model.onnx");
	cr_assert_eq(RUN("profile-model", "model.onnx", "--batch-size", "3",
			 "--seconds", "0.01", "--threads", "2", "--trace",
			 "trace.json", "--top", "1"),
		     MEASURE_OK);
	cr_assert_eq(
	    RUN("profile-model", "model.onnx", "--seconds", "0", "--json"),
	    MEASURE_OK);
	cr_assert_eq(file_read_all("trace.json", 1 << 20, &text, &len, NULL),
		     ERR_NONE);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		cr_expect_not_null(strstr(text, wanted[i]), "%s in %s",
				   wanted[i], text);
	mem_free(text);
	cr_assert_eq(RUN("profile-model", "model.onnx", "--trace", "no/t"),
		     MEASURE_FAILED);
	cr_assert_eq(RUN("profile-model", "model.onnx", "--top", "few"),
		     MEASURE_FAILED);
}

Test(command, outputs_are_written_and_checked)
{
	float zero[4] = { 0 };

	cr_assert_eq(file_make_dirs("t/test_data_set_0", NULL), ERR_NONE);
	save_model("t/model.onnx");
	save_tensor("t/test_data_set_0/input_0.npy", rows, 2, 4);
	cr_assert_eq(RUN("run-model", "t/model.onnx", "--inputs",
			 "t/test_data_set_0", "--outputs", "out"),
		     MEASURE_OK);
	cr_assert_eq(access("out/y.npy", F_OK), 0);
	cr_assert_eq(rename("out/y.npy", "t/test_data_set_0/output_0.npy"), 0);
	cr_assert_eq(RUN("op-test", "."), MEASURE_OK);
	save_tensor("t/test_data_set_0/output_0.npy", zero, 2, 2);
	cr_assert_eq(RUN("op-test", "."), MEASURE_FAILED);
	cr_assert_eq(RUN("op-test", ".", "--only", "nothing"), MEASURE_OK);
}

Test(command, inputs_of_another_shape_are_refused)
{
	save_model("model.onnx");
	save_tensor("x.npy", rows, 4, 2);
	cr_assert_eq(
	    RUN("run-model", "model.onnx", "--inputs", ".", "--outputs", "out"),
	    MEASURE_FAILED);
	cr_assert_eq(RUN("bench-model", "model.onnx", "--input-shape", "x:3x5"),
		     MEASURE_FAILED);
	cr_assert_eq(RUN("bench-model", "model.onnx", "--input-shape", "q:1"),
		     MEASURE_FAILED);
}

Test(command, a_training_step_is_timed)
{
	folder_put(
	    "job.yaml",
	    "data: {source: synthetic, rows: 40}\n"
	    "input_features: [{name: x, type: image, shape: [1, 4, 4]}]\n"
	    "output_features: [{name: y, type: category, "
	    "num_classes: 3}]\n"
	    "model: {layers: [{type: flatten}, {type: linear, "
	    "out_features: 3}]}\n"
	    "trainer: {batch_size: 8, epochs: 1}\n");
	cr_assert_eq(RUN("bench-train", "job.yaml", "--seconds", "0.01"),
		     MEASURE_OK);
	cr_assert_eq(RUN("bench-train", "none.yaml"), MEASURE_FAILED);
	cr_assert_eq(RUN("profile-train", "job.yaml", "--seconds", "0.01",
			 "--trace", "trace.json", "--json"),
		     MEASURE_OK);
	cr_assert_eq(access("trace.json", R_OK), 0);
	cr_assert_eq(RUN("profile-train", "none.yaml"), MEASURE_FAILED);
	cr_assert_eq(RUN("profile-train", "job.yaml", "--top", "few"),
		     MEASURE_FAILED);
	folder_put(
	    "job.yaml",
	    "data: {source: 'path:/nowhere', format: idx, split: {type: "
	    "fixed}}\n"
	    "input_features: [{name: x, type: image, shape: [1, 4, 4]}]\n"
	    "output_features: [{name: y, type: category, "
	    "num_classes: 3}]\n"
	    "model: {layers: [{type: flatten}, {type: linear, "
	    "out_features: 3}]}\n"
	    "trainer: {batch_size: 8, epochs: 1}\n");
	/* without a data root: synthetic rows of the same shapes */
	cr_assert_eq(RUN("bench-train", "job.yaml", "--seconds", "0.01"),
		     MEASURE_OK);
	cr_assert_eq(RUN("bench-train", "job.yaml", "--data-root", "/"),
		     MEASURE_FAILED);
}

Test(command, wrong_usage_has_its_own_status)
{
	cr_assert_eq(RUN("bench-model"), MEASURE_USAGE);
	cr_assert_eq(RUN("bench-model", "a", "b"), MEASURE_USAGE);
	cr_assert_eq(RUN("op-test", ".", "--onyl", "x"), MEASURE_USAGE);
	cr_assert_eq(RUN("operators", "x"), MEASURE_USAGE);
	cr_assert_eq(RUN("run-model", "--help"), MEASURE_OK);
	cr_assert_eq(RUN("operators"), MEASURE_OK);
	cr_assert_eq(RUN("operators", "--json"), MEASURE_OK);
	cr_assert_eq(RUN("bench-model", "none.onnx"), MEASURE_FAILED);
}
