/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * DFT, along one axis, and STFT, of the windowed frames of a signal. The last
 * axis holds a number's parts: one if it is real, or two.
 *
 *   X[k] = sum over n of x[n] e^(-2 pi i k n / N)
 *   x[n] = 1/N sum over k of X[k] e^(2 pi i k n / N)
 *
 * A onesided spectrum ends at N / 2; the onesided inverse reads such a one and
 * gives real numbers. Everything is computed in double.
 */
#include "engine/ops/fourier.h"

#include "engine/kernels/fft.h"
#include "engine/ops/move.h"

enum { MAX_SLICES = 16 };

static int64_t min_int(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* One number that input i gives, or `absent`. */
static enum err_code one_number(const struct infer *infer, unsigned i,
				const char *name, int64_t *number,
				struct err *err)
{
	int64_t list[SHAPE_MAX_RANK];
	enum err_code rc;
	size_t n;

	if (!infer_has(infer, i))
		return ERR_NONE;
	rc = infer_ints(infer, i, list, &n, err);
	if (!rc && n != 1)
		return infer_fail(
		    err, "input '%s': expected one number, got %zu", name, n);
	if (!rc)
		*number = list[0];
	return rc;
}

static enum err_code check_length(int64_t length, const char *what,
				  struct err *err)
{
	if (length >= 1 && length <= SHAPE_MAX_EXTENT)
		return ERR_NONE;
	return infer_fail(err, "%s: expected 1 to %lld, got %lld", what,
			  (long long)SHAPE_MAX_EXTENT, (long long)length);
}

static enum err_code check_parts(const struct shape *x, const char *name,
				 struct err *err)
{
	char text[64];

	if (x->rank >= 2 &&
	    (x->dim[x->rank - 1] == 1 || x->dim[x->rank - 1] == 2))
		return ERR_NONE;
	return infer_fail(err,
			  "input '%s': expected rank 2 or more and a last "
			  "extent of 1 or 2, got %s",
			  name, shape_text(x, text, sizeof(text)));
}

/* ---- DFT ----------------------------------------------------------------- */

enum err_code fourier_lines(const struct infer *infer, struct lines *ret,
			    unsigned *ret_axis, struct err *err)
{
	const struct dft_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	int64_t at = -2, length;
	enum err_code rc = check_parts(x, "input", err);

	if (!rc)
		rc = one_number(infer, 2, "axis", &at, err);
	if (!rc)
		rc = shape_axis(at, x->rank, "input 'axis'", ret_axis, err);
	if (rc)
		return rc;
	if (*ret_axis == x->rank - 1)
		return infer_fail(err,
				  "input 'axis': the last axis, %u, holds "
				  "the parts of numbers",
				  *ret_axis);
	*ret = (struct lines){
		.n = x->dim[*ret_axis],
		.inner = shape_range(x, *ret_axis + 1, x->rank - 1),
		.parts = (unsigned)x->dim[x->rank - 1],
		.is_inverse = attrs->inverse,
		.is_onesided = attrs->onesided,
	};
	ret->count = shape_range(x, 0, *ret_axis) * ret->inner;
	length = attrs->inverse && attrs->onesided ? 2 * (ret->n - 1) : ret->n;
	rc = one_number(infer, 1, "dft_length", &length, err);
	ret->length = length;
	ret->n_out =
	    attrs->onesided && !attrs->inverse ? length / 2 + 1 : length;
	ret->parts_out = attrs->onesided && attrs->inverse ? 1 : 2;
	return rc ? rc : check_length(length, "input 'dft_length'", err);
}

static enum err_code dft_infer(struct infer *infer, struct err *err)
{
	struct shape *y = &infer->out[0].shape;
	struct lines lines;
	unsigned axis;
	enum err_code rc = fourier_lines(infer, &lines, &axis, err);

	if (rc)
		return rc;
	*y = infer->in[0].shape;
	y->dim[axis] = lines.n_out;
	y->dim[y->rank - 1] = lines.parts_out;
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

static double load(const void *x, enum dtype elem, int64_t i)
{
	return elem == DTYPE_F32 ? (double)((const float *)x)[i]
				 : ((const double *)x)[i];
}

static void store(void *y, enum dtype elem, int64_t i, double value)
{
	if (elem == DTYPE_F32)
		((float *)y)[i] = (float)value;
	else
		((double *)y)[i] = value;
}

/* The numbers of line `at` (its first one's place), filled up with zeros. */
static void load_line(const struct lines *l, const void *x, enum dtype elem,
		      int64_t at, struct fft_value *to)
{
	const bool half = l->is_inverse && l->is_onesided;
	const int64_t wanted = half ? l->length / 2 + 1 : l->length;
	const int64_t n = min_int(l->n, wanted);

	for (int64_t i = 0; i < n; i++) {
		const int64_t p = (at + i * l->inner) * l->parts;

		to[i].re = load(x, elem, p);
		to[i].im = l->parts == 2 ? load(x, elem, p + 1) : 0;
	}
	for (int64_t i = n; i < l->length; i++)
		to[i] = (struct fft_value){ 0, 0 };
	if (!half)
		return;
	/* the other half is the conjugate of this one */
	to[0].im = 0;
	for (int64_t i = 1; 2 * i <= l->length; i++) {
		if (2 * i == l->length)
			to[i].im = 0;
		else
			to[l->length - i] =
			    (struct fft_value){ to[i].re, -to[i].im };
	}
}

static void store_line(const struct lines *l, const struct fft_value *from,
		       void *y, enum dtype elem, int64_t at)
{
	for (int64_t i = 0; i < l->n_out; i++) {
		const int64_t p = (at + i * l->inner) * l->parts_out;

		store(y, elem, p, from[i].re);
		if (l->parts_out == 2)
			store(y, elem, p + 1, from[i].im);
	}
}

static unsigned line_slices(const struct kernel_query *query, int64_t count,
			    int64_t length)
{
	const int64_t most = min_int(MAX_SLICES, query->want_slices);
	int64_t n = min_int(count, count * length / 4096);

	n = min_int(n, most);
	return n > 1 ? (unsigned)n : 1;
}

static enum err_code dft_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct infer infer = query_infer(query);
	struct lines lines;
	unsigned axis;
	enum err_code rc = fourier_lines(&infer, &lines, &axis, err);

	if (rc)
		return rc;
	ret->n_slices = line_slices(query, lines.count, lines.length);
	ret->scratch_bytes =
	    (size_t)fft_room(lines.length) * sizeof(struct fft_value);
	return ERR_NONE;
}

static void dft_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct infer infer = query_infer(call->query);
	const enum dtype elem = call->query->out[0].type.elem;
	struct lines lines;
	int64_t first, last;
	struct fft fft;
	unsigned axis;

	if (fourier_lines(&infer, &lines, &axis, NULL))
		return; /* infer() let it pass */
	kernel_slice(lines.count, call->n_slices, slice, &first, &last);
	if (first >= last)
		return;
	fft_init(&fft, lines.length, scratch);
	for (int64_t i = first; i < last; i++) {
		const int64_t o = i / lines.inner, j = i % lines.inner;

		load_line(&lines, call->in[0], elem,
			  o * lines.n * lines.inner + j, fft.x);
		fft_run(&fft, lines.is_inverse);
		store_line(&lines, fft.x, call->out[0], elem,
			   o * lines.n_out * lines.inner + j);
	}
}

