/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rewrite: layers become ConvNarrow, and what they read is made narrow once.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/conv_narrow.h"
#include "engine/passes/edit.h"
#include "engine/precision/precision_priv.h"

struct rewriting {
	struct work *work;
	struct edit edit;
	int32_t *narrow; /* by old value: its narrow form, or VALUE_NONE */
};

bool byte_scale_of(const struct work *work, int32_t value,
		   struct byte_scale *ret)
{
	const struct range *range = &work->range[value];
	const double most = fmax(fabs(range->low), fabs(range->high));

	/* float divides by the scale: it must not be lost there */
	if (!range->n || !isfinite(most) || !(most > 1e-30) || most > 1e30 ||
	    !isfinite(range->squares))
		return false;
	ret->elem = range->low >= 0 ? DTYPE_U8 : DTYPE_I8;
	ret->scale =
	    (double)(float)(most / (ret->elem == DTYPE_U8 ? 255 : 127));
	return true;
}

static bool is_int8(const struct rewriting *r)
{
	return r->work->options->precision == PRECISION_INT8;
}

static int32_t cast(struct rewriting *r, int32_t value, enum dtype to)
{
	const struct op *op = op_find("", "Cast");
	char *attrs = arena_alloc(r->work->arena, op->attrs_size);
	const int64_t number = to;

	if (!attrs)
		return VALUE_NONE;
	op_attr_defaults(op->attrs, attrs);
	for (const struct op_attr *a = op->attrs; a->name; a++)
		if (!strcmp(a->name, "to"))
			memcpy(attrs + a->offset, &number, sizeof(number));
	return build_node(&r->edit.build, "Cast", attrs, &value, 1);
}

/* Scale and zero point of a value as operands. */
static void scale_operands(struct rewriting *r, int32_t value,
			   int32_t operand[3])
{
	struct byte_scale scale = { DTYPE_U8, 1 };

	/* what is wanted after choose() has one */
	(void)byte_scale_of(r->work, value, &scale);
	operand[1] = build_scalar(&r->edit.build, DTYPE_F32, scale.scale);
	operand[2] = build_scalar(&r->edit.build, scale.elem, 0);
}

/* The narrow form of an old value. */
static int32_t narrow_of(struct rewriting *r, int32_t value)
{
	int32_t operand[3] = { edit_see(&r->edit, value) };

	if (r->narrow[value] != VALUE_NONE)
		return r->narrow[value];
	if (is_int8(r)) {
		scale_operands(r, value, operand);
		r->narrow[value] = build_node(&r->edit.build, "QuantizeLinear",
					      NULL, operand, 3);
	} else {
		r->narrow[value] = cast(r, operand[0], DTYPE_BF16);
	}
	return r->narrow[value];
}

static int32_t widened(struct rewriting *r, int32_t value)
{
	int32_t operand[3] = { narrow_of(r, value) };

	if (!is_int8(r))
		return cast(r, operand[0], DTYPE_F32);
	scale_operands(r, value, operand);
	return build_node(&r->edit.build, "DequantizeLinear", NULL, operand, 3);
}

/* ---- weights ------------------------------------------------------------- */

/* A layer with the elements of its constants. */
struct source {
	const struct layer *layer;
	const float *w, *bias; /* bias: or NULL */
};

/* Weight number k of channel m, with its factor. */
static double weight(const struct source *from, int64_t m, int64_t k)
{
	const struct layer *layer = from->layer;
	const float *w = from->w;

	return layer->alpha * (double)(layer->is_turned
					   ? w[k * layer->m + m]
					   : w[m * layer->depth + k]);
}

/* The integers that weights may be: multiples of `step` to `most`. */
struct weight_grid {
	int most, step;
};

static struct weight_grid weight_grid(const struct rewriting *r,
				      enum dtype x_elem)
{
	if (r->work->options->cpu.has_bytes)
		return (struct weight_grid){ 127, 1 };
	if (x_elem == DTYPE_U8)
		return (struct weight_grid){ ONEDNN_WEIGHT_MAX, 1 };
	return (struct weight_grid){ 2 * ONEDNN_WEIGHT_MAX, 2 };
}

struct packed_layer {
	int8_t *w;
	float *scale, *bias;
};

/* One channel: its scale is that of x and of its weights together. */
static void pack_channel(const struct source *from, int64_t m, double x_scale,
			 struct weight_grid grid, struct packed_layer *ret)
{
	const struct layer *layer = from->layer;
	int8_t *q = ret->w + m * layer->depth;
	double most = 0, scale, both;

	for (int64_t k = 0; k < layer->depth; k++)
		most = fmax(most, fabs(weight(from, m, k)));
	scale = most > 0 ? most / grid.most : 1;
	for (int64_t k = 0; k < layer->depth; k++)
		q[k] =
		    (int8_t)(nearbyint(weight(from, m, k) / scale / grid.step) *
			     grid.step);
	both = x_scale * scale;
	/* without weights a bias is all there is */
	both = both > 1e-30 ? both : 1e-30;
	ret->scale[m] = (float)both;
	ret->bias[m] = from->bias
			   ? (float)(layer->beta * (double)from->bias[m] / both)
			   : 0;
}

