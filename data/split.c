/* SPDX-License-Identifier: Apache-2.0 */
#include "data/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "base/str.h"

/* of a date: year to microsecond */
enum {
	STREAM_SPLIT = 0x5917,
	DATE_DIGITS = 19,
	YEAR_DIGITS = 4,
	TEXT_MAX = 64
};

void split_fixed(int64_t n, int64_t n_train, struct split_parts *ret)
{
	for (int64_t i = 0; i < n; i++)
		ret->row[i] = i;
	ret->first[PART_TRAIN] = 0;
	ret->n[PART_TRAIN] = n_train;
	ret->first[PART_VALID] = n_train;
	ret->n[PART_VALID] = n - n_train;
	ret->first[PART_TEST] = n;
	ret->n[PART_TEST] = 0;
}

/* The rows that stand in ret->row, cut where shares say so. */
static void cut(int64_t n, const struct field_doubles *shares,
		struct split_parts *ret)
{
	int64_t first = 0;
	double sum = 0;

	for (size_t part = 0; part < PART_COUNT; part++) {
		int64_t end;

		sum += part < shares->n ? shares->v[part] : 0;
		end = part + 1 >= shares->n ? n : llround(sum * (double)n);
		if (part == PART_TRAIN && end == 0)
			end = 1;
		ret->first[part] = first;
		ret->n[part] = end - first;
		first = end;
	}
}

void split_in_order(int64_t n, const struct field_doubles *shares,
		    struct split_parts *ret)
{
	for (int64_t i = 0; i < n; i++)
		ret->row[i] = i;
	cut(n, shares, ret);
}

void split_random(int64_t n, const struct field_doubles *shares, uint64_t seed,
		  struct split_parts *ret)
{
	rng_permutation((struct rng){ .seed = seed, .stream = STREAM_SPLIT },
			(size_t)n, ret->row);
	cut(n, shares, ret);
}

static int compare(const void *a, const void *b)
{
	const struct split_key *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* The part that is furthest behind its share of so many rows. */
static uint64_t neediest(const struct field_doubles *shares, const int64_t *has,
			 int64_t n)
{
	double most = -(double)INFINITY;
	uint64_t best = 0;

	for (size_t p = 0; p < shares->n; p++) {
		const double behind = shares->v[p] * (double)n - (double)has[p];

		if (behind > most + 1e-9) {
			most = behind;
			best = p;
		}
	}
	return best;
}

/* The part in whose stretch of 0..1 the key is, once it is spread over it. */
static uint64_t part_of_hash(const struct field_doubles *shares, uint64_t key)
{
	const double at = (double)(key >> 11) * 0x1p-53;
	double sum = 0;

	for (size_t p = 0; p + 1 < shares->n; p++) {
		sum += shares->v[p];
		if (at < sum)
			return p;
	}
	return shares->n - 1;
}

/* Keys become parts. */
static void choose(enum split_type type, int64_t n,
		   const struct field_doubles *shares, struct split_key *key,
		   const struct split_parts *parts)
{
	int64_t has[PART_COUNT] = { 0 };

	for (int64_t i = 0; i < n; i++) {
		if (type == SPLIT_HASH) {
			key[i].key = part_of_hash(shares, key[i].key);
		} else if (type == SPLIT_STRATIFY) {
			key[i].key = neediest(shares, has, i + 1);
			has[key[i].key]++;
		} else {
			key[i].key = i < parts->first[PART_VALID]  ? PART_TRAIN
				     : i < parts->first[PART_TEST] ? PART_VALID
								   : PART_TEST;
		}
	}
}

void split_by_key(enum split_type type, int64_t n,
		  const struct field_doubles *shares, struct split_key *key,
		  struct split_parts *parts)
{
	qsort(key, (size_t)n, sizeof(*key), compare);
	choose(type, n, shares, key, parts);
	qsort(key, (size_t)n, sizeof(*key), compare);
	memset(parts->n, 0, sizeof(parts->n));
	for (int64_t i = 0; i < n; i++) {
		parts->n[key[i].key]++;
		key[i].place = parts->row[key[i].place];
	}
	for (int64_t i = 0; i < n; i++)
		parts->row[i] = key[i].place;
	parts->first[PART_TRAIN] = 0;
	for (int p = 1; p < PART_COUNT; p++)
		parts->first[p] = parts->first[p - 1] + parts->n[p - 1];
}

/* Spread by the finish of splitmix64. */
static uint64_t hash_bytes(const void *bytes, size_t n)
{
	uint64_t h = hash_mix(HASH_BEGIN, bytes, n);

	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
	h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
	return h ^ (h >> 31);
}

uint64_t split_hash(const struct raw_value *value)
{
	if (value->kind == RAW_MISSING)
		return 0;
	if (value->kind == RAW_NUMBER)
		return hash_bytes(&value->number, sizeof(value->number));
	if (value->kind == RAW_TENSOR)
		return hash_bytes(
		    value->tensor.data,
		    tensor_bytes(value->tensor.dtype, &value->tensor.shape));
	return hash_bytes(value->bytes, value->len);
}

/* An order of bits that is that of numbers. */
static uint64_t rank_number(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* The digits in a row, as many as there may be of them: so dates of one form
 * with its parts from the year on. */
static bool rank_date(const char *text, uint64_t *ret_key)
{
	uint64_t key = 0;
	int n = 0;

	for (size_t i = 0; text[i] && n < DATE_DIGITS; i++) {
		const bool is_digit = text[i] >= '0' && text[i] <= '9';

		if (!is_digit && i < YEAR_DIGITS)
			return false;
		if (!is_digit)
			continue;
		key = key * 10 + (uint64_t)(text[i] - '0');
		n++;
	}
	if (n < YEAR_DIGITS)
		return false;
	for (; n < DATE_DIGITS; n++)
		key *= 10;
	*ret_key = key;
	return true;
}

bool split_rank(const struct raw_value *value, uint64_t *ret_key)
{
	char text[TEXT_MAX];
	double x;

	if (value->kind == RAW_NUMBER) {
		*ret_key = rank_number(value->number);
		return true;
	}
	if (value->kind != RAW_TEXT || value->len >= sizeof(text))
		return false;
	memcpy(text, value->bytes, value->len);
	text[value->len] = '\0';
	if (str_parse_double(text, &x)) {
		*ret_key = rank_number(x);
		return !isnan(x);
	}
	return rank_date(text, ret_key);
}
