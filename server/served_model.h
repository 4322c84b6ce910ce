/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Served model: one version of a model that is loaded and answers.
 *
 * Ownership: counted and immutable; the last request that lets go frees it,
 *            so a request that began on it ends on it.
 * Threads:   any.
 */
#ifndef SERVER_SERVED_MODEL_H
#define SERVER_SERVED_MODEL_H

#include "engine/tuner.h"
#include "models/package.h"
#include "server/batcher.h"
#include "server/load_report.h"
#include "server/model_config.h"

/** What all models share; outlives them. */
struct serving {
	struct run_pool *runners, *timer;
	struct pool *helpers; /**< NULL: none */
	unsigned threads;     /**< budget of the process */
	struct pass_switch passes;
	bool strict_numerics;  /**< of all models */
	struct tuning *tuning; /**< NULL: kernels are chosen as predicted */
	atomic_uint n_running;
	struct response_cache *cache; /**< NULL: there is none */
	atomic_uint_least64_t n_models;
};

struct served_model {
	atomic_uint refs;
	struct package *package;
	struct tuner tuner; /**< of the plans; stopped once loaded */
	struct plan_cache *plans;
	struct batcher *batcher;
	struct batch_pad *pad;	      /**< NULL: none */
	struct sequences *sequences;  /**< NULL: it carries no state */
	struct response_cache *cache; /**< NULL: answers are not kept */
	uint64_t number;	      /**< no other loaded model has had it */
	struct model_stats *stats;
	unsigned max_batch; /**< 0: does not batch */
	unsigned n_instances;
	int64_t max_queue_delay_us, priority_levels, default_priority;
	int64_t load_ns;      /**< what planning and warming took */
	bool is_weights_only; /**< the graph of the one before it */
	unsigned n_followed;  /**< plans made for what that one ran */
	struct load_report report;
	char version[24];
};

struct served_model_source {
	const struct model_config *config;
	struct serving *serving;
	struct model_stats *stats; /**< shared; NULL: new ones */
	/** Whose place it takes; NULL: nobody's. */
	const struct served_model *before;
	/** Of the model's other versions; NULL: none has any. */
	struct sequences *sequences;
};

/** Takes the package, also on failure. Plans for one row and runs it where the
 * shapes are known, and makes every plan that `before` has, so that no request
 * waits for one. */
MUST_USE enum err_code
served_model_create(struct package *package,
		    const struct served_model_source *source,
		    struct served_model **ret_model, struct err *err);
struct served_model *served_model_ref(struct served_model *model);
/** What it takes beside its large constants, which other models may share: the
 * memory of its runs, and small things. */
size_t served_model_bytes(const struct served_model *model);
/** NULL is fine. */
void served_model_unref(struct served_model *model);
/** The same, but waits for a moment until it is the last one, so that no
 * request pays for what goes. For threads that have time. */
void served_model_retire(struct served_model *model);

#endif
