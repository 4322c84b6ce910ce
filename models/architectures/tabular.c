/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * tabular: an embedding for each category, and the numbers beside them.
 *
 * { embedding }, [batch_norm of the numbers]
 *   -> { linear, activation, [batch_norm], [dropout] } ... linear
 *
 * As fastai's TabularModel. An embedding of n indices has
 * min(600, round(1.6 n^0.56)) numbers unless the feature says how many.
 */
#include <math.h>

#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

struct tabular_options {
	int init;
	struct field_ints hidden_sizes;
	double dropout, embedding_dropout, row_dropout;
	bool batch_norm;
};

static const struct field tabular_fields[] = {
	INIT_FIELD(struct tabular_options),
	{ .name = "hidden_sizes",
	  .help = "widths of the hidden layers; 200 and 100 when left out",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct tabular_options, hidden_sizes),
	  .min = 1,
	  .max = 1 << 24 },
	{ .name = "dropout",
	  .help = "behind each hidden layer; 0: none",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct tabular_options, dropout),
	  .min = 0,
	  .max = 0.999 },
	{ .name = "embedding_dropout",
	  .help = "behind the embeddings; 0: none",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct tabular_options, embedding_dropout),
	  .min = 0,
	  .max = 0.999 },
	{ .name = "row_dropout",
	  .help = "of whole rows of the embeddings' weights; 0: none",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct tabular_options, row_dropout),
	  .min = 0,
	  .max = 0.999 },
	{ .name = "batch_norm",
	  .help = "of the numbers, and behind each activation",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct tabular_options, batch_norm),
	  .def = 1 },
	{ 0 },
};

/* While it is put together. Layers are named by their number. */
struct tabular {
	struct assembly *assembly;
	const struct tabular_options *options;
	unsigned n_layers;
	int32_t value;
};

static enum err_code push(struct tabular *t, const char *kind,
			  const void *options, struct err *err)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "layers.%u", t->n_layers++);
	return assembly_layer(t->assembly, kind, options, name, &t->value, err);
}

static enum err_code concat(struct assembly *assembly, const int32_t *value,
			    unsigned n, int32_t *ret, struct err *err)
{
	static const struct attr_named attrs[] = {
		{ "axis", { .kind = ATTR_INT, .i = 1 } },
	};
	const struct assembly_call call = { "Concat", { attrs, 1 }, value, n };

	*ret = value[0];
	return n == 1 ? ERR_NONE : assembly_node(assembly, &call, ret, err);
}

static int64_t embedding_size(const struct network_port *port)
{
	const double size = round(1.6 * pow((double)port->n_indices, 0.56));

	if (port->embedding_size)
		return port->embedding_size;
	return size < 600 ? (int64_t)size : 600;
}

/* [N] of indices to [N, size] */
static enum err_code embed(const struct tabular *t,
			   const struct network_port *port, unsigned number,
			   int32_t indices, int32_t *ret, struct err *err)
{
	struct assembly *assembly = t->assembly;
	char name[32];
	const struct assembly_param weight = {
		.name = name,
		.part = "weight",
		.shape = { 2, { port->n_indices, embedding_size(port) } },
		.is_weight = true,
		.std = 0.01
	};
	int32_t in[2] = { VALUE_NONE, indices };
	const struct assembly_call call = { "Gather", { NULL, 0 }, in, 2 };
	enum err_code rc;

	(void)snprintf(name, sizeof(name), "embeds.%u", number);
	rc = assembly_param(assembly, &weight, &in[0], err);
	if (!rc)
		rc = assembly_dropout(assembly, t->options->row_dropout, name,
				      &in[0], err);
	return rc ? rc : assembly_node(assembly, &call, ret, err);
}

static bool is_index(const struct network_port *port)
{
	return port->n_indices > 0 && port->row.rank == 0;
}

static bool is_numbers(const struct network_port *port)
{
	return port->dtype == DTYPE_F32 && port->row.rank == 1;
}

