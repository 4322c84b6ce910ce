/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gradients of DFT and STFT. A transform is linear, so its gradient is the
 * transposed one, which but for a factor is the transform the other way:
 *
 *   DFT                   dX = L IDFT(dY, filled up to L)
 *   its inverse           dX = DFT(dY) / L
 *   onesided inverse      the same of real numbers, twice where a number of
 *                         the spectrum stands for two
 *   STFT                  frames as DFT, times the window, added up
 *
 * cut off or filled up to the length that was there, and without an imaginary
 * part where there was none.
 */
#include <stdio.h>
#include <string.h>

#include "engine/ops/fourier.h"
#include "engine/ops/reshape.h"

static void infer_of(const struct vjp *vjp, struct fact in[4],
		     struct infer *ret)
{
	const unsigned n = (unsigned)vjp->node->n_in;

	memset(in, 0, 4 * sizeof(*in));
	for (unsigned i = 0; i < n; i++) {
		if (vjp->in[i] != VALUE_NONE)
			in[i] = *build_fact(vjp->build, vjp->in[i]);
	}
	*ret = (struct infer){ .attrs = vjp->attrs, .n_in = n, .in = in };
}

static int32_t transform(struct build *build, int32_t x, int64_t length,
			 int64_t axis, bool is_inverse)
{
	const struct dft_attrs attrs = { .inverse = is_inverse };
	const int32_t in[] = {
		x,
		build_ints(build, &length, 1),
		build_reshape(build, build_ints(build, &axis, 1),
			      &(struct shape){ 0, { 0 } }),
	};

	return build_node(build, "DFT", &attrs, in, 3);
}

static int32_t scale(struct build *build, int32_t x, double by)
{
	const enum dtype elem = build_fact(build, x)->type.elem;

	return build_2(build, "Mul", x, build_scalar(build, elem, by));
}

/* The first n numbers of an axis of `length`, or all and zeros behind them. */
static int32_t fit(struct build *build, int32_t x, int64_t axis, int64_t length,
		   int64_t n)
{
	const int64_t zero = 0, more = n - length, pads[] = { 0, more };
	const struct build_name in[] = {
		{ "x", x },
		{ "z", build_ints(build, &zero, 1) },
		{ "n", build_ints(build, &n, 1) },
		{ "p", build_ints(build, pads, 2) },
		{ "a", build_ints(build, &axis, 1) },
	};
	struct build_name out = { "y", VALUE_NONE };

	if (n == length)
		return x;
	build_text(build,
		   n < length ? "y = Slice(x, z, n, a)" : "y = Pad(x, p, , a)",
		   in, 5, NULL, &out, 1);
	return out.value;
}

/* 2 where a number of half a spectrum stands for its mirror image too, as a
 * factor of x along an axis. */
static int32_t twice(struct build *build, int32_t x, int64_t length,
		     unsigned axis)
{
	const struct fact fact = *build_fact(build, x);
	const int64_t n = length / 2 + 1;
	struct shape shape = { .rank = fact.shape.rank - axis };
	struct tensor_view view = { .dtype = fact.type.elem };
	float *narrow = arena_array(build->graph->arena, (size_t)n, 4);
	double *wide = arena_array(build->graph->arena, (size_t)n, 8);

	if (!narrow || !wide) {
		build->code = err_set(&build->err, ERR_NO_MEMORY,
				      "gradient: out of memory");
		return VALUE_NONE;
	}
	for (int64_t k = 0; k < n; k++) {
		wide[k] = k == 0 || 2 * k == length ? 1 : 2;
		narrow[k] = (float)wide[k];
	}
	for (unsigned d = 0; d < shape.rank; d++)
		shape.dim[d] = d ? 1 : n;
	view.shape = shape;
	view.data = view.dtype == DTYPE_F64 ? (void *)wide : (void *)narrow;
	return build_2(build, "Mul", x, build_const(build, &view));
}

