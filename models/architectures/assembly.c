/* SPDX-License-Identifier: Apache-2.0 */
#include "models/architectures/assembly.h"

#include <math.h>

#include "base/rng.h"
#include "base/str.h"
#include "engine/ops/dropout.h"
#include "models/architectures/recurrent.h"
#include "models/network_priv.h"

enum { LAYERS_MAX = 1000, STREAM_INIT = 0x494e0000 };
#define PARAMS_MAX ((int64_t)1 << 31)

const char *const init_names[] = { "default",
				   "kaiming_normal",
				   "kaiming_uniform",
				   "xavier_normal",
				   "xavier_uniform",
				   "normal",
				   "trunc_normal",
				   "orthogonal",
				   "zeros",
				   "lsuv",
				   NULL };

#define LAYER(name) extern const struct layer_kind layer_##name;
#include "models/architectures/layers.def"
#undef LAYER

static const struct layer_kind *const kinds[] = {
#define LAYER(name) &layer_##name,
#include "models/architectures/layers.def"
#undef LAYER
	NULL,
};

static const char *const kind_names[] = {
#define LAYER(name) #name,
#include "models/architectures/layers.def"
#undef LAYER
	NULL,
};

const struct layer_kind *layer_find(const char *name)
{
	for (size_t i = 0; kinds[i]; i++) {
		if (str_equal(kinds[i]->name, name))
			return kinds[i];
	}
	return NULL;
}

const char *const *layer_names(void)
{
	return kind_names;
}

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "model: out of memory, or the network is too large");
}

struct shape assembly_row(const struct assembly *assembly, int32_t value)
{
	const struct shape *shape = &build_fact(&assembly->build, value)->shape;
	struct shape row = { .rank = shape->rank ? shape->rank - 1 : 0 };

	for (unsigned d = 0; d < row.rank; d++)
		row.dim[d] = shape->dim[d + 1];
	return row;
}

/* --- nodes --- */

enum err_code assembly_nodes(struct assembly *assembly,
			     const struct assembly_call *call, int32_t *out,
			     unsigned n, struct err *err)
{
	const struct op *row = build_find(call->op);
	const struct attr_source source = { .ctx = &call->attrs,
					    .n = call->attrs.n,
					    .at = attr_list_at };
	const void *values;
	enum err_code rc;

	if (!row)
		return err_set(err, ERR_UNSUPPORTED,
			       "model: there is no operator '%s'", call->op);
	rc = op_attrs_read(row->attrs, row->attrs_size, &source, call->op,
			   assembly->graph->arena, &values, err);
	if (rc)
		return rc;
	build_row(&assembly->build, row, values, call->in, call->n_in, out, n);
	return build_check(&assembly->build, err);
}

enum err_code assembly_node(struct assembly *assembly,
			    const struct assembly_call *call, int32_t *ret_out,
			    struct err *err)
{
	return assembly_nodes(assembly, call, ret_out, 1, err);
}

enum err_code assembly_dropout(struct assembly *assembly, double p,
			       const char *rows, int32_t *value,
			       struct err *err)
{
	const char *before = assembly->build.prefix;
	int32_t in[2] = { *value, VALUE_NONE };
	const struct assembly_call call = { "Dropout", { NULL, 0 }, in, 2 };
	enum err_code rc;

	if (!(p > 0))
		return ERR_NONE;
	if (rows) {
		assembly->build.prefix = arena_printf(
		    assembly->scratch, "%s." ROW_DROPOUT ".", rows);
		if (!assembly->build.prefix)
			return no_memory(err);
	}
	in[1] = build_scalar(&assembly->build, DTYPE_F32, p);
	rc = assembly_node(assembly, &call, value, err);
	assembly->build.prefix = before;
	return rc;
}

/* --- parameters --- */

/* Bounds and deviations by He et al. 2015 and Glorot and Bengio 2010. What
 * PyTorch's layers do by themselves is kaiming_uniform with a = sqrt(5), which
 * is U(-1, 1) / sqrt(fan_in), for weight and bias. */
