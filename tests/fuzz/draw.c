/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/draw.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"

enum { LIST_MAX = 10, OVER_MAX = 4 };

#define N_OF(list) (unsigned)(sizeof(list) / sizeof((list)[0]))

uint8_t draw_byte(struct draw *draw)
{
	return draw->at < draw->end ? *draw->at++ : 0;
}

unsigned draw_below(struct draw *draw, unsigned n)
{
	unsigned word = draw_byte(draw);

	if (n > 256)
		word |= (unsigned)draw_byte(draw) << 8;
	return word % n;
}

bool draw_chance(struct draw *draw, unsigned n)
{
	return draw_byte(draw) % n == 1;
}

int64_t draw_extent(struct draw *draw)
{
	static const int64_t extents[] = {
		1,  0,	2,  3,	4,  5,	 6,    7,     8,       9,
		13, 16, 17, 32, 33, 100, 1000, 65537, 1 << 24, INT32_MAX
	};

	return extents[draw_below(draw, N_OF(extents))];
}

int64_t draw_int(struct draw *draw)
{
	static const int64_t ints[] = { 0,
					1,
					-1,
					2,
					-2,
					3,
					-3,
					4,
					5,
					6,
					7,
					8,
					-8,
					9,
					10,
					15,
					16,
					17,
					31,
					32,
					64,
					100,
					1000,
					-1000,
					65536,
					1 << 24,
					INT32_MAX,
					INT32_MIN,
					1LL << 32,
					(1LL << 40) + 1,
					INT64_MAX,
					INT64_MIN,
					INT64_MIN + 1,
					INT64_MAX / 2 };

	return ints[draw_below(draw, N_OF(ints))];
}

double draw_float(struct draw *draw)
{
	static const double floats[] = {
		0,    1,    -1,	    0.5,	 -0.5,
		2,    3,    1e-3,   -0.0,	 0.999,
		1.5,  10,   -7,	    100,	 1e6,
		1e30, -1e9, 1e-30,  (double)NAN, (double)INFINITY,
		1e19, 1e38, -1e300, 1e-300,	 -(double)INFINITY
	};

	return floats[draw_below(draw, N_OF(floats))];
}

enum dtype draw_dtype(struct draw *draw)
{
	return (enum dtype)(1 + draw_below(draw, DTYPE_COUNT - 1));
}

/* ---- elements ------------------------------------------------------------ */

static void put_text(struct str *to, unsigned i)
{
	static const char *const words[] = { "",	 "a",	"b",
					     "word",	 "3.5", "a b, c",
					     "\xc3\xa4x" };

	to->bytes = words[i % N_OF(words)];
	to->len = strlen(to->bytes);
}

static void put_number(enum dtype dtype, void *data, int64_t i, double value)
{
	const size_t size = dtype_info(dtype)->size;
	char *to = (char *)data + (size_t)i * size;

	if (dtype == DTYPE_C64 || dtype == DTYPE_C128)
		memset(to, value > 0 ? 0x3f : 0, size);
	else
		dtype_convert(DTYPE_F64, &value, dtype, to, 1, true);
}

void draw_over(struct draw *draw, enum dtype dtype, void *data, int64_t n)
{
	const unsigned times = n > 0 ? 1 + draw_below(draw, OVER_MAX) : 0;

	for (unsigned t = 0; t < times; t++) {
		const int64_t i =
		    draw_below(draw, n < 65536 ? (unsigned)n : 65536);
		const int64_t integer = draw_int(draw);
		char *to = (char *)data + (size_t)i * dtype_info(dtype)->size;

		if (dtype == DTYPE_STRING)
			put_text((struct str *)(void *)to, draw_byte(draw));
		else if (dtype == DTYPE_I64)
			memcpy(to, &integer, sizeof(integer));
		else if (dtype_is_float(dtype))
			put_number(dtype, data, i, draw_float(draw));
		else
			put_number(dtype, data, i, (double)integer);
	}
}

void draw_elements(struct draw *draw, enum dtype dtype, void *data, int64_t n)
{
	const struct rng rng = { .seed = draw_byte(draw) };
	const bool is_wild = draw_chance(draw, 8);

	for (int64_t i = 0; i < n; i++) {
		const uint64_t e = (uint64_t)i;

		if (dtype == DTYPE_STRING)
			put_text((struct str *)data + i, rng_u32(rng, e));
		else if (dtype_is_float(dtype))
			put_number(dtype, data, i, (double)rng_normal(rng, e));
		else
			put_number(dtype, data, i, rng_u32(rng, e) % 4);
	}
	if (is_wild)
		draw_over(draw, dtype, data, n);
}