/* ---- STFT ---------------------------------------------------------------- */

enum err_code fourier_frames(const struct infer *infer, struct frames *ret,
			     struct err *err)
{
	const struct stft_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const bool has_window = infer_has(infer, 2);
	int64_t step = 0, length;
	enum err_code rc;

	if (x->rank != 2 && (x->rank != 3 || check_parts(x, "signal", err)))
		return infer_fail(err,
				  "input 'signal': expected rank 3 and a last "
				  "extent of 1 or 2, got rank %u",
				  x->rank);
	if (has_window && infer->in[2].shape.rank != 1)
		return infer_fail(err,
				  "input 'window': expected rank 1, got %u",
				  infer->in[2].shape.rank);
	length = has_window ? infer->in[2].shape.dim[0] : x->dim[1];
	rc = one_number(infer, 1, "frame_step", &step, err);
	if (!rc)
		rc = check_length(step, "input 'frame_step'", err);
	if (!rc)
		rc = one_number(infer, 3, "frame_length", &length, err);
	if (!rc)
		rc = check_length(length, "input 'frame_length'", err);
	if (rc)
		return rc;
	if (has_window && infer->in[2].shape.dim[0] != length)
		return infer_fail(err,
				  "input 'window': expected the frame's length "
				  "%lld, got %lld",
				  (long long)length,
				  (long long)infer->in[2].shape.dim[0]);
	if (length > x->dim[1])
		return infer_fail(err,
				  "input 'signal': expected the frame's length "
				  "%lld or more, got %lld",
				  (long long)length, (long long)x->dim[1]);
	*ret = (struct frames){
		.batch = x->dim[0],
		.signal = x->dim[1],
		.step = step,
		.length = length,
		.n = (x->dim[1] - length) / step + 1,
		.n_out = attrs->onesided ? length / 2 + 1 : length,
		.parts = x->rank == 3 ? (unsigned)x->dim[2] : 1,
	};
	return ERR_NONE;
}

