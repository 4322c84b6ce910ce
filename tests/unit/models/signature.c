/* SPDX-License-Identifier: Apache-2.0 */
#include "models/signature.h"

#include <criterion/criterion.h>

static struct signature_port picture(void)
{
	return (struct signature_port){
		.name = "image",
		.dtype = DTYPE_F32,
		.has_rank = true,
		.rank = 3,
		.dim = { { -1, "batch" }, { 3, NULL }, { -1, NULL } },
	};
}

static struct signature_port label(void)
{
	return (struct signature_port){
		.name = "label",
		.dtype = DTYPE_F32,
		.has_rank = true,
		.rank = 2,
		.dim = { { -1, "batch" }, { 10, NULL } },
	};
}

Test(signature, names_input_expected_and_got)
{
	struct signature_port port = picture();
	const struct shape good = { 3, { 5, 3, 8 } }, bad = { 3, { 5, 4, 8 } };
	struct err err = { 0 };

	cr_assert_eq(signature_check(&port, &good, &err), ERR_NONE);
	cr_assert_eq(signature_check(&port, &bad, &err), ERR_SHAPE);
	cr_assert_str_eq(err.msg,
			 "input 'image' takes float [batch,3,?]; got [5,4,8]");
}

Test(signature, refuses_another_rank_unless_it_is_open)
{
	struct signature_port port = picture();
	const struct shape flat = { 1, { 5 } };

	cr_assert_eq(signature_check(&port, &flat, NULL), ERR_SHAPE);
	port.has_rank = false;
	cr_assert_eq(signature_check(&port, &flat, NULL), ERR_NONE);
}

Test(signature, refuses_shapes_that_no_tensor_has)
{
	struct signature_port port = picture();
	const struct shape negative = { 3, { -1, 3, 8 } };
	const struct shape huge = { 3, { (int64_t)1 << 40, 3, 8 } };

	cr_assert_neq(signature_check(&port, &negative, NULL), ERR_NONE);
	cr_assert_neq(signature_check(&port, &huge, NULL), ERR_NONE);
}

Test(signature, wants_equal_extents_for_equal_symbols)
{
	struct signature_port in[2] = { picture(), label() };
	struct model_signature s = { .input = in, .n_inputs = 2 };
	struct shape shapes[2] = { { 3, { 5, 3, 8 } }, { 2, { 5, 10 } } };
	struct err err = { 0 };

	cr_assert_eq(signature_bind(&s, shapes, &err), ERR_NONE);
	shapes[1].dim[0] = 4;
	cr_assert_eq(signature_bind(&s, shapes, &err), ERR_SHAPE);
	cr_assert(strstr(err.msg, "'label' has 4 for 'batch'") != NULL, "%s",
		  err.msg);
}

Test(signature, batches_when_one_symbol_leads_everywhere)
{
	struct signature_port in = picture(), out = label();
	struct model_signature s = {
		.input = &in, .output = &out, .n_inputs = 1, .n_outputs = 1
	};

	cr_assert(signature_may_batch(&s));
	out.dim[0].symbol = "n";
	cr_assert_not(signature_may_batch(&s));
	out.dim[0] = (struct signature_dim){ 1, NULL };
	cr_assert_not(signature_may_batch(&s));
	out = label();
	in.dim[0].symbol = NULL;
	cr_assert_not(signature_may_batch(&s));
	s.n_inputs = 0;
	cr_assert_not(signature_may_batch(&s));
}

Test(signature, cuts_a_text_that_is_too_long)
{
	char symbol[600];
	struct signature_port port = picture();
	const struct shape flat = { 1, { 5 } };
	struct err err = { 0 };

	memset(symbol, 's', sizeof(symbol) - 1);
	symbol[sizeof(symbol) - 1] = '\0';
	for (unsigned d = 0; d < 3; d++)
		port.dim[d] = (struct signature_dim){ -1, symbol };
	cr_assert_eq(signature_check(&port, &flat, &err), ERR_SHAPE);
	cr_assert(strstr(err.msg, "got [5]") != NULL, "%s", err.msg);
}