/* ---- attributes ---------------------------------------------------------- */

static struct str draw_text(struct draw *draw, const struct draw_words *words)
{
	const char *word =
	    words->n ? words->word[draw_below(draw, words->n)] : "";

	return (struct str){ word, strlen(word) };
}

static bool draw_tensor(struct draw *draw, struct arena *arena,
			struct attr_value *ret)
{
	struct tensor_view *view = arena_alloc(arena, sizeof(*view));

	if (!view)
		return false;
	view->dtype = draw_dtype(draw);
	view->shape.rank = draw_below(draw, 3);
	for (unsigned d = 0; d < view->shape.rank; d++)
		view->shape.dim[d] = draw_below(draw, 5);
	view->data =
	    arena_aligned(arena, tensor_bytes(view->dtype, &view->shape) + 1);
	if (!view->data)
		return false;
	draw_elements(draw, view->dtype, view->data, shape_count(&view->shape));
	ret->t = view;
	return true;
}

/* A list of n members in place of one of n_old, whose members stay. */
static bool draw_list(struct draw *draw, const struct draw_words *words,
		      struct arena *arena, size_t n, struct attr_value *value)
{
	int64_t *ints = arena_array(arena, n + 1, sizeof(*ints));
	float *floats = arena_array(arena, n + 1, sizeof(*floats));
	struct str *strings = arena_array(arena, n + 1, sizeof(*strings));

	if (!ints || !floats || !strings)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (value->kind == ATTR_INTS)
			ints[i] = i < value->ints.n ? value->ints.v[i]
						    : draw_int(draw);
		else if (value->kind == ATTR_FLOATS)
			floats[i] = i < value->floats.n
					? value->floats.v[i]
					: (float)draw_float(draw);
		else
			strings[i] = i < value->strings.n
					 ? value->strings.v[i]
					 : draw_text(draw, words);
	}
	value->ints = (struct attr_ints){ n, ints };
	value->floats = (struct attr_floats){ n, floats };
	value->strings = (struct attr_strings){ n, strings };
	return true;
}

bool draw_attr(struct draw *draw, enum attr_kind kind,
	       const struct draw_words *words, struct arena *arena,
	       struct attr_value *ret)
{
	*ret = (struct attr_value){ .kind = kind };
	switch (kind) {
	case ATTR_INT:
		ret->i = draw_int(draw);
		return true;
	case ATTR_FLOAT:
		ret->f = draw_float(draw);
		return true;
	case ATTR_STRING:
		ret->s = draw_text(draw, words);
		return true;
	case ATTR_TENSOR:
		return draw_tensor(draw, arena, ret);
	case ATTR_INTS:
	case ATTR_FLOATS:
	case ATTR_STRINGS:
		return draw_list(draw, words, arena,
				 draw_below(draw, LIST_MAX + 1), ret);
	}
	return false;
}

static size_t list_length(const struct attr_value *value)
{
	switch (value->kind) {
	case ATTR_INTS:
		return value->ints.n;
	case ATTR_FLOATS:
		return value->floats.n;
	case ATTR_STRINGS:
		return value->strings.n;
	default:
		return 0;
	}
}

/* Members stay but for one. */
static bool draw_member(struct draw *draw, const struct draw_words *words,
			struct arena *arena, size_t n, struct attr_value *value)
{
	const size_t at = draw_below(draw, n < 65536 ? (unsigned)n : 65536);

	if (!draw_list(draw, words, arena, n, value))
		return false;
	if (value->kind == ATTR_INTS)
		((int64_t *)(uintptr_t)value->ints.v)[at] = draw_int(draw);
	else if (value->kind == ATTR_FLOATS)
		((float *)(uintptr_t)value->floats.v)[at] =
		    (float)draw_float(draw);
	else
		((struct str *)(uintptr_t)value->strings.v)[at] =
		    draw_text(draw, words);
	return true;
}

bool draw_attr_over(struct draw *draw, const struct draw_words *words,
		    struct arena *arena, struct attr_value *value)
{
	const size_t n = list_length(value);
	const unsigned how = draw_below(draw, 8);

	if (how == 7)
		return draw_attr(draw, (enum attr_kind)draw_below(draw, 7),
				 words, arena, value);
	if (!n || how == 6)
		return draw_attr(draw, value->kind, words, arena, value);
	if (how == 5)
		return draw_list(draw, words, arena, n - 1, value);
	if (how == 4)
		return draw_list(draw, words, arena, n + 1, value);
	return draw_member(draw, words, arena, n, value);
}