static bool pack_layer(struct rewriting *r, const struct source *from,
		       struct packed_layer *ret)
{
	const struct layer *layer = from->layer;
	struct byte_scale x = { DTYPE_U8, 1 };
	const size_t m = (size_t)layer->m;

	(void)byte_scale_of(r->work, layer->x, &x);
	ret->w = arena_alloc(r->work->arena, m * (size_t)layer->depth);
	ret->scale = arena_array(r->work->arena, m, sizeof(float));
	ret->bias = arena_array(r->work->arena, m, sizeof(float));
	if (!ret->w || !ret->scale || !ret->bias)
		return false;
	for (int64_t i = 0; i < layer->m; i++)
		pack_channel(from, i, x.scale, weight_grid(r, x.elem), ret);
	return true;
}

static int32_t constant(struct rewriting *r, enum dtype dtype,
			const struct shape *shape, void *data)
{
	const struct tensor_view view = { data, dtype, *shape };

	return data ? build_const(&r->edit.build, &view) : VALUE_NONE;
}

static struct shape weight_shape(const struct rewriting *r,
				 const struct layer *layer)
{
	if (layer->is_conv)
		return edit_constant(&r->edit, layer->w)->shape;
	return (struct shape){ 2, { layer->m, layer->depth } };
}

static bool int8_operands(struct rewriting *r, const struct source *from,
			  int32_t operand[CONV_NARROW_N_IN])
{
	const struct layer *layer = from->layer;
	const struct shape shape = weight_shape(r, layer);
	const struct shape row = { 1, { layer->m } };
	struct packed_layer packed = { 0 };

	if (!pack_layer(r, from, &packed))
		return false;
	operand[CONV_NARROW_W] = constant(r, DTYPE_I8, &shape, packed.w);
	operand[CONV_NARROW_S] = constant(r, DTYPE_F32, &row, packed.scale);
	if (from->bias)
		operand[CONV_NARROW_B] =
		    constant(r, DTYPE_F32, &row, packed.bias);
	return true;
}

/* Weights in the order of ConvNarrow, as bfloat16. */
static bool bf16_operands(struct rewriting *r, const struct source *from,
			  int32_t operand[CONV_NARROW_N_IN])
{
	const struct layer *layer = from->layer;
	const float *bias = from->bias;
	const struct shape shape = weight_shape(r, layer);
	const struct shape row = { 1, { layer->m } };
	const size_t n = (size_t)layer->m * (size_t)layer->depth;
	uint16_t *bits = arena_array(r->work->arena, n, sizeof(*bits));
	float *b = arena_array(r->work->arena, (size_t)layer->m, sizeof(*b));

	if (!bits || !b)
		return false;
	for (int64_t m = 0; m < layer->m; m++) {
		for (int64_t k = 0; k < layer->depth; k++)
			bits[m * layer->depth + k] =
			    dtype_f32_to_bf16((float)weight(from, m, k));
		b[m] = bias ? (float)(layer->beta * (double)bias[m]) : 0;
	}
	operand[CONV_NARROW_W] = constant(r, DTYPE_BF16, &shape, bits);
	if (bias)
		operand[CONV_NARROW_B] = constant(r, DTYPE_F32, &row, b);
	return true;
}

/* ---- nodes --------------------------------------------------------------- */

static void no_memory(struct rewriting *r)
{
	struct build *build = &r->edit.build;

	if (!build->code)
		build->code = err_set(&build->err, ERR_NO_MEMORY,
				      "precision: out of memory");
}

static void narrow_layer(struct rewriting *r, const struct graph_node *node,
			 const struct layer *layer)
{
	struct conv_narrow_attrs attrs = {
		.conv = { .window = { .auto_pad = "NOTSET" }, .group = 1 },
		.x_last = !layer->is_conv,
		.y_last = !layer->is_conv,
		.to = DTYPE_F32,
		.y_scale = 1,
		.z_scale = 1,
		.activation = "",
	};
	const struct tensor_view *bias = edit_constant(&r->edit, layer->bias);
	const struct source from = { layer,
				     edit_constant(&r->edit, layer->w)->data,
				     bias ? bias->data : NULL };
	const int32_t out = graph_out(r->work->graph, node)[0];
	int32_t operand[CONV_NARROW_N_IN] = { VALUE_NONE, VALUE_NONE,
					      VALUE_NONE, VALUE_NONE,
					      VALUE_NONE };
	bool done;

	if (layer->is_conv)
		attrs.conv = *(const struct conv_attrs *)node->attrs;
	operand[CONV_NARROW_X] = narrow_of(r, layer->x);
	done = is_int8(r) ? int8_operands(r, &from, operand)
			  : bf16_operands(r, &from, operand);
	if (!done)
		no_memory(r);
	edit_forward(&r->edit, out,
		     build_node(&r->edit.build, "predictd.ConvNarrow", &attrs,
				operand, CONV_NARROW_N_IN));
}

