/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/op.h"
#include "models/onnx_write_priv.h"

/* Field numbers of the messages that are written. */
enum {
	MODEL_IR_VERSION = 1,
	MODEL_PRODUCER = 2,
	MODEL_PRODUCER_VERSION = 3,
	MODEL_GRAPH = 7,
	MODEL_IMPORT = 8,
	MODEL_NOTE = 14
};
enum { IMPORT_DOMAIN = 1, IMPORT_VERSION = 2 };
enum { NOTE_KEY = 1, NOTE_VALUE = 2 };
enum {
	GRAPH_NODE = 1,
	GRAPH_NAME = 2,
	GRAPH_INIT = 5,
	GRAPH_INPUT = 11,
	GRAPH_OUTPUT = 12
};
enum { NODE_IN = 1, NODE_OUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_DOMAIN = 7 };
enum { PORT_NAME = 1, PORT_TYPE = 2, TYPE_TENSOR = 1 };
enum { TENSOR_ELEM = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_PARAM = 2 };

enum { IR_LEAST = 8, OPSET_LEAST = 17, DOMAINS_MAX = 8 };
#define FILE_MAX ((size_t)INT32_MAX) /* protobuf's own limit */

struct writer {
	const struct graph *graph;
	const struct model_signature *signature;
	const struct onnx_write_options *options;
	struct onnx_writer_names names;
	int32_t *readers; /* [n_value] */
	struct {
		const char *domain;
		unsigned version;
	} import[DOMAINS_MAX];
	unsigned n_import;
	struct buf *buf;
};

/* --- what must be known before the first byte --- */

static enum err_code note_domain(struct writer *w, const struct op *op,
				 struct err *err)
{
	unsigned i = 0;

	while (i < w->n_import && strcmp(w->import[i].domain, op->domain) != 0)
		i++;
	if (i == DOMAINS_MAX)
		return err_set(err, ERR_INTERNAL,
			       "onnx: more than %d domains of operators",
			       DOMAINS_MAX);
	if (i == w->n_import) {
		w->n_import++;
		w->import[i].domain = op->domain;
		w->import[i].version = *op->domain ? 1 : OPSET_LEAST;
	}
	if (op->since > w->import[i].version)
		w->import[i].version = op->since;
	return ERR_NONE;
}

static enum err_code check_nodes(struct writer *w, struct err *err)
{
	enum err_code rc = ERR_NONE;

	w->import[0].domain = "";
	w->import[0].version = OPSET_LEAST;
	w->n_import = 1;
	for (int32_t i = 0; i < w->graph->n_node && !rc; i++) {
		const struct graph_node *node = &w->graph->node[i];

		if (!node->op)
			continue;
		if (!strcmp(node->op->domain, "predictd") || node->n_body)
			return err_set(err, ERR_UNSUPPORTED,
				       "onnx: node '%s' is the operator %s, "
				       "which cannot be written to a file",
				       node->name, node->op->name);
		rc = note_domain(w, node->op, err);
	}
	if (!rc && w->graph->n_assign)
		rc = err_set(err, ERR_UNSUPPORTED,
			     "onnx: a graph that changes its variables cannot "
			     "be written to a file");
	return rc;
}

/* IR versions brought element types with them. */
static unsigned ir_version(const struct graph *graph)
{
	unsigned version = IR_LEAST;

	for (int32_t i = 0; i < graph->n_value; i++) {
		enum dtype elem = graph->value[i].type.elem;
		unsigned need = elem >= DTYPE_U2	 ? 13
				: elem >= DTYPE_F8E8M0	 ? 12
				: elem >= DTYPE_F4E2M1	 ? 11
				: elem >= DTYPE_U4	 ? 10
				: elem >= DTYPE_F8E4M3FN ? 9
							 : 0;

		if (need > version)
			version = need;
	}
	return version;
}

/* --- the graph --- */

static const char *value_name(const struct writer *w, int32_t value)
{
	return value == VALUE_NONE ? "" : w->names.value[value];
}

static int32_t trim(const int32_t *value, int32_t n)
{
	while (n && value[n - 1] == VALUE_NONE)
		n--;
	return n;
}

static enum err_code put_node(const struct writer *w,
			      const struct graph_node *node, struct err *err)
{
	const int32_t *in = graph_in(w->graph, node);
	const int32_t *out = graph_out(w->graph, node);
	size_t at = wire_begin(w->buf, GRAPH_NODE);
	enum err_code rc;

	for (int32_t i = 0, n = trim(in, node->n_in); i < n; i++)
		wire_put_text(w->buf, NODE_IN, value_name(w, in[i]));
	for (int32_t i = 0, n = trim(out, node->n_out); i < n; i++)
		wire_put_text(w->buf, NODE_OUT, value_name(w, out[i]));
	if (*node->name)
		wire_put_text(w->buf, NODE_NAME, node->name);
	wire_put_text(w->buf, NODE_OP, node->op->name);
	rc = onnx_put_attrs(node, w->buf, err);
	if (*node->op->domain)
		wire_put_text(w->buf, NODE_DOMAIN, node->op->domain);
	wire_end(w->buf, at);
	return rc;
}

static void put_identity(const struct writer *w, int32_t output)
{
	size_t at = wire_begin(w->buf, GRAPH_NODE);

	wire_put_text(w->buf, NODE_IN, value_name(w, w->graph->output[output]));
	wire_put_text(w->buf, NODE_OUT, w->signature->output[output].name);
	wire_put_text(w->buf, NODE_OP, "Identity");
	wire_end(w->buf, at);
}

