/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Worker: the process that trains one job, `predictd worker`.
 *
 * The supervisor spawns it with the job's folder, in which spec.json (the
 * resolved spec) lies. The worker writes one JSON object a line to its
 * standard output, and logs nothing else there:
 *
 *   {"type":"state","state":"validating|preparing|running|paused|stopping"}
 *   {"type":"memory","predicted_peak_bytes":..,"memory":{..}} before "running"
 *   {"type":"step","progress":{percent, epoch, epochs, step, total_steps,
 *     samples_seen, samples_per_second, eta_seconds},
 *     "latest":{train_loss, learning_rate, momentum, grad_norm}} at most 1 a
 * second, and at each epoch's end
 *   {"type":"eval","epoch":1,"step":938,
 *     "metrics":{"train_loss":..,"valid_loss":..,"valid_accuracy":..}}
 *   {"type":"lr_find","learning_rate":..,"rate":[..],"loss":[..],
 *     "batch_loss":[..],"start_loss":[..],"trials":[..],"suggestions":{..}}
 *   {"type":"checkpoint","step":..,"path":"ckpt-000000938"}
 *   {"type":"warning","code":"no_space|diverging|...","message":".."}
 *   {"type":"published","model":"fashion","version":3,"set_default":true}
 *   {"type":"done","state":"succeeded|failed|cancelled|interrupted|paused","stop_reason":"..",
 *     "error":"one sentence"?,
 * "result":{"best":{..},"metrics":{..},"artifacts":[..]}}
 *
 * and reads one word a line from its standard input: "cancel", "pause",
 * "checkpoint", "stop" (checkpoint and end as interrupted). The end of its
 * input means that the supervisor is gone: the same as "stop". SIGTERM too.
 * It obeys within one training step. Exit status: 0 whenever "done" was said.
 *
 * Files it writes beneath the job's folder: ckpt-<step>/
 * (training/checkpoint.h), artifacts/ (model.onnx, model.yaml,
 * config.resolved.json). It resumes from the newest checkpoint
 * that verifies, where there is one.
 *
 * Threads: one leader, its pool's helpers, one reader of input, prefetchers.
 */
#ifndef TRAINING_WORKER_H
#define TRAINING_WORKER_H

#include <stddef.h>

/** The rehearsals answer with one "done" line and keep nothing: layers, shapes,
 * memory and time; the curve and suggestions of the rate finder; memory alone,
 * which is an error where it is above the job's limit. */
enum worker_task {
	WORKER_TRAINS,
	WORKER_DRY_RUN,
	WORKER_LR_FIND,
	WORKER_CHECK,
	WORKER_EVALUATE, /**< figures of the newest checkpoint */
	WORKER_UNPACK,	 /**< job_dir is an upload's (training/datasets.h) */
};

struct worker_options {
	const char *job_dir;
	const char *const *data_roots; /**< where data may be read */
	size_t n_data_roots;
	const char *datasets;	      /**< folder of uploads; NULL: none */
	const char *model_repository; /**< published into; NULL: nowhere */
	unsigned threads;	      /**< 0: all of this process */
	int in_fd, out_fd;	      /**< 0 and 1 but in tests */
	enum worker_task task;
};

/** The exit status of the process. */
int worker_main(const struct worker_options *options);

#endif
