/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sampling.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/batch.h"

/* and the class's number */
enum { STREAM_SAMPLING = 0x5a000000 };

struct sampling {
	enum sampling_type type;
	uint64_t seed;
	int64_t *row;	/* of the training part, class after class */
	int64_t *first; /* of each class that has rows, and the end */
	int64_t n_classes, n;
	int64_t *place, *drawn; /* of one class, of an epoch */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "data.sampling: out of memory");
}

static enum err_code read_classes(const struct dataset *dataset,
				  const struct pipeline *pipeline,
				  int64_t width, int64_t *ret_class,
				  struct err *err)
{
	const int64_t *row = dataset_rows(dataset, PART_TRAIN);
	const int64_t n = dataset_n(dataset, PART_TRAIN);
	enum err_code rc = ERR_NONE;

	for (int64_t i = 0; i < n && !rc; i++) {
		struct raw_value value;

		rc = dataset_target(dataset, row[i], 0, &value, err);
		if (!rc)
			rc = pipeline_encode_target(pipeline, 0, &value,
						    &ret_class[i], err);
		if (!rc && (ret_class[i] < 0 || ret_class[i] >= width))
			ret_class[i] = 0; /* the loss will tell */
	}
	return rc;
}

/* Rows by class; classes without rows do not count. */
static enum err_code sort_rows(struct sampling *s,
			       const struct dataset *dataset,
			       const int64_t *class_of, int64_t width,
			       struct err *err)
{
	const int64_t *row = dataset_rows(dataset, PART_TRAIN);
	const int64_t n = dataset_n(dataset, PART_TRAIN);
	int64_t *at = mem_array((size_t)width + 1, sizeof(*at));

	if (!at)
		return no_memory(err);
	for (int64_t i = 0; i < n; i++)
		at[class_of[i] + 1]++;
	for (int64_t c = 0; c < width; c++) {
		if (at[c + 1] > 0) {
			s->first[s->n_classes + 1] =
			    s->first[s->n_classes] + at[c + 1];
			s->n_classes++;
		}
		at[c + 1] += at[c];
	}
	for (int64_t i = 0; i < n; i++)
		s->row[at[class_of[i]]++] = row[i];
	mem_free(at);
	return ERR_NONE;
}

static int64_t class_rows(const struct sampling *s, int64_t c)
{
	return s->first[c + 1] - s->first[c];
}

/* Rows of each class in an epoch. */
static int64_t share(const struct sampling *s)
{
	int64_t best = class_rows(s, 0);

	for (int64_t c = 1; c < s->n_classes; c++) {
		const int64_t m = class_rows(s, c);

		if (s->type == SAMPLING_OVERSAMPLE ? m > best : m < best)
			best = m;
	}
	return best;
}

static enum err_code build(struct sampling *s, const struct dataset *dataset,
			   const struct pipeline *pipeline, struct err *err)
{
	const int64_t n = dataset_n(dataset, PART_TRAIN);
	int64_t *class_of, width, most = 0;
	enum dtype dtype;
	struct shape shape;
	enum err_code rc;

	pipeline_target_row(pipeline, 0, &dtype, &shape, &width);
	if (dtype != DTYPE_I64 || shape.rank != 0)
		return err_set(err, ERR_INVALID,
			       "data.sampling: expected a category as output "
			       "feature");
	class_of = mem_array((size_t)n, sizeof(*class_of));
	s->row = mem_array((size_t)n, sizeof(*s->row));
	s->first = mem_array((size_t)width + 1, sizeof(*s->first));
	rc = class_of && s->row && s->first ? ERR_NONE : no_memory(err);
	if (!rc)
		rc = read_classes(dataset, pipeline, width, class_of, err);
	if (!rc)
		rc = sort_rows(s, dataset, class_of, width, err);
	mem_free(class_of);
	if (rc)
		return rc;
	s->n = s->type == SAMPLING_WEIGHTED ? n : share(s) * s->n_classes;
	for (int64_t c = 0; c < s->n_classes; c++)
		most = class_rows(s, c) > most ? class_rows(s, c) : most;
	s->place = mem_array((size_t)most, sizeof(*s->place));
	s->drawn = mem_array((size_t)s->n, sizeof(*s->drawn));
	return s->place && s->drawn ? ERR_NONE : no_memory(err);
}

enum err_code sampling_create(const struct dataset *dataset,
			      const struct pipeline *pipeline,
			      enum sampling_type type, uint64_t seed,
			      struct sampling **ret_sampling, struct err *err)
{
	struct sampling *s = mem_zero(sizeof(*s));
	enum err_code rc;

	if (!s)
		return no_memory(err);
	s->type = type;
	s->seed = seed;
	rc = build(s, dataset, pipeline, err);
	if (rc) {
		sampling_destroy(s);
		return rc;
	}
	*ret_sampling = s;
	return ERR_NONE;
}

void sampling_destroy(struct sampling *sampling)
{
	if (!sampling)
		return;
	mem_free(sampling->row);
	mem_free(sampling->first);
	mem_free(sampling->place);
	mem_free(sampling->drawn);
	mem_free(sampling);
}

int64_t sampling_n(const struct sampling *sampling)
{
	return sampling->n;
}

static void draw_evenly(struct sampling *s, uint32_t epoch)
{
	const int64_t wanted = share(s);
	int64_t at = 0;

	for (int64_t c = 0; c < s->n_classes; c++) {
		const int64_t m = class_rows(s, c);

		rng_permutation(
		    (struct rng){ .seed = s->seed,
				  .stream = STREAM_SAMPLING + (uint32_t)c,
				  .step = epoch },
		    (size_t)m, s->place);
		for (int64_t i = 0; i < wanted; i++)
			s->drawn[at++] = s->row[s->first[c] + s->place[i % m]];
	}
}

static void draw_by_chance(struct sampling *s, uint32_t epoch)
{
	const struct rng rng = { .seed = s->seed,
				 .stream = STREAM_SAMPLING,
				 .step = epoch };

	for (int64_t i = 0; i < s->n; i++) {
		const int64_t c = (int64_t)rng_below(rng, 2 * (uint64_t)i,
						     (uint64_t)s->n_classes);
		const int64_t k = (int64_t)rng_below(
		    rng, 2 * (uint64_t)i + 1, (uint64_t)class_rows(s, c));

		s->drawn[i] = s->row[s->first[c] + k];
	}
}

void sampling_order(struct sampling *sampling, uint32_t epoch,
		    int64_t *ret_order)
{
	if (sampling->type == SAMPLING_WEIGHTED)
		draw_by_chance(sampling, epoch);
	else
		draw_evenly(sampling, epoch);
	batch_shuffle(sampling->drawn, sampling->n, sampling->seed, epoch,
		      ret_order);
}
