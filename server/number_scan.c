/* SPDX-License-Identifier: Apache-2.0 */
#include "server/number_scan.h"

#include <inttypes.h>
#include <math.h>

#include "server/decimal.h"
#include "server/digits.h"
#include "server/float_run.h"
#include "server/json_text.h"
#include "server/whole_run.h"

/* A number is read twice when its first 19 digits do not decide it; a copy of
 * this many decides every double (at most 767 matter, and whether anything
 * follows). */
enum { DIGITS_MAX = 19, SLOW_DIGITS_MAX = 800, EXPONENT_MAX = 1000000 };

struct scan {
	const char *begin, *end;
	const struct number_target *target;
	size_t n;	 /* elements so far */
	const char *why; /* what an element is that cannot be read */
	float_run_fn *float_run;
	whole_run_fn *whole_run;
	/* of integers: the largest value and the largest magnitude below 0 */
	uint64_t limit[2];
};

/* Reads the element at `at` into place n and returns the place behind it, or
 * NULL with scan->why. Inlined into the walk: this is where the time goes. */
typedef const char *element_fn(const char *at, struct scan *scan);

/* Reads many elements and their commas, where it can; returns the place of the
 * next one. */
typedef const char *run_fn(const char *at, struct scan *scan, bool is_nested);

static const float powers_f32[] = { 1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F,
				    1e6F, 1e7F, 1e8F, 1e9F, 1e10F };

/* --- digits --- */

/* Appends the digits at `at` to *w (modulo 2^64) and returns their end. */
static ALWAYS_INLINE const char *read_digits(const char *at, const char *end,
					     uint64_t *w)
{
	while (end - at >= 8) {
		const unsigned n = digits_at(at, w);

		at += n;
		if (n < 8)
			return at;
	}
	while (at < end && (unsigned char)(*at - '0') <= 9)
		*w = *w * 10 + (uint64_t)(*at++ - '0');
	return at;
}

/* --- floats --- */

struct number {
	uint64_t w; /* its digits without the point, modulo 2^64 */
	int64_t q;  /* value = w * 10^q */
	const char *first, *end;
	size_t n_digits;
	bool is_negative;
};

static const char *read_exponent(const char *at, const char *end, int64_t *q)
{
	bool is_negative = false;
	int64_t value = 0;
	const char *first;

	at++;
	if (at < end && (*at == '-' || *at == '+'))
		is_negative = *at++ == '-';
	first = at;
	for (; at < end && (unsigned char)(*at - '0') <= 9; at++)
		if (value < EXPONENT_MAX)
			value = value * 10 + (*at - '0');
	*q += is_negative ? -value : value;
	return at == first ? NULL : at;
}

/* JSON's grammar of a number; NULL when it is none. */
static ALWAYS_INLINE const char *read_number(const char *at, const char *end,
					     struct number *ret)
{
	const char *first, *fraction;
	size_t n_whole;

	ret->is_negative = *at == '-';
	at += ret->is_negative;
	first = at;
	ret->w = 0;
	ret->q = 0;
	if (end - at >= 2 && at[1] == '.' && (unsigned char)(*at - '0') <= 9)
		ret->w = (uint64_t)(*at++ - '0');
	else
		at = read_digits(at, end, &ret->w);
	n_whole = (size_t)(at - first);
	if (n_whole == 0 || (*first == '0' && n_whole > 1))
		return NULL;
	ret->n_digits = n_whole;
	if (at < end && *at == '.') {
		fraction = at + 1;
		at = read_digits(fraction, end, &ret->w);
		if (at == fraction)
			return NULL;
		ret->q = fraction - at;
		ret->n_digits += (size_t)(at - fraction);
	}
	ret->first = first;
	ret->end = at;
	if (at < end && (*at | 0x20) == 'e')
		at = read_exponent(at, end, &ret->q);
	return at;
}

/* The digits as "ddd...e-12", at most SLOW_DIGITS_MAX of them and a 1 for all
 * that follow, through the C library. */
static double read_slowly(const struct number *number, bool as_float)
{
	char text[SLOW_DIGITS_MAX + 32];
	int64_t q = number->q;
	size_t n = 0;
	bool is_more = false;

	for (const char *at = number->first; at < number->end; at++) {
		if (*at == '.' || (n == 0 && *at == '0'))
			continue;
		if (n < SLOW_DIGITS_MAX) {
			text[n++] = *at;
			continue;
		}
		is_more = is_more || *at != '0';
		q++;
	}
	if (is_more) {
		text[n++] = '1';
		q--;
	}
	if (n == 0)
		text[n++] = '0';
	(void)snprintf(text + n, sizeof(text) - n, "e%" PRId64, q);
	return as_float ? (double)strtof(text, NULL) : strtod(text, NULL);
}

