/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/augment.h"

enum { DEPTH = 4, STREAM_SHUFFLE = 0x5107 };
/* and the number of the input */
enum { STREAM_AUGMENT = 0x6a000000 };

enum slot_state { SLOT_FREE, SLOT_READY, SLOT_LENT };

struct slot {
	struct batch batch;
	enum slot_state state;
	int64_t number; /* of the batch within the order */
};

struct augmentation {
	const struct augment_spec *spec; /* NULL: none */
	uint64_t seed;
	uint32_t epoch;
};

struct loader {
	const struct dataset *dataset;
	const struct pipeline *pipeline;
	int64_t max_rows;
	size_t *input_bytes, *target_bytes; /* of one row */
	struct slot slot[DEPTH];
	int depth;		  /* slots that are used */
	struct augmentation next; /* of the next order */
	void *room;		  /* of the thread: one row of an input */
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	int64_t *order;
	int64_t n, batch_size, next_number, taken_number;
	struct augmentation now; /* of the order under way */
	unsigned generation;	 /* loader_start() counts up */
	bool stop;
	struct err err; /* of the first row that could not be encoded */
};

void batch_shuffle(const int64_t *rows, int64_t n, uint64_t seed,
		   uint32_t epoch, int64_t *ret_order)
{
	struct rng rng = { .seed = seed,
			   .stream = STREAM_SHUFFLE,
			   .step = epoch };

	rng_permutation(rng, (size_t)n, ret_order);
	for (int64_t i = 0; i < n; i++)
		ret_order[i] = rows[ret_order[i]];
}

void batch_stream(const int64_t *rows, int64_t n, int64_t batch_size,
		  int64_t *ret_order)
{
	const int64_t wide = n < batch_size ? n : batch_size;
	const int64_t batches = wide ? n / wide : 0;

	for (int64_t i = 0; i < batches; i++)
		for (int64_t r = 0; r < wide; r++)
			ret_order[i * wide + r] = rows[r * batches + i];
	for (int64_t i = wide * batches; i < n; i++)
		ret_order[i] = rows[i];
}

static void augment_row(const struct loader *loader,
			const struct augmentation *how, unsigned i,
			int64_t position, void *row)
{
	const struct augment_place place = {
		.rng = { .seed = how->seed,
			 .stream = STREAM_AUGMENT + i,
			 .step = how->epoch },
		.element = (uint64_t)position,
	};

	if (how->spec)
		(void)pipeline_augment_input(loader->pipeline, i, how->spec,
					     &place, row, loader->room);
}

static enum err_code encode_row(const struct loader *loader,
				const struct augmentation *how, int64_t row,
				int64_t at, struct batch *batch,
				struct err *err)
{
	struct raw_value value;
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < pipeline_n_inputs(loader->pipeline) && !rc;
	     i++) {
		char *out = (char *)batch->input[i] +
			    (size_t)at * loader->input_bytes[i];

		rc = dataset_input(loader->dataset, row, i, &value, err);
		if (!rc)
			rc = pipeline_encode_input(loader->pipeline, i, &value,
						   out, err);
		if (!rc)
			augment_row(loader, how, i, batch->first + at, out);
	}
	for (unsigned i = 0; i < pipeline_n_outputs(loader->pipeline) && !rc;
	     i++) {
		char *out = (char *)batch->target[i] +
			    (size_t)at * loader->target_bytes[i];

		rc = dataset_target(loader->dataset, row, i, &value, err);
		if (!rc)
			rc = pipeline_encode_target(loader->pipeline, i, &value,
						    out, err);
	}
	if (rc)
		(void)err_prefix(err, "row %lld", (long long)row);
	return rc;
}

/* Under the lock: a free slot and a batch to fill, or NULL. */
static struct slot *find_work(struct loader *loader)
{
	if (loader->stop || loader->err.code ||
	    loader->next_number * loader->batch_size >= loader->n)
		return NULL;
	for (int i = 0; i < loader->depth; i++) {
		if (loader->slot[i].state == SLOT_FREE)
			return &loader->slot[i];
	}
	return NULL;
}

/* Fills one slot; the lock is given up while encoding. */
static void fill_slot(struct loader *loader, struct slot *slot)
{
	struct batch *batch = &slot->batch;
	unsigned generation = loader->generation;
	const struct augmentation how = loader->now;
	int64_t left, *row = (int64_t *)batch->input[-1];
	struct err err = { 0 };

	slot->number = loader->next_number++;
	slot->state = SLOT_LENT;
	batch->first = slot->number * loader->batch_size;
	left = loader->n - batch->first;
	batch->n = left < loader->batch_size ? left : loader->batch_size;
	memcpy(row, loader->order + batch->first,
	       (size_t)batch->n * sizeof(*row));
	(void)pthread_mutex_unlock(&loader->lock);
	for (int64_t i = 0; i < batch->n; i++) {
		if (encode_row(loader, &how, row[i], i, batch, &err))
			break;
	}
	(void)pthread_mutex_lock(&loader->lock);
	if (generation != loader->generation)
		slot->state = SLOT_FREE;
	else
		slot->state = SLOT_READY;
	if (err.code && generation == loader->generation)
		loader->err = err;
	(void)pthread_cond_broadcast(&loader->changed);
}