struct draw {
	bool is_normal;
	double scale; /* standard deviation, or bound */
};

static struct draw choose_draw(const struct assembly *assembly,
			       const struct assembly_param *param)
{
	double in = param->fan_in > 0 ? (double)param->fan_in : 1;
	double out = param->fan_out > 0 ? (double)param->fan_out : 1;

	if (param->std > 0)
		return (struct draw){ true, param->std };
	if (!param->is_weight && assembly->init != INIT_DEFAULT &&
	    assembly->init != INIT_KAIMING_FAN_OUT)
		return (struct draw){ false, 0 };
	switch (param->is_weight ? assembly->init : INIT_DEFAULT) {
	case INIT_KAIMING_NORMAL:
		return (struct draw){ true, sqrt(2 / in) };
	case INIT_KAIMING_UNIFORM:
		return (struct draw){ false, sqrt(6 / in) };
	case INIT_XAVIER_NORMAL:
		return (struct draw){ true, sqrt(2 / (in + out)) };
	case INIT_XAVIER_UNIFORM:
		return (struct draw){ false, sqrt(6 / (in + out)) };
	case INIT_KAIMING_FAN_OUT:
		return (struct draw){ true, sqrt(2 / out) };
	case INIT_NORMAL:
		return (struct draw){ true, 0.01 };
	case INIT_TRUNC_NORMAL:
		return (struct draw){ true, 0.02 };
	case INIT_ORTHOGONAL:
	case INIT_LSUV:
		return (struct draw){ true, 1 };
	case INIT_ZEROS:
		return (struct draw){ false, 0 };
	case INIT_DEFAULT:
		break;
	}
	return (struct draw){ false, 1 / sqrt(in) };
}

/* Saxe et al. 2013: row by row, what lies along the rows before it is taken
 * away and the rest brought to length 1 (Gram and Schmidt, modified, in
 * double). With more rows than columns it is columns. */
static void make_orthogonal(float *x, int64_t rows, int64_t columns)
{
	bool is_tall = rows > columns;
	int64_t n = is_tall ? columns : rows, len = is_tall ? rows : columns;
	int64_t next = is_tall ? 1 : columns, along = is_tall ? columns : 1;

	for (int64_t i = 0; i < n; i++) {
		float *a = x + i * next;
		double length = 0;

		for (int64_t j = 0; j < i; j++) {
			const float *b = x + j * next;
			double dot = 0;

			for (int64_t k = 0; k < len; k++)
				dot +=
				    (double)a[k * along] * (double)b[k * along];
			for (int64_t k = 0; k < len; k++)
				a[k * along] -= (float)dot * b[k * along];
		}
		for (int64_t k = 0; k < len; k++)
			length += (double)a[k * along] * (double)a[k * along];
		for (int64_t k = 0; k < len && length > 0; k++)
			a[k * along] =
			    (float)((double)a[k * along] / sqrt(length));
	}
}

/* Element i is drawn again, from a stream of its own, until it is within two
 * deviations. */
static void truncate(float *x, size_t n, struct rng rng)
{
	for (size_t i = 0; i < n; i++) {
		for (rng.step = 1; fabsf(x[i]) > 2 && rng.step < 64; rng.step++)
			x[i] = rng_normal(rng, i);
	}
}

static void draw_values(struct assembly *assembly,
			const struct assembly_param *param, float *to, size_t n)
{
	struct draw draw = choose_draw(assembly, param);
	struct rng rng = { .seed = assembly->seed,
			   .stream = STREAM_INIT | assembly->n_drawn };
	float scale = (float)draw.scale;

	if (draw.is_normal)
		rng_fill_normal(rng, 0, n, to);
	else
		rng_fill_uniform(rng, 0, n, to);
	if (param->is_weight && assembly->init == INIT_TRUNC_NORMAL)
		truncate(to, n, rng);
	if (param->is_weight && n &&
	    (assembly->init == INIT_ORTHOGONAL || assembly->init == INIT_LSUV))
		make_orthogonal(to, param->shape.dim[0],
				(int64_t)n / param->shape.dim[0]);
	/* what lies outside comes back in from the middle, as in fastai */
	for (size_t i = 0; i < n && param->std > 0; i++)
		to[i] = fmodf(to[i], 2);
	for (size_t i = 0; i < n; i++)
		to[i] =
		    draw.is_normal ? to[i] * scale : (2 * to[i] - 1) * scale;
}