static enum err_code stft_infer(struct infer *infer, struct err *err)
{
	struct shape *y = &infer->out[0].shape;
	struct frames f;
	enum err_code rc = fourier_frames(infer, &f, err);

	if (rc)
		return rc;
	*y = (struct shape){ 4, { f.batch, f.n, f.n_out, 2 } };
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

static enum err_code stft_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct infer infer = query_infer(query);
	struct frames f;
	enum err_code rc = fourier_frames(&infer, &f, err);

	if (rc)
		return rc;
	ret->n_slices = line_slices(query, f.batch * f.n, f.length);
	ret->scratch_bytes =
	    (size_t)fft_room(f.length) * sizeof(struct fft_value);
	return ERR_NONE;
}

static void stft_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct infer infer = query_infer(call->query);
	const enum dtype elem = call->query->out[0].type.elem;
	const void *window = infer_has(&infer, 2) ? call->in[2] : NULL;
	int64_t first, last;
	struct frames f;
	struct fft fft;

	if (fourier_frames(&infer, &f, NULL))
		return; /* infer() let it pass */
	kernel_slice(f.batch * f.n, call->n_slices, slice, &first, &last);
	if (first >= last)
		return;
	fft_init(&fft, f.length, scratch);
	for (int64_t i = first; i < last; i++) {
		const struct lines line = {
			.n = f.length,
			.length = f.length,
			.n_out = f.n_out,
			.inner = 1,
			.parts = f.parts,
			.parts_out = 2,
		};

		load_line(&line, call->in[0], elem,
			  i / f.n * f.signal + i % f.n * f.step, fft.x);
		for (int64_t j = 0; window && j < f.length; j++) {
			const double w = load(window, elem, j);

			fft.x[j].re *= w;
			fft.x[j].im *= w;
		}
		fft_run(&fft, false);
		store_line(&line, fft.x, call->out[0], elem, i * f.n_out);
	}
}

/* about 10 ns a number of the result */
static double fourier_cost(const struct kernel_query *query)
{
	return 1 + (double)shape_count(&query->out[0].shape) / 200;
}

static bool fourier_fits(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 ||
	       query->in[0].type.elem == DTYPE_F64;
}

static const struct kernel dft_kernel = {
	.name = "dft.fft",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fourier_fits,
	.cost = fourier_cost,
	.prepare = dft_prepare,
	.run = dft_run,
};
static const struct kernel stft_kernel = {
	.name = "stft.fft",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fourier_fits,
	.cost = fourier_cost,
	.prepare = stft_prepare,
	.run = stft_run,
};
static const struct kernel *const dft_kernels[] = { &dft_kernel, NULL };
static const struct kernel *const stft_kernels[] = { &stft_kernel, NULL };