static void *loader_main(void *arg)
{
	struct loader *loader = arg;

	(void)pthread_setname_np(pthread_self(), "loader");
	(void)pthread_mutex_lock(&loader->lock);
	while (!loader->stop) {
		struct slot *slot = find_work(loader);

		if (slot)
			fill_slot(loader, slot);
		else
			(void)pthread_cond_wait(&loader->changed,
						&loader->lock);
	}
	(void)pthread_mutex_unlock(&loader->lock);
	return NULL;
}

static size_t row_bytes(enum dtype dtype, const struct shape *row)
{
	return tensor_bytes(dtype, row);
}

static enum err_code measure_rows(struct loader *loader, struct err *err)
{
	const struct pipeline *p = loader->pipeline;
	unsigned n_in = pipeline_n_inputs(p), n_out = pipeline_n_outputs(p);
	enum dtype dtype;
	struct shape row;
	int64_t width;

	loader->input_bytes = mem_array(n_in, sizeof(size_t));
	loader->target_bytes = mem_array(n_out, sizeof(size_t));
	if (!loader->input_bytes || !loader->target_bytes)
		return err_set(err, ERR_NO_MEMORY, "batches: out of memory");
	for (unsigned i = 0; i < n_in; i++) {
		pipeline_input_row(p, i, &dtype, &row);
		loader->input_bytes[i] = row_bytes(dtype, &row);
	}
	for (unsigned i = 0; i < n_out; i++) {
		pipeline_target_row(p, i, &dtype, &row, &width);
		loader->target_bytes[i] = row_bytes(dtype, &row);
	}
	return ERR_NONE;
}

static void slot_finish(const struct loader *loader, struct slot *slot)
{
	struct batch *batch = &slot->batch;

	if (batch->input) {
		for (unsigned i = 0; i < pipeline_n_inputs(loader->pipeline);
		     i++)
			mem_free(batch->input[i]);
		mem_free(batch->input[-1]);
		mem_free(batch->input - 1);
	}
	for (unsigned i = 0;
	     batch->target && i < pipeline_n_outputs(loader->pipeline); i++)
		mem_free(batch->target[i]);
	mem_free(batch->target);
}

static enum err_code slot_init(const struct loader *loader, struct slot *slot,
			       struct err *err)
{
	struct batch *batch = &slot->batch;
	unsigned n_in = pipeline_n_inputs(loader->pipeline);
	unsigned n_out = pipeline_n_outputs(loader->pipeline);
	size_t rows = (size_t)loader->max_rows;
	/* the slot's row numbers stand before the inputs */
	void **input = mem_array((size_t)n_in + 1, sizeof(*input));
	bool is_whole = input != NULL;

	batch->input = input ? input + 1 : NULL;
	batch->target = mem_array(n_out, sizeof(*batch->target));
	if (!is_whole || !batch->target)
		goto no_memory;
	input[0] = mem_array(rows, sizeof(int64_t));
	is_whole = input[0] != NULL;
	for (unsigned i = 0; i < n_in && is_whole; i++) {
		batch->input[i] = mem_aligned(rows * loader->input_bytes[i]);
		is_whole = batch->input[i] != NULL;
	}
	for (unsigned i = 0; i < n_out && is_whole; i++) {
		batch->target[i] = mem_aligned(rows * loader->target_bytes[i]);
		is_whole = batch->target[i] != NULL;
	}
	if (is_whole)
		return ERR_NONE;
no_memory:
	return err_set(err, ERR_NO_MEMORY, "batches: no memory for %lld rows",
		       (long long)loader->max_rows);
}

enum err_code loader_create(const struct dataset *dataset,
			    const struct pipeline *pipeline, int64_t max_rows,
			    struct loader **ret_loader, struct err *err)
{
	struct loader *loader = mem_zero(sizeof(*loader));
	enum err_code rc;

	if (!loader)
		return err_set(err, ERR_NO_MEMORY, "batches: out of memory");
	loader->dataset = dataset;
	loader->pipeline = pipeline;
	loader->max_rows = max_rows;
	loader->batch_size = max_rows;
	loader->depth = DEPTH;
	(void)pthread_mutex_init(&loader->lock, NULL);
	(void)pthread_cond_init(&loader->changed, NULL);
	rc = measure_rows(loader, err);
	for (int i = 0; i < DEPTH && !rc; i++)
		rc = slot_init(loader, &loader->slot[i], err);
	if (rc)
		goto out;
	if (pthread_create(&loader->thread, NULL, loader_main, loader)) {
		rc = err_set(err, ERR_NO_MEMORY, "batches: no thread");
		goto out;
	}
	loader->has_thread = true;
	*ret_loader = loader;
	loader = NULL;
out:
	loader_destroy(loader);
	return rc;
}

