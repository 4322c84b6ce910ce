/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sampling.h"

#include <math.h>
#include <stdlib.h>

struct candidate {
	double p;
	int64_t id;
};

void sampling_init(struct sampling *sampling)
{
	*sampling = (struct sampling){
		.max_new_tokens = 200,
		.temperature = 1,
		.top_p = 1,
	};
}

/* --- reading --- */

static enum err_code take_double(struct json_pull *pull, const char *name,
				 const double range[2], double *to,
				 struct err *err)
{
	double value;
	enum err_code rc = json_pull_double(pull, &value, err);

	if (rc)
		return err_prefix(err, "\"%s\"", name);
	if (!(value >= range[0] && value <= range[1]))
		return err_set(err, ERR_INVALID,
			       "\"%s\": expected a number from %g to %g, got "
			       "%g",
			       name, range[0], range[1], value);
	*to = value;
	return ERR_NONE;
}

static enum err_code take_uint(struct json_pull *pull, const char *name,
			       uint64_t most, uint64_t *to, struct err *err)
{
	uint64_t value;
	enum err_code rc = json_pull_uint(pull, &value, err);

	if (rc)
		return err_prefix(err, "\"%s\"", name);
	if (value > most)
		return err_set(
		    err, ERR_INVALID, "\"%s\": expected at most %llu, got %llu",
		    name, (unsigned long long)most, (unsigned long long)value);
	*to = value;
	return ERR_NONE;
}

enum err_code sampling_take(struct sampling *sampling, struct str key,
			    struct json_pull *pull, bool *ret_taken,
			    struct err *err)
{
	static const double heat[] = { 0, 100 }, share[] = { 0, 1 };
	struct sampling *s = sampling;

	*ret_taken = true;
	if (json_pull_is(key, "max_new_tokens") ||
	    json_pull_is(key, "max_tokens"))
		return take_uint(pull, "max_new_tokens", SAMPLING_TOKENS_MAX,
				 &s->max_new_tokens, err);
	if (json_pull_is(key, "top_k"))
		return take_uint(pull, "top_k", UINT32_MAX, &s->top_k, err);
	if (json_pull_is(key, "temperature"))
		return take_double(pull, "temperature", heat, &s->temperature,
				   err);
	if (json_pull_is(key, "top_p"))
		return take_double(pull, "top_p", share, &s->top_p, err);
	if (json_pull_is(key, "min_p"))
		return take_double(pull, "min_p", share, &s->min_p, err);
	if (json_pull_is(key, "stop"))
		return json_pull_string(pull, &s->stop, err);
	if (json_pull_is(key, "seed")) {
		s->has_seed = true;
		return take_uint(pull, "seed", UINT64_MAX, &s->seed, err);
	}
	*ret_taken = false;
	return ERR_NONE;
}

enum err_code sampling_read(struct sampling *sampling, struct json_pull *pull,
			    struct err *err)
{
	struct str key;
	bool is_taken;
	enum err_code rc = json_pull_object(pull, err);

	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		rc = sampling_take(sampling, key, pull, &is_taken, err);
		if (!rc && !is_taken)
			rc = json_pull_value(pull, NULL, err);
	}
	return rc;
}

/* --- drawing --- */

static int by_probability(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->p != y->p)
		return x->p > y->p ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int64_t likeliest(const float *logits, int64_t first, int64_t n)
{
	int64_t best = first;

	for (int64_t i = first + 1; i < n; i++)
		best = logits[i] > logits[best] ? i : best;
	return best;
}

/* How many of n, which stand by falling probability, stay. */
static int64_t keep(const struct sampling *s, const struct candidate *c,
		    int64_t n)
{
	double sum = 0;
	int64_t k = 0;

	for (; k < n; k++) {
		if (k > 0 && ((s->top_k && (uint64_t)k >= s->top_k) ||
			      sum >= s->top_p || c[k].p < s->min_p * c[0].p))
			break;
		sum += c[k].p;
	}
	return k;
}

int64_t sampling_draw(const struct sampling *sampling, const float *logits,
		      int64_t first, int64_t n, double u, struct arena *arena)
{
	const int64_t best = likeliest(logits, first, n);
	const bool cuts =
	    sampling->top_k || sampling->top_p < 1 || sampling->min_p > 0;
	struct candidate *c;
	double sum = 0;
	int64_t m = n - first;

	if (!(sampling->temperature > 0))
		return best;
	c = arena_array(arena, (size_t)m, sizeof(*c));
	if (!c)
		return -1;
	for (int64_t i = 0; i < m; i++) {
		c[i].id = first + i;
		c[i].p =
		    exp(((double)logits[first + i] - (double)logits[best]) /
			sampling->temperature);
		sum += c[i].p;
	}
	for (int64_t i = 0; i < m; i++)
		c[i].p /= sum;
	if (cuts) {
		qsort(c, (size_t)m, sizeof(*c), by_probability);
		m = keep(sampling, c, m);
	}
	sum = 0;
	for (int64_t i = 0; i < m; i++)
		sum += c[i].p;
	u *= sum;
	for (int64_t i = 0; i < m; i++) {
		u -= c[i].p;
		if (u < 0)
			return c[i].id;
	}
	return best; /* rounding, or logits that are NaN */
}