/* More than 19 digits: where their first 19 and the next number above agree,
 * that is the value. */
static __attribute__((noinline)) double
read_many_digits(const struct number *number, bool as_float)
{
	int64_t q = number->q;
	size_t n = 0;
	uint64_t w = 0;
	double low, high;

	for (const char *at = number->first; at < number->end; at++) {
		if (*at == '.' || (n == 0 && *at == '0'))
			continue;
		if (n++ < DIGITS_MAX)
			w = w * 10 + (uint64_t)(*at - '0');
		else
			q++;
	}
	if (as_float) {
		low = (double)decimal_to_float(w, q);
		high = (double)decimal_to_float(w + (n > DIGITS_MAX), q);
	} else {
		low = decimal_to_double(w, q);
		high = decimal_to_double(w + (n > DIGITS_MAX), q);
	}
	return low == high ? low : read_slowly(number, as_float);
}

/* The bare words for what JSON has no digits for. */
static const char *read_word(const char *at, struct scan *scan, double *ret)
{
	const bool is_negative = *at == '-';
	const char *word = at + is_negative;

	scan->why = "is not a number";
	if (json_text_word(word, scan->end, "Infinity")) {
		*ret = is_negative ? -HUGE_VAL : HUGE_VAL;
		return word + 8;
	}
	if (!is_negative && json_text_word(word, scan->end, "NaN")) {
		*ret = (double)NAN;
		return word + 3;
	}
	return NULL;
}

/* Up to 7 digits and 10^10 are exact floats, so that one division rounds once
 * (Clinger, "How to read floating point numbers accurately", 1990). */
static ALWAYS_INLINE bool is_exact(const struct number *number)
{
	return number->n_digits <= 7 && number->q <= 0 && number->q >= -10;
}

static ALWAYS_INLINE float exact_float(const struct number *number)
{
	return (float)(int32_t)number->w / powers_f32[-number->q];
}

static const char *out_of_range(struct scan *scan)
{
	scan->why = "is out of the range of its type";
	return NULL;
}

static const char *f32_run(const char *at, struct scan *scan, bool is_nested)
{
	return scan->float_run(at, scan->end,
			       &(struct float_run){
				   .begin = scan->begin,
				   .out = scan->target->out,
				   .n = &scan->n,
				   .count = scan->target->count,
				   .is_nested = is_nested,
			       });
}

static ALWAYS_INLINE const char *f32_element(const char *at, struct scan *scan)
{
	struct number number;
	const char *end = read_number(at, scan->end, &number);
	uint32_t *out = (uint32_t *)scan->target->out + scan->n, bits;
	float value;
	double word;

	if (__builtin_expect(!end, 0)) {
		end = read_word(at, scan, &word);
		if (end)
			((float *)scan->target->out)[scan->n] = (float)word;
		return end;
	}
	if (is_exact(&number)) {
		value = exact_float(&number);
	} else {
		value = number.n_digits <= DIGITS_MAX
			    ? decimal_to_float(number.w, number.q)
			    : (float)read_many_digits(&number, true);
		if (__builtin_expect(isinf(value), 0))
			return out_of_range(scan);
	}
	memcpy(&bits, &value, sizeof(bits));
	*out = bits | (uint32_t)number.is_negative << 31;
	return end;
}

static ALWAYS_INLINE const char *double_element(const char *at,
						struct scan *scan, double *ret)
{
	struct number number;
	const char *end = read_number(at, scan->end, &number);
	uint64_t bits;

	if (__builtin_expect(!end, 0))
		return read_word(at, scan, ret);
	*ret = number.n_digits <= DIGITS_MAX
		   ? decimal_to_double(number.w, number.q)
		   : read_many_digits(&number, false);
	if (__builtin_expect(isinf(*ret), 0))
		return out_of_range(scan);
	memcpy(&bits, ret, sizeof(bits));
	bits |= (uint64_t)number.is_negative << 63;
	memcpy(ret, &bits, sizeof(bits));
	return end;
}

static ALWAYS_INLINE const char *f64_element(const char *at, struct scan *scan)
{
	double value;

	at = double_element(at, scan, &value);
	if (at)
		((double *)scan->target->out)[scan->n] = value;
	return at;
}

