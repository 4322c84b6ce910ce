/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Resize: every place of the result is a weighted sum of elements of the input
 * around the place that coordinate_transformation_mode names; nearest takes
 * one of them, linear two an axis, cubic four (Keys: Cubic convolution
 * interpolation for digital image processing). With antialias the weights
 * stretch over all elements that a place stands for. Elements beyond the
 * border are the border's. Results in whole numbers round to even and saturate.
 *
 * ResizeGrad gives each element its share of dY by the same weights.
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/resize.h"

static enum err_code resize_infer(struct infer *infer, struct err *err)
{
	const struct resize_attrs *attrs = infer->attrs;
	const enum dtype elem = infer->in[0].type.elem;
	struct resize r;
	enum err_code rc = resize_read(infer, &infer->in[0].shape, 1, &r,
				       &infer->out[0].shape, err);

	if (rc)
		return rc;
	if (r.mode != RESIZE_NEAREST &&
	    (elem == DTYPE_STRING || elem == DTYPE_C64 || elem == DTYPE_C128))
		return infer_fail(err,
				  "input 'X': expected real numbers for mode "
				  "%s, got type %s",
				  attrs->mode, dtype_info(elem)->name);
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

/* ---- the plain form: one element after the other ------------------------- */

struct element {
	const struct resize *r;
	int64_t at[SHAPE_MAX_RANK], stride[SHAPE_MAX_RANK];
	struct resize_place place[SHAPE_MAX_RANK];
	bool outside;
};

static void element_locate(struct element *e, unsigned from)
{
	const unsigned rank = e->r->rank;

	for (unsigned k = from; k < rank; k++)
		resize_locate(e->r, k, e->at[k], &e->place[k]);
	e->outside = false;
	for (unsigned k = 0; k < rank; k++)
		e->outside = e->outside || e->place[k].outside;
}

static void element_start(const struct resize *r, struct element *e)
{
	int64_t stride = 1;

	*e = (struct element){ .r = r };
	for (unsigned k = r->rank; k-- > 0;) {
		e->stride[k] = stride;
		stride *= r->axis[k].in;
	}
	element_locate(e, 0);
}

static void element_next(struct element *e)
{
	for (unsigned k = e->r->rank; k-- > 0;) {
		if (++e->at[k] < e->r->axis[k].out) {
			element_locate(e, k);
			return;
		}
		e->at[k] = 0;
	}
}

/* Tap number t of all: its element and weight; false behind the last. */
static bool element_tap(const struct element *e, int64_t t, int64_t *ret_from,
			double *ret_weight)
{
	*ret_from = 0;
	*ret_weight = 1;
	for (unsigned k = e->r->rank; k-- > 0;) {
		const struct resize_place *place = &e->place[k];
		int64_t at;

		*ret_weight *= resize_weight(e->r, k, place, t % place->n, &at);
		*ret_from += at * e->stride[k];
		t /= place->n;
	}
	return t == 0;
}

static double element_sum(const struct element *e, const char *x,
			  enum dtype elem)
{
	const size_t size = dtype_info(elem)->size;
	double sum = 0, weight, v;
	int64_t from;

	if (e->outside)
		return e->r->extrapolation;
	for (int64_t t = 0; element_tap(e, t, &from, &weight); t++) {
		dtype_convert(elem, x + (size_t)from * size, DTYPE_F64, &v, 1,
			      true);
		if (weight != 0)
			sum += weight * v;
	}
	return sum;
}

static void element_write(const struct element *e, const char *x, char *y,
			  enum dtype elem)
{
	const size_t size = dtype_info(elem)->size;
	double weight, v;
	int64_t from;

	if (e->r->mode == RESIZE_NEAREST && !e->outside) {
		(void)element_tap(e, 0, &from, &weight);
		memcpy(y, x + (size_t)from * size, size);
		return;
	}
	if (elem == DTYPE_STRING) {
		memset(y, 0, size);
		return;
	}
	v = element_sum(e, x, elem);
	if (e->r->mode != RESIZE_NEAREST && !dtype_is_float(elem))
		v = rint(v);
	dtype_convert(DTYPE_F64, &v, elem, y, 1, true);
}

static void reference_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	const struct infer infer = query_infer(call->query);
	const enum dtype elem = call->query->out[0].type.elem;
	const int64_t n = shape_count(&call->query->out[0].shape);
	const size_t size = dtype_info(elem)->size;
	struct element e;
	struct resize r;
	struct shape y;