/* The elements of a value that the file must hold, or NULL. */
static const struct tensor_view *stored_view(const struct writer *w,
					     int32_t value)
{
	const struct graph_value *row = &w->graph->value[value];

	if (!w->readers[value])
		return NULL;
	if (row->origin == ORIGIN_CONST)
		return &w->graph->constant[row->source];
	if (row->origin == ORIGIN_VARIABLE)
		return &w->graph->variable[row->source].view;
	return NULL;
}

static enum err_code put_initializers(const struct writer *w, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < w->graph->n_value && !rc; i++) {
		const struct tensor_view *view = stored_view(w, i);
		size_t at;

		if (!view)
			continue;
		at = wire_begin(w->buf, GRAPH_INIT);
		rc = onnx_put_tensor(view, value_name(w, i), w->buf, err);
		wire_end(w->buf, at);
	}
	return rc;
}

static void put_shape(struct buf *buf, const struct signature_port *port)
{
	size_t shape = wire_begin(buf, TENSOR_SHAPE);

	for (unsigned d = 0; d < port->rank; d++) {
		size_t dim = wire_begin(buf, SHAPE_DIM);

		if (port->dim[d].extent >= 0)
			wire_put_varint(buf, DIM_VALUE,
					(uint64_t)port->dim[d].extent);
		else if (port->dim[d].symbol)
			wire_put_text(buf, DIM_PARAM, port->dim[d].symbol);
		wire_end(buf, dim);
	}
	wire_end(buf, shape);
}

static void put_port(struct buf *buf, uint32_t number,
		     const struct signature_port *port)
{
	size_t at = wire_begin(buf, number), type, tensor;

	wire_put_text(buf, PORT_NAME, port->name);
	type = wire_begin(buf, PORT_TYPE);
	tensor = wire_begin(buf, TYPE_TENSOR);
	wire_put_varint(buf, TENSOR_ELEM, port->dtype);
	if (port->has_rank)
		put_shape(buf, port);
	wire_end(buf, tensor);
	wire_end(buf, type);
	wire_end(buf, at);
}

static enum err_code put_graph(const struct writer *w, struct err *err)
{
	const char *name = w->options->graph_name;
	size_t at = wire_begin(w->buf, MODEL_GRAPH);
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < w->graph->n_node && !rc; i++) {
		if (w->graph->node[i].op)
			rc = put_node(w, &w->graph->node[i], err);
	}
	for (int32_t i = 0; i < w->graph->n_output; i++) {
		if (w->names.identity[i])
			put_identity(w, i);
	}
	wire_put_text(w->buf, GRAPH_NAME, name ? name : "graph");
	if (!rc)
		rc = put_initializers(w, err);
	for (unsigned i = 0; i < w->signature->n_inputs; i++)
		put_port(w->buf, GRAPH_INPUT, &w->signature->input[i]);
	for (unsigned i = 0; i < w->signature->n_outputs; i++)
		put_port(w->buf, GRAPH_OUTPUT, &w->signature->output[i]);
	wire_end(w->buf, at);
	return rc;
}

static void put_notes(const struct writer *w)
{
	for (unsigned i = 0; i < w->signature->n_notes; i++) {
		const struct signature_note *note = &w->signature->note[i];
		size_t at = wire_begin(w->buf, MODEL_NOTE);

		wire_put_text(w->buf, NOTE_KEY, note->key);
		wire_put_text(w->buf, NOTE_VALUE, note->value);
		wire_end(w->buf, at);
	}
}

static enum err_code put_model(const struct writer *w, struct err *err)
{
	const char *version = w->options->producer_version;
	size_t start = w->buf->len;
	enum err_code rc;

	wire_put_varint(w->buf, MODEL_IR_VERSION, ir_version(w->graph));
	wire_put_text(w->buf, MODEL_PRODUCER, "predictd");
	if (version)
		wire_put_text(w->buf, MODEL_PRODUCER_VERSION, version);
	rc = put_graph(w, err);
	for (unsigned i = 0; i < w->n_import; i++) {
		size_t at = wire_begin(w->buf, MODEL_IMPORT);

		wire_put_text(w->buf, IMPORT_DOMAIN, w->import[i].domain);
		wire_put_varint(w->buf, IMPORT_VERSION, w->import[i].version);
		wire_end(w->buf, at);
	}
	put_notes(w);
	if (!rc)
		rc = buf_check(w->buf, "the ONNX file", err);
	if (!rc && w->buf->len - start > FILE_MAX)
		rc = err_set(err, ERR_TOO_LARGE,
			     "the ONNX file would have %zu bytes; the format "
			     "allows %zu",
			     w->buf->len - start, FILE_MAX);
	return rc;
}

enum err_code onnx_write(const struct graph *graph,
			 const struct model_signature *signature,
			 const struct onnx_write_options *options,
			 struct buf *buf, struct err *err)
{
	struct writer w = { .graph = graph,
			    .signature = signature,
			    .options = options,
			    .buf = buf };
	struct arena *arena = arena_create(SIZE_MAX);
	enum err_code rc;

	w.readers = arena ? arena_array(arena, (size_t)graph->n_value + 1,
					sizeof(*w.readers))
			  : NULL;
	if (!w.readers) {
		rc = err_set(err, ERR_NO_MEMORY, "onnx: out of memory");
		goto out;
	}
	graph_count_readers(graph, w.readers);
	rc = check_nodes(&w, err);
	if (!rc)
		rc = onnx_choose_names(graph, signature, arena, &w.names, err);
	if (!rc)
		rc = put_model(&w, err);
out:
	arena_destroy(arena);
	return rc;
}

enum err_code onnx_write_tensor(const struct tensor_view *view,
				const char *name, struct buf *buf,
				struct err *err)
{
	enum err_code rc = onnx_put_tensor(view, name, buf, err);

	return rc ? rc : buf_check(buf, "the tensor", err);
}
