/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Cast and CastLike: elements to another type, by ONNX's rules.
 *
 * Strings are read as numbers in plain or scientific notation, "INF", "NaN"
 * and their like included; one that is no number is a bad value. Numbers
 * become the shortest text that reads back to the same number.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/convert_loops.h"
#include "engine/ops/elementwise.h"

enum { CAST_TEXT_MAX = 32, CAST_PARSE_MAX = 128 };

/* Both rows begin alike: the kernels read no more than this. */
struct cast_like_attrs {
	int64_t saturate;
	const char *round_mode;
};
struct cast_attrs {
	struct cast_like_attrs like;
	int64_t to;
};

/* clang-format off */
#define SATURATE_ROWS                                                          \
	{ .name = "saturate", .kind = ATTR_INT, .max = 1, .def = 1,            \
	  .help = "1: what is too large for a float8 becomes its largest",     \
	  .offset = offsetof(struct cast_like_attrs, saturate) },              \
	{ .name = "round_mode", .kind = ATTR_STRING, .def_text = "up",         \
	  .help = "of float8e8m0 only: up, down or nearest",                   \
	  .offset = offsetof(struct cast_like_attrs, round_mode) }
/* clang-format on */

static const struct op_attr cast_attr_rows[] = {
	{ .name = "to",
	  .help = "element type of the result, an ONNX number",
	  .offset = offsetof(struct cast_attrs, to),
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = DTYPE_COUNT - 1 },
	SATURATE_ROWS,
	{ 0 },
};
static const struct op_attr cast_like_attr_rows[] = {
	SATURATE_ROWS,
	{ 0 },
};

static bool is_complex(enum dtype dtype)
{
	return dtype == DTYPE_C64 || dtype == DTYPE_C128;
}

enum { ROUND_UNKNOWN = -1 };

static int round_of(const struct cast_like_attrs *attrs)
{
	if (strcmp(attrs->round_mode, "up") == 0)
		return DTYPE_ROUND_UP;
	if (strcmp(attrs->round_mode, "down") == 0)
		return DTYPE_ROUND_DOWN;
	return strcmp(attrs->round_mode, "nearest") == 0 ? DTYPE_ROUND_NEAREST
							 : ROUND_UNKNOWN;
}

static enum err_code infer_cast(struct infer *infer, struct err *err)
{
	const struct cast_like_attrs *attrs = infer->attrs;
	const enum dtype from = infer->in[0].type.elem;
	const enum dtype to = infer->out[0].type.elem;

	if ((is_complex(from) || is_complex(to)) && from != to)
		return err_set(err, ERR_UNSUPPORTED,
			       "input 'input': %s cannot become %s, only real "
			       "numbers and strings are cast",
			       dtype_info(from)->name, dtype_info(to)->name);
	if (round_of(attrs) == ROUND_UNKNOWN)
		return err_set(err, ERR_INVALID,
			       "attribute 'round_mode': expected \"up\", "
			       "\"down\" or \"nearest\", got \"%s\"",
			       attrs->round_mode);
	return infer_same(infer, err);
}

/* True and the number in *ret_value, when the text is nothing else. */
static bool parse_number(const struct str *text, enum dtype to, void *ret_value)
{
	char copy[CAST_PARSE_MAX], *end = NULL;
	size_t len = text->len;
	const char *from = text->bytes;
	int64_t whole;
	double real;

	for (; len > 0 && isspace((unsigned char)*from); len--)
		from++;
	for (; len > 0 && isspace((unsigned char)from[len - 1]); len--)
		;
	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, from, len);
	copy[len] = '\0';
	whole = strtoll(copy, &end, 10);
	if (*end == '\0' && whole > INT64_MIN && whole < INT64_MAX &&
	    !dtype_is_float(to)) {
		dtype_convert(DTYPE_I64, &whole, to, ret_value, 1, true);
		return true;
	}
	real = strtod(copy, &end);
	if (*end != '\0' && to == DTYPE_BOOL) {
		real = strcmp(copy, "True") == 0;
		end =
		    real != 0 || strcmp(copy, "False") == 0 ? copy + len : copy;
	}
	dtype_convert(DTYPE_F64, &real, to, ret_value, 1, true);
	return *end == '\0';
}

static void from_strings(const struct kernel_call *call, int64_t first,
			 int64_t last)
{
	const enum dtype to = call->query->out[0].type.elem;
	const size_t size = dtype_info(to)->size;
	const struct str *text = call->in[0];

	for (int64_t i = first; i < last; i++) {
		char *out = (char *)call->out[0] + (size_t)i * size;

		if (!parse_number(&text[i], to, out)) {
			memset(out, 0, size);
			kernel_fault(call, i);
		}
	}
}

/* The fewest digits that read back to the same number of that many bits. */
static int print_real(double value, bool is_double, char *text)
{
	int digits = 0, len;

	if (isnan(value))
		return snprintf(text, CAST_TEXT_MAX, "NaN");
	if (isinf(value))
		return snprintf(text, CAST_TEXT_MAX, "%sINF",
				value < 0 ? "-" : "");
	do {
		digits++;
		len = snprintf(text, CAST_TEXT_MAX, "%.*g", digits, value);
	} while (digits < 17 &&
		 (is_double ? strtod(text, NULL) != value
			    : strtof(text, NULL) != (float)value));
	return len;
}

