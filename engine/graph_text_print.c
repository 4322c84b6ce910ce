/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/attr.h"
#include "engine/graph_lex_priv.h"
#include "engine/graph_text.h"
#include "engine/op.h"

struct printer {
	const struct graph *graph;
	struct buf *buf;
	bool *is_shared; /* by value: another one has its name */
};

struct name_row {
	const char *name;
	int32_t value;
};

static int by_name(const void *a, const void *b)
{
	const struct name_row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Marks values whose name is not theirs alone; false: out of memory. */
static bool find_shared(const struct graph *graph, bool *is_shared)
{
	size_t n = (size_t)graph->n_value;
	struct name_row *row = mem_array(n + 1, sizeof(*row));

	if (!row)
		return false;
	for (size_t i = 0; i < n; i++)
		row[i] = (struct name_row){ graph->value[i].name, (int32_t)i };
	qsort(row, n, sizeof(*row), by_name);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(row[i - 1].name, row[i].name))
			is_shared[row[i].value] = true;
	mem_free(row);
	return true;
}

static void print_quoted(struct buf *buf, const char *text, size_t len)
{
	buf_putc(buf, '"');
	for (size_t i = 0; i < len; i++) {
		const char c = text[i];

		if (strchr("\"\\\n\t", c) && c)
			buf_putc(buf, '\\');
		if (c == '\n')
			buf_putc(buf, 'n');
		else if (c == '\t')
			buf_putc(buf, 't');
		else
			buf_putc(buf, c);
	}
	buf_putc(buf, '"');
}

static void print_name(const struct printer *printer, int32_t value)
{
	const char *name;
	char own[32];

	if (value == VALUE_NONE)
		return;
	name = printer->graph->value[value].name;
	if (printer->is_shared[value]) {
		(void)snprintf(own, sizeof(own), "~%d", (int)value);
		buf_puts(printer->buf, own);
	} else if (lex_is_name(name, strlen(name)) &&
		   strcmp(name, "return") != 0 && strcmp(name, "assign") != 0) {
		buf_puts(printer->buf, name);
	} else {
		print_quoted(printer->buf, name, strlen(name));
	}
}

static void print_names(const struct printer *printer, const int32_t *list,
			int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		if (i)
			buf_puts(printer->buf, ", ");
		print_name(printer, list[i]);
	}
}

static void print_double(struct buf *buf, double value, int digits)
{
	if (isnan(value))
		buf_puts(buf, "nan");
	else if (isinf(value))
		buf_puts(buf, value < 0 ? "-inf" : "inf");
	else if (fpclassify(value) == FP_ZERO && signbit(value))
		buf_puts(buf, "-0.0"); /* "-0" is a whole number */
	else
		buf_printf(buf, "%.*g", digits, value);
}

static void print_element(struct buf *buf, const struct tensor_view *view,
			  size_t i)
{
	const char *at =
	    (const char *)view->data + i * dtype_info(view->dtype)->size;
	double real = 0;
	int64_t whole = 0;

	if (view->dtype == DTYPE_STRING) {
		const struct str *text = (const struct str *)view->data + i;

		print_quoted(buf, text->bytes, text->len);
	} else if (dtype_info(view->dtype)->arith == DTYPE_U64) {
		uint64_t u;

		memcpy(&u, at, sizeof(u));
		buf_printf(buf, "%" PRIu64, u);
	} else if (dtype_is_integer(view->dtype) || view->dtype == DTYPE_BOOL) {
		dtype_convert(view->dtype, at, DTYPE_I64, &whole, 1, false);
		buf_printf(buf, "%" PRId64, whole);
	} else {
		dtype_convert(view->dtype, at, DTYPE_F64, &real, 1, false);
		print_double(buf, real, view->dtype == DTYPE_F64 ? 17 : 9);
	}
}

static void print_type(struct buf *buf, enum dtype dtype,
		       const struct shape *shape)
{
	char text[160];

	buf_puts(buf, dtype_info(dtype)->name);
	if (shape)
		buf_puts(buf, shape_text(shape, text, sizeof(text)));
}

static void print_values(struct buf *buf, const struct tensor_view *view)
{
	size_t n = (size_t)shape_count(&view->shape);

	buf_putc(buf, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(buf, ',');
		print_element(buf, view, i);
	}
	buf_putc(buf, '}');
}

static void print_list(struct buf *buf, const struct attr_value *value)
{
	size_t n = value->kind == ATTR_INTS	? value->ints.n
		   : value->kind == ATTR_FLOATS ? value->floats.n
						: value->strings.n;

	buf_putc(buf, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(buf, ',');
		if (value->kind == ATTR_INTS)
			buf_printf(buf, "%" PRId64, value->ints.v[i]);
		else if (value->kind == ATTR_FLOATS)
			print_double(buf, (double)value->floats.v[i], 9);
		else
			print_quoted(buf, value->strings.v[i].bytes,
				     value->strings.v[i].len);
	}
	buf_putc(buf, ']');
}

