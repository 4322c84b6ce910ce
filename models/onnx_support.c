/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "engine/spelling.h"
#include "models/onnx_file_priv.h"

enum { GROUPS_MAX = 24, NAMES_MAX = 4 };

/* One operator that is missing, and where. */
struct group {
	const char *domain, *op, *why;
	const char *name[NAMES_MAX];
	size_t n;
};

struct report {
	struct group group[GROUPS_MAX];
	size_t n, n_more; /* n_more: nodes of operators that found no room */
};

/* Why a node cannot be lowered; NULL: it can. */
static const char *refusal(const struct onnx_node *node)
{
	const struct op *row = op_find(node->domain, node->op);
	const struct spelling *spelling =
	    spelling_find(node->domain, node->op, node->opset);
	const bool has_bodies =
	    (row && row->bodies) || (spelling && spelling->bodies);

	for (int32_t i = 0; i < node->n_attr; i++) {
		if (node->attr[i].is_graph && !has_bodies)
			return "with a subgraph, ";
	}
	if (spelling || (row && strcmp(node->domain, "predictd") != 0))
		return NULL;
	return "";
}

static void add_to_report(struct report *report, const struct onnx_node *node,
			  const char *why)
{
	struct group *group = report->group;
	const struct group *end = group + report->n;

	while (group < end && (strcmp(group->domain, node->domain) != 0 ||
			       strcmp(group->op, node->op) != 0))
		group++;
	if (group == end) {
		if (report->n == GROUPS_MAX) {
			report->n_more++;
			return;
		}
		report->n++;
		group->domain = node->domain;
		group->op = node->op;
		group->why = why;
	}
	if (group->n < NAMES_MAX)
		group->name[group->n] = onnx_node_name(node);
	group->n++;
}

static void print_group(const struct group *group, struct buf *text)
{
	buf_printf(text, "%s%s%s (%snode%s ", group->domain,
		   *group->domain ? "." : "", group->op, group->why,
		   group->n == 1 ? "" : "s");
	for (size_t i = 0; i < group->n && i < NAMES_MAX; i++)
		buf_printf(text, "%s'%.64s'", i ? ", " : "", group->name[i]);
	if (group->n > NAMES_MAX)
		buf_printf(text, " and %zu more", group->n - NAMES_MAX);
	buf_puts(text, ")");
}

static enum err_code print_report(const struct onnx_reader *reader,
				  const struct report *report, struct err *err)
{
	struct buf text;
	enum err_code rc;

	buf_init(&text, 1 << 16);
	for (size_t i = 0; i < report->n; i++) {
		buf_puts(&text, i ? ", " : "");
		print_group(&report->group[i], &text);
	}
	if (report->n_more)
		buf_printf(&text, ", and %zu more nodes", report->n_more);
	rc = buf_check(&text, reader->name, err);
	if (!rc)
		rc = err_set(err, ERR_UNSUPPORTED,
			     "%s: operators that are not supported: %s",
			     reader->name, text.data);
	buf_finish(&text);
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static void check_nodes(const struct onnx_file *file, struct report *report)
{
	for (int32_t i = 0; i < file->n_node; i++) {
		const struct onnx_node *node = &file->node[i];
		const char *why = refusal(node);

		if (why)
			add_to_report(report, node, why);
		for (int32_t j = 0; node->body && j < node->n_attr; j++)
			if (node->body[j])
				check_nodes(node->body[j], report);
	}
}

enum err_code onnx_check_support(const struct onnx_reader *reader,
				 const struct onnx_file *file, struct err *err)
{
	struct report report = { 0 };

	check_nodes(file, &report);
	return report.n ? print_report(reader, &report, err) : ERR_NONE;
}

/* --- what training may change --- */

/* Inputs of an operator that are parameters when they are initializers; bit i
 * is input i. Whatever is not listed (scales of Resize, limits of Clip,
 * shapes) stays constant. */
struct param_row {
	const char *op;
	uint32_t params, states;
	bool not_scalar; /* a scalar here is a number of the formula */
};

static const struct param_row param_rows[] = {
	{ "Add", 3, 0, true },
	{ "BatchNormalization", 6, 24, false },
	{ "Conv", 6, 0, false },
	{ "ConvTranspose", 6, 0, false },
	{ "Div", 3, 0, true },
	{ "GRU", 14, 0, false },
	{ "Gather", 1, 0, false },
	{ "Gemm", 6, 0, false },
	{ "GroupNormalization", 6, 0, false },
	{ "InstanceNormalization", 6, 0, false },
	{ "LSTM", 14 | 128, 0, false },
	{ "LayerNormalization", 6, 0, false },
	{ "MatMul", 3, 0, false },
	{ "Mul", 3, 0, true },
	{ "PRelu", 2, 0, false },
	{ "RMSNormalization", 2, 0, false },
	{ "RNN", 14, 0, false },
	{ "Reshape", 1, 0, true },
	{ "Squeeze", 1, 0, true },
	{ "Sub", 3, 0, true },
	{ "Transpose", 1, 0, false },
	{ "Unsqueeze", 1, 0, true },
};

static int role_of(const struct onnx_node *node, int32_t i,
		   const struct tensor_view *view)
{
	if (*node->domain || i > 31 || view->dtype != DTYPE_F32 ||
	    !shape_count(&view->shape))
		return -1;
	for (size_t r = 0; r < sizeof(param_rows) / sizeof(*param_rows); r++) {
		const struct param_row *row = &param_rows[r];

		if (strcmp(row->op, node->op) != 0)
			continue;
		if (row->not_scalar && shape_count(&view->shape) == 1)
			return -1;
		if (row->params >> i & 1)
			return ROLE_PARAM;
		return row->states >> i & 1 ? ROLE_STATE : -1;
	}
	return -1;
}

enum err_code onnx_choose_roles(const struct onnx_reader *reader,
				const struct onnx_file *file, int **ret_role,
				struct err *err)
{
	enum { UNREAD = -2 };
	int *role = arena_array(reader->scratch, (size_t)file->n_init + 1,
				sizeof(*role));

	if (!role)
		return onnx_no_memory(reader->name, err);
	for (int32_t i = 0; i < file->n_init; i++)
		role[i] = UNREAD;
	for (int32_t i = 0; i < file->n_node; i++) {
		const struct onnx_node *node = &file->node[i];

		for (int32_t j = 0; j < node->n_in; j++) {
			const struct onnx_def *def = node->def[j];
			int here;

			if (!def || def->kind != ONNX_DEF_INIT)
				continue;
			here = role_of(node, j, &file->init[def->index].view);
			/* readers that disagree: nobody may change it */
			if (role[def->index] == UNREAD)
				role[def->index] = here;
			else if (role[def->index] != here)
				role[def->index] = -1;
		}
	}
	for (int32_t i = 0; i < file->n_init; i++)
		role[i] = role[i] == UNREAD ? -1 : role[i];
	*ret_role = role;
	return ERR_NONE;
}
