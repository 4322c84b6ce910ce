/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/models/make_onnx.h"

#include "base/str.h"
#include "models/wire.h"

void make_begin(struct make *m, unsigned ir_version, unsigned opset)
{
	buf_init(&m->buf, 1 << 24);
	m->opset = opset;
	m->node_field = 1;
	wire_put_varint(&m->buf, 1, ir_version);
	m->graph = wire_begin(&m->buf, 7);
}

void make_end(struct make *m)
{
	size_t at;

	wire_end(&m->buf, m->graph);
	if (!m->opset)
		return;
	at = wire_begin(&m->buf, 8);
	wire_put_varint(&m->buf, 2, m->opset);
	wire_end(&m->buf, at);
}

void make_finish(struct make *m)
{
	buf_finish(&m->buf);
}

/* Calls put for each word of a text. */
static void each_word(struct make *m, uint32_t field, const char *text,
		      void (*put)(struct buf *buf, uint32_t field,
				  const char *word))
{
	char word[128];

	while (*text) {
		size_t n = strcspn(text, " ");

		(void)snprintf(word, sizeof(word), "%.*s", (int)n, text);
		put(&m->buf, field, word);
		text += n + strspn(text + n, " ");
	}
}

static void put_operand(struct buf *buf, uint32_t field, const char *word)
{
	wire_put_text(buf, field, strcmp(word, "-") ? word : "");
}

static void put_dim(struct buf *buf, uint32_t field, const char *word)
{
	int64_t dim = 0;

	if (str_parse_int64(word, &dim))
		wire_put_varint(buf, field, (uint64_t)dim);
}

void make_node_open(struct make *m, const char *op, const char *in,
		    const char *out)
{
	const char *colon = strchr(op, ':');

	m->node = wire_begin(&m->buf, m->node_field);
	each_word(m, 1, in, put_operand);
	each_word(m, 2, out, put_operand);
	wire_put_text(&m->buf, 4, colon ? colon + 1 : op);
	if (colon)
		wire_put_bytes(&m->buf, 7, op, (size_t)(colon - op));
}

void make_node_close(struct make *m)
{
	wire_end(&m->buf, m->node);
}

void make_node(struct make *m, const char *op, const char *in, const char *out)
{
	make_node_open(m, op, in, out);
	make_node_close(m);
}

void make_attr_int(struct make *m, const char *name, int64_t value)
{
	size_t at = wire_begin(&m->buf, 5);

	wire_put_text(&m->buf, 1, name);
	wire_put_varint(&m->buf, 3, (uint64_t)value);
	wire_put_varint(&m->buf, 20, 2);
	wire_end(&m->buf, at);
}

void make_attr_ints(struct make *m, const char *name, const int64_t *v,
		    size_t n)
{
	size_t at = wire_begin(&m->buf, 5);

	wire_put_text(&m->buf, 1, name);
	for (size_t i = 0; i < n; i++)
		wire_put_varint(&m->buf, 8, (uint64_t)v[i]);
	wire_put_varint(&m->buf, 20, 7);
	wire_end(&m->buf, at);
}

void make_attr_float(struct make *m, const char *name, float value)
{
	size_t at = wire_begin(&m->buf, 5);

	wire_put_text(&m->buf, 1, name);
	wire_put_float(&m->buf, 2, value);
	wire_end(&m->buf, at); /* without a type, as old files do */
}

void make_attr_graph(struct make *m, const char *name)
{
	size_t at = wire_begin(&m->buf, 5);

	wire_put_text(&m->buf, 1, name);
	wire_put_bytes(&m->buf, 6, "", 0);
	wire_put_varint(&m->buf, 20, 5);
	wire_end(&m->buf, at);
}

struct make_body make_body_open(struct make *m, const char *name)
{
	struct make_body body = { .node = m->node, .field = m->node_field };

	m->node_field = 1;
	body.attr = wire_begin(&m->buf, 5);
	wire_put_text(&m->buf, 1, name);
	wire_put_varint(&m->buf, 20, 5);
	body.graph = wire_begin(&m->buf, 6);
	return body;
}

void make_body_close(struct make *m, struct make_body body)
{
	wire_end(&m->buf, body.graph);
	wire_end(&m->buf, body.attr);
	m->node = body.node;
	m->node_field = body.field;
}