/* The same node with weights that bfloat16 can hold. */
static void round_layer(struct rewriting *r, const struct graph_node *node,
			const struct layer *layer)
{
	const struct tensor_view *w = edit_constant(&r->edit, layer->w);
	const size_t n = (size_t)shape_count(&w->shape);
	float *rounded = arena_array(r->work->arena, n, sizeof(*rounded));
	int32_t operand[3], out;

	if (!rounded) {
		no_memory(r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		rounded[i] = dtype_bf16_to_f32(
		    dtype_f32_to_bf16(((const float *)w->data)[i]));
	for (int32_t i = 0; i < 3; i++)
		operand[i] = edit_in(&r->edit, node, i);
	operand[1] = constant(r, DTYPE_F32, &w->shape, rounded);
	build_row(&r->edit.build, node->op, node->attrs, operand,
		  (unsigned)node->n_in, &out, 1);
	edit_forward(&r->edit, graph_out(r->work->graph, node)[0], out);
}

static void narrow_sum(struct rewriting *r, const struct graph_node *node,
		       int32_t summand)
{
	const int32_t *in = graph_in(r->work->graph, node);
	int32_t operand[2], out;

	for (int i = 0; i < 2; i++)
		operand[i] = in[i];
	for (int i = 0; i < 2; i++)
		operand[i] = operand[i] == summand
				 ? widened(r, summand)
				 : edit_see(&r->edit, operand[i]);
	build_row(&r->edit.build, node->op, node->attrs, operand, 2, &out, 1);
	edit_forward(&r->edit, graph_out(r->work->graph, node)[0], out);
}

/* Largest values stay the same bytes: rounding keeps order. */
static void hand_on_pool(struct rewriting *r, const struct graph_node *node)
{
	const int32_t out = graph_out(r->work->graph, node)[0];
	int32_t operand[3];
	const int32_t in = widened(r, graph_in(r->work->graph, node)[0]);

	build_row(&r->edit.build, node->op, node->attrs, &in, 1, &operand[0],
		  1);
	scale_operands(r, out, operand);
	r->narrow[out] =
	    build_node(&r->edit.build, "QuantizeLinear", NULL, operand, 3);
}

/* The node once more, over narrow values; who reads wide ones keeps the old. */
static void hand_on(struct rewriting *r, const struct graph_node *node,
		    int32_t n)
{
	const int32_t out = graph_out(r->work->graph, node)[0];
	const int32_t n_in = node->n_in;
	int32_t *operand =
	    arena_array(r->work->arena, (size_t)n_in + 1, sizeof(*operand));

	if (!operand) {
		no_memory(r);
		return;
	}
	if (edit_is(node, "MaxPool")) {
		hand_on_pool(r, node);
		return;
	}
	for (int32_t i = 0; i < n_in; i++) {
		const int32_t in = graph_in(r->work->graph, node)[i];

		operand[i] = i < n ? narrow_of(r, in) : edit_see(&r->edit, in);
	}
	build_row(&r->edit.build, node->op, node->attrs, operand,
		  (unsigned)n_in, &r->narrow[out], 1);
}

static bool can_be_narrow(const struct rewriting *r, int32_t value)
{
	struct byte_scale scale;

	return !is_int8(r) || byte_scale_of(r->work, value, &scale);
}

static void visit(struct rewriting *r, int32_t number)
{
	struct work *work = r->work;
	const struct graph_node node = work->graph->node[number];
	const struct layer *layer = &work->layer[number];
	const int32_t n = marks_hands_on(work, &node);

	if (!node.op)
		return;
	r->edit.build.prefix = node.name;
	if (layer->m && !layer->stays) {
		if (is_int8(r) || work->options->cpu.has_bf16)
			narrow_layer(r, &node, layer);
		else
			round_layer(r, &node, layer);
		return;
	}
	if (!is_int8(r) && !work->options->cpu.has_bf16)
		return;
	if (work->summand[number] != VALUE_NONE &&
	    can_be_narrow(r, work->summand[number]))
		narrow_sum(r, &node, work->summand[number]);
	else if (n && work->is_wanted[graph_out(work->graph, &node)[0]] &&
		 can_be_narrow(r, graph_out(work->graph, &node)[0]))
		hand_on(r, &node, n);
}

enum err_code rewrite(struct work *work, struct err *err)
{
	const struct pass_context context = { .graph = work->graph,
					      .arena = work->arena };
	struct rewriting r = { .work = work };
	bool changed;
	enum err_code rc = edit_init(&r.edit, &context, err);

	if (rc)
		return rc;
	r.narrow = arena_array(work->arena, (size_t)work->n_value + 1,
			       sizeof(int32_t));
	if (!r.narrow)
		return err_set(err, ERR_NO_MEMORY, "precision: out of memory");
	for (int32_t i = 0; i < work->n_value; i++)
		r.narrow[i] = VALUE_NONE;
	for (int32_t i = 0; i < work->n_node; i++)
		visit(&r, i);
	return edit_finish(&r.edit, &changed, err);
}