static const struct port dft_in[] = {
	{ "input", "T1:float,double,float16,bfloat16", 0 },
	{ "dft_length", "int32,int64", PORT_OPTIONAL },
	{ "axis", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port stft_in[] = {
	{ "signal", "T1:float,double,float16,bfloat16", 0 },
	{ "frame_step", "int32,int64", 0 },
	{ "window", "T1", PORT_OPTIONAL },
	{ "frame_length", "int32,int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port fourier_out[] = { { "output", "T1", 0 }, { 0 } };

static const struct op_attr dft_attrs[] = {
	{ .name = "inverse",
	  .help = "1: from the spectrum back",
	  .offset = offsetof(struct dft_attrs, inverse),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ .name = "onesided",
	  .help = "1: the spectrum of real numbers, without its second half",
	  .offset = offsetof(struct dft_attrs, onesided),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};
static const struct op_attr stft_attrs[] = {
	{ .name = "onesided",
	  .help = "1: without the second half of each spectrum",
	  .offset = offsetof(struct stft_attrs, onesided),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};

static const struct op_case dft_cases[] = {
	{ .name = "real", .graph = "y = DFT(x:float[2,12,1])" },
	{ .name = "complex", .graph = "y = DFT(x:double[15,2])" },
	{ .name = "inverse", .graph = "y = DFT<inverse=1>(x:float[3,10,2])" },
	{ .name = "onesided", .graph = "y = DFT<onesided=1>(x:float[3,9,1])" },
	{ .name = "onesided inverse",
	  .graph = "y = DFT<onesided=1,inverse=1>(x:float[3,5,2])" },
	{ .name = "odd onesided inverse",
	  .graph = "y = DFT<onesided=1,inverse=1>(x:float[3,5,2], "
		   "n:int64[]={9})" },
	{ .name = "axis", .graph = "y = DFT(x:float[4,3,2], , a:int64[]={0})" },
	{ .name = "filled up",
	  .graph = "y = DFT(x:float[5,2], n:int32[]={8})" },
	{ .name = "cut off", .graph = "y = DFT(x:float[9,2], n:int64[]={7})" },
	{ .name = "onesided, filled up, in the middle",
	  .graph = "y = DFT<onesided=1>(x:float[2,5,3,1], n:int64[]={6}, "
		   "a:int64[]={1})" },
	{ .name = "onesided inverse, cut off, in the middle",
	  .graph = "y = DFT<onesided=1,inverse=1>(x:float[2,5,3,2], "
		   "n:int64[]={6}, a:int64[]={1})" },
	{ .name = "large prime", .graph = "y = DFT(x:float[2,37,2])" },
	{ .name = "half",
	  .graph = "y = DFT(x:float16[8,1])",
	  .tolerance = 2e-2 },
	{ .name = "no line", .graph = "y = DFT(x:float[0,8,1])" },
	{ .name = "sliced", .graph = "y = DFT(x:float[40,256,2])" },
	{ .name = "last axis",
	  .graph = "y = DFT(x:float[4,3,2], , a:int64[]={-1})",
	  .want = ERR_SHAPE },
	{ .name = "three parts",
	  .graph = "y = DFT(x:float[4,3])",
	  .want = ERR_SHAPE },
	{ .name = "no length",
	  .graph = "y = DFT(x:float[4,2], n:int64[]={0})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case stft_cases[] = {
	{ .name = "whole",
	  .graph = "y = STFT(x:float[2,16,1], s:int64[]={4})" },
	{ .name = "length",
	  .graph = "y = STFT(x:float[2,20,1], s:int64[]={4}, , "
		   "l:int64[]={6})" },
	{ .name = "window",
	  .graph = "y = STFT(x:double[1,33,1], s:int32[]={5}, w:double[8])" },
	{ .name = "both",
	  .graph = "y = STFT<onesided=0>(x:float[1,33,2], s:int64[]={5}, "
		   "w:float[8], l:int64[]={8})" },
	{ .name = "rank 2",
	  .graph = "y = STFT(x:float[2,9], s:int64[]={1}, w:float[4])" },
	{ .name = "sliced",
	  .graph =
	      "y = STFT(x:float[3,4000,1], s:int64[]={100}, w:float[400])" },
	{ .name = "short signal",
	  .graph = "y = STFT(x:float[1,7,1], s:int64[]={5}, w:float[8])",
	  .want = ERR_SHAPE },
	{ .name = "no step",
	  .graph = "y = STFT(x:float[1,9,1], s:int64[]={0}, w:float[8])",
	  .want = ERR_SHAPE },
	{ .name = "lengths differ",
	  .graph = "y = STFT(x:float[1,9,1], s:int64[]={1}, w:float[8], "
		   "l:int64[]={7})",
	  .want = ERR_SHAPE },
	{ .name = "rank 1",
	  .graph = "y = STFT(x:float[9], s:int64[]={1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_dft, op_stft;

const struct op op_dft = {
	.domain = "",
	.name = "DFT",
	.help = "The discrete Fourier transform along an axis.",
	.since = 20,
	.value_inputs = 6,
	.in = dft_in,
	.out = fourier_out,
	.attrs = dft_attrs,
	.attrs_size = sizeof(struct dft_attrs),
	.infer = dft_infer,
	.kernels = dft_kernels,
	.vjp = dft_vjp,
	.cases = dft_cases,
};

const struct op op_stft = {
	.domain = "",
	.name = "STFT",
	.help = "The discrete Fourier transform of a signal's frames.",
	.since = 17,
	.value_inputs = 10,
	.in = stft_in,
	.out = fourier_out,
	.attrs = stft_attrs,
	.attrs_size = sizeof(struct stft_attrs),
	.infer = stft_infer,
	.kernels = stft_kernels,
	.vjp = stft_vjp,
	.cases = stft_cases,
};
