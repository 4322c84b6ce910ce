/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "engine/attr.h"
#include "engine/kernel.h"
#include "engine/port.h"

Test(registry, rows_stand_in_order_and_are_found)
{
	cr_assert_not_null(op_at(0));
	for (size_t i = 0; op_at(i); i++) {
		const struct op *op = op_at(i), *next = op_at(i + 1);
		int order;

		cr_assert_eq(op_find(op->domain, op->name), op, "%s", op->name);
		if (!next)
			break;
		order = strcmp(op->domain, next->domain);
		if (!order)
			order = strcmp(op->name, next->name);
		cr_assert_lt(order, 0, "'%s.%s' stands before '%s.%s'",
			     op->domain, op->name, next->domain, next->name);
	}
	cr_assert_null(op_find("", "NoSuchOperator"));
	cr_assert_null(op_find("nowhere", "Add"));
}

Test(registry, ports_of_every_row_are_well_formed)
{
	struct err err;

	for (size_t i = 0; op_at(i); i++) {
		const struct op *op = op_at(i);

		cr_assert_not_null(op->in, "%s", op->name);
		cr_assert_not_null(op->out, "%s", op->name);
		cr_assert_not_null(op->out[0].name, "%s", op->name);
		cr_assert_eq(port_check_row(op, &err), ERR_NONE, "%s", err.msg);
	}
}

Test(registry, attributes_of_every_row_lie_in_their_struct)
{
	for (size_t i = 0; op_at(i); i++) {
		const struct op *op = op_at(i);
		size_t n = 0;

		for (const struct op_attr *row = op->attrs; row && row->name;
		     row++, n++) {
			cr_assert(op_attr_fits(row, op->attrs_size), "%s.%s",
				  op->name, row->name);
			cr_assert_eq(op_attr_find(op->attrs, row->name), row,
				     "%s.%s stands twice", op->name, row->name);
			cr_assert_leq(row->min, row->max, "%s.%s", op->name,
				      row->name);
		}
		cr_assert_lt(n, 64U, "%s", op->name);
		cr_assert_eq(op->attrs_size == 0, n == 0, "%s", op->name);
	}
}

Test(registry, every_row_can_run_and_has_cases)
{
	for (size_t i = 0; op_at(i); i++) {
		const struct op *op = op_at(i);

		cr_assert(op->help && op->help[0], "%s", op->name);
		cr_assert(op->since > 0, "%s", op->name);
		cr_assert(op->body || op->evaluate ||
			      (op->kernels && op->kernels[0]),
			  "%s", op->name);
		cr_assert(op->infer || op->body || op->evaluate, "%s",
			  op->name);
		cr_assert(op->cases && (op->cases[0].name || op->bodies), "%s",
			  op->name);
		for (const struct op_case *c = op->cases; c->name; c++)
			cr_assert_not_null(c->graph, "%s: %s", op->name,
					   c->name);
	}
}