void make_function_open(struct make *m, const char *name, const char *in,
			const char *out, unsigned opset)
{
	const char *colon = strchr(name, ':');
	size_t at;

	m->function = wire_begin(&m->buf, 25);
	m->node_field = 7;
	wire_put_text(&m->buf, 1, colon + 1);
	wire_put_bytes(&m->buf, 10, name, (size_t)(colon - name));
	each_word(m, 4, in, put_operand);
	each_word(m, 5, out, put_operand);
	if (!opset)
		return;
	at = wire_begin(&m->buf, 9);
	wire_put_varint(&m->buf, 2, opset);
	wire_end(&m->buf, at);
}

void make_function_default(struct make *m, const char *attr, float value)
{
	size_t at = wire_begin(&m->buf, 11);

	wire_put_text(&m->buf, 1, attr);
	wire_put_float(&m->buf, 2, value);
	wire_put_varint(&m->buf, 20, 1);
	wire_end(&m->buf, at);
}

void make_function_close(struct make *m)
{
	wire_end(&m->buf, m->function);
	m->node_field = 1;
}

void make_attr_ref(struct make *m, const char *name, const char *ref)
{
	size_t at = wire_begin(&m->buf, 5);

	wire_put_text(&m->buf, 1, name);
	wire_put_text(&m->buf, 21, ref);
	wire_end(&m->buf, at);
}

void make_node_overload(struct make *m, const char *overload)
{
	wire_put_text(&m->buf, 8, overload);
}

void make_function_overload(struct make *m, const char *overload)
{
	wire_put_text(&m->buf, 13, overload);
}

static void put_init(struct make *m, const char *name, const char *dims,
		     enum dtype dtype, const void *raw, size_t len)
{
	size_t at = wire_begin(&m->buf, 5);

	each_word(m, 1, dims, put_dim);
	wire_put_varint(&m->buf, 2, dtype);
	wire_put_text(&m->buf, 8, name);
	wire_put_bytes(&m->buf, 9, raw, len);
	wire_end(&m->buf, at);
}

void make_floats(struct make *m, const char *name, const char *dims,
		 const float *v, size_t n)
{
	put_init(m, name, dims, DTYPE_F32, v, n * sizeof(*v));
}

void make_ints(struct make *m, const char *name, const char *dims,
	       const int64_t *v, size_t n)
{
	put_init(m, name, dims, DTYPE_I64, v, n * sizeof(*v));
}

static void put_pair(struct make *m, const char *key, const char *value)
{
	size_t at = wire_begin(&m->buf, 13);

	wire_put_text(&m->buf, 1, key);
	wire_put_text(&m->buf, 2, value);
	wire_end(&m->buf, at);
}

void make_external(struct make *m, const char *name, const char *dims,
		   const char *location, const char *offset, const char *length)
{
	size_t at = wire_begin(&m->buf, 5);

	each_word(m, 1, dims, put_dim);
	wire_put_varint(&m->buf, 2, DTYPE_F32);
	wire_put_text(&m->buf, 8, name);
	put_pair(m, "location", location);
	if (offset)
		put_pair(m, "offset", offset);
	if (length)
		put_pair(m, "length", length);
	wire_put_varint(&m->buf, 14, 1);
	wire_end(&m->buf, at);
}

static void put_shape_dim(struct buf *buf, uint32_t field, const char *word)
{
	size_t at = wire_begin(buf, field);
	int64_t dim;

	if (str_parse_int64(word, &dim))
		wire_put_varint(buf, 1, (uint64_t)dim);
	else if (strcmp(word, "?") != 0)
		wire_put_text(buf, 2, word);
	wire_end(buf, at);
}

void make_port(struct make *m, uint32_t field, const char *name,
	       enum dtype dtype, const char *dims)
{
	size_t at = wire_begin(&m->buf, field), type, tensor, shape;

	wire_put_text(&m->buf, 1, name);
	type = wire_begin(&m->buf, 2);
	tensor = wire_begin(&m->buf, 1);
	wire_put_varint(&m->buf, 1, dtype);
	if (dims) {
		shape = wire_begin(&m->buf, 2);
		each_word(m, 1, dims, put_shape_dim);
		wire_end(&m->buf, shape);
	}
	wire_end(&m->buf, tensor);
	wire_end(&m->buf, type);
	wire_end(&m->buf, at);
}

void make_note(struct make *m, const char *key, const char *value)
{
	size_t at = wire_begin(&m->buf, 14);

	if (key)
		wire_put_text(&m->buf, 1, key);
	if (value)
		wire_put_text(&m->buf, 2, value);
	wire_end(&m->buf, at);
}