enum err_code assembly_param(struct assembly *assembly,
			     const struct assembly_param *param,
			     int32_t *ret_value, struct err *err)
{
	struct tensor_view view = { .dtype = DTYPE_F32, .shape = param->shape };
	struct arena *arena = assembly->graph->arena;
	const char *name =
	    arena_printf(assembly->scratch, "%s.%s", param->name, param->part);
	int64_t n;
	size_t bytes;
	enum err_code rc;

	rc = tensor_bytes_checked(DTYPE_F32, view.shape.rank, view.shape.dim,
				  param->part, &bytes, err);
	if (rc)
		return rc;
	n = shape_count(&view.shape);
	if (assembly->n_params + n > PARAMS_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "model: more than %lld parameters",
			       (long long)PARAMS_MAX);
	view.data = arena_aligned(arena, bytes + 1);
	if (!view.data || !name)
		return no_memory(err);
	for (int64_t i = 0; param->is_constant && i < n; i++)
		((float *)view.data)[i] = param->constant;
	if (!param->is_constant && !assembly->dry)
		draw_values(assembly, param, view.data, (size_t)n);
	assembly->n_drawn += !param->is_constant;
	assembly->n_params += param->role == ROLE_PARAM ? n : 0;
	return graph_add_variable(assembly->graph, name, param->role, &view,
				  ret_value, err);
}

/* --- layers --- */

enum err_code assembly_note(struct assembly *assembly, const char *type,
			    const char *name, const struct shape *row,
			    int64_t params_before, struct err *err)
{
	struct network_layer *layer;

	if (assembly->n_layers == LAYERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "model: more than %d layers",
			       LAYERS_MAX);
	if (assembly->n_layers == assembly->cap_layers) {
		size_t cap =
		    assembly->cap_layers ? 2 * assembly->cap_layers : 16;

		layer =
		    arena_array(assembly->graph->arena, cap, sizeof(*layer));
		if (!layer)
			return no_memory(err);
		if (assembly->n_layers)
			memcpy(layer, assembly->layer,
			       assembly->n_layers * sizeof(*layer));
		assembly->layer = layer;
		assembly->cap_layers = cap;
	}
	layer = &assembly->layer[assembly->n_layers];
	layer->name = arena_strdup(assembly->graph->arena, name);
	layer->type = type;
	layer->row = *row;
	layer->n_params = assembly->n_params - params_before;
	if (!layer->name)
		return no_memory(err);
	assembly->n_layers++;
	return ERR_NONE;
}

enum err_code assembly_layer(struct assembly *assembly, const char *kind,
			     const void *options, const char *name,
			     int32_t *value, struct err *err)
{
	const struct layer_kind *row = layer_find(kind);
	int64_t params_before = assembly->n_params;
	size_t layers_before = assembly->n_layers;
	const char *before = assembly->build.prefix;
	struct shape shape;
	int32_t out;
	enum err_code rc;

	if (!row)
		return err_set(err, ERR_INTERNAL,
			       "model: there is no layer '%s'", kind);
	assembly->build.prefix = arena_printf(assembly->scratch, "%s.", name);
	rc = assembly->build.prefix
		 ? row->build(assembly, options, name, *value, &out, err)
		 : no_memory(err);
	assembly->build.prefix = before;
	if (rc)
		return rc;
	*value = out;
	/* what layers inside have counted is theirs */
	for (size_t i = layers_before; i < assembly->n_layers; i++)
		params_before += assembly->layer[i].n_params;
	shape = assembly_row(assembly, out);
	return assembly_note(assembly, row->name, name, &shape, params_before,
			     err);
}

