/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_file_priv.h"
#include "models/onnx_function_priv.h"

enum { NAME_MAX_LEN = 96 }; /* of a call, where its name begins others */

/* A list of nodes under way: the file's, or those of a function called. */
struct frame {
	const struct onnx_scope *scope;
	const struct onnx_node *node;
	int32_t n, at;
};

struct inliner {
	const struct onnx_reader *reader;
	struct onnx_model *model;
	struct frame frame[ONNX_MAX_CALLS + 1];
	unsigned n_frame;
	struct onnx_node *node; /* what the file's nodes become */
	int32_t n, cap;
};

static enum err_code push_node(struct inliner *in, const struct onnx_node *node,
			       struct err *err)
{
	if (in->n == in->cap) {
		const int32_t cap = in->cap < 16 ? 16 : 2 * in->cap;
		struct onnx_node *grown = arena_array(
		    in->reader->scratch, (size_t)cap, sizeof(*grown));

		if (!grown || cap > 2 * GRAPH_MAX_NODES)
			return onnx_no_memory(in->reader->name, err);
		if (in->n)
			memcpy(grown, in->node, (size_t)in->n * sizeof(*grown));
		in->node = grown;
		in->cap = cap;
	}
	in->node[in->n++] = *node;
	return ERR_NONE;
}

/* Calls count, too: those of functions without nodes take time. */
static enum err_code count_inlined(struct inliner *in, struct err *err)
{
	if (++in->model->n_inlined <= ONNX_MAX_INLINED)
		return ERR_NONE;
	return err_set(err, ERR_TOO_LARGE,
		       "%s: its functions become more than %d nodes",
		       in->reader->name, ONNX_MAX_INLINED);
}

/* --- operator sets --- */

static int64_t version_in(const struct onnx_import *import, int32_t n,
			  const char *domain, int64_t otherwise)
{
	for (int32_t i = n; i-- > 0;)
		if (!strcmp(import[i].domain, domain))
			return import[i].version;
	return otherwise;
}

/* A function's own sets, then the model's; domains but the standard's are of
 * version 1 where nothing says more. */
static enum err_code set_opset(const struct inliner *in,
			       const struct onnx_scope *scope,
			       struct onnx_node *node, struct err *err)
{
	const struct onnx_model *model = in->model;
	int64_t version = version_in(model->import, model->n_import,
				     node->domain, *node->domain ? 1 : 0);

	if (scope)
		version = version_in(scope->home->function->import,
				     scope->home->function->n_import,
				     node->domain, version);
	if (version < 1 || version > UINT16_MAX)
		return err_set(
		    err, ERR_FORMAT, "%s: the operator set '%s' is %s",
		    in->reader->name, *node->domain ? node->domain : "ai.onnx",
		    version ? "of no version that exists" : "not imported");
	node->opset = (unsigned)version;
	return ERR_NONE;
}

/* --- calls --- */

static enum err_code refuse_call(const struct inliner *in,
				 const struct onnx_node *node, const char *why,
				 struct err *err)
{
	return err_set(err, ERR_FORMAT,
		       "%s: node '%.64s' calls the function '%.64s' of the "
		       "model, %s",
		       in->reader->name, onnx_node_name(node), node->op, why);
}

static enum err_code check_call(const struct inliner *in,
				const struct onnx_scope *scope,
				const struct onnx_function *function,
				const struct onnx_node *node, struct err *err)
{
	if (node->n_in > function->in.n)
		return refuse_call(in, node, "which has fewer inputs", err);
	if (node->n_out > function->out.n)
		return refuse_call(in, node, "which has fewer outputs", err);
	if (scope && scope->depth >= ONNX_MAX_CALLS)
		return err_set(err, ERR_TOO_LARGE,
			       "%s: calls of functions nest deeper than %d at "
			       "node '%.64s' (%.64s)",
			       in->reader->name, ONNX_MAX_CALLS,
			       onnx_node_name(node), node->op);
	for (; scope; scope = scope->around)
		if (scope->function == function)
			return refuse_call(in, node, "which is within itself",
					   err);
	return ERR_NONE;
}

/* An output that is an input of the function, or an earlier output, too. */
static enum err_code pass_through(struct inliner *in,
				  const struct onnx_node *call,
				  const char *from, const char *to,
				  struct err *err)
{
	const char **name = arena_array(in->reader->scratch, 2, sizeof(*name));
	struct onnx_node node = { .domain = "",
				  .op = "Identity",
				  .name = call->name,
				  .overload = "",
				  .n_in = 1,
				  .n_out = 1,
				  .in = name,
				  .opset = UINT16_MAX };

	if (!*from)
		return refuse_call(in, call,
				   "an output of which is an input that is "
				   "left out",
				   err);
	if (!name)
		return onnx_no_memory(in->reader->name, err);
	node.out = name + 1;
	name[0] = from;
	name[1] = to;
	return push_node(in, &node, err);
}

/* Sorted by name and place: one name twice is an output that is another operand
 * of the function, too. */