/* float16 and bfloat16 */
static ALWAYS_INLINE const char *half_element(const char *at, struct scan *scan)
{
	const uint16_t infinity =
	    scan->target->dtype == DTYPE_F16 ? 0x7c00 : 0x7f80;
	uint16_t *out = (uint16_t *)scan->target->out + scan->n;
	double value;

	at = double_element(at, scan, &value);
	if (!at)
		return NULL;
	dtype_convert(DTYPE_F64, &value, scan->target->dtype, out, 1, false);
	if ((*out & 0x7fff) == infinity && !isinf(value))
		return out_of_range(scan);
	return at;
}

/* --- integers, bools, strings --- */

static uint64_t integer_limit(enum dtype dtype, bool is_negative)
{
	const unsigned bits = dtype_info(dtype)->size * 8;
	const uint64_t top = UINT64_MAX >> (64 - bits);

	if (!dtype_is_signed(dtype))
		return is_negative ? 0 : top;
	return (top >> 1) + is_negative;
}

static void store_integer(struct scan *scan, uint64_t value)
{
	const size_t size = dtype_info(scan->target->dtype)->size;

	/* the low bytes: this machine is little-endian, as v2 is */
	memcpy((char *)scan->target->out + scan->n * size, &value, size);
}

static const char *integer_run(const char *at, struct scan *scan,
			       bool is_nested)
{
	return scan->whole_run(
	    at, scan->end,
	    &(struct whole_run){
		.begin = scan->begin,
		.out = scan->target->out,
		.size = dtype_info(scan->target->dtype)->size,
		.limit = { scan->limit[0], scan->limit[1] },
		.n = &scan->n,
		.count = scan->target->count,
		.is_nested = is_nested,
	    });
}

static ALWAYS_INLINE const char *integer_element(const char *at,
						 struct scan *scan)
{
	const bool is_negative = *at == '-';
	const char *first = at + is_negative, *end;
	uint64_t w = 0;

	end = read_digits(first, scan->end, &w);
	scan->why = "is not an integer";
	if (end == first || (*first == '0' && end - first > 1))
		return NULL;
	if (end < scan->end && (*end == '.' || (*end | 0x20) == 'e'))
		return NULL;
	scan->why = "is out of the range of its type";
	/* 20 digits that wrapped are below 10^19; without, above */
	if (end - first > 20 ||
	    (end - first == 20 && (*first != '1' || w < 10000000000000000000u)))
		return NULL;
	if (w > scan->limit[is_negative])
		return NULL;
	store_integer(scan, is_negative ? 0 - w : w);
	return end;
}

static ALWAYS_INLINE const char *bool_element(const char *at, struct scan *scan)
{
	static const struct {
		const char *word;
		uint8_t value;
	} words[] = { { "true", 1 }, { "false", 0 }, { "1", 1 }, { "0", 0 } };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (json_text_word(at, scan->end, words[i].word)) {
			((uint8_t *)scan->target->out)[scan->n] =
			    words[i].value;
			return at + strlen(words[i].word);
		}
	scan->why = "is not true or false";
	return NULL;
}

static ALWAYS_INLINE const char *string_element(const char *at,
						struct scan *scan)
{
	const struct number_target *target = scan->target;
	struct str string;

	at = *at == '"' ? json_text_string(at, scan->end, target->arena,
					   &string, &scan->why)
			: json_text_bytes(at, scan->end, target->arena, &string,
					  &scan->why);
	if (at)
		((struct str *)target->out)[scan->n] = string;
	else if (scan->why[0] == 'a')
		scan->why += strlen("a string ");
	return at;
}

/* --- the walk over brackets and commas --- */

enum stop {
	STOP_DONE,
	STOP_ELEMENT, /* scan->why */
	STOP_MANY,
	STOP_DEEP,
	STOP_SYNTAX,
};

/* Where the walk is. */
struct place {
	const char *at, *end;
	unsigned depth;
};

/* Into the brackets that open here; then a value follows, or the end of an
 * empty array. `outside`: the depth at the last comma. */
static ALWAYS_INLINE enum stop enter(struct place *p, unsigned outside)
{
	p->at = json_text_space(p->at, p->end);
	while (p->at < p->end && *p->at == '[') {
		if (p->depth++ == NUMBER_SCAN_DEPTH)
			return STOP_DEEP;
		p->at = json_text_space(p->at + 1, p->end);
	}
	if (p->at >= p->end || (*p->at == ']' && p->depth == outside))
		return STOP_SYNTAX;
	return STOP_DONE;
}

