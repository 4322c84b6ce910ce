/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer: where batches come from. From the loader, or, while a body is
 * frozen, from its features, which are cached at the phase's first batch.
 */
#include "training/trainer_priv.h"

/* Of features that are kept in memory where no limit says otherwise. */
#define FEATURES_MAX ((size_t)256 << 20)

/* --- a phase with a frozen body --- */

static int64_t body_rows(const struct trainer *trainer)
{
	const int64_t batch = trainer->spec->trainer.batch_size;
	const int64_t n = dataset_n(trainer->options.dataset, PART_TRAIN);

	return batch < n ? batch : n;
}

static enum err_code make_features(struct trainer *trainer,
				   const struct batch *sample, struct err *err)
{
	const struct trainer_options *o = &trainer->options;
	const struct trainer_spec *t = &trainer->spec->trainer;
	const struct features_options options = {
		.graph = o->graph,
		.frozen = trainer->frozen,
		.pipeline = o->pipeline,
		.rows = body_rows(trainer),
		.max_rows = t->batch_size > t->eval_batch_size
				? t->batch_size
				: t->eval_batch_size,
		.pool = o->pool,
		.threads = o->threads,
	};

	return features_create(&options, sample, &trainer->features, err);
}

/* Are rows other ones every time, or penalized for what the body does? */
static bool needs_whole(const struct trainer *trainer)
{
	const struct job_spec *spec = trainer->spec;

	return spec->augmentation.is_on || spec->mixup.alpha > 0 ||
	       spec->activation.alpha > 0 || spec->activation.beta > 0;
}

enum err_code trainer_cut_body(struct trainer *trainer,
			       struct stepper_phase *phase, struct err *err)
{
	struct batch *sample = NULL;
	enum err_code rc;

	features_destroy(trainer->features);
	trainer->features = NULL;
	trainer->has_filled = false;
	/* what a stream hands on is of the whole network, and so is what is
	 * mixed or penalized there; augmented rows are never the same */
	if (!phase->frozen || body_rows(trainer) < 2 || needs_whole(trainer) ||
	    trainer->options.state.rank ||
	    dataset_is_stream(trainer->options.dataset))
		return ERR_NONE;
	rc = loader_start(trainer->loader,
			  dataset_rows(trainer->options.dataset, PART_TRAIN),
			  body_rows(trainer), 0, body_rows(trainer), err);
	if (!rc)
		rc = loader_take(trainer->loader, &sample, err);
	if (!rc && sample)
		rc = make_features(trainer, sample, err);
	if (sample)
		loader_give_back(trainer->loader, sample);
	if (rc || !trainer->features)
		return rc;
	phase->head = features_head(trainer->features);
	phase->input = features_ports(trainer->features, &phase->n_inputs);
	return ERR_NONE;
}

/* --- the cache --- */

static int64_t rows_of(const struct trainer *trainer, int64_t *ret_end)
{
	const struct dataset *dataset = trainer->options.dataset;
	int64_t n_all = 0, end = 0;

	for (int part = PART_TRAIN; part <= PART_VALID; part++) {
		const int64_t n = dataset_n(dataset, (enum dataset_part)part);
		const int64_t *rows =
		    dataset_rows(dataset, (enum dataset_part)part);

		for (int64_t i = 0; i < n; i++)
			end = rows[i] >= end ? rows[i] + 1 : end;
		n_all += n;
	}
	*ret_end = end;
	return n_all;
}

size_t trainer_feature_bytes(const struct trainer *trainer)
{
	int64_t end;

	if (!trainer->features || !trainer->spec->trainer.cache_features)
		return 0;
	return (size_t)rows_of(trainer, &end) *
	       features_row_bytes(trainer->features);
}

bool trainer_keeps_features(const struct trainer *trainer, size_t bytes)
{
	const struct job_memory *m = &trainer->memory;

	if (m->limit)
		return m->peak - m->features + bytes <= m->limit;
	return bytes <= FEATURES_MAX;
}

/* One part, until an order comes, which is asked for again where it can be
 * obeyed. */
