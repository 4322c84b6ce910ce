/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Every case of every row, in one loop over the registry.
 *
 * Each row is checked in a child process, so that a crash names its row.
 * OP_CASES=Conv,Relu in the environment picks rows.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/kernel.h"
#include "engine/port.h"
#include "op_case.h"

enum { MAX_FAILURES = 1 << 18 };

/* AddressSanitizer names the place of a crash itself, and looks for leaks only
 * in a process that ends in its own time. */
#ifdef __SANITIZE_ADDRESS__
enum { HAS_PROCESSES = 0 };
#else
enum { HAS_PROCESSES = 1 };
#endif

static bool is_picked(const struct op *op)
{
	const char *list = getenv("OP_CASES");
	const size_t len = strlen(op->name);

	for (const char *at = list; at && (at = strstr(at, op->name)); at++)
		if ((at == list || at[-1] == ',') &&
		    (at[len] == ',' || at[len] == '\0'))
			return true;
	return !list;
}

static bool has_rule(const struct op *op)
{
	return (op->grad || op->vjp || op->body) &&
	       !(op->flags & OP_NO_GRADIENT);
}

static void check_kernels(const struct op *op, struct buf *failures)
{
	struct case_test test = { .op = op, .failures = failures };

	for (test.row = op->cases; test.row->name; test.row++)
		case_check_kernels(&test);
}

static void check_gradients(const struct op *op, struct buf *failures)
{
	struct case_test test = { .op = op, .failures = failures };

	if (!has_rule(op))
		return;
	for (test.row = op->cases; test.row->name; test.row++)
		case_check_gradients(&test);
	if (test.n_gradients == 0)
		buf_printf(failures, "%s has a gradient that no case checks\n",
			   op->name);
}

/* Criterion's report belongs to the parent: the child sends text. */
static void run_child(const struct op *op,
		      void (*check)(const struct op *, struct buf *), int out)
{
	struct buf failures;

	buf_init(&failures, MAX_FAILURES);
	check(op, &failures);
	for (size_t at = 0; at < failures.len;) {
		const ssize_t n =
		    write(out, failures.data + at, failures.len - at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	buf_finish(&failures);
}

static void read_all(int from, struct buf *text)
{
	char part[4096];
	ssize_t n;

	while ((n = read(from, part, sizeof(part))) > 0)
		buf_put(text, part, (size_t)n);
}

static void check_row(const struct op *op,
		      void (*check)(const struct op *, struct buf *))
{
	struct buf failures;
	int ends[2], status = 0;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		close(ends[0]);
		run_child(op, check, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	buf_init(&failures, MAX_FAILURES);
	read_all(ends[0], &failures);
	close(ends[0]);
	waitpid(child, &status, 0);
	cr_expect(failures.len == 0, "%s", failures.data);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		  "%s ends its process with status %d", op->name, status);
	buf_finish(&failures);
}

static void check_row_here(const struct op *op,
			   void (*check)(const struct op *, struct buf *))
{
	struct buf failures;

	buf_init(&failures, MAX_FAILURES);
	check(op, &failures);
	cr_expect(failures.len == 0, "%s", failures.data);
	buf_finish(&failures);
}

static void check_all(void (*check)(const struct op *, struct buf *))
{
	const struct op *op;

	for (size_t i = 0; (op = op_at(i)); i++)
		if (op->cases && is_picked(op))
			(HAS_PROCESSES ? check_row : check_row_here)(op, check);
}

Test(op_cases, every_kernel_agrees_with_the_reference, .timeout = 600)
{
	check_all(check_kernels);
}

Test(op_cases, every_gradient_agrees_with_differences, .timeout = 600)
{
	check_all(check_gradients);
}

static void check_ports(const struct op *op, const struct port *port)
{
	for (; port && port->name; port++) {
		cr_expect(port->name[0] && port->types && port->types[0],
			  "%s: a port without name or types", op->name);
		cr_expect(!(port->flags & PORT_VARIADIC) || !port[1].name,
			  "%s: '%s' is variadic but not the last", op->name,
			  port->name);
	}
}

static void check_attrs(const struct op *op)
{
	const struct op_attr *attr = op->attrs;

	for (; attr && attr->name; attr++) {
		cr_expect(attr->help && attr->help[0],
			  "%s: attribute '%s' has no help", op->name,
			  attr->name);
		cr_expect(attr->offset + 8 <= op->attrs_size,
			  "%s: attribute '%s' lies beyond its struct", op->name,
			  attr->name);
	}
}

static void check_form(const struct op *op)
{
	cr_expect(op->help && op->help[0], "%s has no help", op->name);
	cr_expect(op->infer || op->evaluate, "%s has no infer", op->name);
	cr_expect(op->since > 0, "%s has no first opset", op->name);
	cr_expect(op->bodies || (op->cases && op->cases[0].name),
		  "%s has no case", op->name);
	cr_expect((op->kernels && op->kernels[0]) || op->body || op->evaluate,
		  "%s has neither kernels nor body", op->name);
	check_ports(op, op->in);
	check_ports(op, op->out);
	check_attrs(op);
	for (size_t i = 0; op->kernels && op->kernels[i]; i++) {
		cr_expect(op->kernels[i]->name && op->kernels[i]->run,
			  "%s: kernel %zu has no name or run", op->name, i);
		cr_expect(!op->kernels[i]->bind == !op->kernels[i]->unbind,
			  "%s: kernel %s binds without unbinding", op->name,
			  op->kernels[i]->name);
	}
}

Test(op_cases, every_row_is_whole)
{
	const struct op *op;

	for (size_t i = 0; (op = op_at(i)); i++)
		if (is_picked(op))
			check_form(op);
}