static ALWAYS_INLINE enum stop take(struct place *p, struct scan *scan,
				    element_fn *element)
{
	const char *next;

	if (*p->at == ']')
		return STOP_DONE;
	if (__builtin_expect(scan->n == scan->target->count, 0))
		return STOP_MANY;
	next = element(p->at, scan);
	if (__builtin_expect(!next, 0))
		return STOP_ELEMENT;
	p->at = next;
	scan->n++;
	return STOP_DONE;
}

/* Out of the brackets that close here, and over the comma. */
static ALWAYS_INLINE enum stop leave(struct place *p)
{
	p->at = json_text_space(p->at, p->end);
	while (p->depth && p->at < p->end && *p->at == ']') {
		p->depth--;
		p->at = json_text_space(p->at + 1, p->end);
	}
	if (!p->depth)
		return STOP_DONE;
	if (p->at >= p->end || *p->at != ',')
		return STOP_SYNTAX;
	p->at++;
	return STOP_DONE;
}

static ALWAYS_INLINE enum stop walk(const char **ret_at, struct scan *scan,
				    run_fn *run, element_fn *element)
{
	struct place p = { .at = *ret_at, .end = scan->end };
	unsigned outside = 0;
	enum stop stop;

	do {
		stop = enter(&p, outside);
		outside = p.depth;
		if (!stop && run && p.depth) {
			const char *next = run(p.at, scan, p.depth > 1);

			if (next != p.at) {
				p.at = next;
				outside -= next[-1] == '[';
				continue;
			}
		}
		if (!stop)
			stop = take(&p, scan, element);
		if (!stop)
			stop = leave(&p);
		outside = p.depth;
	} while (p.depth && !stop);
	*ret_at = p.at;
	return stop;
}

#define WALK(name, run, element)                                         \
	static enum stop walk_##name(const char **at, struct scan *scan) \
	{                                                                \
		return walk(at, scan, run, element);                     \
	}
WALK(f32, f32_run, f32_element)
WALK(f64, NULL, f64_element)
WALK(half, NULL, half_element)
WALK(integer, integer_run, integer_element)
WALK(bool, NULL, bool_element)
WALK(string, NULL, string_element)

static enum stop walk_of(enum dtype dtype, const char **at, struct scan *scan)
{
	switch (dtype) {
	case DTYPE_F32:
		return walk_f32(at, scan);
	case DTYPE_F64:
		return walk_f64(at, scan);
	case DTYPE_F16:
	case DTYPE_BF16:
		return walk_half(at, scan);
	case DTYPE_BOOL:
		return walk_bool(at, scan);
	case DTYPE_STRING:
		return walk_string(at, scan);
	default:
		scan->limit[0] = integer_limit(dtype, false);
		scan->limit[1] = integer_limit(dtype, true);
		return walk_integer(at, scan);
	}
}

static enum err_code explain(enum stop stop, const char *at,
			     const struct scan *scan, struct err *err)
{
	const struct number_target *target = scan->target;
	const char *type = dtype_info(target->dtype)->v2_name;
	char text[64];

	json_text_excerpt(at, scan->end, text, sizeof(text));
	switch (stop) {
	case STOP_ELEMENT:
		return err_set(err, ERR_INVALID,
			       "%s: element %zu of type %s: %s %s",
			       target->name, scan->n, type, text, scan->why);
	case STOP_MANY:
		return err_set(err, ERR_SHAPE,
			       "%s: expected %zu elements, got more",
			       target->name, target->count);
	case STOP_DEEP:
		return err_set(err, ERR_INVALID,
			       "%s: arrays are nested more than %d deep",
			       target->name, NUMBER_SCAN_DEPTH);
	default:
		return err_set(err, ERR_INVALID,
			       "%s: after element %zu: expected ',' or ']', "
			       "got %s",
			       target->name, scan->n, text);
	}
}

enum err_code number_scan(const char *text, size_t len,
			  const struct number_target *target, size_t *ret_used,
			  struct err *err)
{
	struct scan scan = { .begin = text,
			     .end = text + len,
			     .target = target,
			     .float_run = float_run_find(),
			     .whole_run = whole_run_find() };
	const char *at = text;
	enum stop stop = walk_of(target->dtype, &at, &scan);

	if (stop != STOP_DONE)
		return explain(stop, at, &scan, err);
	if (scan.n != target->count)
		return err_set(err, ERR_SHAPE,
			       "%s: expected %zu elements, got %zu",
			       target->name, target->count, scan.n);
	*ret_used = (size_t)(at - text);
	return ERR_NONE;
}