static bool is_default(const struct op_attr *row,
		       const struct attr_value *value)
{
	switch (row->kind) {
	case ATTR_INT:
		return value->i == (int64_t)row->def &&
		       !(row->flags & ATTR_REQUIRED);
	case ATTR_FLOAT:
		return !(value->f < row->def) && !(value->f > row->def) &&
		       !isnan(value->f) && !(row->flags & ATTR_REQUIRED);
	case ATTR_STRING:
		return row->def_text && !strcmp(value->s.bytes, row->def_text);
	case ATTR_INTS:
		return value->ints.n == 0 && !(row->flags & ATTR_REQUIRED);
	case ATTR_FLOATS:
		return value->floats.n == 0 && !(row->flags & ATTR_REQUIRED);
	case ATTR_STRINGS:
		return value->strings.n == 0 && !(row->flags & ATTR_REQUIRED);
	case ATTR_TENSOR:
		return false;
	}
	return false;
}

static void print_attr(struct buf *buf, const struct op_attr *row,
		       const struct attr_value *value)
{
	buf_printf(buf, "%s=", row->name);
	switch (value->kind) {
	case ATTR_INT:
		buf_printf(buf, "%" PRId64, value->i);
		break;
	case ATTR_FLOAT:
		print_double(buf, value->f, 17);
		break;
	case ATTR_STRING:
		print_quoted(buf, value->s.bytes, value->s.len);
		break;
	case ATTR_INTS:
	case ATTR_FLOATS:
	case ATTR_STRINGS:
		print_list(buf, value);
		break;
	case ATTR_TENSOR:
		print_type(buf, value->t->dtype, &value->t->shape);
		print_values(buf, value->t);
	}
}

static void print_attrs(struct buf *buf, const struct graph_node *node)
{
	const char *before = "<";

	for (const struct op_attr *row = node->op->attrs; row && row->name;
	     row++) {
		struct attr_value value;

		if (!op_attr_get(row, node->attrs, &value) ||
		    is_default(row, &value))
			continue;
		buf_puts(buf, before);
		print_attr(buf, row, &value);
		before = ", ";
	}
	if (*before == ',')
		buf_putc(buf, '>');
}

static void print_node(const struct printer *printer,
		       const struct graph_node *node)
{
	const struct op *op = node->op;

	print_names(printer, graph_out(printer->graph, node), node->n_out);
	buf_puts(printer->buf, " = ");
	if (op->domain[0])
		buf_printf(printer->buf, "%s.", op->domain);
	buf_puts(printer->buf, op->name);
	print_attrs(printer->buf, node);
	buf_putc(printer->buf, '(');
	print_names(printer, graph_in(printer->graph, node), node->n_in);
	buf_puts(printer->buf, ")\n");
}

/* Inputs, constants and variables, which come before all nodes. */
static void print_source(const struct printer *printer, int32_t value)
{
	static const char *const roles[] = { "!", "!state", "!grad", "!moment",
					     "!average" };
	const struct graph *graph = printer->graph;
	const struct graph_value *row = &graph->value[value];

	print_name(printer, value);
	buf_puts(printer->buf, ":");
	if (row->origin == ORIGIN_INPUT) {
		print_type(printer->buf, row->type.elem, NULL);
	} else if (row->origin == ORIGIN_CONST) {
		const struct tensor_view *view = &graph->constant[row->source];

		print_type(printer->buf, view->dtype, &view->shape);
		buf_putc(printer->buf, '=');
		print_values(printer->buf, view);
	} else {
		const struct variable *variable = &graph->variable[row->source];

		print_type(printer->buf, variable->view.dtype,
			   &variable->view.shape);
		buf_puts(printer->buf, roles[variable->role]);
	}
	buf_putc(printer->buf, '\n');
}

static int32_t variable_value(const struct graph *graph, int32_t variable)
{
	for (int32_t i = 0; i < graph->n_value; i++)
		if (graph->value[i].origin == ORIGIN_VARIABLE &&
		    graph->value[i].source == variable)
			return i;
	return VALUE_NONE;
}

static void print_end(const struct printer *printer)
{
	const struct graph *graph = printer->graph;

	for (int32_t i = 0; i < graph->n_assign; i++) {
		buf_puts(printer->buf, "assign ");
		print_name(printer,
			   variable_value(graph, graph->assign[i].variable));
		buf_puts(printer->buf, " = ");
		print_name(printer, graph->assign[i].value);
		buf_putc(printer->buf, '\n');
	}
	if (graph->n_output)
		buf_puts(printer->buf, "return ");
	print_names(printer, graph->output, graph->n_output);
	buf_putc(printer->buf, '\n');
}

void graph_text_print(const struct graph *graph, struct buf *buf)
{
	struct printer printer = { .graph = graph, .buf = buf };

	printer.is_shared = mem_array((size_t)graph->n_value + 1, sizeof(bool));
	if (!printer.is_shared || !find_shared(graph, printer.is_shared)) {
		buf->fault = ERR_NO_MEMORY;
		mem_free(printer.is_shared);
		return;
	}
	for (int32_t i = 0; i < graph->n_value; i++)
		if (graph->value[i].origin != ORIGIN_NODE)
			print_source(&printer, i);
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].op)
			print_node(&printer, &graph->node[i]);
	print_end(&printer);
	mem_free(printer.is_shared);
}