void loader_destroy(struct loader *loader)
{
	if (!loader)
		return;
	if (loader->has_thread) {
		(void)pthread_mutex_lock(&loader->lock);
		loader->stop = true;
		(void)pthread_cond_broadcast(&loader->changed);
		(void)pthread_mutex_unlock(&loader->lock);
		(void)pthread_join(loader->thread, NULL);
	}
	for (int i = 0; i < DEPTH; i++)
		slot_finish(loader, &loader->slot[i]);
	(void)pthread_cond_destroy(&loader->changed);
	(void)pthread_mutex_destroy(&loader->lock);
	mem_free(loader->input_bytes);
	mem_free(loader->target_bytes);
	mem_free(loader->order);
	mem_free(loader->room);
	mem_free(loader);
}

void loader_set_depth(struct loader *loader, int depth)
{
	(void)pthread_mutex_lock(&loader->lock);
	loader->depth = depth < 1 ? 1 : depth < DEPTH ? depth : DEPTH;
	(void)pthread_mutex_unlock(&loader->lock);
}

enum err_code loader_augment(struct loader *loader,
			     const struct augment_spec *spec, uint64_t seed,
			     uint32_t epoch, struct err *err)
{
	size_t most = 1;

	for (unsigned i = 0; i < pipeline_n_inputs(loader->pipeline); i++)
		most = loader->input_bytes[i] > most ? loader->input_bytes[i]
						     : most;
	if (spec && !loader->room) {
		loader->room = mem_alloc(most);
		if (!loader->room)
			return err_set(err, ERR_NO_MEMORY,
				       "augmentation: out of memory");
	}
	loader->next = (struct augmentation){ spec, seed, epoch };
	return ERR_NONE;
}

enum err_code loader_start(struct loader *loader, const int64_t *order,
			   int64_t n, int64_t first, int64_t batch_size,
			   struct err *err)
{
	int64_t *copy = mem_array((size_t)n, sizeof(*copy));

	if (!copy)
		return err_set(err, ERR_NO_MEMORY,
			       "batches: no memory for the order of %lld rows",
			       (long long)n);
	memcpy(copy, order, (size_t)n * sizeof(*copy));
	(void)pthread_mutex_lock(&loader->lock);
	mem_free(loader->order);
	loader->order = copy;
	loader->n = n;
	loader->now = loader->next;
	loader->batch_size =
	    batch_size < loader->max_rows ? batch_size : loader->max_rows;
	loader->generation++;
	loader->next_number = first / loader->batch_size;
	loader->taken_number = loader->next_number;
	loader->err = (struct err){ 0 };
	for (int i = 0; i < DEPTH; i++) {
		if (loader->slot[i].state == SLOT_READY)
			loader->slot[i].state = SLOT_FREE;
	}
	(void)pthread_cond_broadcast(&loader->changed);
	(void)pthread_mutex_unlock(&loader->lock);
	return ERR_NONE;
}

/* Under the lock. */
static struct slot *find_ready(struct loader *loader)
{
	for (int i = 0; i < DEPTH; i++) {
		if (loader->slot[i].state == SLOT_READY &&
		    loader->slot[i].number == loader->taken_number)
			return &loader->slot[i];
	}
	return NULL;
}

enum err_code loader_take(struct loader *loader, struct batch **ret_batch,
			  struct err *err)
{
	struct slot *slot = NULL;
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&loader->lock);
	while (loader->taken_number * loader->batch_size < loader->n) {
		rc = loader->err.code;
		if (rc)
			break;
		slot = find_ready(loader);
		if (slot)
			break;
		(void)pthread_cond_wait(&loader->changed, &loader->lock);
	}
	if (rc && err)
		*err = loader->err;
	if (slot) {
		slot->state = SLOT_LENT;
		loader->taken_number++;
	}
	(void)pthread_mutex_unlock(&loader->lock);
	if (!rc)
		*ret_batch = slot ? &slot->batch : NULL;
	return rc;
}

void loader_give_back(struct loader *loader, struct batch *batch)
{
	(void)pthread_mutex_lock(&loader->lock);
	for (int i = 0; i < DEPTH; i++) {
		if (&loader->slot[i].batch == batch)
			loader->slot[i].state = SLOT_FREE;
	}
	(void)pthread_cond_broadcast(&loader->changed);
	(void)pthread_mutex_unlock(&loader->lock);
}