	(void)slice;
	(void)scratch;
	if (!n ||
	    resize_read(&infer, &call->query->in[0].shape, 1, &r, &y, NULL))
		return;
	element_start(&r, &e);
	for (int64_t i = 0; i < n; i++) {
		element_write(&e, call->in[0],
			      (char *)call->out[0] + (size_t)i * size, elem);
		element_next(&e);
	}
}

static double reference_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->out[0].shape) * 0.1;
}

static const struct kernel reference = {
	.name = "resize.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = reference_cost,
	.run = reference_run,
};
static const struct kernel *const resize_kernels[] = { &resize_rows_kernel,
						       &reference, NULL };

/* ---- gradient ------------------------------------------------------------ */

/* in 0 dY, 1 the shape of X, 2 roi, 3 scales, 4 sizes */
static enum err_code grad_infer(struct infer *infer, struct err *err)
{
	struct shape x = { 0 }, y;
	char text[2][64];
	struct resize r;
	size_t n = 0;
	enum err_code rc = infer_ints(infer, 1, x.dim, &n, err);

	x.rank = (unsigned)n;
	if (!rc)
		rc = shape_check(&x, "input 'shape'", err);
	if (!rc)
		rc = resize_read(infer, &x, 2, &r, &y, err);
	if (rc)
		return rc;
	if (!shape_equal(&y, &infer->in[0].shape))
		return infer_fail(
		    err, "input 'dY': expected shape %s, got %s",
		    shape_text(&y, text[0], sizeof(text[0])),
		    shape_text(&infer->in[0].shape, text[1], sizeof(text[1])));
	infer->out[0].shape = x;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void grad_add(const struct element *e, enum dtype elem, const void *dy,
		     int64_t i, void *dx)
{
	double weight;
	int64_t from;

	for (int64_t t = 0; !e->outside && element_tap(e, t, &from, &weight);
	     t++) {
		if (elem == DTYPE_F32)
			((float *)dx)[from] +=
			    (float)weight * ((const float *)dy)[i];
		else
			((double *)dx)[from] +=
			    weight * ((const double *)dy)[i];
	}
}

static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct infer infer = query_infer(call->query);
	const struct fact *dx = &call->query->out[0];
	const int64_t n = shape_count(&call->query->in[0].shape);
	struct element e;
	struct resize r;
	struct shape y;

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(dx->type.elem, &dx->shape));
	if (!n || resize_read(&infer, &dx->shape, 2, &r, &y, NULL))
		return;
	element_start(&r, &e);
	for (int64_t i = 0; i < n; i++) {
		grad_add(&e, dx->type.elem, call->in[0], i, call->out[0]);
		element_next(&e);
	}
}

static const struct kernel grad_reference = {
	.name = "resize_grad.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = reference_cost,
	.run = grad_run,
};
static const struct kernel *const grad_kernels[] = { &resize_grad_kernel,
						     &grad_reference, NULL };

static enum err_code resize_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct shape x = build_fact(build, vjp->in[0])->shape;
	int32_t in[5] = { vjp->grad_out[0], build_ints(build, x.dim, x.rank),
			  VALUE_NONE, VALUE_NONE, VALUE_NONE };
	const unsigned n = (unsigned)vjp->node->n_in;

	for (unsigned i = 1; i < n && i < 4; i++)
		in[i + 1] = vjp->in[i];
	vjp->grad_in[0] = build_node(build, "ResizeGrad", vjp->attrs, in, 5);
	return build_check(build, err);
}