static enum err_code settle_operands(struct inliner *in,
				     const struct onnx_node *call,
				     struct onnx_scope *scope, int32_t n_in,
				     struct err *err)
{
	struct onnx_alias *alias = scope->alias;
	int32_t n = 0;
	enum err_code rc = ERR_NONE;

	onnx_scope_sort(scope);
	for (int32_t i = 0; i < scope->n_alias && !rc; i++) {
		const struct onnx_alias *first = n ? &alias[n - 1] : NULL;

		if (!first || strcmp(first->name, alias[i].name) != 0)
			alias[n++] = alias[i];
		else if (alias[i].place < n_in)
			rc = refuse_call(
			    in, call, "which has two inputs of one name", err);
		else
			rc =
			    pass_through(in, call, first->to, alias[i].to, err);
	}
	scope->n_alias = n;
	return rc;
}

/* Outputs that the call does not name are inner values. */
static enum err_code bind_operands(struct inliner *in,
				   const struct onnx_function *function,
				   const struct onnx_node *call,
				   struct onnx_scope *scope, struct err *err)
{
	const size_t n = (size_t)function->in.n + (size_t)call->n_out;
	struct onnx_alias *alias =
	    arena_array(in->reader->scratch, n + 1, sizeof(*alias));

	if (!alias)
		return onnx_no_memory(in->reader->name, err);
	scope->alias = alias;
	for (int32_t i = 0; i < function->in.n; i++)
		if (*function->in.at[i])
			alias[scope->n_alias++] = (struct onnx_alias){
				function->in.at[i],
				i < call->n_in ? call->in[i] : "", i
			};
	for (int32_t i = 0; i < call->n_out; i++)
		if (*function->out.at[i] && *call->out[i])
			alias[scope->n_alias++] =
			    (struct onnx_alias){ function->out.at[i],
						 call->out[i],
						 function->in.n + i };
	return settle_operands(in, call, scope, function->in.n, err);
}

static enum err_code fill_scope(struct inliner *in,
				const struct onnx_function *function,
				const struct onnx_node *call,
				struct onnx_scope *scope, struct err *err)
{
	struct arena *arena = in->reader->scratch;
	const char *name = onnx_node_name(call);

	scope->function = function;
	scope->home = scope;
	scope->depth = scope->around ? scope->around->depth + 1 : 1;
	scope->call = arena_copy(arena, call, sizeof(*call));
	/* numbered: calls may share a name */
	scope->prefix = arena_printf(arena, "%s#%d/",
				     strlen(name) > NAME_MAX_LEN ? "" : name,
				     in->model->n_inlined);
	if (!scope->call || !scope->prefix)
		return onnx_no_memory(in->reader->name, err);
	return bind_operands(in, function, call, scope, err);
}

static enum err_code enter_call(struct inliner *in,
				const struct onnx_scope *around,
				const struct onnx_function *function,
				const struct onnx_node *call, struct err *err)
{
	struct onnx_scope *scope;
	enum err_code rc = check_call(in, around, function, call, err);

	if (!rc)
		rc = count_inlined(in, err);
	if (rc)
		return rc;
	scope = arena_alloc(in->reader->scratch, sizeof(*scope));
	if (!scope)
		return onnx_no_memory(in->reader->name, err);
	scope->around = around;
	rc = fill_scope(in, function, call, scope, err);
	in->frame[in->n_frame++] =
	    (struct frame){ scope, function->node, function->n_node, 0 };
	return rc;
}

static enum err_code take_node(struct inliner *in,
			       const struct onnx_scope *scope,
			       const struct onnx_node *from, struct err *err)
{
	const struct onnx_function *function =
	    onnx_find_function(in->model, from);
	struct onnx_node node = *from;
	enum err_code rc = onnx_scope_node(in->reader, scope, &node, err);

	if (!rc && function)
		return enter_call(in, scope, function, &node, err);
	if (!rc && scope)
		rc = count_inlined(in, err);
	if (!rc)
		rc = set_opset(in, scope, &node, err);
	return rc ? rc : push_node(in, &node, err);
}

/* Nothing is called: nodes stay where they are. */
static enum err_code keep_nodes(const struct inliner *in,
				struct onnx_file *file, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < file->n_node && !rc; i++)
		rc = set_opset(in, NULL, &file->node[i], err);
	return rc;
}

enum err_code onnx_inline_calls(const struct onnx_reader *reader,
				struct onnx_file *file,
				const struct onnx_scope *scope, struct err *err)
{
	struct inliner in = { .reader = reader,
			      .model = file->model,
			      .frame = { { scope, file->node, file->n_node,
					   0 } },
			      .n_frame = 1 };
	enum err_code rc = ERR_NONE;

	if (!file->model->n_function)
		return keep_nodes(&in, file, err);
	while (in.n_frame && !rc) {
		struct frame *frame = &in.frame[in.n_frame - 1];

		if (frame->at < frame->n)
			rc = take_node(&in, frame->scope,
				       &frame->node[frame->at++], err);
		else
			in.n_frame--;
	}
	file->node = in.node;
	file->n_node = in.n;
	return rc;
}