static int print_number(enum dtype from, const void *element, char *text)
{
	uint64_t positive = 0;
	int64_t whole = 0;
	double real = 0;

	if (from == DTYPE_BOOL)
		return snprintf(text, CAST_TEXT_MAX, "%s",
				*(const bool *)element ? "True" : "False");
	if (from == DTYPE_U64) {
		memcpy(&positive, element, sizeof(positive));
		return snprintf(text, CAST_TEXT_MAX, "%llu",
				(unsigned long long)positive);
	}
	if (dtype_is_float(from)) {
		dtype_convert(from, element, DTYPE_F64, &real, 1, true);
		return print_real(real, from == DTYPE_F64, text);
	}
	dtype_convert(from, element, DTYPE_I64, &whole, 1, true);
	return snprintf(text, CAST_TEXT_MAX, "%lld", (long long)whole);
}

static void to_strings(const struct kernel_call *call, int64_t first,
		       int64_t last)
{
	const enum dtype from = call->query->in[0].type.elem;
	const size_t size = dtype_info(from)->size;
	struct str *out = call->out[0];

	for (int64_t i = first; i < last; i++) {
		char *text = (char *)call->bound + (size_t)i * CAST_TEXT_MAX;
		const void *in = (const char *)call->in[0] + (size_t)i * size;

		out[i].len = (size_t)print_number(from, in, text);
		out[i].bytes = text;
	}
}

/* The one type whose rounding is a choice. */
static void to_e8m0(const struct kernel_call *call, int64_t first, int64_t last)
{
	const struct cast_like_attrs *attrs = call->query->attrs;
	const enum dtype from = call->query->in[0].type.elem;
	const size_t size = dtype_info(from)->size;
	uint8_t *out = call->out[0];

	for (int64_t i = first; i < last; i++) {
		float value;

		dtype_convert(from,
			      (const char *)call->in[0] + (size_t)i * size,
			      DTYPE_F32, &value, 1, true);
		out[i] =
		    dtype_f32_to_e8m0(value, (enum dtype_round)round_of(attrs),
				      attrs->saturate != 0);
	}
}

/* Floats become integers of 4 and 2 bits by way of int32, whose low bits stay:
 * so do the backend tests of ONNX, which leaves it open. */
static void to_few_bits(const struct kernel_call *call, int64_t first,
			int64_t last)
{
	const enum dtype from = call->query->in[0].type.elem;
	const enum dtype to = call->query->out[0].type.elem;
	const size_t size = dtype_info(from)->size;
	char *out = call->out[0];

	for (int64_t i = first; i < last; i++) {
		int32_t whole;

		dtype_convert(from,
			      (const char *)call->in[0] + (size_t)i * size,
			      DTYPE_I32, &whole, 1, true);
		dtype_convert(DTYPE_I32, &whole, to, out + i, 1, true);
	}
}

static void between_numbers(const struct kernel_call *call, int64_t first,
			    int64_t last)
{
	const struct cast_like_attrs *attrs = call->query->attrs;
	const enum dtype from = call->query->in[0].type.elem;
	const enum dtype to = call->query->out[0].type.elem;
	const size_t in_size = dtype_info(from)->size;
	const size_t out_size = dtype_info(to)->size;
	const char *in = (const char *)call->in[0] + (size_t)first * in_size;
	char *out = (char *)call->out[0] + (size_t)first * out_size;
	const size_t n = (size_t)(last - first);

	convert_run *run = convert_find(convert_loops(), from, to);

	if (from == to)
		memcpy(out, in, n * in_size);
	else if (run)
		run(in, last - first, out);
	else
		dtype_convert(from, in, to, out, n, attrs->saturate != 0);
}

static void numbers(const struct kernel_call *call, int64_t first, int64_t last)
{
	const enum dtype from = call->query->in[0].type.elem;
	const enum dtype to = call->query->out[0].type.elem;

	if (to == DTYPE_F8E8M0 && from != to)
		to_e8m0(call, first, last);
	else if (dtype_is_float(from) && dtype_is_integer(to) &&
		 dtype_info(to)->file_bits < 8)
		to_few_bits(call, first, last);
	else
		between_numbers(call, first, last);
}

static void cast_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const bool from_text = call->query->in[0].type.elem == DTYPE_STRING;
	const bool to_text = call->query->out[0].type.elem == DTYPE_STRING;
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&call->query->out[0].shape), call->n_slices,
		     slice, &first, &last);
	if (first == last)
		return;
	if (!from_text && !to_text)
		numbers(call, first, last);
	else if (from_text && to_text)
		between_numbers(call, first, last);
	else if (from_text)
		from_strings(call, first, last);
	else
		to_strings(call, first, last);
}

static bool makes_text(const struct kernel_query *query)
{
	return query->out[0].type.elem == DTYPE_STRING &&
	       query->in[0].type.elem != DTYPE_STRING;
}