/* --- a list of layers --- */

static enum err_code unknown_layer(const char *where, const struct doc *type,
				   struct err *err)
{
	const char *near;

	if (!type || type->kind != DOC_STRING)
		return err_set(err, ERR_INVALID,
			       "%s: 'type' must name the kind of layer, such "
			       "as linear",
			       where);
	near = field_nearest(type->text, kind_names);
	return err_set(err, ERR_INVALID, "%s: there is no layer '%.64s'%s%s%s",
		       where, type->text, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

static enum err_code read_layer(struct arena *scratch, const struct doc *map,
				const char *where,
				const struct layer_kind **ret_kind,
				void **ret_options, struct err *err)
{
	static const char *const also[] = { "type", NULL };
	const struct doc *type = doc_find(map, "type");
	const struct layer_kind *kind = NULL;
	void *options;

	if (type && type->kind == DOC_STRING)
		kind = layer_find(type->text);
	if (!kind)
		return unknown_layer(where, type, err);
	options = arena_alloc(scratch, kind->size + 1);
	if (!options)
		return no_memory(err);
	*ret_kind = kind;
	*ret_options = options;
	return field_read(kind->fields, map, where, also, options, scratch,
			  err);
}

static enum err_code check_list(const struct doc *list, const char *where,
				struct err *err)
{
	if (list && list->kind == DOC_LIST && list->n)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "%s: expected a list of layers, each a map with a "
		       "'type'",
		       where);
}

/* One list; what stands inside its layers is the caller's to check. */
static enum err_code check_flat(const struct doc *list, const char *where,
				struct arena *scratch, struct err *err)
{
	const struct layer_kind *kind;
	void *options;
	unsigned i = 0;
	enum err_code rc = check_list(list, where, err);

	for (const struct doc *map = rc ? NULL : list->first; map && !rc;
	     map = map->next) {
		const char *here = arena_printf(scratch, "%s[%u]", where, i++);

		rc = here ? read_layer(scratch, map, here, &kind, &options, err)
			  : no_memory(err);
	}
	return rc;
}

enum err_code assembly_check_layers(const struct doc *list, const char *where,
				    struct arena *scratch, struct err *err)
{
	unsigned i = 0;
	enum err_code rc = check_flat(list, where, scratch, err);

	for (const struct doc *map = rc ? NULL : list->first; map && !rc;
	     map = map->next) {
		const struct doc *inner = doc_find(map, "layers");
		const char *here =
		    arena_printf(scratch, "%s[%u].layers", where, i++);

		if (inner)
			rc = here ? check_flat(inner, here, scratch, err)
				  : no_memory(err);
	}
	return rc;
}

static enum err_code add_layer(struct assembly *assembly, const struct doc *map,
			       const char *where, const char *name,
			       int32_t *value, struct err *err)
{
	const struct layer_kind *kind = NULL;
	void *options = NULL;
	enum err_code rc =
	    read_layer(assembly->scratch, map, where, &kind, &options, err);

	if (rc || !kind)
		return rc;
	rc = assembly_layer(assembly, kind->name, options, name, value, err);
	/* layers inside have said where it was */
	if (rc && err && !str_starts_with(err->msg, "model"))
		return err_prefix(err, "%s (%s)", where, kind->name);
	return rc;
}

enum err_code assembly_layers(struct assembly *assembly, const struct doc *list,
			      const char *where, const char *prefix,
			      int32_t *value, struct err *err)
{
	unsigned i = 0;
	enum err_code rc = check_list(list, where, err);

	for (const struct doc *map = rc ? NULL : list->first; map && !rc;
	     map = map->next) {
		const char *here =
		    arena_printf(assembly->scratch, "%s[%u]", where, i);
		const char *name =
		    arena_printf(assembly->scratch, "%s%u", prefix, i);

		if (!here || !name)
			return no_memory(err);
		rc = add_layer(assembly, map, here, name, value, err);
		i++;
	}
	return rc;
}