static const struct port resize_in[] = {
	{ "X", "T:any", 0 },
	{ "roi", "float16,float,double,bfloat16", PORT_OPTIONAL },
	{ "scales", "float", PORT_OPTIONAL },
	{ "sizes", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port resize_out[] = { { "Y", "T", 0 }, { 0 } };
static const struct port grad_in[] = {
	{ "dY", "T:float,double", 0 },
	{ "shape", "int64", 0 },
	{ "roi", "float16,float,double,bfloat16", PORT_OPTIONAL },
	{ "scales", "float", PORT_OPTIONAL },
	{ "sizes", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port grad_out[] = { { "dX", "T", 0 }, { 0 } };

/* clang-format off */
#define AT(member) offsetof(struct resize_attrs, member)
static const struct op_attr attrs[] = {
	{ .name = "antialias", .help = "1: shrinking averages all it stands for",
	  .offset = AT(antialias), .kind = ATTR_INT, .max = 1 },
	{ .name = "axes", .help = "those that roi, scales and sizes tell of; none: all",
	  .offset = AT(axes), .kind = ATTR_INTS },
	{ .name = "coordinate_transformation_mode",
	  .help = "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, "
		  "asymmetric, tf_half_pixel_for_nn or tf_crop_and_resize",
	  .offset = AT(coordinate), .kind = ATTR_STRING, .def_text = "half_pixel" },
	{ .name = "cubic_coeff_a", .help = "slope of the cubic weights",
	  .offset = AT(cubic_a), .kind = ATTR_FLOAT, .def = -0.75 },
	{ .name = "exclude_outside", .help = "1: elements beyond the border weigh nothing",
	  .offset = AT(exclude_outside), .kind = ATTR_INT, .max = 1 },
	{ .name = "extrapolation_value", .help = "of places beyond the border (tf_crop_and_resize)",
	  .offset = AT(extrapolation), .kind = ATTR_FLOAT },
	{ .name = "keep_aspect_ratio_policy", .help = "stretch, not_larger or not_smaller",
	  .offset = AT(policy), .kind = ATTR_STRING, .def_text = "stretch" },
	{ .name = "mode", .help = "nearest, linear or cubic",
	  .offset = AT(mode), .kind = ATTR_STRING, .def_text = "nearest" },
	{ .name = "nearest_mode",
	  .help = "round_prefer_floor, round_prefer_ceil, floor or ceil",
	  .offset = AT(nearest), .kind = ATTR_STRING, .def_text = "round_prefer_floor" },
	{ 0 },
};

#define CASE(label, attributes, rest) \
	{ .name = (label), .graph = "y = Resize<" attributes ">(" rest ")" }
#define LINEAR "mode=\"linear\""
#define CUBIC "mode=\"cubic\""
#define TURN(mode) ", coordinate_transformation_mode=\"" mode "\""
#define IMAGE_UP "x:float[2,3,4,5], , s:float[4]={1,1,2,1.5}"
#define IMAGE_DOWN "x:float[1,2,6,7], , s:float[4]={1,1,0.6,0.5}"
static const struct op_case cases[] = {
	{ .name = "nearest", .graph = "y = Resize(" IMAGE_UP ")" },
	{ .name = "nearest, smaller", .graph = "y = Resize(" IMAGE_DOWN ")" },
	CASE("prefer ceil", "nearest_mode=\"round_prefer_ceil\"", IMAGE_UP),
	CASE("floor", "nearest_mode=\"floor\"" TURN("asymmetric"), IMAGE_DOWN),
	CASE("ceil", "nearest_mode=\"ceil\"" TURN("asymmetric"), IMAGE_UP),
	CASE("as opset 10", "nearest_mode=\"simple\"" TURN("asymmetric"), IMAGE_DOWN),
	CASE("linear", LINEAR, IMAGE_UP),
	CASE("linear, smaller", LINEAR, IMAGE_DOWN),
	CASE("linear, by corners", LINEAR TURN("align_corners"), IMAGE_DOWN),
	CASE("linear, asymmetric", LINEAR TURN("asymmetric"), IMAGE_UP),
	CASE("linear, symmetric", LINEAR TURN("half_pixel_symmetric"), IMAGE_DOWN),
	CASE("linear, to one", LINEAR TURN("pytorch_half_pixel"),
	     "x:float[1,1,3,4], , , z:int64[4]={1,1,1,5}"),
	CASE("linear, for nearest", LINEAR TURN("tf_half_pixel_for_nn"), IMAGE_UP),
	CASE("linear, antialias", LINEAR ", antialias=1", IMAGE_DOWN),
	CASE("linear, channels last", LINEAR,
	     "x:float[2,4,5,3], , , z:int64[4]={2,7,3,3}"),
	CASE("linear, volume", LINEAR, "x:double[1,2,3,4,2], , s:float[5]={1,1,2,1,3}"),
	CASE("linear, half type", LINEAR, "x:float16[1,2,4,4], , s:float[4]={1,1,2,2}"),
	CASE("linear, bytes", LINEAR, "x:uint8[1,2,4,4], , s:float[4]={1,1,2,2}"),
	CASE("linear, whole numbers", LINEAR, "x:int64[1,2,4,4], , s:float[4]={1,1,0.5,2}"),
	CASE("linear, sliced", LINEAR, "x:float[1,8,40,33], , s:float[4]={1,1,2,2}"),
	CASE("cubic", CUBIC, IMAGE_UP),
	CASE("cubic, smaller", CUBIC ", cubic_coeff_a=-0.5", IMAGE_DOWN),
	CASE("cubic, excluding", CUBIC ", exclude_outside=1", IMAGE_UP),
	CASE("cubic, antialias", CUBIC ", antialias=1", IMAGE_DOWN),
	CASE("cubic, antialias, excluding", CUBIC ", antialias=1, exclude_outside=1", IMAGE_DOWN),
	CASE("crop", LINEAR TURN("tf_crop_and_resize") ", extrapolation_value=9",
	     "x:float[1,1,4,5], r:float[8]={0,0,0.4,-0.2,1,1,1.2,0.7}, , z:int64[4]={1,1,3,4}"),
	CASE("crop, nearest", "mode=\"nearest\"" TURN("tf_crop_and_resize")
	     ", extrapolation_value=9, axes=[2,1]",
	     "x:float[1,4,5], r:float[4]={0.4,-0.2,1.2,0.7}, , z:int64[2]={3,1}"),
	CASE("axes", LINEAR ", axes=[-1,1]", "x:float[2,3,4], , s:float[2]={2,0.5}"),
	CASE("not larger", "axes=[1,2], keep_aspect_ratio_policy=\"not_larger\"",
	     "x:float[1,4,6], , , z:int64[2]={7,7}"),
	CASE("not smaller", LINEAR ", axes=[1,2], keep_aspect_ratio_policy=\"not_smaller\"",
	     "x:float[1,4,6], , , z:int64[2]={7,7}"),
	CASE("empty lists", LINEAR,
	     "x:float[2,3], r:float[0]={}, s:float[0]={}, z:int64[2]={3,2}"),
	{ .name = "bool", .graph = "y = Resize(x:bool[3,4], , s:float[2]={2,1})" },
	{ .name = "no change", .graph = "y = Resize(x:float[3,4], , s:float[2]={1,1})" },
	CASE("no batch", LINEAR, "x:float[0,2,3], , s:float[3]={1,2,2}"),
	CASE("to nothing", LINEAR, "x:float[2,3], , s:float[2]={0.2,1}"),
	{ .name = "scalar", .graph = "y = Resize(x:float[], , s:float[0]={})" },
	{ .name = "neither", .graph = "y = Resize(x:float[2])", .want = ERR_SHAPE },
	{ .name = "both", .graph = "y = Resize(x:float[2], , s:float[1]={2}, z:int64[1]={4})",
	  .want = ERR_SHAPE },
	{ .name = "too few scales", .graph = "y = Resize(x:float[2,2], , s:float[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "scale 0", .graph = "y = Resize(x:float[2], , s:float[1]={0})",
	  .want = ERR_SHAPE },
	{ .name = "huge", .graph = "y = Resize(x:float[2], , s:float[1]={1e20})",
	  .want = ERR_SHAPE },
	{ .name = "of nothing", .graph = "y = Resize(x:float[0], , , z:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "unknown mode",
	  .graph = "y = Resize<mode=\"area\">(x:float[2], , s:float[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = Resize<axes=[0,-2]>(x:float[2,2], , s:float[2]={2,2})", .want = ERR_SHAPE },
	{ .name = "no region",
	  .graph = "y = Resize<coordinate_transformation_mode=\"tf_crop_and_resize\">("
		   "x:float[2], , s:float[1]={2})", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "linear",
	  .graph = "dx = predictd.ResizeGrad<mode=\"linear\">(dy:float[40,7,8], "
		   "h:int64[3]={40,4,4}, , s:float[3]={1,1.75,2})" },
	{ .name = "nearest",
	  .graph = "dx = predictd.ResizeGrad(dy:double[2,3], h:int64[2]={4,4}, , , "
		   "z:int64[2]={2,3})" },
	{ .name = "nothing",
	  .graph = "dx = predictd.ResizeGrad(dy:float[2,0], h:int64[2]={4,4}, , , "
		   "z:int64[2]={2,0})" },
	{ .name = "another dy",
	  .graph = "dx = predictd.ResizeGrad(dy:float[3,3], h:int64[2]={4,4}, , , "
		   "z:int64[2]={2,3})", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_resize;
const struct op op_resize = {
	.domain = "",
	.name = "Resize",
	.help = "Interpolates a tensor to other extents.",
	.since = 11,
	.flags = OP_ANY_TYPE,
	.value_inputs = 1u << 1 | 1u << 2 | 1u << 3,
	.in = resize_in,
	.out = resize_out,
	.attrs = attrs,
	.attrs_size = sizeof(struct resize_attrs),
	.infer = resize_infer,
	.kernels = resize_kernels,
	.vjp = resize_vjp,
	.cases = cases,
};

extern const struct op op_resize_grad;
const struct op op_resize_grad = {
	.domain = "predictd",
	.name = "ResizeGrad",
	.help = "Gradient of Resize.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.value_inputs = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4,
	.in = grad_in,
	.out = grad_out,
	.attrs = attrs,
	.attrs_size = sizeof(struct resize_attrs),
	.infer = grad_infer,
	.kernels = grad_kernels,
	.cases = grad_cases,
};
