/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Every allocation of parsing, inferring, differentiating and interpreting
 * fails once: an error comes back, and nothing is lost (AddressSanitizer).
 */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "engine/autodiff.h"
#include "engine/graph_text.h"
#include "engine/interpreter.h"
#include "engine/passes/widen.h"

static const char *const text =
    "h = Relu(Add(MatMul(x:float[2,3]={1,2,3,4,5,6}, w:float[3,4]!), "
    "b:float[4]!));"
    "t = Cast<to=8>(h); s = Shape(h); g = Mul(k:float16[2]={1,2}, k);"
    "l = ReduceSum<keepdims=0>(Mul(h, h)); return l, t, s, g";

static enum err_code differentiate(struct graph *graph, struct facts *facts,
				   struct err *err)
{
	struct build build;
	int32_t wrt = graph_find_value(graph, "w"), grad;

	build_init(&build, graph, facts);
	return autodiff(&build, graph_find_value(graph, "l"), VALUE_NONE, &wrt,
			1, &grad, err);
}

static enum err_code everything(struct err *err)
{
	struct graph *graph = NULL;
	struct facts *facts = NULL;
	struct fact *input;
	struct interpreter_result result;
	enum err_code rc;

	rc = graph_text_parse(text, &graph, &input, err);
	if (rc)
		return rc;
	rc = facts_type_graph(graph, err);
	if (!rc)
		rc = facts_create(graph, input, &facts, err);
	if (!rc)
		rc = differentiate(graph, facts, err);
	if (!rc)
		rc = interpret(graph, NULL, NULL, &result, err);
	if (!rc)
		interpreter_result_finish(&result);
	if (!rc)
		rc = graph_widen(graph, err);
	facts_destroy(facts);
	graph_destroy(graph);
	return rc;
}

Test(no_memory, every_allocation_may_fail)
{
	struct err err;
	unsigned long n = 0;
	enum err_code rc;

	cr_assert_eq(everything(&err), ERR_NONE, "%s", err.msg);
	do {
		mem_fail_at(++n);
		rc = everything(&err);
		cr_expect(rc == ERR_NONE || rc == ERR_NO_MEMORY,
			  "allocation %lu: %s: %s", n, err_wire(rc), err.msg);
	} while (rc != ERR_NONE && n < 10000);
	mem_fail_at(0);
	cr_assert_gt(n, 50, "only %lu allocations", n);
	cr_assert_lt(n, 10000);
}