enum err_code dft_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const unsigned rank = build_fact(build, vjp->in[0])->shape.rank;
	int32_t grad = vjp->grad_out[0];
	struct fact in[4];
	struct infer infer;
	struct lines lines;
	unsigned axis;
	int64_t n;
	enum err_code rc;

	infer_of(vjp, in, &infer);
	rc = fourier_lines(&infer, &lines, &axis, err);
	if (rc)
		return rc;
	grad = transform(build, grad, lines.length, axis, !lines.is_inverse);
	grad = scale(build, grad,
		     lines.is_inverse ? 1 / (double)lines.length
				      : (double)lines.length);
	n = lines.length;
	if (lines.is_inverse && lines.is_onesided) {
		n = lines.length / 2 + 1;
		grad = fit(build, grad, axis, lines.length, n);
		grad = twice(build, grad, lines.length, axis);
	}
	grad = fit(build, grad, axis, n, lines.n);
	vjp->grad_in[0] = fit(build, grad, rank - 1, 2, lines.parts);
	return build_check(build, err);
}

/* y of a text of a, b and c. */
static int32_t apply(struct build *build, const char *text, int32_t a,
		     int32_t b, int32_t c)
{
	const struct build_name in[] = { { "a", a }, { "b", b }, { "c", c } };
	struct build_name out = { "y", VALUE_NONE };

	build_text(build, text, in, 3, NULL, &out, 1);
	return out.value;
}

/* [batch, frames, length, parts] to what a signal's numbers get. */
static int32_t add_up(struct build *build, int32_t x, const struct frames *f)
{
	const struct shape columns = {
		3, { f->batch, (int64_t)f->parts * f->length, f->n }
	};
	char text[96];

	x = apply(build, "y = Transpose<perm=[0,3,2,1]>(a)", x, VALUE_NONE,
		  VALUE_NONE);
	(void)snprintf(text, sizeof(text),
		       "y = Transpose<perm=[0,2,1]>("
		       "Col2Im<strides=[%lld]>(a, b, c))",
		       (long long)f->step);
	return apply(build, text, build_reshape(build, x, &columns),
		     build_ints(build, &f->signal, 1),
		     build_ints(build, &f->length, 1));
}

/* The signal as [batch, frames, length, parts]. */
static int32_t cut_frames(struct build *build, int32_t signal,
			  const struct frames *f)
{
	const struct shape whole = {
		3, { f->batch, f->signal, (int64_t)f->parts }
	};
	struct tensor_view view = { .dtype = DTYPE_I64,
				    .shape = { 2, { f->n, f->length } } };
	int64_t *at = arena_array(build->graph->arena,
				  (size_t)(f->n * f->length), sizeof(*at));

	if (!at) {
		build->code = err_set(&build->err, ERR_NO_MEMORY,
				      "gradient: out of memory");
		return VALUE_NONE;
	}
	for (int64_t i = 0; i < f->n * f->length; i++)
		at[i] = i / f->length * f->step + i % f->length;
	view.data = at;
	return apply(build, "y = Gather<axis=1>(a, b)",
		     build_reshape(build, signal, &whole),
		     build_const(build, &view), VALUE_NONE);
}

enum err_code stft_vjp(struct vjp *vjp, struct err *err)
{
	static const int64_t axes[] = { 0, 1, 3 };
	struct build *build = vjp->build;
	const bool has_window = vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE;
	struct fact in[4];
	struct infer infer;
	struct frames f;
	int32_t grad;
	enum err_code rc;

	infer_of(vjp, in, &infer);
	rc = fourier_frames(&infer, &f, err);
	if (rc)
		return rc;
	grad = transform(build, vjp->grad_out[0], f.length, 2, true);
	grad = scale(build, grad, (double)f.length);
	grad = fit(build, grad, 3, 2, f.parts);
	if (has_window && vjp->wanted[2])
		vjp->grad_in[2] =
		    apply(build, "y = ReduceSum<keepdims=0>(Mul(a, b), c)",
			  cut_frames(build, vjp->in[0], &f), grad,
			  build_ints(build, axes, 3));
	if (has_window)
		grad = build_2(
		    build, "Mul", grad,
		    build_reshape(build, vjp->in[2],
				  &(struct shape){ 2, { f.length, 1 } }));
	if (vjp->wanted[0])
		vjp->grad_in[0] =
		    build_reshape(build, add_up(build, grad, &f), &in[0].shape);
	return build_check(build, err);
}