static bool makes_no_text(const struct kernel_query *query)
{
	return !makes_text(query);
}

/* The texts live as long as the call is bound. */
static enum err_code bind_text(struct kernel_call *call, struct err *err)
{
	const int64_t n = shape_count(&call->query->out[0].shape);

	call->bound = mem_array((size_t)n + 1, CAST_TEXT_MAX);
	if (!call->bound)
		return err_set(err, ERR_NO_MEMORY,
			       "Cast: no memory for %lld texts", (long long)n);
	return ERR_NONE;
}

static double cast_cost(const struct kernel_query *query)
{
	const double n = (double)shape_count(&query->out[0].shape);
	const bool text = query->out[0].type.elem == DTYPE_STRING ||
			  query->in[0].type.elem == DTYPE_STRING;

	return 0.05 + n * (text ? 0.2 : 1e-3);
}

static const struct kernel text_kernel = {
	.name = "cast.text",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = makes_text,
	.cost = cast_cost,
	.prepare = elementwise_prepare,
	.bind = bind_text,
	.run = cast_run,
	.unbind = mem_free,
};
static const struct kernel number_kernel = {
	.name = "cast.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = makes_no_text,
	.cost = cast_cost,
	.prepare = elementwise_prepare,
	.run = cast_run,
};
static const struct kernel *const cast_kernels[] = { &text_kernel,
						     &number_kernel, NULL };

static const struct op_case cast_cases[] = {
	{ .name = "float to double", .graph = "y = Cast<to=11>(x:float[3,5])" },
	{ .name = "float to float16 and back",
	  .graph = "y = Cast<to=1>(Cast<to=10>(x:float[3,5]))",
	  .tolerance = 2e-3 },
	{ .name = "float to int32",
	  .graph = "y = Cast<to=6>(x:float[5]={-1.9,-0.5,0,0.5,3e10})" },
	{ .name = "int64 to float", .graph = "y = Cast<to=1>(x:int64[3,2])" },
	{ .name = "float to bool",
	  .graph = "y = Cast<to=9>(x:float[3]={0,-0.5,7})" },
	{ .name = "bool to float", .graph = "y = Cast<to=1>(x:bool[9])" },
	{ .name = "int32 to uint8",
	  .graph = "y = Cast<to=2>(x:int32[3]={0,255,7})" },
	{ .name = "to the same type", .graph = "y = Cast<to=1>(x:float[9])" },
	{ .name = "by way of text",
	  .graph = "y = Cast<to=1>(Cast<to=8>(x:float[2,3]))" },
	{ .name = "integers by way of text",
	  .graph = "y = Cast<to=7>(Cast<to=8>(x:int64[2,3]))" },
	{ .name = "nothing", .graph = "y = Cast<to=8>(x:float[0,3])" },
	{ .name = "scalar", .graph = "y = Cast<to=7>(x:float[])" },
	{ .name = "to powers of two",
	  .graph = "y = Cast<to=24, round_mode=\"down\">"
		   "(x:float[4]={1,3,0.7,1e30})" },
	{ .name = "an unknown rounding",
	  .graph = "y = Cast<to=24, round_mode=\"away\">(x:float[4])",
	  .want = ERR_INVALID },
	{ .name = "complex",
	  .graph = "y = Cast<to=14>(x:float[2])",
	  .want = ERR_UNSUPPORTED },
	{ 0 },
};

static const struct op_case cast_like_cases[] = {
	{ .name = "to int64",
	  .graph = "y = CastLike(x:float[3,5], t:int64[1])" },
	{ .name = "to double",
	  .graph = "y = CastLike(x:float[3,5], t:double[])" },
	{ 0 },
};

extern const struct op op_cast, op_cast_like;

const struct op op_cast = {
	.domain = "",
	.name = "Cast",
	.help = "the same numbers in another element type",
	.since = 9,
	.flags = OP_ANY_TYPE,
	.in = (const struct port[]){ { "input", "T1:any", 0 }, { 0 } },
	.out = (const struct port[]){ { "output", "@to", 0 }, { 0 } },
	.attrs = cast_attr_rows,
	.attrs_size = sizeof(struct cast_attrs),
	.infer = infer_cast,
	.kernels = cast_kernels,
	.grad = "dinput = CastLike(doutput, input)",
	.cases = cast_cases,
};

const struct op op_cast_like = {
	.domain = "",
	.name = "CastLike",
	.help = "the same numbers in the element type of another tensor",
	.since = 15,
	.flags = OP_ANY_TYPE,
	.in = (const struct port[]){ { "input", "T1:any", 0 },
				     { "target_type", "T2:any", 0 },
				     { 0 } },
	.out = (const struct port[]){ { "output", "T2", 0 }, { 0 } },
	.attrs = cast_like_attr_rows,
	.attrs_size = sizeof(struct cast_like_attrs),
	.infer = infer_cast,
	.kernels = cast_kernels,
	.grad = "dinput = CastLike(doutput, input)",
	.cases = cast_like_cases,
};