static enum err_code fill_part(struct trainer *trainer, enum dataset_part part,
			       bool *ret_whole, struct err *err)
{
	const struct dataset *dataset = trainer->options.dataset;
	const int64_t *rows = dataset_rows(dataset, part);
	const struct batch *made;
	struct batch *batch;
	enum err_code rc;

	if (!dataset_n(dataset, part))
		return ERR_NONE;
	rc = loader_start(trainer->loader, rows, dataset_n(dataset, part), 0,
			  body_rows(trainer), err);
	while (!rc && *ret_whole) {
		rc = loader_take(trainer->loader, &batch, err);
		if (rc || !batch)
			break;
		rc = features_make(trainer->features, batch, &made, err);
		if (!rc)
			features_put(trainer->features, made,
				     rows + batch->first);
		loader_give_back(trainer->loader, batch);
		*ret_whole = trainer_poll(trainer) == ORDER_NONE;
	}
	return rc;
}

/* No room is no fault: then the body runs with every batch. */
static enum err_code fill(struct trainer *trainer, struct err *err)
{
	const size_t bytes = trainer_feature_bytes(trainer);
	const char *dir = trainer_keeps_features(trainer, bytes)
			      ? NULL
			      : trainer->options.spill_dir;
	struct err why = { 0 };
	bool is_whole = true;
	int64_t end, n = rows_of(trainer, &end);
	enum err_code rc;

	trainer->has_filled = true;
	if (!bytes || (!dir && !trainer_keeps_features(trainer, bytes)))
		return ERR_NONE;
	if (features_reserve(trainer->features, n, end, dir, &why)) {
		trainer_warn(trainer, "no_feature_cache", why.msg);
		return ERR_NONE;
	}
	rc = fill_part(trainer, PART_TRAIN, &is_whole, err);
	if (!rc)
		rc = fill_part(trainer, PART_VALID, &is_whole, err);
	features_rest(trainer->features);
	return rc;
}

/* --- batches --- */

enum err_code trainer_rows_augment(struct trainer *trainer, int64_t epoch,
				   struct err *err)
{
	const struct augment_spec *spec = &trainer->spec->augmentation;

	if (!spec->is_on)
		return ERR_NONE;
	return loader_augment(trainer->loader, epoch < 0 ? NULL : spec,
			      (uint64_t)trainer->spec->trainer.seed,
			      (uint32_t)epoch, err);
}

enum err_code trainer_rows_start(struct trainer *trainer, const int64_t *order,
				 int64_t n, int64_t first, int64_t batch_size,
				 struct err *err)
{
	struct rows_source *source = &trainer->source;
	enum err_code rc = ERR_NONE;

	if (trainer->features && trainer->is_running && !trainer->has_filled &&
	    !trainer->shows_others)
		rc = fill(trainer, err);
	if (rc)
		return rc;
	*source = (struct rows_source){
		.order = order,
		.n = n,
		.next = first,
		.batch_size = batch_size,
		/* other weights have other bodies */
		.is_cached = trainer->features && !trainer->shows_others &&
			     features_has(trainer->features, order, n),
	};
	return source->is_cached ? ERR_NONE
				 : loader_start(trainer->loader, order, n,
						first, batch_size, err);
}

enum err_code trainer_rows_take(struct trainer *trainer,
				const struct batch **ret, struct err *err)
{
	struct rows_source *source = &trainer->source;
	const int64_t left = source->n - source->next;
	const int64_t n = left < source->batch_size ? left : source->batch_size;
	enum err_code rc;

	*ret = NULL;
	if (source->is_cached) {
		if (n > 0)
			*ret = features_get(trainer->features,
					    source->order + source->next, n,
					    source->next);
		source->next += n > 0 ? n : 0;
		return ERR_NONE;
	}
	rc = loader_take(trainer->loader, &source->lent, err);
	if (rc || !source->lent)
		return rc;
	*ret = source->lent;
	if (trainer->features)
		rc = features_make(trainer->features, source->lent, ret, err);
	if (rc)
		trainer_rows_give(trainer);
	return rc;
}

void trainer_rows_give(struct trainer *trainer)
{
	struct rows_source *source = &trainer->source;

	if (source->lent)
		loader_give_back(trainer->loader, source->lent);
	source->lent = NULL;
}
