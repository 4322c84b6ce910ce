/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/quantize.h"

#include <math.h>

/* ---- which scale --------------------------------------------------------- */

static enum err_code axis_grid(const struct fact *x, int64_t axis,
			       struct scale_grid *ret, unsigned *ret_axis,
			       struct err *err)
{
	const struct shape *s = &x->shape;
	enum err_code rc;

	/* a vector has no choice, whatever the default says */
	if (s->rank == 1)
		axis = 0;
	rc = shape_axis(axis, s->rank, "attribute 'axis'", ret_axis, err);
	if (rc)
		return rc;
	ret->n_axis = s->dim[*ret_axis];
	ret->n_inner = shape_range(s, *ret_axis + 1, s->rank);
	return ERR_NONE;
}

static enum err_code refuse_scale(const struct fact *x,
				  const struct fact *scale,
				  const char *const names[3], struct err *err)
{
	char text[2][64];

	return infer_fail(err,
			  "input '%s': expected one scale, one for each index "
			  "of 'axis' or one for each block of 'block_size' of "
			  "'%s' %s, got %s",
			  names[1], names[0],
			  shape_text(&x->shape, text[0], sizeof(text[0])),
			  shape_text(&scale->shape, text[1], sizeof(text[1])));
}

static enum err_code check_zero(const struct fact *scale,
				const struct fact *zero,
				const char *const names[3], struct err *err)
{
	char text[2][64];

	if (zero->type.elem == DTYPE_NONE ||
	    shape_equal(&scale->shape, &zero->shape) ||
	    (shape_count(&scale->shape) == 1 && shape_count(&zero->shape) == 1))
		return ERR_NONE;
	return infer_fail(err,
			  "input '%s': expected the shape of '%s' %s, "
			  "got %s",
			  names[2], names[1],
			  shape_text(&scale->shape, text[0], sizeof(text[0])),
			  shape_text(&zero->shape, text[1], sizeof(text[1])));
}

/* NOLINTNEXTLINE(readability-function-size): three operands and two numbers */
enum err_code scale_grid_init(const struct fact *x, const struct fact *scale,
			      const struct fact *zero, int64_t axis,
			      int64_t block_size, const char *const names[3],
			      struct scale_grid *ret, struct err *err)
{
	struct shape want = x->shape;
	unsigned at = 0;
	enum err_code rc = check_zero(scale, zero, names, err);

	*ret = (struct scale_grid){ .n_axis = 1, .block = 1 };
	ret->n_inner = shape_count(&x->shape);
	if (rc || (shape_count(&scale->shape) == 1 && scale->shape.rank <= 1))
		return rc;
	rc = axis_grid(x, axis, ret, &at, err);
	if (rc)
		return rc;
	if (!block_size) {
		if (scale->shape.rank == 1 &&
		    scale->shape.dim[0] == ret->n_axis)
			return ERR_NONE;
		return refuse_scale(x, scale, names, err);
	}
	ret->is_blocked = true;
	ret->block = block_size;
	ret->n_block =
	    ret->n_axis / block_size + (ret->n_axis % block_size != 0 ? 1 : 0);
	want.dim[at] = ret->n_block;
	return shape_equal(&want, &scale->shape)
		   ? ERR_NONE
		   : refuse_scale(x, scale, names, err);
}

struct scale_run scale_run_at(const struct scale_grid *grid, int64_t e,
			      int64_t last)
{
	const int64_t inner = e % grid->n_inner;
	const int64_t index = e / grid->n_inner % grid->n_axis;
	const int64_t outer = e / grid->n_inner / grid->n_axis;
	struct scale_run run = { .n = grid->n_inner - inner, .scale = index };

	if (grid->is_blocked) {
		run.scale = (outer * grid->n_block + index / grid->block) *
				grid->n_inner +
			    inner;
		run.step = grid->n_inner > 1;
		if (grid->n_inner == 1)
			run.n = grid->block - index % grid->block;
		if (grid->n_inner == 1 && run.n > grid->n_axis - index)
			run.n = grid->n_axis - index;
	} else if (grid->n_inner == 1) {
		run.n = grid->n_axis - index;
		run.step = 1;
	}
	if (run.n > last - e)
		run.n = last - e;
	return run;
}

/* ---- single numbers ------------------------------------------------------ */

bool quantized_range(enum dtype dtype, int32_t *ret_low, int32_t *ret_high)
{
	const unsigned bits = dtype_info(dtype)->file_bits;
	const bool has_sign = dtype_is_signed(dtype);

	if (!dtype_is_integer(dtype) || bits > 16)
		return false;
	*ret_low = has_sign ? -((int32_t)1 << (bits - 1)) : 0;
	*ret_high = ((int32_t)1 << (has_sign ? bits - 1 : bits)) - 1;
	return true;
}

int32_t quantize_one(double x, int32_t zero, enum dtype dtype)
{
	int32_t low = 0, high = 0;

	if (!quantized_range(dtype, &low, &high))
		return 0;
	x = rint(x) + zero;
	if (!(x > low))
		return low;
	return x < high ? (int32_t)x : high;
}

int32_t quantized_at(enum dtype dtype, const void *data, int64_t i)
{
	int32_t value;

	if (!data)
		return 0;
	switch ((int)dtype) {
	case DTYPE_U8:
		return ((const uint8_t *)data)[i];
	case DTYPE_I8:
		return ((const int8_t *)data)[i];
	default:
		dtype_convert(dtype,
			      (const char *)data +
				  (size_t)i * dtype_info(dtype)->size,
			      DTYPE_I32, &value, 1, true);
		return value;
	}
}

float scale_at(enum dtype dtype, const void *data, int64_t i)
{
	float value = 1;

	if (data)
		dtype_convert(dtype,
			      (const char *)data +
				  (size_t)i * dtype_info(dtype)->size,
			      DTYPE_F32, &value, 1, true);
	return value;
}

void quantized_put(enum dtype dtype, void *data, int64_t i, int32_t value)
{
	if (dtype_info(dtype)->size == 1)
		((uint8_t *)data)[i] = (uint8_t)value;
	else
		((uint16_t *)data)[i] = (uint16_t)value;
}
