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
};

struct served_model {
	atomic_uint refs;
	struct package *package;
	struct tuner tuner; /**< of the plans; stopped once loaded */
	struct plan_cache *plans;
	struct batcher *batcher;
	struct model_stats *stats;
	unsigned max_batch; /**< 0: does not batch */
	unsigned n_instances;
	int64_t max_queue_delay_us;
	int64_t load_ns; /**< what planning and warming took */
	struct load_report report;
	char version[24];
};

/** Takes the package, also on failure; stats are shared (NULL: new ones).
 * Plans for one row and runs it where the shapes are known. */
MUST_USE enum err_code
served_model_create(struct package *package, const struct model_config *config,
		    struct serving *serving, struct model_stats *stats,
		    struct served_model **ret_model, struct err *err);
struct served_model *served_model_ref(struct served_model *model);
/** NULL is fine. */
void served_model_unref(struct served_model *model);

#endif
