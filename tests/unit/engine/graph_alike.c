/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph_alike.h"

#include <criterion/criterion.h>

#include "engine/facts.h"
#include "engine/graph_text.h"

static bool alike(const char *one, const char *other)
{
	struct graph *a = NULL, *b = NULL;
	struct err err;
	bool are;

	cr_assert_eq(graph_text_parse(one, &a, NULL, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(graph_text_parse(other, &b, NULL, &err), ERR_NONE, "%s",
		     err.msg);
	are = graph_alike(a, b);
	cr_assert_eq(graph_alike(b, a), are);
	graph_destroy(a);
	graph_destroy(b);
	return are;
}

Test(graph_alike, other_weights_are_alike)
{
	cr_assert(alike("y = Add(x:float, W:float[2]={1, 2})",
			"y = Add(x:float, W:float[2]={3, 4})"));
}

Test(graph_alike, other_networks_are_not)
{
	static const char *const others[] = {
		"y = Sub(x:float, W:float[2]={1, 2})",
		"y = Add(x:float, W:float[3]={1, 2, 3})",
		"y = Add(W:float[2]={1, 2}, x:float)",
		"y = Add(x:double, W:double[2]={1, 2})",
		"a = Add(x:float, W:float[2]={1, 2})\ny = Relu(a)",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		cr_assert_not(
		    alike("y = Add(x:float, W:float[2]={1, 2})", others[i]),
		    "%s", others[i]);
}

Test(graph_alike, attributes_and_shapes_count)
{
	cr_assert_not(alike("y = Softmax<axis=0>(x:float)",
			    "y = Softmax<axis=1>(x:float)"));
	cr_assert_not(alike("y = Reshape(x:float, W:int64[2]={2, 3})",
			    "y = Reshape(x:float, W:int64[2]={3, 2})"));
	cr_assert(alike("y = Reshape(x:float, W:int64[2]={3, 2})",
			"y = Reshape(x:float, W:int64[2]={3, 2})"));
}
