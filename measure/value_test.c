/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/value_test.h"

#include <limits.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "engine/interpreter.h"
#include "engine/run_heap.h"
#include "models/onnx.h"

enum { PORTS_MAX = 64 };
#define VALUES_MAX ((size_t)1 << 30)

/* Inputs and outputs of one set. */
struct value_test {
	const char *set;
	struct compare_bound bound;
	struct arena *arena;
	struct graph *graph;
	struct tensor_view input[PORTS_MAX];
};

static enum err_code read_value(const struct value_test *test, const char *kind,
				int32_t i, struct type type,
				struct tensor_view *ret, struct err *err)
{
	char path[PATH_MAX];
	struct file_map map;
	enum err_code rc;

	if (snprintf(path, sizeof(path), "%s/%s_%d.pb", test->set, kind,
		     (int)i) >= (int)sizeof(path))
		return err_set(err, ERR_INVALID, "the path is too long");
	rc = file_map_open(path, &map, err);
	if (rc)
		return rc;
	rc = onnx_read_value(map.data, map.len, path, type, test->arena, ret,
			     err);
	file_map_close(&map);
	return rc;
}

static struct tensor_view item_view(const struct item *item)
{
	return (struct tensor_view){ .data = item_data(item),
				     .dtype = item->fact.type.elem,
				     .shape = item->fact.shape };
}

static enum err_code compare_items(const struct value_test *test,
				   const struct sequence *got,
				   const struct sequence *want, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (got->n != want->n || got->is_none != want->is_none)
		return err_set(err, ERR_SHAPE,
			       "expected %zu items%s, got %zu%s", want->n,
			       want->is_none ? " (none)" : "", got->n,
			       got->is_none ? " (none)" : "");
	for (size_t i = 0; i < want->n && !rc; i++) {
		const struct tensor_view a = item_view(&got->item[i]);
		const struct tensor_view b = item_view(&want->item[i]);

		rc = compare_tensors(&a, &b, test->bound, err);
	}
	return rc;
}

static enum err_code check_output(const struct value_test *test,
				  const struct interpreter_result *result,
				  int32_t i, struct err *err)
{
	const int32_t value = test->graph->output[i];
	const struct type type = test->graph->value[value].type;
	const struct tensor_view *got = &result->value[value];
	struct tensor_view want;
	enum err_code rc = read_value(test, "output", i, type, &want, err);

	if (rc)
		return rc;
	return type.is_sequence || type.is_optional
		   ? compare_items(test, got->data, want.data, err)
		   : compare_tensors(got, &want, test->bound, err);
}

static enum err_code run(struct value_test *test, struct err *err)
{
	const struct interpreter_options options = { .max_bytes = VALUES_MAX };
	const struct graph *graph = test->graph;
	struct interpreter_result result;
	enum err_code rc = ERR_NONE;

	if (graph->n_input > PORTS_MAX)
		return err_set(err, ERR_UNSUPPORTED, "more than %d inputs",
			       PORTS_MAX);
	for (int32_t i = 0; i < graph->n_input && !rc; i++)
		rc = read_value(test, "input", i,
				graph->value[graph->input[i]].type,
				&test->input[i], err);
	if (!rc)
		rc = interpret(graph, test->input, &options, &result, err);
	if (rc)
		return rc;
	for (int32_t i = 0; i < graph->n_output && !rc; i++) {
		rc = check_output(test, &result, i, err);
		if (rc)
			(void)err_prefix(err, "output %d", (int)i);
	}
	interpreter_result_finish(&result);
	return rc;
}

static enum err_code read_model(const char *dir, struct value_test *test,
				struct err *err)
{
	const struct onnx_options options = { .copy = true,
					      .any_values = true };
	struct model_signature signature;
	struct file_map map;
	char path[PATH_MAX];
	enum err_code rc;

	if (snprintf(path, sizeof(path), "%s/model.onnx", dir) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "the path is too long");
	rc = file_map_open(path, &map, err);
	if (rc)
		return rc;
	rc = onnx_read(map.data, map.len, "model.onnx", &options, &test->graph,
		       &signature, err);
	file_map_close(&map);
	return rc;
}

enum err_code value_test_run(const char *dir, const char *set,
			     struct compare_bound bound, struct err *err)
{
	struct value_test test = { .set = set, .bound = bound };
	enum err_code rc;

	test.arena = arena_create(VALUES_MAX);
	if (!test.arena)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = read_model(dir, &test, err);
	if (!rc)
		rc = run(&test, err);
	graph_destroy(test.graph);
	arena_destroy(test.arena);
	return rc;
}