static enum err_code check_ports(const struct assembly_inputs *in,
				 struct err *err)
{
	for (unsigned i = 0; i < in->n; i++) {
		if (!is_index(&in->port[i]) && !is_numbers(&in->port[i]))
			return err_set(err, ERR_UNSUPPORTED,
				       "model: tabular takes categories and "
				       "numbers; input feature '%s' is neither",
				       in->port[i].name);
	}
	return ERR_NONE;
}

/* Categories in their order, then the numbers. */
static enum err_code join(struct tabular *t, const struct assembly_inputs *in,
			  struct err *err)
{
	const struct batch_norm_options norm = { 1e-5, 0.1 };
	const struct dropout_options dropout = {
		t->options->embedding_dropout
	};
	int32_t *part = arena_array(t->assembly->scratch, 2 * (size_t)in->n + 2,
				    sizeof(*part));
	unsigned n_parts = 0, n_numbers = 0;
	enum err_code rc = check_ports(in, err);
	int32_t *number;

	if (!part)
		return err_set(err, ERR_NO_MEMORY, "model: out of memory");
	number = part + in->n + 1;
	for (unsigned i = 0; i < in->n && !rc; i++) {
		if (!is_index(&in->port[i])) {
			number[n_numbers++] = in->value[i];
			continue;
		}
		rc = embed(t, &in->port[i], n_parts, in->value[i],
			   &part[n_parts], err);
		n_parts++;
	}
	if (!rc && n_parts)
		rc = concat(t->assembly, part, n_parts, &part[0], err);
	if (!rc && n_parts && dropout.p > 0)
		rc = assembly_layer(t->assembly, "dropout", &dropout,
				    "emb_drop", &part[0], err);
	n_parts = n_parts > 0;
	if (!rc && n_numbers)
		rc =
		    concat(t->assembly, number, n_numbers, &part[n_parts], err);
	if (!rc && n_numbers && t->options->batch_norm)
		rc = assembly_layer(t->assembly, "batch_norm", &norm, "bn_cont",
				    &part[n_parts], err);
	n_parts += n_numbers > 0;
	return rc ? rc : concat(t->assembly, part, n_parts, &t->value, err);
}

static enum err_code push_hidden(struct tabular *t, int64_t width,
				 struct err *err)
{
	const struct linear_options linear = { width, true };
	const struct batch_norm_options norm = { 1e-5, 0.1 };
	const struct dropout_options dropout = { t->options->dropout };
	enum err_code rc;

	rc = push(t, "linear", &linear, err);
	if (!rc)
		rc = push(t, "relu", NULL, err);
	if (!rc && t->options->batch_norm)
		rc = push(t, "batch_norm", &norm, err);
	if (!rc && dropout.p > 0)
		rc = push(t, "dropout", &dropout, err);
	return rc;
}

static enum err_code tabular_build(struct assembly *assembly,
				   const void *options,
				   const struct assembly_inputs *in,
				   int64_t width, int32_t *ret_out,
				   struct err *err)
{
	static const int64_t usual[] = { 200, 100 };
	const struct linear_options last = { width, true };
	struct tabular t = { .assembly = assembly, .options = options };
	const struct field_ints *sizes = &t.options->hidden_sizes;
	const int64_t *size = sizes->v ? sizes->v : usual;
	const size_t n = sizes->v ? sizes->n : sizeof(usual) / sizeof(*usual);
	enum err_code rc = join(&t, in, err);

	for (size_t i = 0; i < n && !rc; i++)
		rc = push_hidden(&t, size[i], err);
	if (!rc)
		rc = push(&t, "linear", &last, err);
	*ret_out = t.value;
	return rc;
}

extern const struct architecture architecture_tabular;
const struct architecture architecture_tabular = {
	.name = "tabular",
	.help = "categories by embeddings, numbers, and linear layers",
	.options = tabular_fields,
	.size = sizeof(struct tabular_options),
	.build_of_ports = tabular_build,
};
